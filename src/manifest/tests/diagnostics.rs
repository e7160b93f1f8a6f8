//! What people are told.

use super::*;

#[test]
fn a_misspelt_key_is_shown_with_its_line() {
    let text = complaints(&[("devenv.yaml", "services:\n  api:\n    image: x\n    enviroment:\n      A: 1\n")]);
    assert_eq!(
        text,
        "\
error: unknown key `enviroment` in services.api: a service has no such key
 --> /p/devenv.yaml:4:5
  |
4 |     enviroment:
  |     ^^^^^^^^^^
  = help: did you mean `environment`?

"
    );
}

/// A manifest and what must be said about it: (text, place).
#[test]
fn all_problems_are_told_in_one_run() {
    let text = "\
services:
  api:
    image: x
    user: 1000
    read_only: maybe
    ports: [\"a:b\"]
    depends_on: [dbb]
    networks: [backend]
    healthcheck: {interval: 5}
  db:
    imagee: postgres
networks:
  back-end:
";
    let said = complaints(&[("devenv.yaml", text)]);
    for (message, place) in [
        ("services.api.user must be a string, found an integer (1000)", ":4:11"),
        ("services.api.read_only must be `true` or `false`, found \"maybe\"", ":5:16"),
        ("the port \"a:b\" has an invalid container port", ":6:13"),
        ("services.api depends on dbb, which is not defined", ":7:18"),
        ("services.api uses the network backend, which is not defined", ":8:16"),
        ("services.api.healthcheck.interval must be a duration in a string", ":9:29"),
        ("unknown key `imagee` in services.db", ":11:5"),
        ("did you mean `db`?", ""),
        ("did you mean `back-end`?", ""),
        ("did you mean `image`?", ""),
    ] {
        assert!(said.contains(message) && said.contains(place), "{message}{place} in:\n{said}");
    }
}

#[test]
fn manifests_that_are_none() {
    for (files, message) in [
        (&[][..], "no manifest found"),
        (&[("devenv.yaml", "")], "the manifest is empty: /p/devenv.yaml"),
        (&[("devenv.yaml", "# only a comment\n")], "the manifest is empty"),
        (&[("devenv.yaml", "- a\n")], "must be a mapping with `services:` at its top level, found a list"),
        (&[("devenv.yaml", "services: [a]\n")], "services must be a mapping, found a list"),
        (&[("devenv.yaml", "services: {a: {image: \"x}}\n")], "not valid YAML"),
        (&[("devenv.yaml", "services:\n  a:\n    image: x\n   b: y\n")], "not valid YAML"),
        (&[("devenv.yaml", "services: {a: {}}\n")], "services.a has neither an image nor a build"),
        (&[("devenv.yaml", "services: {a: {image: x, image: y}}\n")], "the key \"image\" is written twice"),
        (&[("devenv.yaml", "services: {a: *b}\n")], "unknown anchor"),
        (
            &[("devenv.yaml", "services: {a: {image: x, depends_on: [b]}, b: {image: y, depends_on: [a]}}\n")],
            "services wait for each other: a → b → a",
        ),
        (
            &[("devenv.yaml", "services: {a: {extends: b}, b: {extends: a}}\n")],
            "services extend each other in a circle: a → b → a",
        ),
        (
            &[("devenv.yaml", "services: {a: {extends: {file: \"oci://x/y\", service: b}}}\n")],
            "services.a cannot extend from oci://x/y: hob reads manifests from the disk only",
        ),
        (
            &[("devenv.yaml", "include: [b.yaml]\n"), ("b.yaml", "include: [devenv.yaml]\n")],
            "manifests include each other in a circle",
        ),
        (
            &[("devenv.yaml", "include: [no.yaml]\nservices: {a: {image: x}}\n")],
            "cannot include /p/no.yaml: no such file or directory",
        ),
        (
            &[("devenv.yaml", "services: {a: {image: x, env_file: no.env}}\n")],
            "cannot read the env file /p/no.env: no such file or directory",
        ),
        (&[("devenv.yaml", "services: {a: {image: x}}\n"), (".env", "A=1\n!\n")], "/p/.env:2:1"),
        (
            &[("devenv.yaml", "services: {a: {image: \"${TAG:?say which}\"}}\n")],
            "the variable TAG is required and not set: say which",
        ),
        (
            &[("devenv.yaml", "services: {a: {image: x, volumes: [\"data:/d\"]}}\n")],
            "services.a uses the volume data, which is not defined",
        ),
        (
            &[("devenv.yaml", "services: {a: {image: x, depends_on: [b]}, b: {image: y, profiles: [q]}}\n")],
            "activate one with `--profile q`",
        ),
        (&[("devenv.yaml", "services: {a: {image: x, reload: restrat}}\n")], "did you mean `restart`?"),
        (
            &[("devenv.yaml", "services: {a: {image: x, environment: [\"A =1\"]}}\n")],
            "the name of the variable \"A \" ends with a space",
        ),
        (
            &[("devenv.yaml", "services: {a: {image: x, volumes: [{type: bind, target: /b}]}}\n")],
            "volumes.0 has no `source`",
        ),
        (&[("devenv.yaml", "services: {a: {image: x, expose: [1.5]}}\n")], "services.a.expose"),
        (
            &[("devenv.yaml", "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {driver: d}}\n")],
            "secrets.s: one of `file` or `environment` must be given",
        ),
        (
            &[("devenv.yaml", "services: {a: {provider: {type: x}, networks: [default]}}\n")],
            "services.a uses the network default, which is not defined",
        ),
    ] {
        let said = complaints(files);
        assert!(said.contains(message), "{message:?} in:\n{said}");
        assert!(run(files, |_| {}).project.is_none(), "{message}");
    }
}

/// As Compose's reader has it, which is neither the specification of YAML nor what the parser takes.
#[test]
fn tabs_stand_inside_brackets_and_texts_and_do_not_indent() {
    let image = |text: &str| format!("services:\n  a:\n    image: x\n{text}");
    for wrong in [
        image("\t\n"),
        image("\t# c\n"),
        image("    \tinit: true\n"),
        image("    command:\n    -\tb\n"),
        image("    command:\n    - \tb\n"),
        image("    command: >\n      b\n\t\n    init: true\n"),
        image("    command: b\n\t  c\n"),
        image("    environment:\n      A:\n\t\n      B: 1\n"),
        "\t\nservices:\n  a:\n    image: x\n".to_owned(),
        "services:\n\ta:\n    image: x\n".to_owned(),
    ] {
        let said = complaints(&[("devenv.yaml", &wrong)]);
        assert!(said.contains("not valid YAML"), "{wrong:?}: {said}");
    }
    let command = |text: String| {
        let project = project(&text);
        project.services["a"].command.clone().unwrap_or_default()
    };
    for (text, words) in [
        (image("    command: [a,\n\tb]\n"), vec!["a", "b"]),
        (image("    command: [a,\n\t\tb\n\t,c # x\n\t# y\n\t]\n"), vec!["a", "b", "c"]),
        (image("    command: [\"b\n\tc \t\n\t\td\"]\n"), vec!["b c d"]),
        (image("    command:\n    - b\tc -\td # e -\tf\n"), vec!["b\tc -\td"]),
        (image("    command:\n    - |\n      b\n      \tc\n"), vec!["b\n\tc\n"]),
        (image("    labels: {a:\tx, \"b\":\t \t\"y:\tz\"}\n    command: [\"é:\tc\"]\n"), vec!["é:\tc"]),
        (image("    command:\n    - b\n      \tc\n    # x\n\t# y\n    init:\ttrue\t\n"), vec!["b c"]),
        (
            "{\n\t\"services\": {\n\t\t\"a\":\t{\n\t\t\t\"image\": \"x\",\n\t\t\t\"command\": [\n\n\t\t\t\t\"b\"\n\t\t\t]\n\t\t}\n\t}\n}\n"
                .to_owned(),
            vec!["b"],
        ),
    ] {
        assert_eq!(command(text.clone()), words, "{text:?}");
    }
    // Behind a colon inside brackets, and nowhere else on the line.
    let pair = |n: usize| format!("      K{n}:\t\"x:\ty\",\n");
    let project = project(&image(&format!("    labels: {{\n{}    }}\n", (0..500).map(pair).collect::<String>())));
    let labels = &project.services["a"].labels;
    assert_eq!(labels.len(), 500);
    assert!(labels.values().all(|value| value == "x:\ty"), "{labels:?}");
}

#[test]
fn what_is_legal_and_surely_wrong_is_a_warning() {
    for (files, message) in [
        (
            &[(
                "devenv.yaml",
                "services: {a: {image: x, depends_on: {b: {condition: service_healthy}}}, b: {image: y}}",
            )][..],
            "b has no `healthcheck` here",
        ),
        (
            &[("devenv.yaml", "services: {a: {image: \"x:$TAG\"}}")],
            "The \"TAG\" variable is not set. Defaulting to a blank string.",
        ),
        (
            &[("devenv.yaml", "services: {a: {image: x, ports: [\"80:80\"]}, b: {image: y, ports: [\"80:81\"]}}")],
            "both publish port 80 of the host",
        ),
        (
            &[
                ("compose.yaml", "services: {a: {image: x, ports: [\"80:80\"]}}"),
                ("compose.override.yaml", "services: {a: {ports: [\"8080:80\"]}}"),
            ],
            "adds to the ports of an earlier file",
        ),
        (
            &[("devenv.yaml", "services: {a: {image: x, command: \"a && b\"}}")],
            "no shell runs this, so it ends before `&& b`",
        ),
        (&[("devenv.yaml", "version: \"3\"\nservices: {a: {image: x}}")], "`version` is obsolete"),
    ] {
        let loaded = run(files, |_| {});
        let said: String = loaded.diagnostics.iter().map(ToString::to_string).collect();
        assert!(said.contains(message), "{message:?} in:\n{said}");
        assert!(loaded.project.is_some(), "{said}");
    }
}

#[test]
fn diagnostics_are_json_for_editors() {
    let loaded = run(&[("devenv.yaml", "services:\n  a: {imag: x}\n")], |_| {});
    let json = serde_json::to_value(&loaded.diagnostics).unwrap();
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[0]["code"], "unknown-key");
    assert_eq!(
        (json[0]["line"].as_u64(), json[0]["column"].as_u64(), json[0]["length"].as_u64()),
        (Some(2), Some(7), Some(4))
    );
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for level in 1..9 {
        let before = level - 1;
        bomb.push_str(&format!(
            "x{level}: &x{level} [*x{before}, *x{before}, *x{before}, *x{before}, *x{before}, *x{before}, *x{before}]\n"
        ));
    }
    assert!(complaints(&[("devenv.yaml", &bomb)]).contains("expand to too many values"));
    // Found by fuzzing: each line doubles the value.
    let doubling = format!("A=0123456789\n{}", "B=$B$B$A\n".repeat(40));
    let services = ("devenv.yaml", "services: {a: {image: x}}\n");
    assert!(complaints(&[services, (".env", &doubling)]).contains("becomes too long"));
    let many: String = (0..200).map(|n| format!("V{n}=$B\n")).collect();
    let many = format!("{}{many}", "B=0123456789abcdef$B$B\n".repeat(12));
    assert!(complaints(&[services, (".env", &many)]).contains("make them too long"));
    // Each text within its bound, and all of them together not.
    let texts = format!("services: {{a: {{image: x}}}}\nx-a:\n{}", "  - $LONG\n".repeat(600));
    let long = format!("LONG={}\n", "0123456789abcdef".repeat(4096));
    let said = complaints(&[("devenv.yaml", &texts), (".env", &long)]);
    assert!(said.contains("make the manifest too long"), "{said}");
    let deep = format!("x-a: {}{}\n", "[".repeat(200), "]".repeat(200));
    assert!(complaints(&[("devenv.yaml", &deep)]).contains("levels deep"));
}

