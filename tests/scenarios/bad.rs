//! Bad input: each with a message that a newcomer can act on, and its exit code.

use std::net::TcpListener;

use crate::lab::{Lab, Proxy, Rule, free_port, idle};

/// Manifests that are wrong: what they are, the exit code, and what the message has to contain.
#[test]
fn a_wrong_manifest_is_told_with_its_place_and_what_to_do() {
    let cases: &[(&str, &str, i32, &[&str])] = &[
        ("empty", "", 15, &["the manifest is empty", "hob init"]),
        ("only a comment", "# nothing\n", 15, &["hob init"]),
        ("not YAML", "services:\n  api: [unclosed\n", 15, &["devenv.yaml:"]),
        ("a tab", "services:\n\tapi:\n", 15, &["devenv.yaml:2:", "tab"]),
        ("a list", "- api\n- web\n", 15, &["devenv.yaml:1:1"]),
        ("services as a list", "services:\n  - api\n", 15, &["devenv.yaml:2:", "services"]),
        (
            "a key that is not one",
            "services:\n  api:\n    imagee: busybox\n",
            15,
            &["devenv.yaml:3:5", "imagee", "image", "api"],
        ),
        ("a wrong type", "services:\n  api:\n    image: busybox\n    ports: 80\n", 15, &["devenv.yaml:4:", "ports"]),
        ("a key twice", "services:\n  api:\n    image: a\n    image: b\n", 15, &["devenv.yaml:4:5", "image"]),
        (
            "neither image nor build",
            "services:\n  api:\n    command: x\n",
            15,
            &["devenv.yaml:2:3", "api", "image", "build"],
        ),
        (
            "a circle",
            "services:\n  a:\n    image: x\n    depends_on: [b]\n  b:\n    image: x\n    depends_on: [c]\n  c:\n    image: x\n    \
             depends_on: [a]\n",
            15,
            &["devenv.yaml:", "a", "b", "c", "depend"],
        ),
        (
            "a service that is not there",
            "services:\n  api:\n    image: x\n    depends_on: [dbb]\n  db:\n    image: x\n",
            15,
            &["devenv.yaml:4:18", "dbb", "db"],
        ),
        (
            "a network that is not there",
            "services:\n  api:\n    image: x\n    networks: [front]\n",
            15,
            &["devenv.yaml:4:16", "front", "networks"],
        ),
        (
            "a volume that is not there",
            "services:\n  api:\n    image: x\n    volumes: ['data:/data']\n",
            15,
            &["devenv.yaml:4:15", "data", "volumes"],
        ),
        (
            "a port that is none",
            "services:\n  api:\n    image: x\n    ports: ['80:http']\n",
            15,
            &["devenv.yaml:4:13", "http"],
        ),
        (
            "a variable that must be set",
            "services:\n  api:\n    image: x\n    environment:\n      KEY: ${KEY:?put it into .env}\n",
            15,
            &["devenv.yaml:5:", "KEY", "put it into .env"],
        ),
        (
            "an env file that is not there",
            "services:\n  api:\n    image: x\n    env_file: [missing.env]\n",
            14,
            &["devenv.yaml:4:16", "missing.env"],
        ),
    ];
    for (name, manifest, code, parts) in cases {
        let lab = Lab::without_engine();
        lab.manifest(manifest);
        for command in [&["config", "-q"][..], &["up", "-d"]] {
            let done = lab.hob(command);
            assert_eq!(done.code, *code, "{name}: {done}");
            for part in *parts {
                assert!(done.err.contains(part), "{name}: no {part:?} in {done}");
            }
            assert!(!done.err.contains("panicked") && done.err.lines().count() < 12, "{name}: {done}");
        }
    }
}

#[test]
fn all_mistakes_of_a_manifest_are_told_at_once() {
    let lab = Lab::without_engine();
    lab.manifest("services:\n  api:\n    imagee: x\n  web:\n    image: x\n    portss: ['80']\n    networks: [front]\n");
    lab.ends(&["up", "-d"], 15).says(&["devenv.yaml:3:5", "devenv.yaml:6:5", "did you mean"]);
}

