//! Golden plans: the plan as text is the specification. And the law of the planner: a plan that was carried out
//! leaves nothing to do.

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

#[test]
fn the_first_up_makes_everything_in_order() {
    let mut world = shop();
    world.observed.images.clear();
    assert_snapshot!(world.settle(), @r#"
     1. pull postgres:16, because it does not exist
     2. build migrate, api, because it was not built yet
     3. build web, because it was not built yet
     4. create network shop_default, because it does not exist
     5. create volume shop_data, because it does not exist
     6. create container shop-db-1, because it has no container [after 1, 4, 5]
     7. start container shop-db-1, because it has no container [after 6]
     8. create container shop-migrate-1, because it has no container [after 2, 4]
     9. wait until shop-db-1 is healthy, because migrate waits for it [after 6, 7]
    10. start container shop-migrate-1, because it has no container [after 8, 9]
    11. create container shop-api-1, because it has no container [after 2, 4]
    12. wait until shop-migrate-1 has completed, because api waits for it [after 8, 10]
    13. start container shop-api-1, because it has no container [after 11, 12]
    14. create container shop-web-1, because it has no container [after 3, 4]
    15. start container shop-web-1, because it has no container [after 13, 14]
    "#);
}

#[test]
fn a_second_up_does_nothing() {
    let mut world = shop();
    world.settle();
    assert_snapshot!(world.up(), @"unchanged: db, migrate, api, web");
}

/// What `run` needs of `up`: the images, networks and volumes of the service, and no container.
#[test]
fn what_is_missing_for_a_container_is_made_without_it() {
    let mut world = shop();
    world.observed.images.clear();
    let of = |service: &str| UpOptions { services: vec![service.into()], no_deps: true, ..UpOptions::default() };
    assert_snapshot!(resources(world.input(), &of("db")).unwrap(), @r#"
     1. pull postgres:16, because it does not exist
     2. create network shop_default, because it does not exist
     3. create volume shop_data, because it does not exist
    "#);
    let plan = resources(world.input(), &of("api")).unwrap();
    assert_snapshot!(plan, @r#"
     1. build api, because it was not built yet
     2. create network shop_default, because it does not exist
    "#);
    world.apply(&plan);
    assert!(resources(world.input(), &of("api")).unwrap().is_empty());
    world.settle();
    // Whoever runs on it keeps a network of other settings.
    world.project.networks["default"].internal = true;
    assert!(!world.up().is_empty());
    assert!(resources(world.input(), &of("api")).unwrap().is_empty());
    world.project.services["api"].networks.insert("gone".into(), None);
    world.project.networks.insert("gone".into(), Network { external: true, ..Network::default() });
    assert!(resources(world.input(), &of("api")).unwrap_err()[0].text.contains("external"));
}

#[test]
fn one_changed_key_recreates_one_service() {
    let mut world = shop();
    world.settle();
    world.service("api").environment.insert("LOG_LEVEL".into(), Some("debug".into()));
    assert_snapshot!(world.settle(), @r#"
     1. create container 000000000004_shop-api-1, because environment changed
     2. stop container shop-api-1, because a new container takes its place [after 1]
     3. remove container shop-api-1, because a new container takes its place [after 2]
     4. rename container 000000000004_shop-api-1 to shop-api-1, because it takes the place of the old one [after 3]
     5. start container shop-api-1, because it takes the place of the old one [after 4]
    unchanged: db, migrate, web
    "#);
}

#[test]
fn a_changed_file_rebuilds_only_who_reads_it() {
    let mut world = shop();
    world.settle();
    world.reads("web", &[("index.html", "2")], &["debian:bookworm-slim"]);
    assert_snapshot!(world.settle(), @r#"
     1. build web, because index.html changed
     2. create container 000000000005_shop-web-1, because index.html changed [after 1]
     3. stop container shop-web-1, because a new container takes its place [after 2]
     4. remove container shop-web-1, because a new container takes its place [after 3]
     5. rename container 000000000005_shop-web-1 to shop-web-1, because it takes the place of the old one [after 4]
     6. start container shop-web-1, because it takes the place of the old one [after 5]
    unchanged: db, migrate, api
    "#);
}

#[test]
fn back_on_a_branch_that_was_built_nothing_is_built() {
    let mut world = shop();
    world.settle();
    world.reads("web", &[("index.html", "2")], &[]);
    world.settle();
    world.reads("web", &[("index.html", "1")], &["debian:bookworm-slim"]);
    assert_snapshot!(world.settle(), @r#"
     1. use the image that is there as shop-web, because it was built before from the same files
     2. create container 000000000006_shop-web-1, because index.html changed [after 1]
     3. stop container shop-web-1, because a new container takes its place [after 2]
     4. remove container shop-web-1, because a new container takes its place [after 3]
     5. rename container 000000000006_shop-web-1 to shop-web-1, because it takes the place of the old one [after 4]
     6. start container shop-web-1, because it takes the place of the old one [after 5]
    unchanged: db, migrate, api
    "#);
}

#[test]
fn what_was_synced_counts_as_built() {
    let mut world = shop();
    world.settle();
    world.reads("web", &[("index.html", "2")], &["debian:bookworm-slim"]);
    let Some(WantedImage::Built(inputs)) = world.wanted.images.get("web") else { panic!("web is built") };
    let digest = inputs.digest.clone();
    let id = world.container("shop-web-1").id.clone();
    world.synced.insert(id, digest);
    let plan = world.up();
    assert!(!plan.steps.iter().any(|s| matches!(s.op, Op::Create(_))), "the container stays:\n{plan}");
}

#[test]
fn dependents_restart_only_where_the_manifest_says_so() {
    let mut world = shop();
    world.service("web").depends_on.get_mut("api").unwrap().restart = true;
    world.settle();
    world.service("api").command = Some(vec!["serve".into()]);
    assert_snapshot!(world.settle(), @r#"
     1. create container 000000000004_shop-api-1, because command changed
     2. stop container shop-api-1, because a new container takes its place [after 1]
     3. remove container shop-api-1, because a new container takes its place [after 2]
     4. rename container 000000000004_shop-api-1 to shop-api-1, because it takes the place of the old one [after 3]
     5. start container shop-api-1, because it takes the place of the old one [after 4]
     6. restart container shop-web-1, because api is recreated or restarted [after 5]
    unchanged: db, migrate
    "#);
}

#[test]
fn a_changed_network_takes_its_containers_along() {
    let mut world = World::new(json!({
        "name": "shop",
        "networks": {"default": {"name": "shop_default", "ipam": {}}},
        "services": {"a": {"image": "busybox", "networks": {"default": null}}}
    }));
    world.settle();
    world.project.networks.get_mut("default").unwrap().internal = true;
    assert_snapshot!(world.settle(), @r#"
    1. stop container shop-a-1, because network shop_default is made again
    2. remove network shop_default, because the settings of network shop_default changed [after 1]
    3. create network shop_default, because it takes the place of the old one [after 2]
    4. create container 000000000002_shop-a-1, because network shop_default is made again [after 3]
    5. remove container shop-a-1, because a new container takes its place [after 4]
    6. rename container 000000000002_shop-a-1 to shop-a-1, because it takes the place of the old one [after 5]
    7. start container shop-a-1, because it takes the place of the old one [after 6]
    "#);
}

#[test]
fn of_two_networks_with_one_name_one_goes() {
    let mut world = World::new(json!({
        "name": "shop",
        "networks": {"default": {"name": "shop_default"}},
        "services": {
            "a": {"image": "busybox", "networks": {"default": null}},
            "b": {"image": "busybox", "networks": {"default": null}}
        }
    }));
    world.settle();
    let mut other = world.observed.networks["shop_default"].clone();
    other.id = NetworkId::new("net9");
    world.observed.duplicates.push(other);
    world.container("shop-b-1").networks["shop_default"] = NetworkId::new("net9");
    let whole_down = down(&world.project, &world.observed, &DownOptions::default());
    let removed = whole_down.steps.iter().filter(|step| matches!(step.op, Op::RemoveNetwork { .. })).count();
    assert_eq!(removed, 2, "`down` removes both");
    assert_snapshot!(world.settle(), @r#"
     1. stop container shop-b-1, because network shop_default is made again
     2. remove network shop_default, because there are two of this name [after 1]
     3. create container 000000000003_shop-b-1, because network shop_default is made again [after 2]
     4. remove container shop-b-1, because a new container takes its place [after 3]
     5. rename container 000000000003_shop-b-1 to shop-b-1, because it takes the place of the old one [after 4]
     6. start container shop-b-1, because it takes the place of the old one [after 5]
    unchanged: a
    "#);
}

#[test]
fn what_the_engine_is_removing_is_made_again() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"image": "busybox"}}}));
    world.settle();
    world.container("s-a-1").state = ContainerState::Removing;
    assert_snapshot!(world.settle(), @r#"
    1. remove container s-a-1, because it is removing
    2. create container s-a-1, because it has no container [after 1]
    3. start container s-a-1, because it has no container [after 2]
    "#);
}

#[test]
fn renewed_volumes_are_a_reason_and_the_old_ones_go() {
    let mut world = World::new(json!({
        "name": "s",
        "services": {"a": {"image": "busybox", "volumes": [{"type": "volume", "target": "/a"}]}, "b": {"image": "busybox"}}
    }));
    world.settle();
    world.container("s-a-1").volumes.insert("/a".to_owned(), "0f".repeat(32));
    let plan = world.plan(&UpOptions { renew_anon_volumes: true, ..UpOptions::default() });
    let removes = |step: &super::Step| matches!(&step.op, Op::Remove { volumes: true, .. });
    assert!(plan.steps.iter().any(removes), "{plan}");
    assert_eq!(plan.unchanged, ["b".into()]);
    let created = plan.steps.iter().find_map(|step| match &step.op {
        Op::Create(create) => Some(create.spec.mounts[0].source.clone()),
        _ => None,
    });
    assert_eq!(created, Some(None), "a new one");
    assert!(world.up().is_empty());
}

#[test]
fn only_the_services_of_this_manifest_are_stopped() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"image": "busybox"}}}));
    world.settle();
    let mut theirs = world.observed.containers[0].clone();
    (theirs.name, theirs.service, theirs.id) = ("s-z-1".into(), "z".into(), ContainerId::new("z"));
    world.observed.containers.push(theirs);
    assert_eq!(stop(&world.project, &world.observed, &[], None, &crate::plan::Reason::Asked("stop")).steps.len(), 1);
}

