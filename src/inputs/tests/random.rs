//! Laws, tried on random trees, Dockerfiles and edits against the model of the builder.
//!
//! `HOB_CASES` sets how many cases each law gets; a failure prints the seed, and `HOB_SEED` runs that one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fastrand::Rng;

use super::super::BuildRecord;
use super::Case;
use super::builder::{self, Base, From, Fs, Item, Spec, StageSpec, Step};
use super::tree::{MemTree, Node};
use crate::model::FileTree as _;
use crate::model::{Effect, SyncAction, SyncTarget};

const NAMES: [&str; 8] = ["a", "b", "c", "a.txt", "b.txt", "c.log", "d.tar", "a.log"];
const DESTS: [&str; 12] =
    ["/app/", "/app", "/app/a", "/app/b/", ".", "./a/", "/etc/", "/etc/a.txt", "/x/y/", "/lnk/", "/app/a.txt", "b"];

fn path(r: &mut Rng) -> String {
    let depth = 1 + r.usize(..3);
    (0..depth).map(|_| r.choice(NAMES).unwrap()).collect::<Vec<_>>().join("/")
}

/// A source: mostly one that is there.
fn source(r: &mut Rng, tree: &MemTree) -> String {
    if r.u8(..100) < 55 {
        let paths: Vec<&PathBuf> = tree.0.keys().filter(|p| p.starts_with("/w") && p.as_os_str() != "/w").collect();
        if !paths.is_empty() {
            return paths[r.usize(..paths.len())].strip_prefix("/w").unwrap().to_str().unwrap().to_owned();
        }
    }
    match r.usize(..10) {
        0 => ".".to_owned(),
        1 => r.choice(["*", "*.txt", "a*", "*/a", "a/*", "*/*.txt", "b/*.log"]).unwrap().to_owned(),
        2 => "${D}".to_owned(),
        3 => format!("${{E}}/{}", r.choice(NAMES).unwrap()),
        4..7 => r.choice(NAMES).unwrap().to_owned(),
        _ => path(r),
    }
}

fn step(r: &mut Rng, stage: usize, tree: &MemTree) -> Step {
    match r.usize(..20) {
        0 | 1 => {
            Step::Run { mount: (r.u8(..100) < 40).then(|| if r.u8(..100) < 20 { ".".to_owned() } else { path(r) }) }
        }
        2 | 3 => Step::Workdir(r.choice(["/app", "a", "/x/y", "..", "/etc", "/lnk/b"]).unwrap().to_owned()),
        4 => Step::User,
        5 => Step::Heredoc { dest: r.choice(DESTS).unwrap().to_owned(), content: format!("{}\n", r.usize(..3)) },
        6 => Step::Env { name: "E".to_owned(), value: r.choice(NAMES).unwrap().to_owned() },
        _ => {
            let from = match r.usize(..10) {
                0 if stage > 0 => From::Stage(r.usize(..stage)),
                1 => From::Base,
                _ => From::Context,
            };
            let parents = from == From::Context && r.u8(..100) < 8;
            let add = from == From::Context && !parents && r.u8(..100) < 20;
            let mut sources: Vec<String> = (0..=usize::from(r.u8(..100) < 20)).map(|_| source(r, tree)).collect();
            if parents {
                sources = vec![source(r, tree)];
                sources.retain(|s| s != "." && !s.contains(['*', '$']));
                if sources.is_empty() {
                    sources = vec![path(r)];
                }
            }
            if from != From::Context {
                sources = vec![r.choice(["/etc", "/app", "/etc/b", "/usr"]).unwrap().to_owned()];
            }
            Step::Copy {
                add,
                parents,
                sources,
                dest: r.choice(DESTS).unwrap().to_owned(),
                chown: (r.u8(..100) < 20).then(|| "7:7".to_owned()),
                chmod: (r.u8(..100) < 15).then_some(0o750),
                exclude: (from == From::Context && !parents && r.u8(..100) < 12)
                    .then(|| r.choice(["a", "**/b", "*.txt", "**/*.log", "b/**"]).unwrap().to_owned()),
                from,
            }
        }
    }
}

pub fn spec(r: &mut Rng, tree: &MemTree) -> Spec {
    let count = 1 + r.usize(..3);
    let stages = (0..count)
        .map(|index| {
            let base = match r.usize(..4) {
                0 => Base::Scratch,
                1 if index > 0 => Base::Stage(r.usize(..index)),
                _ => Base::Image,
            };
            // The variables are declared first, so that sources can use them.
            let mut steps = match base {
                // Builders differ about arguments that are inherited and declared again.
                Base::Stage(_) => Vec::new(),
                _ => vec![
                    Step::Arg { name: "D".to_owned(), default: "a".to_owned() },
                    Step::Env { name: "E".to_owned(), value: "b".to_owned() },
                ],
            };
            steps.extend((0..1 + r.usize(..5)).map(|_| step(r, index, tree)));
            StageSpec { base, steps }
        })
        .collect();
    let mut spec = Spec { stages, ignore: Vec::new(), args: BTreeMap::new(), base_id: "1".to_owned() };
    spec.ignore = ignore(r);
    spec
}

