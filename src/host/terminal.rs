//! The terminal as a device, for `exec -it` and `run -it`: its size, raw mode, and the bytes between it and a program
//! in a container. What passes here passes as it is: this is the one place where a container drives the terminal,
//! because a person asked for that.
//!
//! Raw mode is undone when its guard is dropped, and before a panic's message is printed.

use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::sync::{Mutex, Once, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Cells in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Whether standard input is a terminal.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Standard output, for what is no text.
pub fn stdout() -> tokio::io::Stdout {
    tokio::io::stdout()
}

/// Calls back once nobody can read standard output any more, such as `head` that has what it wants: also where nothing is
/// written to it, which would tell. Where it is no pipe and no terminal, nobody goes.
pub fn when_reader_has_gone(then: impl FnOnce() + Send + 'static) {
    let wait = move || {
        let stdout = io::stdout();
        loop {
            // Nothing is asked for but what is told in any case: an error, and the end of the other side.
            let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_)
                    if fds[0]
                        .revents()
                        .is_some_and(|told| told.intersects(PollFlags::POLLERR | PollFlags::POLLHUP)) =>
                {
                    return then();
                }
                Err(Errno::EINTR) => {}
                // It is closed, or cannot be asked.
                _ => return,
            }
        }
    };
    // Without a thread for it, the next write tells.
    let _ = std::thread::Builder::new().name("reader".to_owned()).spawn(wait);
}

/// The size of the terminal that standard output is; `None` where it is none.
pub fn size() -> Option<Size> {
    let (rows, columns) = console::Term::stdout().size_checked()?;
    Some(Size { columns, rows })
}

/// The terminal's size now, and again whenever it changes.
pub fn sizes() -> io::Result<impl Stream<Item = Size> + Send> {
    let changes = signal(SignalKind::window_change())?;
    let first = futures_util::stream::once(async {});
    let changes = futures_util::stream::unfold(changes, |mut changes| async {
        changes.recv().await?;
        Some(((), changes))
    });
    Ok(first.chain(changes).filter_map(|()| std::future::ready(size())))
}

/// How the terminal was before raw mode, for the guard and for the panic hook, whichever is first.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// The terminal of standard input in raw mode: every key goes to the program, Ctrl-C too.
#[must_use = "raw mode ends when this is dropped"]
#[derive(Debug)]
pub struct RawMode(());

impl RawMode {
    /// Puts the terminal into raw mode. Fails where standard input is no terminal.
    pub fn enable() -> io::Result<Self> {
        HOOK.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                hook(panic);
            }));
        });
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        BEFORE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(before);
        tcsetattr(&stdin, SetArg::TCSADRAIN, &raw)?;
        Ok(Self(()))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // A terminal that has gone needs no restoring.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before);
    }
}

/// Bytes that arrive at a file, such as the keys of a terminal, until its end. Reading happens on a thread that
/// ends when this is dropped, so that what is typed later goes to who reads later.
#[derive(Debug)]
pub struct Input {
    bytes: mpsc::Receiver<Bytes>,
    /// Closing it wakes the thread.
    _stop: PipeWriter,
}