#[test]
fn without_a_manifest_it_says_how_to_get_one() {
    let lab = Lab::without_engine();
    for command in [&["up", "-d"][..], &["config"], &["ps"], &["down"]] {
        lab.ends(command, 14).says(&["no manifest found", "devenv.yaml", "hob init", "-f"]);
    }
    lab.ends(&["-f", "missing.yaml", "up"], 14).says(&["missing.yaml"]);
    lab.write("devenv.yaml", "inputs:\n  nixpkgs:\n    url: github:x/y\n");
    lab.ends(&["up"], 14).says(&["another program", "-f"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_missing_dockerfile_or_context_is_told_with_its_place() {
    let lab = Lab::new();
    lab.write("there/file", "x\n");
    lab.manifest("services:\n  api:\n    build: ./there\n");
    lab.ends(&["up", "-d"], 14).says(&["devenv.yaml:3:", "Dockerfile", "there", "api"]);
    lab.manifest("services:\n  api:\n    build:\n      context: ./there\n      dockerfile: Dockerfile.dev\n");
    lab.ends(&["up", "-d"], 14).says(&["devenv.yaml:", "Dockerfile.dev", "api"]);
    lab.manifest("services:\n  api:\n    build: ./not-there\n");
    lab.ends(&["up", "-d"], 14).says(&["devenv.yaml:3:", "not-there", "api"]);
    // The command line's env file.
    lab.manifest(&format!("services:\n{}", idle("a")));
    let done = lab.hob(&["--env-file", "missing.env", "up", "-d"]);
    done.says(&["missing.env"]);
    assert_eq!(done.code, 14, "{done}");
    assert!(lab.containers().is_empty());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_file_that_a_copy_names_and_is_not_there() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY nothing-like-it /x\n");
    lab.manifest("services:\n  api:\n    build: .\n");
    let done = lab.ends(&["up", "-d"], 17);
    done.says(&["api", "nothing-like-it", "Dockerfile:3:1", "build context"]);
    assert_eq!(done.err.matches("error:").count(), 1, "told once: {done}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_a_build_cannot_have_is_told_with_its_place_and_a_remedy() {
    let lab = Lab::new();
    lab.write("id_ed25519", "a key\n");
    lab.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    for (keys, parts) in [
        ("ssh: [default=./id_ed25519]", &["build.ssh", "ssh-add", "id_ed25519", "ssh: [default]"][..]),
        ("cache_to: ['type=local,src=./cache']", &["build.cache_to", "names no folder", "type=local,dest=FOLDER"]),
        ("cache_from: ['type=tape']", &["build.cache_from", "no kind of cache", "type=registry,ref=IMAGE"]),
    ] {
        lab.manifest(&format!("services:\n  api:\n    build:\n      context: .\n      {keys}\n"));
        let done = lab.ends(&["build"], 17);
        done.says(parts).says(&["api", "devenv.yaml:5:"]);
        assert_eq!(done.err.matches("error:").count(), 1, "told once: {done}");
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_unknown_service_is_told_with_the_one_that_was_meant() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("backend")));
    for command in [&["up", "-d", "backand"][..], &["logs", "backand"], &["exec", "backand", "ls"], &["run", "backand"]]
    {
        lab.ends(command, 15).says(&["no such service: backand", "did you mean", "backend"]);
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_port_that_is_taken_names_who_has_it() {
    let lab = Lab::new();
    let with_port = |name: &str, port: u16| {
        idle(name).replace("network_mode: none\n", &format!("ports: [\"127.0.0.1:{port}:80\"]\n"))
    };
    let port = free_port();
    lab.manifest(&format!("services:\n{}", with_port("first", port)));
    lab.ok(&["up", "-d"]);
    let other = Lab::new();
    other.manifest(&format!("services:\n{}", with_port("second", port)));
    let holder = lab.container("first").name;
    let done = other.ends(&["up", "-d"], 22);
    done.says(&["second", &format!("port {port} of the host is taken by container {holder}"), "ports"]);
    lab.ok(&["down"]);
    other.ok(&["up", "-d"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    other.manifest(&format!("services:\n{}", with_port("second", port)));
    let done = other.ends(&["up", "-d"], 22);
    done.says(&["second", &format!("port {port} of the host is taken by"), &std::process::id().to_string()]);
    drop(taken);
    other.ok(&["up", "-d"]);
    assert_eq!(other.states(), ["second running"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_image_that_cannot_be_pulled() {
    let lab = Lab::new();
    // Nothing listens there, so that the answer is quick wherever the test runs.
    let image = "127.0.0.1:9/no/such:image";
    lab.manifest(&format!("services:\n  api:\n    image: {image}\n    depends_on: [db]\n{}", idle("db")));
    let done = lab.ends(&["up", "-d"], 18);
    done.says(&["api", image, "help:", "docker login"]);
    lab.manifest("services:\n  api:\n    image: hob-no-such/image:1\n    pull_policy: never\n");
    let done = lab.hob(&["up", "-d"]);
    done.says(&["hob-no-such/image:1", "never", "devenv.yaml:3:"]);
    assert_ne!(done.code, 0);
}

#[test]
fn an_engine_that_does_not_run() {
    let mut lab = Lab::without_engine();
    lab.manifest(&format!("services:\n{}", idle("a")));
    let host = format!("unix://{}", lab.outside("dead.sock").display());
    lab.env.insert("DOCKER_HOST".into(), host.clone());
    for command in [&["up", "-d"][..], &["ps"], &["down"], &["logs"], &["exec", "a", "ls"], &["build"]] {
        lab.ends(command, 20).says(&[&host, "DOCKER_HOST", "hob doctor"]);
    }
    lab.ends(&["doctor"], 1).says(&["BAD engine", &host]);
    lab.ok(&["config", "-q"]);
    lab.env.insert("DOCKER_HOST".into(), "tcp://127.0.0.1:9".into());
    lab.ends(&["ps"], 20).says(&["127.0.0.1:9"]);
    lab.env.insert("DOCKER_HOST".into(), "nonsense".into());
    lab.ends(&["ps"], 20).says(&["nonsense", "DOCKER_HOST"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_disk_that_is_full() {
    let mut lab = Lab::new();
    let proxy = Proxy::start(lab.outside("proxy.sock"));
    lab.manifest(&format!("services:\n{}", idle("a")));
    lab.env.insert("DOCKER_HOST".into(), proxy.host());
    proxy
        .rule(Rule::Fail(&["POST", "/containers/create"], "mkdir /var/lib/docker/overlay2/x: no space left on device"));
    let done = lab.ends(&["up", "-d"], 1);
    done.says(&["no space left on device", "docker system df", "docker system prune"]);
    drop(proxy);
    let proxy = Proxy::start(lab.outside("proxy.sock"));
    lab.ok(&["up", "-d"]);
    drop(proxy);
}
