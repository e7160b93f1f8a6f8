//! Starting a process: what happens between fork and exec.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lookup::{self, NotRunnable};
use super::sys::{self, Errno, Mask};

/// What a new process gets of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// There is none: a session of its own.
    None,
    /// A session of its own that the terminal belongs to, as the first process of a container has it.
    Own,
    /// The terminal belongs to an init process above the agent: a group of its own in the foreground.
    Shared,
}

/// A process to start. The strings end with NUL.
pub struct Plan<'a> {
    pub arguments: &'a [Vec<u8>],
    pub environment: &'a [Vec<u8>],
    /// Working directory; entered anew, as a sync may have replaced it.
    pub folder: Option<&'a [u8]>,
    /// The folder must be there.
    pub strict: bool,
    pub terminal: Terminal,
    /// Standard input, output and error; `None` for the agent's own.
    pub files: Option<[i32; 3]>,
    /// The signals that were blocked before the agent blocked them all.
    pub mask: Mask,
}

/// Starts it and waits until it runs as the program it should be.
pub fn start(plan: &Plan<'_>) -> Result<i32, NotRunnable> {
    let name = plan.arguments.first().map(Vec::as_slice).unwrap_or_default();
    let name = name.strip_suffix(b"\0").unwrap_or(name);
    let Ok((answer, report)) = sys::pipe() else { return Err(failed("a pipe", Errno(24))) };
    match sys::fork() {
        Err(error) => Err(failed("a process", error)),
        Ok(Some(pid)) => {
            drop(report);
            let mut text = Vec::new();
            let mut buffer = [0u8; 512];
            while let Ok(count @ 1..) = sys::read(answer.raw(), &mut buffer) {
                text.extend_from_slice(buffer.get(..count).unwrap_or_default());
            }
            match text.split_first() {
                None => Ok(pid),
                Some((code, message)) => {
                    Err(NotRunnable { code: *code, message: String::from_utf8_lossy(message).into_owned() })
                }
            }
        }
        Ok(None) => {
            // In the child: whatever goes wrong is told through the pipe, which exec closes.
            let why = become_command(plan, name);
            let mut text = Vec::with_capacity(why.message.len() + 1);
            text.push(why.code);
            text.extend_from_slice(why.message.as_bytes());
            let _ = sys::write_all(report.raw(), &text);
            sys::exit(why.code)
        }
    }
}

fn failed(what: &str, error: Errno) -> NotRunnable {
    NotRunnable { code: 126, message: format!("cannot make {what}: {}", error.text()) }
}

/// Returns only where it failed.
fn become_command(plan: &Plan<'_>, name: &[u8]) -> NotRunnable {
    match plan.terminal {
        Terminal::None => {
            let _ = sys::setsid();
        }
        Terminal::Own => {
            let _ = sys::setsid();
            let _ = sys::take_terminal(0);
        }
        Terminal::Shared => {
            let _ = sys::own_group();
            let _ = sys::take_foreground(0);
        }
    }
    if let Some(files) = plan.files {
        for (number, file) in (0..).zip(files) {
            if let Err(error) = sys::dup_to(file, number) {
                return failed("its standard files", error);
            }
        }
    }
    if let Some(folder) = plan.folder
        && let Err(error) = sys::chdir(folder)
        && plan.strict
    {
        let folder = String::from_utf8_lossy(folder);
        return NotRunnable { code: 126, message: format!("chdir to cwd (\"{folder}\"): {}", error.text()) };
    }
    let mut path = match lookup::find(name, plan.environment) {
        Ok(path) => path,
        Err(why) => return why,
    };
    let shown = String::from_utf8_lossy(&path).into_owned();
    path.push(0);
    if let Err(error) = sys::set_mask(plan.mask) {
        return failed("its signal mask", error);
    }
    let error = sys::execve(&path, plan.arguments, plan.environment);
    // What runc's init says and exits with where the file was found but the kernel does not take it.
    NotRunnable { code: EXEC_FAILED, message: format!("exec {shown}: {}", error.text()) }
}

/// runc exits with 255 from version 1.2 on, with 1 before.
const EXEC_FAILED: u8 = 255;
