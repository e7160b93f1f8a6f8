//! What a service's mounts do to files: what of the host its containers see, and what of the image they hide.

use std::path::{Path, PathBuf};

use crate::model::{MountType, Service, clean_path};

/// The mounts of one service.
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    all: Vec<Mounted>,
}

#[derive(Clone, Debug)]
struct Mounted {
    target: String,
    /// The file or folder of the host, for a bind mount.
    source: Option<PathBuf>,
}

impl Mounts {
    /// All that the manifest mounts: `volumes`, `tmpfs`, secrets and configurations.
    pub fn of(service: &Service) -> Self {
        let mut all: Vec<Mounted> = service
            .volumes
            .iter()
            .map(|mount| Mounted {
                target: target(&mount.target),
                source: mount.source.as_ref().filter(|_| mount.r#type == MountType::Bind).map(PathBuf::from),
            })
            .collect();
        let memory = service.tmpfs.iter().filter_map(|text| text.split(':').next());
        let files = |references: &[crate::model::FileReference], folder: &str| {
            let place = |name: &str| if name.starts_with('/') { name.to_owned() } else { format!("{folder}{name}") };
            let named = references.iter().filter_map(|r| r.target.as_deref().or(r.source.as_deref()));
            named.map(place).collect::<Vec<_>>()
        };
        let files = [files(&service.secrets, "/run/secrets/"), files(&service.configs, "/")].concat();
        let others = memory.map(str::to_owned).chain(files);
        all.extend(others.map(|path| Mounted { target: target(&path), source: None }));
        Self { all }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Where something is mounted over a path of the container.
    pub fn over(&self, path: &str) -> Option<&str> {
        self.deepest(path).map(|mount| mount.target.as_str())
    }

    /// Where a path of the host is in the container, if that sees it: by a bind mount that no deeper one hides.
    pub fn shows(&self, host: &Path) -> Option<String> {
        self.all.iter().find_map(|mount| {
            let rel = host.strip_prefix(mount.source.as_ref()?).ok()?.to_str()?;
            let path = if rel.is_empty() {
                mount.target.clone()
            } else {
                format!("{}/{rel}", mount.target.trim_end_matches('/'))
            };
            self.deepest(&path).is_some_and(|deepest| deepest.target == mount.target).then_some(path)
        })
    }

    /// The host's files and folders that are bound.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        self.all.iter().filter_map(|mount| mount.source.as_deref())
    }

    /// Whether a path of the host is mounted by itself. A mount of a file holds the file that was there when the
    /// container was started, whatever takes its name later.
    pub fn is_source(&self, host: &Path) -> bool {
        self.sources().any(|source| source == host)
    }

    fn deepest(&self, path: &str) -> Option<&Mounted> {
        // Of two mounts at one place the later one counts.
        self.all.iter().filter(|mount| is_at_or_below(path, &mount.target)).max_by_key(|mount| mount.target.len())
    }
}

fn target(path: &str) -> String {
    clean_path(path).trim_end_matches('/').to_owned()
}

/// Whether a path of a container is another one or below it; an empty one is the root.
fn is_at_or_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mounts() -> Mounts {
        let service: Service = serde_json::from_value(json!({
            "volumes": [
                {"type": "bind", "source": "/p", "target": "/app/"},
                {"type": "volume", "target": "/app/node_modules"},
                {"type": "bind", "source": "/p/app.conf", "target": "/etc/app.conf"},
            ],
            "tmpfs": ["/app/tmp:size=1m"],
            "secrets": [{"source": "key"}],
        }))
        .unwrap();
        Mounts::of(&service)
    }

    #[test]
    fn what_is_hidden_and_what_is_seen() {
        let mounts = mounts();
        for (path, over) in [
            ("/app", Some("/app")),
            ("/app/src/main.py", Some("/app")),
            ("/app/node_modules/x", Some("/app/node_modules")),
            ("/app/tmp/x", Some("/app/tmp")),
            ("/etc/app.conf", Some("/etc/app.conf")),
            ("/run/secrets/key", Some("/run/secrets/key")),
            ("/application", None),
            ("/etc", None),
        ] {
            assert_eq!(mounts.over(path), over, "{path}");
        }
        for (host, seen) in [
            ("/p/main.py", Some("/app/main.py")),
            ("/p", Some("/app")),
            ("/p/node_modules/x", None),
            ("/p/tmp/x", None),
            ("/p/app.conf", Some("/app/app.conf")),
            ("/q", None),
        ] {
            assert_eq!(mounts.shows(Path::new(host)).as_deref(), seen, "{host}");
        }
        assert!(mounts.is_source(Path::new("/p/app.conf")) && !mounts.is_source(Path::new("/p/main.py")));
    }
}
