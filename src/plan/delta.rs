//! The layer that makes an image of an earlier one. A layer's folders take the place of those below with all that they
//! are, so each has to be written as the image has it; and what a removed file covered must not stay hidden. So
//! the image is looked into first, and where it does not look as the instructions say, it is built.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use crate::model::{Delta, Digest, Look, LookKind, ObservedImage, PutKind, PutOwner};

/// What is known of an image's files, by [`key`].
pub type Looks = HashMap<String, Option<Look>>;

/// An entry of the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerEntry {
    /// Absolute path in the image.
    pub path: String,
    /// What is written there.
    pub what: Layered,
    /// Permission bits.
    pub mode: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What an entry of a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layered {
    /// A folder.
    Folder,
    /// A file with the content that a file of the host had when it was measured.
    File(PathBuf, Digest),
    /// A symbolic link.
    Link(PathBuf),
    /// The mark of something that is removed; it has the name for that already.
    Gone,
}

/// Folders that a container gets from the engine, whatever its image has there.
const ENGINES_OWN: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Whether an image is an earlier one with a layer more, and on which: the digest of what that one's build read. A
/// whole build of the same inputs (a plan's `Build` of the digest that the image has already) gives one without.
pub fn is_delta(image: &ObservedImage) -> Option<Digest> {
    Digest::parse(image.labels.get(super::labels::DELTA)?)
}

/// What a look at a path is kept by: in the image, or below its last `COPY`s and `ADD`s.
pub fn key(path: &str, below: usize) -> String {
    if below == 0 { path.to_owned() } else { format!("{below} {path}") }
}

/// What has to be looked at: in the image, and below its last [`Delta::copies`].
pub fn paths(delta: &Delta) -> (Vec<String>, Vec<String>) {
    let mut paths: Vec<String> = Vec::new();
    for path in delta.puts.iter().map(|put| &put.path).chain(delta.removed.iter().map(|removed| &removed.path)) {
        paths.extend(above(path));
        paths.push(path.clone());
    }
    paths.extend(delta.puts.iter().filter_map(|put| match &put.owner {
        PutOwner::As(other) => Some(other.clone()),
        PutOwner::Ids(..) => None,
    }));
    paths.sort();
    paths.dedup();
    (paths, delta.removed.iter().map(|removed| removed.path.clone()).collect())
}

/// The layer, folders before what is in them.
///
/// # Errors
/// Why the image has to be built.
pub fn layer(delta: &Delta, looks: &Looks) -> Result<Vec<LayerEntry>, String> {
    let mut layer = Layer { looks, entries: BTreeMap::new() };
    let made: HashSet<&str> =
        delta.puts.iter().filter(|put| put.kind == PutKind::Folder).map(|put| put.path.as_str()).collect();
    let gone: HashSet<&str> =
        delta.removed.iter().filter(|removed| removed.folder).map(|removed| removed.path.as_str()).collect();
    for removed in &delta.removed {
        let path = &removed.path;
        check(path)?;
        if layer.look(path, delta.copies)?.is_some() {
            return Err(format!("without the last instructions the image has another {path}"));
        }
        match layer.look(path, 0)? {
            Some(look) if (look.kind == LookKind::Folder) == removed.folder => {}
            _ => return Err(format!("the image has something else at {path}")),
        }
        // With a folder all goes that is in it.
        if above(path).any(|folder| gone.contains(folder.as_str())) {
            continue;
        }
        layer.folders(path, &made)?;
        let (folder, name) = path.rsplit_once('/').unwrap_or_default();
        let mark = format!("{folder}/.wh.{name}");
        layer.add(LayerEntry { path: mark, what: Layered::Gone, mode: 0o600, uid: 0, gid: 0 });
    }
    for put in &delta.puts {
        check(&put.path)?;
        let (kind, what) = match &put.kind {
            PutKind::Folder => (LookKind::Folder, Layered::Folder),
            PutKind::Link(target) => (LookKind::Link, Layered::Link(target.clone())),
            PutKind::File(digest) => (LookKind::File, Layered::File(put.source.clone(), digest.clone())),
        };
        if layer.look(&put.path, 0)?.is_some_and(|look| look.kind != kind) {
            return Err(format!("the image has something else at {}", put.path));
        }
        let (uid, gid) = match &put.owner {
            PutOwner::Ids(uid, gid) => (*uid, *gid),
            PutOwner::As(other) => {
                let look = layer.look(other, 0)?.ok_or_else(|| format!("the image does not have {other}"))?;
                (look.uid, look.gid)
            }
        };
        layer.folders(&put.path, &made)?;
        layer.add(LayerEntry { path: put.path.clone(), what, mode: put.mode, uid, gid });
    }
    Ok(layer.entries.into_values().collect())
}

struct Layer<'l> {
    looks: &'l Looks,
    entries: BTreeMap<String, LayerEntry>,
}

impl Layer<'_> {
    fn look(&self, path: &str, below: usize) -> Result<Option<Look>, String> {
        self.looks.get(&key(path, below)).copied().ok_or_else(|| format!("nobody has looked at {path}"))
    }

    fn add(&mut self, entry: LayerEntry) {
        self.entries.insert(entry.path.clone(), entry);
    }

    /// The folders above a path, as the image has them; those in `made` are written anyway.
    fn folders(&mut self, path: &str, made: &HashSet<&str>) -> Result<(), String> {
        for folder in above(path) {
            if made.contains(folder.as_str()) || self.entries.contains_key(&folder) {
                continue;
            }
            match self.look(&folder, 0)? {
                Some(Look { kind: LookKind::Folder, mode, uid, gid }) => {
                    self.add(LayerEntry { path: folder, what: Layered::Folder, mode, uid, gid });
                }
                Some(_) => return Err(format!("{folder} is no folder in the image")),
                None => return Err(format!("the image does not have {folder}")),
            }
        }
        Ok(())
    }
}

