//! One load from end to end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::manifest::LoadOptions;
use crate::manifest::check;
use crate::manifest::interpolate::template::Lookup;
use crate::manifest::interpolate::values::Values;
use crate::manifest::language::MANIFEST;
use crate::manifest::loader::{Included, Loader, Place};
use crate::manifest::lower::{self, project};
use crate::manifest::merge::{self, extend, include, unique};
use crate::manifest::normalize::paths::Base;
use crate::manifest::normalize::{self, short_syntax};
use crate::manifest::print::explain::Explanation;
use crate::manifest::read::discover::{Found, discover, env_file_is_off};
use crate::manifest::read::environment::Environment;
use crate::manifest::read::yaml::{Map, Mark, Node, Span, Value};
use crate::manifest::report::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{FileTree, Project};

/// The deepest chain of includes.
const MAX_INCLUDES: usize = 32;

/// The outcome of a load.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The project, if there was no error.
    pub project: Option<Project>,
    /// Errors and warnings, in the order found.
    pub diagnostics: Vec<Diagnostic>,
    /// The manifest files that were looked at, whether or not the load succeeded: what a watch must follow.
    pub files: Vec<PathBuf>,
    /// The env files that were looked at.
    pub env_files: Vec<PathBuf>,
    /// Every variable that the manifest may use: `config --environment`.
    pub environment: BTreeMap<String, String>,
    /// All profiles that services have, sorted: `config --profiles`.
    pub profiles: Vec<String>,
    /// What [`LoadOptions::explain`] asked for.
    pub explanation: Option<Explanation>,
    /// The merged manifest before variables are put in, for [`LoadOptions::no_interpolate`].
    pub model: Option<serde_json::Value>,
}

impl Loaded {
    /// Whether some diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads a manifest.
pub fn load(tree: &dyn FileTree, options: &LoadOptions) -> Loaded {
    let mut loader = Loader::new(tree, options);
    let project = loader.run();
    loader.warn_unset();
    loader.report.settle();
    let Loader { report, files, env_files, awaited, environment, profiles, explanation, model, .. } = loader;
    let project = project.filter(|_| report.errors() == 0).map(|project| Project {
        files: files.clone(),
        env_files: env_files.clone(),
        awaited: awaited.clone(),
        environment: environment.clone(),
        ..project
    });
    let diagnostics = report.diagnostics;
    Loaded { project, diagnostics, files, env_files, environment, profiles, explanation, model }
}

impl Loader<'_> {
    fn run(&mut self) -> Option<Project> {
        let Found { files, dir, mut environment, awaited } =
            discover(self.tree, self.options, &mut self.report, &mut self.env_files)?;
        self.awaited = awaited;
        self.report.env_files = self.env_file_names(&environment);
        let name = self.project_name(&files, &dir, &environment);
        environment.set("COMPOSE_PROJECT_NAME", &name);
        self.environment = environment.all();
        let place = Place { dir: dir.clone(), environment: Rc::new(environment), chain: Vec::new() };
        let mut manifest = self.model(&files, &place);
        if manifest.is_empty() && self.report.errors() == 0 {
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            let message = format!(
                "the manifest is empty: {}: expected at least `services:` with a service in it",
                names.join(", ")
            );
            let span = Span::default();
            self.report.error_help(Code::Empty, span, message, "run `hob init` to write one");
        }
        self.profiles = profiles(&manifest);
        if self.options.no_interpolate {
            self.normalize(&mut manifest, &name, None);
            manifest.insert("name".to_owned(), Node::text(name, Span::default()));
            self.model = (self.report.errors() == 0).then(|| lower::model(&manifest));
            return None;
        }
        if self.report.errors() > 0 {
            // What follows would only complain about what is half there.
            if !self.lacks_files {
                project::look_anyway(&manifest, &place.environment, self);
            }
            return None;
        }
        self.normalize(&mut manifest, &name, Some(&*place.environment));
        project::build(manifest, &name, &place, self)
    }

    fn normalize(&self, manifest: &mut Map, name: &str, values: Option<&dyn Lookup>) {
        if self.options.no_normalize {
            normalize::inherited(manifest, values);
        } else {
            normalize::normalize(manifest, name, values, self.options.all_resources);
        }
    }

    /// The files that variables are read from, in words.
    fn env_file_names(&self, environment: &Environment) -> String {
        if self.env_files.is_empty() {
            let off = env_file_is_off(environment).unwrap_or(true);
            return if off { String::new() } else { "`.env`".to_owned() };
        }
        let name =
            |file: &PathBuf| format!("`{}`", file.strip_prefix(&self.options.working_dir).unwrap_or(file).display());
        self.env_files.iter().map(name).collect::<Vec<_>>().join(" or ")
    }

    fn warn_unset(&mut self) {
        for (name, span) in std::mem::take(&mut self.variables.unset) {
            if self.report.is_blamed(&name) {
                continue;
            }
            let message = format!("The \"{name}\" variable is not set. Defaulting to a blank string.");
            let help = self.report.advice(&name);
            self.report.warn(Code::UnsetVariable, span, message, Some(help));
        }
    }

    /// Loads files and merges them: everything up to absolute paths, before names and dependencies are filled in.
    fn model(&mut self, files: &[PathBuf], place: &Place) -> Map {
        let mut model = Node::new(Value::Map(Map::default()), Span::default());
        for file in files {
            for document in self.take_documents(file).unwrap_or_default() {
                self.document(&mut model, document, file, place);
            }
        }
        let Value::Map(mut map) = model.value else { return Map::default() };
        if !self.options.no_interpolate {
            short_syntax::after_merge(&mut map, &mut self.report);
        }
        normalize::defaults(&mut map);
        let is_own = place.chain.is_empty();
        if !(is_own && self.options.no_path_resolution) {
            let home = self.options.environment.get("HOME").map(String::as_str);
            Base { dir: &place.dir, home }.resolve(&mut map);
        }
        map
    }

