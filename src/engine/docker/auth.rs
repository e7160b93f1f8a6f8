//! Logins to registries, from where `docker login` put them: `config.json`'s `auths`, or a helper program that it
//! names. Read anew at every use, so that a login in another terminal counts at once. Never logged.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;

/// The key of Docker Hub in `config.json`, and what its helpers are asked for.
const HUB: &str = "https://index.docker.io/v1/";

/// Where the logins are.
pub(super) struct Credentials {
    folder: Option<PathBuf>,
}

/// One login.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) identity_token: String,
    server: String,
}

impl Login {
    pub(super) fn to_bollard(&self) -> DockerCredentials {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        DockerCredentials {
            username: some(&self.username),
            password: some(&self.password),
            identitytoken: some(&self.identity_token),
            serveraddress: some(&self.server),
            ..Default::default()
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    auths: HashMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: HashMap<String, String>,
    #[serde(rename = "credsStore")]
    store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    identitytoken: String,
}

#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

impl Credentials {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The login for a registry (`docker.io`, `ghcr.io`, `localhost:5000`); `None` without one. A helper that fails
    /// is the same as no login: the registry's own refusal says what is missing.
    pub(super) async fn of(&self, registry: &str) -> Option<Login> {
        let text = tokio::fs::read(self.folder.as_ref()?.join("config.json")).await.ok()?;
        let config: Config = serde_json::from_slice(&text).ok()?;
        if let Some((server, helper)) = helper_for(&config, registry) {
            return ask_helper(&helper, &server).await;
        }
        from_auths(&config, registry)
    }
}

/// The server's name to ask a helper for, and the helper.
fn helper_for(config: &Config, registry: &str) -> Option<(String, String)> {
    let listed = config.helpers.iter().find(|(server, _)| same_registry(server, registry));
    if let Some((server, helper)) = listed {
        return Some((server.clone(), helper.clone()));
    }
    if config.store.is_empty() {
        return None;
    }
    let server = if is_hub(registry) { HUB } else { registry };
    Some((server.to_owned(), config.store.clone()))
}

fn from_auths(config: &Config, registry: &str) -> Option<Login> {
    let (server, entry) = config.auths.iter().find(|(server, _)| same_registry(server, registry))?;
    let decoded = String::from_utf8(STANDARD.decode(entry.auth.trim()).ok()?).ok()?;
    let (username, password) = decoded.split_once(':').unwrap_or_default();
    if username.is_empty() && entry.identitytoken.is_empty() {
        return None;
    }
    Some(Login {
        username: username.to_owned(),
        password: password.trim_end_matches('\0').to_owned(),
        identity_token: entry.identitytoken.clone(),
        server: server.clone(),
    })
}

async fn ask_helper(helper: &str, server: &str) -> Option<Login> {
    // A name with a slash would run a program from somewhere else.
    if helper.contains(['/', '\\']) {
        return None;
    }
    let mut child = tokio::process::Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    input.write_all(server.as_bytes()).await.ok()?;
    drop(input);
    let output = child.wait_with_output().await.ok()?;
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())?;
    let mut login = Login { server: server.to_owned(), ..Default::default() };
    if answer.username == "<token>" {
        login.identity_token = answer.secret;
    } else {
        login.username = answer.username;
        login.password = answer.secret;
    }
    Some(login)
}

fn is_hub(registry: &str) -> bool {
    matches!(registry, "docker.io" | "index.docker.io" | "registry-1.docker.io")
}

/// Whether a key of `config.json`, which may carry a scheme and a path, means a registry.
fn same_registry(key: &str, registry: &str) -> bool {
    let host = key.trim_start_matches("https://").trim_start_matches("http://").split('/').next().unwrap_or_default();
    host == registry || (is_hub(host) && is_hub(registry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Config {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn logins_in_the_file() {
        // "me:pass:word" and "x:"
        let config = config(
            r#"{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cGFzczp3b3Jk"},
                "ghcr.example": {"auth": "eDo=", "identitytoken": "t"}, "empty.example": {}}}"#,
        );
        let hub = from_auths(&config, "docker.io").unwrap();
        assert_eq!((hub.username.as_str(), hub.password.as_str()), ("me", "pass:word"));
        assert_eq!(from_auths(&config, "ghcr.example").unwrap().identity_token, "t");
        assert!(from_auths(&config, "empty.example").is_none());
        assert!(from_auths(&config, "other.example").is_none());
    }

    #[test]
    fn helpers() {
        let own = config(r#"{"credHelpers": {"a.example": "a"}, "credsStore": "desktop"}"#);
        let find = |registry| helper_for(&own, registry);
        assert_eq!(find("a.example"), Some(("a.example".into(), "a".into())));
        assert_eq!(find("docker.io"), Some((HUB.into(), "desktop".into())));
        assert_eq!(helper_for(&config("{}"), "a.example"), None);
    }
}
