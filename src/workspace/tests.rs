//! What is to be mended, for what is found wrong before the engine is asked to do anything.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{BuildOptions, Sources, Unusable, Workspace};
use crate::event::Cause;
use crate::host::{DiskTree, entry_at};
use crate::manifest::LoadOptions;
use crate::model::ObservedImage;
use crate::plan::WantedImage;

/// What is to be mended in the files of a folder, and what is said first.
fn ends(files: &[(&str, &str)]) -> (Option<Cause>, String, Option<usize>) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    measured(folder.path())
}

fn measured(folder: &Path) -> (Option<Cause>, String, Option<usize>) {
    let tree = Arc::new(DiskTree::new(None));
    let options = LoadOptions { working_dir: folder.to_path_buf(), ..LoadOptions::default() };
    let line = |message: &crate::event::Message| message.location.as_ref().map(|place| place.line);
    let loaded = match super::load(&*tree, &options) {
        Ok(loaded) => loaded,
        Err(Unusable { cause, errors }) => return (Some(cause), errors[0].text.clone(), line(&errors[0])),
    };
    let sources = Workspace::new(tree, options, "linux/amd64".into());
    let services: Vec<_> = loaded.project.services.keys().cloned().collect();
    match sources.measure(&loaded.project, &services, &IndexMap::new()) {
        Ok(_) => (None, String::new(), None),
        Err(failures) => {
            let first = &failures[0];
            (Some(first.cause), first.message.text.clone(), line(&first.message))
        }
    }
}

#[test]
fn a_failure_of_what_a_build_reads_is_not_the_manifests() {
    let build = "services:\n  api:\n    build: .\n";
    let keys = |keys: &str| format!("services:\n  api:\n    build:\n      context: .\n{keys}");
    let good = "FROM scratch\nCOPY file /\n";
    for (name, manifest, dockerfile, cause, part, line) in [
        ("nothing wrong", build.to_owned(), good, None, "", 0),
        (
            "not a Dockerfile",
            build.to_owned(),
            "FROM scratch\nRUN [\n  oops <<\nCPOY a b\n",
            Some(Cause::Build),
            "unknown instruction",
            3,
        ),
        ("an unknown instruction", build.to_owned(), "FROM scratch\nCPOY a b\n", Some(Cause::Build), "CPOY", 2),
        ("no FROM", build.to_owned(), "COPY a b\n", Some(Cause::Build), "FROM", 1),
        ("no instruction", build.to_owned(), "", Some(Cause::Build), "", 1),
        (
            "a source that is not there",
            build.to_owned(),
            "FROM scratch\nCOPY other /\n",
            Some(Cause::Build),
            "other",
            2,
        ),
        ("an unknown target", keys("      target: dev\n"), good, Some(Cause::Build), "dev", 5),
        ("no Dockerfile", keys("      dockerfile: Dockerfile.dev\n"), good, Some(Cause::Missing), "Dockerfile.dev", 5),
        ("no context", "services:\n  api:\n    build: ./none\n".to_owned(), good, Some(Cause::Missing), "none", 3),
        (
            "a file as context",
            "services:\n  api:\n    build: ./file\n".to_owned(),
            good,
            Some(Cause::Manifest),
            "not a folder",
            3,
        ),
        (
            "a secret without its file",
            format!("{}secrets:\n  key:\n    file: ./none\n", keys("      secrets: [key]\n")),
            "FROM scratch\nRUN --mount=type=secret,id=key true\n",
            Some(Cause::Missing),
            "secret key",
            5,
        ),
        (
            "a secret that is not defined",
            keys("      secrets: [key]\n"),
            "FROM scratch\nRUN --mount=type=secret,id=key true\n",
            Some(Cause::Manifest),
            "key",
            5,
        ),
    ] {
        let (ended, text, place) = ends(&[("devenv.yaml", &manifest), ("Dockerfile", dockerfile), ("file", "x")]);
        assert_eq!(ended, cause, "{name}: {text}");
        assert!(text.contains(part), "{name}: {text}");
        assert_eq!(place.unwrap_or(0), line, "{name}: {text}");
    }
}

#[test]
fn services_without_a_platform_have_that_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "services: {a: {image: x}, b: {image: x, platform: linux/arm/v7}, c: {build: .}}\n";
    fs::write(folder.path().join("compose.yaml"), manifest).unwrap();
    fs::write(folder.path().join(".env"), "DOCKER_DEFAULT_PLATFORM=linux/arm64\n").unwrap();
    for (shell, want) in [(None, Some("linux/arm64")), (Some("linux/s390x"), Some("linux/s390x")), (Some(""), None)] {
        let environment = shell.map(|value| ("DOCKER_DEFAULT_PLATFORM".to_owned(), value.to_owned()));
        let environment = environment.into_iter().collect();
        let options = LoadOptions { working_dir: folder.path().to_path_buf(), environment, ..LoadOptions::default() };
        let sources = Workspace::new(Arc::new(DiskTree::new(None)), options, "linux/amd64".into());
        let project = sources.load().unwrap().project;
        let platforms: Vec<_> = project.services.values().map(|service| service.platform.as_deref()).collect();
        assert_eq!(platforms, [want, Some("linux/arm/v7"), want], "{shell:?}");
    }
}

