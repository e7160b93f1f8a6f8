//! Which images are built, and which are there.

use super::*;

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
fn a_build_says_whether_it_is_the_first() {
    let mut world = World::new(json!({"name": "s", "services": {"a": {"build": {"context": "."}}}}));
    world.reads("a", &[("x", "1")], &[]);
    let reason = |world: &World| world.up().steps[0].reason.to_string();
    assert_eq!(reason(&world), "it was not built yet");
    let mut image = ObservedImage::default();
    world.observed.images.insert("s-a".into(), image.clone());
    assert_eq!(reason(&world), "it was made by another tool");
    image.labels.insert(crate::plan::labels::INPUTS.into(), "x".into());
    world.observed.images.insert("s-a".into(), image);
    assert_eq!(reason(&world), "what its build reads changed");
}
