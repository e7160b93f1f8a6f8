//! Waiting until a service is what its dependents need. The engine is asked again and again at growing intervals: an
//! inspect costs it about a millisecond, and an event stream may break in the middle of a wait.
//!
//! A service without a health check is ready when it has lived for a moment and, where it publishes TCP ports, one of
//! them answers. How long a container lived that has ended is told by the engine's clock, so that the same program is
//! judged the same every time.

use std::fmt;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::beside::Beside;
use super::tail::tail;
use super::{Cause, Failure, port};
use crate::engine::Engine;
use crate::event::{Fact, Hold, Message, NeverReady, Pending};
use crate::model::{ContainerId, ContainerState, Health, HealthProbe, ObservedContainer, ServiceName};
use crate::plan::Until;

/// The first and the longest pause between two looks.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// What has no health check and lives for so long is ready.
const MOMENT: Duration = Duration::from_secs(1);
/// How long a published port may take to answer, before it is said that it does not.
const ANSWER: Duration = Duration::from_secs(10);
/// A container that the engine has started so often while it was waited for does not get better.
const STARTS: usize = 10;

/// What is waited for.
pub struct Wait<'a> {
    /// The service, for messages.
    pub service: Option<&'a ServiceName>,
    /// Names of its containers.
    pub containers: &'a [String],
    /// What they must become.
    pub until: Until,
    /// For how long at most.
    pub limit: Option<Duration>,
    /// Who may change the containers meanwhile.
    pub beside: Option<&'a Beside>,
}

impl Wait<'_> {
    /// Waits until all containers of the service are what is asked for. Gives what a person should know of those that
    /// are as ready as can be told: that nothing answers on their ports.
    pub async fn run(&self, engine: &dyn Engine, held: &(dyn Fn(Hold) + Sync)) -> Result<Vec<Message>, Failure> {
        let told = try_join_all(self.containers.iter().map(|name| self.one(engine, name, held))).await?;
        Ok(told.into_iter().flatten().collect())
    }

    async fn one(
        &self,
        engine: &dyn Engine,
        name: &str,
        held: &(dyn Fn(Hold) + Sync),
    ) -> Result<Option<Message>, Failure> {
        let id = ContainerId::new(name);
        let subject = self.service.map_or(name, |s| s.as_str());
        let began = Instant::now();
        let mut pause = PAUSE.0;
        let mut last = None;
        // When it was last seen to be started, and how often.
        let (mut run, mut since, mut starts) = (String::new(), began, 0);
        // When it has lived for long enough, and its ports began to be asked.
        let mut lives = None;
        loop {
            let beside = self.beside.zip(self.service);
            let begun = beside.map(|(beside, service)| beside.begun(service));
            let container = engine.inspect(&id).await.map_err(|error| Failure::of_engine(self.service, error))?;
            if let Some(container) = container.as_ref().filter(|container| container.started != run) {
                (since, lives) = (Instant::now(), None);
                run.clone_from(&container.started);
                starts += 1;
            }
            let mut verdict = judge(container.as_ref(), self.until, since.elapsed());
            if let (Verdict::Met, Until::Ready, Some(service), Some(container)) =
                (&verdict, self.until, self.service, container.as_ref().filter(|c| c.state.is_running()))
                && !port::any_answers(engine, container).await
            {
                if lives.get_or_insert_with(Instant::now).elapsed() >= ANSWER {
                    return Ok(port::silent(engine, service, container).await);
                }
                verdict = Verdict::NotYet(Pending::PortsSilent);
            }
            if starts > STARTS && verdict != Verdict::Met {
                verdict = Verdict::Never(NotReady::RestartLoop);
            }
            // A save is being brought into it: what was seen may have been on the way to something else.
            if matches!(verdict, Verdict::Never(_))
                && beside.zip(begun).is_some_and(|((beside, service), begun)| beside.changed_since(service, begun))
            {
                verdict = Verdict::NotYet(Pending::BeingChanged);
            }
            match verdict {
                Verdict::Met => return Ok(None),
                Verdict::Never(why) => return Err(failure(engine, self.service, name, self.until, why).await),
                Verdict::NotYet(state) => {
                    if last.replace(state) != Some(state) {
                        held(Hold::Service { name: subject.to_owned(), state });
                    }
                }
            }
            if let Some(limit) = self.limit
                && began.elapsed() >= limit
            {
                let why = NotReady::Late { limit, last };
                return Err(failure(engine, self.service, name, self.until, why).await);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// What one look at a container says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    NotYet(Pending),
    Never(NotReady),
}

/// Why a container does not become what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotReady {
    Removed,
    Gone,
    /// With how long it lived, where that was less than a moment.
    Exited {
        code: i64,
        lived: Option<Duration>,
    },
    RestartLoop,
    Unhealthy,
    NoHealthCheck,
    /// The limit was reached first.
    Late {
        limit: Duration,
        last: Option<Pending>,
    },
}

impl NotReady {
    fn fact(self) -> Option<NeverReady> {
        match self {
            Self::Exited { code, .. } => Some(NeverReady::Exited(code)),
            Self::Unhealthy => Some(NeverReady::Unhealthy),
            Self::NoHealthCheck => Some(NeverReady::NoHealthCheck),
            Self::Removed | Self::Gone | Self::RestartLoop | Self::Late { .. } => None,
        }
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed => f.write_str("was removed"),
            Self::Gone => f.write_str("is gone"),
            Self::Exited { code, lived: Some(lived) } => write!(f, "exited with {code} after {} ms", lived.as_millis()),
            Self::Exited { code, lived: None } => write!(f, "exited with {code}"),
            Self::RestartLoop => f.write_str("ends again and again"),
            Self::Unhealthy => f.write_str("is unhealthy"),
            Self::NoHealthCheck => f.write_str("has no health check, so it can never be healthy"),
            Self::Late { limit, last } => {
                write!(f, "was not ready within {} s", limit.as_secs())?;
                last.map_or(Ok(()), |last| write!(f, ": it {last}"))
            }
        }
    }
}

