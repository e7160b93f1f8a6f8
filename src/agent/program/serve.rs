//! The other end of hob's stream: frames on standard input, answers on standard output.
//!
//! It applies batches itself, with the rights that hob's exec gave it; whatever concerns the command it hands to the
//! supervisor, and relays the answers. So a command that runs for long never holds up a batch.
//!
//! Invariants: the first frame is a hello of the same version and build, or nothing else is done. When the stream ends,
//! commands that it started run on with their output thrown away, and then the process ends; the container's command
//! does not notice.

use alloc::format;
use alloc::vec::Vec;

use super::batch::Batch;
use super::control;
use super::list;
use super::owner;
use super::protocol::{Answer, Entry, FrameReader, MAX_PACKET, Request, VERSION, encode_frame, refusal};
use super::sys::{self, Errno, Fd, POLLIN, POLLOUT, PollFd, Result};

/// Output of commands waits when this much has not been taken by hob yet.
const FULL: usize = 256 << 10;

/// How much of a list goes into one frame.
const LIST_PART: usize = 128 << 10;

/// How many failed batches are remembered for requests that depend on them.
const MEMORY: usize = 64;

/// Serves until the stream ends, and gives the exit code.
pub fn serve() -> u8 {
    sys::umask(0);
    // A reader that is gone must be an error of the write, not the end of the process.
    let Ok(_signals) = sys::signals() else { return 70 };
    let _ = sys::set_nonblocking(0);
    let _ = sys::set_nonblocking(1);
    Server {
        input: FrameReader::default(),
        ended: false,
        output: Vec::new(),
        supervisor: None,
        batch: None,
        failed: Vec::new(),
        execs: Vec::new(),
        buffer: alloc::vec![0; MAX_PACKET],
        code: 0,
    }
    .serve()
}

struct Server {
    input: FrameReader,
    /// Nothing more comes in, or hob is gone.
    ended: bool,
    output: Vec<u8>,
    supervisor: Option<Fd>,
    batch: Option<(u32, Batch)>,
    failed: Vec<u32>,
    execs: Vec<Exec>,
    buffer: Vec<u8>,
    code: u8,
}

/// A command whose output is relayed.
struct Exec {
    id: u32,
    /// Standard output and error, until each ends.
    files: [Option<Fd>; 2],
    /// It ended, and this was told: what still comes from processes that it left is thrown away.
    over: bool,
}

impl Server {
    fn serve(mut self) -> u8 {
        while !(self.ended && self.output.is_empty() && self.execs.is_empty()) {
            self.turn();
        }
        self.code
    }

    fn turn(&mut self) {
        let room = self.output.len() < FULL || self.ended;
        let none = || PollFd::new(-1, 0);
        let mut files = Vec::with_capacity(3 + self.execs.len() * 2);
        files.push(if self.ended || !room { none() } else { PollFd::new(0, POLLIN) });
        files.push(if self.output.is_empty() { none() } else { PollFd::new(1, POLLOUT) });
        files.push(self.supervisor.as_ref().map_or_else(none, |socket| PollFd::new(socket.raw(), POLLIN)));
        for exec in &self.execs {
            for file in &exec.files {
                let open = file.as_ref().filter(|_| room || exec.over);
                files.push(open.map_or_else(none, |file| PollFd::new(file.raw(), POLLIN)));
            }
        }
        if sys::poll(&mut files, None).is_err() {
            return;
        }
        for (index, file) in files.iter().skip(3).enumerate() {
            if file.ready() {
                self.read_output(index / 2, index % 2);
            }
        }
        if files[2].ready() {
            self.read_supervisor();
        }
        if files[0].ready() {
            self.read_input();
        }
        self.execs.retain(|exec| !(exec.over && exec.files.iter().all(Option::is_none)));
        if !self.output.is_empty() {
            self.write_output();
        }
    }

    /// The stream is over: nothing more is asked, and nobody reads the answers.
    fn end(&mut self, code: u8) {
        self.ended = true;
        self.code = code;
        self.batch = None;
    }

    fn read_input(&mut self) {
        let mut buffer = core::mem::take(&mut self.buffer);
        match sys::read(0, &mut buffer) {
            Ok(0) => self.end(0),
            Ok(count) => {
                self.input.push(buffer.get(..count).unwrap_or_default());
                self.take_frames();
            }
            Err(Errno::AGAIN) => {}
            Err(_) => self.end(0),
        }
        self.buffer = buffer;
    }