/// All that is said of one `devenv.yaml`.
fn said(text: &str) -> String {
    complaints(&[("devenv.yaml", text)])
}

#[test]
fn services_at_the_top_level_are_told_once() {
    let text = said("api:\n  image: x\nweb:\n  build: .\n  ports: [\"80\"]\n");
    assert!(text.contains("`api` and `web` are services, and stand at the top level"), "{text}");
    assert!(text.contains("put them under `services:`") && text.matches("error:").count() == 1, "{text}");
}

#[test]
fn keys_beside_what_they_belong_under_are_told_once() {
    let text = said("services:\n  a:\n    build:\n    context: .\n    dockerfile: D\n    image: x\n");
    let expected = "services.a.build is empty: `context` and `dockerfile` beside it belong under it";
    assert!(text.contains(expected) && text.contains(":3:5"), "{text}");
    assert_eq!(text.matches("error:").count(), 1, "{text}");
}

#[test]
fn an_override_alone_is_told_once() {
    let text = said("services:\n  a:\n    ports: [\"80\"]\n  b:\n    environment: {A: b}\n");
    assert!(text.contains("no service in devenv.yaml has an image or a build"), "{text}");
    assert_eq!(text.matches("error:").count(), 1, "{text}");
    let text = said("services: {a: {image: x}, b: {}}");
    assert!(text.contains("services.b has neither an image nor a build"), "{text}");
}