/// `alive` is how long it was seen to run.
fn judge(container: Option<&ObservedContainer>, until: Until, alive: Duration) -> Verdict {
    let Some(container) = container else { return Verdict::Never(NotReady::Removed) };
    match (container.state, until) {
        (ContainerState::Exited(0), Until::Completed) => Verdict::Met,
        (ContainerState::Exited(_), Until::Ready)
            if container.health.is_none() && container.lived.is_some_and(|lived| lived >= MOMENT) =>
        {
            Verdict::Met
        }
        (ContainerState::Exited(code), _) => {
            Verdict::Never(NotReady::Exited { code, lived: container.lived.filter(|lived| *lived < MOMENT) })
        }
        (ContainerState::Dead | ContainerState::Removing, _) => Verdict::Never(NotReady::Gone),
        (ContainerState::Restarting, _) => Verdict::NotYet(Pending::Restarting),
        (ContainerState::Created, _) => Verdict::NotYet(Pending::NotStarted),
        (_, Until::Completed) => Verdict::NotYet(Pending::Completing),
        (_, Until::Running) => Verdict::Met,
        (_, Until::Healthy | Until::Ready) => match container.health {
            Some(Health::Healthy) => Verdict::Met,
            Some(Health::Starting) => Verdict::NotYet(Pending::Starting),
            Some(Health::Unhealthy) => Verdict::Never(NotReady::Unhealthy),
            None if until == Until::Ready && alive >= MOMENT => Verdict::Met,
            None if until == Until::Ready => Verdict::NotYet(Pending::JustStarted),
            None => Verdict::Never(NotReady::NoHealthCheck),
        },
    }
}

/// The cause, what the health check printed, and the last lines of the log.
async fn failure(
    engine: &dyn Engine,
    service: Option<&ServiceName>,
    name: &str,
    until: Until,
    why: NotReady,
) -> Failure {
    let subject = service.map_or(name, |s| s.as_str());
    let fact = |why| Fact::NeverReady { container: name.to_owned(), service: subject.to_owned(), until, why };
    let fact = why.fact().map(fact).map(Box::new);
    let mut message = Message { service: service.cloned(), fact, ..Message::new(format!("{subject} {why}")) };
    if let NotReady::Exited { code: 0, lived: Some(_) } = why {
        message.hints.push(format!(
            "a service that is to end is one that another waits for with `service_completed_successfully`; \
             `hob logs {subject}` shows what it did"
        ));
    } else if why == NotReady::NoHealthCheck {
        message.hints.push(format!("give {subject} a `healthcheck`, or wait for it with `service_started`"));
    } else {
        if let Ok(probes) = engine.health_log(&ContainerId::new(name)).await
            && let Some(probe) = probes.last()
        {
            message.detail.extend(told_of(probe));
        }
        message.detail.extend(tail(engine, name, 10).await);
        message.hints.push(format!("`hob logs {subject}` shows its whole log"));
    }
    Failure { cause: Cause::Unhealthy, message }
}

