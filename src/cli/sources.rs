//! Wires the rooms that read manifests and Dockerfiles to the session: load and measure.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use serde_json::Value;

use super::exit::Exit;
use crate::engine::{BuildContext, BuildSecret, BuildSpec, ContextFile};
use crate::event::Message;
use crate::execute::{Loaded, Sources};
use crate::host::DiskTree;
use crate::inputs::{self, BaseImage, BuildInputs, BuildRequest, Ignore, Images, InputsError, InputsMap, Rules};
use crate::manifest::{self, Code, LoadOptions, Severity};
use crate::model::{
    Digest, Effect, Effects, FileTree, InjectedFile, Measured, MountType, ObservedImage, Project, Reload, Service,
    ServiceName, SyncAction, SyncTarget, Watch,
};
use crate::plan::{Base, Wanted, WantedImage};

/// Reads the project from the disk.
pub struct DiskSources {
    tree: Arc<DiskTree>,
    options: LoadOptions,
    environment: HashMap<String, String>,
    /// Of the engine, such as `linux/amd64`.
    platform: String,
    scale: Vec<(ServiceName, u32)>,
    build: BuildOptions,
    history: super::history::History,
    /// The last reading of each service's build, for the build that follows.
    read: Mutex<HashMap<ServiceName, Arc<BuildInputs>>>,
}

/// What the command line says about builds.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// `--build-arg`.
    pub args: Vec<(String, Option<String>)>,
    /// `--pull`.
    pub pull: bool,
    /// `--no-cache`.
    pub no_cache: bool,
}

impl DiskSources {
    /// Sources with the shell's environment.
    pub fn new(
        tree: Arc<DiskTree>,
        options: LoadOptions,
        platform: String,
        scale: Vec<(ServiceName, u32)>,
        build: BuildOptions,
        history: super::history::History,
    ) -> Self {
        let environment = options.environment.clone().into_iter().collect();
        Self { tree, options, environment, platform, scale, build, history, read: Mutex::default() }
    }

    /// The project with what the command line says about it.
    pub fn adjusted(&self, mut project: Project) -> Project {
        for (name, number) in &self.scale {
            if let Some(service) = project.services.get_mut(name) {
                service.scale = Some(*number);
            }
        }
        for build in project.services.values_mut().filter_map(|service| service.build.as_mut()) {
            build.args.extend(self.build.args.iter().cloned());
        }
        project
    }

    fn is_built(service: &Service) -> bool {
        service.build.is_some()
    }
}

/// Loads a project and sorts what there is to say about it.
///
/// # Errors
/// All errors of the manifest.
pub fn load(tree: &dyn FileTree, options: &LoadOptions) -> Result<Loaded, Vec<Message>> {
    load_or_exit(tree, options).map_err(|(_, messages)| messages)
}

/// How hob ends on a manifest that is wrong: files that are not there are told apart from what is wrong in them.
pub fn exit_of(diagnostics: &[manifest::Diagnostic]) -> Exit {
    let mut errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    if errors.all(|error| matches!(error.code, Code::NoManifest | Code::Unreadable | Code::Foreign | Code::EnvFile)) {
        Exit::NoManifest
    } else {
        Exit::Manifest
    }
}

/// The same with how hob ends where it is wrong.
pub fn load_or_exit(tree: &dyn FileTree, options: &LoadOptions) -> Result<Loaded, (Exit, Vec<Message>)> {
    let loaded = manifest::load(tree, options);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        loaded.diagnostics.iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    let messages = |list: Vec<&manifest::Diagnostic>| list.into_iter().map(message).collect::<Vec<_>>();
    match loaded.project {
        Some(project) if errors.is_empty() => Ok(Loaded { project, warnings: messages(warnings) }),
        _ => Err((exit_of(&loaded.diagnostics), messages(errors))),
    }
}

