//! hob under the name of Docker Compose: its sentences, streams, exit codes and defaults; and as a plugin of Docker's.

use std::process::Command;

use crate::lab::{Done, Lab, idle, run};

/// hob by a link of that name.
fn compose(lab: &Lab, args: &[&str]) -> Done {
    let link = lab.outside("docker-compose");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hob"), &link).unwrap();
    }
    let mut command = Command::new(link);
    let like = lab.command(args);
    command.current_dir(&lab.dir).args(args).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(command, "")
}

fn ok(lab: &Lab, args: &[&str]) -> Done {
    let done = compose(lab, args);
    assert_eq!(done.code, 0, "{done}");
    done
}

/// Without the project's name, so that it can be written down.
fn told(lab: &Lab, text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.replace(&lab.project, "p")).collect();
    lines.sort();
    lines
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn as_compose_it_speaks_and_builds_as_compose() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "RUN echo one > /made\n");
    lab.manifest(&format!(
        "services:\n{}  web:\n    build: .\n    command: sleep 3600\n    stop_signal: SIGKILL\n    network_mode: none\n",
        idle("db")
    ));
    let up = ok(&lab, &["up", "-d"]);
    let want = [
        " Container p-db-1  Created",
        " Container p-db-1  Creating",
        " Container p-db-1  Started",
        " Container p-db-1  Starting",
        " Container p-web-1  Created",
        " Container p-web-1  Creating",
        " Container p-web-1  Started",
        " Container p-web-1  Starting",
        " web  Built",
    ];
    assert_eq!(told(&lab, &up.err), want, "{up}");
    assert!(up.out.contains("[web 2/2] RUN echo one > /made"), "{up}");
    // The image that is there is taken, whatever has changed, and nothing watches or is hot.
    lab.dockerfile("Dockerfile", "RUN echo two > /made\n");
    let again = ok(&lab, &["up", "-d"]);
    assert_eq!(told(&lab, &again.err), [" Container p-db-1  Running", " Container p-web-1  Running"], "{again}");
    assert_eq!(lab.exec("web", "cat /made; ls /.hob || true").trim(), "one");
    let built = ok(&lab, &["up", "-d", "--build"]);
    built.says(&["web  Built", "web-1  Recreate", "web-1  Recreated"]);
    assert_eq!(lab.exec("web", "cat /made").trim(), "two");

    let recreated = ok(&lab, &["up", "-d", "--force-recreate", "db"]);
    let want = [
        " Container p-db-1  Recreate",
        " Container p-db-1  Recreated",
        " Container p-db-1  Started",
        " Container p-db-1  Starting",
    ];
    assert_eq!(told(&lab, &recreated.err), want, "{recreated}");

    for (args, code, says) in [
        (&["exec", "nope", "true"][..], 1, "service \"nope\" is not running\n"),
        (&["up", "nope"], 1, "no such service: nope\n"),
        (&["up", "--nope"], 1, "unknown flag: --nope\n"),
        (&["nope"], 1, "unknown docker command: \"compose nope\"\n"),
        (&["-f", "nope.yaml", "ps"], 1, "nope.yaml: no such file or directory\n"),
    ] {
        let done = compose(&lab, args);
        assert!(done.code == code && done.err.ends_with(says), "{args:?}: {done}");
    }
    assert_eq!(compose(&lab, &["exec", "db", "sh", "-c", "exit 9"]).code, 9);
    assert_eq!(compose(&lab, &["run", "--rm", "db", "no-such-program"]).code, 1);
    assert_eq!(ok(&lab, &["version", "--short"]).out, "2.40.3\n");
    ok(&lab, &["down", "--rmi", "local"]).says(&["Image", "web-1  Removed"]).silent_about(&["hob-build:"]);
    assert_eq!(lab.states(), [""; 0]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn as_compose_up_names_what_it_attaches_to_and_ends() {
    let lab = Lab::new();
    lab.manifest(
        "services:
  a:
    image: hob-test/busybox:1
    network_mode: none
    command: sh -c 'echo hello; exit 3'
  b:
    image: hob-test/busybox:1
    network_mode: none
    command: 'true'
",
    );
    let done = ok(&lab, &["up"]);
    assert!(done.out.starts_with("Attaching to a-1, b-1\n"), "{done}");
    done.says(&["a-1  | hello\n", "a-1 exited with code 3\n", "b-1 exited with code 0\n"]);
    let aborted = compose(&lab, &["up", "--abort-on-container-exit", "a"]);
    assert_eq!(aborted.code, 3, "{aborted}");
    aborted.says(&["Aborting on container exit..."]);
    compose(&lab, &["watch"]).says(&["none of the selected services is configured for watch"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_failing_build_leaves_nothing_behind_as_compose() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "RUN echo before && false\n");
    lab.manifest("services:\n  web: {build: .}\n  db: {image: hob-test/busybox:1, command: sleep 3600}\n");
    let done = compose(&lab, &["up", "-d"]);
    assert_eq!(done.code, 1, "{done}");
    done.says(&["failed to solve: ", "RUN echo before && false"]);
    assert_eq!((lab.states(), lab.names("network")), (vec![], vec![]));
}

#[test]
#[ignore = "needs an engine and Docker's command: run it with --include-ignored"]
fn docker_knows_it_as_a_plugin() {
    let mut lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("a")));
    let config = lab.outside("docker-config").display().to_string();
    lab.env.insert("DOCKER_CONFIG".to_owned(), config);
    lab.ok(&["plugin", "install", "--compose"]).says(&["docker-hob", "docker-compose"]);
    let docker = |args: &[&str]| {
        let like = lab.command(&[]);
        let mut command = Command::new("docker");
        command.current_dir(&lab.dir).args(args).env_clear();
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        run(command, "")
    };
    assert_eq!(docker(&["compose", "version", "--short"]).out, "2.40.3\n");
    docker(&["--log-level", "info", "compose", "up", "-d"]).says(&["a-1  Started"]);
    assert_eq!(docker(&["hob", "ps", "--services"]).out, "a\n");
    lab.ok(&["plugin", "remove"]);
    assert_ne!(docker(&["hob", "ps"]).code, 0);
}