/// How a health probe ended, and what it printed.
fn told_of(probe: &HealthProbe) -> Vec<String> {
    let code = probe.exit_code;
    let printed = probe.output.trim();
    match (code, printed) {
        (-1, "") => vec!["its last health probe did not end".to_owned()],
        (_, "") => vec![format!("its last health probe exited with {code} and printed nothing")],
        // What the engine says of a probe that it killed, or could not run.
        (-1, _) => vec![format!("its last health probe: {printed}")],
        _ => {
            let lines = printed.lines().map(|line| format!("  {line}"));
            std::iter::once(format!("its last health probe exited with {code}:")).chain(lines).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_told_of_with_what_it_printed() {
        let told = |exit_code, output: &str| told_of(&HealthProbe { exit_code, output: output.into() });
        assert_eq!(told(1, "\n"), ["its last health probe exited with 1 and printed nothing"]);
        assert_eq!(told(1, "no\nway\n"), ["its last health probe exited with 1:", "  no", "  way"]);
        let killed = "Health check exceeded timeout (1s)";
        assert_eq!(told(-1, killed), [format!("its last health probe: {killed}")]);
    }

    fn container(state: ContainerState, health: Option<Health>) -> ObservedContainer {
        ObservedContainer { state, health, ..ObservedContainer::default() }
    }

    #[test]
    fn one_look_decides() {
        use ContainerState::{Exited, Restarting, Running};
        for (state, health, until, met) in [
            (Running, None, Until::Running, Some(true)),
            (Running, Some(Health::Starting), Until::Healthy, None),
            (Running, Some(Health::Healthy), Until::Healthy, Some(true)),
            (Running, Some(Health::Unhealthy), Until::Healthy, Some(false)),
            (Running, None, Until::Healthy, Some(false)),
            (Running, None, Until::Ready, Some(true)),
            (Exited(0), None, Until::Ready, Some(false)),
            (Running, None, Until::Completed, None),
            (Exited(0), None, Until::Completed, Some(true)),
            (Exited(1), None, Until::Completed, Some(false)),
            (Exited(0), None, Until::Healthy, Some(false)),
            (Restarting, None, Until::Healthy, None),
        ] {
            let verdict = judge(Some(&container(state, health)), until, MOMENT);
            let expected = match met {
                Some(true) => matches!(verdict, Verdict::Met),
                Some(false) => matches!(verdict, Verdict::Never(_)),
                None => matches!(verdict, Verdict::NotYet(_)),
            };
            assert!(expected, "{state:?} {health:?} until {until:?} gave {verdict:?}");
        }
        assert!(matches!(judge(None, Until::Running, MOMENT), Verdict::Never(_)));
    }

    /// Whether a program is ready that ends soon does not depend on when it is looked at.
    #[test]
    fn how_long_it_lived_decides() {
        let ended = |code, millis| ObservedContainer {
            lived: Some(Duration::from_millis(millis)),
            ..container(ContainerState::Exited(code), None)
        };
        let ready = |container: &ObservedContainer| judge(Some(container), Until::Ready, Duration::ZERO);
        assert_eq!(
            ready(&ended(0, 20)),
            Verdict::Never(NotReady::Exited { code: 0, lived: Some(Duration::from_millis(20)) })
        );
        assert_eq!(
            ready(&ended(1, 999)),
            Verdict::Never(NotReady::Exited { code: 1, lived: Some(Duration::from_millis(999)) })
        );
        assert_eq!(ready(&ended(0, 1000)), Verdict::Met);
        assert_eq!(ready(&ended(1, 1500)), Verdict::Met);
        let running = container(ContainerState::Running, None);
        assert!(matches!(ready(&running), Verdict::NotYet(_)));
        assert_eq!(judge(Some(&running), Until::Ready, MOMENT), Verdict::Met);
    }
}
