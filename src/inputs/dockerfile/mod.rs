//! The Dockerfile language as the builder's stable frontend reads it.
//!
//! Own, and not a library: the crates that parse Dockerfiles know neither heredocs nor `RUN --mount`, and expand no
//! variables in the way of the builder. What matters for a build's inputs is read in full; instructions that read no
//! files (`EXPOSE`, `LABEL`, …) are kept as text, for the builder to judge. An unknown flag is no error here either:
//! a newer frontend may know it. It makes the instruction one that is not understood.

pub mod expand;
pub mod lines;
mod parse;
mod pattern;
pub(crate) mod step;
#[cfg(test)]
mod tests;
pub mod words;

use crate::model::Place;

pub use expand::{Value, Variables};
pub use lines::{Directives, Heredoc};
pub use parse::{parse, parse_trigger};

/// A parsed Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Comments that steer the parser.
    pub directives: Directives,
    /// `ARG` before the first `FROM`.
    pub globals: Vec<Instruction>,
    /// The stages in order.
    pub stages: Vec<Stage>,
}

/// One stage: a `FROM` and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where its `FROM` is.
    pub place: Place,
    /// The `FROM` as written.
    pub text: String,
    /// `AS`, in lower case.
    pub name: Option<String>,
    /// What it starts from, before expansion.
    pub base: String,
    /// `--platform`, before expansion.
    pub platform: Option<String>,
    /// Its instructions.
    pub instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Where it starts.
    pub place: Place,
    /// Its text, continuation lines joined.
    pub text: String,
    /// The heredocs after it.
    pub heredocs: Vec<Heredoc>,
    /// What it is.
    pub kind: Kind,
}

/// What an instruction does, as far as inputs depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ARG name[=default] …`
    Arg(Vec<(String, Option<String>)>),
    /// `ENV name=value …`
    Env(Vec<(String, String)>),
    /// `COPY` or `ADD`.
    Copy(Box<Copy>),
    /// `RUN` with its `--mount` flags, before expansion.
    Run(Vec<String>),
    /// `WORKDIR path`, before expansion.
    Workdir(String),
    /// `ONBUILD instruction`: its text.
    OnBuild(String),
    /// An instruction that reads no files.
    Other,
}

/// `COPY` or `ADD`; words are not yet expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copy {
    /// `ADD`, which unpacks archives and fetches URLs.
    pub add: bool,
    /// Sources that are paths or URLs.
    pub sources: Vec<String>,
    /// Names of heredocs among the sources.
    pub documents: Vec<String>,
    /// Destination.
    pub dest: String,
    /// `--from`.
    pub from: Option<String>,
    /// `--chown`.
    pub chown: Option<String>,
    /// `--chmod`.
    pub chmod: Option<String>,
    /// `--link`.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`, in order.
    pub exclude: Vec<String>,
    /// `--checksum`.
    pub checksum: Option<String>,
    /// `--unpack`.
    pub unpack: Option<bool>,
    /// A flag that is not known.
    pub unknown_flag: Option<String>,
}
