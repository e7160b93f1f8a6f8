//! What the language means, in tables: a manifest and a part of its canonical form.

use serde_json::{Value, json};

use super::*;
use crate::manifest;
use crate::model::Reload;

/// A part of the canonical JSON of a manifest.
fn part(text: &str, pointer: &str) -> Value {
    manifest::json(&project(text)).pointer(pointer).cloned().unwrap_or_default()
}

fn service(keys: &str, key: &str) -> Value {
    let text = format!(
        "services: {{a: {{image: x, {keys}}}, b: {{image: y}}}}\nvolumes: {{vol: }}\nsecrets: {{s: {{file: ./s}}}}"
    );
    part(&text, &format!("/services/a/{key}"))
}

#[test]
fn short_and_long_forms() {
    for (keys, key, expected) in [
        ("command: echo 'a b'", "command", json!(["echo", "a b"])),
        ("command: ", "command", json!(null)),
        ("entrypoint: []", "entrypoint", json!([])),
        ("environment: [A=1, B, A=2]", "environment", json!({"A": "2", "B": null})),
        (
            "environment: {A: 1.50, B: 010, C: yes, D: true}",
            "environment",
            json!({"A": "1.5", "B": "8", "C": "yes", "D": "true"}),
        ),
        ("labels: {a: }", "labels", json!({"a": ""})),
        (
            "healthcheck: {test: a b, interval: 90s}",
            "healthcheck",
            json!({"test": ["CMD-SHELL", "a b"], "interval": "1m30s"}),
        ),
        ("depends_on: [b]", "depends_on/b", json!({"condition": "service_started", "required": true})),
        (
            "links: [\"b:c\"]",
            "depends_on/b",
            json!({"condition": "service_started", "restart": true, "required": true}),
        ),
        ("volumes_from: [b]", "depends_on/b", json!({"condition": "service_started", "required": true})),
        (
            "network_mode: \"service:b\"",
            "depends_on/b",
            json!({"condition": "service_started", "restart": true, "required": true}),
        ),
        (
            "volumes: [\"./d:/t/:ro\"]",
            "volumes/0",
            json!({"type": "bind", "source": "/p/d", "target": "/t", "read_only": true, "bind": {"create_host_path": true}}),
        ),
        (
            "volumes: [\"vol:/t\", /anon]",
            "volumes",
            json!([{"type": "volume", "source": "vol", "target": "/t", "volume": {}}, {"type": "volume", "target": "/anon", "volume": {}}]),
        ),
        (
            "volumes: [{type: bind, source: ~/x, target: /t}]",
            "volumes/0",
            json!({"type": "bind", "source": "/home/me/x", "target": "/t"}),
        ),
        (
            "ports: [80, \"81:82/udp\"]",
            "ports",
            json!([{"mode": "ingress", "target": 80, "protocol": "tcp"}, {"mode": "ingress", "target": 82, "published": "81", "protocol": "udp"}]),
        ),
        ("ports: [\"9090-9091:8080\"]", "ports/0/published", json!("9090-9091")),
        ("mem_limit: 1.5g, cpus: 0.1, pids_limit: \"5\"", "mem_limit", json!("1610612736")),
        ("cpus: \"0.1\"", "cpus", json!(0.1)),
        ("secrets: [s]", "secrets", json!([{"source": "s", "target": "/run/secrets/s"}])),
        (
            "ulimits: {nofile: 10, nproc: {soft: 1, hard: 2}}",
            "ulimits",
            json!({"nofile": 10, "nproc": {"hard": 2, "soft": 1}}),
        ),
        ("extra_hosts: [\"b:1.1.1.1\", \"a=::1\"]", "extra_hosts", json!(["a=::1", "b=1.1.1.1"])),
        ("gpus: all", "gpus", json!([{"count": -1}])),
        ("build: .", "build", json!({"context": "/p", "dockerfile": "Dockerfile"})),
        ("build: {context: \"https://x/y.git\", args: [A, B, C=1]}", "build/args", json!({"A": "a", "C": "1"})),
        (
            "deploy: {resources: {limits: {cpus: \"0.5\", memory: 64M}}}",
            "deploy",
            json!({"resources": {"limits": {"cpus": 0.5, "memory": "67108864"}}, "placement": {}}),
        ),
        ("privileged: \"yes\", read_only: \"${U:-false}\"", "privileged", json!(true)),
        ("stop_grace_period: 1m, init: false", "init", json!(false)),
        ("dns: 1.1.1.1", "dns", json!(["1.1.1.1"])),
        ("pull_policy: if_not_present", "pull_policy", json!("missing")),
        (
            "devices: [\"/dev/a:/dev/b\"]",
            "devices/0",
            json!({"source": "/dev/a", "target": "/dev/b", "permissions": "rwm"}),
        ),
    ] {
        assert_eq!(service(keys, key), expected, "{keys}");
    }
}