/// A diagnostic as an event's message.
pub fn message(diagnostic: &manifest::Diagnostic) -> Message {
    let mut message = Message::new(diagnostic.message.clone()).at(diagnostic.location.as_ref());
    if let (Some(line), Some(location)) = (&diagnostic.source_line, &diagnostic.location) {
        let before: String =
            line.chars().take(location.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        message.detail = vec![line.clone(), format!("{before}{}", "^".repeat(diagnostic.length.max(1)))];
    }
    message.hints.extend(diagnostic.help.clone());
    message
}

impl Sources for DiskSources {
    fn load(&self) -> Result<Loaded, Vec<Message>> {
        let loaded = load(&*self.tree, &self.options)?;
        Ok(Loaded { project: self.adjusted(loaded.project), warnings: loaded.warnings })
    }

    fn base_images(&self, project: &Project, services: &[ServiceName]) -> Vec<String> {
        let (images, others) = (Images::new(), HashMap::new());
        let mut names = Vec::new();
        for service in services.iter().filter_map(|name| project.services.get(name)) {
            let Some(request) = request(project, service, &self.environment, &images, &others, &self.platform) else {
                continue;
            };
            // What is wrong with it is said when it is measured.
            let used = inputs::base_images(&*self.tree, &request).unwrap_or_default();
            names.extend(used.into_iter().filter(|image| image.base).map(|image| image.name));
        }
        names
    }

    fn measure(
        &self,
        project: &Project,
        services: &[ServiceName],
        images: &IndexMap<String, ObservedImage>,
    ) -> Result<Wanted, Vec<Message>> {
        let mut measuring = Measuring {
            sources: self,
            project,
            images,
            wanted: Wanted { salt: self.history.salt(), agent: agent(), ..Wanted::default() },
            open: HashSet::new(),
            errors: Vec::new(),
        };
        for name in services {
            measuring.service(name);
        }
        let Measuring { wanted, errors, .. } = measuring;
        let measured = wanted.images.values().filter_map(|image| match image {
            WantedImage::Built(measured) => Some(measured),
            _ => None,
        });
        self.history.remember(measured);
        if errors.is_empty() { Ok(wanted) } else { Err(errors) }
    }

    fn build_spec(&self, project: &Project, service: &ServiceName) -> Result<BuildSpec, Message> {
        let Some(definition) = project.services.get(service) else {
            return Err(Message::new(format!("service {service} is not in the manifest")));
        };
        let Some(mut build) = definition.build.clone() else {
            return Err(Message::new(format!("service {service} has no `build`")).service(service));
        };
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned();
        for (name, value) in &mut build.args {
            *value = value.clone().or_else(|| self.environment.get(name).cloned());
        }
        build.args.retain(|_, value| value.is_some());
        let mut spec = BuildSpec {
            platform: definition.platform.clone(),
            pull: self.build.pull || build.pull,
            no_cache: self.build.no_cache || build.no_cache,
            secrets: build_secrets(&*self.tree, project, definition, &self.environment)?,
            ..BuildSpec::default()
        };
        if let Some(BuildInputs { context: Some(context), dockerfile, additional, digest, .. }) = read.as_deref() {
            spec.context = BuildContext::Files(files(context));
            match dockerfile {
                Some(source) => {
                    spec.dockerfile = source.relative.clone().unwrap_or_else(|| "Dockerfile".to_owned());
                    spec.dockerfile_text = Some(source.text.clone());
                }
                None => spec.dockerfile = build.dockerfile.clone().unwrap_or_default(),
            }
            for context in additional {
                let Some(name) = &context.name else { continue };
                spec.contexts.insert(name.clone(), BuildContext::Files(files(context)));
            }
            spec.labels.insert(crate::plan::labels::INPUTS.to_owned(), digest.as_str().to_owned());
        } else {
            spec.context = BuildContext::Remote(build.context.clone().unwrap_or_default());
            spec.dockerfile = build.dockerfile.clone().unwrap_or_else(|| "Dockerfile".to_owned());
            spec.dockerfile_text.clone_from(&build.dockerfile_inline);
        }
        for target in build.additional_contexts.values_mut() {
            if let Some(other) = target.strip_prefix("service:").and_then(|other| project.services.get(other)) {
                *target = format!("docker-image://{}", project.image_name(other));
            }
        }
        spec.build = build;
        Ok(spec)
    }

    fn history(&self, digests: &[Digest]) -> HashMap<Digest, Vec<(String, Digest)>> {
        self.history.recall(digests)
    }
}

fn agent() -> Option<String> {
    crate::agent::binary().map(|_| crate::agent::BUILD_ID.to_owned())
}

fn files(context: &inputs::ContextFiles) -> Vec<ContextFile> {
    let file =
        |file: &inputs::ContextFile| ContextFile { source: context.root.join(&file.path), path: file.path.clone() };
    context.files.iter().map(file).collect()
}

fn request<'a>(
    project: &'a Project,
    service: &'a Service,
    environment: &'a HashMap<String, String>,
    images: &'a Images,
    services: &'a HashMap<ServiceName, BaseImage>,
    platform: &'a str,
) -> Option<BuildRequest<'a>> {
    Some(BuildRequest {
        service: &service.name,
        build: service.build.as_ref()?,
        project,
        environment,
        images,
        services,
        platform,
        service_platform: service.platform.as_deref(),
    })
}