fn check(path: &str) -> Result<(), String> {
    let is_plain = path.starts_with('/') && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    if !is_plain || path.split('/').any(|part| part.starts_with(".wh.")) {
        return Err(format!("no layer can hold {path}"));
    }
    let inside = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match ENGINES_OWN.into_iter().find(|folder| inside(folder)) {
        Some(folder) => Err(format!("what an image has in {folder} cannot be seen")),
        None => Ok(()),
    }
}

/// The folders above a path, without the root, the highest one first.
fn above(path: &str) -> impl Iterator<Item = String> + '_ {
    path.match_indices('/').skip(1).map(|(at, _)| path[..at].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Put, Removed};

    fn put(path: &str, kind: PutKind) -> Put {
        Put { path: path.into(), source: "/w/f".into(), kind, mode: 0o644, owner: PutOwner::Ids(0, 0) }
    }

    fn file(path: &str) -> Put {
        put(path, PutKind::File(Digest::of(b"x")))
    }

    fn looks(list: &[(&str, Option<LookKind>)]) -> Looks {
        let look = |kind| Look { kind, mode: 0o751, uid: 3, gid: 4 };
        list.iter().map(|(path, kind)| ((*path).to_owned(), kind.map(look))).collect()
    }

    fn shown(delta: &Delta, list: &[(&str, Option<LookKind>)]) -> Result<Vec<String>, String> {
        let shown = |entry: LayerEntry| format!("{} {:o} {}:{}", entry.path, entry.mode, entry.uid, entry.gid);
        layer(delta, &looks(list)).map(|entries| entries.into_iter().map(shown).collect())
    }

    const FOLDER: Option<LookKind> = Some(LookKind::Folder);
    const FILE: Option<LookKind> = Some(LookKind::File);

    #[test]
    fn folders_are_written_as_the_image_has_them() {
        let delta = Delta { puts: vec![file("/app/a/f")], ..Delta::default() };
        assert_eq!(
            shown(&delta, &[("/app", FOLDER), ("/app/a", FOLDER), ("/app/a/f", FILE)]).unwrap(),
            ["/app 751 3:4", "/app/a 751 3:4", "/app/a/f 644 0:0"]
        );
        let delta = Delta { puts: vec![put("/app/a", PutKind::Folder), file("/app/a/f")], ..Delta::default() };
        assert_eq!(
            shown(&delta, &[("/app", FOLDER), ("/app/a", None), ("/app/a/f", None)]).unwrap(),
            ["/app 751 3:4", "/app/a 644 0:0", "/app/a/f 644 0:0"]
        );
    }

    #[test]
    fn owners_by_name_are_those_of_another_file() {
        let owner = PutOwner::As("/app/g".into());
        let delta = Delta { puts: vec![Put { owner, ..file("/app/f") }], ..Delta::default() };
        let list = [("/app", FOLDER), ("/app/f", None), ("/app/g", FILE)];
        assert_eq!(shown(&delta, &list).unwrap()[1], "/app/f 644 3:4");
        assert!(shown(&delta, &[("/app", FOLDER), ("/app/f", None), ("/app/g", None)]).is_err());
        assert_eq!(paths(&delta).0, ["/app", "/app/f", "/app/g"]);
    }

    #[test]
    fn what_is_removed_gets_a_mark_once() {
        let gone = |path: &str, folder| Removed { path: path.into(), folder };
        let removed = vec![gone("/app/a", true), gone("/app/a/f", false), gone("/app/b", false)];
        let delta = Delta { removed, copies: 2, ..Delta::default() };
        let mut list = vec![("/app", FOLDER), ("/app/a", FOLDER), ("/app/a/f", FILE), ("/app/b", FILE)];
        list.extend([("2 /app/a", None), ("2 /app/a/f", None), ("2 /app/b", None)]);
        assert_eq!(shown(&delta, &list).unwrap(), ["/app 751 3:4", "/app/.wh.a 600 0:0", "/app/.wh.b 600 0:0"]);
        for (path, kind) in [("2 /app/b", FILE), ("/app/b", FOLDER), ("/app/b", None), ("/app", Some(LookKind::Link))] {
            let mut other = list.clone();
            other.retain(|(known, _)| *known != path);
            assert!(shown(&delta, &other).is_err(), "{path} is not known");
            other.push((path, kind));
            assert!(shown(&delta, &other).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_not_as_expected_is_built() {
        let list = [("/app", FOLDER), ("/lnk", Some(LookKind::Link)), ("/none", None), ("/app/d", FOLDER)];
        let more = [("/lnk/f", None), ("/none/f", None), ("/dev", FOLDER), ("/dev/f", None), ("/app/.wh.f", None)];
        let list: Vec<_> = list.into_iter().chain(more).collect();
        for path in ["/lnk/f", "/none/f", "/app/d", "/dev/f", "/app/.wh.f"] {
            assert!(shown(&Delta { puts: vec![file(path)], ..Delta::default() }, &list).is_err(), "{path}");
        }
    }
}
