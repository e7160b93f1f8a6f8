//! What is killed, cut, stopped or paused in the middle of a burst is right again afterwards: by itself while hob
//! watches, else after the next `hob up`.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{Edited, Lab, Proxy, Session, engine, seeds};

/// What happens in the middle of a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chaos {
    /// `kill -9` of hob.
    KillHob,
    /// `kill` of hob.
    EndHob,
    /// hob's process does nothing for a while, as in a suspended machine.
    StopHob,
    /// The agent's end of its stream to hob is killed.
    KillStream,
    /// The engine goes away and comes back.
    CutEngine,
    /// `docker kill`.
    KillContainer,
    /// `docker rm -f`.
    RemoveContainer,
    /// `docker restart`.
    RestartContainer,
    /// `docker pause`, and `unpause` after a moment.
    PauseContainer,
    /// The engine ends, with all containers or without them, and is started again.
    RestartEngine,
}

/// A shell command that restarts the engine, for a run of its own: whoever else uses the engine would notice.
const RESTART: &str = "HOB_ENGINE_RESTART";

const ALL: [Chaos; 9] = [
    Chaos::KillHob,
    Chaos::KillStream,
    Chaos::CutEngine,
    Chaos::KillContainer,
    Chaos::RemoveContainer,
    Chaos::RestartContainer,
    Chaos::PauseContainer,
    Chaos::EndHob,
    Chaos::StopHob,
];

/// What it leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing: hob sees to it.
    ByItself,
    /// hob is gone, or does not have to make a container again that others took away.
    Up,
}

fn post(lab: &Lab, service: &str, what: &str) {
    // It may be on its way to another container at this moment.
    if let Some(container) = lab.containers().iter().find(|container| container.service == service) {
        let _ = engine::request("POST", &format!("/containers/{}/{what}", container.id), "");
    }
}

fn moment(milliseconds: usize) {
    std::thread::sleep(Duration::from_millis(milliseconds as u64));
}

impl Chaos {
    fn happen(self, lab: &Lab, service: &str, session: &Session, proxy: &Proxy, pause: usize) -> Then {
        match self {
            Self::KillHob => session.signal(Signal::SIGKILL),
            Self::EndHob => session.signal(Signal::SIGTERM),
            Self::StopHob => {
                session.signal(Signal::SIGSTOP);
                moment(pause);
                session.signal(Signal::SIGCONT);
            }
            Self::KillStream => {
                let kill = "for process in /proc/[0-9]*; do tr '\\0' ' ' <$process/cmdline | grep -q 'agent [s]erve' && \
                            kill -9 ${process#/proc/}; done; true";
                let all = lab.containers();
                if let Some(container) = all.iter().find(|container| container.service == service) {
                    let body = serde_json::json!({ "Cmd": ["sh", "-c", kill], "User": "0" }).to_string();
                    let path = format!("/containers/{}/exec", container.id);
                    let (_, made) = engine::request("POST", &path, &body).unwrap();
                    let made: serde_json::Value = serde_json::from_slice(&made).unwrap_or_default();
                    if let Some(id) = made["Id"].as_str() {
                        let _ = engine::request("POST", &format!("/exec/{id}/start"), "{\"Detach\":false}");
                    }
                }
            }
            Self::CutEngine => {
                proxy.cut();
                moment(pause);
                proxy.open();
            }
            Self::KillContainer => post(lab, service, "kill"),
            Self::RemoveContainer => {
                if let Some(container) = lab.containers().iter().find(|container| container.service == service) {
                    engine::delete(&format!("/containers/{}?force=1", container.id));
                }
            }
            Self::RestartContainer => post(lab, service, "restart?t=0"),
            Self::PauseContainer => {
                post(lab, service, "pause");
                moment(pause);
                post(lab, service, "unpause");
            }
            Self::RestartEngine => {
                let command = std::env::var(RESTART).unwrap_or_default();
                let status = std::process::Command::new("sh").args(["-c", &command]).status();
                assert!(status.is_ok_and(|status| status.success()), "{command}");
            }
        }
        match self {
            Self::KillHob | Self::EndHob | Self::KillContainer | Self::RemoveContainer => Then::Up,
            _ => Then::ByItself,
        }
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_breaks_in_the_middle_of_a_burst_is_right_again() {
    'cases: for seed in seeds(2) {
        let mut edited = Edited::new(seed);
        let proxy = Proxy::start(edited.lab.outside("proxy.sock"));
        edited.lab.env.insert("DOCKER_HOST".into(), proxy.host());
        println!("seed {seed}: {:?}", edited.services());
        let mut session = edited.keep_hot();
        for round in 0..2 {
            let chaos = match std::env::var_os(RESTART) {
                Some(_) => Chaos::RestartEngine,
                None => ALL[(usize::try_from(seed).unwrap() * 2 + round) % ALL.len()],
            };
            let random = edited.edits.random();
            let (before, pause, wait) = (random.usize(..400), 50 + random.usize(..900), random.usize(..300));
            let (steps, more) = (3 + random.usize(..15), random.u8(..100) < 70);
            let service = *edited.services().first().unwrap();
            edited.edits.log.push(format!("{chaos:?} of {service} {before} ms after the burst began, for {pause} ms"));
            let (lab, edits) = (&edited.lab, &mut edited.edits);
            let then = std::thread::scope(|scope| {
                let burst = scope.spawn(move || edits.steps(steps));
                moment(before);
                let then = chaos.happen(lab, service, &session, &proxy, pause);
                burst.join().unwrap();
                then
            });
            if more {
                moment(wait);
                edited.burst();
            }
            edited.mend();
            if then == Then::ByItself {
                edited.check(Some(&session));
                println!("  {chaos:?}: by itself");
                continue;
            }
            if matches!(chaos, Chaos::KillHob | Chaos::EndHob) {
                session.end();
            } else {
                let alone = edited.holds(Some(&session));
                println!("  {chaos:?}, by itself: {}", if alone.is_ok() { "yes" } else { "no" });
                session.interrupt();
            }
            if !edited.up() {
                // No session can begin with such a tree.
                continue 'cases;
            }
            println!("  {chaos:?}: after up");
            session = edited.keep_hot();
        }
        session.interrupt();
        edited.up();
    }
}
