//! Deltas on a real engine: an image that is made of an earlier one holds, file by file, what a whole build without
//! cache gives.
//!
//! Needs an engine, and `docker` to import a base image. `HOB_DELTAS` sets how many images are compared, `HOB_SEED` the
//! first seed.
#![allow(clippy::pedantic, reason = "tests are plain")]
#![allow(clippy::disallowed_methods, reason = "this test is about a real engine")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::engine::docker::{Docker, Surroundings};
use crate::engine::{BuildContext, BuildSpec, ContextFile, Engine as _, LayerSpec};
use crate::execute::delta::archive;
use crate::host::DiskTree;
use crate::inputs::tests::builder::Step;
use crate::inputs::tests::engine::{BASE, import_base, plain, write};
use crate::inputs::tests::random::{edit_tree, spec, tree};
use crate::inputs::tests::tree::MemTree;
use crate::inputs::{BaseImage, BuildInputs, BuildRequest, Images, read};
use crate::model::{Build, Digest, Project};
use crate::plan::{Layered, layer, layer_key, layer_paths};

/// Kind, mode, owner and content of what is at each path.
type Listing = BTreeMap<String, (char, u32, u64, u64, String)>;

/// An image with a shell.
const BUSYBOX: &str = "hob-test/busybox:1";

async fn engine() -> Docker {
    Docker::connect(&Surroundings::from_process()).await.expect("this test needs an engine")
}

/// A folder with a Dockerfile beside the context `w`.
struct Bench {
    root: tempfile::TempDir,
    engine: Docker,
    base: &'static str,
    name: String,
}

impl Bench {
    fn new(engine: &Docker, base: &'static str, name: &str, dockerfile: &str, ignore: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("w")).unwrap();
        std::fs::write(root.path().join("Dockerfile"), dockerfile).unwrap();
        std::fs::write(root.path().join("Dockerfile.dockerignore"), ignore).unwrap();
        let name = format!("hob-test-delta-{}-{name}", std::process::id());
        Self { root, engine: engine.clone(), base, name }
    }

    /// The context as a tree says.
    fn fill(&self, tree: &MemTree) {
        let context = self.root.path().join("w");
        std::fs::remove_dir_all(&context).unwrap();
        std::fs::create_dir(&context).unwrap();
        write(tree, &context);
    }

    fn build(&self) -> Build {
        let context = Some(self.root.path().join("w").display().to_string());
        Build { context, dockerfile: Some("../Dockerfile".into()), ..Build::default() }
    }

    fn read(&self) -> Option<BuildInputs> {
        let project = Project { working_dir: self.root.path().into(), ..Project::default() };
        let image = BaseImage { id: "1".into(), working_dir: Some("/srv".into()), ..BaseImage::default() };
        let images: Images = [(self.base.to_owned(), image)].into();
        let request = BuildRequest {
            build: &self.build(),
            project: &project,
            environment: &HashMap::new(),
            images: &images,
            services: &HashMap::new(),
            platform: "linux/amd64",
            salt: "salt",
            service_platform: None,
        };
        read(&DiskTree::new(None), &request).ok()
    }

    /// Builds the image as a whole.
    async fn whole(&self, inputs: &BuildInputs, tag: &str, no_cache: bool) -> Option<String> {
        let context = inputs.context.as_ref().unwrap();
        let files = context.files.iter().map(|file| ContextFile {
            source: context.root.join(&*file.path),
            path: file.path.to_string(),
            was: None,
        });
        let name = format!("{}:{tag}", self.name);
        let spec = BuildSpec {
            context: BuildContext::Files(files.collect()),
            dockerfile: "Dockerfile".into(),
            dockerfile_text: Some(std::fs::read_to_string(self.root.path().join("Dockerfile")).unwrap()),
            build: self.build(),
            tags: vec![name.clone()],
            no_cache,
            ..BuildSpec::default()
        };
        self.engine.build(&spec, &|_| {}).await.ok().map(|_| name)
    }

