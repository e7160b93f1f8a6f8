//! The life of one supervised command as a pure state machine: it is told what happened and when, and says what to
//! do next. It starts nothing, sends nothing and reads no clock, so the agent (no standard library, `poll`) and
//! hob's own host processes (tokio) drive the very same rules.
//!
//! Invariants:
//! - There is at most one running command, and a new one starts only after the old one and what it left behind are
//!   gone (or the time for that is over).
//! - A command that ends by itself ends the supervision with its own result; only a restart starts it again.
//! - A stop wins over a restart that is under way; a restart that comes while one is stopping joins it.
//! - After the grace the command is killed; this happens once per stop.
//!
//! This file is compiled into the agent too (`src/agent/program/`), so it uses `core` only.

/// A moment or a length of time in microseconds, on whatever clock the caller has.
pub type Micros = u64;

/// How long what a command left behind may take to disappear after SIGKILL before the next start goes ahead anyway.
pub const CLEAR_TIME: Micros = 2_000_000;

const SIGINT: u8 = 2;
const SIGQUIT: u8 = 3;
const SIGKILL: u8 = 9;
const SIGTERM: u8 = 15;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

impl Exit {
    /// The exit code that a shell (and an engine) gives it: 128 and the number for a signal.
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_add(128),
        }
    }
}

/// How to stop a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The signal that asks it to end.
    pub signal: u8,
    /// How long it may take before SIGKILL.
    pub grace: Micros,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Start for the first time, or again after the end.
    Start,
    /// The command that [`Step::Start`] asked for runs.
    Started(u32),
    /// It could not be started; the code is what the supervision ends with.
    StartFailed(u8),
    /// A process ended; others than the command are ignored.
    Exited(u32, Exit),
    /// What the command left behind is gone.
    Cleared,
    /// Stop, then start again.
    Restart(Stop),
    /// Stop for good.
    Stop(Stop),
    /// A signal from outside that is for the command.
    Forward(u8),
    /// The time of [`Machine::deadline`] has come.
    Tick,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Start the command, then say [`Input::Started`] or [`Input::StartFailed`].
    Start,
    /// Send a signal to the command.
    Signal(u32, u8),
    /// Kill what the command (gone already) left behind, then say [`Input::Cleared`].
    Clear(u32),
    /// The supervision is over.
    End(Exit),
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Start,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Starting { end: bool },
    Running { pid: u32 },
    Stopping { pid: u32, signal: u8, kill_at: Option<Micros>, then: Then },
    Clearing { pid: u32, exit: Exit, until: Micros, then: Then },
    Ended(Exit),
}

/// The phase of a command's life, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Never started.
    Idle,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Asked to stop.
    Stopping,
    /// Over.
    Ended,
}

/// The state machine of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    state: State,
}

impl Default for Machine {
    fn default() -> Self {
        Self { state: State::Idle }
    }
}

impl Machine {
    /// Takes in what happened at `now` and says what to do.
    pub fn handle(&mut self, now: Micros, input: Input) -> Step {
        match input {
            Input::Start => self.start(),
            Input::Started(pid) => self.started(now, pid),
            Input::StartFailed(code) => self.end(Exit::Code(code)),
            Input::Exited(pid, exit) => self.exited(now, pid, exit),
            Input::Cleared => self.cleared(),
            Input::Restart(stop) => self.restart(now, stop),
            Input::Stop(stop) => self.stop(now, stop),
            Input::Forward(signal) => self.forward(signal),
            Input::Tick => self.tick(now),
        }
    }

