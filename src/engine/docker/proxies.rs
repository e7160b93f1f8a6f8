//! Proxies of the client's `config.json`, which containers and builds get as variables, as from the docker program and
//! from Compose: for this engine if it is named there, else those of `default`.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Where they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    folder: Option<PathBuf>,
    engine: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    proxies: HashMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    http_proxy: String,
    https_proxy: String,
    ftp_proxy: String,
    no_proxy: String,
    all_proxy: String,
}

impl Proxies {
    /// Those for an engine, which is named as `DOCKER_HOST` would name it.
    pub(super) fn new(folder: Option<PathBuf>, engine: String) -> Self {
        Self { folder, engine }
    }

    /// The variables, in both spellings. Read anew at every use.
    pub(super) async fn variables(&self) -> Vec<(String, String)> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let text = tokio::fs::read(folder.join("config.json")).await.unwrap_or_default();
        // A file that cannot be read is none, as for logins.
        of(&serde_json::from_slice(&text).unwrap_or_default(), &self.engine)
    }
}

fn of(config: &Config, engine: &str) -> Vec<(String, String)> {
    let Some(entry) = config.proxies.get(engine).or_else(|| config.proxies.get("default")) else { return Vec::new() };
    let Entry { http_proxy, https_proxy, ftp_proxy, no_proxy, all_proxy } = entry;
    [("http", http_proxy), ("https", https_proxy), ("ftp", ftp_proxy), ("no", no_proxy), ("all", all_proxy)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .flat_map(|(name, value)| {
            let name = format!("{name}_proxy");
            [(name.to_uppercase(), value.clone()), (name, value.clone())]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_own_come_before_the_others() {
        let text = r#"{"proxies": {"default": {"httpProxy": "http://a", "noProxy": "b"},
            "tcp://x:1": {"allProxy": "socks5://c"}}, "HttpHeaders": {"A": "b"}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let names = |engine| of(&config, engine).into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        assert_eq!(names("unix:///y"), ["HTTP_PROXY=http://a", "http_proxy=http://a", "NO_PROXY=b", "no_proxy=b"]);
        assert_eq!(names("tcp://x:1"), ["ALL_PROXY=socks5://c", "all_proxy=socks5://c"]);
        assert!(of(&Config::default(), "x").is_empty());
    }
}
