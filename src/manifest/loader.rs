//! The state of a load, and reading files into it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::LoadOptions;
use super::interpolate::values::{Values, Variables};
use super::language::MANIFEST;
use super::print::explain::Explanation;
use super::read::environment::{Environment, reason};
use super::read::yaml::{self, FileId, Map, Node, Span};
use super::report::Report;
use super::report::diagnostic::{Code, Severity};
use crate::model::FileTree;

/// Where one manifest of a load lives: the main one, or an included one.
#[derive(Clone)]
pub struct Place {
    /// Where its relative paths start.
    pub dir: PathBuf,
    /// Its variables.
    pub environment: Rc<Environment>,
    /// The files that included it, outermost first.
    pub chain: Vec<PathBuf>,
}

/// What an included manifest depends on.
#[derive(PartialEq)]
pub struct Included {
    /// The files that are merged.
    pub files: Vec<PathBuf>,
    /// Where its relative paths start.
    pub dir: PathBuf,
    /// Its variables.
    pub environment: Environment,
}

/// The state of a load.
pub struct Loader<'a> {
    pub tree: &'a dyn FileTree,
    pub options: &'a LoadOptions,
    pub report: Report,
    pub files: Vec<PathBuf>,
    pub env_files: Vec<PathBuf>,
    /// What would have been read if it were there.
    pub awaited: Vec<PathBuf>,
    pub variables: Variables,
    pub explanation: Option<Explanation>,
    pub environment: BTreeMap<String, String>,
    pub profiles: Vec<String>,
    pub model: Option<serde_json::Value>,
    documents: HashMap<PathBuf, Rc<Vec<Node>>>,
    /// A file could not be read as a whole: what it defines is not known.
    pub lacks_files: bool,
    /// Included manifests, each with what it was read from.
    pub included: Vec<(Included, Map)>,
}

impl<'a> Loader<'a> {
    /// Before anything is read.
    pub fn new(tree: &'a dyn FileTree, options: &'a LoadOptions) -> Self {
        Self {
            tree,
            options,
            report: Report::default(),
            files: Vec::new(),
            env_files: Vec::new(),
            awaited: Vec::new(),
            variables: Variables::default(),
            explanation: None,
            environment: BTreeMap::new(),
            profiles: Vec::new(),
            model: None,
            documents: HashMap::new(),
            lacks_files: false,
            included: Vec::new(),
        }
    }

    /// The documents of a file; an unreadable one is noted at `from`.
    pub fn documents(&mut self, file: &Path, from: Span) -> Option<Rc<Vec<Node>>> {
        if let Some(documents) = self.documents.get(file) {
            return Some(documents.clone());
        }
        let id = match self.report.sources.find(file) {
            Some(id) => id,
            None => match self.text(file, from) {
                Some(id) => id,
                None => {
                    self.lacks_files = true;
                    return None;
                }
            },
        };
        let (documents, problems) = yaml::parse(self.report.sources.text(id), id);
        self.lacks_files |= !problems.is_empty();
        for problem in problems {
            self.report.push(Severity::Error, Code::Yaml, problem.span, problem.message, problem.help);
        }
        let documents = Rc::new(documents);
        self.documents.insert(file.to_path_buf(), documents.clone());
        Some(documents)
    }

    /// The same, and forgets them: hardly ever is a file used twice, and to read it again costs little more than a copy
    /// of its tree.
    pub fn take_documents(&mut self, file: &Path) -> Option<Vec<Node>> {
        let documents = self.documents(file, Span::default())?;
        self.documents.remove(file);
        Some(Rc::unwrap_or_clone(documents))
    }

    fn text(&mut self, file: &Path, from: Span) -> Option<FileId> {
        self.files.push(file.to_path_buf());
        let bytes = match self.tree.read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("cannot read the manifest {}: {}", file.display(), reason(&error));
                self.report.error(Code::Unreadable, from, message);
                return None;
            }
        };
        let Ok(text) = String::from_utf8(bytes) else {
            let message = format!("{} is not text: it has bytes that are no UTF-8", file.display());
            self.report.error(Code::Yaml, from, message);
            return None;
        };
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        Some(self.report.sources.add(file, text))
    }

    /// Puts variables into a document and reads its strings.
    pub fn values(&mut self, node: &mut Node, environment: &Environment) {
        let mut values = Values {
            lookup: (!self.options.no_interpolate).then_some(environment),
            report: &mut self.report,
            variables: &mut self.variables,
            path: String::new(),
        };
        values.document(node, &MANIFEST);
    }
}