fn build_secrets(
    tree: &dyn FileTree,
    project: &Project,
    service: &Service,
    environment: &HashMap<String, String>,
) -> Result<Vec<BuildSecret>, Message> {
    let mut secrets = Vec::new();
    for used in service.build.iter().flat_map(|build| &build.secrets) {
        let Some(key) = &used.source else { continue };
        let content = secret(tree, &project.secrets, key, environment).map_err(|text| {
            Message::new(text).service(&service.name).at(project.locate(&format!("secrets.{key}")).as_ref())
        })?;
        if let Some(content) = content {
            secrets.push(BuildSecret { id: used.target.clone().unwrap_or_else(|| key.clone()), content });
        }
    }
    Ok(secrets)
}

/// The content of a secret or config; `None` where hob does not have it (`external`).
fn secret(
    tree: &dyn FileTree,
    sources: &IndexMap<String, crate::model::Secret>,
    key: &str,
    environment: &HashMap<String, String>,
) -> Result<Option<Vec<u8>>, String> {
    let Some(source) = sources.get(key) else { return Ok(None) };
    if let Some(file) = &source.file {
        return tree.read(Path::new(file)).map(Some).map_err(|error| format!("secret {key}: {file}: {error}"));
    }
    if let Some(name) = &source.environment {
        let value = environment.get(name).ok_or_else(|| format!("secret {key}: the variable {name} is not set"))?;
        return Ok(Some(value.clone().into_bytes()));
    }
    Ok(source.content.clone().map(String::into_bytes))
}

/// One measure of a project's services.
struct Measuring<'a> {
    sources: &'a DiskSources,
    project: &'a Project,
    images: &'a IndexMap<String, ObservedImage>,
    wanted: Wanted,
    /// Being measured: a build that starts from itself, by way of others, is not followed.
    open: HashSet<ServiceName>,
    errors: Vec<Message>,
}