#[test]
fn as_compose_an_image_that_is_there_is_taken_and_only_rules_are_watched() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "name: p\nservices:\n  there: {build: .}\n  gone: {build: .}\n  always: {build: ., pull_policy: build}\n  \
                    ruled:\n    build: .\n    develop: {watch: [{path: src, action: rebuild}]}\n";
    fs::create_dir(folder.path().join("src")).unwrap();
    for (name, text) in [("compose.yaml", manifest), ("Dockerfile", "FROM scratch\nCOPY src /src\n"), ("src/a", "")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let options = LoadOptions { working_dir: folder.path().to_path_buf(), ..LoadOptions::default() };
    let tree = Arc::new(DiskTree::new(None));
    let project = super::load(&*tree, &options).unwrap().project;
    let services: Vec<_> = project.services.keys().cloned().collect();
    let images = ["p-there", "p-always"].map(|name| (name.to_owned(), ObservedImage::default()));
    let missing = BuildOptions { only_missing: true, ..BuildOptions::default() };
    let sources = Workspace::new(tree, options, "linux/amd64".into()).building(missing).watching_by_rules_only();
    assert!(sources.takes_images());
    let wanted = sources.measure(&project, &services, &IndexMap::from(images)).unwrap();
    let is_taken =
        |name: &str| matches!(&wanted.images[name], WantedImage::Named(image) if *image == format!("p-{name}"));
    assert_eq!(["there", "gone", "always", "ruled"].map(is_taken), [true, false, false, false]);
    assert_eq!(wanted.watch.keys().map(crate::model::ServiceName::as_str).collect::<Vec<_>>(), ["ruled"]);
}

#[test]
fn a_folder_that_no_program_needs_is_put_aside_as_it_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = |rel: &str| folder.path().join(rel);
    for (rel, text) in [
        ("compose.yaml", "services: {copied: {build: .}, mounted: {build: ., volumes: ['./src:/app/src']}}\n"),
        ("Dockerfile", "FROM scratch\nCOPY . /app\n"),
        (".git/refs/heads/main", "1\n"),
        ("src/lib/a.py", "1\n"),
    ] {
        fs::create_dir_all(path(rel).parent().unwrap()).unwrap();
        fs::write(path(rel), text).unwrap();
    }
    let options = LoadOptions { working_dir: folder.path().to_path_buf(), ..LoadOptions::default() };
    let sources = Workspace::new(Arc::new(DiskTree::new(None)), options, "linux/amd64".into());
    let project = sources.load().unwrap().project;
    let services: Vec<_> = project.services.keys().cloned().collect();
    let wanted = sources.measure(&project, &services, &IndexMap::new()).unwrap();
    let is_aside = |service: usize, rel: &str| {
        wanted.watch[&services[service]].effects.aside(&path(rel), entry_at(&path(rel)).ok().as_ref()).is_some()
    };
    for (rel, copied, mounted) in [
        (".git/refs/heads", true, true),
        (".git/refs/heads/main", true, true),
        ("src/lib", false, true),
        ("src/lib/a.py", false, true),
        ("Dockerfile", false, false),
    ] {
        assert_eq!([is_aside(0, rel), is_aside(1, rel)], [copied, mounted], "{rel}");
    }
}

#[test]
fn an_argument_by_name_takes_its_value_from_what_interpolation_sees() {
    let args = [("A", None), ("B", Some("b")), ("C", None)];
    let args = args.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).to_vec();
    let environment = ["A", "B"].map(|name| (name.to_owned(), "env".to_owned())).into();
    let values = BuildOptions { args, ..BuildOptions::default() }.with_values(&environment).args;
    let values: Vec<_> = values.iter().map(|(_, value)| value.as_deref()).collect();
    assert_eq!(values, [Some("env"), Some("b"), None]);
}

#[test]
fn a_bad_ignore_file_fails_the_build() {
    let manifest = "services:\n  api:\n    build: .\n";
    let files = [("devenv.yaml", manifest), ("Dockerfile", "FROM scratch\nCOPY . /\n"), (".dockerignore", "a[\n")];
    assert_eq!(ends(&files).0, Some(Cause::Build));
}

#[test]
fn files_that_a_manifest_names() {
    let service = "services:\n  api:\n    image: x\n";
    for (name, manifest, files, cause) in [
        ("an env file", format!("{service}    env_file: none.env\n"), vec![], Some(Cause::Missing)),
        (
            "a wrong env file",
            format!("{service}    env_file: a.env\n"),
            vec![("a.env", "A='x\n")],
            Some(Cause::Manifest),
        ),
        ("a label file", format!("{service}    label_file: none.env\n"), vec![], Some(Cause::Missing)),
        ("an include", format!("include: [none.yaml]\n{service}"), vec![], Some(Cause::Missing)),
        (
            "a file to extend from",
            "services:\n  api:\n    extends: {file: none.yaml, service: api}\n".to_owned(),
            vec![],
            Some(Cause::Missing),
        ),
        (
            "a secret",
            format!("{service}    secrets: [key]\nsecrets:\n  key: {{file: ./none}}\n"),
            vec![],
            Some(Cause::Missing),
        ),
        (
            "a secret of an unset variable",
            format!("{service}    secrets: [key]\nsecrets:\n  key: {{environment: HOB_NOT_SET}}\n"),
            vec![],
            Some(Cause::Manifest),
        ),
    ] {
        let mut all = vec![("devenv.yaml", manifest.as_str())];
        all.extend(files);
        let (ended, text, place) = ends(&all);
        assert_eq!(ended, cause, "{name}: {text}");
        assert!(place.is_some(), "{name}: {text}");
    }
}
