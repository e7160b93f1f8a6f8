//! Commands on the host (`process:` services): the shell that does what [`Machine`] says, on tokio.
//!
//! Invariants:
//! - Each command leads a process group of its own; signals go to the group, since what a developer writes is often a
//!   shell or a runner (`npm run dev`) that passes none on.
//! - When a command ends, what is left of its group is killed before anything else is started or told.
//! - Output comes line by line and in order per stream; a reader that is slow slows the command, it loses nothing.
//! - Dropping the handle kills the command.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Exit, Input, Machine, Micros, Step, Stop};

/// A line that is longer comes in pieces.
const MAX_LINE: u64 = 64 << 10;

/// Lines that may wait to be taken.
const WAITING: usize = 1024;

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Program and arguments. A bare name is looked up in the `PATH` of `environment`.
    pub command: Vec<String>,
    /// Working directory.
    pub workdir: PathBuf,
    /// The whole environment: nothing of hob's own is added.
    pub environment: Vec<(String, String)>,
}

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What happens to the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It runs.
    Started(u32),
    /// It wrote a line (without its end).
    Line(Stream, Vec<u8>),
    /// It could not be started, in words; [`Event::Ended`] follows.
    StartFailed(String),
    /// It ended and is not started again by itself.
    Ended(Exit),
}

/// Nobody supervises the command any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the process is no longer supervised")]
pub struct Gone;

/// A handle to a supervised command. Dropping it kills the command.
#[derive(Debug)]
pub struct Process {
    requests: mpsc::UnboundedSender<Request>,
}

#[derive(Debug)]
enum Request {
    Restart(Stop, oneshot::Sender<Option<u32>>),
    Stop(Stop, oneshot::Sender<Exit>),
    Signal(u8),
}

impl Process {
    /// Starts a command. The events have to be taken, or the command waits for its output to be taken.
    pub fn start(spec: Spec) -> (Self, mpsc::Receiver<Event>) {
        let (requests, inbox) = mpsc::unbounded_channel();
        let (events, outbox) = mpsc::channel(WAITING);
        let shell = Shell {
            spec,
            machine: Machine::default(),
            began: Instant::now(),
            child: None,
            readers: JoinSet::new(),
            events,
            restarts: Vec::new(),
            stops: Vec::new(),
        };
        tokio::spawn(shell.run(inbox));
        (Self { requests }, outbox)
    }

    /// Stops the command if it runs, and starts it (again). Its new process, or `None` where it could not be started
    /// or a stop came in between.
    pub async fn restart(&self, stop: Stop) -> Result<Option<u32>, Gone> {
        let (answer, wait) = oneshot::channel();
        self.requests.send(Request::Restart(stop, answer)).map_err(|_| Gone)?;
        wait.await.map_err(|_| Gone)
    }

    /// Stops the command for good, and says how it ended.
    pub async fn stop(&self, stop: Stop) -> Result<Exit, Gone> {
        let (answer, wait) = oneshot::channel();
        self.requests.send(Request::Stop(stop, answer)).map_err(|_| Gone)?;
        wait.await.map_err(|_| Gone)
    }

    /// Sends the command a signal.
    pub fn signal(&self, signal: u8) -> Result<(), Gone> {
        self.requests.send(Request::Signal(signal)).map_err(|_| Gone)
    }
}

struct Shell {
    spec: Spec,
    machine: Machine,
    began: Instant,
    child: Option<Child>,
    readers: JoinSet<()>,
    events: mpsc::Sender<Event>,
    restarts: Vec<oneshot::Sender<Option<u32>>>,
    stops: Vec<oneshot::Sender<Exit>>,
}

