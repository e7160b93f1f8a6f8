//! What a batch of changed files asks for, service by service.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::{Effect, Fallback, RebuildReason, Reload, Reloader, Service, SyncTarget};

/// What is done about a batch of changes for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: no path of the batch matters to it.
    Nothing,
    /// Not now.
    Hold(HoldReason),
    /// Files are put into the running container, then the reload.
    Sync {
        /// What to do in the container, in this order.
        targets: Vec<SyncTarget>,
        /// What follows.
        reload: Reload,
        /// The instruction that copies the first one.
        why: String,
    },
    /// Nothing is copied, the reload alone.
    Reload {
        /// What is done.
        reload: Reload,
        /// Files that are mounted one by one, with their paths in the container: it may still see what they were.
        files: Vec<(PathBuf, String)>,
        /// Why.
        why: String,
    },
    /// The image is built again, and the container recreated.
    Rebuild {
        /// Why it is not synced.
        why: String,
    },
}

/// Why a change is not acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// It is a job that has completed: a save does not run it again.
    Completed,
    /// Somebody stopped it: a save does not start it again.
    Stopped,
    /// Somebody removed it: a save does not make it again.
    Removed,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("it has completed; the next `hob up` runs it again"),
            Self::Stopped => f.write_str("it was stopped; `hob start` or `hob up -d` starts it with what was saved"),
            Self::Removed => f.write_str("it was removed; `hob up -d` makes it again with what was saved"),
        }
    }
}

/// How a service is, as far as a change is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// It has a running container.
    pub running: bool,
    /// It has none, because it has exited with 0.
    pub completed: bool,
    /// It has none, because a person stopped it.
    pub stopped: bool,
    /// It has none, not even one that does not run, because a person removed it.
    pub removed: bool,
    /// A file can be put into that container.
    pub writable: bool,
}

/// What follows a sync of these targets, and the program that is left to reload itself. A rule of `develop.watch` says
/// it first (`then`), the service's `reload` next.
pub fn follows<'r>(
    service: &Service,
    reloader: Option<&'r Reloader>,
    targets: &[SyncTarget],
    then: Option<&Reload>,
) -> (Reload, Option<&'r Reloader>) {
    match (then.or(service.reload.as_ref()), reloader) {
        (Some(said), _) => (said.clone(), None),
        (None, Some(reloader)) if targets.iter().all(|target| reloader.covers(&target.path)) => {
            (Reload::None, Some(reloader))
        }
        (None, _) => (Reload::default(), None),
    }
}

/// Decides for one service. `changes` are the paths of the batch with what each asks for, `reloader` is its program
/// where that reloads itself.
pub fn decide(
    service: &Service,
    state: Running,
    reloader: Option<&Reloader>,
    changes: &[(PathBuf, Effect)],
) -> Decision {
    if state.completed && changes.iter().any(|(_, effect)| effect.acts()) {
        return Decision::Hold(HoldReason::Completed);
    }
    if state.stopped && !state.running && changes.iter().any(|(_, effect)| *effect != Effect::Nothing) {
        return Decision::Hold(if state.removed { HoldReason::Removed } else { HoldReason::Stopped });
    }
    let mut synced = Vec::new();
    let mut files = Vec::new();
    let mut reloads = Vec::new();
    let mut why = None;
    let mut left = None;
    for (path, effect) in changes {
        match effect {
            Effect::Nothing | Effect::Aside(_) => {}
            Effect::Rebuild { why: RebuildReason::WholeContext { fallback: Fallback::UnknownBaseImage { image } } } => {
                return Decision::Rebuild { why: format!("{image} is not there yet") };
            }
            Effect::Rebuild { why } => return Decision::Rebuild { why: why.to_string() },
            Effect::Reload { then, file } => {
                why.get_or_insert_with(|| format!("{} changed", shown(path)));
                reloads.push(then.clone());
                files.extend(file.iter().map(|file| (path.clone(), file.clone())));
            }
            Effect::Sync { targets, then } => {
                if let Some(target) = targets.first() {
                    why.get_or_insert_with(|| target.by.to_string());
                }
                let (reload, by) = follows(service, reloader, targets, then.as_ref());
                left = left.or(by);
                reloads.push(reload);
                synced.extend(targets.iter().cloned());
            }
        }
    }
    let Some(reload) = strongest(reloads) else { return Decision::Nothing };
    let mut why = why.unwrap_or_default();
    if reload == Reload::Rebuild {
        return Decision::Rebuild { why: "its `reload` is `rebuild`".to_owned() };
    }
    if !state.running {
        return Decision::Rebuild { why: "it does not run".to_owned() };
    }
    if synced.is_empty() {
        return Decision::Reload { reload, files, why };
    }
    if !state.writable {
        return Decision::Rebuild { why: "its container's root file system is read-only".to_owned() };
    }
    if let Some(reloader) = left.filter(|_| reload == Reload::None) {
        why = format!("{why}; {reloader}");
    }
    Decision::Sync { targets: synced, reload, why }
}