#[test]
fn scale_adds_and_removes_the_last() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"image": "busybox", "scale": 3}}}));
    world.settle();
    world.service("a").scale = Some(1);
    assert_snapshot!(world.settle(), @r#"
    1. stop container s-a-2, because scaled to 1
    2. remove container s-a-2, because scaled to 1 [after 1]
    3. stop container s-a-3, because scaled to 1
    4. remove container s-a-3, because scaled to 1 [after 3]
    "#);
}

#[test]
fn an_interrupted_recreation_is_put_right() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"image": "busybox"}}}));
    world.settle();
    world.service("a").command = Some(vec!["true".into()]);
    let plan = world.up();
    // hob was killed after the new container was made and before the old one was stopped.
    let cut = Plan { steps: plan.steps[..1].to_vec(), ..Plan::default() };
    world.apply(&cut);
    assert_snapshot!(world.settle(), @r#"
    1. stop container s-a-1, because the service has another container in its place
    2. remove container s-a-1, because the service has another container in its place [after 1]
    3. rename container 000000000001_s-a-1 to s-a-1, because it takes the place of the old one [after 2]
    4. start container s-a-1, because it was never started [after 3]
    "#);
    assert_eq!(world.observed.containers.len(), 1);
    assert_eq!(world.observed.containers[0].name, "s-a-1");
}