#[test]
fn keys_of_other_tools_lead_to_the_right_ones() {
    for (service, key) in [
        ("image: x, net: host", "network_mode"),
        ("base: x", "image"),
        ("build: {file: D}", "dockerfile"),
        ("image: x, dockerfile: D", "build.dockerfile"),
        ("image: x, env: {A: b}", "environment"),
    ] {
        let text = said(&format!("services: {{a: {{{service}}}}}"));
        assert!(text.contains(&format!("did you mean `{key}`?")), "{service}: {text}");
    }
}

#[test]
fn a_blank_variable_is_named_as_the_cause() {
    let manifest = "\
services:
  a:
    image: x
    ports: [\"80:${P}\"]
    volumes: [\"${V}:/x\"]
    mem_limit: \"${M}\"
    container_name: \"${EMPTY}\"
    cpus: \"${C}\"
    environment: {A: \"${E}\"}
";
    let text = said(manifest);
    for help in
        ["P is not set: set it", "V is not set: set it", "M is not set: set it", "EMPTY is empty: set it", "C is not"]
    {
        assert!(text.contains(help), "{help} in\n{text}");
    }
    // What an error has named is not warned of besides.
    assert_eq!(text.matches("warning:").count(), 1, "{text}");
    assert!(text.contains("The \"E\" variable is not set"), "{text}");
}

#[test]
fn a_missing_required_variable_is_told_once_with_its_places() {
    let manifest =
        "services:\n  a:\n    image: x:${T?}\n    environment: {A: \"${T:?set T}\"}\n  b:\n    image: x:${T?}\n";
    let text = said(manifest);
    assert_eq!(text.matches("error:").count(), 1, "{text}");
    assert!(text.contains("it is needed at /p/devenv.yaml:4:22, /p/devenv.yaml:6:12 too"), "{text}");
}

#[test]
fn hints_name_the_files_that_are_read() {
    let files = [("devenv.yaml", "services: {a: {image: \"x:${T}\"}}"), ("prod.env", "A=1"), (".env", "B=1")];
    let text = |change: &dyn Fn(&mut LoadOptions)| -> String {
        run(&files, |options| change(options)).diagnostics.iter().map(ToString::to_string).collect()
    };
    assert!(text(&|_| {}).contains("set it in the shell or in `.env`, or give"));
    let named = text(&|options| options.env_files = vec!["prod.env".into()]);
    assert!(named.contains("set it in the shell or in `prod.env`, or give"), "{named}");
    let off = text(&|options| {
        options.environment.insert("COMPOSE_DISABLE_ENV_FILE".to_owned(), "1".to_owned());
    });
    assert!(off.contains("set it in the shell, or give"), "{off}");
}

#[test]
fn platforms_are_named() {
    let text = said("services: {a: {image: x, platform: linux/amd64, build: {context: ., platforms: [linux/arm64]}}}");
    assert!(text.contains("`build.platforms` has linux/arm64, and not linux/amd64"), "{text}");
}

#[test]
fn only_what_is_used_is_checked() {
    let files = [(
        "devenv.yaml",
        "services:\n  a: {image: x, env_file: none.env, container_name: same}\n  b: {image: x, container_name: same}\n  \
         c: {image: x, depends_on: [b]}\n  d: {image: \"Not/An image\", restart: allways}\n",
    )];
    let errors = |change: &dyn Fn(&mut LoadOptions)| {
        let loaded = run(&files, |options| change(options));
        let text: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        (loaded.project.is_some(), text.concat())
    };
    assert!(errors(&|options| options.purpose = Purpose::Names).0);
    let (ok, text) = errors(&|_| {});
    assert!(!ok && text.contains("none.env") && text.contains("\"same\" is taken by a"), "{text}");
    let (ok, text) = errors(&|options| {
        options.purpose = Purpose::Run;
        options.targets = vec!["c".to_owned()];
    });
    assert!(ok, "{text}");
    let (ok, text) = errors(&|options| {
        options.purpose = Purpose::Run;
        options.targets = vec!["d".to_owned()];
    });
    assert!(!ok && text.contains("did you mean `always`?") && text.contains("it has a space"), "{text}");
}

#[test]
fn ownership_of_a_mounted_file_is_told_to_be_ignored() {
    let text = said("services: {a: {image: x, secrets: [{source: s, mode: 0400}]}}\nsecrets: {s: {file: ./s}}");
    assert!(text.contains("`uid`, `gid` and `mode` of s are ignored"), "{text}");
    let text = said("services: {a: {image: x, secrets: [{source: s, mode: 0400}]}}\nsecrets: {s: {environment: A}}");
    assert!(!text.contains("ignored"), "{text}");
}

#[test]
fn what_is_written_in_an_old_way_is_told() {
    let text = said("services: {a: {image: x, networks: [n]}}\nnetworks: {n: {external: {name: b}}}");
    assert!(text.contains("warning: networks.n: `external.name` is deprecated"), "{text}");
    let text = complaints(&[("devenv.yaml", "services: {a: {image: x}}"), ("devenv.override.yaml", "services:\n")]);
    assert!(text.contains("services must be a mapping, found nothing"), "{text}");
}

/// What a file defines that cannot be read is not known: nothing is said about names that may be in it.
#[test]
fn a_file_that_cannot_be_read_causes_no_errors_of_others() {
    let base = "services:\n  db:\n    image: x\n  api: {image: x\n    ports: [\n";
    let over = "services:\n  worker: {image: x, depends_on: [db], networks: [back]}\n";
    for base in [base, "services: {db: {image: x}\n", "just a text\n"] {
        let files = [("compose.yaml", base), ("compose.override.yaml", over)];
        let loaded = run(&files, |options| options.targets = vec!["db".to_owned()]);
        let text: String = loaded.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(text.matches("error:").count(), 1, "{text}");
        assert!(text.contains("/p/compose.yaml"), "{text}");
    }
    // An error of another kind hides no name.
    let files = [("compose.yaml", "services: {db: {imag: x}}"), ("compose.override.yaml", over)];
    let loaded = run(&files, |options| options.targets = vec!["dv".to_owned()]);
    let text: String = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert!(text.contains("no such service: dv"), "{text}");
}
