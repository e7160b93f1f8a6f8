//! A project in memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;

use crate::engine::BuildSpec;
use crate::event::Message;
use crate::execute::{Cause, Failure, Loaded, Sources};
use crate::model::{
    Aside, ContainerId, Content, CopiedBy, Digest, Effect, Effects, Entry, FileParts, Measured, ObservedImage, Parts,
    Place, Project, RebuildReason, Reload, Reloader, ServiceName, SyncAction, SyncTarget, Watch,
};
use crate::plan::{self, Wanted, WantedImage};

/// What happens once when something is measured.
pub type Hook = Box<dyn FnMut(&FakeSources) + Send>;

/// The files of a fake project, by absolute path: `/src/web/…` is the context of service `web`. Files below `sync/`
/// can be put into the container, those below `aside/` and `mounted/` ask for nothing, all others for a build. Those below `sync/fresh/` ask for nothing where they are
/// neither there nor were at the last measure.
#[derive(Default)]
pub struct FakeSources {
    pub project: Mutex<Option<Project>>,
    pub errors: Mutex<Vec<Message>>,
    /// Why nothing can be measured.
    pub unreadable: Mutex<Option<Message>>,
    pub files: Mutex<HashMap<PathBuf, String>>,
    pub history: Mutex<HashMap<Digest, Parts>>,
    /// Services that are jobs or servers with the context of another one.
    pub contexts: Mutex<HashMap<ServiceName, String>>,
    /// Programs that reload themselves.
    pub reloaders: Mutex<IndexMap<ServiceName, Reloader>>,
    /// What containers hold, where that is not what their labels say.
    pub contents: Mutex<HashMap<ContainerId, Content>>,
    /// Called once, after the next measure was taken.
    pub on_measure: Mutex<Option<Hook>>,
}

impl FakeSources {
    pub fn write(&self, path: &str, content: &str) {
        self.files.lock().unwrap().insert(path.into(), content.into());
    }

    fn context(&self, service: &ServiceName) -> String {
        let contexts = self.contexts.lock().unwrap();
        contexts.get(service).cloned().unwrap_or_else(|| format!("/src/{service}"))
    }

    /// The parts of a service's build, and their digest.
    fn parts(&self, service: &ServiceName, files: &HashMap<PathBuf, String>) -> (Parts, Digest) {
        let context = self.context(service);
        let mut files: Vec<(Arc<str>, Digest)> = files
            .iter()
            .filter(|(path, _)| path.starts_with(&context))
            .map(|(path, content)| (path.to_str().unwrap().into(), Digest::of(content.as_bytes())))
            .collect();
        files.sort();
        let digest = Digest::of_json(&files);
        (Parts::new(Vec::new(), vec![FileParts { context: None, files }]), digest)
    }
}

struct ByFolder {
    context: PathBuf,
    disk: PathBuf,
    known: HashSet<PathBuf>,
    /// Files of `sync/initial`.
    initial: Vec<PathBuf>,
}

impl ByFolder {
    fn target(&self, path: &Path) -> SyncTarget {
        let inside = path.strip_prefix(&self.context).unwrap();
        SyncTarget {
            source: self.disk.join(path.strip_prefix("/").unwrap()),
            path: format!("/app/{}", inside.display()),
            action: SyncAction::Put,
            base: "/".into(),
            by: CopiedBy::Instruction { dockerfile: "Dockerfile".into(), place: Place { line: 3, column: 1 } },
            owner: None,
            mode: None,
            unpacks: false,
        }
    }
}

impl Effects for ByFolder {
    fn effect(&self, path: &Path, _: Option<&Entry>) -> Effect {
        let Ok(inside) = path.strip_prefix(&self.context) else { return Effect::Nothing };
        if inside.starts_with("aside") {
            let ignore_file = self.context.join(".dockerignore");
            return Effect::Aside(Aside::Housekeeping { pattern: "aside".into(), ignore_file });
        }
        if inside.starts_with("mounted") {
            return Effect::Aside(Aside::Mounted { at: format!("/app/{}", inside.display()), said: false });
        }
        if !inside.starts_with("sync") {
            return Effect::Rebuild { why: RebuildReason::LaterRun { place: Place { line: 2, column: 1 } } };
        }
        let source = self.disk.join(path.strip_prefix("/").unwrap());
        #[allow(clippy::disallowed_methods, reason = "a test")]
        if inside.starts_with("sync/fresh") && !self.known.contains(path) && !source.exists() {
            return Effect::Nothing;
        }
        let then = inside.starts_with("sync/exec").then(|| Reload::Exec(vec!["true".into()]));
        Effect::Sync { targets: vec![self.target(path)], then }
    }