/// Wherever hob was killed, and whether the manifest changed once more: the next run leaves one container, under its
/// own name, that runs.
#[test]
fn a_recreation_that_was_cut_anywhere_is_put_right() {
    let world = || {
        let mut world = World::new(json!({"name": "s", "services": {"a": {"image": "busybox"}}}));
        world.settle();
        world.service("a").command = Some(vec!["one".into()]);
        let steps = world.up().steps;
        (world, steps)
    };
    for done in 0..=world().1.len() {
        for again in [false, true] {
            let (mut world, mut steps) = world();
            steps.truncate(done);
            world.apply(&Plan { steps, ..Plan::default() });
            if again {
                world.service("a").command = Some(vec!["two".into()]);
            }
            world.settle();
            let left: Vec<_> = world.observed.containers.iter().map(|c| (c.name.as_str(), c.state)).collect();
            assert_eq!(left, [("s-a-1", ContainerState::Running)], "{done} steps, again: {again}");
        }
    }
}

#[test]
fn a_stopped_container_is_started_and_a_completed_job_is_not() {
    let mut world = shop();
    world.settle();
    world.container("shop-db-1").state = ContainerState::Exited(137);
    world.container("shop-db-1").health = None;
    assert_snapshot!(world.settle(), @r#"
     1. start container shop-db-1, because it exited with 137
    unchanged: migrate, api, web
    "#);
}

#[test]
fn what_somebody_stopped_is_left_and_nobody_waits_for_it() {
    let mut world = shop();
    world.settle();
    world.container("shop-db-1").state = ContainerState::Exited(0);
    world.container("shop-db-1").health = None;
    world.service("db").environment.insert("A".into(), Some("b".into()));
    world.service("web").environment.insert("A".into(), Some("b".into()));
    let options = UpOptions { leave_stopped: ["db".into()].into(), ..UpOptions::default() };
    let plan = world.plan(&options);
    let of = |name: &str| plan.steps.iter().filter(|step| step.service.as_deref() == Some(name)).count();
    assert!(of("db") == 0 && of("web") > 0 && !plan.unchanged.contains(&"db".into()), "{plan}");
    // As long as one of its containers runs, it is not stopped.
    world.container("shop-db-1").state = ContainerState::Running;
    let plan = world.plan(&options);
    assert!(plan.steps.iter().any(|step| step.service.as_deref() == Some("db")), "{plan}");
}

#[test]
fn a_base_that_is_another_service_is_built_first() {
    let mut world = World::new(json!({
        "name": "s",
        "services": {"app": {"build": {"context": "/app"}}, "base": {"build": {"context": "/base"}}}
    }));
    world.reads("app", &[("a", "1")], &["s-base:latest"]);
    world.reads("base", &[("b", "1")], &[]);
    assert_snapshot!(world.settle(), @r#"
    1. build base, because it was not built yet
    2. build app, because it was not built yet [after 1]
    3. create container s-app-1, because it has no container [after 2]
    4. start container s-app-1, because it has no container [after 3]
    5. create container s-base-1, because it has no container [after 1]
    6. start container s-base-1, because it has no container [after 5]
    "#);
}

#[test]
fn orphans_are_named_and_removed_on_request() {
    let mut world = shop();
    world.settle();
    world.project.services.shift_remove("web");
    assert_snapshot!(world.up(), @r#"
    unchanged: db, migrate, api
    note: containers of services that are not in the manifest: shop-web-1; --remove-orphans removes them
    "#);
    let options = UpOptions { remove_orphans: true, ..UpOptions::default() };
    assert_snapshot!(world.plan(&options), @r#"
     1. stop container shop-web-1, because its service is not in the manifest
     2. remove container shop-web-1, because its service is not in the manifest [after 1]
    unchanged: db, migrate, api
    "#);
}

#[test]
fn flags_force_and_forbid() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"image": "busybox"}}}));
    world.settle();
    let force = UpOptions { recreate: Recreate::Always, ..UpOptions::default() };
    assert!(world.plan(&force).to_string().contains("--force-recreate"));
    world.service("a").command = Some(vec!["true".into()]);
    let never = UpOptions { recreate: Recreate::Never, ..UpOptions::default() };
    assert!(world.plan(&never).is_empty());
    let create = UpOptions { no_start: true, ..UpOptions::default() };
    assert!(!world.plan(&create).steps.iter().any(|s| matches!(s.op, Op::Start { .. })));
}

