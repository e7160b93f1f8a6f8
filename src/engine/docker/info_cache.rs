//! What engines say about themselves, and the memory of it. An engine starts three programs to answer `/version` and
//! `/info`, which takes longer than all that a project with nothing to do asks of it. So hob greets with `/_ping`, and
//! remembers what the engine whose answer is like that said before. Whoever is about to change something has it confirmed first.
#![allow(clippy::disallowed_methods, reason = "a door of this layer: the file of the memory")]

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::raw::Answer;
use crate::host::atomic;

/// Engines that are remembered.
const KEPT: usize = 16;

/// What an engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServerInfo {
    pub version: String,
    /// The newest API that it speaks.
    pub api: (u32, u32),
    /// The oldest API that it speaks.
    pub least_api: (u32, u32),
    /// `linux/amd64`.
    pub platform: String,
    /// Images live in containerd's store.
    pub containerd_images: bool,
}

/// What an engine says at once: product, version, system and API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint(Vec<String>);

impl Fingerprint {
    /// From the head of the answer to `/_ping`; `None` where it does not tell engines apart.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let header = |name: &str| answer.header(name).map(str::to_owned);
        (answer.status == 200).then_some(Self(vec![header("server")?, header("api-version")?, header("ostype")?]))
    }
}

/// The file in which it is remembered; without one nothing is.
#[derive(Clone, Debug, Default)]
pub(super) struct InfoCache(pub Option<PathBuf>);

#[derive(Serialize, Deserialize)]
struct Known {
    endpoint: String,
    fingerprint: Fingerprint,
    info: ServerInfo,
}

impl InfoCache {
    /// What the engine at this place said when it last had this fingerprint.
    pub(super) fn get(&self, endpoint: &str, fingerprint: &Fingerprint) -> Option<ServerInfo> {
        let known =
            self.read().into_iter().find(|known| known.endpoint == endpoint && known.fingerprint == *fingerprint);
        Some(known?.info)
    }

    /// Remembers. What cannot be written is asked again next time.
    pub(super) fn put(&self, endpoint: &str, fingerprint: &Fingerprint, info: &ServerInfo) {
        let Some(file) = &self.0 else { return };
        let mut all = self.read();
        all.retain(|known| known.endpoint != endpoint);
        all.insert(0, Known { endpoint: endpoint.to_owned(), fingerprint: fingerprint.clone(), info: info.clone() });
        all.truncate(KEPT);
        if let Ok(text) = serde_json::to_vec(&all) {
            let _ = atomic::write(file, &text, atomic::SHARED);
        }
    }

    /// A file that is missing or damaged is as good as empty.
    fn read(&self) -> Vec<Known> {
        let text = self.0.as_ref().and_then(|file| fs::read(file).ok());
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }
}

/// What is known of an engine, and whether it has said so in this run.
#[derive(Debug)]
pub(super) struct VerifiedInfo {
    pub memory: InfoCache,
    pub fingerprint: Option<Fingerprint>,
    /// From the memory, or just said.
    pub info: ServerInfo,
    /// Set once the engine has said it in this run.
    pub confirmed: tokio::sync::OnceCell<()>,
}

impl VerifiedInfo {
    /// Remembers what the engine says now; whether that is what was known.
    pub(super) fn is_still(&self, endpoint: &str, now: &ServerInfo) -> bool {
        if let Some(fingerprint) = &self.fingerprint {
            self.memory.put(endpoint, fingerprint, now);
        }
        self.info == *now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(head: &str) -> Option<Fingerprint> {
        Fingerprint::of(&Answer::new(head.to_owned(), Vec::new()))
    }

    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nServer: Docker/20.10.24 (linux)\r\n\r\n";

    #[test]
    fn a_fingerprint_tells_engines_apart() {
        let known = fingerprint(HEAD).unwrap();
        assert_eq!(known, Fingerprint(vec!["Docker/20.10.24 (linux)".into(), "1.41".into(), "linux".into()]));
        assert_eq!(fingerprint(&HEAD.to_ascii_lowercase().replace("docker/", "Docker/")), Some(known));
        assert_eq!(fingerprint(&HEAD.replace("200 OK", "500 no")), None);
        assert_eq!(fingerprint(&HEAD.replace("Server", "X-Server")), None);
        assert_eq!(fingerprint(""), None);
    }

    #[test]
    fn an_engine_is_known_by_its_place_and_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let memory = InfoCache(Some(folder.path().join("engines.json")));
        let (old, new) = (fingerprint(HEAD).unwrap(), fingerprint(&HEAD.replace("1.41", "1.51")).unwrap());
        let info = |platform: &str| ServerInfo {
            version: "1".into(),
            api: (1, 41),
            least_api: (1, 12),
            platform: platform.into(),
            containerd_images: false,
        };
        assert_eq!(memory.get("unix:///a", &old), None);
        memory.put("unix:///a", &old, &info("linux/amd64"));
        memory.put("unix:///b", &old, &info("linux/arm64"));
        assert_eq!(memory.get("unix:///a", &old), Some(info("linux/amd64")));
        assert_eq!(memory.get("unix:///b", &old), Some(info("linux/arm64")));
        assert_eq!(memory.get("unix:///a", &new), None, "another engine listens there");
        memory.put("unix:///a", &new, &info("linux/s390x"));
        assert_eq!(memory.get("unix:///a", &old), None);
        fs::write(folder.path().join("engines.json"), "{").unwrap();
        assert_eq!(memory.get("unix:///a", &new), None, "damaged");
    }
}
