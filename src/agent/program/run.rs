//! The supervisor: PID 1 of a container that may be hot synced.
//!
//! Invariants:
//! - The command gets the container's own environment, user, folder, limits and terminal; nothing is added.
//! - Every signal that reaches the supervisor reaches the command; every orphan is waited for.
//! - When the command ends by itself the supervisor ends with its exit code, whatever streams there are.
//! - Whatever comes or does not come over the control socket, the command runs on.

use alloc::format;
use alloc::vec::Vec;

use super::control;
use super::lookup::NotRunnable;
use super::processes::{self, Process};
use super::protocol::{Answer, MAX_PACKET, Phase, Request, StatusReport};
use super::spawn::{self, Plan, Terminal};
use super::supervise::{self, Exit, Input, Machine, Step, Stop};
use super::sys::{self, Ended, Errno, Fd, Incoming, Mask, POLLIN, PollFd, SIGCHLD, SIGCONT, SIGHUP, Termios};

/// Streams at once: one hob, and some that are about to end.
const MAX_STREAMS: usize = 16;

/// How often and how long (microseconds) listening is tried again. The kernel gives the number of a mount namespace
/// away a moment before it gives up the sockets of the last process in it, so a new container can meet the name of one
/// that has just ended, where they share a network namespace.
const LISTEN_TRIES: u32 = 400;
const LISTEN_PAUSE: u64 = 5_000;

/// Supervises a command (`-- COMMAND…`, the strings with their NUL) and gives the exit code.
pub fn run(arguments: &[Vec<u8>], environment: Vec<Vec<u8>>) -> u8 {
    let command = match arguments.split_first() {
        Some((dashes, command)) if dashes == b"--\0" && !command.is_empty() => command.to_vec(),
        _ => {
            complain("expected `run -- COMMAND...`");
            return 64;
        }
    };
    let (signals, mask) = match sys::signals() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("cannot read signals: {}", error.text()));
            return 70;
        }
    };
    // Where PID 1 is somebody else's (`init: true`, a shared pid namespace), orphans of the command still come here.
    let _ = sys::become_subreaper();
    let settings = sys::terminal(0).ok();
    let terminal = take_over_terminal(settings.is_some(), &signals);
    Supervisor {
        command,
        environment,
        folder: sys::getcwd().ok(),
        signals,
        mask,
        terminal,
        settings,
        listener: control::listen().ok(),
        listen_tries: 0,
        machine: Machine::default(),
        streams: Vec::new(),
        next_stream: 0,
        execs: Vec::new(),
        restart: Restart::default(),
        restarts: 0,
        started_at: 0,
        buffer: alloc::vec![0; MAX_PACKET],
    }
    .supervise()
}

/// Gives the terminal up where it is ours, so that the command's session can have it as it would without an agent.
/// The kernel then tells our group, in our own name, that the terminal is gone; that is not for the command.
fn take_over_terminal(there_is_one: bool, signals: &Fd) -> Terminal {
    if !there_is_one {
        return Terminal::None;
    }
    if sys::getsid() != sys::getpid() {
        return Terminal::Shared;
    }
    if sys::release_terminal(0).is_ok() {
        let mut others = Vec::new();
        while let Some(Incoming { signal, sender }) = sys::next_signal(signals) {
            if !((signal == SIGHUP || signal == SIGCONT) && (sender == sys::getpid() || sender == 0)) {
                others.push(signal);
            }
        }
        // What else came in is kept for the command, which is not there yet.
        for signal in others {
            let _ = sys::kill(sys::getpid(), signal);
        }
    }
    Terminal::Own
}

struct Supervisor {
    command: Vec<Vec<u8>>,
    environment: Vec<Vec<u8>>,
    folder: Option<Vec<u8>>,
    signals: Fd,
    mask: Mask,
    terminal: Terminal,
    settings: Option<Termios>,
    listener: Option<Fd>,
    listen_tries: u32,
    machine: Machine,
    streams: Vec<Stream>,
    next_stream: u32,
    execs: Vec<Exec>,
    restart: Restart,
    restarts: u32,
    started_at: u64,
    buffer: Vec<u8>,
}

