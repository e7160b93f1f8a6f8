//! When a container is made anew, and recreations that were cut.

use super::*;

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
fn renewed_volumes_are_a_reason_and_the_old_ones_go() {
    let mut world = World::new(json!({
        "name": "s",
        "services": {"a": {"image": "busybox", "volumes": [{"type": "volume", "target": "/a"}]}, "b": {"image": "busybox"}}
    }));
    world.settle();
    world.container("s-a-1").volumes.insert("/a".to_owned(), "0f".repeat(32));
    let plan = world.plan(&UpOptions { renew_anon_volumes: true, ..UpOptions::default() });
    let removes = |step: &crate::plan::Step| matches!(&step.op, Op::Remove { volumes: true, .. });
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

/// It is restarted by its name, which may be another's until that is removed.
#[test]
fn a_restart_waits_until_the_container_has_its_name() {
    let needs = json!({"a": {"condition": "service_started", "required": true, "restart": true}});
    let services = json!({"a": {"image": "busybox"}, "b": {"image": "busybox", "depends_on": needs}});
    let mut world = World::new(json!({"name": "s", "services": services}));
    world.settle();
    world.container("s-b-1").name = "0_s-b-1".into();
    world.service("a").command = Some(vec!["true".into()]);
    let plan = world.up();
    let renamed = plan.steps.iter().position(|step| matches!(&step.op, Op::Rename { name, .. } if name == "s-b-1"));
    let restart = plan.steps.iter().find(|step| matches!(step.op, Op::Restart { .. })).unwrap();
    assert!(restart.after.contains(&renamed.unwrap()), "{plan}");
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

/// A recreation was interrupted before the old one was stopped, and then the manifest changed once more.
#[test]
fn what_an_interrupted_recreation_left_goes_out_of_the_way_first() {
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