    fn wants_folder(&self, _: &Path) -> bool {
        true
    }

    fn at_start(&self) -> (Vec<SyncTarget>, Reload) {
        (self.initial.iter().map(|path| self.target(path)).collect(), Reload::Restart)
    }
}

impl Sources for FakeSources {
    fn load(&self) -> Result<Loaded, Vec<Message>> {
        let errors = self.errors.lock().unwrap().clone();
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Loaded { project: self.project.lock().unwrap().clone().unwrap(), warnings: Vec::new() })
    }

    fn base_images(&self, _: &Project, _: &[ServiceName]) -> Vec<String> {
        Vec::new()
    }

    fn measure(
        &self,
        project: &Project,
        services: &[ServiceName],
        _: &IndexMap<String, ObservedImage>,
    ) -> Result<Wanted, Vec<Failure>> {
        if let Some(message) = self.unreadable.lock().unwrap().clone() {
            return Err(vec![Failure { cause: Cause::Build, message }]);
        }
        // Of one moment: what is wanted and what is watched must not be of two.
        let files = self.files.lock().unwrap().clone();
        let mut wanted = Wanted { reloaders: self.reloaders.lock().unwrap().clone(), ..Wanted::default() };
        for service in services.iter().filter_map(|name| project.services.get(name)) {
            if service.build.is_none() {
                let image = service.image.clone().unwrap();
                wanted.images.insert(service.name.clone(), WantedImage::Named(image));
                if service.develop.is_none() {
                    continue;
                }
            } else {
                let (parts, digest) = self.parts(&service.name, &files);
                self.history.lock().unwrap().insert(digest.clone(), parts.clone());
                let measured = Measured { digest, parts, fallback: None, base_images: Vec::new() };
                wanted.images.insert(service.name.clone(), WantedImage::Built(measured));
            }
            let context = PathBuf::from(self.context(&service.name));
            let mut folders = BTreeSet::from([context.clone()]);
            let fresh = context.join("sync/fresh");
            if files.keys().any(|path| path.starts_with(&fresh)) {
                folders.insert(fresh);
            }
            let initial = files.keys().filter(|path| path.starts_with(context.join("sync/initial"))).cloned().collect();
            let known = files.keys().cloned().collect();
            let effects = Arc::new(ByFolder { context, disk: project.working_dir.clone(), known, initial });
            wanted.watch.insert(service.name.clone(), Watch { effects, folders, acts: true });
        }
        // What is saved from here on is not in this measure.
        let hook = self.on_measure.lock().unwrap().take();
        if let Some(mut hook) = hook {
            hook(self);
        }
        Ok(wanted)
    }

    fn build_spec(&self, project: &Project, service: &ServiceName) -> Result<BuildSpec, Failure> {
        let build = project.services[service].build.clone().unwrap_or_default();
        // The fake engine makes an image's id of the spec: it must say what is read.
        let (_, digest) = self.parts(service, &self.files.lock().unwrap());
        let labels = [(plan::labels::INPUTS.to_owned(), digest.to_string())].into();
        Ok(BuildSpec { build, labels, ..BuildSpec::default() })
    }

    fn content(&self, container: &ContainerId) -> Content {
        self.contents.lock().unwrap().get(container).cloned().unwrap_or(Content::AsMade)
    }

    fn note_content(&self, container: &ContainerId, content: &Content) -> std::io::Result<()> {
        self.contents.lock().unwrap().insert(container.clone(), content.clone());
        Ok(())
    }

    fn history(&self, digests: &[Digest]) -> HashMap<Digest, Parts> {
        let history = self.history.lock().unwrap();
        digests.iter().filter_map(|d| Some((d.clone(), history.get(d)?.clone()))).collect()
    }
}