fn ignore(r: &mut Rng) -> Vec<String> {
    if r.u8(..100) < 40 {
        return Vec::new();
    }
    (0..1 + r.usize(..4))
        .map(|_| {
            let pattern = match r.usize(..6) {
                0 => "*".to_owned(),
                1 => r.choice(["*.txt", "*.log"]).unwrap().to_owned(),
                2 => format!("**/{}", r.choice(["a", "b.txt", "*.log", "c"]).unwrap()),
                3 => format!("{}/**", r.choice(NAMES).unwrap()),
                _ => path(r),
            };
            if r.u8(..100) < 40 { format!("!{pattern}") } else { pattern }
        })
        .collect()
}

fn content(r: &mut Rng, path: &str) -> String {
    let kind = if path.ends_with(".tar") && r.u8(..100) < 50 { "TAR" } else { "" };
    format!("{kind}{}", r.usize(..4))
}

pub fn tree(r: &mut Rng) -> MemTree {
    let mut tree = MemTree::of(&[]);
    for name in ["a", "b", "c", "a.txt"] {
        if r.u8(..100) < 80 {
            edit_path(r, &mut tree, name);
        }
    }
    for _ in 0..4 + r.usize(..14) {
        let path = path(r);
        edit_path(r, &mut tree, &path);
    }
    tree
}

/// Writes something at a path, if nothing but folders is above it and no folder is replaced.
fn edit_path(r: &mut Rng, tree: &mut MemTree, rel: &str) {
    let path = PathBuf::from(format!("/w/{rel}"));
    let blocked = path.ancestors().skip(1).any(|a| matches!(tree.0.get(a), Some(Node::File(..) | Node::Link(_))));
    if blocked {
        return;
    }
    if matches!(tree.0.get(&path), Some(Node::Dir(_))) {
        if r.u8(..100) < 60 {
            return;
        }
        tree.remove(&path);
    }
    let node = match r.usize(..24) {
        0..3 => Node::Dir(if r.u8(..100) < 20 { 0o700 } else { 0o755 }),
        3 => Node::Link(r.choice(["a", "../b", "/a.txt", "/a", "none", "../../x", "."]).unwrap().into()),
        _ => Node::File(content(r, rel), if r.u8(..100) < 20 { 0o755 } else { 0o644 }),
    };
    tree.put(&path, node);
}

pub fn edit_tree(r: &mut Rng, tree: &mut MemTree) {
    for _ in 0..1 + r.usize(..3) {
        let paths: Vec<PathBuf> =
            tree.0.keys().filter(|p| p.starts_with("/w") && p.as_os_str() != "/w").cloned().collect();
        let some = (!paths.is_empty()).then(|| paths[r.usize(..paths.len().max(1))].clone());
        match (r.usize(..8), some) {
            (0, Some(path)) => tree.remove(&path),
            (1, Some(path)) => {
                if let Some(Node::File(_, mode) | Node::Dir(mode)) = tree.0.get_mut(&path) {
                    *mode = if *mode == 0o644 { 0o755 } else { 0o700 }
                }
            }
            (2, Some(path)) => {
                // A rename, of a folder with all that is in it.
                let to = PathBuf::from(format!("/w/{}", self::path(r)));
                let free = !to.starts_with(&path)
                    && !tree.0.contains_key(&to)
                    && to.ancestors().skip(1).all(|a| !matches!(tree.0.get(a), Some(Node::File(..) | Node::Link(_))));
                if free {
                    let moved: Vec<_> = tree
                        .0
                        .iter()
                        .filter(|(p, _)| p.starts_with(&path))
                        .map(|(p, n)| (p.clone(), n.clone()))
                        .collect();
                    tree.remove(&path);
                    for (from, node) in moved {
                        let rest = from.strip_prefix(&path).unwrap();
                        let at = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                        tree.put(&at, node);
                    }
                }
            }
            (3..6, Some(path)) => {
                if let Some(Node::File(text, _)) = tree.0.get_mut(&path) {
                    *text = content(r, path.to_str().unwrap());
                }
            }
            _ => {
                let path = self::path(r);
                edit_path(r, tree, &path);
            }
        }
    }
}