    /// When [`Input::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Micros> {
        match self.state {
            State::Stopping { kill_at, .. } => kill_at,
            State::Clearing { until, .. } => Some(until),
            _ => None,
        }
    }

    /// The process of the command while it is there.
    pub fn pid(&self) -> Option<u32> {
        match self.state {
            State::Running { pid } | State::Stopping { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// The command whose remains are being removed.
    pub fn clearing(&self) -> Option<u32> {
        match self.state {
            State::Clearing { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Whether the supervision ends when the command is gone.
    pub fn ends(&self) -> bool {
        matches!(
            self.state,
            State::Ended(_) | State::Stopping { then: Then::End, .. } | State::Clearing { then: Then::End, .. }
        )
    }

    /// How the supervision ended, if it did.
    pub fn exit(&self) -> Option<Exit> {
        match self.state {
            State::Ended(exit) => Some(exit),
            _ => None,
        }
    }

    /// The phase, for people.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Idle => Phase::Idle,
            State::Starting { .. } => Phase::Starting,
            State::Running { .. } => Phase::Running,
            State::Stopping { .. } | State::Clearing { .. } => Phase::Stopping,
            State::Ended(_) => Phase::Ended,
        }
    }

    fn start(&mut self) -> Step {
        match self.state {
            State::Idle | State::Ended(_) => {
                self.state = State::Starting { end: false };
                Step::Start
            }
            _ => Step::Nothing,
        }
    }

    fn started(&mut self, now: Micros, pid: u32) -> Step {
        if let State::Starting { end: true } = self.state {
            // A stop came while it was being started.
            self.state = State::Stopping { pid, signal: SIGTERM, kill_at: Some(now), then: Then::End };
            return Step::Signal(pid, SIGTERM);
        }
        self.state = State::Running { pid };
        Step::Nothing
    }

    fn exited(&mut self, now: Micros, gone: u32, exit: Exit) -> Step {
        let then = match self.state {
            State::Running { pid } if pid == gone => Then::End,
            State::Stopping { pid, then, .. } if pid == gone => then,
            _ => return Step::Nothing,
        };
        self.state = State::Clearing { pid: gone, exit, until: now.saturating_add(CLEAR_TIME), then };
        Step::Clear(gone)
    }

    fn cleared(&mut self) -> Step {
        match self.state {
            State::Clearing { then: Then::Start, .. } => {
                self.state = State::Starting { end: false };
                Step::Start
            }
            State::Clearing { exit, then: Then::End, .. } => self.end(exit),
            _ => Step::Nothing,
        }
    }

    fn restart(&mut self, now: Micros, stop: Stop) -> Step {
        match self.state {
            State::Running { pid } => self.stopping(now, pid, stop, Then::Start),
            State::Idle | State::Ended(_) => self.start(),
            // One under way has not started the command yet: its start serves this request too. And a stop wins.
            State::Starting { .. } | State::Stopping { .. } | State::Clearing { .. } => Step::Nothing,
        }
    }

    fn stop(&mut self, now: Micros, stop: Stop) -> Step {
        match &mut self.state {
            State::Running { pid } => {
                let pid = *pid;
                self.stopping(now, pid, stop, Then::End)
            }
            State::Stopping { kill_at, then, .. } => {
                *then = Then::End;
                // The shorter of the two graces counts.
                let asked = now.saturating_add(stop.grace);
                *kill_at = kill_at.map(|before| before.min(asked));
                Step::Nothing
            }
            State::Clearing { then, .. } => {
                *then = Then::End;
                Step::Nothing
            }
            State::Starting { end } => {
                *end = true;
                Step::Nothing
            }
            State::Idle => self.end(Exit::Code(0)),
            State::Ended(_) => Step::Nothing,
        }
    }

    fn stopping(&mut self, now: Micros, pid: u32, stop: Stop, then: Then) -> Step {
        let kill_at = if stop.signal == SIGKILL { None } else { Some(now.saturating_add(stop.grace)) };
        self.state = State::Stopping { pid, signal: stop.signal, kill_at, then };
        Step::Signal(pid, stop.signal)
    }

    fn forward(&mut self, signal: u8) -> Step {
        match &mut self.state {
            State::Running { pid } => Step::Signal(*pid, signal),
            State::Stopping { pid, signal: asked, then, .. } => {
                if is_end(signal) || signal == *asked {
                    *then = Then::End;
                }
                Step::Signal(*pid, signal)
            }
            State::Clearing { then, .. } if is_end(signal) => {
                *then = Then::End;
                Step::Nothing
            }
            _ => Step::Nothing,
        }
    }

    fn tick(&mut self, now: Micros) -> Step {
        match &mut self.state {
            State::Stopping { pid, kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                *kill_at = None;
                Step::Signal(*pid, SIGKILL)
            }
            State::Clearing { until, .. } if *until <= now => self.cleared(),
            _ => Step::Nothing,
        }
    }

    fn end(&mut self, exit: Exit) -> Step {
        self.state = State::Ended(exit);
        Step::End(exit)
    }
}

/// Signals by which somebody outside means that the command shall end, even while it is being restarted.
fn is_end(signal: u8) -> bool {
    matches!(signal, SIGINT | SIGQUIT | SIGTERM)
}
