//! One of the things that the digest of a build is made of, and the file that it is about.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Project, Service, ServiceName};

/// One of the things that a build reads. They are told in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Part {
    /// The text of the Dockerfile.
    Dockerfile {
        /// Relative to the context, or its name where it is not in there; none for `dockerfile_inline`.
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// The value of a build argument.
    Argument {
        /// Its name.
        name: String,
    },
    /// The image that a stage starts from.
    BaseImage {
        /// Its name.
        image: String,
    },
    /// The platform of the builder.
    BuildPlatform,
    /// A key of `build`.
    Setting {
        /// Its name below `build`.
        key: String,
    },
    /// The context, where the builder fetches it.
    RemoteContext,
    /// What an additional context is.
    Context {
        /// The name of the context.
        name: String,
    },
    /// A file, a folder or a link.
    File {
        /// The name of the additional context that it is in; none for the context itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<Arc<str>>,
        /// Relative to the context.
        path: Arc<str>,
    },
    /// An image that no stage starts from: of `COPY --from` and the like.
    Image {
        /// Its name.
        image: String,
    },
    /// The image of another service.
    ServiceImage {
        /// That service.
        service: ServiceName,
    },
    /// The platforms that the image is for.
    Platform,
    /// A secret that the build mounts.
    Secret {
        /// Its id.
        id: String,
    },
    /// An SSH agent or key that the build mounts.
    Ssh {
        /// Its id.
        id: String,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dockerfile { path: Some(path) } if path == "Dockerfile" => f.write_str("Dockerfile"),
            Self::Dockerfile { path } => {
                write!(f, "Dockerfile {}", path.as_deref().unwrap_or("dockerfile_inline"))
            }
            Self::Argument { name } => write!(f, "arg {name}"),
            Self::BaseImage { image } => write!(f, "base image {image}"),
            Self::BuildPlatform => f.write_str("build platform"),
            Self::Setting { key } => write!(f, "build.{key}"),
            Self::RemoteContext => f.write_str("context"),
            Self::Context { name } => write!(f, "context {name}"),
            Self::File { context: None, path } => f.write_str(path),
            Self::File { context: Some(name), path } => write!(f, "{path} of context {name}"),
            Self::Image { image } => write!(f, "image {image}"),
            Self::ServiceImage { service } => write!(f, "image of service {service}"),
            Self::Platform => f.write_str("platform"),
            Self::Secret { id } => write!(f, "secret {id}"),
            Self::Ssh { id } => write!(f, "ssh {id}"),
        }
    }
}

impl Project {
    /// The file that a part of a measure of a service's build is.
    pub fn file_of(&self, part: &Part, service: &Service) -> Option<PathBuf> {
        match part {
            Part::File { context, path } => self.file_in(context.as_deref(), path, service),
            _ => None,
        }
    }

    /// A file of a context of a service's build; none where it has no such context.
    pub fn file_in(&self, context: Option<&str>, path: &str, service: &Service) -> Option<PathBuf> {
        let build = service.build.as_ref()?;
        let folder = match context {
            Some(name) => build.additional_contexts.get(name)?,
            None => build.context.as_deref().unwrap_or_default(),
        };
        Some(self.working_dir.join(folder).join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Build;

    #[test]
    fn a_part_of_a_file_is_that_file() {
        let project = Project { working_dir: "/p".into(), ..Project::default() };
        let mut build = Build { context: Some("api".into()), ..Build::default() };
        build.additional_contexts.insert("lib".into(), "shared".into());
        let service = Service { build: Some(build), ..Service::default() };
        let file =
            |context: Option<&str>, path: &str| Part::File { context: context.map(Arc::from), path: path.into() };
        for (part, file) in [
            (file(None, "src/app.py"), Some("/p/api/src/app.py")),
            (file(None, "a of context lib"), Some("/p/api/a of context lib")),
            (file(Some("lib"), "app.py"), Some("/p/shared/app.py")),
            (file(Some("gone"), "app.py"), None),
            (Part::Argument { name: "VERSION".into() }, None),
        ] {
            assert_eq!(project.file_of(&part, &service), file.map(PathBuf::from), "{part}");
        }
    }
}
