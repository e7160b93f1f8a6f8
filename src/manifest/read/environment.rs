//! The variables of a load: the shell's, hob's own, and those of `.env` files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::manifest::interpolate::template::Lookup;
use crate::manifest::read::dotenv;
use crate::manifest::read::yaml::{FileId, Span, VariableOrigin};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::model::FileTree;

/// Variables with where they were set. The shell wins over hob's own, and those over files; of several files the
/// first one added wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    shell: Arc<BTreeMap<String, String>>,
    own: BTreeMap<String, String>,
    files: IndexMap<String, Setting>,
}

/// A variable that a file sets.
#[derive(Clone, Debug, PartialEq)]
struct Setting {
    value: String,
    file: PathBuf,
    line: u32,
}

impl Setting {
    fn origin(&self) -> VariableOrigin {
        VariableOrigin::File(self.file.clone(), self.line)
    }
}

impl Lookup for Environment {
    fn lookup(&self, name: &str) -> Option<(&str, VariableOrigin)> {
        if let Some(value) = self.own.get(name) {
            return Some((value, VariableOrigin::Hob));
        }
        if let Some(value) = self.shell.get(name) {
            return Some((value, VariableOrigin::Shell));
        }
        self.files.get(name).map(|setting| (setting.value.as_str(), setting.origin()))
    }
}

impl Environment {
    /// The shell's variables alone.
    pub fn new(shell: Arc<BTreeMap<String, String>>) -> Self {
        Self { shell, ..Self::default() }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lookup(name).map(|(value, _)| value)
    }

    /// The value of a variable, if it is not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Sets one of hob's own.
    pub fn set(&mut self, name: &str, value: &str) {
        self.own.insert(name.to_owned(), value.to_owned());
    }

    /// Adds what is not there yet.
    fn extend(&mut self, variables: IndexMap<String, Setting>) {
        for (name, value) in variables {
            self.files.entry(name).or_insert(value);
        }
    }

    /// Reads `.env` files and adds what is not there yet; of several files the last one wins.
    pub fn add_files(&mut self, files: &[PathBuf], tree: &dyn FileTree, report: &mut Report, read: &mut Vec<PathBuf>) {
        let mut found: IndexMap<String, Setting> = IndexMap::new();
        for file in files {
            let outer = Layered { first: self, second: &found };
            let env_file = EnvFile { path: file, ..EnvFile::default() };
            if let Some((_, variables)) = read_file(env_file, &outer, tree, report, read) {
                for (name, variable) in variables {
                    found.insert(name, Setting { value: variable.value, file: file.clone(), line: variable.line });
                }
            }
        }
        self.extend(found);
    }

    /// Every variable, sorted: what `config --environment` prints.
    pub fn all(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> =
            self.files.iter().map(|(name, setting)| (name.clone(), setting.value.clone())).collect();
        all.extend(self.shell.iter().map(|(name, value)| (name.clone(), value.clone())));
        all.extend(self.own.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }
}

/// First the one, then what several files have said so far.
struct Layered<'a> {
    first: &'a Environment,
    second: &'a IndexMap<String, Setting>,
}

impl Lookup for Layered<'_> {
    fn lookup(&self, name: &str) -> Option<(&str, VariableOrigin)> {
        self.first
            .lookup(name)
            .or_else(|| self.second.get(name).map(|setting| (setting.value.as_str(), setting.origin())))
    }
}

/// An env file that is to be read.
pub struct EnvFile<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// `raw`, or nothing.
    pub format: Option<&'a str>,
    /// What its values may use besides what is outside: the variables of the files before it.
    pub before: dotenv::Variables,
    /// Where it is named.
    pub from: Span,
}

impl Default for EnvFile<'_> {
    fn default() -> Self {
        Self { path: Path::new(""), format: None, before: dotenv::Variables::new(), from: Span::default() }
    }
}

/// Reads one env file. A problem is noted at its own line in the file.
pub fn read_file(
    env_file: EnvFile<'_>,
    outer: &dyn Lookup,
    tree: &dyn FileTree,
    report: &mut Report,
    read: &mut Vec<PathBuf>,
) -> Option<(FileId, dotenv::Variables)> {
    let EnvFile { path: file, format, before, from } = env_file;
    if !read.iter().any(|known| known == file) {
        read.push(file.to_path_buf());
    }
    let bytes = match tree.read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("cannot read the env file {}: {}", file.display(), reason(&error));
            report.error_help(Code::Unreadable, from, message, "make the file, or name another one");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut unset = Vec::new();
    let result = match format {
        None | Some("") => dotenv::parse(&text, file, before, outer, &mut unset),
        Some("raw") => dotenv::parse_raw(&text, outer),
        Some(other) => {
            let message = format!("{other:?} is no format of env files: expected `raw`, or nothing");
            report.error(Code::EnvFile, from, message);
            return None;
        }
    };
    let id = report.sources.add(file, text);
    for (name, line) in unset {
        let message = format!("the variable {name} is not set; an empty text is used");
        let span = Span { file: id, line, column: 1, length: 1 };
        report.warn(Code::UnsetVariable, span, message, Some("write `$$` for a plain dollar sign".to_owned()));
    }
    match result {
        Ok(variables) => Some((id, variables)),
        Err(error) => {
            let span = Span { file: id, line: error.line, column: error.column, length: 1 };
            report.push(
                crate::manifest::report::diagnostic::Severity::Error,
                Code::EnvFile,
                span,
                error.message,
                error.help,
            );
            None
        }
    }
}

/// Why a file could not be read, in words.
pub fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
