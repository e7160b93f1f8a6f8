//! Where the engine is: `DOCKER_HOST`, else the Docker context, else the usual sockets, in the order in which the
//! docker command line looks.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::endpoint::Endpoint;
use super::info_cache::InfoCache;
use super::owner::Owner;
use crate::engine::{EngineError, ErrorKind, Result};
use crate::model::Digest;

/// What the search for an engine looks at; made from the process by `from_process`, by hand in tests.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment variables.
    pub env: std::collections::HashMap<String, String>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// A file of hob's own in which engines are remembered.
    pub memory: Option<PathBuf>,
    /// A folder of hob's own for requests that are under way.
    pub requests: Option<PathBuf>,
    /// Whose is what is made on the engine for a short time.
    pub owner: Owner,
}

impl Surroundings {
    /// The process's own environment; nothing is remembered.
    pub fn from_process() -> Self {
        Self::of(&crate::host::env::snapshot())
    }

    /// The same with the environment that a command has; nothing is remembered.
    pub fn of(environment: &std::collections::BTreeMap<String, String>) -> Self {
        let env = environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { env, home: std::env::home_dir(), ..Self::default() }
    }

    /// The same, with engines remembered in this file.
    #[must_use]
    pub fn remembering(self, file: Option<PathBuf>) -> Self {
        Self { memory: file, ..self }
    }

    /// The same, with requests noted in this folder for as long as they are under way, by a process of this name.
    #[must_use]
    pub fn noting(self, requests: Option<PathBuf>, owner: Owner) -> Self {
        Self { requests, owner, ..self }
    }

    pub(super) fn memory(&self) -> InfoCache {
        InfoCache(self.memory.clone())
    }

    fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `DOCKER_CONFIG`, else `~/.docker`.
    pub fn config_folder(&self) -> Option<PathBuf> {
        match self.var("DOCKER_CONFIG") {
            Some(folder) => Some(folder.into()),
            None => Some(self.home.as_ref()?.join(".docker")),
        }
    }

    /// Where to look for an engine, best first. More than one only where nothing was configured.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>> {
        if let Some(host) = self.var("DOCKER_HOST") {
            let tls = self.var("DOCKER_TLS_VERIFY").or(self.var("DOCKER_TLS")).is_some();
            return Ok(vec![parse(host, "DOCKER_HOST", tls)?]);
        }
        let configured = self.var("DOCKER_CONTEXT").map(str::to_owned).or_else(|| self.current_context());
        if let Some(name) = configured.filter(|name| name != "default") {
            return Ok(vec![self.context(&name)?]);
        }
        let runtime = self.var("XDG_RUNTIME_DIR").map(PathBuf::from);
        let home = self.home.as_deref();
        let sockets = [
            Some(PathBuf::from("/var/run/docker.sock")),
            runtime.as_ref().map(|folder| folder.join("docker.sock")),
            home.map(|home| home.join(".docker/run/docker.sock")),
            home.map(|home| home.join(".docker/desktop/docker.sock")),
            runtime.as_ref().map(|folder| folder.join("podman/podman.sock")),
            Some(PathBuf::from("/run/podman/podman.sock")),
        ];
        Ok(sockets.into_iter().flatten().map(Endpoint::Unix).collect())
    }

    fn current_context(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(rename = "currentContext", default)]
            current_context: String,
        }
        let text = std::fs::read(self.config_folder()?.join("config.json")).ok()?;
        let config: Config = serde_json::from_slice(&text).ok()?;
        Some(config.current_context).filter(|name| !name.is_empty())
    }

    /// The Docker endpoint of a context; its folder is named by the SHA-256 of its name.
    fn context(&self, name: &str) -> Result<Endpoint> {
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "Endpoints", default)]
            endpoints: std::collections::HashMap<String, Host>,
        }
        #[derive(Deserialize)]
        struct Host {
            #[serde(rename = "Host", default)]
            host: String,
        }
        let missing = |why: &str| {
            EngineError::new(
                ErrorKind::Refused,
                format!("the Docker context \"{name}\" {why}; `docker context ls` shows the ones that there are"),
            )
        };
        let folder = self.config_folder().unwrap_or_default().join("contexts/meta");
        let file = folder.join(Digest::of(name.as_bytes()).as_str()).join("meta.json");
        let text = std::fs::read(&file).map_err(|_| missing("is chosen and does not exist"))?;
        let meta: Meta = serde_json::from_slice(&text).map_err(|_| missing("cannot be read"))?;
        let host = meta.endpoints.get("docker").map(|host| host.host.as_str()).filter(|host| !host.is_empty());
        let tls = folder.with_file_name("tls").join(Digest::of(name.as_bytes()).as_str()).join("docker").exists();
        parse(host.ok_or_else(|| missing("has no Docker endpoint"))?, &format!("the Docker context \"{name}\""), tls)
    }
}

