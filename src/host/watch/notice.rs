//! What the watcher had to give up or work around, in words that say what to do about it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Something that a person should know about the watch. Never an error: changes are still seen, later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The system's limit on watched folders is used up.
    WatchLimit {
        /// Folders that are polled because of it.
        polled: usize,
        /// Folders that are watched.
        watched: usize,
        /// The limit, where it can be read.
        limit: Option<u64>,
        /// How often the rest is looked at.
        every: Duration,
    },
    /// No watcher could be made at all.
    NoWatcher {
        /// What the system said.
        error: String,
        /// Whether the limit on watchers per user is the likely reason.
        limit_reached: bool,
        /// The limit, where it can be read.
        limit: Option<u64>,
        /// How often folders are looked at.
        every: Duration,
    },
    /// Folders on a file system that does not tell of every change.
    NoEvents {
        /// The first such folder.
        example: PathBuf,
        /// How many there are.
        folders: usize,
        /// The file system's name.
        file_system: &'static str,
        /// How often they are looked at.
        every: Duration,
    },
    /// A folder that may not be watched, and why: its changes go unseen.
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WatchLimit { polled, watched, limit, every } => {
                write!(
                    out,
                    "the system's limit on watched folders (fs.inotify.max_user_watches{}) is used up: {watched} \
                     folders are watched and {polled} are looked at every {every:?} instead. {}",
                    limit.map(|limit| format!(" = {limit}")).unwrap_or_default(),
                    raise("max_user_watches", limit.unwrap_or(0).saturating_mul(4).max(524_288)),
                )
            }
            Self::NoWatcher { error, limit_reached, limit, every } => {
                write!(out, "changes cannot be watched ({error}), so folders are looked at every {every:?} instead.")?;
                if *limit_reached {
                    write!(
                        out,
                        " The likely reason is the limit on watchers per user (fs.inotify.max_user_instances{}). {}",
                        limit.map(|limit| format!(" = {limit}")).unwrap_or_default(),
                        raise("max_user_instances", limit.unwrap_or(0).saturating_mul(4).max(1024)),
                    )?;
                }
                Ok(())
            }
            Self::NoEvents { example, folders, file_system, every } => {
                let example = example.display();
                match folders {
                    1 => write!(out, "{example} is")?,
                    _ => write!(out, "{folders} folders such as {example} are")?,
                }
                write!(
                    out,
                    " on a file system ({file_system}) that does not tell of changes made elsewhere, so hob also looks \
                     at {} every {every:?}; on a local disk changes are seen at once",
                    if *folders == 1 { "it" } else { "them" }
                )
            }
            Self::Unreadable { path, error } => {
                write!(
                    out,
                    "{} cannot be watched: {error}. Changes in it go unseen until hob may read it",
                    path.display()
                )
            }
        }
    }
}

/// The lines to run, for now and for good.
fn raise(key: &str, value: u64) -> String {
    format!(
        "To raise it: sudo sysctl fs.inotify.{key}={value} (and to keep it: echo fs.inotify.{key}={value} | sudo tee \
         /etc/sysctl.d/60-inotify-{}.conf)",
        key.trim_start_matches("max_user_")
    )
}

/// Reads one of the kernel's inotify limits.
pub(super) fn limit(key: &str) -> Option<u64> {
    std::fs::read_to_string(format!("/proc/sys/fs/inotify/{key}")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_message_names_the_sysctl_to_run() {
        let notice =
            Notice::WatchLimit { polled: 120, watched: 8000, limit: Some(8192), every: Duration::from_secs(1) };
        let text = notice.to_string();
        assert!(text.contains("fs.inotify.max_user_watches = 8192"), "{text}");
        assert!(text.contains("120 are looked at every 1s"), "{text}");
        assert!(text.contains("sudo sysctl fs.inotify.max_user_watches=524288"), "{text}");
        assert!(text.contains("/etc/sysctl.d/60-inotify-watches.conf"), "{text}");
    }

    #[test]
    fn a_limit_already_above_the_usual_advice_is_raised_further() {
        let notice =
            Notice::WatchLimit { polled: 1, watched: 1, limit: Some(1_000_000), every: Duration::from_secs(1) };
        assert!(notice.to_string().contains("max_user_watches=4000000"));
    }

    #[test]
    fn the_instance_limit_has_its_own_key() {
        let notice = Notice::NoWatcher {
            error: "Too many open files".into(),
            limit_reached: true,
            limit: Some(128),
            every: Duration::from_secs(1),
        };
        let text = notice.to_string();
        assert!(text.contains("sudo sysctl fs.inotify.max_user_instances=1024"), "{text}");
    }
}
