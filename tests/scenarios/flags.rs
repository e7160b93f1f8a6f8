//! Flags of the program itself, which stand beside any command.

use crate::lab::{Lab, idle};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_dry_run_changes_nothing() {
    let lab = Lab::new();
    lab.dockerfile("app/Dockerfile", "");
    lab.write("app/.git/HEAD", "");
    let built = "  built:\n    build: app\n    network_mode: none\n    init: true\n    command: sleep 3600\n    depends_on: [a]\n";
    lab.manifest(&format!("services:\n{}{built}", idle("a")));
    lab.ok(&["--dry-run", "up", "-d"]).says(&["create", "build"]);
    assert!(lab.containers().is_empty());
    lab.ok(&["up", "-d", "a"]);
    let before = (lab.states(), lab.started("a"), lab.id("a"), lab.names("networks"));
    let cases: [(&[&str], &str); 14] = [
        (&["up", "-d", "--force-recreate"], "create"),
        (&["watch"], "build"),
        (&["stop", "--dry-run"], "stop"),
        (&["restart", "a"], "restart"),
        (&["kill", "-s", "SIGTERM"], "SIGTERM"),
        (&["rm", "-fs"], "remove"),
        (&["down", "-v"], "remove"),
        (&["start"], "nothing to do"),
        (&["build", "--no-cache"], "build"),
        (&["pull", "a"], "pull"),
        (&["run", "--rm", "built", "touch", "/x"], "would run `touch /x` in a new container of built"),
        (&["exec", "a", "kill", "1"], "would run `kill 1` in "),
        (&["prune"], "would free"),
        (&["init", "--ignore"], "would leave out"),
    ];
    for (args, said) in cases {
        lab.ok(&[&["--dry-run"], args].concat()).says(&[said]);
    }
    assert_eq!((lab.states(), lab.started("a"), lab.id("a"), lab.names("networks")), before);
    assert!(!lab.dir.join("app/.dockerignore").exists());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn names_may_be_those_of_docker_compose_1() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}volumes:\n  unused:\n", idle("a")));
    lab.ok(&["--compatibility", "--all-resources", "up", "-d"]);
    assert_eq!(lab.container("a").name, format!("{}_a_1", lab.project));
    assert_eq!(lab.names("volumes"), [format!("{}_unused", lab.project)]);
    let id = lab.id("a");
    // What runs is what is asked for, whatever it is called.
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.id("a"), id);
    lab.ok(&["--all-resources", "down", "-v"]);
    assert!(lab.containers().is_empty() && lab.names("volumes").is_empty());
}

#[test]
fn config_leaves_out_what_it_is_told_to() {
    let lab = Lab::without_engine();
    lab.manifest(
        "name: shop
services:
  a:
    image: x:${TAG:-1}
    build: {context: ., args: [Z]}
    volumes: ['./data:/d', 'vol:/v']
    links: [b]
    ports: ['${P:-80}:80']
  b: {image: y, network_mode: none, profiles: [p, q]}
volumes: {vol: , unused: }
networks: {unused: {driver: \"${DRIVER?}\"}}
",
    );
    let config = |flags: &[&str]| lab.ok(&[&["--profile", "p", "config"], flags].concat()).out;
    let whole = |flags: &[&str]| config(&[&["--no-consistency"], flags].concat());
    lab.ends(&["config"], 15).says(&["DRIVER"]);
    lab.write(".env", "DRIVER=bridge\n");
    let dir = lab.dir.display().to_string();
    let plain = whole(&["a"]);
    assert!(
        plain.contains("shop_vol") && plain.contains(&format!("{dir}/data")) && plain.contains("dockerfile"),
        "{plain}"
    );
    let bare = whole(&["--no-normalize"]);
    assert!(!bare.contains("shop_vol") && !bare.contains("dockerfile") && !bare.contains("default"), "{bare}");
    assert!(bare.contains("Z: null") && !bare.contains("depends_on"), "{bare}");
    assert!(whole(&["--no-path-resolution"]).contains("source: ./data"));
    // docker/compose#12281: lists without values.
    assert_eq!(config(&["--no-interpolate", "--services"]), "a\nb\n");
    assert_eq!(config(&["--no-interpolate", "--images"]), "x:${TAG:-1}\ny\n");
    assert_eq!(config(&["--no-interpolate", "--volumes"]), "unused\nvol\n");
    let variables = config(&["--variables"]);
    let rows: Vec<Vec<&str>> = variables.lines().map(|line| line.split_whitespace().collect()).collect();
    let want = [vec!["DRIVER", "true"], vec!["P", "false", "80"], vec!["TAG", "false", "1"]];
    assert_eq!(rows[1..], want, "{variables}");
    // Of several lists the first of Compose's order counts, and `-q` is about the model.
    assert_eq!(config(&["--images", "--volumes", "-q"]), "vol\n");
    // What the services named do not use is left out.
    let b = whole(&["b"]);
    assert!(!b.contains("networks:") || b.contains("networks: {}"), "{b}");
    assert_eq!(lab.env.len(), 0);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn proxies_of_docker_become_variables() {
    let mut lab = Lab::new();
    lab.env.insert("DOCKER_CONFIG".to_owned(), lab.outside("docker").display().to_string());
    std::fs::create_dir(lab.outside("docker")).unwrap();
    let text = r#"{"proxies": {"default": {"httpProxy": "http://proxy:1", "noProxy": "here"}}}"#;
    std::fs::write(lab.outside("docker/config.json"), text).unwrap();
    lab.dockerfile("Dockerfile", "RUN echo $http_proxy $HTTP_PROXY > /seen\n");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n    environment: {no_proxy: own}\n");
    let command = ["run", "--rm", "-T", "a", "sh", "-c", "cat /seen; env | grep -i _proxy | sort"];
    let want = "http://proxy:1 http://proxy:1\nHTTP_PROXY=http://proxy:1\nNO_PROXY=here\nhttp_proxy=http://proxy:1\nno_proxy=own\n";
    assert_eq!(lab.ok(&command).out, want);
}

#[test]
fn builds_say_what_hob_cannot_do() {
    let lab = Lab::without_engine();
    lab.manifest("services:\n  a:\n    build: .\n");
    lab.ends(&["build", "--builder", "other"], 2)
        .says(&["the engine's own builder", "docker buildx bake -f - --builder other"]);
    lab.ends(&["build", "--check"], 2).says(&["--call check"]);
    let printed = lab.ok(&["build", "--builder", "default", "--print", "--ssh", "default", "-m", "1g"]);
    printed.says(&["--memory is ignored", "\"ssh\""]);
}