fn parse(host: &str, whence: &str, tls: bool) -> Result<Endpoint> {
    let refuse = |why: String| Err(EngineError::new(ErrorKind::Refused, why));
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    match scheme {
        "unix" if Path::new(rest).is_absolute() => Ok(Endpoint::Unix(rest.into())),
        "tcp" | "http" if tls => refuse(format!(
            "{whence} asks for TLS to {host}, which hob does not speak; forward the engine's socket instead: \
             ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST, and DOCKER_HOST=unix:///tmp/engine.sock"
        )),
        "tcp" | "http" if !rest.is_empty() => {
            let address = rest.trim_end_matches('/');
            let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            Ok(Endpoint::Tcp(if has_port { address.into() } else { format!("{address}:2375") }))
        }
        "ssh" => refuse(format!(
            "{whence} is {host}; hob does not open SSH connections itself: forward the engine's socket with \
             ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST, and set DOCKER_HOST=unix:///tmp/engine.sock"
        )),
        _ => refuse(format!("{whence} is \"{host}\"; expected unix:///path/to/docker.sock or tcp://host:port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(home: &Path, env: &[(&str, &str)]) -> Surroundings {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Surroundings { env, home: Some(home.into()), ..Surroundings::default() }
    }

    fn with_context(home: &Path, name: &str, host: &str, current: bool) {
        let folder = home.join(".docker/contexts/meta").join(Digest::of(name.as_bytes()).as_str());
        std::fs::create_dir_all(&folder).unwrap();
        let meta = format!(
            r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
        );
        std::fs::write(folder.join("meta.json"), meta).unwrap();
        if current {
            std::fs::write(home.join(".docker/config.json"), format!(r#"{{"currentContext":"{name}"}}"#)).unwrap();
        }
    }

    #[test]
    fn host_wins_over_contexts() {
        let home = tempfile::tempdir().unwrap();
        with_context(home.path(), "away", "tcp://away:1234", true);
        with_context(home.path(), "here", "unix:///here.sock", false);
        for (env, expected) in [
            (&[("DOCKER_HOST", "unix:///a.sock"), ("DOCKER_CONTEXT", "here")][..], "unix:///a.sock"),
            (&[("DOCKER_CONTEXT", "here")], "unix:///here.sock"),
            (&[], "tcp://away:1234"),
            (&[("DOCKER_HOST", "tcp://box")], "tcp://box:2375"),
            (&[("DOCKER_HOST", "box:99")], "tcp://box:99"),
        ] {
            let found = surroundings(home.path(), env).endpoints().unwrap();
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{env:?}");
        }
        let default = surroundings(home.path(), &[("DOCKER_CONTEXT", "default"), ("XDG_RUNTIME_DIR", "/run/u")]);
        let found: Vec<_> = default.endpoints().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found[..2], ["unix:///var/run/docker.sock", "unix:///run/u/docker.sock"]);
        assert!(found.contains(&"unix:///run/u/podman/podman.sock".to_owned()));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let home = tempfile::tempdir().unwrap();
        for (env, part) in [
            (&[("DOCKER_CONTEXT", "gone")][..], "does not exist"),
            (&[("DOCKER_HOST", "ssh://me@box")], "forward the engine's socket"),
            (&[("DOCKER_HOST", "tcp://box:2376"), ("DOCKER_TLS_VERIFY", "1")], "asks for TLS"),
            (&[("DOCKER_HOST", "nonsense://x")], "expected unix:///path"),
            (&[("DOCKER_HOST", "unix://relative")], "expected unix:///path"),
        ] {
            let error = surroundings(home.path(), env).endpoints().unwrap_err();
            assert!(error.message.contains(part), "{}", error.message);
        }
    }
}