/// A process that serves a stream of hob's.
struct Stream {
    number: u32,
    socket: Fd,
}

/// A command that was started for a stream.
struct Exec {
    pid: i32,
    stream: u32,
    id: u32,
    began: u64,
}

/// A restart under way.
#[derive(Default)]
struct Restart {
    /// Who waits for it: stream, request, time of the request.
    waiting: Vec<(u32, u32, u64)>,
    old: u32,
    stopped: u64,
    killed: bool,
    /// What descended from the command when the stop began.
    family: Vec<Process>,
}

impl Supervisor {
    fn supervise(mut self) -> u8 {
        if let Some(code) = self.drive(Input::Start) {
            return code;
        }
        loop {
            let timeout = self.timeout();
            let mut files = alloc::vec![PollFd::new(self.signals.raw(), POLLIN)];
            files.push(PollFd::new(self.listener.as_ref().map_or(-1, Fd::raw), POLLIN));
            files.extend(self.streams.iter().map(|stream| PollFd::new(stream.socket.raw(), POLLIN)));
            if sys::poll(&mut files, timeout).is_err() {
                continue;
            }
            if files[0].ready()
                && let Some(code) = self.take_signals()
            {
                return code;
            }
            if self.machine.deadline().is_some_and(|at| at <= sys::now())
                && let Some(code) = self.drive(Input::Tick)
            {
                return code;
            }
            let ready: Vec<u32> = self
                .streams
                .iter()
                .zip(files.iter().skip(2))
                .filter(|(_, file)| file.ready())
                .map(|(stream, _)| stream.number)
                .collect();
            for number in ready {
                if let Some(code) = self.take_requests(number) {
                    return code;
                }
            }
            if files[1].ready() {
                self.take_stream();
            }
        }
    }

    /// How long to wait for something to happen, at most.
    fn timeout(&mut self) -> Option<u64> {
        if self.listener.is_none() && self.listen_tries < LISTEN_TRIES {
            self.listen_tries += 1;
            self.listener = control::listen().ok();
        }
        let now = sys::now();
        let deadline = self.machine.deadline().map(|at| at.saturating_sub(now));
        let again = (self.listener.is_none() && self.listen_tries < LISTEN_TRIES).then_some(LISTEN_PAUSE);
        deadline.into_iter().chain(again).min()
    }

    /// Hands what happened to the state machine, and does what it says until there is nothing more to do. `Some` is
    /// the supervisor's own end.
    fn drive(&mut self, first: Input) -> Option<u8> {
        let mut input = first;
        loop {
            input = match self.machine.handle(sys::now(), input) {
                Step::Nothing => return None,
                Step::Start => self.start(),
                Step::Signal(pid, signal) => {
                    self.restart.killed |= signal == sys::SIGKILL;
                    let _ = sys::kill(pid.cast_signed(), signal);
                    return None;
                }
                Step::Clear(pid) => {
                    self.restart.stopped = sys::now();
                    // When the supervisor ends, so does everything in the container.
                    if !self.machine.ends() && self.clear(pid) {
                        return None;
                    }
                    Input::Cleared
                }
                Step::End(exit) => return Some(self.end(exit)),
            };
        }
    }

    fn start(&mut self) -> Input {
        if let Some(settings) = self.settings.as_ref().filter(|_| self.restart.old != 0) {
            let _ = sys::set_terminal(0, settings);
        }
        let plan = Plan {
            arguments: &self.command,
            environment: &self.environment,
            folder: self.folder.as_deref(),
            strict: false,
            terminal: self.terminal,
            files: None,
            mask: self.mask,
        };
        match spawn::start(&plan) {
            Ok(pid) => {
                self.started_at = sys::now();
                self.answer_restart(pid.unsigned_abs());
                Input::Started(pid.unsigned_abs())
            }
            Err(NotRunnable { code, message }) => {
                let _ = sys::write_all(2, format!("{message}\n").as_bytes());
                self.fail_restart(&message);
                Input::StartFailed(code)
            }
        }
    }