    /// Makes the image of the one at `base`; why not, where that is not to be done.
    async fn delta(&self, base: &str, before: &BuildInputs, now: &BuildInputs) -> Result<String, String> {
        let delta = now.delta(&before.record()).map_err(|why| why.to_string())?;
        let (own, below) = layer_paths(&delta);
        let mut looks = HashMap::new();
        for (paths, without) in [(own, 0), (below, delta.copies)] {
            if !paths.is_empty() {
                let found = self.engine.stat_in_image(base, without, &paths).await.map_err(|error| error.message)?;
                looks.extend(paths.iter().map(|path| layer_key(path, without)).zip(found));
            }
        }
        let entries = layer(&delta, &looks)?;
        let removes = entries.iter().any(|entry| entry.what == Layered::Gone);
        let name = format!("{}:delta", self.name);
        let spec = LayerSpec {
            base: base.to_owned(),
            tar: archive(&entries)?,
            removes,
            what: "delta".into(),
            tags: vec![name.clone()],
            labels: [("io.hob.delta".to_owned(), "x".to_owned())].into(),
        };
        match self.engine.layer(&spec, &|_| {}).await {
            Ok(_) => Ok(name),
            Err(error) if removes && self.engine.info().containerd_images => Err(error.message),
            Err(error) => panic!("{error}"),
        }
    }