impl Input {
    /// What arrives at standard input.
    pub fn stdin() -> io::Result<Self> {
        Self::of(File::from(io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// What arrives at a file.
    pub fn of(file: File) -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let (sender, bytes) = mpsc::channel(16);
        std::thread::Builder::new().name("input".to_owned()).spawn(move || read(file, &stopped, &sender))?;
        Ok(Self { bytes, _stop: stop })
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.bytes.recv().await
    }
}

fn read(mut file: File, stopped: &PipeReader, sender: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let mut files = [PollFd::new(file.as_fd(), PollFlags::POLLIN), PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
        match poll(&mut files, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return,
        }
        if files[1].any().unwrap_or(true) {
            return;
        }
        match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if sender.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_err() {
                    return;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(_) => return,
        }
    }
}

/// Which of our streams bytes of a program are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How an exchange between a person and a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The program's output ended.
    Output,
    /// Whoever read ours, such as `head`, has gone.
    ReaderGone,
}

/// [`pump`] with our own standard output and error.
pub async fn connect<E>(
    input: Option<Input>,
    program: impl AsyncWrite + Send,
    output: impl Stream<Item = Result<(Target, Bytes), E>> + Send,
) -> Result<Ended, E> {
    pump(input, program, output, tokio::io::stdout(), tokio::io::stderr()).await
}

/// Carries bytes between a person and a program, until the program's output ends or nobody reads it any more. The end
/// of `input` closes the program's standard input and no more; `None` gives it none. A program that no longer reads
/// does not end its output.
pub async fn pump<E>(
    mut input: Option<Input>,
    program: impl AsyncWrite + Send,
    output: impl Stream<Item = Result<(Target, Bytes), E>> + Send,
    mut out: impl AsyncWrite + Unpin,
    mut err: impl AsyncWrite + Unpin,
) -> Result<Ended, E> {
    let program = std::pin::pin!(program);
    let output = std::pin::pin!(output);
    let send = async {
        let mut program = program;
        if let Some(input) = &mut input {
            while let Some(bytes) = input.next().await {
                if program.write_all(&bytes).await.is_err() || program.flush().await.is_err() {
                    break;
                }
            }
        }
        // Whether or not it still listens.
        let _ = program.shutdown().await;
    };
    let receive = async {
        let mut output = output;
        while let Some(chunk) = output.next().await {
            let (target, bytes) = chunk?;
            let written = match target {
                Target::Out => write(&mut out, &bytes).await,
                Target::Err => write(&mut err, &bytes).await,
            };
            if written.is_err() {
                return Ok(Ended::ReaderGone);
            }
        }
        Ok(Ended::Output)
    };
    let mut send = std::pin::pin!(send);
    let mut receive = std::pin::pin!(receive);
    tokio::select! {
        () = &mut send => receive.await,
        result = &mut receive => result,
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::AsyncReadExt;

    use super::*;

    fn pipe() -> (Input, PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        (Input::of(File::from(OwnedFd::from(reader))).unwrap(), writer)
    }

    fn chunk(target: Target, bytes: &'static str) -> (Target, Bytes) {
        (target, Bytes::from_static(bytes.as_bytes()))
    }

    #[tokio::test]
    async fn output_goes_to_its_stream_as_it_is_and_ends_the_session() {
        let (input, _typing) = pipe();
        let output = [chunk(Target::Out, "a\x1b[2J"), chunk(Target::Err, "e"), chunk(Target::Out, "b")];
        let (mut out, mut err) = (Vec::new(), Vec::new());
        // The input never ends; the session does with its output.
        let output = futures_util::stream::iter(output.map(Ok::<_, ()>));
        pump(Some(input), tokio::io::sink(), output, &mut out, &mut err).await.unwrap();
        assert_eq!((out.as_slice(), err.as_slice()), (&b"a\x1b[2Jb"[..], &b"e"[..]));
    }

    #[tokio::test]
    async fn input_reaches_the_program_and_its_end_too() {
        let (input, mut typing) = pipe();
        typing.write_all(b"ls\n").unwrap();
        drop(typing);
        let (ours, mut programs) = tokio::io::duplex(64);
        // The program answers when its input has ended, as `cat` does.
        let output = futures_util::stream::once(async move {
            let mut read = Vec::new();
            programs.read_to_end(&mut read).await.unwrap();
            Ok::<_, ()>((Target::Out, Bytes::from(read)))
        });
        let mut out = Vec::new();
        pump(Some(input), ours, output, &mut out, tokio::io::sink()).await.unwrap();
        assert_eq!(out, b"ls\n");
    }

    #[tokio::test]
    async fn without_input_the_program_sees_an_end_at_once() {
        let (ours, mut programs) = tokio::io::duplex(64);
        let output = futures_util::stream::once(async move {
            let mut read = Vec::new();
            programs.read_to_end(&mut read).await.unwrap();
            Ok::<_, ()>((Target::Out, Bytes::from_static(b"end")))
        });
        let mut out = Vec::new();
        pump(None, ours, output, &mut out, tokio::io::sink()).await.unwrap();
        assert_eq!(out, b"end");
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_ends_it_though_the_program_never_stops() {
        struct Gone;
        impl AsyncWrite for Gone {
            fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let output = || futures_util::stream::repeat_with(|| Ok::<_, ()>(chunk(Target::Out, "y\n")));
        let ended = pump(None, tokio::io::sink(), output(), Gone, tokio::io::sink()).await;
        assert_eq!(ended, Ok(Ended::ReaderGone));
        let errors = output().map(|chunk| chunk.map(|(_, bytes)| (Target::Err, bytes)));
        assert_eq!(pump(None, tokio::io::sink(), errors, tokio::io::sink(), Gone).await, Ok(Ended::ReaderGone));
    }

    #[tokio::test]
    async fn a_failure_of_the_connection_is_the_sessions() {
        let output =
            futures_util::stream::iter([Ok(chunk(Target::Out, "a")), Err("gone"), Ok(chunk(Target::Out, "b"))]);
        let mut out = Vec::new();
        let result = pump(None, tokio::io::sink(), output, &mut out, tokio::io::sink()).await;
        assert_eq!((result, out.as_slice()), (Err("gone"), &b"a"[..]));
    }

    #[tokio::test]
    async fn an_input_that_is_dropped_leaves_the_rest_to_others() {
        let (reader, mut typing) = io::pipe().unwrap();
        let mut later = reader.try_clone().unwrap();
        let mut input = Input::of(File::from(OwnedFd::from(reader))).unwrap();
        typing.write_all(b"first").unwrap();
        assert_eq!(input.next().await.unwrap(), "first");
        let Input { mut bytes, _stop: stop } = input;
        drop(stop);
        // The thread has ended when its end of the channel is gone.
        assert_eq!(bytes.recv().await, None);
        typing.write_all(b"second").unwrap();
        let mut rest = [0; 6];
        later.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"second");
    }
}
