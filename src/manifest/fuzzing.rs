//! Doors for the fuzz targets into parts that are private otherwise.

use std::collections::BTreeMap;
use std::path::Path;

use crate::manifest::interpolate::template;
use crate::manifest::normalize::short_syntax::{command, mount, port};
use crate::manifest::read::{dotenv, yaml};

/// A template with values put in.
///
/// # Errors
/// What is wrong with it.
pub fn interpolate(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    template::substitute(text, values, &mut Vec::new()).map_err(|error| error.to_string())
}

/// A `.env` file in both formats.
pub fn dotenv(text: &str) {
    let outer = BTreeMap::from([("A".to_owned(), "a".to_owned())]);
    let _ = dotenv::parse(text, Path::new("/.env"), dotenv::Variables::new(), &outer, &mut Vec::new());
    let _ = dotenv::parse_raw(text, &outer);
}

/// Every short form, and YAML itself.
pub fn short_forms(text: &str) {
    let _ = port::parse(text);
    let _ = mount::parse(text);
    let _ = command::split(text);
    let _ = yaml::parse(text, yaml::FileId::default());
}
