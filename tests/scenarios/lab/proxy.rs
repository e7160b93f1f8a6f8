//! A proxy between hob and the engine's socket, which can be cut, or answer in the engine's place.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::engine;

/// What happens to a request whose first line contains all of some words.
#[derive(Clone)]
pub enum Rule {
    /// The engine is gone from this request on.
    Cut(&'static [&'static str]),
    /// The engine answers with status 500 and this message.
    Fail(&'static [&'static str], &'static str),
    /// The engine takes the request, and says nothing.
    Hang(&'static [&'static str]),
}

#[derive(Default)]
struct State {
    closed: AtomicBool,
    streams: Mutex<Vec<UnixStream>>,
    rule: Mutex<Option<Rule>>,
}

/// A way to the engine that a test can break.
pub struct Proxy {
    socket: PathBuf,
    state: Arc<State>,
}

impl Proxy {
    /// The engine has to be on a unix socket.
    pub fn start(socket: PathBuf) -> Self {
        assert!(engine::host().starts_with("unix://"), "this test needs an engine on a unix socket");
        let proxy = Self { socket, state: Arc::default() };
        proxy.open();
        proxy
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    pub fn rule(&self, rule: Rule) {
        *self.state.rule.lock().unwrap() = Some(rule);
    }

    /// Lets connections through again.
    pub fn open(&self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        *self.state.rule.lock().unwrap() = None;
        self.state.closed.store(false, Ordering::SeqCst);
        let (state, socket) = (Arc::clone(&self.state), self.socket.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if state.closed.load(Ordering::SeqCst) {
                    break;
                }
                let (state, socket) = (Arc::clone(&state), socket.clone());
                std::thread::spawn(move || serve(client, &state, &socket));
            }
        });
    }

    /// The engine is gone: connections end and new ones are refused.
    pub fn cut(&self) {
        cut(&self.state, &self.socket);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

fn cut(state: &State, socket: &PathBuf) {
    state.closed.store(true, Ordering::SeqCst);
    let _ = UnixStream::connect(socket); // wakes the listener
    let _ = std::fs::remove_file(socket);
    for stream in state.streams.lock().unwrap().drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn serve(mut client: UnixStream, state: &Arc<State>, socket: &PathBuf) {
    let host = engine::host();
    let Ok(mut server) = UnixStream::connect(host.trim_start_matches("unix://")) else { return };
    let (Ok(mut back), Ok(mut answers)) = (client.try_clone(), server.try_clone()) else { return };
    if let (Ok(one), Ok(other)) = (client.try_clone(), server.try_clone()) {
        state.streams.lock().unwrap().extend([one, other]);
    }
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Write);
        // A client that has read enough: the engine must not wait for it to read the rest.
        let _ = answers.shutdown(Shutdown::Read);
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        match state.rule.lock().unwrap().clone() {
            Some(Rule::Cut(words)) if matches(&buffer[..read], words) => return cut(state, socket),
            Some(Rule::Hang(words)) if matches(&buffer[..read], words) => continue,
            Some(Rule::Fail(words, message)) if matches(&buffer[..read], words) => {
                let body = serde_json::json!({ "message": message }).to_string();
                let _ = write!(
                    client,
                    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
                return;
            }
            _ => {}
        }
        if server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}

fn matches(request: &[u8], words: &[&str]) -> bool {
    let first = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    words.iter().all(|word| first.contains(word))
}
