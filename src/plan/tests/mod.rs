//! Golden plans: the plan as text is the specification. And the law of the planner: a plan that was carried out
//! leaves nothing to do.

mod images;
mod networks;
mod recreate;
mod stops;
mod up;
mod waits;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use insta::assert_snapshot;
use serde_json::json;

use super::{
    DownOptions, Images, Input, Op, Plan, Recreate, UpOptions, Wanted, WantedImage, down, resources, restart, start,
    stop, up,
};
use crate::model::*;

/// An engine's state that plans can be applied to.
#[derive(Default)]
struct World {
    project: Project,
    wanted: Wanted,
    observed: Observed,
    history: HashMap<Digest, Parts>,
    synced: HashMap<ContainerId, Digest>,
    ids: usize,
}

fn measured(files: &[(&str, &str)], bases: &[&str]) -> Measured {
    let read = files.iter().map(|(path, content)| (Arc::from(*path), Digest::of(content.as_bytes())));
    Measured {
        digest: Digest::of_json(&files),
        parts: Parts::new(Vec::new(), vec![FileParts { context: None, files: read.collect() }]),
        fallback: None,
        base_images: bases.iter().map(|b| (*b).to_owned()).collect(),
    }
}

impl World {
    /// A project from its canonical form.
    fn new(manifest: serde_json::Value) -> Self {
        let mut project: Project = serde_json::from_value(manifest).unwrap();
        if project.name.is_empty() {
            project.name = "shop".into();
        }
        for (name, service) in &mut project.services {
            service.name = name.clone();
        }
        let mut world = Self { project, ..Self::default() };
        for (name, service) in &world.project.services {
            if let Some(image) = &service.image {
                world.wanted.images.insert(name.clone(), WantedImage::Named(image.clone()));
                world
                    .observed
                    .images
                    .insert(image.clone(), ObservedImage { id: ImageId::new(image), ..Default::default() });
            }
        }
        world
    }

    /// Says what files the build of a service reads, in order.
    fn reads(&mut self, service: &str, files: &[(&str, &str)], bases: &[&str]) {
        let inputs = measured(files, bases);
        self.history.insert(inputs.digest.clone(), inputs.parts.clone());
        self.wanted.images.insert(service.into(), WantedImage::Built(inputs));
    }

    fn service(&mut self, name: &str) -> &mut Service {
        self.project.services.get_mut(name).unwrap()
    }