#[test]
fn dollar_signs_are_printed_so_that_they_can_be_read_again() {
    assert_eq!(service("environment: [\"A=pa$$word\"]", "environment/A"), json!("pa$$word"));
    assert_eq!(
        project("services: {a: {image: x, environment: [\"A=pa$$word\"]}}").services["a"].environment["A"].as_deref(),
        Some("pa$word")
    );
}

#[test]
fn anchors_and_merge_keys() {
    let text = "\
x-base: &base {image: x, labels: &l {a: 1, b: 2}}
services:
  one: {<<: *base, labels: {<<: *l, b: 3}}
  two: {<<: [{image: y}, *base]}
";
    assert_eq!(part(text, "/services/one/labels"), json!({"a": "1", "b": "3"}));
    assert_eq!(part(text, "/services/two/image"), json!("y"));
}

#[test]
fn later_files_and_documents_override() {
    let files = [
        (
            "compose.yaml",
            "services: {a: {image: x, ports: [\"80:80\"], command: b, environment: {A: 1, B: 1}, volumes: [\"./a:/t\"]}}\n---\nservices: {a: {environment: [B=2]}}",
        ),
        (
            "compose.override.yaml",
            "services: {a: {ports: [\"81:81\"], command: !reset null, volumes: [\"./b:/t\"], labels: !override {x: 1}}}",
        ),
    ];
    let json = manifest::json(&project_of(&files));
    assert_eq!(json["services"]["a"]["environment"], json!({"A": "1", "B": "2"}));
    assert_eq!(json["services"]["a"]["ports"].as_array().unwrap().len(), 2);
    assert_eq!(json["services"]["a"]["command"], json!(null));
    assert_eq!(json["services"]["a"]["volumes"][0]["source"], json!("/p/b"));
}

#[test]
fn extends_follows_files_and_keeps_their_folders() {
    let files = [
        ("compose.yaml", "services: {a: {extends: {service: base, file: sub/b.yaml}, environment: {A: 2}}}"),
        (
            "sub/b.yaml",
            "services: {base: {extends: root, build: ., environment: [A=1, B=1]}, root: {volumes: [\"./v:/v\"]}}",
        ),
    ];
    let project = project_of(&files);
    let service = &project.services["a"];
    assert_eq!(service.build.as_ref().unwrap().context.as_deref(), Some("/p/sub"));
    assert_eq!(service.volumes[0].source.as_deref(), Some("/p/sub/v"));
    assert_eq!(service.environment["A"].as_deref(), Some("2"));
    assert_eq!(project.files.len(), 2);
}

#[test]
fn includes_have_their_own_folder_and_variables() {
    let files = [
        ("compose.yaml", "include: [sub/inc.yaml]\nservices: {b: {image: \"${V:-none}\", depends_on: [a]}}"),
        ("sub/inc.yaml", "services: {a: {build: ./x, environment: {V: $V}, env_file: e.env}}"),
        ("sub/.env", "V=inner\n"),
        ("sub/e.env", "E=$V-1\n"),
    ];
    let project = project_of(&files);
    let service = &project.services["a"];
    assert_eq!(service.build.as_ref().unwrap().context.as_deref(), Some("/p/sub/x"));
    assert_eq!(service.environment["V"].as_deref(), Some("inner"));
    assert_eq!(project.services["b"].image.as_deref(), Some("none"));
    assert!(project.env_files.iter().any(|file| file.ends_with("sub/.env")));
}

