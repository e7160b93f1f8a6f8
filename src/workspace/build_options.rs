//! What is asked of builds, besides what the manifest says.

use std::collections::BTreeMap;

/// What the command line says about builds.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// `--build-arg`.
    pub args: Vec<(String, Option<String>)>,
    /// `--pull`.
    pub pull: bool,
    /// `--no-cache`.
    pub no_cache: bool,
    /// The arguments that an earlier `build` was given do not count any more.
    pub anew: bool,
}

impl BuildOptions {
    /// With the values of arguments that were given by name alone: from the shell, or from `.env`.
    #[must_use]
    pub fn with_values(mut self, environment: &BTreeMap<String, String>) -> Self {
        for (name, value) in self.args.iter_mut().filter(|(_, value)| value.is_none()) {
            *value = environment.get(name).cloned();
        }
        self
    }
}