    fn document(&mut self, model: &mut Node, mut document: Node, file: &Path, place: &Place) {
        if document.as_map().is_none() {
            let message = format!(
                "{} must be a mapping with `services:` at its top level, found {}",
                file.display(),
                document.kind()
            );
            self.report.error(Code::Type, document.span, message);
            self.lacks_files = true;
            return;
        }
        if let Some(services) = document.get("services").filter(|node| node.is_null() && node.mark == Mark::None) {
            let span = services.key_or_span();
            let help = "remove the line, or put a service under it";
            self.report.error_help(Code::Type, span, "services must be a mapping, found nothing", help);
        }
        self.values(&mut document, &place.environment);
        extend::extend(&mut document, file, place, self);
        let mut place = place.clone();
        place.chain.push(file.to_path_buf());
        if place.chain.len() > MAX_INCLUDES {
            let message = format!("includes are nested more than {MAX_INCLUDES} levels deep");
            self.report.error(Code::Include, document.span, message);
            return;
        }
        self.include(&mut document, &place);
        let base = std::mem::take(model);
        *model = merge::merge(base, document, &MANIFEST, &mut self.report);
        merge::settle(model);
        unique::unique(model, &MANIFEST, &mut self.report);
        check::check(model, &MANIFEST, self.options.no_interpolate, &mut self.report);
        if let Some(version) = model.as_map_mut().and_then(|map| map.shift_remove("version")) {
            let message = "`version` is obsolete and ignored".to_owned();
            let help = Some("remove the line".to_owned());
            self.report.push(Severity::Note, Code::Obsolete, version.key_or_span(), message, help);
        }
        if let Some(map) = model.as_map_mut() {
            short_syntax::before_merge(map, self.options.no_interpolate, &mut self.report);
        }
        unique::unique(model, &MANIFEST, &mut self.report);
    }

    /// Takes in what a document includes.
    fn include(&mut self, document: &mut Node, place: &Place) {
        for entry in include::entries(document, &mut self.report) {
            let Some(included) = include::find(&entry, place, self) else { continue };
            let model = self.included(included, place);
            if let Some(map) = document.as_map_mut() {
                include::import(model, map, self);
            }
        }
    }

    /// The model of an included manifest. What is included on several ways is read once: else each level of such a
    /// diamond would double the work.
    fn included(&mut self, included: Included, from: &Place) -> Map {
        if let Some((_, known)) = self.included.iter().find(|(other, _)| *other == included) {
            return known.clone();
        }
        let Included { files, dir, environment } = &included;
        let place = Place { dir: dir.clone(), environment: Rc::new(environment.clone()), chain: from.chain.clone() };
        let model = self.model(files, &place);
        self.included.push((included, model.clone()));
        model
    }

    /// The project's name: from the command line, the environment, the manifest, or the folder.
    fn project_name(&mut self, files: &[PathBuf], dir: &Path, environment: &Environment) -> String {
        let given = self
            .options
            .project_name
            .clone()
            .filter(|name| !name.is_empty())
            .or_else(|| environment.filled("COMPOSE_PROJECT_NAME").map(ToOwned::to_owned));
        if let Some(name) = given {
            self.check_name(&name, Span::default());
            return name;
        }
        let mut found = None;
        for file in files {
            let Some(documents) = self.documents(file, Span::default()) else { continue };
            for node in documents.iter().filter_map(|document| document.get("name")) {
                let mut node = node.clone();
                let mut values = Values {
                    lookup: (!self.options.no_interpolate).then_some(environment as &dyn Lookup),
                    report: &mut self.report,
                    variables: &mut self.variables,
                    path: String::new(),
                };
                let mut holder = Node::new(Value::Map(Map::from_iter([("name".to_owned(), node)])), Span::default());
                values.document(&mut holder, &MANIFEST);
                node = holder.get("name").cloned().unwrap_or_default();
                if let Some(name) = node.as_str().filter(|name| !name.is_empty()) {
                    found = Some((name.to_owned(), node.span));
                }
            }
        }
        if let Some((name, span)) = found {
            // As in Compose, a name in the manifest is brought into form, where one in the environment is refused.
            let name = normalized(&name);
            if name.is_empty() {
                self.check_name("-", span);
            }
            return name;
        }
        let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = normalized(&folder);
        if name.is_empty() {
            let message = format!("the folder {} gives no project name", dir.display());
            let help = "give one: `name: shop` at the top of the manifest, or `-p shop`";
            self.report.error_help(Code::ProjectName, Span::default(), message, help);
        }
        name
    }

    fn check_name(&mut self, name: &str, span: Span) {
        if name != normalized(name) {
            let message = format!(
                "{name:?} cannot be a project name: it may have lower-case letters, digits, `-` and `_`, \
                 and begins with a letter or a digit"
            );
            self.report.error_help(Code::ProjectName, span, message, format!("use {:?}", normalized(name)));
        }
    }
}

/// The profiles that services have.
fn profiles(manifest: &Map) -> Vec<String> {
    let services = manifest.get("services").and_then(Node::as_map).into_iter().flat_map(|map| map.values());
    let names: BTreeSet<String> = services
        .filter_map(|service| service.get("profiles")?.as_list())
        .flatten()
        .filter_map(|node| node.as_str().map(ToOwned::to_owned))
        .collect();
    names.into_iter().collect()
}

/// A text as a project name: in lower case, without what a name may not have.
pub fn normalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept: String =
        lower.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')).collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}