/// Of several reloads the one that includes the others.
fn strongest(reloads: Vec<Reload>) -> Option<Reload> {
    let rank = |reload: &Reload| match reload {
        Reload::None => 0,
        Reload::Signal(_) => 1,
        Reload::Exec(_) => 2,
        Reload::Restart => 3,
        Reload::Container => 4,
        Reload::Rebuild => 5,
    };
    reloads.into_iter().max_by_key(rank)
}

fn shown(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CopiedBy, Place};

    fn sync(path: &str, then: Option<Reload>) -> (PathBuf, Effect) {
        let target = SyncTarget {
            source: path.into(),
            path: format!("/app{path}"),
            action: crate::model::SyncAction::Put,
            base: "/".into(),
            by: CopiedBy::Instruction { dockerfile: "Dockerfile".into(), place: Place { line: 3, column: 1 } },
            owner: None,
            mode: None,
            unpacks: false,
        };
        (path.into(), Effect::Sync { targets: vec![target], then })
    }

    fn rebuild(path: &str) -> (PathBuf, Effect) {
        (path.into(), Effect::Rebuild { why: RebuildReason::LaterRun { place: Place { line: 4, column: 1 } } })
    }

    const UP: Running = Running { running: true, completed: false, stopped: false, removed: false, writable: true };

    #[test]
    fn a_batch_is_decided_as_a_whole() {
        let service = Service::default();
        let cases = [
            ("nobody reads it", vec![("/x".into(), Effect::Nothing)], UP, "nothing"),
            ("all can be synced", vec![sync("/a", None), sync("/b", None)], UP, "sync 2 Restart"),
            ("one needs a build", vec![sync("/a", None), rebuild("/b")], UP, "rebuild"),
            ("a rule asks for less", vec![sync("/a", Some(Reload::None))], UP, "sync 1 None"),
            ("the strongest reload wins", vec![sync("/a", Some(Reload::None)), sync("/b", None)], UP, "sync 2 Restart"),
            ("it does not run", vec![sync("/a", None)], Running { running: false, ..UP }, "rebuild"),
            ("it has completed", vec![rebuild("/a")], Running { running: false, completed: true, ..UP }, "hold"),
            ("it was stopped", vec![rebuild("/a")], Running { running: false, stopped: true, ..UP }, "hold"),
            ("it cannot be written to", vec![sync("/a", None)], Running { writable: false, ..UP }, "rebuild"),
        ];
        for (name, changes, state, expected) in cases {
            let got = match decide(&service, state, None, &changes) {
                Decision::Nothing => "nothing".to_owned(),
                Decision::Hold(_) => "hold".to_owned(),
                Decision::Sync { targets, reload, .. } => format!("sync {} {reload:?}", targets.len()),
                Decision::Reload { reload, .. } => format!("reload {reload:?}"),
                Decision::Rebuild { .. } => "rebuild".to_owned(),
            };
            assert_eq!(got, expected, "{name}");
        }
    }

    #[test]
    fn a_program_that_reloads_itself_is_left_to_do_it_unless_something_is_said() {
        let rails = Reloader { name: "rails server".into(), except: vec!["config".into()] };
        let plain = Service::default();
        let said = Service { reload: Some(Reload::Restart), ..Service::default() };
        let cases = [
            ("it takes up both", &plain, vec![sync("/a", None), sync("/b", None)], Reload::None, true),
            ("not this one", &plain, vec![sync("/a", None), sync("/config/b", None)], Reload::Restart, false),
            ("the service says otherwise", &said, vec![sync("/a", None)], Reload::Restart, false),
            ("a rule does", &plain, vec![sync("/a", Some(Reload::Container))], Reload::Container, false),
            ("a rule says the same", &plain, vec![sync("/a", Some(Reload::None))], Reload::None, false),
        ];
        for (name, service, changes, expected, named) in cases {
            let Decision::Sync { reload, why, .. } = decide(service, UP, Some(&rails), &changes) else {
                panic!("{name}: not a sync")
            };
            assert_eq!(reload, expected, "{name}");
            assert_eq!(why.ends_with("; rails server reloads itself"), named, "{name}: {why}");
        }
    }

    #[test]
    fn the_service_says_what_follows_a_sync() {
        let service = Service { reload: Some(Reload::Signal("SIGHUP".into())), ..Service::default() };
        let Decision::Sync { reload, .. } = decide(&service, UP, None, &[sync("/a", None)]) else {
            panic!("not a sync")
        };
        assert_eq!(reload, Reload::Signal("SIGHUP".into()));
        let service = Service { reload: Some(Reload::Rebuild), ..Service::default() };
        assert!(matches!(decide(&service, UP, None, &[sync("/a", None)]), Decision::Rebuild { .. }));
    }
}
