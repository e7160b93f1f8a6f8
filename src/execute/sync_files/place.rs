//! Where a target is: the folder that its instruction or rule names, and the way from there. Links are followed on the
//! way to that folder, which the manifest's author named, and none below it: a program may have made those.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::model::SyncTarget;

/// A place in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The folder that is named, absolute.
    pub folder: &'a str,
    /// The path below it.
    pub name: &'a str,
}

/// The place of a target; `None` for the root. What is itself named is in the folder above it.
pub fn place(target: &SyncTarget) -> Option<Place<'_>> {
    let path = target.path.trim_end_matches('/');
    let base = target.base.trim_end_matches('/');
    let below = path.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
    let (folder, name) = match below {
        Some(name) if target.base.starts_with('/') => (base, name),
        _ => path.rsplit_once('/')?,
    };
    let name = name.trim_start_matches('/');
    (!name.is_empty()).then_some(Place { folder: if folder.is_empty() { "/" } else { folder }, name })
}

/// Targets by the folder that is named for them, each with its way from there.
pub fn by_folder(targets: &[SyncTarget]) -> IndexMap<String, Vec<(SyncTarget, Vec<u8>)>> {
    let mut folders: IndexMap<String, Vec<_>> = IndexMap::new();
    for target in targets {
        if let Some(Place { folder, name }) = place(target) {
            folders.entry(folder.to_owned()).or_default().push((target.clone(), name.as_bytes().to_vec()));
        }
    }
    folders
}

/// The folders between the named ones and the targets, each before those in it: none of them may be a link.
pub fn folders_below<'a>(targets: impl Iterator<Item = &'a SyncTarget>) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for Place { folder, name } in targets.filter_map(place) {
        let folder = folder.trim_end_matches('/');
        folders.extend(name.match_indices('/').map(|(at, _)| format!("{folder}/{}", &name[..at])));
    }
    folders
}
