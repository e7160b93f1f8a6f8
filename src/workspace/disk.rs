//! A project on the disk: loaded, measured, and what its builds are for the engine.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::load::load;
use super::measure::measure;
use super::reader::Reader;
use super::spec::spec;
use super::{BuildOptions, History, Loaded, Sources, mend};
use crate::engine::BuildSpec;
use crate::event::{Failure, Message};
use crate::host::{Contents, DiskTree};
use crate::inputs::{self, Images};
use crate::manifest::LoadOptions;
use crate::model::{
    ContainerId, Content, Delta, Digest, Location, Look, ObservedImage, Parts, Project, ServiceName, Watch,
};
use crate::plan::Wanted;

/// Loads a project from the disk and measures it.
pub struct Workspace {
    options: LoadOptions,
    scale: Vec<(ServiceName, u32)>,
    contents: Contents,
    reader: Reader,
}

impl Workspace {
    /// A project as it is loaded with these options, for an engine of a platform such as `linux/amd64`. It keeps
    /// nothing, and its containers get no agent.
    pub fn new(tree: Arc<DiskTree>, options: LoadOptions, platform: String) -> Self {
        let reader = Reader::new(tree, options.environment.clone(), platform);
        Self { options, scale: Vec::new(), contents: Contents::default(), reader }
    }

    /// The same with other numbers of containers than the manifest's.
    #[must_use]
    pub fn scaled(self, scale: Vec<(ServiceName, u32)>) -> Self {
        Self { scale, ..self }
    }

    /// The same with what is asked of its builds.
    #[must_use]
    pub fn building(mut self, build: BuildOptions) -> Self {
        self.reader.build = build;
        self
    }

    /// The same, which watches nothing but what rules of the manifest (`develop.watch`) ask for.
    #[must_use]
    pub fn watching_by_rules_only(mut self) -> Self {
        self.reader.rules_only = true;
        self
    }

    /// The same with what earlier measures left, and what containers hold.
    #[must_use]
    pub fn remembering(mut self, history: History, contents: Contents) -> Self {
        self.reader.history = history;
        Self { contents, ..self }
    }

    /// The same with an agent, by its build id, in containers that take saves.
    #[must_use]
    pub fn with_agent(mut self, build_id: &str) -> Self {
        self.reader.agent = Some(build_id.to_owned());
        self
    }

    /// The project with what the command line says about it.
    pub fn adjusted(&self, mut project: Project) -> Project {
        for (name, number) in &self.scale {
            if let Some(service) = project.services.get_mut(name) {
                service.scale = Some(*number);
            }
        }
        project.share_builds();
        if let Some(platform) =
            project.environment.get("DOCKER_DEFAULT_PLATFORM").filter(|platform| !platform.is_empty())
        {
            for service in project.services.values_mut().filter(|service| service.platform.is_none()) {
                service.platform = Some(platform.clone());
            }
        }
        for build in project.services.values_mut().filter_map(|service| service.build.as_mut()) {
            build.args.extend(self.reader.build.args.iter().cloned());
        }
        project
    }
}

impl Sources for Workspace {
    fn place(&self, service: &ServiceName, step: &str) -> Option<Location> {
        let inputs = self.reader.reading(service)?;
        let dockerfile = inputs.dockerfile.as_ref()?;
        let place = inputs::place_of(&dockerfile.text, step)?;
        Some(Location { file: dockerfile.path.clone()?, line: place.line, column: place.column })
    }

    fn load(&self) -> Result<Loaded, Vec<Message>> {
        let loaded = load(&*self.reader.tree, &self.options).map_err(|unusable| unusable.errors)?;
        Ok(Loaded { project: self.adjusted(loaded.project), warnings: loaded.warnings })
    }

    fn base_images(&self, project: &Project, services: &[ServiceName]) -> Vec<String> {
        let (images, others) = (Images::new(), HashMap::new());
        let mut names = Vec::new();
        for service in services.iter().filter_map(|name| project.services.get(name)) {
            let Some(request) = self.reader.request(project, service, &images, &others) else {
                continue;
            };
            // What is wrong with it is said when it is measured.
            let used = inputs::base_images(&*self.reader.tree, &request).unwrap_or_default();
            names.extend(used.into_iter().filter(|image| image.base).map(|image| image.name));
        }
        names
    }

    fn takes_images(&self) -> bool {
        self.reader.build.only_missing
    }

    fn measure(
        &self,
        project: &Project,
        services: &[ServiceName],
        images: &IndexMap<String, ObservedImage>,
    ) -> Result<Wanted, Vec<Failure>> {
        measure(&self.reader, project, services, images)
    }

    fn watch_for_mend(&self, project: &Project, service: &ServiceName) -> Option<Watch> {
        mend::watch(&self.reader.tree, project, project.services.get(service)?, &self.reader.output)
    }

    fn build_spec(&self, project: &Project, service: &ServiceName) -> Result<BuildSpec, Failure> {
        spec(&self.reader, project, service)
    }

    fn delta(&self, project: &Project, service: &ServiceName, now: &Digest, before: &Digest) -> Result<Delta, String> {
        let build = project.services.get(service).and_then(|service| service.build.as_ref());
        let build = build.ok_or("it has no `build`")?;
        // What a build does besides making an image, and images that are more than one.
        let on = |text: &Option<String>| text.as_deref().is_some_and(|text| !matches!(text, "" | "false"));
        if !build.cache_to.is_empty() || build.platforms.len() > 1 || on(&build.provenance) || on(&build.sbom) {
            return Err("its build gives more than an image".to_owned());
        }
        let read = self.reader.reading(service).filter(|read| read.digest == *now).ok_or("it was measured again")?;
        let before = self.reader.history.record(before).ok_or("what the earlier build read is not known any more")?;
        read.delta(&before).map_err(|why| why.to_string())
    }

    fn take_copy(&self, context: &str) -> String {
        self.reader.history.take_copy(context)
    }

    fn keep_copy(&self, context: &str, name: &str) {
        self.reader.history.keep_copy(context, name);
    }

    fn looks(&self, image: &str) -> HashMap<String, Option<Look>> {
        self.reader.history.looks(image)
    }

    fn keep_looks(&self, image: &str, looks: &HashMap<String, Option<Look>>) {
        self.reader.history.keep_looks(image, looks);
    }

    fn content(&self, container: &ContainerId) -> Content {
        self.contents.of(container)
    }

    fn note_content(&self, container: &ContainerId, content: &Content) -> std::io::Result<()> {
        self.contents.note(container, content)
    }

    fn history(&self, digests: &[Digest]) -> HashMap<Digest, Parts> {
        self.reader.history.recall(digests)
    }
}
