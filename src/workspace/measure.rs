//! What the builds of services read, and the images and files that their containers should have.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::effects::{From, OfService};
use super::reader::Reader;
use super::secrets::injected;
use crate::event::{Cause, Failure, Message};
use crate::inputs::{self, BaseImage, BuildInputs, Housekeeping, Ignore, Images, InputsError, Mounts, Rules};
use crate::model::{
    Digest, FileTree, Measured, ObservedImage, Part, Project, Reload, Service, ServiceName, Watch, without_latest,
};
use crate::plan::{Base, Wanted, WantedImage, by_digest};

/// Measures services, with all that their builds start from.
///
/// # Errors
/// What cannot be read.
pub(super) fn measure(
    reader: &Reader,
    project: &Project,
    services: &[ServiceName],
    images: &IndexMap<String, ObservedImage>,
) -> Result<Wanted, Vec<Failure>> {
    let mut measuring = Measuring {
        reader,
        project,
        images,
        wanted: Wanted { salt: reader.salt().to_owned(), agent: reader.agent.clone(), ..Wanted::default() },
        open: HashSet::new(),
        errors: Vec::new(),
    };
    for name in services {
        measuring.service(name);
    }
    let Measuring { wanted, errors, .. } = measuring;
    let read: Vec<Arc<BuildInputs>> = wanted.images.keys().filter_map(|name| reader.reading(name)).collect();
    reader.history.remember(read.iter().map(|inputs| &**inputs));
    if errors.is_empty() { Ok(wanted) } else { Err(errors) }
}

/// One measure of a project's services.
struct Measuring<'a> {
    reader: &'a Reader,
    project: &'a Project,
    images: &'a IndexMap<String, ObservedImage>,
    wanted: Wanted,
    /// Being measured: a build that starts from itself, by way of others, is not followed.
    open: HashSet<ServiceName>,
    errors: Vec<Failure>,
}

