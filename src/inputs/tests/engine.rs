//! The model of the builder against a real one, so that the laws that are tried on the model mean something; and the
//! first of these laws, *never stale*, against the real one itself.
//!
//! Needs an engine and a `docker buildx` program, which `HOB_BUILDX` names.
//! `HOB_CASES` sets the number of cases, `HOB_SEED` the one to try alone. Runs are left out (the images hold no shell),
//! and so are flags that older builders do not know.
#![allow(clippy::disallowed_methods, reason = "this test is about a real engine")]

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::builder::{BELOW_A_FILE, Fs, Item, Spec, Step};
use super::random::{case, edit, spec, tree};
use super::tree::{MemTree, Node};

pub const BASE: &str = "hob-test-inputs-base";

pub fn write(tree: &MemTree, root: &Path) {
    for (path, node) in &tree.0 {
        let Ok(rel) = path.strip_prefix("/w") else { continue };
        let at = root.join(rel);
        match node {
            Node::Dir(_) => std::fs::create_dir_all(&at).unwrap(),
            Node::Link(target) => symlink(target, &at).unwrap(),
            Node::File(content, mode) => {
                std::fs::write(&at, content).unwrap();
                std::fs::set_permissions(&at, std::fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
    }
    // Folders last and the deepest first, so that those without permissions do not get in the way.
    for (path, node) in tree.0.iter().rev() {
        if let (Ok(rel), Node::Dir(mode)) = (path.strip_prefix("/w"), node) {
            std::fs::set_permissions(root.join(rel), std::fs::Permissions::from_mode(*mode)).unwrap();
        }
    }
}

/// The files of the image that the engine builds. None where it refuses.
fn build(buildx: &str, spec: &Spec, context: &Path, ignore: &str, more: &[&str]) -> Option<Fs> {
    let work = tempfile::tempdir().unwrap();
    let dockerfile = work.path().join("Dockerfile");
    std::fs::write(&dockerfile, spec.dockerfile().replace("base", BASE)).unwrap();
    std::fs::write(work.path().join("Dockerfile.dockerignore"), ignore).unwrap();
    let tar = work.path().join("out.tar");
    let output = Command::new(buildx)
        .args(["build", "--progress=plain"])
        .args(more)
        .arg("--output")
        .arg(format!("type=tar,dest={}", tar.display()))
        .args(spec.args.iter().flat_map(|(k, v)| ["--build-arg".to_owned(), format!("{k}={v}")]))
        .arg("--file")
        .args([&dockerfile, context])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("ERROR: failed to"), "{said}");
        return None;
    }
    let mut fs = BTreeMap::new();
    let mut archive = tar::Archive::new(std::fs::File::open(&tar).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = format!("/{}", entry.path().unwrap().display()).trim_end_matches('/').to_owned();
        let mode = entry.header().mode().unwrap() & 0o7777;
        let owner = match entry.header().uid().unwrap() {
            0 => "0".to_owned(),
            uid => format!("{uid}:{}", entry.header().gid().unwrap()),
        };
        let node = match entry.header().entry_type() {
            tar::EntryType::Directory => Node::Dir(mode),
            tar::EntryType::Symlink => Node::Link(entry.link_name().unwrap().unwrap().into_owned()),
            _ => {
                let mut content = String::new();
                std::io::Read::read_to_string(&mut entry, &mut content).unwrap();
                Node::File(content, mode)
            }
        };
        if !path.is_empty() {
            fs.insert(path, Item { node, owner });
        }
    }
    Some(fs)
}

/// Makes the base image of the model on the engine.
pub fn import_base(spec: &Spec) {
    let image = Spec {
        stages: vec![super::builder::StageSpec { base: super::builder::Base::Image, steps: Vec::new() }],
        ..spec.clone()
    };
    let fs = image.build(&MemTree::of(&[])).unwrap().fs;
    let mut bytes = tar::Builder::new(Vec::new());
    for (path, item) in fs {
        let mut header = tar::Header::new_gnu();
        match item.node {
            Node::File(content, mode) => {
                header.set_mode(mode);
                header.set_size(content.len() as u64);
                bytes.append_data(&mut header, &path[1..], content.as_bytes()).unwrap();
            }
            Node::Dir(mode) => {
                header.set_mode(mode);
                header.set_size(0);
                header.set_entry_type(tar::EntryType::Directory);
                bytes.append_data(&mut header, &path[1..], std::io::empty()).unwrap();
            }
            Node::Link(target) => {
                header.set_mode(0o777);
                header.set_size(0);
                header.set_entry_type(tar::EntryType::Symlink);
                bytes.append_link(&mut header, &path[1..], target).unwrap();
            }
        }
    }
    let bytes = bytes.into_inner().unwrap();
    let child = Command::new("docker")
        .args(["import", "--change", "WORKDIR /srv", "-", BASE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.expect("this test needs the docker command");
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), &bytes).unwrap();
    assert!(child.wait().unwrap().success(), "the base image cannot be imported");
}

/// Without what builders disagree on: `--chmod` is also the mode of the folders that are made on the way to a target
/// with 28.5, and is not with 20.10.
fn told_apart(spec: &Spec, fs: &Fs) -> Fs {
    let mut fs = fs.clone();
    let mut steps = spec.stages.iter().flat_map(|stage| &stage.steps);
    if steps.any(|step| matches!(step, Step::Copy { chmod: Some(_), .. })) {
        for item in fs.values_mut() {
            if let Node::Dir(mode) = &mut item.node {
                *mode = 0;
            }
        }
    }
    fs
}

/// Leaves out what this test cannot build.
pub fn plain(spec: &mut Spec) {
    for stage in &mut spec.stages {
        stage.steps.retain(|step| match step {
            Step::Run { .. } | Step::Heredoc { .. } => false,
            Step::Copy { exclude, parents, sources, .. } => {
                exclude.is_none() && !parents && !sources.iter().any(|s| s.contains(".tar"))
            }
            _ => true,
        });
    }
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("HOB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HOB_CASES").unwrap_or(count),
    }
}