    fn answer_restart(&mut self, new: u32) {
        let restart = core::mem::take(&mut self.restart);
        if restart.old != 0 {
            self.restarts += 1;
        }
        for (stream, id, since) in restart.waiting {
            let answer = Answer::Restarted {
                old: restart.old,
                new,
                stopped: restart.stopped.saturating_sub(since),
                started: self.started_at.saturating_sub(since),
                killed: restart.killed,
            };
            self.tell(stream, id, &answer);
        }
    }

    fn fail_restart(&mut self, message: &str) {
        for (stream, id, _) in core::mem::take(&mut self.restart.waiting) {
            self.tell(stream, id, &Answer::failed(0, message));
        }
    }

    fn end(&mut self, exit: Exit) -> u8 {
        self.fail_restart("the command ended, and with it the container");
        // A packet that was sent is read also after our end.
        let over = control::answer(0, &Answer::Over { code: exit.code() });
        for stream in &self.streams {
            let _ = sys::send(stream.socket.raw(), &over, None);
        }
        exit.code()
    }

    /// Kills what the command left behind. Whether there was any: then the end of each is a child's end that is told.
    fn clear(&mut self, command: u32) -> bool {
        let left = processes::leftovers(&processes::all(), command, &self.restart.family);
        for process in &left {
            let _ = sys::kill(process.pid.cast_signed(), sys::SIGKILL);
        }
        !left.is_empty()
    }

    fn take_signals(&mut self) -> Option<u8> {
        while let Some(Incoming { signal, .. }) = sys::next_signal(&self.signals) {
            let code = if signal == SIGCHLD { self.reap() } else { self.drive(Input::Forward(signal)) };
            if code.is_some() {
                return code;
            }
        }
        None
    }

    fn reap(&mut self) -> Option<u8> {
        while let Some((pid, ended)) = sys::reap() {
            let exit = match ended {
                Ended::Code(code) => Exit::Code(code),
                Ended::Signal(signal) => Exit::Signal(signal),
            };
            if let Some(index) = self.execs.iter().position(|exec| exec.pid == pid) {
                let exec = self.execs.swap_remove(index);
                let micros = sys::now().saturating_sub(exec.began);
                self.tell(exec.stream, exec.id, &Answer::Exited { code: exit.code(), micros });
            } else if let code @ Some(_) = self.drive(Input::Exited(pid.unsigned_abs(), exit)) {
                return code;
            }
        }
        match self.machine.clearing() {
            Some(command) if !self.clear(command) => self.drive(Input::Cleared),
            _ => None,
        }
    }

    fn take_stream(&mut self) {
        let Some(socket) = self.listener.as_ref().and_then(control::accept) else { return };
        if self.streams.len() >= MAX_STREAMS {
            self.streams.remove(0);
        }
        self.next_stream = self.next_stream.wrapping_add(1);
        self.streams.push(Stream { number: self.next_stream, socket });
    }

    fn take_requests(&mut self, stream: u32) -> Option<u8> {
        loop {
            let socket = self.streams.iter().find(|s| s.number == stream)?.socket.raw();
            let mut buffer = core::mem::take(&mut self.buffer);
            let received = sys::receive(socket, &mut buffer);
            let code = match received {
                Err(Errno::AGAIN) => {
                    self.buffer = buffer;
                    return None;
                }
                Ok((count @ 1.., files)) => self.take_packet(stream, buffer.get(..count).unwrap_or_default(), &files),
                _ => {
                    self.streams.retain(|s| s.number != stream);
                    None
                }
            };
            self.buffer = buffer;
            if code.is_some() {
                return code;
            }
        }
    }