    /// The image's files, and what else there is to it.
    async fn listing(&self, image: &str) -> (Listing, String) {
        let made = Command::new("docker").args(["create", image, "x"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let container = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let mut export = Command::new("docker").args(["export", &container]).stdout(Stdio::piped()).spawn().unwrap();
        let mut files = Listing::new();
        let mut archive = tar::Archive::new(export.stdout.take().unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let header = entry.header();
            let (mode, uid, gid) = (header.mode().unwrap() & 0o7777, header.uid().unwrap(), header.gid().unwrap());
            let kind = char::from(header.entry_type().as_byte());
            let content = match entry.link_name().unwrap() {
                Some(link) => link.display().to_string(),
                None => {
                    let mut content = Vec::new();
                    std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
                    Digest::of(&content).to_string()
                }
            };
            files.insert(path, (kind, mode, uid, gid, content));
        }
        assert!(export.wait().unwrap().success());
        drop(Command::new("docker").args(["rm", "-f", &container]).output().unwrap());
        let mut image = self.engine.image(image).await.unwrap().unwrap();
        image.labels.shift_remove("io.hob.delta");
        let ended = (image.labels, image.entrypoint, image.cmd, image.user, image.working_dir, image.env);
        (files, format!("{ended:?} {:?} {:?} {}", image.stop_signal, image.on_build, image.platform))
    }

    /// Both images hold the same.
    async fn compare(&self, delta: &str, whole: &str, about: &str) {
        let (delta, whole) = (self.listing(delta).await, self.listing(whole).await);
        let paths: std::collections::BTreeSet<&String> = delta.0.keys().chain(whole.0.keys()).collect();
        let differing: Vec<String> = paths
            .into_iter()
            .filter(|path| delta.0.get(*path) != whole.0.get(*path))
            .map(|path| format!("{path}: delta {:?}, whole {:?}", delta.0.get(path), whole.0.get(path)))
            .collect();
        assert!(differing.is_empty(), "{differing:#?}\n{about}");
        assert_eq!(delta.1, whole.1, "{about}");
    }

    async fn clean(&self) {
        for tag in ["delta", "base", "whole"] {
            let _ = self.engine.remove_image(&format!("{}:{tag}", self.name)).await;
        }
    }
}

/// Random Dockerfiles, trees and edits. What the model lets pass is tried; the rest costs nothing.
#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn random_deltas_equal_whole_builds() {
    let engine = engine().await;
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let wanted = number("HOB_DELTAS").unwrap_or(20);
    let (mut compared, mut removing, mut refused) = (0, 0, 0);
    let mut seed = number("HOB_SEED").unwrap_or_default();
    let mut imported = false;
    while compared < wanted {
        seed += 1;
        let mut r = fastrand::Rng::with_seed(seed);
        let mut first = tree(&mut r);
        first.0.retain(|path, _| !path.to_string_lossy().contains(".tar"));
        let mut spec = spec(&mut r, &first);
        plain(&mut spec);
        for stage in &mut spec.stages {
            stage.steps.retain(|step| !matches!(step, Step::User));
        }
        if !std::mem::replace(&mut imported, true) {
            import_base(&spec);
        }
        let dockerfile = spec.dockerfile().replace("base", BASE);
        let bench = Bench::new(&engine, BASE, "random", &dockerfile, &spec.ignore_text());
        bench.fill(&first);
        let Some(before) = bench.read().filter(|_| spec.build(&first).is_ok()) else { continue };
        let mut edited = first.clone();
        let mut base = None;
        for round in 0..3 {
            edit_tree(&mut r, &mut edited);
            edited.0.retain(|path, _| !path.to_string_lossy().contains(".tar"));
            bench.fill(&edited);
            let Some(now) = bench.read() else { break };
            let Ok(delta) = now.delta(&before.record()) else { continue };
            if base.is_none() {
                bench.fill(&first);
                base = bench.whole(&before, "base", false).await;
                bench.fill(&edited);
            }
            let Some(base) = &base else { break };
            let about = format!("seed {seed}, round {round}\n{dockerfile}\n{:?}\n{first:?}\n{edited:?}", spec.ignore);
            match bench.delta(base, &before, &now).await {
                Err(why) => {
                    refused += 1;
                    println!("seed {seed}, round {round}: {why}");
                }
                Ok(image) => {
                    let whole = bench.whole(&now, "whole", true).await;
                    let whole = whole.unwrap_or_else(|| panic!("the engine refuses to build\n{about}"));
                    bench.compare(&image, &whole, &about).await;
                    compared += 1;
                    removing += u64::from(!delta.removed.is_empty());
                }
            }
        }
        bench.clean().await;
    }
    println!("{compared} deltas equal, {removing} of them with removals; {refused} refused; up to seed {seed}");
}

/// What the base image and a `RUN` have where files are copied to.
#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn what_is_below_the_copies_is_seen() {
    let engine = engine().await;
    assert!(engine.image(BUSYBOX).await.unwrap().is_some(), "no {BUSYBOX}: run `scripts/base-images test`");
    let dockerfile = "FROM hob-test/busybox:1 AS b\nRUN mkdir -p /app/gen /app/own /opt && echo low > /app/covered && echo low > /app/gen/low \
        && chmod 711 /app/gen && echo 'u:x:77:88::/:' >> /etc/passwd && echo 'g:x:99:' >> /etc/group && ln -s /opt /app/away\n\
        ENV A=b\nFROM b\nCOPY --chown=u:g x /app/x/\nCOPY . /app/\nCOPY --chown=u own /app/own\nCMD [\"a b\"]\nEXPOSE 80\nVOLUME /v\nSTOPSIGNAL 9\n";
    let files = ["a", "covered", "gen/mine", "gen/other", "x/1", "x/2", "own/p", "own/q", "d/e/f", "d/e/two", "+run"];
    let first = MemTree::of(&files);
    let bench = Bench::new(&engine, BUSYBOX, "below", dockerfile, "");
    bench.fill(&first);
    let before = bench.read().unwrap();
    let base = bench.whole(&before, "base", false).await.unwrap();
    let edits: [(&str, &[&str], &[&str], bool); 11] = [
        ("an edit", &["a=2"], &[], true),
        ("an edit in a folder that is not ours", &["gen/mine=2"], &[], true),
        ("owners by name", &["own/p=2", "own/new=1"], &[], true),
        ("a new folder", &["d/n/m=2", "d/n/l->m", "+d/n/run=1"], &[], true),
        ("a file is gone", &[], &["gen/mine"], true),
        ("a folder is gone", &[], &["d"], true),
        ("one comes and one goes", &["d/e/h=1"], &["d/e/f"], true),
        ("the first of two copies", &["x/3=1"], &["x/1"], false),
        ("what it covered would come to light", &[], &["covered"], false),
        ("a folder that the RUN has too", &[], &["gen"], false),
        ("a folder where the RUN has a link", &["away/f=1"], &[], false),
    ];
    let mut made = 0;
    for (about, writes, removes, possible) in edits {
        let mut edited = first.clone();
        for path in removes {
            edited.remove(Path::new(&format!("/w/{path}")));
        }
        for file in writes {
            edited.add(file);
        }
        bench.fill(&edited);
        let now = bench.read().unwrap();
        match bench.delta(&base, &before, &now).await {
            Ok(image) => {
                let whole = bench.whole(&now, "whole", false).await.unwrap();
                bench.compare(&image, &whole, about).await;
                assert!(possible, "{about}: made, and it looks right");
                made += 1;
            }
            Err(why) => {
                println!("{about}: {why}");
                assert!(!possible || engine.info().containerd_images && !removes.is_empty(), "{about}: {why}");
            }
        }
    }
    assert!(made > 3, "{made}");
    bench.clean().await;
}
