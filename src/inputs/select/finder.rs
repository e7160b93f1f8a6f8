//! How instructions find files, kept after a reading so that new files are recognised.

use crate::inputs::ignore::Ignore;
use crate::inputs::ignore::glob::Glob;
use crate::inputs::paths::{base_name, below};

/// How an instruction's source finds files: kept, so that new ones are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finder {
    /// This path and all below it.
    Path(String),
    /// What is below a folder and matches part by part, and all below that.
    Glob {
        /// The folder.
        folder: String,
        /// One pattern per part.
        parts: Vec<Glob>,
    },
    /// `--parents`: what is below a folder and matches as in an ignore file.
    Parents {
        /// The folder, after which the path is kept.
        folder: String,
        /// What is taken.
        pattern: Ignore,
        /// What must be there: the path itself, where it was written without wildcards, else the folder.
        needed: String,
    },
    /// A link on the way to a source: its own target matters.
    Link(String),
}

/// A finder with what it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Index into the recipe's steps.
    pub step: usize,
    /// Index of the context.
    pub context: usize,
    /// Index of the source in a `COPY`; 0 for mounts.
    pub source: usize,
    /// What it finds.
    pub finder: Finder,
    /// The name that a copied source itself has at its destination, where it was found by following a link.
    pub renamed: Option<String>,
}

/// Where a matched path goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It is the source itself.
    Itself { name: String },
    /// It is below a source that is a folder; the path from there.
    Below { rest: String },
    /// `--parents`: the path that is kept.
    Kept { rest: String },
}

impl Reader {
    /// How this finds a path of its context, if it does.
    pub fn placement(&self, rel: &str) -> Option<Placement> {
        match &self.finder {
            Finder::Path(root) => match below(root, rel)? {
                "" => {
                    Some(Placement::Itself { name: self.renamed.clone().unwrap_or_else(|| base_name(root).to_owned()) })
                }
                rest => Some(Placement::Below { rest: rest.to_owned() }),
            },
            Finder::Link(link) => below(link, rel).map(|_| Placement::Itself { name: base_name(rel).to_owned() }),
            Finder::Glob { folder, parts } => {
                let rest = below(folder, rel).filter(|rest| !rest.is_empty())?;
                let names: Vec<&str> = rest.split('/').collect();
                let fits = names.len() >= parts.len() && names.iter().zip(parts).all(|(name, part)| part.matches(name));
                if !fits {
                    return None;
                }
                let (_, deeper) = names.split_at(parts.len());
                Some(if deeper.is_empty() {
                    Placement::Itself { name: base_name(rel).to_owned() }
                } else {
                    Placement::Below { rest: deeper.join("/") }
                })
            }
            Finder::Parents { folder, .. } => {
                let rest = below(folder, rel).filter(|rest| !rest.is_empty())?;
                Some(Placement::Kept { rest: rest.to_owned() })
            }
        }
    }
}

impl Finder {
    /// Whether it matters what a folder holds.
    pub fn walks(&self, folder: &str) -> bool {
        match self {
            Self::Path(path) => below(path, folder).is_some() || below(folder, path).is_some(),
            Self::Link(path) => below(folder, path).is_some(),
            Self::Parents { folder: path, .. } => below(path, folder).is_some() || below(folder, path).is_some(),
            Self::Glob { folder: path, parts } => {
                let Some(rest) = below(path, folder) else { return below(folder, path).is_some() };
                rest.split('/').filter(|name| !name.is_empty()).zip(parts).all(|(name, part)| part.matches(name))
            }
        }
    }

    /// Whether this path must be a folder for something to be found.
    pub fn passes(&self, rel: &str) -> bool {
        match self {
            Self::Path(path) | Self::Link(path) | Self::Parents { needed: path, .. } if path == rel => false,
            _ => self.needs(rel),
        }
    }

    /// Whether the build fails, or reads something else, without this path.
    pub fn needs(&self, rel: &str) -> bool {
        match self {
            Self::Path(path)
            | Self::Link(path)
            | Self::Glob { folder: path, .. }
            | Self::Parents { needed: path, .. } => !path.is_empty() && below(rel, path).is_some(),
        }
    }
}