    fn take_frames(&mut self) {
        let mut input = core::mem::take(&mut self.input);
        while !self.ended {
            match input.next_frame() {
                Ok(Some((kind, id, message))) => self.take_frame(kind, id, message),
                Ok(None) => break,
                Err(error) => {
                    self.answer(0, &Answer::failed(Errno::PROTO.0, &format!("{error}")));
                    self.end(65);
                }
            }
        }
        input.shrink();
        self.input = input;
    }

    fn take_frame(&mut self, kind: u8, id: u32, message: &[u8]) {
        let request = Request::decode(kind, message);
        if self.supervisor.is_none() {
            return match request {
                Ok(Request::Hello { version, build }) => self.hello(id, version, &build),
                _ => self.refuse(id, refusal::NO_HELLO, "the first frame is not a hello"),
            };
        }
        let Ok(request) = request else {
            return self.answer(id, &Answer::failed(Errno::PROTO.0, "a request that cannot be understood"));
        };
        if self.depends_on_failed(&request) {
            return self.answer(id, &Answer::failed(0, "not done, as the batch before it had errors"));
        }
        match request {
            Request::Hello { .. } => self.answer(id, &Answer::failed(Errno::PROTO.0, "a second hello")),
            Request::Apply { more, ops } => {
                if self.batch.as_ref().is_some_and(|(open, _)| *open != id) {
                    return self.answer(id, &Answer::failed(Errno::PROTO.0, "another batch has not ended yet"));
                }
                let (_, batch) = self.batch.get_or_insert_with(|| (id, Batch::new()));
                for op in ops {
                    batch.step(op);
                }
                if !more && let Some((_, batch)) = self.batch.take() {
                    let answer = batch.finish();
                    if matches!(&answer, Answer::Applied { errors, .. } if !errors.is_empty()) {
                        if self.failed.len() == MEMORY {
                            self.failed.remove(0);
                        }
                        self.failed.push(id);
                    }
                    self.answer(id, &answer);
                }
            }
            Request::Restart { .. } | Request::Signal { .. } | Request::Status => {
                self.hand_over(kind, id, message, None);
            }
            Request::Exec { .. } => self.exec(kind, id, message),
            Request::List { target, paths, recursive, digest } => {
                let mut entries: Vec<Entry> = Vec::new();
                let mut size = 0;
                list::list(&target, &paths, recursive, digest, &mut |entry| {
                    size += entry.path.len() + 96;
                    entries.push(entry);
                    if size > LIST_PART {
                        size = 0;
                        let part = Answer::Entries { more: true, entries: core::mem::take(&mut entries) };
                        self.answer(id, &part);
                    }
                });
                self.answer(id, &Answer::Entries { more: false, entries });
            }
            Request::Owner { name } => {
                let answer = match owner::owner(&name) {
                    Ok((uid, gid)) => Answer::Owner { uid, gid },
                    Err(why) => Answer::failed(Errno::NOENT.0, why),
                };
                self.answer(id, &answer);
            }
        }
    }

    fn depends_on_failed(&self, request: &Request) -> bool {
        match request {
            Request::Restart { after, .. } | Request::Signal { after, .. } | Request::Exec { after, .. } => {
                let open = self.batch.as_ref().is_some_and(|(open, _)| open == after);
                *after != 0 && (open || self.failed.contains(after))
            }
            _ => false,
        }
    }

    fn hello(&mut self, id: u32, version: u16, build: &[u8]) {
        if version != VERSION || build != control::BUILD.as_bytes() {
            return self.refuse(id, refusal::VERSION, "this is an agent of another version");
        }
        match connect() {
            Ok((socket, agent)) => {
                self.supervisor = Some(socket);
                self.answer(id, &Answer::Welcome { agent });
            }
            Err(error) => {
                let message = format!("no supervisor answers in this container: {}", error.text());
                self.refuse(id, refusal::NO_SUPERVISOR, &message);
            }
        }
    }

    fn refuse(&mut self, id: u32, reason: u8, message: &str) {
        let (build, message) = (control::BUILD.as_bytes().to_vec(), message.as_bytes().to_vec());
        self.answer(id, &Answer::Refused { reason, version: VERSION, build, message });
        self.end(66);
    }