#[test]
fn only_what_is_asked_for_and_what_it_needs() {
    let world = shop();
    let options = UpOptions { services: vec!["migrate".into()], ..UpOptions::default() };
    let plan = world.plan(&options);
    let services: BTreeSet<_> = plan.steps.iter().filter_map(|s| s.service.as_deref()).collect();
    assert_eq!(services, BTreeSet::from(["db", "migrate"]));
    let alone = UpOptions { no_deps: true, ..options };
    let services: BTreeSet<_> = world.plan(&alone).steps.iter().filter_map(|s| s.service.clone()).collect();
    assert_eq!(services, BTreeSet::from(["migrate".into()]));
}

#[test]
fn force_recreate_is_about_the_services_asked_for() {
    let mut world = shop();
    world.settle();
    let force = UpOptions { services: vec!["web".into()], recreate: Recreate::Always, ..UpOptions::default() };
    let recreated = |options: &UpOptions| {
        let plan = world.plan(options);
        let creates = plan.steps.iter().filter(|step| matches!(step.op, Op::Create(_)));
        creates.filter_map(|step| step.service.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(recreated(&force), BTreeSet::from(["web".into()]));
    let all = recreated(&UpOptions { recreate_deps: true, ..force });
    assert_eq!(all, ["db", "migrate", "api", "web"].into_iter().map(Into::into).collect());
}

#[test]
fn wait_ends_with_every_service_ready() {
    let mut world = shop();
    let options = UpOptions { wait: true, ..UpOptions::default() };
    let text = world.plan(&options).to_string();
    assert!(text.contains("wait until shop-web-1 is ready"), "{text}");
    world.settle();
    assert!(world.plan(&options).is_empty(), "{}", world.plan(&options));
}

/// A container made by other means waits for what its service needs, and for nothing else.
#[test]
fn what_another_one_needs_is_waited_for_as_it_says() {
    let mut world = shop();
    world.service("migrate").depends_on.get_mut("db").unwrap().required = false;
    let options = UpOptions { services: vec!["migrate".into()], needed_by: Some("api".into()), ..UpOptions::default() };
    let plan = world.plan(&options);
    let waits = plan.steps.iter().filter_map(|step| match &step.op {
        Op::Wait { containers, until, optional } => Some(format!("{} {until:?} {optional}", containers.join(" "))),
        _ => None,
    });
    assert_eq!(waits.collect::<Vec<_>>(), ["shop-db-1 Healthy true", "shop-migrate-1 Completed false"], "{plan}");
}

#[test]
fn what_is_external_must_be_there() {
    let mut world = shop();
    world.project.networks.get_mut("default").unwrap().external = true;
    world.project.volumes.get_mut("data").unwrap().external = true;
    let input = Input {
        project: &world.project,
        wanted: &world.wanted,
        observed: &world.observed,
        history: &world.history,
        synced: &world.synced,
    };
    let errors = up(input, &UpOptions::default()).unwrap_err();
    let paths: Vec<_> = errors.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, ["networks.default", "volumes.data"], "both are named in one run");
}

#[test]
fn down_stops_in_reverse_and_keeps_data_unless_asked() {
    let mut world = shop();
    world.settle();
    let plan = down(&world.project, &world.observed, &DownOptions::default());
    assert_snapshot!(plan, @r#"
    1. stop container shop-web-1, because requested by `down`
    2. stop container shop-api-1, because requested by `down` [after 1]
    3. stop container shop-db-1, because requested by `down` [after 2]
    4. remove container shop-db-1, because requested by `down` [after 3]
    5. remove container shop-migrate-1, because requested by `down` [after 2]
    6. remove container shop-api-1, because requested by `down` [after 2]
    7. remove container shop-web-1, because requested by `down` [after 1]
    8. remove network shop_default, because requested by `down` [after 4, 5, 6, 7]
    "#);
    let all = DownOptions { volumes: true, images: Images::Local, ..DownOptions::default() };
    let plan = down(&world.project, &world.observed, &all);
    world.apply(&plan);
    assert!(world.observed.containers.is_empty() && world.observed.networks.is_empty());
    assert!(world.observed.volumes.is_empty(), "-v removes the volume");
    assert!(world.observed.images.contains_key("postgres:16"), "--rmi local keeps what was pulled");
    assert!(!world.observed.images.contains_key("shop-web"));
}

#[test]
fn down_leaves_the_neighbour_alone() {
    let mut world = shop();
    world.settle();
    world.project.services.shift_remove("web");
    let plan = down(&world.project, &world.observed, &DownOptions::default());
    let text = plan.to_string();
    assert!(!text.contains("remove container shop-web-1"), "{text}");
    assert!(text.contains("network shop_default stays"), "{text}");
}

#[test]
fn stop_start_and_restart_keep_the_order() {
    let mut world = shop();
    world.settle();
    assert_snapshot!(stop(&world.project, &world.observed, &[], None, &crate::plan::Reason::Asked("stop")), @r#"
    1. stop container shop-web-1, because requested by `stop`
    2. stop container shop-api-1, because requested by `stop` [after 1]
    3. stop container shop-db-1, because requested by `stop` [after 2]
    "#);
    assert_snapshot!(restart(&world.project, &world.observed, &["api".into()], None), @"1. restart container shop-api-1, because requested by `restart`");
    let stopped = stop(&world.project, &world.observed, &["web".into()], None, &crate::plan::Reason::Asked("stop"));
    world.apply(&stopped);
    assert_snapshot!(start(&world.project, &world.observed, &["web".into()]).unwrap(), @"1. start container shop-web-1, because requested by `start`");
    world.apply(&stop(&world.project, &world.observed, &[], None, &crate::plan::Reason::Asked("stop")));
    assert_snapshot!(start(&world.project, &world.observed, &["api".into()]).unwrap(), @r"
    1. start container shop-db-1, because requested by `start`
    2. start container shop-api-1, because requested by `start`
    ");
    world.observed.containers.retain(|c| c.service != "db".into());
    let without = start(&world.project, &world.observed, &["api".into()]);
    assert_eq!(without, Err(ServiceName::from("db")), "up makes it");
    assert!(start(&world.project, &world.observed, &[]).is_ok());
}

/// A recreation was interrupted before the old one was stopped, and then the manifest changed once more.
#[test]
fn what_is_left_of_an_interrupted_recreation_is_out_of_the_way_first() {
    let mut world = shop();
    world.settle();
    world.service("web").command = Some(vec!["one".into()]);
    let mut plan = world.up();
    plan.steps.truncate(1);
    world.apply(&plan);
    world.service("web").command = Some(vec!["two".into()]);
    let plan = world.settle();
    for step in &plan.steps {
        if let Op::Create(create) = &step.op {
            let removed = plan
                .steps
                .iter()
                .position(|s| matches!(&s.op, Op::Remove { container, .. } if *container == create.spec.name));
            assert!(removed.is_some_and(|removed| step.after.contains(&removed)), "the name is taken:\n{plan}");
        }
    }
}

#[test]
fn a_cycle_is_refused() {
    let mut world = shop();
    world.service("db").depends_on.insert("web".into(), Dependency::default());
    let input = Input {
        project: &world.project,
        wanted: &world.wanted,
        observed: &world.observed,
        history: &world.history,
        synced: &world.synced,
    };
    let errors = up(input, &UpOptions::default()).unwrap_err();
    assert!(errors[0].text.contains("dependency cycle: "), "{}", errors[0].text);
}

#[test]
fn what_restarts_with_another_takes_no_third_along() {
    let restart = json!({"condition": "service_started", "restart": true, "required": true});
    let mut world = World::new(json!({
        "name": "s",
        "services": {
            "a": {"image": "busybox"},
            "b": {"image": "busybox", "depends_on": {"a": restart}},
            "c": {"image": "busybox", "depends_on": {"b": restart}},
        }
    }));
    world.settle();
    world.service("a").command = Some(vec!["serve".into()]);
    let plan = world.settle().to_string();
    assert!(plan.contains("restart container s-b-1") && plan.contains("unchanged: c"), "{plan}");
    // `hob restart a` goes on.
    assert_eq!(world.project.restarted_with(&["a".into()]), ["b".into(), "c".into()]);
}

#[test]
fn a_gap_in_the_numbers_stays() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"image": "busybox", "scale": 3}}}));
    world.settle();
    world.observed.containers.retain(|container| container.number != 2);
    world.service("a").scale = Some(2);
    assert_eq!(world.settle().to_string().trim(), "unchanged: a");
    world.service("a").scale = Some(3);
    let plan = world.settle().to_string();
    assert!(plan.contains("create container s-a-4") && !plan.contains("remove"), "{plan}");
    world.service("a").scale = Some(1);
    let plan = world.settle().to_string();
    assert!(plan.contains("remove container s-a-3") && plan.contains("remove container s-a-4"), "{plan}");
}

