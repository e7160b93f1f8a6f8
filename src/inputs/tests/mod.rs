//! What the tests of this layer share, and its tests as a whole, on trees in memory.
#![allow(clippy::pedantic, reason = "tests are plain")]
#![allow(clippy::disallowed_methods, reason = "the number of cases comes from the environment")]

pub mod builder;
pub mod engine;
pub mod random;
pub mod tree;

use std::collections::HashMap;
use std::path::Path;

use super::recipe::ImageUse;
use super::{BaseImage, BuildInputs, BuildRequest, Images, InputsError, base_images, read};
use crate::model::{Build, Effect, FileTree as _, Project, Secret, ServiceName};
use tree::MemTree;

/// A build in `/w` whose base images are known.
pub struct Case {
    pub tree: MemTree,
    pub build: Build,
    pub project: Project,
    pub environment: HashMap<String, String>,
    pub images: Images,
    pub services: HashMap<ServiceName, BaseImage>,
}

impl Case {
    pub fn new(dockerfile: &str, files: &[&str]) -> Self {
        let mut tree = MemTree::of(files);
        tree.add(&format!("Dockerfile={dockerfile}"));
        let mut images = Images::new();
        images.insert("base".to_owned(), BaseImage { id: "sha256:base".to_owned(), ..BaseImage::default() });
        let build = Build { context: Some("/w".to_owned()), ..Build::default() };
        Self {
            tree,
            build,
            project: Project { working_dir: "/w".into(), ..Project::default() },
            environment: HashMap::new(),
            images,
            services: HashMap::new(),
        }
    }

    pub fn ignore(mut self, text: &str) -> Self {
        self.tree.add(&format!(".dockerignore={text}"));
        self
    }

    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.build.args.insert(name.to_owned(), Some(value.to_owned()));
        self
    }

    pub fn target(mut self, target: &str) -> Self {
        self.build.target = Some(target.to_owned());
        self
    }

    pub fn secret(mut self, name: &str, secret: Secret) -> Self {
        self.project.secrets.insert(name.to_owned(), secret);
        self.build.secrets.push(crate::model::FileReference { source: Some(name.to_owned()), ..Default::default() });
        self
    }

    pub fn try_read(&self) -> Result<BuildInputs, InputsError> {
        read(&self.tree, &self.request())
    }

    pub fn request(&self) -> BuildRequest<'_> {
        BuildRequest {
            build: &self.build,
            project: &self.project,
            environment: &self.environment,
            images: &self.images,
            services: &self.services,
            platform: "linux/amd64",
            salt: "salt",
            service_platform: None,
        }
    }

    pub fn images(&self) -> Vec<ImageUse> {
        base_images(&self.tree, &self.request()).unwrap()
    }

    pub fn read(&self) -> BuildInputs {
        self.try_read().unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn digest(&self) -> String {
        self.read().digest.to_string()
    }

    /// The selected paths, folders with a slash, those on the way in brackets.
    pub fn files(&self) -> Vec<String> {
        let context = self.read().context.unwrap();
        let name = |f: &super::ContextFile| match (&f.kind, f.parent_only) {
            (crate::model::EntryKind::Dir, true) => format!("({}/)", f.path),
            (crate::model::EntryKind::Dir, false) => format!("{}/", f.path),
            _ => f.path.to_string(),
        };
        context.files.iter().map(name).collect()
    }

    /// What a change of a path of `/w` asks for, given what is there now.
    pub fn effect(&self, inputs: &BuildInputs, path: &str) -> Effect {
        let path = Path::new("/w").join(path);
        let now = self.tree.entry(&path).ok();
        inputs.map.effect(&path, now.as_ref())
    }
}
