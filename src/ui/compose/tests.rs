//! What is written for a stream of events, held against what Docker Compose 2.40 writes for the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::event::Reason;
use crate::ui::options::{Options, Progress, Surroundings};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Standard output and standard error of these events.
fn shown(progress: Progress, events: Vec<Event>) -> (String, String) {
    let (out, err) = (Written::default(), Written::default());
    let settings = Options { progress, ..Options::default() }.settle(Surroundings::default());
    let streams = Streams::new(Box::new(out.clone()), Box::new(err.clone()), None);
    let mut compose = Compose::new(&settings, streams, Box::new(|| "2026-01-02T03:04:05Z".to_owned()));
    for event in events {
        compose.event(event, Duration::from_millis(1500));
    }
    compose.flush(Duration::ZERO);
    (out.text(), err.text())
}

fn container(service: &str, runs: bool) -> PlannedContainer {
    PlannedContainer { service: service.into(), container: format!("shop-{service}-1"), number: 1, runs }
}

fn plan(ops: &[Operation], containers: Vec<PlannedContainer>, dry_run: bool) -> Event {
    let step = |(step, op): (usize, &Operation)| PlannedStep {
        step,
        op: op.clone(),
        service: Some("api".into()),
        reason: Reason::NoContainer,
        after: vec![],
    };
    let steps = ops.iter().enumerate().map(step).collect();
    Event::Plan { steps, unchanged: vec![], containers, dry_run, reload_of: None }
}

/// The plan, and each step from its begin to its end.
fn carried_out(ops: &[Operation], containers: Vec<PlannedContainer>) -> Vec<Event> {
    let mut events = vec![plan(ops, containers, false)];
    for (step, op) in ops.iter().enumerate() {
        let service = Some(ServiceName::from("api"));
        events.push(Event::StepStarted { step, op: op.clone(), service: service.clone(), reason: Reason::NoContainer });
        events.push(Event::StepDone { step, op: op.clone(), service, took_ms: 1 });
    }
    events
}

fn create(name: &str) -> Operation {
    Operation::CreateContainer { container: name.into() }
}

fn start(name: &str) -> Operation {
    Operation::StartContainer { container: name.into() }
}

#[test]
fn steps_are_told_as_compose_tells_them() {
    let ops = [
        Operation::Pull { image: "redis:7".into() },
        Operation::Build { services: vec!["api".into()] },
        Operation::CreateNetwork { network: "shop_default".into() },
        Operation::CreateVolume { volume: "shop_data".into() },
        create("shop-api-1"),
        start("shop-api-1"),
        Operation::Wait { containers: vec!["shop-api-1".into()], until: Until::Healthy },
        Operation::RestartContainer { container: "shop-api-1".into() },
        Operation::KillContainer { container: "shop-api-1".into(), signal: "SIGKILL".into() },
        Operation::StopContainer { container: "shop-api-1".into() },
        Operation::RemoveContainer { container: "shop-api-1".into() },
        Operation::RemoveVolume { volume: "shop_data".into() },
        Operation::RemoveImage { image: "shop-api:latest".into() },
        Operation::RemoveNetwork { network: "shop_default".into() },
    ];
    let (out, err) = shown(Progress::Plain, carried_out(&ops, vec![container("db", true), container("api", false)]));
    assert_eq!(out, "");
    let want = " Container shop-db-1  Running
 api Pulling \n api Pulled \n api  Built
 Network shop_default  Creating\n Network shop_default  Created
 Volume shop_data  Creating\n Volume shop_data  Created
 Container shop-api-1  Creating\n Container shop-api-1  Created
 Container shop-api-1  Starting\n Container shop-api-1  Started
 Container shop-api-1  Waiting\n Container shop-api-1  Healthy
 Container shop-api-1  Restarting\n Container shop-api-1  Started
 Container shop-api-1  Killing\n Container shop-api-1  Killed
 Container shop-api-1  Stopping\n Container shop-api-1  Stopped
 Container shop-api-1  Removing\n Container shop-api-1  Removed
 Volume shop_data  Removing\n Volume shop_data  Removed
 Image shop-api:latest  Removing\n Image shop-api:latest  Removed
 Network shop_default  Removing\n Network shop_default  Removed
";
    assert_eq!(err, want);
}

#[test]
fn a_recreation_is_two_lines() {
    let ops = [
        create("abc_shop-api-1"),
        Operation::StopContainer { container: "shop-api-1".into() },
        Operation::RemoveContainer { container: "shop-api-1".into() },
        Operation::RenameContainer { container: "abc_shop-api-1".into(), name: "shop-api-1".into() },
        start("shop-api-1"),
    ];
    let (_, err) = shown(Progress::Plain, carried_out(&ops, vec![container("api", false)]));
    let want = " Container shop-api-1  Recreate\n Container shop-api-1  Recreated\n Container shop-api-1  Starting\n \
                Container shop-api-1  Started\n";
    assert_eq!(err, want);
}

