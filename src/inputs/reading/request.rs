//! What is asked of this layer: one service's build, and what only others can know about it.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::inputs::paths::{is_remote, join_host};
use crate::model::{Build, Project, ServiceName, is_repository};

/// What an image that a build starts from brings along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseImage {
    /// Its id: what makes it another image. Empty where the image was looked for and is nowhere: it is then taken to
    /// have no `ONBUILD` and no environment, and is named among what is not pinned.
    pub id: String,
    /// Its working folder; none or empty for `/`.
    pub working_dir: Option<String>,
    /// Its environment as `NAME=value`.
    pub env: Vec<String>,
    /// Its `ONBUILD` instructions.
    pub onbuild: Vec<String>,
}

/// Images by the name that a Dockerfile or an additional context uses.
pub type Images = HashMap<String, BaseImage>;

/// One build.
pub struct BuildRequest<'a> {
    /// Its `build`.
    pub build: &'a Build,
    /// The project, for secrets and for the folder where relative paths start.
    pub project: &'a Project,
    /// The environment, for `args` without a value and secrets from a variable.
    pub environment: &'a HashMap<String, String>,
    /// The images that the build starts from, as far as they are known. [`crate::inputs::base_images`] names them.
    pub images: &'a Images,
    /// The images of services that `additional_contexts` names as `service:name`, built first.
    pub services: &'a HashMap<ServiceName, BaseImage>,
    /// The platform of the builder, such as `linux/amd64`.
    pub platform: &'a str,
    /// Mixed into the digests of secrets, so that an image's label gives none away. Empty where none is kept: then
    /// their content does not count.
    pub salt: &'a str,
    /// The service's own `platform`, if it has one.
    pub service_platform: Option<&'a str>,
}

impl BuildRequest<'_> {
    /// The platforms to build for; none leaves it to the builder.
    pub(crate) fn platforms(&self) -> Vec<String> {
        if self.build.platforms.is_empty() {
            self.service_platform.map(str::to_owned).into_iter().collect()
        } else {
            match self.service_platform {
                Some(one) if self.build.platforms.iter().any(|p| p == one) => vec![one.to_owned()],
                _ => self.build.platforms.clone(),
            }
        }
    }

    /// The build arguments that are given a value.
    pub(crate) fn args(&self) -> HashMap<String, String> {
        self.build
            .args
            .iter()
            .filter_map(|(name, value)| {
                let value = value.clone().or_else(|| self.environment.get(name).cloned())?;
                Some((name.clone(), value))
            })
            .collect()
    }

    /// The context as a folder, or the URL that it is.
    pub(crate) fn context(&self) -> Result<PathBuf, String> {
        match self.build.context.as_deref() {
            None | Some("") => Ok(self.project.working_dir.clone()),
            Some(url) if is_remote(url) || is_repository(url) => Err(url.to_owned()),
            Some(path) => Ok(self.absolute(path)),
        }
    }

    /// A path of the manifest as an absolute one.
    pub(crate) fn absolute(&self, path: &str) -> PathBuf {
        join_host(&self.project.working_dir, path)
    }
}
