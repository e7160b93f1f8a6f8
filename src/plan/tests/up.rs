//! A first up, a second one, and what an up leaves alone.

use super::*;

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
fn orphans_are_named_and_removed_on_request() {
    let mut world = shop();
    world.settle();
    world.project.services.shift_remove("web");
    assert_snapshot!(world.up(), @r#"
    unchanged: db, migrate, api
    note: Found orphan containers ([shop-web-1]) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up.
    "#);
    let options = UpOptions { remove_orphans: true, ..UpOptions::default() };
    assert_snapshot!(world.plan(&options), @r#"
     1. stop container shop-web-1, because its service is not in the manifest
     2. remove container shop-web-1, because its service is not in the manifest [after 1]
    unchanged: db, migrate, api
    "#);
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
fn what_is_external_must_be_there() {
    let mut world = shop();
    world.project.networks.get_mut("default").unwrap().external = true;
    world.project.volumes.get_mut("data").unwrap().external = true;
    let errors = up(world.input(), &UpOptions::default()).unwrap_err();
    let paths: Vec<_> = errors.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, ["networks.default", "volumes.data"], "both are named in one run");
}

#[test]
fn a_cycle_is_refused() {
    let mut world = shop();
    world.service("db").depends_on.insert("web".into(), Dependency::default());
    let errors = up(world.input(), &UpOptions::default()).unwrap_err();
    assert!(errors[0].text.contains("dependency cycle: "), "{}", errors[0].text);
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
fn nothing_is_made_before_the_images_where_they_come_first() {
    let mut world = shop();
    world.observed.images.clear();
    let plan = world.plan(&UpOptions { images_first: true, ..UpOptions::default() });
    let is_image = |step: &&crate::plan::Step| matches!(step.op, Op::Build { .. } | Op::Pull { .. });
    let images = plan.steps.iter().take_while(is_image).count();
    assert!(images > 0 && plan.steps.len() > images, "{plan}");
    for step in &plan.steps[images..] {
        assert!((0..images).all(|image| step.after.contains(&image)), "{plan}");
    }
}

#[test]
fn a_completed_job_runs_again_where_that_is_asked_for() {
    let mut world = shop();
    world.settle();
    let plan = world.plan(&UpOptions { jobs_again: true, ..UpOptions::default() });
    let started =
        |step: &crate::plan::Step| matches!(&step.op, Op::Start { container } if container == "shop-migrate-1");
    assert!(plan.steps.iter().any(started), "{plan}");
}
