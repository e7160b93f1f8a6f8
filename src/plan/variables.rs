//! Which variable of a container's environment changed. Whether one did is told by the digest of all of them; this only
//! gives it a name, and is no part of what is decided.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::model::labels::VARIABLES;
use crate::model::{Digest, Service};

/// The key of the manifest.
const ENVIRONMENT: &str = "environment";

/// The label of a service's container; none where there is nothing to hide values with.
pub fn label(service: &Service, salt: &str) -> Option<(String, String)> {
    if salt.is_empty() || service.environment.is_empty() {
        return None;
    }
    let digest = |name: &String, value: &Option<String>| Digest::of_json(&(salt, name, value)).short().to_owned();
    let all: BTreeMap<&String, String> =
        service.environment.iter().map(|(name, value)| (name, digest(name, value))).collect();
    Some((VARIABLES.to_owned(), serde_json::to_string(&all).ok()?))
}

/// The keys that changed, with the names of variables in place of the whole environment where they are known.
pub fn named(keys: Vec<String>, wanted: &IndexMap<String, String>, there: &IndexMap<String, String>) -> Vec<String> {
    let parse = |labels: &IndexMap<String, String>| -> BTreeMap<String, String> {
        labels.get(VARIABLES).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (wanted, there) = (parse(wanted), parse(there));
    let all: BTreeSet<&String> = wanted.keys().chain(there.keys()).collect();
    let changed: Vec<String> = all
        .iter()
        .filter(|name| wanted.get(**name) != there.get(**name))
        .map(|name| format!("{ENVIRONMENT}.{name}"))
        .collect();
    // All of several: they were salted by another user's hob.
    if changed.is_empty() || changed.len() == all.len() && wanted.len() > 1 && there.len() > 1 {
        return keys;
    }
    let with = |key: String| if key == ENVIRONMENT { changed.clone() } else { vec![key] };
    keys.into_iter().flat_map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(salt: &str, variables: &[(&str, &str)]) -> IndexMap<String, String> {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
        let service = Service { environment: environment.collect(), ..Service::default() };
        label(&service, salt).into_iter().collect()
    }

    #[test]
    fn a_variable_that_changed_has_a_name() {
        let before = labels("salt", &[("MODE", "one"), ("PORT", "80"), ("OLD", "x")]);
        let cases = [
            (labels("salt", &[("MODE", "two"), ("PORT", "80"), ("OLD", "x")]), vec!["environment.MODE"]),
            (
                labels("salt", &[("MODE", "one"), ("PORT", "81"), ("NEW", "x")]),
                vec!["environment.NEW", "environment.OLD", "environment.PORT"],
            ),
            (labels("other", &[("MODE", "two"), ("PORT", "80"), ("OLD", "x")]), vec!["environment"]),
            (labels("", &[("MODE", "two")]), vec!["environment"]),
        ];
        for (wanted, mut want) in cases {
            let there = if wanted.is_empty() { IndexMap::new() } else { before.clone() };
            want.push("image");
            assert_eq!(named(vec!["environment".into(), "image".into()], &wanted, &there), want);
        }
        assert_eq!(named(vec!["image".into()], &before, &before), ["image"]);
    }

    #[test]
    fn a_value_cannot_be_guessed_without_the_salt() {
        let value = |salt| labels(salt, &[("PIN", "1234")])[VARIABLES].clone();
        assert_ne!(value("one"), value("another"));
        assert!(!value("one").contains("1234"));
        assert!(labels("", &[("PIN", "1234")]).is_empty());
    }
}
