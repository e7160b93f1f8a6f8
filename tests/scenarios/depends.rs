//! `depends_on`: what is waited for, and what a failure says.

use crate::lab::{Lab, idle, until};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn each_condition_is_waited_for() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:
  job:
    image: hob-test/busybox:1
    command: sh -c 'sleep 0.3; echo migrated'
    network_mode: none
{}    command: sh -c 'sleep 0.3; touch /ready; exec sleep 3600'
    healthcheck: {{test: [CMD, test, -e, /ready], interval: 100ms, retries: 100}}
{}
{}    depends_on:
      job: {{condition: service_completed_successfully}}
      db: {{condition: service_healthy}}
      cache: {{condition: service_started}}
",
        idle("db").replace("    command: sleep 3600\n", ""),
        idle("cache"),
        idle("api")
    ));
    let done = lab.ok(&["up", "-d"]);
    done.says(&["waiting: job runs; waiting for it to complete", "waiting: db is starting"]);
    let api = lab.started("api");
    let job = lab.inspect("job");
    assert_eq!(job["State"]["ExitCode"], 0);
    assert!(job["State"]["FinishedAt"].as_str().unwrap() <= api.as_str(), "{job} and api at {api}");
    assert!(lab.started("cache") <= api);
    let db = lab.inspect("db");
    assert_eq!(db["State"]["Health"]["Status"], "healthy");
    let probes = db["State"]["Health"]["Log"].as_array().unwrap().clone();
    let passed = probes.iter().find(|probe| probe["ExitCode"] == 0);
    if let Some(passed) = passed.filter(|_| probes.len() < 5) {
        assert!(passed["Start"].as_str().unwrap() <= api.as_str(), "{passed} and api at {api}");
    }
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    assert_eq!(lab.inspect("job")["State"], job["State"], "a job that has completed is not run again");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_failing_job_stops_its_dependents_with_the_cause() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:
  job:
    image: hob-test/busybox:1
    command: sh -c 'echo first line; echo table is missing >&2; exit 3'
    network_mode: none
{}    depends_on:
      job: {{condition: service_completed_successfully}}
",
        idle("api")
    ));
    let done = lab.ends(&["up", "-d"], 22);
    done.says(&[
        "job exited with 3",
        "last lines of the log",
        "first line",
        "table is missing",
        "hob logs job",
        "failed: job; left as it is: api",
    ]);
    assert_ne!(lab.states().first().map(String::as_str), Some("api running"));
    // The same again, and mended.
    lab.ends(&["up", "-d"], 22);
    let mended = std::fs::read_to_string(lab.dir.join("devenv.yaml")).unwrap().replace("exit 3", "exit 0");
    lab.manifest(&mended);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.states(), ["api running", "job exited"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_failing_health_check_stops_its_dependents_with_its_output() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:
{}    command: sh -c 'echo listening on nothing; exec sleep 3600'
    healthcheck: {{test: echo cannot connect to myself; exit 1, interval: 100ms, retries: 2}}
{}    depends_on:
      db: {{condition: service_healthy}}
",
        idle("db").replace("    command: sleep 3600\n", ""),
        idle("api")
    ));
    let done = lab.ends(&["up", "-d"], 22);
    done.says(&["db is unhealthy", "health probe exited with 1", "cannot connect to myself", "listening on nothing"]);
    done.says(&["hob logs db"]);
    assert!(!lab.states().contains(&"api running".to_owned()));
}

/// Nothing is to be made, and not all is as it should be.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_unhealthy_dependency_of_what_runs_fails_up_too() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}    healthcheck: {{test: [CMD, test, -e, /ready], interval: 100ms, retries: 2}}\n{}    depends_on:\n      \
         db: {{condition: service_healthy}}\n",
        idle("db").replace("sleep 3600", "sh -c 'touch /ready; exec sleep 3600'"),
        idle("api")
    ));
    let becomes = |health: &str| {
        until(|| match lab.inspect("db")["State"]["Health"]["Status"].clone() {
            now if now == health => Ok(()),
            now => Err(now.to_string()),
        });
    };
    lab.ok(&["up", "-d"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.exec("db", "rm /ready");
    becomes("unhealthy");
    let says = ["db is unhealthy", "its last health probe exited with 1 and printed nothing"];
    lab.ends(&["up", "-d"], 22).says(&says);
    lab.ok(&["why", "db"]).says(&["its health check fails"]);
    lab.exec("db", "touch /ready");
    becomes("healthy");
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_service_that_ends_is_told_apart_from_one_that_is_unhealthy() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:
  db:
    image: hob-test/busybox:1
    command: sh -c 'echo no disk; exit 7'
    network_mode: none
    healthcheck: {{test: [CMD, \"true\"], interval: 10s}}
{}    depends_on:
      db: {{condition: service_healthy}}
",
        idle("api")
    ));
    lab.ends(&["up", "-d"], 22).says(&["db exited with 7", "no disk"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn with_keep_going_others_go_on() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:
  job:
    image: hob-test/busybox:1
    command: sh -c 'exit 3'
    network_mode: none
  slow:
    image: hob-test/busybox:1
    command: sh -c 'sleep 0.5'
    network_mode: none
{}    depends_on:
      job: {{condition: service_completed_successfully}}
{}    depends_on:
      slow: {{condition: service_completed_successfully}}
",
        idle("api"),
        idle("other")
    ));
    lab.ends(&["up", "-d", "--keep-going"], 22).says(&["job exited with 3", "failed: job; left as it is: api"]);
    let states = lab.states();
    assert!(states.contains(&"other running".to_owned()) && !states.contains(&"api running".to_owned()), "{states:?}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn wait_waits_until_all_are_ready_and_no_longer_than_it_may() {
    let lab = Lab::new();
    let manifest = |test: &str| {
        format!(
            "services:\n{}    healthcheck: {{test: {test}, interval: 100ms, start_period: 1h, retries: 3}}\n",
            idle("a")
        )
    };
    lab.manifest(&manifest("[CMD, \"true\"]"));
    lab.ok(&["up", "--wait"]);
    assert_eq!(lab.inspect("a")["State"]["Health"]["Status"], "healthy");
    lab.manifest(&manifest("[CMD, \"false\"]"));
    lab.ends(&["up", "--wait", "--wait-timeout", "1"], 22).says(&["was not ready within 1 s", "a"]);
    assert_eq!(lab.states(), ["a running"]);
}
