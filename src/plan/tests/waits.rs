//! What waits for what, and what restarts with what.

use super::*;

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