impl Measuring<'_> {
    fn service(&mut self, name: &ServiceName) {
        if self.wanted.images.contains_key(name) || !self.open.insert(name.clone()) {
            return;
        }
        let Some(service) = self.project.services.get(name) else { return };
        let (files, mut errors) = injected(&*self.reader.tree, self.project, service);
        self.errors.append(&mut errors);
        if !files.is_empty() {
            self.wanted.files.insert(name.clone(), files);
        }
        let is_there = |image: &String| self.reader.build.only_missing && self.images.contains_key(image);
        let named = self.project.image_name(service);
        match &service.build {
            Some(_) if service.pull_policy.as_deref() != Some("build") && is_there(&named) => {
                self.wanted.images.insert(name.clone(), WantedImage::Named(named));
            }
            None => {
                let image = service.image.clone().unwrap_or_default();
                self.wanted.images.insert(name.clone(), WantedImage::Named(image.clone()));
                let image = self.images.get(&image);
                self.reloader(service, image, None);
                self.watch(service, None);
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
        let reader = self.reader;
        let mut others = HashMap::new();
        let given = reader.given(self.images.get(&self.project.image_name(service)));
        let mut service = service.clone();
        if let Some(build) = service.build.as_mut() {
            build.args.extend(given.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
        }
        let service = &service;
        loop {
            let Some(request) = reader.request(self.project, service, &images, &others) else {
                return Err(InputsError::MissingContext { path: PathBuf::new(), similar: None });
            };
            let inputs = inputs::read(&*reader.tree, &request)?;
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
                // Only what the build declares can make a difference.
                let is_read = |name: &str| {
                    let is_it = |part: &Part| matches!(part, Part::Argument { name: read } if read == name);
                    inputs.parts.others().iter().any(|(part, _)| is_it(part))
                };
                let given: IndexMap<_, _> = given.into_iter().filter(|(name, _)| is_read(name)).collect();
                if !given.is_empty() && reader.build.args.is_empty() {
                    self.wanted.given.insert(service.name.clone(), given.clone());
                }
                reader.keep_given(&service.name, given);
                return Ok(inputs);
            }
        }
    }

    /// The service that an image is built for, where it is one of the project's.
    fn owner(&self, image: &str) -> Option<ServiceName> {
        let plain = without_latest(image);
        let builds = self.project.services.values().filter(|service| service.build.is_some());
        builds.into_iter().find(|service| self.project.image_name(service) == plain).map(|service| service.name.clone())
    }

    /// Makes another service's image known as a base; `true` where that is news.
    fn base_service(&mut self, service: &Service, owner: &ServiceName, image: &str, images: &mut Images) -> bool {
        self.service(owner);
        let Some(digest) = self.wanted.images.get(owner).and_then(WantedImage::digest).cloned() else { return false };
        // What an image says of itself was not confirmed; its name by the digest was.
        let built = self.images.get(image).filter(|observed| observed.tags.contains(&by_digest(&digest)));
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
            parts: inputs.parts.clone(),
            fallback: inputs.fallback.as_ref().map(ToString::to_string),
            base_images: inputs.images.iter().map(|image| image.name.clone()).collect(),
        };
        self.wanted.images.insert(name.clone(), WantedImage::Built(measured));
        let image = self.images.get(&self.project.image_name(service));
        self.reloader(service, image, inputs.context.as_ref().map(|context| context.root.as_path()));
        self.watch(service, Some(&inputs));
        self.reader.keep_reading(name, inputs);
    }

    /// The program of a service, where that reloads itself.
    fn reloader(&mut self, service: &Service, image: Option<&ObservedImage>, context: Option<&Path>) {
        if let Some(reloader) = inputs::reloader(&*self.reader.tree, service, image, context) {
            self.wanted.reloaders.insert(service.name.clone(), reloader);
        }
    }

    /// What is watched for a service: by rules of `develop.watch` where it has some, else by its Dockerfile; and by its
    /// bind mounts.
    fn watch(&mut self, service: &Service, inputs: Option<&BuildInputs>) {
        if self.reader.rules_only && !service.has_watch_rules() {
            return;
        }
        let tree = &*self.reader.tree;
        let root = inputs.and_then(|inputs| inputs.context.as_ref()).map(|context| context.root.clone());
        let mounts = Mounts::of(service);
        let asked = service.has_watch_rules() || mounts.sources().next().is_some();
        let ignore = inputs.filter(|_| asked).and_then(|inputs| {
            let text = tree.read(inputs.ignore_file.as_deref()?).ok()?;
            Some((root.clone()?, Ignore::parse(&String::from_utf8_lossy(&text)).ok()?))
        });
        let reloads = service.reload.as_ref().is_some_and(|then| *then != Reload::None && *then != Reload::Rebuild);
        let mut hot = reloads && mounts.sources().next().is_some();
        let from = if service.has_watch_rules() {
            // What the container sees already is not followed; the session says so.
            let rules = service.develop.iter().flat_map(|develop| &develop.watch).filter(|rule| !service.sees(rule));
            let rules = Rules::new(tree, &rules.cloned().collect::<Vec<_>>(), ignore.clone());
            hot |= rules.syncs() && !service.read_only || rules.restarts();
            From::Rules(rules)
        } else if let Some(inputs) = inputs {
            let syncs = inputs.map.instructions().iter().any(|instruction| instruction.rebuild.is_none());
            hot |= syncs && !service.read_only && service.reload != Some(Reload::Rebuild);
            From::Dockerfile(Arc::clone(&inputs.map))
        } else {
            From::Nobody
        };
        let dockerfiles = self.project.services.values().filter_map(|service| service.build.as_ref()).map(|build| {
            let file = build.dockerfile.as_deref().unwrap_or("Dockerfile");
            self.project.working_dir.join(build.context.as_deref().unwrap_or_default()).join(file)
        });
        let files = self.project.files.iter().cloned().chain(dockerfiles);
        let ignore_file = inputs.and_then(|inputs| inputs.ignore_file.clone());
        let ignore_file = ignore_file
            .or_else(|| Some(root.as_ref()?.join(".dockerignore")))
            .unwrap_or_else(|| ".dockerignore".into());
        let roots = root.into_iter().chain([self.project.working_dir.clone()]);
        let effects = OfService {
            from,
            tree: Arc::clone(&self.reader.tree),
            housekeeping: Housekeeping::new(roots, files),
            mounts,
            ignore,
            ignore_file,
            output: self.reader.output.clone(),
            reload: service.reload.clone(),
        };
        let folders = effects.folders(&self.project.working_dir);
        let acts =
            inputs.is_some() || service.has_watch_rules() || service.reload.is_some() && !effects.mounts.is_empty();
        if hot {
            self.wanted.hot.insert(service.name.clone());
        }
        // A service that sees what others read is told apart from them, even where nothing is watched for itself.
        if inputs.is_some() || !folders.is_empty() || effects.mounts.sources().next().is_some() {
            self.wanted.watch.insert(service.name.clone(), Watch { effects: Arc::new(effects), folders, acts });
        }
    }

    fn error(&mut self, service: &Service, error: &InputsError) {
        let path = match error {
            InputsError::MissingContext { .. } | InputsError::ContextIsNoFolder { .. } => "build.context",
            InputsError::MissingDockerfile { .. } => "build.dockerfile",
            InputsError::UnknownTarget { .. } => "build.target",
            InputsError::UnknownSecret { .. } | InputsError::SecretFile { .. } => "build.secrets",
            _ => "build",
        };
        let of_manifest = || self.project.locate(&format!("services.{}.{path}", service.name));
        let mut message = match error.place() {
            Some((place, text)) => Message::new(text).at(Some(&place)),
            None => Message::new(error.to_string()).at(of_manifest().as_ref()),
        };
        message.service = Some(service.name.clone());
        message.hints.extend(error.hint());
        self.errors.push(Failure { cause: cause(error), message });
    }
}

/// What is to be mended: the manifest, what it names, or what is to be built.
fn cause(error: &InputsError) -> Cause {
    match error {
        InputsError::MissingContext { .. } | InputsError::MissingDockerfile { .. } | InputsError::SecretFile { .. } => {
            Cause::Missing
        }
        InputsError::ContextIsNoFolder { .. } | InputsError::UnknownSecret { .. } => Cause::Manifest,
        InputsError::Dockerfile { .. }
        | InputsError::Ignore { .. }
        | InputsError::MissingSource(_)
        | InputsError::UnknownTarget { .. }
        | InputsError::Read { .. }
        | InputsError::NotUtf8 { .. } => Cause::Build,
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
