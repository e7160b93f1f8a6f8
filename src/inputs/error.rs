//! What can be wrong with a build's inputs, said so that the next step is clear.

use std::io;
use std::path::PathBuf;

use crate::model::{Location, Place};

/// A Dockerfile that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct DockerfileError {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl DockerfileError {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// A build whose inputs cannot be told. The caller adds the service and the manifest's place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputsError {
    /// The context folder is not there.
    #[error("the build context {} does not exist", path.display())]
    MissingContext {
        /// The folder.
        path: PathBuf,
        /// A folder with a similar name.
        similar: Option<String>,
    },
    /// The context is a file.
    #[error("the build context {} is not a folder", path.display())]
    ContextIsNoFolder {
        /// The path.
        path: PathBuf,
    },
    /// The Dockerfile is not there.
    #[error("the Dockerfile {} does not exist", path.display())]
    MissingDockerfile {
        /// The path that was looked for.
        path: PathBuf,
        /// A file with a similar name in the same folder.
        similar: Option<String>,
    },
    /// The Dockerfile cannot be read as one.
    #[error("{}:{error}", path.as_ref().map_or_else(|| "dockerfile_inline".into(), |p| p.display().to_string()))]
    Dockerfile {
        /// The file; none for `dockerfile_inline`.
        path: Option<PathBuf>,
        /// What is wrong.
        #[source]
        error: Box<DockerfileError>,
    },
    /// The ignore file has a pattern that cannot be read.
    #[error("{}: {error}", path.display())]
    Ignore {
        /// The ignore file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: crate::inputs::ignore::BadIgnore,
    },
    /// A `COPY`, `ADD` or bind mount names something that is not in the context.
    #[error(transparent)]
    MissingSource(Box<MissingSource>),
    /// `target` names no stage.
    #[error("the Dockerfile has no stage {target:?}")]
    UnknownTarget {
        /// What was asked for.
        target: String,
        /// The stages that there are.
        stages: Vec<String>,
        /// The most similar one.
        similar: Option<String>,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A name that no builder takes.
    #[error("the name of {} is not UTF-8, which builders do not take", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// The file of a secret that the build mounts cannot be read.
    #[error("cannot read {}, the file of secret {name}: {error}", path.display())]
    SecretFile {
        /// The secret's key.
        name: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// `build.secrets` names a secret that the project does not define.
    #[error("the build secret {name:?} is not defined in `secrets`")]
    UnknownSecret {
        /// Its key.
        name: String,
    },
}

/// A source that is not in the context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {instruction} reads {source_path:?}, which is not in {}", at(dockerfile.as_ref(), *place), context.display())]
pub struct MissingSource {
    /// The Dockerfile; none for `dockerfile_inline`.
    pub dockerfile: Option<PathBuf>,
    /// The instruction's place.
    pub place: Place,
    /// `COPY`, `ADD` or `RUN`.
    pub instruction: String,
    /// What it names.
    pub source_path: String,
    /// The context.
    pub context: PathBuf,
    /// Why it may be missing, or what may be meant.
    pub hint: Option<String>,
}

fn at(dockerfile: Option<&PathBuf>, place: Place) -> String {
    match dockerfile {
        Some(path) => format!("{}:{place}", path.display()),
        None => format!("dockerfile_inline:{place}"),
    }
}

impl InputsError {
    /// The place in a Dockerfile that it is about, and what is wrong there.
    pub fn place(&self) -> Option<(Location, String)> {
        let (file, place, text) = match self {
            Self::Dockerfile { path: Some(path), error } => (path, error.place, error.message.clone()),
            Self::MissingSource(missing) => {
                let MissingSource { dockerfile, place, instruction, source_path, context, .. } = &**missing;
                let text = format!("{instruction} reads {source_path:?}, which is not in {}", context.display());
                (dockerfile.as_ref()?, *place, text)
            }
            _ => return None,
        };
        Some((Location { file: file.clone(), line: place.line, column: place.column }, text))
    }

    /// The next step, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingContext { similar, .. } => Some(match similar {
                Some(name) => format!("did you mean {name:?}? The path is relative to the manifest's folder"),
                None => "`build.context` is relative to the manifest's folder".to_owned(),
            }),
            Self::ContextIsNoFolder { .. } => {
                Some("name the folder in `build.context`, and the Dockerfile in `build.dockerfile`".to_owned())
            }
            Self::MissingDockerfile { similar, .. } => Some(match similar {
                Some(name) => format!("did you mean {name:?}? Set it as `build.dockerfile`, relative to the context"),
                None => "write one there, or name another with `build.dockerfile`, relative to the context".to_owned(),
            }),
            Self::Dockerfile { error, .. } => error.hint.clone(),
            Self::Ignore { .. } => Some("see the rules for .dockerignore in Docker's build reference".to_owned()),
            Self::MissingSource(missing) => missing.hint.clone(),
            Self::UnknownTarget { stages, similar, .. } => Some(match similar {
                Some(name) => format!("did you mean {name:?}?"),
                None if stages.is_empty() => "no stage of it has a name: give it one with `FROM … AS name`".to_owned(),
                None => format!("its stages are {}", stages.join(", ")),
            }),
            Self::Read { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("make it readable, or leave it out with .dockerignore".to_owned())
            }
            Self::Read { .. } => None,
            Self::NotUtf8 { .. } => Some("rename it, or leave its folder out with .dockerignore".to_owned()),
            Self::SecretFile { .. } => Some("make it, or mend the path".to_owned()),
            Self::UnknownSecret { .. } => {
                Some("define it at the top level of the manifest, under `secrets`".to_owned())
            }
        }
    }
}

/// The candidate most like `wanted`, if any is like it enough to be a slip of the keyboard.
pub(crate) fn similar<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = wanted.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            let score = strsim::jaro_winkler(&lower, &other);
            let slip = lower.len() > 2 && strsim::damerau_levenshtein(&lower, &other) <= 1;
            ((score > 0.84 || slip) && candidate != wanted).then_some((score, candidate))
        })
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.to_owned())
}
