//! Where hob keeps what is its own: never in the working tree.
//!
//! | folder | holds | if it is deleted |
//! |---|---|---|
//! | `$XDG_CACHE_HOME/hob` (`~/.cache/hob`) | digests of files, what containers hold, state of prepare steps | is made again, at the price of time |
//! | `$XDG_RUNTIME_DIR/hob` (else `run` in the cache) | locks and sockets | only while no hob runs |
//!
//! Both can be moved: `HOB_CACHE_DIR` and `HOB_RUNTIME_DIR`. Every folder is for its owner only (0700): names of
//! projects and commands are nobody else's business, and a socket is a way in.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::env::Environment;

/// Why hob has no folder of its own.
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// Neither a home nor a folder set for hob.
    #[error("there is no home folder to keep hob's cache in: set HOME, or HOB_CACHE_DIR to a folder for it")]
    NoHome,
    /// It cannot be made, or is not safe to use.
    #[error("cannot use {} for hob's files: {source}. Set {variable} to a folder that is yours", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The variable that moves it.
        variable: &'static str,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// hob's folders. They are made when they are first asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    cache: PathBuf,
    runtime: PathBuf,
}

impl Paths {
    /// Where the folders are, in this environment. Makes nothing.
    pub fn new(environment: &Environment) -> Result<Self, PathsError> {
        // A relative path there is to be ignored, says the XDG specification; so is an empty one.
        let folder = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = folder("HOB_CACHE_DIR")
            .or_else(|| folder("XDG_CACHE_HOME").map(|path| path.join("hob")))
            .or_else(|| folder("HOME").map(|path| path.join(".cache/hob")))
            // Also looks into the user database, for a process without HOME.
            .or_else(|| std::env::home_dir().map(|path| path.join(".cache/hob")))
            .ok_or(PathsError::NoHome)?;
        let runtime = folder("HOB_RUNTIME_DIR")
            // It may be left over from another user after `sudo`, or be gone in a container.
            .or_else(|| folder("XDG_RUNTIME_DIR").filter(|path| is_ours(path)).map(|path| path.join("hob")))
            .unwrap_or_else(|| cache.join("run"));
        Ok(Self { cache, runtime })
    }

    /// Digests of files, by their identity.
    pub fn digests(&self) -> Result<PathBuf, PathsError> {
        self.in_cache("digests")
    }

    /// What is remembered of a project: results of prepare steps, what was synced.
    pub fn projects(&self) -> Result<PathBuf, PathsError> {
        self.in_cache("projects")
    }

    /// What containers hold.
    pub fn contents(&self) -> Result<PathBuf, PathsError> {
        self.in_cache("contents")
    }

    /// The file of what engines said about themselves.
    pub fn engines(&self) -> Result<PathBuf, PathsError> {
        Ok(self.in_cache("engines")?.join("said.json"))
    }

    /// What `HOB_LOG` writes where standard error is a terminal.
    pub fn log(&self) -> Result<PathBuf, PathsError> {
        Ok(self.in_cache("log")?.join("hob.log"))
    }

    /// Locks of projects.
    pub fn locks(&self) -> Result<PathBuf, PathsError> {
        self.in_runtime("locks")
    }

    /// Requests to engines that are under way.
    pub fn requests(&self) -> Result<PathBuf, PathsError> {
        self.in_runtime("requests")
    }

