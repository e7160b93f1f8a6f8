//! Why a change of a file needs a build of the image.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::RuleName;

/// A place in a Dockerfile; both count from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Place {
    /// Line, from one.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a change needs a rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RebuildReason {
    /// It is the Dockerfile.
    Dockerfile,
    /// It is an ignore file, so that other files may count now.
    IgnoreFile,
    /// It is a secret of the build.
    Secret {
        /// Its id.
        id: String,
    },
    /// The whole context counts as read.
    WholeContext {
        /// Why.
        fallback: Fallback,
    },
    /// A `RUN` reads it through a bind mount.
    Mounted {
        /// The `RUN`.
        place: Place,
    },
    /// A stage reads it whose result is used in another way than by starting from it.
    OtherStage {
        /// The stage.
        stage: String,
        /// The instruction that reads it.
        place: Place,
    },
    /// A later `RUN` may depend on it.
    LaterRun {
        /// The `RUN`.
        place: Place,
    },
    /// Another stage takes files from the one that it is copied into.
    ReadByStage {
        /// The stage.
        stage: String,
    },
    /// Where it goes depends on a variable.
    UnclearVariable {
        /// The instruction.
        place: Place,
        /// The variable.
        name: String,
    },
    /// Where it goes is relative to the base image's working folder, which is not known.
    UnclearWorkingDir {
        /// The instruction.
        place: Place,
    },
    /// Whether the destination is a folder is not known.
    UnclearDestination {
        /// The instruction.
        place: Place,
        /// The destination.
        dest: String,
    },
    /// Several sources become the same file, or `--exclude` may leave it out.
    UnclearSource {
        /// The instruction.
        place: Place,
    },
    /// `ADD` unpacks it.
    Archive {
        /// The `ADD`.
        place: Place,
    },
    /// It is a link that leads to a source, or something is copied through it.
    Link {
        /// The instruction.
        place: Place,
    },
    /// It became something else: a folder where a file was, or the other way round.
    KindChanged,
    /// A source, a folder above one, or perhaps the last match of a pattern is gone; or it is the first match.
    SourceGone {
        /// The instruction.
        place: Place,
    },
    /// A later instruction may overwrite what it becomes.
    MayBeOverwritten {
        /// That instruction.
        place: Place,
    },
    /// It is gone, and what it covered would come to light: another instruction's file, or the base image's.
    Uncovers {
        /// The path in the image.
        path: String,
    },
    /// The context itself is gone.
    ContextGone,
    /// A rule of `develop.watch` says so.
    Rule(RuleName),
    /// What the build reads could not be read the last time, and this may mend it.
    Unreadable,
}

impl fmt::Display for RebuildReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dockerfile => f.write_str("it is the Dockerfile"),
            Self::IgnoreFile => f.write_str("it decides which files count"),
            Self::Secret { id } => write!(f, "the build mounts it as secret {id}"),
            Self::WholeContext { fallback } => write!(f, "any file may be read: {fallback}"),
            Self::Mounted { place } => write!(f, "the RUN in line {} reads it", place.line),
            Self::OtherStage { stage, place } => write!(f, "stage {stage} reads it in line {}", place.line),
            Self::LaterRun { place } => write!(f, "the RUN in line {} comes after it", place.line),
            Self::ReadByStage { stage } => write!(f, "stage {stage} takes files from where it is copied to"),
            Self::UnclearVariable { place, name } => {
                write!(f, "line {} depends on ${name}, whose value is not known before the build", place.line)
            }
            Self::UnclearWorkingDir { place } => {
                write!(f, "line {} is relative to the base image's working folder, which is not known", place.line)
            }
            Self::UnclearDestination { place, dest } => write!(
                f,
                "whether {dest} in line {} is a folder is not known; write {dest}/ if it is, for hot sync",
                place.line
            ),
            Self::UnclearSource { place } => write!(f, "line {} may take another file in its place", place.line),
            Self::Archive { place } => write!(f, "the ADD in line {} unpacks it", place.line),
            Self::Link { place } => write!(f, "line {} goes through a link", place.line),
            Self::KindChanged => f.write_str("it became a file, a folder or a link, which it was not before"),
            Self::SourceGone { place } => write!(f, "line {} finds other sources with it than without it", place.line),
            Self::MayBeOverwritten { place } => write!(f, "line {} may overwrite what it becomes", place.line),
            Self::Uncovers { path } => write!(f, "without it, another file may take its place at {path}"),
            Self::ContextGone => f.write_str("the build context is gone"),
            Self::Rule(rule) => rule.fmt(f),
            Self::Unreadable => f.write_str("what its build reads could not be read"),
        }
    }
}

/// Why the selection of files could not be narrowed down, so that the whole filtered context counts as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fallback {
    /// The Dockerfile asks for a frontend that is not Docker's.
    UnknownSyntax {
        /// The frontend image.
        frontend: String,
    },
    /// A source depends on a variable whose value cannot be told.
    UnresolvedVariable {
        /// Where.
        place: Place,
        /// The variable.
        name: String,
    },
    /// An instruction has a flag that is not known.
    UnknownFlag {
        /// Where.
        place: Place,
        /// The flag, without dashes.
        flag: String,
    },
    /// A source's pattern reads differently in different builders.
    UnclearPattern {
        /// Where.
        place: Place,
        /// The source.
        source: String,
    },
    /// The base image has not been looked at, so it may have `ONBUILD` instructions and an environment of its own.
    UnknownBaseImage {
        /// Its name.
        image: String,
    },
    /// The context is fetched by the builder.
    RemoteContext {
        /// Its URL.
        url: String,
    },
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSyntax { frontend } => {
                write!(f, "the Dockerfile is read by {frontend}, which may read any file")
            }
            Self::UnresolvedVariable { place, name } => {
                write!(f, "line {}: the value of ${name} cannot be told before the build", place.line)
            }
            Self::UnknownFlag { place, flag } => write!(f, "line {}: the flag --{flag} is not known", place.line),
            Self::UnclearPattern { place, source } => {
                write!(f, "line {}: builders read the pattern {source:?} in different ways", place.line)
            }
            Self::UnknownBaseImage { image } => {
                write!(f, "the base image {image} has not been looked at yet; it may have ONBUILD instructions")
            }
            Self::RemoteContext { url } => write!(f, "the context {url} is fetched by the builder"),
        }
    }
}
