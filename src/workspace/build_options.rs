//! What is asked of builds, besides what the manifest says.

use std::collections::BTreeMap;

use crate::model::Build;

/// What the command line says about builds.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// `--build-arg`.
    pub args: Vec<(String, Option<String>)>,
    /// `--pull`.
    pub pull: bool,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--ssh`: entries of `build.ssh` besides the manifest's. Like the two below it makes no other image of a build.
    pub ssh: Vec<String>,
    /// `--provenance`, in place of the manifest's.
    pub provenance: Option<String>,
    /// `--sbom`, in place of the manifest's.
    pub sbom: Option<String>,
    /// The arguments that an earlier `build` was given do not count any more.
    pub anew: bool,
    /// An image that has the service's name is taken as it is, and nothing is measured: only what is missing is built, as
    /// by Docker Compose without `--build`.
    pub only_missing: bool,
}

impl BuildOptions {
    /// Puts in what makes no other image.
    pub fn add_to(&self, build: &mut Build) {
        build.ssh.extend(self.ssh.iter().filter(|entry| !build.ssh.contains(entry)).cloned().collect::<Vec<_>>());
        build.provenance = self.provenance.clone().or(build.provenance.take());
        build.sbom = self.sbom.clone().or(build.sbom.take());
    }

    /// With the values of arguments that were given by name alone: from the shell, or from `.env`.
    #[must_use]
    pub fn with_values(mut self, environment: &BTreeMap<String, String>) -> Self {
        for (name, value) in self.args.iter_mut().filter(|(_, value)| value.is_none()) {
            *value = environment.get(name).cloned();
        }
        self
    }
}