#[test]
fn env_files_fill_the_environment_and_the_service_wins() {
    let files = [
        (
            "compose.yaml",
            "services: {a: {image: x, env_file: [one.env, {path: no.env, required: false}, {path: raw.env, format: raw}], environment: {B: own}}}",
        ),
        ("one.env", "A=1\nB=file\nC='$A'\nD=${B}\n"),
        ("raw.env", "R=\"$A\"\n"),
    ];
    let project = project_of(&files);
    let environment = &project.services["a"].environment;
    let value = |name: &str| environment[name].as_deref();
    assert_eq!((value("A"), value("B"), value("C"), value("R")), (Some("1"), Some("own"), Some("$A"), Some("\"$A\"")));
    // The service's own value wins inside the file as well.
    assert_eq!(value("D"), Some("own"));
    assert_eq!(project.env_files.len(), 3, "the missing file is followed too");
}

#[test]
fn profiles_choose_services() {
    let text = "services: {a: {image: x}, b: {image: y, profiles: [debug]}, c: {image: z, profiles: [debug, test]}}";
    let names = |change: fn(&mut LoadOptions)| {
        let project = run(&[("compose.yaml", text)], change).project.unwrap();
        let names: Vec<String> = project.services.keys().map(ToString::to_string).collect();
        (names.join(" "), project.disabled.len())
    };
    assert_eq!(names(|_| {}), ("a".to_owned(), 2));
    assert_eq!(names(|options| options.profiles = vec!["test".to_owned()]), ("a c".to_owned(), 1));
    assert_eq!(names(|options| options.profiles = vec!["*".to_owned()]), ("a b c".to_owned(), 0));
    assert_eq!(names(|options| options.targets = vec!["b".to_owned()]), ("a b c".to_owned(), 0));
    let set = |options: &mut LoadOptions| {
        options.environment.insert("COMPOSE_PROFILES".to_owned(), "test, x".to_owned());
    };
    assert_eq!(names(set), ("a c".to_owned(), 1));
    // The empty name is that of no profile.
    let text = "services: {a: {image: x, profiles: [\"\"]}, b: {image: y, profiles: [q]}}";
    let names = |profiles: &[&str]| {
        let profiles = profiles.iter().map(|&name| name.to_owned()).collect();
        let project = run(&[("compose.yaml", text)], |options| options.profiles = profiles).project.unwrap();
        project.services.keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!((names(&[]), names(&["q"])), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

#[test]
fn only_what_is_used_is_kept() {
    let text = "\
services: {a: {image: x, volumes: [\"vol:/v\"], networks: [n]}}
networks: {n: , unused: }
volumes: {vol: {external: true}, unused: }
secrets: {unused: {file: ./s}}
";
    let project = project(text);
    assert_eq!(project.networks.keys().collect::<Vec<_>>(), ["n"]);
    assert_eq!(project.networks["n"].name.as_deref(), Some("p_n"));
    assert_eq!(project.volumes["vol"].name.as_deref(), Some("vol"));
    assert!(project.secrets.is_empty());
}

#[test]
fn hobs_keys_with_and_without_prefix() {
    let text = "\
services:
  a:
    build: .
    x-reload: {signal: SIGHUP}
    prepare: {run: npm run build, inputs: src, outputs: [dist]}
  b:
    process: npm run dev
    probe: {http: \"http://localhost:3000/\", interval: 2s}
  c:
    image: x
    reload: {exec: nginx -s reload}
    x-probe: something else
";
    let project = project(text);
    assert_eq!(project.services["a"].reload, Some(Reload::Signal("SIGHUP".to_owned())));
    let step = &project.services["a"].prepare[0];
    assert_eq!(
        (step.run.join(" "), step.inputs.len(), step.workdir.as_deref()),
        ("npm run build".into(), 1, Some("/p"))
    );
    let process = project.services["b"].process.as_ref().unwrap();
    assert_eq!(process.command, ["npm", "run", "dev"]);
    assert!(project.services["b"].networks.is_empty(), "a process of the host joins no network");
    assert_eq!(project.services["c"].reload, Some(Reload::Exec(["nginx", "-s", "reload"].map(str::to_owned).into())));
    assert!(project.services["c"].probe.is_none());
}

#[test]
fn the_schema_has_every_key_and_is_json() {
    let schema = json_schema();
    let service = &schema["properties"]["services"]["patternProperties"]["^[a-zA-Z0-9._-]+$"];
    for key in ["image", "healthcheck", "reload", "x-reload"] {
        assert!(service["properties"].get(key).is_some(), "{key}");
    }
    assert!(service["properties"]["image"]["description"].is_string());
}

#[test]
fn what_is_included_on_many_ways_is_read_once() {
    // Each level includes both files of the next one: 2^24 ways to the last.
    let mut files = vec![("devenv.yaml".to_owned(), "include: [l0a.yaml, l0b.yaml]".to_owned())];
    for level in 0..24 {
        for side in ["a", "b"] {
            let next = format!("include: [l{0}a.yaml, l{0}b.yaml]\n", level + 1);
            let next = if level < 23 { next } else { String::new() };
            files.push((format!("l{level}{side}.yaml"), format!("{next}services: {{s{level}{side}: {{image: x}}}}")));
        }
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(project_of(&files).services.len(), 48);
}

#[test]
fn an_included_file_is_read_again_where_its_variables_differ() {
    let files = [
        ("devenv.yaml", "include: [{path: inc.yaml, env_file: one.env}, {path: inc.yaml, env_file: two.env}]"),
        ("inc.yaml", "services: {\"${NAME}\": {image: x}, s: {image: \"y:$NAME\"}}"),
        ("one.env", "NAME=one"),
        ("two.env", "NAME=two"),
    ];
    let text = complaints(&files);
    assert!(text.contains("services.s is defined by an included manifest too"), "{text}");
}

#[test]
fn a_chain_without_end_names_its_place() {
    let services: String = (0..5_000).map(|n| format!("  s{n}: {{extends: s{}}}\n", n + 1)).collect();
    let text = complaints(&[("devenv.yaml", &format!("services:\n{services}  s5000: {{image: x}}\n"))]);
    assert!(text.contains("devenv.yaml:102:19") && text.contains("over more than 100 levels"), "{text}");
}

#[test]
fn a_block_at_the_end_of_the_file_has_the_lines_that_are_there() {
    for (block, expected) in [
        ("|\n      abc", "abc"),
        (">\n      abc\n      def", "abc def"),
        ("|+\n      abc", "abc"),
        ("|2\n      abc", " abc"),
        ("|-\n      abc", "abc"),
        ("|\n      abc\n      ", "abc\n"),
        ("|\n      abc\n", "abc\n"),
        ("|\n      abc\n\n", "abc\n"),
        ("|+\n      abc\n\n   ", "abc\n\n"),
        ("|\n      abc\n# c", "abc\n"),
        ("|\n      abc\n        # x", "abc\n  # x"),
        ("|+\n      é\r\n      d", "é\nd"),
        ("|", ""),
        ("|+\n     ", ""),
        ("|+\n\n     ", "\n"),
        ("|+\n\n", "\n"),
    ] {
        let indented = block.replace("|2\n      ", "|4\n           ");
        let text = format!("services:\n  a:\n    image: x\nx-k:\n  k: {indented}");
        let value = project(&text).extensions["x-k"]["k"].clone();
        let expected = if block.starts_with("|2") { "     abc".to_owned() } else { expected.to_owned() };
        assert_eq!(value.as_str().unwrap_or_default(), expected, "{text:?}");
    }
}

#[test]
fn a_number_that_is_too_large_is_a_text() {
    let text = "services: {a: {image: x}}\nx-n: [1e400, -1e400, 1e-400, 1e3]";
    assert_eq!(serde_json::to_value(&project(text).extensions["x-n"]).unwrap(), json!(["1e400", "-1e400", 0, 1000]));
}