impl Measuring<'_> {
    fn service(&mut self, name: &ServiceName) {
        if self.wanted.images.contains_key(name) || !self.open.insert(name.clone()) {
            return;
        }
        let Some(service) = self.project.services.get(name) else { return };
        self.injected(service);
        match &service.build {
            None => {
                let image = service.image.clone().unwrap_or_default();
                self.wanted.images.insert(name.clone(), WantedImage::Named(image));
                self.rules(service, None);
            }
            Some(build) => match self.read(service) {
                Ok(inputs) if inputs.context.is_none() => {
                    let digest = Digest::of_json(&serde_json::to_value(build).unwrap_or(Value::Null));
                    self.wanted.images.insert(name.clone(), WantedImage::Remote { digest });
                }
                Ok(inputs) => self.built(service, inputs),
                Err(error) => self.error(service, &error),
            },
        }
    }

    /// Reads what the build of a service reads, with all that it starts from.
    fn read(&mut self, service: &Service) -> Result<BuildInputs, InputsError> {
        let mut images = Images::new();
        for (name, image) in self.images {
            images.insert(name.clone(), base(image, None));
        }
        let sources = self.sources;
        let (mut others, environment) = (HashMap::new(), &sources.environment);
        loop {
            let Some(request) = request(self.project, service, environment, &images, &others, &sources.platform) else {
                return Err(InputsError::MissingContext { path: PathBuf::new(), similar: None });
            };
            let inputs = inputs::read(&*sources.tree, &request)?;
            let mut news = false;
            for image in inputs.images.iter().filter(|image| image.base) {
                if let Some(owner) = self.owner(&image.name).filter(|owner| *owner != service.name) {
                    news |= self.base_service(service, &owner, &image.name, &mut images);
                } else if !self.images.contains_key(&image.name) {
                    let base = Base::Image {
                        name: image.name.clone(),
                        platform: image.platform.clone().or_else(|| service.platform.clone()),
                        service: service.name.clone(),
                    };
                    let named = |b: &Base| matches!(b, Base::Image { name, .. } if *name == image.name);
                    if !self.wanted.bases.iter().any(named) {
                        self.wanted.bases.push(base);
                    }
                }
            }
            for other in &inputs.services {
                if !others.contains_key(other) {
                    let name = self.project.services.get(other).map(|s| self.project.image_name(s)).unwrap_or_default();
                    if self.base_service(service, other, &name, &mut images)
                        && let Some(image) = images.get(&name)
                    {
                        others.insert(other.clone(), image.clone());
                        news = true;
                    }
                }
            }
            if !news {
                return Ok(inputs);
            }
        }
    }

    /// The service that an image is built for, where it is one of the project's.
    fn owner(&self, image: &str) -> Option<ServiceName> {
        let plain = image.strip_suffix(":latest").unwrap_or(image);
        let builds = self.project.services.values().filter(|service| DiskSources::is_built(service));
        builds.into_iter().find(|service| self.project.image_name(service) == plain).map(|service| service.name.clone())
    }

    /// Makes another service's image known as a base; `true` where that is news.
    fn base_service(&mut self, service: &Service, owner: &ServiceName, image: &str, images: &mut Images) -> bool {
        self.service(owner);
        let Some(digest) = self.wanted.images.get(owner).and_then(WantedImage::digest).cloned() else { return false };
        let built = self.images.get(image).filter(|observed| {
            observed.labels.get(crate::plan::labels::INPUTS).is_some_and(|label| *label == digest.as_str())
        });
        if let Some(observed) = built {
            let base = base(observed, Some(&digest));
            images.insert(image.to_owned(), base.clone()) != Some(base)
        } else {
            let base = Base::Service { base: owner.clone(), service: service.name.clone() };
            if !self.wanted.bases.contains(&base) {
                self.wanted.bases.push(base);
            }
            images.remove(image);
            false
        }
    }

    fn built(&mut self, service: &Service, inputs: BuildInputs) {
        let name = &service.name;
        let measured = Measured {
            digest: inputs.digest.clone(),
            parts: inputs.parts.iter().map(|part| (part.name.clone(), part.digest.clone())).collect(),
            fallback: inputs.fallback.as_ref().map(ToString::to_string),
            base_images: inputs.images.iter().map(|image| image.name.clone()).collect(),
        };
        self.wanted.images.insert(name.clone(), WantedImage::Built(measured));
        let rules = service.develop.as_ref().is_some_and(|develop| !develop.watch.is_empty());
        if rules {
            self.rules(service, Some(&inputs));
        } else {
            let syncs = inputs.map.instructions().iter().any(|instruction| instruction.rebuild.is_none());
            if syncs && !service.read_only && service.reload != Some(Reload::Rebuild) {
                self.wanted.hot.insert(name.clone());
            }
            let folders = inputs.map.watch_dirs().iter().cloned().collect();
            let effects = FromDockerfile {
                map: inputs.map.clone(),
                tree: Arc::clone(&self.sources.tree),
                dockerfile: inputs.dockerfile.as_ref().and_then(|source| source.relative.clone()),
                mounts: service.volumes.iter().map(|mount| mount.target.trim_end_matches('/').to_owned()).collect(),
                reload: service.reload.clone(),
            };
            self.wanted.watch.insert(name.clone(), Watch { effects: Arc::new(effects), folders });
        }
        let mut read = self.sources.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(name.clone(), Arc::new(inputs));
    }

    /// `develop.watch`, and bind mounts of a service that says what is to follow a change.
    fn rules(&mut self, service: &Service, inputs: Option<&BuildInputs>) {
        let tree = &*self.sources.tree;
        let rules = service.develop.as_ref().map(|develop| develop.watch.as_slice()).unwrap_or_default();
        let ignore = inputs.and_then(|inputs| {
            let root = inputs.context.as_ref()?.root.clone();
            let text = tree.read(inputs.ignore_file.as_deref()?).ok()?;
            Some((root, Ignore::parse(&String::from_utf8_lossy(&text)).ok()?))
        });
        let mut rules = Rules::new(tree, rules, ignore);
        if let Some(reload) = &service.reload {
            for mount in service.volumes.iter().filter(|mount| mount.r#type == MountType::Bind) {
                if let Some(source) = &mount.source {
                    rules.bind(tree, source, reload);
                }
            }
        }
        let folders: BTreeSet<PathBuf> = rules.folders(tree);
        if folders.is_empty() {
            return;
        }
        if rules.syncs() && !service.read_only || rules.restarts() {
            self.wanted.hot.insert(service.name.clone());
        }
        let effects = FromRules { rules, tree: Arc::clone(&self.sources.tree) };
        self.wanted.watch.insert(service.name.clone(), Watch { effects: Arc::new(effects), folders });
    }

    /// Secrets and configs that are not files of the host.
    fn injected(&mut self, service: &Service) {
        let secrets = service.secrets.iter().map(|used| (used, &self.project.secrets, "/run/secrets/", "secrets"));
        let configs = service.configs.iter().map(|used| (used, &self.project.configs, "/", "configs"));
        let mut files = Vec::new();
        let mut errors = Vec::new();
        for (used, sources, folder, kind) in secrets.chain(configs) {
            let Some(key) = &used.source else { continue };
            let Some(source) = sources.get(key) else { continue };
            let place = || self.project.locate(&format!("{kind}.{key}"));
            if source.external {
                let text = format!("{kind}.{key} is `external`, which only a swarm has");
                let hint = "give it a `file`, an `environment` variable or its `content`";
                errors.push(Message::new(text).service(&service.name).at(place().as_ref()).hint(hint));
                continue;
            }
            if let Some(file) = &source.file {
                if self.sources.tree.entry(Path::new(file)).is_err() {
                    let text = format!("{file}, the file of {kind}.{key}, does not exist");
                    errors.push(
                        Message::new(text)
                            .service(&service.name)
                            .at(place().as_ref())
                            .hint("make it, or mend the path"),
                    );
                }
                continue;
            }
            match secret(&*self.sources.tree, sources, key, &self.sources.environment) {
                Ok(Some(content)) => {
                    let target = used.target.clone().unwrap_or_else(|| key.clone());
                    let path = if target.starts_with('/') { target } else { format!("{folder}{target}") };
                    let number = |text: &Option<String>| text.as_deref().and_then(|t| t.parse().ok()).unwrap_or(0);
                    let mode = used
                        .mode
                        .as_deref()
                        .and_then(|text| u32::from_str_radix(text.trim_start_matches("0o"), 8).ok());
                    let (uid, gid) = (number(&used.uid), number(&used.gid));
                    files.push(InjectedFile { path, content, mode: mode.unwrap_or(0o444), uid, gid });
                }
                Ok(None) => {}
                Err(text) => {
                    let hint = "set it in the shell or in `.env`";
                    errors.push(Message::new(text).service(&service.name).at(place().as_ref()).hint(hint));
                }
            }
        }
        self.errors.append(&mut errors);
        if !files.is_empty() {
            self.wanted.files.insert(service.name.clone(), files);
        }
    }

    fn error(&mut self, service: &Service, error: &InputsError) {
        let path = match error {
            InputsError::MissingContext { .. } | InputsError::ContextIsNoFolder { .. } => "build.context",
            InputsError::MissingDockerfile { .. } => "build.dockerfile",
            InputsError::UnknownTarget { .. } => "build.target",
            InputsError::UnknownSecret { .. } => "build.secrets",
            _ => "build",
        };
        let place = self.project.locate(&format!("services.{}.{path}", service.name));
        let mut message = Message::new(error.to_string()).service(&service.name).at(place.as_ref());
        message.hints.extend(error.hint());
        self.errors.push(message);
    }
}