    fn take_packet(&mut self, stream: u32, packet: &[u8], files: &[Fd]) -> Option<u8> {
        let (kind, id, message) = control::parse(packet)?;
        match (Request::decode(kind, message), files) {
            (Ok(Request::Restart { signal, grace_ms, .. }), _) => {
                self.restart.waiting.push((stream, id, sys::now()));
                if self.machine.phase() == supervise::Phase::Running {
                    let pid = self.machine.pid().unwrap_or(0);
                    self.restart.old = pid;
                    self.restart.family = processes::descendants(&processes::all(), pid);
                }
                return self.drive(Input::Restart(Stop { signal, grace: u64::from(grace_ms) * 1000 }));
            }
            (Ok(Request::Signal { signal, .. }), _) => {
                let sent = match self.machine.pid() {
                    Some(pid) => sys::kill(pid.cast_signed(), signal),
                    None => Err(Errno(3)),
                };
                let answer = match sent {
                    Ok(()) => Answer::Done,
                    Err(error) => Answer::failed(error.0, "the command does not run"),
                };
                self.tell(stream, id, &answer);
            }
            (Ok(Request::Exec { argv, env, workdir, .. }), [out, err]) => {
                self.exec(stream, id, argv, env, &workdir, [out.raw(), err.raw()]);
            }
            (Ok(Request::Status), _) => {
                let status = self.status();
                self.tell(stream, id, &Answer::Status(status));
            }
            _ => self.tell(stream, id, &Answer::failed(Errno::PROTO.0, "a request that cannot be understood")),
        }
        None
    }

    fn exec(&mut self, stream: u32, id: u32, argv: Vec<Vec<u8>>, env: Vec<Vec<u8>>, folder: &[u8], to: [i32; 2]) {
        let terminated = |mut text: Vec<u8>| {
            text.push(0);
            text
        };
        let mut environment = self.environment.clone();
        for entry in env {
            let name =
                entry.iter().position(|byte| *byte == b'=').map(|at| entry.get(..=at).unwrap_or_default().to_vec());
            if let Some(name) = name {
                environment.retain(|have| !have.starts_with(&name));
            }
            environment.push(terminated(entry));
        }
        let arguments: Vec<Vec<u8>> = argv.into_iter().map(terminated).collect();
        let null = sys::openat(sys::CWD, b"/dev/null", sys::O_RDWR, 0);
        let input = null.as_ref().map_or(to[0], Fd::raw);
        let plan = Plan {
            arguments: &arguments,
            environment: &environment,
            folder: if folder.is_empty() { self.folder.as_deref() } else { Some(folder) },
            strict: !folder.is_empty(),
            terminal: Terminal::None,
            files: Some([input, to[0], to[1]]),
            mask: self.mask,
        };
        match spawn::start(&plan) {
            Ok(pid) => self.execs.push(Exec { pid, stream, id, began: sys::now() }),
            Err(why) => self.tell(stream, id, &Answer::failed(0, &why.message)),
        }
    }

    fn status(&self) -> StatusReport {
        StatusReport {
            phase: match self.machine.phase() {
                supervise::Phase::Running => Phase::Running,
                supervise::Phase::Ended => Phase::Ended,
                _ => Phase::Restarting,
            },
            pid: self.machine.pid().unwrap_or(0),
            agent: sys::getpid().unsigned_abs(),
            restarts: self.restarts,
            uptime: sys::now().saturating_sub(self.started_at),
            uid: sys::getuid(),
            gid: sys::getgid(),
        }
    }

    fn tell(&mut self, stream: u32, id: u32, answer: &Answer) {
        let Some(socket) = self.streams.iter().find(|s| s.number == stream).map(|s| s.socket.raw()) else { return };
        // A process that does not take its answers is given up; the command does not wait for it.
        if sys::send(socket, &control::answer(id, answer), None).is_err() {
            self.streams.retain(|s| s.number != stream);
        }
    }
}

fn complain(message: &str) {
    let _ = sys::write_all(2, format!("hob agent: {message}\n").as_bytes());
}