#[test]
fn what_is_attached_to_is_named_before_it_starts() {
    let mut events = vec![Event::Attaching { services: vec!["api".into(), "web".into()] }];
    let containers = vec![container("web", false), container("db", true), container("api", false)];
    events.extend(carried_out(&[create("shop-api-1"), start("shop-api-1")], containers));
    let exited = |service: &str| Event::State {
        service: service.into(),
        container: format!("shop-{service}-1"),
        number: 1,
        state: State::Exited { code: 3 },
        elsewhere: false,
    };
    events.extend([exited("api"), exited("db")]);
    let cause = EndCause::Exited { service: "api".into() };
    events.push(Event::Stopping { cause, services: true, forced: false });
    events.push(Event::Stopping { cause: EndCause::Interrupt, services: true, forced: false });
    let (out, err) = shown(Progress::Plain, events);
    assert_eq!(
        out,
        "Attaching to api-1, web-1\napi-1 exited with code 3\nGracefully Stopping... press Ctrl+C again to force\n"
    );
    let want = " Container shop-db-1  Running\n Container shop-api-1  Creating\n Container shop-api-1  Created\n\
                Aborting on container exit...\n";
    assert_eq!(err, want);
}

#[test]
fn a_dry_run_is_told_as_if_it_were_done() {
    let (_, err) = shown(Progress::Plain, vec![plan(&[create("shop-api-1")], vec![container("api", false)], true)]);
    let want = " DRY-RUN MODE -  Container shop-api-1  Creating\n DRY-RUN MODE -  Container shop-api-1  Created\n";
    assert_eq!(err, want);
}

#[test]
fn failures_are_one_sentence() {
    let never = |until, why| {
        let fact = Fact::NeverReady { container: "shop-db-1".into(), service: "db".into(), until, why };
        Message { fact: Some(Box::new(fact)), ..Message::new("db is not ready").hint("look at it") }
    };
    let cases = [
        (
            never(Until::Healthy, NeverReady::Exited(137)),
            "dependency failed to start: container shop-db-1 exited (137)",
        ),
        (never(Until::Healthy, NeverReady::Unhealthy), "dependency failed to start: container shop-db-1 is unhealthy"),
        (never(Until::Ready, NeverReady::Exited(3)), "container shop-db-1 exited (3)"),
        (never(Until::Ready, NeverReady::Unhealthy), "container shop-db-1 is unhealthy"),
        (never(Until::Completed, NeverReady::Exited(1)), "service \"db\" didn't complete successfully: exit 1"),
        (Message::new("no such service: x").hint("did you mean y?"), "no such service: x"),
    ];
    for (message, want) in cases {
        assert_eq!(shown(Progress::Plain, vec![Event::Error(message)]), (String::new(), format!("{want}\n")));
    }
    let warning = || vec![Event::Warning(Message::new("The \"X\" variable is not set."))];
    let want = "time=\"2026-01-02T03:04:05Z\" level=warning msg=\"The \\\"X\\\" variable is not set.\"\n";
    assert_eq!(shown(Progress::Plain, warning()).1, want);
}

#[test]
fn json_is_a_line_for_each_change() {
    let mut events = carried_out(&[start("shop-api-1")], vec![]);
    events.push(Event::Error(Message::new("no such service: x")));
    let (_, err) = shown(Progress::Json, events);
    let want = "{\"id\":\"Container shop-api-1\",\"status\":\"Starting\"}\n\
                {\"id\":\"Container shop-api-1\",\"status\":\"Started\"}\n\
                {\"error\":true,\"message\":\"no such service: x\"}\n";
    assert_eq!(err, want);
    let quiet = shown(Progress::Quiet, carried_out(&[start("shop-api-1")], vec![container("db", true)]));
    assert_eq!(quiet, (String::new(), String::new()));
}

#[test]
fn builds_are_told_as_buildkit_tells_them() {
    let services = || vec![ServiceName::from("web")];
    let step = |step: &str, name: &str| Event::BuildStep { services: services(), step: step.into(), name: name.into() };
    let done = |step: &str, name: &str, cached, error: Option<&str>| Event::BuildStepDone {
        services: services(),
        step: step.into(),
        name: name.into(),
        cached,
        took_ms: 640,
        error: error.map(str::to_owned),
    };
    let events = vec![
        step("a", "[internal] load .dockerignore"),
        done("a", "[internal] load .dockerignore", false, None),
        done("b", "[1/2] FROM busybox", true, None),
        step("c", "[2/2] RUN make"),
        Event::BuildOutput { services: services(), step: "c".into(), line: "cc".into() },
        done("c", "[2/2] RUN make", false, Some("exit code: 1")),
        step("d", "exporting to image"),
    ];
    let want = "#1 [web internal] load .dockerignore\n#1 DONE 0.6s\n\n#2 [web 1/2] FROM busybox\n#2 CACHED\n\n\
                #3 [web 2/2] RUN make\n#3 0.000 cc\n#3 ERROR: exit code: 1\n------\n > [web 2/2] RUN make:\n------\n\n\
                #4 [web] exporting to image\n";
    assert_eq!(shown(Progress::Plain, events), (want.to_owned(), String::new()));
}