pub fn case(spec: &Spec, tree: &MemTree) -> Case {
    let mut case = Case::new("", &[]);
    case.tree = tree.clone();
    case.build.dockerfile = Some("../Dockerfile".into());
    case.tree.put(std::path::Path::new("/Dockerfile"), Node::File(spec.dockerfile(), 0o644));
    // The ignore file stands beside the Dockerfile, so that it is no part of the context.
    case.tree.put(std::path::Path::new("/Dockerfile.dockerignore"), Node::File(spec.ignore_text(), 0o644));
    for (name, value) in &spec.args {
        case = case.arg(name, value);
    }
    let base = case.images.get_mut("base").unwrap();
    base.id = spec.base_id.clone();
    base.working_dir = Some("/srv".into());
    case
}

/// An edit of the tree, or of what else a build reads.
pub fn edit(r: &mut Rng, spec: &Spec, tree: &MemTree) -> (Spec, MemTree) {
    let (mut edited, mut edited_tree) = (spec.clone(), tree.clone());
    match r.usize(..10) {
        0 => edited.ignore = ignore(r),
        1 => {
            edited.args.insert("D".to_owned(), r.choice(NAMES).unwrap().to_owned());
        }
        2 => edited.base_id = "2".to_owned(),
        3 => {
            let stage = r.usize(..edited.stages.len());
            let new = step(r, stage, tree);
            edited.stages[stage].steps.push(new);
        }
        _ => edit_tree(r, &mut edited_tree),
    }
    (edited, edited_tree)
}

fn cases(law: &str, count: u64, run: impl Fn(&mut Rng) -> bool) {
    if let Some(seed) = std::env::var("HOB_SEED").ok().and_then(|s| s.parse().ok()) {
        run(&mut Rng::with_seed(seed));
        return;
    }
    let count = std::env::var("HOB_CASES").ok().and_then(|s| s.parse().ok()).unwrap_or(count);
    let mut told = 0;
    for seed in 0..count {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut Rng::with_seed(seed))));
        match result {
            Ok(said) => told += u64::from(said),
            Err(_) => panic!("{law}: seed {seed} fails; run it alone with HOB_SEED={seed}"),
        }
    }
    assert!(told * 50 > count, "{law}: only {told} of {count} cases said anything");
}

/// *Never stale*: where the digest is the same, a build gives the same files.
#[test]
fn an_unchanged_digest_means_an_unchanged_image() {
    cases("never stale", 1_500, |r| {
        let tree = tree(r);
        let spec = spec(r, &tree);
        let (edited, edited_tree) = edit(r, &spec, &tree);
        let (before, after) = (case(&spec, &tree).try_read(), case(&edited, &edited_tree).try_read());
        let (Ok(before), Ok(after)) = (before, after) else { return false };
        if before.digest != after.digest {
            return false;
        }
        assert_eq!(
            spec.build(&tree),
            edited.build(&edited_tree),
            "{}\n{:?}\n{tree:?}\n{edited_tree:?}",
            spec.dockerfile(),
            spec.ignore
        );
        true
    });
}

/// *Never less*: the selected files alone give the same image as the whole context.
#[test]
fn the_selected_files_are_enough() {
    cases("never less", 1_000, |r| {
        let tree = tree(r);
        let spec = spec(r, &tree);
        let Ok(inputs) = case(&spec, &tree).try_read() else {
            assert!(
                spec.build(&tree).is_err(),
                "hob refuses what builds:\n{}\n{:?}\n{tree:?}\n{:?}",
                spec.dockerfile(),
                spec.ignore,
                case(&spec, &tree).try_read().err()
            );
            return true;
        };
        let context = inputs.context.unwrap();
        let mut filtered = MemTree::of(&[]);
        for file in &context.files {
            let path = PathBuf::from("/w").join(&*file.path);
            filtered.0.insert(path.clone(), tree.0[&path].clone());
        }
        let unfiltered = Spec { ignore: Vec::new(), ..spec.clone() };
        let (whole, part) = (spec.build(&tree), unfiltered.build(&filtered));
        match (whole, part) {
            (Ok(whole), part) => assert_eq!(Ok(whole), part, "{}\n{:?}\n{tree:?}", spec.dockerfile(), spec.ignore),
            (Err(_), part) => assert!(part.is_err(), "{}\n{tree:?}", spec.dockerfile()),
        }
        true
    });
}