    fn input(&self) -> Input<'_> {
        Input {
            project: &self.project,
            wanted: &self.wanted,
            observed: &self.observed,
            history: &self.history,
            synced: &self.synced,
        }
    }

    fn plan(&self, options: &UpOptions) -> Plan {
        up(self.input(), options).unwrap()
    }

    fn up(&self) -> Plan {
        self.plan(&UpOptions::default())
    }

    fn container(&mut self, name: &str) -> &mut ObservedContainer {
        self.observed.containers.iter_mut().find(|c| c.name == name).unwrap()
    }

    /// Carries a plan out, as an engine would.
    fn apply(&mut self, plan: &Plan) {
        for step in &plan.steps {
            match &step.op {
                Op::CreateNetwork(spec) => {
                    self.ids += 1;
                    let network = ObservedNetwork {
                        id: NetworkId::new(format!("net{}", self.ids)),
                        name: spec.name.clone(),
                        labels: spec.labels.clone(),
                    };
                    self.observed.networks.insert(spec.name.clone(), network);
                }
                Op::RemoveNetwork { id, .. } => {
                    let attached =
                        |c: &&ObservedContainer| c.state.is_running() && c.networks.values().any(|n| n == id);
                    assert_eq!(self.observed.containers.iter().find(attached), None, "the network is in use");
                    self.observed.networks.retain(|_, network| network.id != *id);
                    self.observed.duplicates.retain(|network| network.id != *id);
                }
                Op::CreateVolume(spec) => {
                    let volume =
                        ObservedVolume { name: spec.name.clone(), labels: spec.labels.clone(), ..Default::default() };
                    self.observed.volumes.insert(spec.name.clone(), volume);
                }
                Op::RemoveVolume { name } => drop(self.observed.volumes.shift_remove(name)),
                Op::Pull { image, .. } => {
                    let id = ImageId::new(image);
                    self.observed.images.insert(image.clone(), ObservedImage { id, ..Default::default() });
                }
                Op::Build { image, names, .. } => {
                    for name in std::iter::once(image).chain(names) {
                        let id = ImageId::new(image);
                        self.observed.images.insert(name.clone(), ObservedImage { id, ..Default::default() });
                    }
                }
                Op::Tag { image, name } => {
                    let image = self.observed.images[image].clone();
                    self.observed.images.insert(name.clone(), image);
                }
                Op::RemoveImage { image } => drop(self.observed.images.shift_remove(image)),
                Op::Create(create) => {
                    self.ids += 1;
                    let spec = &create.spec;
                    assert!(
                        !self.observed.containers.iter().any(|c| c.name == spec.name),
                        "name in use: {}",
                        spec.name
                    );
                    let networks = spec.networks.keys().map(|n| (n.clone(), self.observed.networks[n].id.clone()));
                    let container = ObservedContainer {
                        id: ContainerId::new(format!("{:012}", self.ids)),
                        name: spec.name.clone(),
                        service: spec.service.name.clone(),
                        number: spec.labels["com.docker.compose.container-number"].parse().unwrap(),
                        image: self.observed.images[&spec.image].id.clone(),
                        labels: spec.labels.clone(),
                        networks: networks.collect(),
                        ..Default::default()
                    };
                    self.observed.containers.push(container);
                }
                Op::Rename { container, name } => self.container(container).name.clone_from(name),
                Op::BeforeStart { .. } => {}
                Op::Start { container } | Op::Restart { container, .. } => {
                    self.container(container).state = ContainerState::Running;
                }
                Op::Stop { container, .. } | Op::Kill { container, .. } => {
                    self.container(container).state = ContainerState::Exited(137);
                }
                Op::Pause { container } => self.container(container).state = ContainerState::Paused,
                Op::Unpause { container } => self.container(container).state = ContainerState::Running,
                Op::Remove { container, .. } => self.observed.containers.retain(|c| c.name != *container),
                Op::Wait { containers, until, .. } => {
                    for name in containers {
                        let container = self.container(name);
                        match until {
                            super::Until::Completed => container.state = ContainerState::Exited(0),
                            super::Until::Healthy => container.health = Some(Health::Healthy),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    /// Plans, carries out, and holds the law: nothing is left to do.
    fn settle(&mut self) -> Plan {
        let plan = self.up();
        self.apply(&plan);
        let again = self.up();
        assert!(again.is_empty(), "a plan that was carried out leaves nothing to do, but:\n{again}");
        plan
    }
}

/// db (healthy) ← migrate (completed) ← api ← web, with a network and a volume.
fn shop() -> World {
    let mut world = World::new(json!({
        "name": "shop",
        "networks": {"default": {"name": "shop_default", "ipam": {}}},
        "volumes": {"data": {"name": "shop_data"}},
        "services": {
            "db": {
                "image": "postgres:16", "networks": {"default": null},
                "healthcheck": {"test": ["CMD", "pg_isready"]},
                "volumes": [{"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"}]
            },
            "migrate": {
                "build": {"context": "/src/api"}, "command": ["migrate"], "networks": {"default": null},
                "depends_on": {"db": {"condition": "service_healthy", "required": true}}
            },
            "api": {
                "build": {"context": "/src/api"}, "networks": {"default": null},
                "depends_on": {"migrate": {"condition": "service_completed_successfully", "required": true}}
            },
            "web": {
                "build": {"context": "/src/web"}, "networks": {"default": null},
                "depends_on": {"api": {"condition": "service_started", "required": true}}
            }
        }
    }));
    world.reads("migrate", &[("app.py", "1")], &["debian:bookworm-slim"]);
    world.reads("api", &[("app.py", "1")], &["debian:bookworm-slim"]);
    world.reads("web", &[("index.html", "1")], &["debian:bookworm-slim"]);
    world
}
