//! Under which name hob was called, and how: by itself, as `docker-compose`, or by Docker's command as one of its plugins.
//!
//! As Docker Compose it has that command's sentences, exit codes and defaults, because scripts and other programs rely on
//! them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The release of Docker Compose whose commands, flags and sentences hob has.
pub const COMPOSE_VERSION: &str = "2.40.3";

/// What Docker asks a plugin for, to learn what it is.
const METADATA: &str = "docker-cli-plugin-metadata";

/// Set by Docker's command for its plugins.
const BY_DOCKER: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// Options of Docker's own whose value is the next word.
const DOCKERS_WITH_VALUE: [&str; 10] =
    ["--config", "--context", "-c", "--host", "-H", "--log-level", "-l", "--tlscacert", "--tlscert", "--tlskey"];

/// Under which name hob was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Name {
    /// Its own.
    #[default]
    Hob,
    /// That of Docker Compose.
    Compose,
}

impl Name {
    /// How the command is called in its help.
    pub fn command(self) -> &'static str {
        match self {
            Self::Hob => "hob",
            Self::Compose => "docker compose",
        }
    }
}

/// A call of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// Under which name.
    pub name: Name,
    /// The program and its arguments, without the plugin's name.
    pub words: Vec<OsString>,
    /// Docker asks what the plugin is.
    pub metadata: bool,
}

impl Invocation {
    /// Reads how the program was called. `by_docker`: the variable that Docker sets for its plugins is there.
    pub fn read(words: impl IntoIterator<Item = OsString>, by_docker: bool) -> Self {
        let mut words: Vec<OsString> = words.into_iter().collect();
        let program = words.first().map(|word| stem(word)).unwrap_or_default();
        let second = words.get(1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        let (name, own) = match (&*program, &*second) {
            ("docker-compose", _) => (Name::Compose, Some("compose")),
            ("docker-hob", _) => (Name::Hob, Some("hob")),
            (_, "compose") => {
                words.remove(1);
                (Name::Compose, None)
            }
            _ => (Name::Hob, None),
        };
        if own.is_some() && second == METADATA {
            return Self { name, words, metadata: true };
        }
        if let Some(own) = own
            && (by_docker || second == own)
        {
            without_plugin_name(&mut words, own);
        }
        Self { name, words, metadata: false }
    }

    /// The call of this process.
    pub fn of_process() -> Self {
        Self::read(std::env::args_os(), std::env::var_os(BY_DOCKER).is_some())
    }

    /// What Docker is told of the plugin.
    pub fn metadata() -> String {
        serde_json::json!({
            "SchemaVersion": "0.1.0",
            "Vendor": "hob",
            "Version": concat!("v", env!("CARGO_PKG_VERSION")),
            "ShortDescription": env!("CARGO_PKG_DESCRIPTION"),
        })
        .to_string()
    }
}

/// The name of the program, which may be a link.
fn stem(word: &OsStr) -> String {
    let name = Path::new(word).file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.strip_suffix(".exe").unwrap_or(name).to_owned()
}

/// Takes away the plugin's name. Docker's own options before it stay: hob has them too (`args::DockerArgs`).
fn without_plugin_name(words: &mut Vec<OsString>, own: &str) {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        if word == own {
            words.remove(at);
            return;
        }
        if !word.starts_with('-') {
            return;
        }
        at += if DOCKERS_WITH_VALUE.contains(&word) { 2 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_knows_its_name() {
        let cases = [
            ("hob up -d", false, Name::Hob, "hob up -d"),
            ("/usr/bin/hob compose up -d", false, Name::Compose, "/usr/bin/hob up -d"),
            ("hob up compose", false, Name::Hob, "hob up compose"),
            ("docker-compose -f x up", false, Name::Compose, "docker-compose -f x up"),
            ("/a/docker-compose compose up", false, Name::Compose, "/a/docker-compose up"),
            ("/a/docker-compose compose -p compose up", true, Name::Compose, "/a/docker-compose -p compose up"),
            (
                "/a/docker-hob --context hob -D -H=tcp://h hob up",
                true,
                Name::Hob,
                "/a/docker-hob --context hob -D -H=tcp://h up",
            ),
            ("/a/docker-hob --tlsverify hob", true, Name::Hob, "/a/docker-hob --tlsverify"),
            ("/a/docker-hob hob run hob", true, Name::Hob, "/a/docker-hob run hob"),
        ];
        for (line, by_docker, name, words) in cases {
            let read = Invocation::read(line.split(' ').map(OsString::from), by_docker);
            let left = read.words.join(OsStr::new(" "));
            assert_eq!((read.name, left.to_str().unwrap(), read.metadata), (name, words, false), "{line}");
        }
        for program in ["docker-hob", "/x/docker-compose"] {
            assert!(Invocation::read([program.into(), METADATA.into()], false).metadata);
        }
        assert!(!Invocation::read(["hob".into(), METADATA.into()], false).metadata);
    }
}
