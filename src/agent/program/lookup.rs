//! Which file a command means, found and refused as runc does it (Go's `exec.LookPath` with the container's `PATH`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::sys::{self, Errno, Result, S_IFDIR};

/// A command that cannot be run: what to print, and the exit code that an engine gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRunnable {
    pub code: u8,
    pub message: String,
}

/// The value of a variable in a list of `NAME=value` (with or without NUL).
pub fn variable<'a>(environment: &'a [Vec<u8>], name: &[u8]) -> Option<&'a [u8]> {
    environment.iter().find_map(|entry| {
        let value = entry.strip_prefix(name)?.strip_prefix(b"=")?;
        Some(value.strip_suffix(b"\0").unwrap_or(value))
    })
}

/// The file to execute for `name`.
pub fn find(name: &[u8], environment: &[Vec<u8>]) -> core::result::Result<Vec<u8>, NotRunnable> {
    let shown = String::from_utf8_lossy(name);
    if name.contains(&b'/') {
        return match executable(name) {
            Ok(()) => Ok(name.to_vec()),
            Err((step, error)) => Err(NotRunnable {
                code: if error == Errno::ACCES { 126 } else { 127 },
                message: format!("exec: \"{shown}\": {step}{}", error.text()),
            }),
        };
    }
    let path = variable(environment, b"PATH").unwrap_or_default();
    if !path.is_empty() && !name.is_empty() {
        for folder in path.split(|byte| *byte == b':') {
            let mut file = if folder.is_empty() { b".".to_vec() } else { folder.to_vec() };
            file.push(b'/');
            file.extend_from_slice(name);
            if executable(&file).is_ok() {
                return Ok(file);
            }
        }
    }
    Err(NotRunnable { code: 127, message: format!("exec: \"{shown}\": executable file not found in $PATH") })
}

/// Whether a path is a file that this process may execute; if not, the words in front of the error and the error.
fn executable(path: &[u8]) -> core::result::Result<(), (String, Errno)> {
    let stat: Result<_> = sys::stat(path);
    let stat = stat.map_err(|error| (format!("stat {}: ", String::from_utf8_lossy(path)), error))?;
    if stat.kind() == S_IFDIR || stat.mode & 0o111 == 0 {
        return Err((String::new(), Errno::ACCES));
    }
    sys::may_execute(path).map_err(|error| (String::new(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_as_go_finds_them() {
        let environment = |path: &str| vec![b"A=b\0".to_vec(), [b"PATH=", path.as_bytes(), b"\0"].concat()];
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().display().to_string();
        for (name, mode) in [("first/tool", 0o644), ("second/tool", 0o755), ("first/folder/x", 0o755)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        let path = format!("/no/such:{base}/first::{base}/second");
        let found = |name: &str| find(name.as_bytes(), &environment(&path)).map(|p| String::from_utf8(p).unwrap());
        // What is not executable is passed over, and so are folders.
        assert_eq!(found("tool"), Ok(format!("{base}/second/tool")));
        assert_eq!(found(&format!("{base}/second/tool")), Ok(format!("{base}/second/tool")));
        for (name, code) in [("folder", 127), ("", 127), ("no-such", 127), ("/etc", 126), ("/no/such", 127)] {
            assert_eq!(found(name).map_err(|why| why.code), Err(code), "{name}");
        }
        assert_eq!(find(b"sh", &[]).map_err(|why| why.code), Err(127), "without PATH nothing is found");
    }
}
