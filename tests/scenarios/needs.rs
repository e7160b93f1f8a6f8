//! What `run`, `start` and a session's end do to the services that another one needs.

use nix::sys::signal::Signal;

use crate::lab::{Lab, idle, until};

/// `run` waits for what the service needs as `depends_on` says, and not for more.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn run_asks_of_dependencies_what_the_manifest_asks() {
    let lab = Lab::new();
    let sick = "    healthcheck: {test: exit 1, interval: 100ms, retries: 1}\n";
    let once = idle("once").replace("sleep 3600", "\"true\"");
    lab.manifest(&format!(
        "services:\n{once}{}{sick}{}{sick}{}    profiles: [off]\n{}\
         {}    depends_on: {{once: {{condition: service_started}}, sick: {{condition: service_started}}}}\n\
         {}    depends_on: {{sick2: {{condition: service_healthy, required: false}}}}\n\
         {}    depends_on: {{absent: {{condition: service_started, required: false}}}}\n\
         {}    depends_on: {{sick2: {{condition: service_healthy}}}}\n",
        idle("sick"),
        idle("sick2"),
        idle("absent"),
        idle("bystander"),
        idle("lenient"),
        idle("optional"),
        idle("alone"),
        idle("strict"),
    ));
    lab.ok(&["run", "--rm", "-T", "alone", "echo", "ran"]).says(&["ran"]);
    assert_eq!(lab.states(), [""; 0], "nothing is needed, nothing is started");
    lab.ok(&["run", "--rm", "-T", "lenient", "echo", "ran"]).says(&["ran"]);
    until(|| match lab.inspect("sick")["State"]["Health"]["Status"].as_str() {
        Some("unhealthy") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    lab.ok(&["run", "--rm", "-T", "lenient", "echo", "ran"]).says(&["ran"]);
    lab.ok(&["run", "--rm", "-T", "optional", "echo", "ran"]).says(&["ran", "sick2 is unhealthy", "required: false"]);
    lab.ends(&["run", "--rm", "-T", "strict", "echo", "ran"], 22).says(&["sick2 is unhealthy"]).silent_about(&["ran"]);
    assert!(!lab.states().iter().any(|state| state.starts_with("bystander")), "{:?}", lab.states());
}

/// A dependency that is not required may fail: `up` says so and goes on.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_is_not_required_may_fail() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}{}    healthcheck: {{test: exit 1, interval: 100ms, retries: 1}}\n\
         {}    depends_on:\n      job: {{condition: service_completed_successfully, required: false}}\n      \
         sick: {{condition: service_healthy, required: false}}\n",
        idle("job").replace("sleep 3600", "sh -c 'exit 3'"),
        idle("sick"),
        idle("api"),
    ));
    lab.ok(&["up", "-d"]).says(&["job exited with 3", "sick is unhealthy", "required: false"]);
    assert!(lab.states().contains(&"api running".to_owned()), "{:?}", lab.states());
}

/// A container that the engine starts again has not ended, and the session goes on.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_container_that_is_started_again_ends_no_session() {
    let lab = Lab::new();
    let loops = idle("loops").replace("sleep 3600", "sh -c 'echo again; exit 1'");
    lab.manifest(&format!("services:\n{loops}    restart: on-failure:3\n"));
    let mut session = lab.start(&["up", "--no-watch"]);
    session.says(0, "restarting");
    assert_eq!(session.end(), 0, "it ends when the engine has given up: {}", session.text());
    assert_eq!(lab.inspect("loops")["RestartCount"], 3, "{}", session.text());
}

/// A session that was asked for one service ends with it, and stops no other.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_session_stops_only_what_it_was_asked_for() {
    let lab = Lab::new();
    let once = idle("once").replace("sleep 3600", "\"true\"");
    lab.manifest(&format!(
        "services:\n{}{}    depends_on: [db]\n{once}    depends_on: [db]\n",
        idle("db"),
        idle("app")
    ));
    lab.ok(&["up", "-d", "db"]);
    let mut session = lab.start(&["up", "--no-watch", "app"]);
    session.says(0, "ready");
    session.signal(Signal::SIGINT);
    assert_eq!(session.end(), 130, "{}", session.text());
    assert_eq!(lab.states(), ["app exited", "db running"], "{}", session.text());
    assert!(session.text().contains("runs on: db"), "{}", session.text());
    lab.ok(&["up", "--no-watch", "once"]);
    assert!(lab.states().contains(&"db running".to_owned()));
    // And `start` takes along what a service needs.
    lab.ok(&["stop"]);
    lab.ok(&["start", "app"]);
    assert_eq!(lab.states(), ["app running", "db running", "once exited"]);
    lab.ok(&["rm", "-sf", "db"]);
    lab.ok(&["stop"]);
    lab.ends(&["start", "app"], 1).says(&["service \"db\" has no container to start", "hob up -d db"]);
}