impl Shell {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        self.drive(Input::Start).await;
        loop {
            let clearing = self.machine.clearing().is_some();
            let deadline = self.machine.deadline().map(|at| self.began + Duration::from_micros(at));
            let input = tokio::select! {
                request = inbox.recv() => match request {
                    Some(request) => self.take(request),
                    None => break,
                },
                (pid, exit) = ended(&mut self.child) => {
                    self.child = None;
                    Input::Exited(pid, exit)
                }
                // The group was killed; when its output ends as well there is nobody left.
                next = self.readers.join_next(), if clearing => match next {
                    Some(_) => continue,
                    None => Input::Cleared,
                },
                () = at(deadline) => Input::Tick,
            };
            self.drive(input).await;
        }
        if let Some(pid) = self.machine.pid().or(self.machine.clearing()) {
            signal_group(pid, Signal::SIGKILL as u8);
        }
    }

    fn take(&mut self, request: Request) -> Input {
        match request {
            Request::Restart(stop, answer) => {
                self.restarts.push(answer);
                Input::Restart(stop)
            }
            Request::Stop(stop, answer) => {
                if let Some(exit) = self.machine.exit() {
                    let _ = answer.send(exit);
                } else {
                    self.stops.push(answer);
                }
                Input::Stop(stop)
            }
            Request::Signal(signal) => Input::Forward(signal),
        }
    }

    async fn drive(&mut self, first: Input) {
        let mut input = first;
        loop {
            input = match self.machine.handle(self.now(), input) {
                Step::Nothing => return,
                Step::Start => self.start().await,
                Step::Signal(pid, signal) => {
                    signal_group(pid, signal);
                    return;
                }
                Step::Clear(pid) => {
                    signal_group(pid, Signal::SIGKILL as u8);
                    return;
                }
                Step::End(exit) => {
                    // Whoever waits is told first: it may be the one who takes the events.
                    for answer in self.restarts.drain(..) {
                        let _ = answer.send(None);
                    }
                    for answer in self.stops.drain(..) {
                        let _ = answer.send(exit);
                    }
                    let _ = self.events.send(Event::Ended(exit)).await;
                    return;
                }
            };
        }
    }

    async fn start(&mut self) -> Input {
        // What still reads belongs to a command that is over.
        self.readers.detach_all();
        let mut parts = self.spec.command.iter();
        let program = parts.next().cloned().unwrap_or_default();
        let mut command = Command::new(&program);
        command.args(parts).current_dir(&self.spec.workdir);
        command.env_clear().envs(self.spec.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        match command.spawn() {
            Ok(mut child) => {
                let pid = child.id().unwrap_or(0);
                if let Some(out) = child.stdout.take() {
                    self.readers.spawn(lines(out, Stream::Stdout, self.events.clone()));
                }
                if let Some(err) = child.stderr.take() {
                    self.readers.spawn(lines(err, Stream::Stderr, self.events.clone()));
                }
                self.child = Some(child);
                for answer in self.restarts.drain(..) {
                    let _ = answer.send(Some(pid));
                }
                let _ = self.events.send(Event::Started(pid)).await;
                Input::Started(pid)
            }
            Err(error) => {
                let code = if error.kind() == std::io::ErrorKind::PermissionDenied { 126 } else { 127 };
                let words = format!("{program} cannot be started: {error}");
                let _ = self.events.send(Event::StartFailed(words)).await;
                Input::StartFailed(code)
            }
        }
    }

    fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// The end of a child; never where there is none.
async fn ended(child: &mut Option<Child>) -> (u32, Exit) {
    match child {
        Some(child) => {
            let pid = child.id().unwrap_or(0);
            (pid, child.wait().await.map_or(Exit::Code(255), exit))
        }
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn exit(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;
    let byte = |number: i32| u8::try_from(number).unwrap_or(255);
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(byte(code)),
        (None, Some(signal)) => Exit::Signal(byte(signal)),
        (None, None) => Exit::Code(255),
    }
}

/// A group that is gone needs no signal any more.
fn signal_group(group: u32, signal: u8) {
    if let (Ok(group), Ok(signal)) = (i32::try_from(group), Signal::try_from(i32::from(signal)))
        && group > 0
    {
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

async fn lines(output: impl AsyncRead + Unpin, stream: Stream, events: mpsc::Sender<Event>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        // The limit is per line: a program that never ends its line does not fill the memory.
        match (&mut output).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if line.last() == Some(&b'\n') {
                    line.pop();
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                }
                if events.send(Event::Line(stream, line)).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Stop = Stop { signal: 15, grace: 600_000_000 };

    fn shell(script: &str) -> Spec {
        Spec {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            workdir: PathBuf::from("/"),
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("MARK".to_owned(), "here".to_owned())],
        }
    }

    async fn line(events: &mut mpsc::Receiver<Event>) -> String {
        loop {
            match events.recv().await.unwrap() {
                Event::Line(_, line) => return String::from_utf8(line).unwrap(),
                Event::Started(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_command_that_ends_is_told_after_its_output() {
        let (_process, mut events) = Process::start(shell("echo out $MARK $PWD; echo err >&2; exit 3"));
        let mut all = Vec::new();
        while all.last() != Some(&Event::Ended(Exit::Code(3))) {
            all.push(events.recv().await.unwrap());
        }
        assert!(matches!(all[0], Event::Started(pid) if pid > 0));
        assert!(all.contains(&Event::Line(Stream::Stdout, b"out here /".to_vec())), "{all:?}");
        assert!(all.contains(&Event::Line(Stream::Stderr, b"err".to_vec())), "{all:?}");
        assert_eq!(all.len(), 4);
    }

    #[tokio::test]
    async fn a_restart_gives_a_new_process_and_leaves_nothing_of_the_old_one() {
        let (process, mut events) = Process::start(shell("sleep 600 & echo $!; wait"));
        let child: i32 = line(&mut events).await.parse().unwrap();
        let new = process.restart(TERM).await.unwrap().unwrap();
        assert!(nix::sys::signal::kill(Pid::from_raw(child), None).is_err() || is_zombie(child));
        line(&mut events).await;
        assert_eq!(process.stop(TERM).await.unwrap(), Exit::Signal(15));
        assert_eq!(process.stop(TERM).await.unwrap(), Exit::Signal(15), "stopping twice is fine");
        assert!(process.restart(TERM).await.unwrap().is_some_and(|again| again != new), "and so is starting again");
    }

    fn is_zombie(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    }

    #[tokio::test]
    async fn what_ignores_the_signal_is_killed() {
        let (process, mut events) = Process::start(shell("trap '' TERM; echo ready; while :; do sleep 600; done"));
        assert_eq!(line(&mut events).await, "ready");
        assert_eq!(process.stop(Stop { signal: 15, grace: 1000 }).await.unwrap(), Exit::Signal(9));
    }

    #[tokio::test]
    async fn signals_reach_the_command() {
        let (process, mut events) =
            Process::start(shell("trap 'echo got; exit 4' HUP; echo ready; while :; do sleep 600 & wait; done"));
        assert_eq!(line(&mut events).await, "ready");
        process.signal(1).unwrap();
        assert_eq!(line(&mut events).await, "got");
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_says_so() {
        for (program, code) in [("/no/such/program", 127), ("/etc", 126)] {
            let spec = Spec { command: vec![program.to_owned()], workdir: PathBuf::from("/"), ..Spec::default() };
            let (_process, mut events) = Process::start(spec);
            let event = events.recv().await.unwrap();
            assert!(matches!(&event, Event::StartFailed(words) if words.starts_with(program)), "{event:?}");
            assert_eq!(events.recv().await.unwrap(), Event::Ended(Exit::Code(code)));
        }
    }

    #[tokio::test]
    async fn a_line_without_an_end_comes_in_pieces() {
        let (_process, mut events) = Process::start(shell("head -c 150000 /dev/zero"));
        let mut sizes = Vec::new();
        loop {
            match events.recv().await.unwrap() {
                Event::Line(_, line) => sizes.push(line.len()),
                Event::Ended(_) => break,
                _ => {}
            }
        }
        assert_eq!(sizes, [65_536, 65_536, 18_928]);
    }
}
