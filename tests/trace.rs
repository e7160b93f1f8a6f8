//! `HOB_LOG`: silent where it is not set, and it says which phase took how long where it is, without what is secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

const MANIFEST: &str = "services: {a: {image: x, environment: {PASSWORD: hunter2}}}\n";

fn config(folder: &Path, variables: &[(&str, &str)]) -> Output {
    hob(folder, &["config"], variables)
}

fn hob(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hob"));
    command.args(arguments).current_dir(folder).env_remove("HOB_LOG").env_remove("HOB_LOG_FILE");
    command.envs(variables.iter().copied()).env("HOB_CACHE_DIR", folder.join("cache")).output().unwrap()
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("compose.yaml"), MANIFEST).unwrap();
    folder
}

#[test]
fn nothing_is_said_where_it_is_not_asked_for() {
    let folder = project();
    for variables in [&[][..], &[("HOB_LOG", "")], &[("HOB_LOG", "hob::execute=debug")], &[("HOB_LOG", "off")]] {
        let output = config(folder.path(), variables);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{variables:?}");
    }
}

#[test]
fn a_phase_is_told_on_standard_error_or_in_a_file_and_no_value_with_it() {
    let folder = project();
    let plain = config(folder.path(), &[]);
    let output = config(folder.path(), &[("HOB_LOG", "trace")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("load: hob::cli::config: close time.busy="), "{said}");
    assert!(!said.contains("hunter2") && said.lines().all(|line| line.contains("hob::")), "{said}");
    assert_eq!(output.stdout, plain.stdout);

    let file = folder.path().join("trace.log");
    let output = config(folder.path(), &[("HOB_LOG", "hob=info"), ("HOB_LOG_FILE", file.to_str().unwrap())]);
    assert_eq!((output.stderr, output.stdout), (plain.stderr, plain.stdout));
    assert!(std::fs::read_to_string(&file).unwrap().contains("load: hob::cli::config: close"));
}

#[test]
fn an_invalid_filter_is_a_wrong_command_line() {
    let output = config(project().path(), &[("HOB_LOG", "hob=loud")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("invalid filter HOB_LOG=hob=loud"));
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn up_tells_of_each_phase() {
    let folder = project();
    std::fs::write(folder.path().join("Dockerfile"), "FROM hob-test/busybox:1\nCMD [\"sleep\", \"300\"]\n").unwrap();
    let manifest = "name: hob-trace\nservices: {a: {build: ., environment: {PASSWORD: hunter2}}}\n";
    std::fs::write(folder.path().join("compose.yaml"), manifest).unwrap();
    let up = hob(folder.path(), &["up", "-d"], &[("HOB_LOG", "info")]);
    let down = hob(folder.path(), &["down", "--rmi", "local", "-t", "0"], &[]);
    let said = String::from_utf8(up.stderr).unwrap();
    assert!(up.status.success() && down.status.success(), "{said}");
    for phase in ["load", "measure", "observe", "reconcile", "execute"] {
        let closed = |line: &str| line.contains(&format!(" {phase}")) && line.contains(": close time.busy=");
        assert!(said.lines().any(closed), "{phase}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}