/// *Equal to a rebuild*: after a hot sync the container's files are those of a new image.
#[test]
fn a_hot_sync_equals_a_rebuild() {
    cases("equal to a rebuild", 3_000, |r| {
        let tree = tree(r);
        let mut spec = spec(r, &tree);
        if r.u8(..100) < 70 {
            // Runs in the last stage leave nothing to sync.
            spec.stages.last_mut().unwrap().steps.retain(|s| !matches!(s, Step::Run { .. }));
        }
        let Ok(mut inputs) = case(&spec, &tree).try_read() else { return false };
        let Ok(mut image) = spec.build(&tree) else { return false };
        let mut told = false;
        let mut tree = tree;
        for round in 0..3 {
            let mut edited = tree.clone();
            edit_tree(r, &mut edited);
            let after = case(&spec, &edited);
            let paths: BTreeSet<&PathBuf> = tree.0.keys().chain(edited.0.keys()).collect();
            let changed: Vec<_> = paths.into_iter().filter(|p| tree.0.get(*p) != edited.0.get(*p)).collect();
            let changed: Vec<_> = changed.into_iter().map(|path| (path, after.tree.entry(path).ok())).collect();
            let mut targets: Vec<SyncTarget> = Vec::new();
            for (path, now) in &changed {
                match inputs.map.effect(path, now.as_ref()) {
                    Effect::Rebuild { .. } => return told,
                    Effect::Nothing | Effect::Aside(_) | Effect::Reload { .. } => {}
                    Effect::Sync { targets: more, .. } => targets.extend(more),
                }
            }
            let Some(synced) = apply(image.fs.clone(), &edited, targets) else { return told };
            let context = format!("round {round}\n{}\n{:?}\n{tree:?}\n{edited:?}", spec.dockerfile(), spec.ignore);
            match spec.build(&edited) {
                Ok(built) => assert_eq!(synced, built.fs, "{context}"),
                Err(error) => panic!("a rebuild fails with {error}, and the sync did not ask for it\n{context}"),
            }
            told |= synced != image.fs;
            image.fs = synced;
            let Ok(read) = after.try_read() else { return told };
            inputs = read;
            tree = edited;
        }
        told
    });
}

/// What the agent does with targets: removals from the deepest up, then writes as they come. None where the base image
/// is in the way, which asks for a rebuild.
fn apply(mut fs: Fs, tree: &MemTree, targets: Vec<SyncTarget>) -> Option<Fs> {
    let removes = |t: &SyncTarget| matches!(t.action, SyncAction::Remove | SyncAction::RemoveFolder);
    let (mut gone, there): (Vec<_>, Vec<_>) = targets.into_iter().partition(removes);
    gone.sort_by(|a, b| b.path.cmp(&a.path));
    for target in gone {
        let path = real(&fs, &target.path);
        let empty = !fs.keys().any(|p| p.starts_with(&format!("{path}/")));
        if target.action == SyncAction::Remove || empty {
            fs.remove(&path);
        }
    }
    for target in there {
        let owner = target.owner.as_deref().unwrap_or("0");
        let above = target.path.rsplit_once('/').unwrap().0.to_owned();
        builder::mkdirs(&mut fs, &above, owner).ok()?;
        let path = real(&fs, &target.path);
        let mode = |mode: u32| target.mode.as_deref().map_or(mode, |m| u32::from_str_radix(m, 8).unwrap());
        // A link that leads to the source is followed, as the builder does.
        let node = match tree.0[&target.source].clone() {
            Node::File(content, m) => Node::File(content, mode(m)),
            Node::Dir(m) => Node::Dir(mode(m)),
            link => link,
        };
        if target.action == SyncAction::MakeFolder {
            if fs.get(&path).is_some_and(|item| !matches!(item.node, Node::Dir(_))) {
                return None;
            }
            fs.insert(path, Item { node, owner: owner.to_owned() });
        } else {
            builder::put(&mut fs, &path, node, owner).ok()?;
        }
    }
    Some(fs)
}

/// A path whose folders' links are followed, but not its own.
fn real(fs: &Fs, path: &str) -> String {
    let (above, name) = path.rsplit_once('/').unwrap();
    format!("{}/{name}", builder::resolve(fs, above).unwrap().trim_end_matches('/'))
}