#[test]
fn what_runs_needs_what_it_depends_on_where_that_is_asked_for() {
    let depends = json!({"db": {"condition": "service_healthy", "required": true}});
    let services = json!({"db": {"image": "db"}, "api": {"image": "api", "depends_on": depends}});
    let mut world = World::new(json!({"name": "s", "services": services}));
    world.settle();
    let asked = UpOptions { needs_met: true, ..UpOptions::default() };
    world.container("s-db-1").health = Some(Health::Unhealthy);
    assert!(world.up().is_empty());
    assert_snapshot!(world.plan(&asked), @r#"
     1. wait until s-db-1 is healthy, because api waits for it
    unchanged: db, api
    "#);
    assert!(world.plan(&UpOptions { no_start: true, ..asked.clone() }).is_empty());
    world.service("api").depends_on.get_mut("db").unwrap().required = false;
    assert!(world.plan(&asked).is_empty());
    world.service("api").depends_on.get_mut("db").unwrap().required = true;
    world.container("s-db-1").health = Some(Health::Healthy);
    assert!(world.plan(&asked).is_empty());
}

/// A job that failed beside what runs is run again, and fails again, each time.
#[test]
fn a_failed_job_is_waited_for_by_what_runs() {
    let depends = json!({"mig": {"condition": "service_completed_successfully", "required": true}});
    let services = json!({"mig": {"image": "mig"}, "api": {"image": "api", "depends_on": depends}});
    let mut world = World::new(json!({"name": "s", "services": services}));
    world.settle();
    let asked = UpOptions { needs_met: true, ..UpOptions::default() };
    assert!(world.plan(&asked).is_empty());
    world.container("s-mig-1").state = ContainerState::Exited(3);
    assert_snapshot!(world.plan(&asked), @r#"
     1. start container s-mig-1, because it exited with 3
     2. wait until s-mig-1 has completed, because api waits for it [after 1]
    unchanged: api
    "#);
    world.service("mig").command = Some(vec!["false".into()]);
    let plan = world.plan(&asked);
    assert!(matches!(plan.steps.last().unwrap().op, Op::Wait { optional: false, .. }), "{plan}");
    world.service("api").depends_on.get_mut("mig").unwrap().required = false;
    assert!(!world.plan(&asked).steps.iter().any(|step| matches!(step.op, Op::Wait { .. })));
}

#[test]
fn what_changed_is_the_reason_and_hot_sync_is_news() {
    let mut world = shop();
    world.wanted.agent = Some("agent".into());
    world.wanted.hot.insert("web".into());
    world.settle();
    world.wanted.hot.clear();
    world.reads("web", &[("Dockerfile", "2"), ("index.html", "1")], &["debian:bookworm-slim"]);
    let plan = world.settle();
    let made = plan.steps.iter().find(|step| matches!(step.op, Op::Create(_))).unwrap();
    assert_eq!(made.reason.to_string(), "Dockerfile changed");
    assert!(plan.news.len() == 1 && plan.news[0].starts_with("web: hot sync is off from now on"), "{:?}", plan.news);
    // Nothing else changed: another hob finds what this one did not.
    world.wanted.hot.insert("web".into());
    let plan = world.settle();
    let made = plan.steps.iter().find(|step| matches!(step.op, Op::Create(_))).unwrap();
    assert!(made.reason.to_string().starts_with("hot sync is on from now on"), "{}", made.reason);
}

#[test]
fn a_build_says_whether_it_is_the_first() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"build": {"context": "."}}}}));
    world.reads("a", &[("x", "1")], &[]);
    let reason = |world: &World| world.up().steps[0].reason.to_string();
    assert_eq!(reason(&world), "it was not built yet");
    let mut image = ObservedImage::default();
    world.observed.images.insert("s-a".into(), image.clone());
    assert_eq!(reason(&world), "it was made by another tool");
    image.labels.insert(super::labels::INPUTS.into(), "x".into());
    world.observed.images.insert("s-a".into(), image);
    assert_eq!(reason(&world), "what its build reads changed");
}