    fn exec(&mut self, kind: u8, id: u32, message: &[u8]) {
        let (Ok(out), Ok(err)) = (sys::pipe(), sys::pipe()) else {
            return self.answer(id, &Answer::failed(24, "too many commands at once"));
        };
        if !self.hand_over(kind, id, message, Some([out.1.raw(), err.1.raw()])) {
            return;
        }
        let _ = sys::set_nonblocking(out.0.raw());
        let _ = sys::set_nonblocking(err.0.raw());
        self.execs.push(Exec { id, files: [Some(out.0), Some(err.0)], over: false });
    }

    /// Gives a request to the supervisor. Where that does not work the answer says so.
    fn hand_over(&mut self, kind: u8, id: u32, message: &[u8], files: Option<[i32; 2]>) -> bool {
        let packet = control::packet(kind, id, message);
        if packet.len() > MAX_PACKET {
            self.answer(id, &Answer::failed(Errno::TOOBIG.0, "the command and its environment are too long"));
            return false;
        }
        let sent = match &self.supervisor {
            Some(socket) => sys::send(socket.raw(), &packet, files),
            None => Err(Errno::PIPE),
        };
        if let Err(error) = sent {
            self.answer(id, &Answer::failed(error.0, "the supervisor does not take the request"));
        }
        sent.is_ok()
    }

    fn read_supervisor(&mut self) {
        let Some(socket) = self.supervisor.as_ref().map(Fd::raw) else { return };
        let mut buffer = core::mem::take(&mut self.buffer);
        match sys::receive(socket, &mut buffer) {
            Ok((count @ 1.., _)) => {
                if let Some((kind, id, message)) = control::parse(buffer.get(..count).unwrap_or_default()) {
                    self.relay(kind, id, message);
                }
            }
            // The container's command is over, and with it everything here.
            _ => {
                self.execs.clear();
                self.end(0);
            }
        }
        self.buffer = buffer;
    }

    fn relay(&mut self, kind: u8, id: u32, message: &[u8]) {
        if let Some(index) = self.execs.iter().position(|exec| exec.id == id && !exec.over) {
            // What the command wrote before it ended goes first.
            for stream in 0..2 {
                while self.read_output(index, stream) {}
            }
            if let Some(exec) = self.execs.get_mut(index) {
                exec.over = true;
            }
        }
        encode_frame(&mut self.output, kind, id, message);
        if kind == Answer::OVER {
            self.execs.clear();
            self.end(0);
        }
    }

    /// Relays some output of a command. Whether there may be more.
    fn read_output(&mut self, exec: usize, stream: usize) -> bool {
        let Some(exec) = self.execs.get_mut(exec) else { return false };
        let Some(slot) = exec.files.get_mut(stream) else { return false };
        let Some(file) = slot.as_ref().map(Fd::raw) else { return false };
        let mut data = alloc::vec![0; 16 << 10];
        match sys::read(file, &mut data) {
            Ok(count @ 1..) => {
                data.truncate(count);
                let (id, over) = (exec.id, exec.over);
                if !over {
                    let stream = if stream == 0 { 1 } else { 2 };
                    self.answer(id, &Answer::Output { stream, data });
                }
                true
            }
            Err(Errno::AGAIN) => false,
            _ => {
                *slot = None;
                false
            }
        }
    }

    fn answer(&mut self, id: u32, answer: &Answer) {
        encode_frame(&mut self.output, answer.kind(), id, &answer.encode());
    }

    fn write_output(&mut self) {
        match sys::write(1, &self.output) {
            Ok(count) => {
                self.output.drain(..count);
                if self.output.is_empty() && self.output.capacity() > FULL {
                    self.output = Vec::new();
                }
            }
            Err(Errno::AGAIN) => {}
            Err(_) => {
                self.output.clear();
                self.end(0);
            }
        }
    }
}

/// Connects to the supervisor. One that was started this moment may not listen yet, and one that does not take us
/// closes the connection, so it is asked something before it counts as there.
fn connect() -> Result<(Fd, u32)> {
    const REFUSED: Errno = Errno(111);
    let mut tries = 0;
    let (socket, agent) = loop {
        match control::connect() {
            Err(REFUSED) if tries < 500 => {
                tries += 1;
                let _ = sys::poll(&mut [], Some(2_000));
            }
            other => break other?,
        }
    };
    sys::send(socket.raw(), &control::packet(Request::Status.kind(), 0, &[]), None)?;
    sys::poll(&mut [PollFd::new(socket.raw(), POLLIN)], Some(2_000_000))?;
    let mut answer = [0; 256];
    match sys::receive_now(socket.raw(), &mut answer)? {
        (1.., _) => Ok((socket, agent)),
        _ => Err(Errno::PERM),
    }
}