/// *Equal to a build*: an image that is made of an earlier one has the files of a new one. The earlier image stays the
/// same over many edits, as the last one that was built as a whole does.
#[test]
fn a_delta_equals_a_build() {
    cases("a delta equals a build", 3_000, |r| {
        let tree = tree(r);
        let mut spec = spec(r, &tree);
        if r.u8(..100) < 70 {
            // Runs in the last stage leave nothing for a delta.
            spec.stages.last_mut().unwrap().steps.retain(|s| !matches!(s, Step::Run { .. }));
        }
        let (Ok(inputs), Ok(image)) = (case(&spec, &tree).try_read(), spec.build(&tree)) else { return false };
        let before = kept(&inputs);
        let mut told = false;
        let mut edited = tree.clone();
        for round in 0..4 {
            edit_tree(r, &mut edited);
            let Ok(now) = case(&spec, &edited).try_read() else { return told };
            let Ok(delta) = now.delta(&before) else { continue };
            let looks = looks(&delta, &image.fs, &below(&spec, &tree, delta.copies));
            let Ok(entries) = crate::plan::layer(&delta, &looks) else { continue };
            let made = layered(image.fs.clone(), &edited, entries);
            let context =
                format!("round {round}\n{}\n{:?}\n{tree:?}\n{edited:?}\n{delta:?}", spec.dockerfile(), spec.ignore);
            match spec.build(&edited) {
                Ok(built) => assert_eq!(made, built.fs, "{context}"),
                Err(error) => panic!("a build fails with {error}, and there is a delta\n{context}"),
            }
            told |= made != image.fs;
        }
        told
    });
}

/// A reading as it comes back from where it was kept.
fn kept(inputs: &super::super::BuildInputs) -> BuildRecord {
    let reading = inputs.record();
    let back: BuildRecord = serde_json::from_slice(&serde_json::to_vec(&reading).unwrap()).unwrap();
    assert_eq!(back, reading);
    assert_eq!(reading.into_parts(), inputs.parts);
    back
}

/// What is below the last `COPY`s of the chain that a spec's last stage is the end of.
fn below(spec: &Spec, tree: &MemTree, copies: usize) -> Fs {
    let mut cut = spec.clone();
    let mut stage = cut.stages.len() - 1;
    let mut left = copies;
    loop {
        while left > 0 && !cut.stages[stage].steps.is_empty() {
            let step = cut.stages[stage].steps.pop();
            left -= usize::from(matches!(step, Some(Step::Copy { .. } | Step::Heredoc { .. })));
        }
        match (left, &cut.stages[stage].base) {
            (0, _) => break,
            (_, Base::Stage(base)) => stage = *base,
            _ => panic!("{copies} copies, and there are fewer in\n{}", spec.dockerfile()),
        }
    }
    cut.stages.truncate(stage + 1);
    cut.build(tree).unwrap().fs
}

/// What an engine says of the files.
fn looks(delta: &crate::model::Delta, image: &Fs, below: &Fs) -> crate::plan::Looks {
    use crate::model::{Look, LookKind};
    let look = |fs: &Fs, path: &str| {
        // The engine follows links among the folders.
        let (above, name) = path.rsplit_once('/').unwrap();
        let at = format!("{}/{name}", builder::resolve(fs, above)?.trim_end_matches('/'));
        let item = fs.get(&at)?;
        let (uid, gid) = item.owner.split_once(':').unwrap_or((&item.owner, &item.owner));
        let (kind, mode) = match &item.node {
            Node::File(_, mode) => (LookKind::File, *mode),
            Node::Dir(mode) => (LookKind::Folder, *mode),
            Node::Link(_) => (LookKind::Link, 0o777),
        };
        Some(Look { kind, mode, uid: uid.parse().unwrap(), gid: gid.parse().unwrap() })
    };
    let (paths, under) = crate::plan::layer_paths(delta);
    let own = paths.iter().map(|path| (crate::plan::layer_key(path, 0), look(image, path)));
    let covered = under.iter().map(|path| (crate::plan::layer_key(path, delta.copies), look(below, path)));
    own.chain(covered).collect()
}

/// What an engine makes of a layer: whatever it has takes the place of what is below.
fn layered(mut fs: Fs, tree: &MemTree, entries: Vec<crate::plan::LayerEntry>) -> Fs {
    use crate::plan::Layered;
    for entry in entries {
        let owner =
            if (entry.uid, entry.gid) == (0, 0) { "0".to_owned() } else { format!("{}:{}", entry.uid, entry.gid) };
        let node = match entry.what {
            Layered::Gone => {
                let path = entry.path.replace("/.wh.", "/");
                fs.retain(|other, _| *other != path && !other.starts_with(&format!("{path}/")));
                continue;
            }
            Layered::Folder => Node::Dir(entry.mode),
            Layered::Link(target) => Node::Link(target),
            Layered::File(source, digest) => {
                let Node::File(content, _) = tree.0[&source].clone() else { panic!("{source:?} is no file") };
                assert_eq!(crate::model::Digest::of(content.as_bytes()), digest);
                Node::File(content, entry.mode)
            }
        };
        fs.insert(entry.path, Item { node, owner });
    }
    fs
}