/// *Never stale*: where the digest is the same after an edit, two builds without cache give the same files.
#[test]
#[ignore = "needs an engine and HOB_BUILDX"]
fn an_unchanged_digest_means_an_unchanged_image_of_the_engine() {
    let buildx = std::env::var("HOB_BUILDX").expect("this test needs `docker buildx`: HOB_BUILDX names it");
    let (mut same, mut imported) = (0, false);
    for seed in seeds(60) {
        let mut r = fastrand::Rng::with_seed(seed);
        let without_archives = |mut tree: MemTree| {
            tree.0.retain(|path, _| !path.to_string_lossy().contains(".tar"));
            tree
        };
        let tree = without_archives(tree(&mut r));
        let mut spec = spec(&mut r, &tree);
        plain(&mut spec);
        let (mut edited, edited_tree) = edit(&mut r, &spec, &tree);
        plain(&mut edited);
        let edited_tree = without_archives(edited_tree);
        let (before, after) = (case(&spec, &tree).try_read(), case(&edited, &edited_tree).try_read());
        // Another base image has another digest; the engine has only the one.
        let (Ok(before), Ok(after)) = (before, after) else { continue };
        if before.digest != after.digest {
            continue;
        }
        if !std::mem::replace(&mut imported, true) {
            import_base(&spec);
        }
        let [first, second] = [(&spec, &tree), (&edited, &edited_tree)].map(|(spec, tree)| {
            let context = tempfile::tempdir().unwrap();
            write(tree, context.path());
            build(&buildx, spec, context.path(), &spec.ignore_text(), &["--no-cache"])
        });
        assert_eq!(first, second, "seed {seed}\n{}\n{:?}\n{tree:?}\n{edited_tree:?}", spec.dockerfile(), spec.ignore);
        same += 1;
    }
    println!("{same} digests unchanged by an edit, each with an unchanged image");
}

#[test]
#[ignore = "needs an engine and HOB_BUILDX"]
fn the_model_is_a_model_of_the_builder() {
    let buildx = std::env::var("HOB_BUILDX").expect("this test needs `docker buildx`: HOB_BUILDX names it");
    let (mut built, mut refused) = (0, 0);
    let mut imported = false;
    for seed in seeds(60) {
        let mut r = fastrand::Rng::with_seed(seed);
        let mut tree = tree(&mut r);
        // Archives would have to be real ones.
        tree.0.retain(|path, _| !path.to_string_lossy().contains(".tar"));
        let mut spec = spec(&mut r, &tree);
        plain(&mut spec);
        if !std::mem::replace(&mut imported, true) {
            import_base(&spec);
        }
        let context = tempfile::tempdir().unwrap();
        write(&tree, context.path());
        let real = build(&buildx, &spec, context.path(), &spec.ignore_text(), &[]);
        let model = spec.build(&tree);
        let about = format!("seed {seed}\n{}\n{:?}\n{tree:?}", spec.dockerfile(), spec.ignore);
        match (&real, &model) {
            (Some(real), Ok(model)) => {
                assert_eq!(told_apart(&spec, real), told_apart(&spec, &model.fs), "{about}");
                built += 1;
            }
            (None, Err(_)) => refused += 1,
            (Some(_), Err(error)) if error == BELOW_A_FILE => {}
            (Some(_), Err(error)) => panic!("the engine builds it, the model says {error}\n{about}"),
            (None, Ok(_)) => panic!("the engine refuses it\n{about}"),
        }
        // The selected files alone give the same image.
        if let Some(real) = real {
            let inputs =
                case(&spec, &tree).try_read().unwrap_or_else(|error| panic!("hob refuses it: {error:?}\n{about}"));
            let mut filtered = MemTree::of(&[]);
            for file in inputs.context.unwrap().files {
                let path = Path::new("/w").join(&*file.path);
                filtered.0.insert(path.clone(), tree.0[&path].clone());
            }
            let context = tempfile::tempdir().unwrap();
            write(&filtered, context.path());
            assert_eq!(Some(real), build(&buildx, &spec, context.path(), "", &[]), "filtered: {about}");
        }
    }
    println!("{built} builds equal, {refused} refused by both");
}
