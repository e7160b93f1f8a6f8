//! What a batch of changed files asks for, service by service.

use std::path::{Path, PathBuf};

use super::{HoldReason, ReloadReason};
use crate::model::{Effect, Reload, Reloader, Service, SyncTarget};

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
        /// What copies the first one, and what is left to reload itself.
        why: ReloadReason,
    },
    /// Nothing is copied, the reload alone.
    Reload {
        /// What is done.
        reload: Reload,
        /// Files that are mounted one by one, with their paths in the container: it may still see what they were.
        files: Vec<(PathBuf, String)>,
        /// Why.
        why: ReloadReason,
    },
    /// The image is built again, and the container recreated.
    Rebuild {
        /// Why it is not synced.
        why: ReloadReason,
    },
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
    let mut synced: Vec<SyncTarget> = Vec::new();
    let mut files = Vec::new();
    let mut reloads = Vec::new();
    let mut changed = None;
    let mut left = None;
    for (path, effect) in changes {
        match effect {
            Effect::Nothing | Effect::Aside(_) => {}
            Effect::Rebuild { why } => return Decision::Rebuild { why: why.into() },
            Effect::Reload { then, file } => {
                changed.get_or_insert_with(|| shown(path));
                reloads.push(then.clone());
                files.extend(file.iter().map(|file| (path.clone(), file.clone())));
            }
            Effect::Sync { targets, then } => {
                changed.get_or_insert_with(|| shown(path));
                let (reload, by) = follows(service, reloader, targets, then.as_ref());
                left = left.or(by);
                reloads.push(reload);
                synced.extend(targets.iter().cloned());
            }
        }
    }
    let (Some(reload), Some(file)) = (strongest(reloads), changed) else { return Decision::Nothing };
    if reload == Reload::Rebuild {
        return Decision::Rebuild { why: ReloadReason::ReloadIsRebuild };
    }
    if !state.running {
        return Decision::Rebuild { why: ReloadReason::NotRunning };
    }
    let Some(first) = synced.first() else {
        return Decision::Reload { reload, files, why: ReloadReason::Changed { file, replaced: None } };
    };
    if !state.writable {
        return Decision::Rebuild { why: ReloadReason::ReadOnly };
    }
    let reloader = left.filter(|_| reload == Reload::None).map(|reloader| reloader.name.clone());
    let why = ReloadReason::Copied { by: first.by.clone(), reloader };
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
    use crate::model::{CopiedBy, Place, RebuildReason};

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
    fn a_self_reloader_is_left_to_do_it_unless_something_is_said() {
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
            assert_eq!(why.to_string().ends_with("; rails server reloads itself"), named, "{name}: {why}");
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
