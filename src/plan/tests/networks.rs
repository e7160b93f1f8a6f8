//! Networks, and what the engine is removing.

use super::*;

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