fn base(image: &ObservedImage, digest: Option<&Digest>) -> BaseImage {
    BaseImage {
        id: digest.map_or_else(|| image.id.to_string(), ToString::to_string),
        working_dir: Some(image.working_dir.clone()).filter(|dir| !dir.is_empty()),
        env: image.env.clone(),
        onbuild: image.on_build.clone(),
    }
}

/// What a change asks for, by the Dockerfile.
struct FromDockerfile {
    map: InputsMap,
    tree: Arc<DiskTree>,
    dockerfile: Option<String>,
    /// Paths of the container that something is mounted over: what the image has there is not seen, and writing
    /// there would write into a volume or into the user's own files.
    mounts: Vec<String>,
    reload: Option<Reload>,
}

impl FromDockerfile {
    fn is_mounted(&self, path: &str) -> bool {
        self.mounts
            .iter()
            .any(|mount| path.strip_prefix(mount.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

impl Effects for FromDockerfile {
    fn effect(&self, path: &Path) -> Effect {
        let now = self.tree.entry(path).ok();
        let file = self.dockerfile.as_deref().unwrap_or("Dockerfile");
        match self.map.effect(path, now.as_ref()) {
            inputs::Effect::Nothing { .. } => Effect::Nothing,
            inputs::Effect::Rebuild { why } => Effect::Rebuild { why: why.to_string() },
            inputs::Effect::HotSync { targets } if targets.iter().all(|target| self.is_mounted(&target.path)) => {
                self.reload.clone().map_or(Effect::Nothing, Effect::Reload)
            }
            inputs::Effect::HotSync { targets } => {
                let targets = targets.into_iter().filter(|target| !self.is_mounted(&target.path)).collect::<Vec<_>>();
                let targets = targets.into_iter().map(|target| SyncTarget {
                    source: target.source,
                    path: target.path,
                    action: match target.action {
                        inputs::SyncAction::Put => SyncAction::Put,
                        inputs::SyncAction::MakeFolder => SyncAction::MakeFolder,
                        inputs::SyncAction::Remove => SyncAction::Remove,
                        inputs::SyncAction::RemoveFolder => SyncAction::RemoveFolder,
                    },
                    owner: target.chown,
                    mode: target.chmod,
                    unpacks: target.unpacks,
                    instruction: format!("{file}:{} copies it and nothing after that reads it", target.place.line),
                });
                Effect::Sync { targets: targets.collect(), then: None }
            }
        }
    }

    fn wants_folder(&self, path: &Path) -> bool {
        !matches!(self.effect(path), Effect::Nothing) || self.map.watch_dirs().iter().any(|dir| dir == path)
    }
}

/// What a change asks for, by the rules of the manifest.
struct FromRules {
    rules: Rules,
    tree: Arc<DiskTree>,
}

impl Effects for FromRules {
    fn effect(&self, path: &Path) -> Effect {
        self.rules.effect(path, self.tree.entry(path).ok().as_ref())
    }

    fn wants_folder(&self, path: &Path) -> bool {
        self.rules.wants_folder(path)
    }
}
