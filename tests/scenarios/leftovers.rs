//! What is left over, by a kill or by what was before, is told apart and put right.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::lab::{Lab, engine, idle, until};

fn volume_at(lab: &Lab, service: &str, target: &str) -> String {
    let mounts = lab.inspect(service)["Mounts"].as_array().cloned().unwrap_or_default();
    let found = mounts.iter().find(|mount| mount["Destination"] == target);
    found.and_then(|mount| mount["Name"].as_str()).unwrap_or_default().to_owned()
}

fn has_volume(name: &str) -> bool {
    engine::get(&format!("/volumes/{name}"))["Name"] == name
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn of_two_networks_with_one_name_one_stays() {
    let lab = Lab::new();
    let service = |name: &str| idle(name).replace("    network_mode: none\n", "");
    lab.manifest(&format!("services:\n{}{}", service("a"), service("b")));
    lab.ok(&["up", "-d"]);
    let name = format!("{}_default", lab.project);
    let labels = engine::get(&format!("/networks/{name}"))["Labels"].clone();
    let body = json!({ "Name": name, "Labels": labels, "CheckDuplicate": false }).to_string();
    let twice = || engine::request("POST", "/networks/create", &body).unwrap().0;
    if twice() != 201 {
        // The engine has no two of one name (API 1.44).
        return;
    }
    let a = lab.id("a");
    lab.ok(&["--verbose", "up", "-d"]).says(&["there are two of this name"]);
    assert_eq!(lab.names("networks"), std::slice::from_ref(&name));
    assert_eq!((lab.id("a"), lab.states()), (a, vec!["a running".to_owned(), "b running".to_owned()]));
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    twice();
    lab.ok(&["down"]);
    assert_eq!(lab.names("networks"), Vec::<String>::new());
    // Nobody is on either of them.
    assert_eq!((twice(), twice()), (201, 201));
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.names("networks"), [name]);
    lab.ok(&["down"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_stop_that_goes_on_after_a_kill_is_waited_for() {
    let lab = Lab::new();
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    \
         command: [sh, -c, \"trap 'sleep 1.5; exit 0' TERM; sleep 1000 & wait\"]\n",
    );
    for command in [&["stop"][..], &["down"], &["restart"]] {
        lab.ok(&["up", "-d"]);
        let mut session = lab.start(&[&["--verbose"], command].concat());
        session.says(0, if command == ["restart"] { "restart container" } else { "stop container" });
        std::thread::sleep(std::time::Duration::from_millis(300));
        session.signal(Signal::SIGKILL);
        session.end();
        let up = lab.ok(&["up", "-d"]);
        up.says(&["still stopping"]);
        let started = lab.started("a");
        // It would have ended by now.
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert_eq!((lab.states(), lab.started("a")), (vec!["a running".to_owned()], started), "{command:?}: {up}");
        lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    }
    lab.ok(&["kill"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn anonymous_volumes_are_kept_and_go_in_the_end() {
    let lab = Lab::new();
    let manifest = |mode: &str, network: &str| {
        lab.manifest(&format!(
            "services:\n  a:\n    image: hob-test/busybox:1\n    command: sleep 3600\n    stop_signal: SIGKILL\n    \
             environment: {{MODE: {mode}}}\n    volumes: [/data]\nnetworks:\n  default: {{labels: {{n: {network}}}}}\n"
        ));
    };
    manifest("one", "x");
    lab.ok(&["up", "-d"]);
    let first = volume_at(&lab, "a", "/data");
    for (mode, network) in [("two", "x"), ("three", "x"), ("three", "y")] {
        manifest(mode, network);
        lab.ok(&["up", "-d"]);
        assert_eq!(volume_at(&lab, "a", "/data"), first, "{mode} {network}");
    }
    // Otherwise unchanged.
    lab.ok(&["up", "-d", "-V"]);
    let second = volume_at(&lab, "a", "/data");
    assert!(second != first && !has_volume(&first), "{first} {second}");
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    manifest("four", "y");
    lab.ok(&["up", "-d"]);
    assert_eq!(volume_at(&lab, "a", "/data"), second);
    lab.ok(&["rm", "-sfv"]);
    assert!(!has_volume(&second), "`rm -v`");
    lab.ok(&["up", "-d"]);
    manifest("five", "y");
    lab.ok(&["up", "-d"]);
    let third = volume_at(&lab, "a", "/data");
    lab.ok(&["down", "-v"]);
    assert!(!third.is_empty() && !has_volume(&third), "`down -v`");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_service_of_another_folder_is_not_stopped() {
    let lab = Lab::new();
    lab.manifest(&format!("name: {}\nservices:\n{}", lab.project, idle("mine")));
    lab.ok(&["up", "-d"]);
    let other = lab.outside("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("devenv.yaml"), format!("name: {}\nservices:\n{}", lab.project, idle("theirs"))).unwrap();
    let there = |arguments: &[&str]| {
        let done = lab.command(arguments).current_dir(&other).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    };
    there(&["up", "-d"]);
    for arguments in [&["stop"][..], &["kill"], &["rm", "-sf"]] {
        there(arguments);
        assert!(lab.states().contains(&"mine running".to_owned()), "{arguments:?}: {:?}", lab.states());
    }
    assert_eq!(lab.states(), ["mine running"]);
    lab.ok(&["down"]);
}

fn one_offs(lab: &Lab) -> usize {
    let labels = [&format!("com.docker.compose.project={}", lab.project), "com.docker.compose.oneoff=True"];
    engine::labelled("containers/json", &labels).as_array().map_or(0, Vec::len)
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_a_killed_run_leaves_goes() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("a")));
    lab.ok(&["up", "-d"]);
    let mut session = lab.start(&["run", "--rm", "-T", "a", "sleep", "1000"]);
    until(|| if one_offs(&lab) == 1 { Ok(()) } else { Err("it is not there yet".to_owned()) });
    // One whose hob is there is left alone.
    lab.ok(&["up", "-d"]);
    assert_eq!(one_offs(&lab), 1);
    session.signal(Signal::SIGKILL);
    session.end();
    lab.ok(&["up", "-d"]);
    assert_eq!(one_offs(&lab), 0);
    lab.ok(&["run", "-d", "--rm", "a", "true"]);
    until(|| if one_offs(&lab) == 0 { Ok(()) } else { Err("the engine does not remove it".to_owned()) });
    lab.ends(&["run", "--rm", "-T", "a", "sh", "-c", "exit 7"], 7);
    assert_eq!(one_offs(&lab), 0);
    lab.ok(&["down"]);
}
