//! `cp`, `export` and `commit`: files that go between the machine and containers.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Command;

use crate::lab::{self, Lab, idle};

fn up() -> Lab {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}    scale: 2\n", idle("a"), idle("two")));
    lab.ok(&["up", "-d"]);
    lab.write("src/f", "hi\n");
    lab.write("src/d/g", "deep\n");
    symlink("f", lab.dir.join("src/l")).unwrap();
    symlink("src", lab.dir.join("linked")).unwrap();
    lab
}

/// Whatever `docker` says of it.
fn docker(args: &[&str]) -> lab::Done {
    let mut command = Command::new("docker");
    command.args(args);
    lab::run(command, "")
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn files_go_into_a_container() {
    let lab = up();
    let name = format!("{}-a-1", lab.project);
    lab.ok(&["cp", "src/f", "a:/tmp/"]).says(&[
        &format!("{name} copy src/f to {name}:/tmp/ Copying"),
        &format!("{name} copy src/f to {name}:/tmp/ Copied"),
    ]);
    lab.ok(&["cp", "src/f", "a:/tmp/new"]);
    lab.ok(&["cp", "src", "a:/tmp/dst"]);
    lab.ok(&["cp", "src", "a:/tmp/dst"]);
    lab.ok(&["cp", "src/.", "a:/tmp/content/"]);
    lab.ok(&["cp", "src/l", "a:/tmp/l1"]);
    lab.ok(&["cp", "-L", "src/l", "a:/tmp/"]);
    lab.ok(&["cp", "linked", "a:/tmp/as-link"]);
    lab.ok(&["cp", "linked/", "a:/tmp/as-folder"]);
    lab.exec("a", "mkdir /tmp/real; ln -s /tmp/real /tmp/ldir; ln -s real/made /tmp/lfile");
    lab.ok(&["cp", "src/f", "a:/tmp/ldir"]);
    lab.ok(&["cp", "src/f", "a:/tmp/lfile"]);
    let found = lab.exec("a", "cd /tmp; find . ! -type d | sort | while read f; do echo \"$f $(readlink $f)\"; done");
    let want = "./as-folder/d/g \n./as-folder/f \n./as-folder/l f\n./as-link src\n./content/d/g \n./content/f \n\
                ./content/l f\n./dst/d/g \n./dst/f \n./dst/l f\n./dst/src/d/g \n./dst/src/f \n./dst/src/l f\n./f \n\
                ./l \n./l1 f\n./ldir /tmp/real\n./lfile real/made\n./new \n./real/f \n./real/made ";
    assert_eq!(found, want.trim_end());
    for (args, text) in [
        (["src/f", "a:/tmp/nothing/"], "no such directory"),
        (["src/f", "a:/tmp/nothing/x"], "/tmp/nothing"),
        (["src", "a:/tmp/new"], "cannot copy directory"),
        (["src/f/", "a:/tmp/x"], "not a directory"),
    ] {
        lab.ends(&["cp", args[0], args[1]], 1).says(&[text]);
    }
    lab.ends(&["cp", "nothing", "a:/tmp/x"], 14).says(&["nothing: No such file"]);
    lab.ends(&["cp", "a:/x", "two:/y"], 2).says(&["copying between services is not supported"]);
    lab.ends(&["cp", "x", "y"], 2).says(&["unknown copy direction"]);
    lab.ends(&["cp", "nothing:/x", "."], 15).says(&["no such service: nothing"]);
    lab.ok(&["cp", "--dry-run", "src/f", "a:/tmp/dry"]).says(&[&format!("copy src/f to {name}:/tmp/dry")]);
    lab.ends(&["exec", "-T", "a", "ls", "/tmp/dry"], 1);

    // Every container of the service, those of `run` only where they are asked for, or one by its number.
    let id = lab.ok(&["run", "-d", "two", "sleep", "3600"]).out.trim().to_owned();
    lab.ok(&["cp", "src/f", "two:/each"]);
    lab.ok(&["cp", "--index", "2", "src/f", "two:/second"]);
    lab.ok(&["cp", "--all", "src/f", "two:/all"]);
    let here = |container: &str| docker(&["exec", container, "sh", "-c", "ls /each /second /all 2>/dev/null"]).out;
    assert_eq!(here(&format!("{}-two-1", lab.project)), "/all\n/each\n");
    assert_eq!(here(&format!("{}-two-2", lab.project)), "/all\n/each\n/second\n");
    assert_eq!(here(&id), "/all\n");
    lab.ends(&["cp", "--index", "7", "src/f", "two:/x"], 1).says(&["is not running container #7"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn files_come_out_of_a_container() {
    let lab = up();
    lab.ok(&["cp", "src", "a:/tmp/d"]);
    lab.exec("a", "cd /tmp/d; chmod 4711 f; ln f hard; mknod null c 1 3; ln -s ../../../etc/passwd up; touch -d '2001-02-03 04:05:06' d");
    lab.ok(&["cp", "a:/tmp/d", "out"]).says(&["d/null is a device, and was left out"]);
    let out = lab.dir.join("out");
    let mut names: Vec<_> =
        fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["d", "f", "hard", "l", "up"]);
    let file = out.join("f").metadata().unwrap();
    assert_eq!((file.mode() & 0o7777, file.nlink()), (0o4711, 2));
    assert_eq!(out.join("d").metadata().unwrap().mtime(), 981_173_106);
    assert_eq!(fs::read_link(out.join("up")).unwrap().to_str(), Some("../../../etc/passwd"));
    lab.ok(&["cp", "a:/tmp/d/f", "."]);
    lab.ok(&["cp", "a:/tmp/d/.", "content"]);
    lab.ok(&["cp", "a:/tmp/d", "content"]);
    lab.ok(&["cp", "a:/tmp/d/l", "link"]);
    lab.ok(&["cp", "-L", "a:/tmp/d/l", "followed"]);
    for file in ["f", "content/f", "content/d/f", "followed"] {
        assert_eq!(fs::read_to_string(lab.dir.join(file)).unwrap(), "hi\n", "{file}");
    }
    assert!(lab.dir.join("link").is_symlink() && !lab.dir.join("followed").is_symlink());
    for (args, code, text) in [
        (["a:/tmp/nothing", "."], 1, "Could not find the file /tmp/nothing"),
        (["a:/tmp/d/f", "nowhere/x"], 14, "nowhere\" does not exist"),
        (["a:/tmp/d/f", "nowhere/"], 1, "no such directory"),
        (["a:/tmp/d", "f"], 1, "cannot copy directory"),
    ] {
        lab.ends(&["cp", args[0], args[1]], code).says(&[text]);
    }
    // What has ended has files too.
    lab.ok(&["stop", "a"]);
    lab.ok(&["cp", "a:/tmp/d/f", "later"]);
    assert_eq!(fs::read_to_string(lab.dir.join("later")).unwrap(), "hi\n");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn archives_go_through_standard_streams() {
    let lab = up();
    lab.exec("a", "mkdir /big /to && dd if=/dev/zero of=/big/zero bs=1M count=200 2>/dev/null && echo last >/big/zz");
    let script = |text: &str| {
        let mut command = lab.command(&[]);
        let hob = command.get_program().to_owned();
        command = Command::new("bash");
        command.current_dir(&lab.dir).args(["-c", &format!("set -o pipefail; {text}")]).env("HOB", hob);
        for (name, value) in lab.command(&[]).get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        lab::run(command, "")
    };
    let done = script("$HOB cp a:/big - | tar tf -");
    assert_eq!((done.code, done.out.as_str()), (0, "big/\nbig/zero\nbig/zz\n"), "{done}");
    // From one container to another, and hob needs little memory for it.
    let done = script("$HOB cp a:/big - 2>/dev/null | (ulimit -v 600000; $HOB cp --index 2 - two:/) && echo fine");
    assert_eq!((done.code, done.out.as_str()), (0, "fine\n"), "{done}");
    let second = format!("{}-two-2", lab.project);
    assert_eq!(docker(&["exec", &second, "cat", "/big/zz"]).out, "last\n");
    assert_eq!(docker(&["exec", &second, "stat", "-c", "%s", "/big/zero"]).out, "209715200\n");
    // Who reads no more ends it.
    let done = script("$HOB cp a:/big - 2>/dev/null | head -c 100 >/dev/null; echo ${PIPESTATUS[0]}");
    assert_eq!(done.out, "141\n", "{done}");
    let done = script("echo junk | $HOB cp - a:/to");
    assert_eq!(done.code, 1, "{done}");
    lab.ends(&["cp", "-", "a:/nothing"], 1).says(&["must be a directory"]);
    lab.ends(&["cp", "-", "two:/"], 1).says(&["one container only", "--index"]);
    let mut terminal = lab.terminal(&["cp", "a:/big", "-"]);
    assert_eq!(terminal.end(), 1);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_container_is_exported_and_committed() {
    let lab = up();
    let name = format!("{}-a-1", lab.project);
    lab.exec("a", "echo mine >/proof");
    lab.ok(&["export", "-o", "all.tar", "a"]).says(&[&format!("{name} export {name} to all.tar Exporting")]);
    let mut tar = Command::new("tar");
    tar.current_dir(&lab.dir).args(["xOf", "all.tar", "proof"]);
    assert_eq!(lab::run(tar, "").out, "mine\n");
    assert_eq!(lab.dir.join("all.tar").metadata().unwrap().mode() & 0o777, 0o600);
    assert!(lab.ok(&["export", "a"]).out.len() > 100_000);
    lab.ok(&["export", "--dry-run", "-o", "dry.tar", "a"]).says(&[&format!("export {name} to dry.tar")]);
    assert!(!lab.dir.join("dry.tar").exists());
    lab.ends(&["export", "-o", "nowhere/x.tar", "a"], 14).says(&["invalid output path"]);
    lab.ends(&["export", "-o", "src", "a"], 1).says(&["cannot write to a directory"]);
    lab.ends(&["export", "--index", "3", "a"], 1).says(&["is not running container #3"]);
    let mut terminal = lab.terminal(&["export", "a"]);
    assert_eq!(terminal.end(), 1);

    let image = format!("{}:kept", lab.project);
    let label = format!("LABEL test={}", lab.project);
    let done = lab.ok(&[
        "commit",
        "-a",
        "me",
        "-m",
        "why",
        "-c",
        &label,
        "-c",
        "ENV A=b",
        "-c",
        "CMD [\"cat\", \"/proof\"]",
        "a",
        &image,
    ]);
    done.says(&["Committing", "Committed as sha256:"]);
    let format = "{{.Author}} {{.Comment}} {{.Config.Cmd}} {{.Config.Env}}";
    let found = docker(&["image", "inspect", "--format", format, &image]).out;
    assert!(found.starts_with("me why [cat /proof] [") && found.contains("A=b"), "{found}");
    assert_eq!(docker(&["run", "--rm", &image]).out, "mine\n");
    lab.ok(&["commit", "-p=false", "-c", &label, "a"]).says(&["Committed as sha256:"]);
    lab.ok(&["commit", "--dry-run", "a", "x:1"]).says(&[&format!("commit {name} as x:1")]);
    lab.ends(&["commit", "a", "UPPER"], 1).says(&["lowercase"]);
    lab.ends(&["commit", "-c", "NONSENSE x", "a"], 1);
    lab.ok(&["stop", "a"]);
    lab.ends(&["commit", "a"], 1).says(&["service \"a\" is not running"]);
}
