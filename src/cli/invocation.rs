//! Under which name hob was called, and how: by itself, as `docker-compose`, or by Docker's command as one of its plugins.
//!
//! As Docker Compose it has that command's sentences, exit codes and defaults, because scripts and other programs rely on
//! them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The release of Docker Compose whose commands, flags and sentences hob has.
pub const COMPOSE_VERSION: &str = "2.40.3";

/// What Docker asks a plugin for, to learn what it is.
const METADATA: &str = "docker-cli-plugin-metadata";

/// Set by Docker's command for its plugins.
const BY_DOCKER: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

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
    /// The program and its arguments, without what Docker put before them.
    pub words: Vec<OsString>,
    /// Docker asks what the plugin is.
    pub metadata: bool,
    /// Variables that options of Docker's own stand for, such as `docker --context far hob up`.
    pub variables: BTreeMap<String, String>,
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
            return Self { name, words, metadata: true, ..Self::default() };
        }
        let mut variables = BTreeMap::new();
        if let Some(own) = own
            && (by_docker || second == own)
        {
            variables = take_plugin_words(&mut words, own);
        }
        Self { name, words, metadata: false, variables }
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

/// Takes away the plugin's name and the options of Docker's own before it, and gives the variables that those stand for.
fn take_plugin_words(words: &mut Vec<OsString>, own: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        if word == own {
            words.drain(1..=at);
            return variables;
        }
        let (option, attached) = word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
        let variable = match option {
            "--host" | "-H" => Some("DOCKER_HOST"),
            "--context" | "-c" => Some("DOCKER_CONTEXT"),
            "--config" => Some("DOCKER_CONFIG"),
            "--log-level" | "-l" | "--tlscacert" | "--tlscert" | "--tlskey" => None,
            "--tls" | "--tlsverify" => {
                variables.insert("DOCKER_TLS_VERIFY".to_owned(), "1".to_owned());
                at += 1;
                continue;
            }
            _ if option.starts_with('-') => {
                at += 1;
                continue;
            }
            _ => return variables,
        };
        let value = match attached {
            Some(value) => Some(value.to_owned()),
            None => {
                at += 1;
                words.get(at).map(|value| value.to_string_lossy().into_owned())
            }
        };
        if let (Some(variable), Some(value)) = (variable, value) {
            variables.insert(variable.to_owned(), value);
        }
        at += 1;
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_knows_its_name() {
        let cases = [
            ("hob up -d", false, Name::Hob, "hob up -d", ""),
            ("/usr/bin/hob compose up -d", false, Name::Compose, "/usr/bin/hob up -d", ""),
            ("hob up compose", false, Name::Hob, "hob up compose", ""),
            ("docker-compose -f x up", false, Name::Compose, "docker-compose -f x up", ""),
            ("/a/docker-compose compose up", false, Name::Compose, "/a/docker-compose up", ""),
            ("/a/docker-compose compose -p compose up", true, Name::Compose, "/a/docker-compose -p compose up", ""),
            (
                "/a/docker-hob --context far -D -H=tcp://h hob up",
                true,
                Name::Hob,
                "/a/docker-hob up",
                "DOCKER_CONTEXT=far DOCKER_HOST=tcp://h",
            ),
            ("/a/docker-hob --tlsverify hob", true, Name::Hob, "/a/docker-hob", "DOCKER_TLS_VERIFY=1"),
            ("/a/docker-hob hob run hob", true, Name::Hob, "/a/docker-hob run hob", ""),
        ];
        for (line, by_docker, name, words, variables) in cases {
            let read = Invocation::read(line.split(' ').map(OsString::from), by_docker);
            let left = read.words.join(OsStr::new(" "));
            let set: Vec<String> = read.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let got = (read.name, left.to_str().unwrap(), set.join(" "));
            assert_eq!(got, (name, words, variables.to_owned()), "{line}");
            assert!(!read.metadata, "{line}");
        }
        for program in ["docker-hob", "/x/docker-compose"] {
            assert!(Invocation::read([program.into(), METADATA.into()], false).metadata);
        }
        assert!(!Invocation::read(["hob".into(), METADATA.into()], false).metadata);
    }
}
