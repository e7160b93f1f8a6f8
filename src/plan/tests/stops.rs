//! The way down: down, stop, and restart.

use super::*;

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
fn down_of_some_takes_the_networks_that_only_they_have() {
    let mut world = World::new(json!({
        "name": "shop",
        "services": {
            "web": {"image": "web", "networks": {"front": null, "back": null}},
            "db": {"image": "db", "networks": {"back": null}},
        },
        "networks": {"front": {"name": "shop_front"}, "back": {"name": "shop_back"}},
    }));
    world.settle();
    let removed = |world: &World, service: &str| {
        let options = DownOptions { services: vec![service.into()], ..DownOptions::default() };
        let plan = down(&world.project, &world.observed, &options);
        plan.steps.iter().map(|step| step.op.to_string()).filter(|op| op.contains("network")).collect::<Vec<_>>()
    };
    assert_eq!(removed(&world, "web"), ["remove network shop_front"]);
    assert_eq!(removed(&world, "db"), [""; 0]);
    world.observed.networks.get_mut("shop_front").unwrap().labels.clear();
    assert_eq!(removed(&world, "web"), [""; 0], "somebody else made it");
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
    assert_snapshot!(restart(&world.project, &world.observed, &["api".into()], None), @" 1. restart container shop-api-1, because requested by `restart`");
    let stopped = stop(&world.project, &world.observed, &["web".into()], None, &crate::plan::Reason::Asked("stop"));
    world.apply(&stopped);
    assert_snapshot!(start(&world.project, &world.observed, &["web".into()]).unwrap(), @" 1. start container shop-web-1, because requested by `start`");
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
