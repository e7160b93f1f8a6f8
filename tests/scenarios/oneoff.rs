//! `run`: what its options say is read as the manifest is, and variables come from where the manifest's do.

use crate::lab::{Lab, engine};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn options_of_run_are_read_as_the_manifest_is() {
    let lab = Lab::new();
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: bridge\n    environment: {OWN: own}\n",
    );
    lab.write("first.env", "# comment\nexport Q=\"two words\" # and a comment\nOWN=first\nR=\"'$X' $GIVEN\"\n");
    lab.write("second.env", "OWN=second\n");
    let entrypoint = ["run", "--rm", "-T", "--entrypoint", "sh -c 'echo \"$0 and $1\"'", "a", "a b", "c"];
    assert_eq!(lab.ok(&entrypoint).out, "a b and c\n");
    lab.ends(&["run", "--rm", "-T", "--entrypoint", "sh -c 'echo", "a"], 2).says(&["--entrypoint"]);
    lab.ends(&["run", "--rm", "-T", "-p", "8000-x", "a"], 2).says(&["-p 8000-x"]);
    let files = ["--env-from-file", "first.env", "--env-from-file", "second.env"];
    let print = ["-T", "-e", "GIVEN=given", "a", "sh", "-c", "echo $Q; echo $OWN; echo $R"];
    let done = lab.ok(&[&["run", "--rm"], &files[..], &print[..]].concat());
    assert_eq!(done.out, "two words\nfirst\n'' given\n", "{done}");

    let name = format!("{}-detached", lab.project);
    let done = lab.ok(&["run", "-d", "--name", &name, "-p", "127.0.0.1::8000-8001", "a", "cat"]);
    let id = done.out.trim().to_owned();
    let there = engine::get(&format!("/containers/{id}/json"));
    engine::delete(&format!("/containers/{id}?force=1"));
    assert_eq!(there["Id"], id, "its id is printed, whole: {done}");
    assert_eq!(there["State"]["Status"], "running", "standard input stays open: {there}");
    let ports: Vec<_> = there["HostConfig"]["PortBindings"].as_object().into_iter().flatten().map(|(k, _)| k).collect();
    assert_eq!(ports, ["8000/tcp", "8001/tcp"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn variables_come_from_env_files_too() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "ENV OF_IMAGE=image\n");
    lab.manifest(
        "services:
  a:
    build: .
    network_mode: none
    environment: {OWN: own}
    secrets: [key]
    configs: [file]
secrets:
  key: {environment: FROM_FILE}
configs:
  file: {environment: FROM_FILE}
",
    );
    let print = "cat /run/secrets/key /file; echo \" $FROM_FILE $OF_IMAGE $OWN\"";
    let run = |options: &[&str]| {
        let words = ["run", "--rm", "-T", "-e", "FROM_FILE", "-e", "OF_IMAGE", "-e", "OWN", "a", "sh", "-c", print];
        lab.ok(&[options, &words[..]].concat()).out
    };
    lab.write(".env", "FROM_FILE=dot\n");
    assert_eq!(run(&[]), "dotdot dot image own\n");
    lab.write("other.env", "FROM_FILE=other\n");
    assert_eq!(run(&["--env-file", "other.env"]), "otherother other image own\n");
    lab.ok(&["up", "-d", "a"]);
    lab.write(".env", "");
    lab.ends(&["up", "-d", "a"], 15).says(&["FROM_FILE is not set", "--env-file"]);
}
