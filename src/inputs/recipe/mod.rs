//! What a build does, for one target: the stages that it reaches, and their instructions with variables expanded.

pub(crate) mod mount;
pub(crate) mod resolve;
pub(crate) mod resolver;
pub(crate) mod scope;
pub(crate) mod steps;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::model::{Fallback, Place, ServiceName};

/// Where an instruction takes files from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder: the context (0) or an additional one.
    Context(usize),
    /// A stage.
    Stage(usize),
    /// An image, by name.
    Image(String),
    /// A service's image.
    Service(ServiceName),
    /// Something that the builder fetches.
    Remote(String),
}

/// A destination in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dest {
    /// Absolute path in the image, cleaned.
    pub path: String,
    /// It was written with a slash at the end, or as `.`: a folder for sure.
    pub folder: bool,
}

/// A text that may depend on an unknown variable.
pub type Known<T> = Result<T, Unclear>;

/// Why something about an instruction cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// It depends on a variable of unknown value.
    Variable(String),
    /// It is relative to the base image's working folder, which is not known.
    WorkingDir,
}

/// One source of a `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A path or a pattern, relative to the origin's root, cleaned; empty for the root.
    Path(String),
    /// An URL.
    Remote(String),
    /// A heredoc with this name.
    Document(String),
}

/// `COPY` or `ADD` with variables expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyStep {
    /// `ADD` or `COPY`.
    pub add: bool,
    /// Where paths are looked up.
    pub origin: Origin,
    /// Sources; unclear ones are not in it.
    pub sources: Vec<Source>,
    /// Destination.
    pub dest: Known<Dest>,
    /// `--chown`.
    pub chown: Known<Option<String>>,
    /// `--chmod`.
    pub chmod: Known<Option<String>>,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`; unclear where one depends on a variable.
    pub exclude: Vec<String>,
    /// Archives among the sources are unpacked.
    pub unpack: bool,
}

/// What a bind mount of a `RUN` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountStep {
    /// From where.
    pub origin: Origin,
    /// The path, relative to the origin's root, cleaned; empty for the root.
    pub source: String,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// `COPY` or `ADD`.
    Copy(Box<CopyStep>),
    /// `RUN` with the bind mounts that it reads.
    Run(Vec<MountStep>),
    /// `WORKDIR`, absolute where it can be told.
    Workdir(Option<String>),
    /// A stage that starts from a folder: all of it.
    Folder(usize),
    /// Anything that reads no files.
    Other,
}

/// One instruction of a reachable stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeStep {
    /// Index of the stage.
    pub stage: usize,
    /// Where it is.
    pub place: Place,
    /// Its text as written.
    pub text: String,
    /// What it does.
    pub what: StepKind,
}

/// An image that a build starts from or copies from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct ImageUse {
    /// Its name, as the Dockerfile gives it, variables expanded.
    pub name: String,
    /// The platform that the stage asks for, where it is another than the target's.
    pub platform: Option<String>,
    /// A stage starts from it, so its environment, working folder and `ONBUILD` matter.
    pub base: bool,
}

/// An additional context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Additional {
    /// Its name.
    pub name: String,
    /// What it is.
    pub origin: AdditionalOrigin,
}

/// What an additional context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdditionalOrigin {
    /// A folder of the host, with its index among the contexts.
    Folder(usize, PathBuf),
    /// An image.
    Image(String),
    /// Another service's image.
    Service(ServiceName),
    /// Anything else, which the builder fetches.
    Remote(String),
}

/// A stage's place in the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageNode {
    /// Its name, or its number.
    pub label: String,
    /// The stage that it starts from.
    pub base: Option<usize>,
    /// Other stages that it takes files from.
    pub reads: BTreeSet<usize>,
    /// It starts from nothing.
    pub scratch: bool,
}

/// What a build does, for one target.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// All stages; only those in `reachable` matter.
    pub stages: Vec<StageNode>,
    /// The stages that the target needs, the target included, in order.
    pub reachable: Vec<usize>,
    /// The target and the stages that it starts from, the first one first.
    pub chain: Vec<usize>,
    /// The instructions of reachable stages, stage by stage.
    pub steps: Vec<RecipeStep>,
    /// Images that it uses.
    pub images: BTreeSet<ImageUse>,
    /// Services whose images it uses.
    pub services: BTreeSet<ServiceName>,
    /// Additional contexts that it uses, by name.
    pub additional: BTreeSet<String>,
    /// Names of arguments that it declares.
    pub declared: BTreeSet<String>,
    /// Names of arguments declared before the first `FROM`.
    pub globals: BTreeSet<String>,
    /// Ids of secrets that its `RUN`s mount.
    pub secrets: BTreeSet<String>,
    /// Ids of SSH agents that its `RUN`s mount.
    pub ssh: BTreeSet<String>,
    /// Sources that only the builder can fetch and that may change there.
    pub unpinned: BTreeSet<String>,
    /// Why the whole context counts as read.
    pub fallback: Option<Fallback>,
    /// The text that the digest stands for: directives, global arguments and the reachable stages.
    pub text: String,
}

impl RecipeStep {
    /// Whether it reads files of this context.
    pub fn reads_context(&self, context: usize) -> bool {
        let here = Origin::Context(context);
        match &self.what {
            StepKind::Copy(copy) => copy.origin == here,
            StepKind::Run(mounts) => mounts.iter().any(|m| m.origin == here),
            StepKind::Folder(index) => *index == context,
            StepKind::Workdir(_) | StepKind::Other => false,
        }
    }
}

impl Source {
    /// The path, of a source that is one.
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Path(path) => Some(path.clone()),
            Self::Remote(_) | Self::Document(_) => None,
        }
    }
}