    /// Removes the files that a hob wrote beside others (see `atomic`; `NAME….PID.tmp`) and was killed before it put them in their places.
    pub fn clear_left(&self) {
        for folder in ["digests", "projects", "engines"] {
            for entry in std::fs::read_dir(self.cache.join(folder)).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let pid = name.to_str().and_then(|name| name.strip_suffix(".tmp")?.rsplit_once('.')?.1.parse().ok());
                if pid.is_some_and(super::process::is_free) {
                    // What cannot be removed costs a few bytes.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    fn in_cache(&self, name: &str) -> Result<PathBuf, PathsError> {
        made(&self.cache, name, "HOB_CACHE_DIR")
    }

    fn in_runtime(&self, name: &str) -> Result<PathBuf, PathsError> {
        made(&self.runtime, name, "HOB_RUNTIME_DIR")
    }
}

fn made(base: &Path, name: &str, variable: &'static str) -> Result<PathBuf, PathsError> {
    let path = base.join(name);
    private(base).and_then(|()| private(&path)).map_err(|source| PathsError::Unusable {
        path: path.clone(),
        variable,
        source,
    })?;
    Ok(path)
}

/// Makes a folder that only its owner may enter, or makes an existing one so.
fn private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let seen = path.metadata()?;
    if seen.uid() != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it belongs to another user (id {})", seen.uid()),
        ));
    }
    if seen.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    path.metadata().is_ok_and(|seen| seen.is_dir() && seen.uid() == nix::unistd::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &Path)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.display().to_string())).collect()
    }

    /// Variables, the cache and the runtime folder.
    type Case<'a> = (&'a [(&'a str, &'a Path)], &'a str, &'a str);

    #[test]
    fn folders_are_found_by_the_environment() {
        let temp = tempfile::tempdir().unwrap();
        let ours = temp.path();
        let home = Path::new("/home/me");
        let none = Path::new("");
        let table: &[Case<'_>] = &[
            (&[("HOME", home)], "/home/me/.cache/hob", "/home/me/.cache/hob/run"),
            (&[("HOME", home), ("XDG_CACHE_HOME", Path::new("/c"))], "/c/hob", "/c/hob/run"),
            (&[("HOME", home), ("XDG_CACHE_HOME", none)], "/home/me/.cache/hob", "/home/me/.cache/hob/run"),
            (&[("HOME", home), ("XDG_CACHE_HOME", Path::new("c"))], "/home/me/.cache/hob", "/home/me/.cache/hob/run"),
            (&[("HOME", home), ("HOB_CACHE_DIR", Path::new("/x"))], "/x", "/x/run"),
            (
                &[("HOME", home), ("XDG_RUNTIME_DIR", Path::new("/gone/1"))],
                "/home/me/.cache/hob",
                "/home/me/.cache/hob/run",
            ),
            (&[("HOME", home), ("HOB_RUNTIME_DIR", Path::new("/r"))], "/home/me/.cache/hob", "/r"),
        ];
        for (variables, cache, runtime) in table {
            let expected = Paths { cache: cache.into(), runtime: runtime.into() };
            assert_eq!(Paths::new(&environment(variables)).unwrap(), expected, "{variables:?}");
        }
        let paths = Paths::new(&environment(&[("HOME", home), ("XDG_RUNTIME_DIR", ours)])).unwrap();
        assert_eq!(paths.runtime, ours.join("hob"));
    }

    #[test]
    fn folders_are_for_their_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().join("deep/hob");
        std::fs::create_dir_all(&base).unwrap();
        std::fs::set_permissions(&base, Permissions::from_mode(0o755)).unwrap();
        let paths = Paths::new(&environment(&[("HOB_CACHE_DIR", &base)])).unwrap();
        for path in [paths.digests().unwrap(), paths.projects().unwrap()] {
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700, "{}", path.display());
        }
        assert_eq!(paths.locks().unwrap(), base.join("run/locks"));
        assert_eq!(base.metadata().unwrap().mode() & 0o777, 0o700, "an open one is closed");
        assert_eq!(paths.locks().unwrap(), paths.locks().unwrap(), "making it twice is no error");
    }

    #[test]
    fn what_a_killed_hob_wrote_beside_others_goes() {
        let temp = tempfile::tempdir().unwrap();
        let paths = Paths::new(&environment(&[("HOB_CACHE_DIR", temp.path())])).unwrap();
        let folder = paths.digests().unwrap();
        let alive = format!("a.{}.tmp", std::process::id());
        let dead = format!("a.{}.tmp", u32::MAX);
        for name in [alive.as_str(), &dead, "kept", "tmp", "x.tmp"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        paths.clear_left();
        let mut left: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().display().to_string()).collect();
        left.sort();
        let mut wanted = [alive.as_str(), "kept", "tmp", "x.tmp"];
        wanted.sort_unstable();
        assert_eq!(left, wanted);
    }

    #[test]
    fn a_file_in_the_way_is_named_with_the_way_out() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        let text = Paths::new(&environment(&[("HOB_CACHE_DIR", &file)])).unwrap().digests().unwrap_err().to_string();
        assert!(text.contains(&file.display().to_string()) && text.contains("HOB_CACHE_DIR"), "{text}");
    }
}
