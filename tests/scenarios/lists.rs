//! The commands that only look: `ps`, `ls`, `images`, `volumes`, `port`, `top`, `stats`, `events`.

use std::process::Command;

use serde_json::Value;

use crate::lab::{Done, Lab, engine, idle, run, until};

/// A project with what the lists have columns for.
fn project() -> Lab {
    let lab = Lab::new();
    lab.dockerfile("built/Dockerfile", "CMD [\"sleep\", \"3600\"]\n");
    lab.write(
        "compose.yaml",
        "services:
  a:
    image: hob-test/busybox:1
    command: sleep 3600
    stop_signal: SIGKILL
    labels: {com.example.some-label: 'x,y'}
    ports: ['127.0.0.1::8080', '127.0.0.1::8081/udp']
    expose: ['9000', '9001']
    volumes: ['data:/data', '.:/src']
  b:
    image: hob-test/busybox:1
    command: sh -c 'while true; do sleep 1; done; echo a command that is long'
    stop_signal: SIGKILL
    scale: 2
    healthcheck: {test: [CMD, 'true'], interval: 2s}
    networks: [default, other]
  job:
    image: hob-test/busybox:1
    command: sh -c 'exit 3'
    network_mode: none
  built:
    build: built
    network_mode: none
    stop_signal: SIGKILL
volumes: {data: {}}
networks: {other: {}}
",
    );
    lab.ok(&["up", "-d"]);
    until(|| {
        let states = lab.states().join(",");
        if states.contains("job exited") { Ok(()) } else { Err(states) }
    });
    until(|| {
        let healths = lab.ok(&["ps", "--format", "{{.Health}}", "b"]).out;
        if healths == "healthy\nhealthy\n" { Ok(()) } else { Err(healths) }
    });
    lab
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn ps_has_every_field_in_every_form() {
    let lab = project();
    let json = lab.ok(&["ps", "--format", "json", "a"]).out;
    let row: Value = serde_json::from_str(&json).unwrap();
    for (field, want) in [
        ("Command", "\"sleep 3600\""),
        ("Health", ""),
        ("Image", "hob-test/busybox:1"),
        ("LocalVolumes", "1"),
        ("Name", &format!("{}-a-1", lab.project)),
        ("Networks", &format!("{}_default", lab.project)),
        ("Project", &lab.project),
        ("Size", "0B"),
        ("State", "running"),
    ] {
        assert_eq!(row[field], want, "{field} of {json}");
    }
    let ports = row["Ports"].as_str().unwrap();
    assert!(ports.starts_with("9000-9001/tcp, 127.0.0.1:") && ports.ends_with("->8081/udp"), "{ports}");
    assert_eq!(row["Publishers"].as_array().map(Vec::len), Some(4), "{json}");
    assert!(row["Labels"].as_str().unwrap().contains("com.example.some-label=x,y"), "{json}");
    let created = row["CreatedAt"].as_str().unwrap();
    assert!(created.ends_with(" +0000 UTC") && created.len() == 29, "{created}");

    let template = "{{upper .Service}}{{with .Label \"com.example.some-label\"}}={{.}}{{end}}";
    assert_eq!(lab.ok(&["ps", "--format", template]).out, "A=x,y\nB\nB\nBUILT\n");
    assert_eq!(lab.ok(&["ps", "--format", "{{.Image}}", "built"]).out, format!("{}-built\n", lab.project));
    let table = lab.ok(&["ps", "-a", "--format", "table {{.Service}}\\t{{.ExitCode}}", "job"]).out;
    assert_eq!(table, "SERVICE   EXIT CODE\njob       3\n");
    lab.ends(&["ps", "--format", "{{.Servic}}"], 2)
        .says(&["template:1:3: there is no field .Servic; did you mean .Service?"]);
    lab.ends(&["ps", "--format", "{{if .ID}}"], 2).says(&["template:1:3: this `if` has no end"]);
    assert_eq!(lab.ok(&["-p", &lab.project, "ps", "--services"]).out, "a\nb\nbuilt\n");

    // What `run` made is no container of the service, but for `--all`.
    lab.ok(&["run", "-d", "job", "sleep", "3600"]);
    assert_eq!(lab.ok(&["ps", "-q"]).out.lines().count(), 4);
    assert_eq!(lab.ok(&["ps", "-aq"]).out.lines().count(), 6);
    // A state is looked for among all containers, in every form.
    for args in [&["ps", "--status", "exited", "-q"][..], &["ps", "--filter", "status=exited", "-q"]] {
        assert_eq!(lab.ok(args).out.trim(), lab.containers().iter().find(|c| c.state == "exited").unwrap().id);
    }
    // The manifest no longer has a service.
    let text = std::fs::read_to_string(lab.dir.join("compose.yaml")).unwrap();
    lab.write(
        "compose.yaml",
        &text.replace("  built:\n    build: built\n    network_mode: none\n    stop_signal: SIGKILL\n", ""),
    );
    assert_eq!(lab.ok(&["ps", "--services"]).out, "a\nb\nbuilt\n");
    assert_eq!(lab.ok(&["ps", "--orphans=false", "--services"]).out, "a\nb\n");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn lists_of_images_projects_volumes_ports_and_processes() {
    let lab = project();
    let name = |what: &str| format!("{}{what}", lab.project);
    // images
    let table = lab.ok(&["images"]).out;
    let row = table.lines().find(|line| line.contains("-built-1")).unwrap();
    let cells: Vec<&str> = row.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
    assert_eq!(cells[..3], [&name("-built-1"), &name("-built"), "latest"], "{table}");
    assert_eq!(table.lines().count(), 6, "{table}");
    let rows: Value = serde_json::from_str(&lab.ok(&["images", "--format", "json", "b"]).out).unwrap();
    assert_eq!((rows.as_array().map(Vec::len), &rows[1]["Tag"]), (Some(2), &"1".into()));
    assert_eq!(lab.ok(&["images", "-q"]).out.lines().count(), 2, "each image once");
    // ls
    let filter = format!("name=^{}$", lab.project);
    let file = lab.dir.canonicalize().unwrap().join("compose.yaml");
    let listed = |args: &[&str]| lab.ok(&[&["ls", "--filter", &filter], args].concat()).out;
    let rows: Value = serde_json::from_str(&listed(&["-a", "--format", "json"])).unwrap();
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!((&rows[0]["Name"], &rows[0]["Status"]), (&name("").into(), &"exited(1), running(4)".into()));
    assert_eq!(rows[0]["ConfigFiles"], file.to_str().unwrap());
    assert!(listed(&[]).lines().nth(1).unwrap().contains("  running(4)  "));
    assert_eq!(listed(&["-q"]), name("\n"));
    assert_eq!(lab.ok(&["ls", "--format", "json", "--filter", "name=^no-such-project$"]).out, "[]\n");
    lab.ends(&["ls", "--filter", "status=running"], 2).says(&["name=PATTERN"]);
    // volumes
    assert_eq!(lab.ok(&["volumes"]).out, format!("DRIVER    VOLUME NAME\nlocal     {}\n", name("_data")));
    assert_eq!(lab.ok(&["volumes", "-q", "a"]).out, name("_data\n"));
    assert_eq!(lab.ok(&["volumes", "-q", "b"]).out, "");
    let row: Value = serde_json::from_str(&lab.ok(&["volumes", "--format", "json"]).out).unwrap();
    assert_eq!((&row["Scope"], &row["Size"]), (&"local".into(), &"N/A".into()));
    // port
    let inspected = lab.inspect("a");
    let port = |key: &str| inspected["NetworkSettings"]["Ports"][key][0]["HostPort"].as_str().unwrap().to_owned();
    assert_eq!(lab.ok(&["port", "a", "8080"]).out, format!("127.0.0.1:{}\n", port("8080/tcp")));
    assert_eq!(lab.ok(&["port", "--protocol", "udp", "a", "8081"]).out, format!("127.0.0.1:{}\n", port("8081/udp")));
    lab.ends(&["port", "a", "81"], 1).says(&["no port 81/tcp for container", "8080/tcp"]);
    lab.ends(&["port", "--index", "2", "a", "8080"], 1).says(&["service \"a\" is not running container #2"]);
    lab.ends(&["port", "job", "80"], 1).says(&["service \"job\" is not running", "hob up -d job"]);
    // top
    let table = lab.ok(&["top", "a", "b"]).out;
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!((head[0], head[1], head.last()), ("SERVICE", "#", Some(&"CMD")), "{table}");
    assert!(table.lines().any(|line| line.starts_with("a        1   ") && line.ends_with("sleep 3600")), "{table}");
    assert!(table.lines().any(|line| line.starts_with("b        2   ")), "{table}");
    assert_eq!(lab.ok(&["top", "job"]).out, "", "nothing runs there");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn stats_shows_what_containers_use() {
    let lab = project();
    let table = lab.ok(&["stats", "--no-stream"]).out;
    assert!(table.starts_with("CONTAINER ID   NAME "), "{table}");
    assert_eq!(table.lines().count(), 5, "{table}");
    let json = lab.ok(&["stats", "--no-stream", "--format", "json", "a"]).out;
    let row: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&row["Container"], &row["PIDs"]), (&lab.id("a").into(), &"1".into()), "{json}");
    assert!(row["MemUsage"].as_str().unwrap().contains("iB / ") && row["CPUPerc"].as_str().unwrap().ends_with('%'));
    let stopped = lab.ok(&["stats", "-a", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", "job"]).out;
    assert_eq!(stopped, format!("{}-job-1 0B / 0B\n", lab.project));

    // On a terminal the table is drawn again in its place; what starts meanwhile comes in.
    let mut terminal = lab.terminal(&["stats"]);
    terminal.shows(&format!("{}-b-2", lab.project));
    terminal.shows("\u{1b}[H");
    lab.ok(&["up", "-d", "--scale", "b=3", "b"]);
    terminal.shows(&format!("{}-b-3", lab.project));
    terminal.interrupt();
    assert_eq!(terminal.end(), 130);
    // Elsewhere tables follow each other, until nobody reads any more.
    let done = run(shell(&lab, "stats | head -n 12"), "");
    assert!(done.out.lines().count() == 12 && !done.out.contains('\u{1b}'), "{done}");
    let lines = run(shell(&lab, "stats --format '{{.Name}}' a | head -n 3"), "").out;
    assert_eq!(lines, format!("{}-a-1\n", lab.project).repeat(3));
}

fn shell(lab: &Lab, command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{} {command}", env!("CARGO_BIN_EXE_hob"))]).current_dir(&lab.dir);
    shell.env("HOB_CACHE_DIR", lab.outside("cache")).env("HOB_RUNTIME_DIR", lab.outside("run"));
    shell
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn events_tells_what_happens() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", idle("a"), idle("b")));
    // With what was before they have begun to listen.
    let session = lab.start(&["events", "--since", "1m"]);
    let json = lab.start(&["events", "--since", "1m", "--json", "a"]);
    lab.ok(&["up", "-d"]);
    let id = lab.id("a");
    lab.ok(&["run", "--rm", "a", "true"]);
    lab.ok(&["down"]);
    let line = session.line(0, "the removal", |line| line.contains(" container destroy ") && line.contains(&id));
    assert!(line.ends_with(&format!("(image=hob-test/busybox:1, name={}-a-1)", lab.project)), "{line}");
    assert_eq!(&line[19..20], ".", "{line}");
    let text = json.line(0, "the removal", |line| line.contains("\"destroy\""));
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&event["service"], &event["id"], &event["type"]), (&"a".into(), &id.into(), &"container".into()));
    assert_eq!(event["attributes"].as_object().map(serde_json::Map::len), Some(2), "{text}");
    let lines: Vec<Value> = json.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|event| event["service"] == "a"), "{lines:?}");
    assert_eq!(lines.iter().filter(|event| event["action"] == "create").count(), 1, "none of `run`: {lines:?}");
    session.interrupt();
    json.interrupt();

    // Times are whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let past = lab.ok(&["events", "--json", "--since", "10m", "--until", "0s"]).out;
    let actions: Vec<Value> =
        past.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].clone()).collect();
    assert!(actions.contains(&"create".into()) && actions.contains(&"destroy".into()), "{past}");
    lab.ends(&["events", "--since", "yesterdayish"], 2).says(&["yesterdayish"]);
    // What happened was written long before the reader goes, and nothing more happens.
    let done = run(shell(&lab, "events --since 10m | { head -n 1; sleep 0.5; }"), "");
    assert_eq!(done.out.lines().count(), 1, "{done}");
}

/// What others have reported of Docker Compose.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn reports_of_others_are_no_defects_here() {
    let lab = Lab::new();
    lab.dockerfile("built/Dockerfile", "CMD [\"sleep\", \"3600\"]\n");
    lab.manifest(&format!(
        "services:\n{}    scale: 2\n    ports: ['127.0.0.1::80']\n  again:\n    image: hob-test/busybox:1\n    command: 'false'\n    \
         restart: always\n    network_mode: none\n  built:\n    build: built\n    network_mode: none\n    stop_signal: SIGKILL\n",
        idle("a").replace("    network_mode: none\n", "")
    ));
    lab.hob(&["up", "-d"]);
    // moby/moby#27772: `stats --no-stream` waits for ever for a container that is about to be started again; and the race
    // of `top` with one that ends.
    until(|| {
        let state = lab.container("again").state;
        if state == "restarting" { Ok(()) } else { Err(state) }
    });
    let stats = lab.ok(&["stats", "--no-stream", "--format", "{{.Name}}"]);
    assert!(stats.out.contains("-a-1") && stats.err.is_empty(), "{stats}");
    let top = lab.ok(&["top"]);
    assert!(top.out.contains("sleep 3600") && top.err.is_empty(), "{top}");
    // It runs for a moment each time.
    let shows = |args: &[&str], text: &str| {
        until(|| {
            let out = lab.ok(args).out;
            if out.contains(text) { Ok(()) } else { Err(out) }
        });
    };
    shows(&["ps"], "Restarting (1)");
    // docker/compose#10761: `port` without `--index` where number 1 is gone.
    let first = lab.containers().into_iter().find(|c| c.name.ends_with("-a-1")).unwrap();
    engine::delete(&format!("/containers/{}?force=1", first.id));
    assert!(lab.ok(&["port", "a", "80"]).out.starts_with("127.0.0.1:"));
    lab.ends(&["port", "--index", "1", "a", "80"], 1).says(&["is not running container #1"]);
    // docker/compose#14014: `images` after an image was removed by force, or its name given to another one.
    let image = lab.container("built").image;
    engine::delete(&format!("/images/{}-built?force=1", lab.project));
    engine::delete(&format!("/images/{image}?force=1"));
    let images = lab.ok(&["images", "--format", "json"]);
    let rows: Value = serde_json::from_str(&images.out).unwrap();
    let built = rows.as_array().unwrap().iter().find(|row| row["ContainerName"] == format!("{}-built-1", lab.project));
    assert_eq!(built.map(|row| &row["ID"]), Some(&image.into()), "{images}");
    assert!(lab.ok(&["images"]).out.contains("-built"));
    // docker/compose#8530 and compose-cli#1993: filters count for `-q` and `--services` too.
    shows(&["ps", "--status", "restarting", "--services"], "again\n");
}

/// Everything but times, which differ between two calls, and what only one of the two writes into labels.
#[track_caller]
fn same(hob: &Done, compose: &Done, args: &[&str]) {
    let lines = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text.lines().map(without_times).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&hob.out), lines(&compose.out), "{args:?}\nhob: {hob}\ncompose: {compose}");
    assert_eq!(hob.code == 0, compose.code == 0, "{args:?}\nhob: {hob}\ncompose: {compose}");
}

fn without_times(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    words.retain(|word| {
        !(is_number(word)
            || matches!(*word, "second" | "seconds" | "Less" | "than" | "a" | "About" | "minute" | "minutes"))
    });
    words.join(" ")
}

/// `HOB_COMPOSE` names a Docker Compose program.
#[test]
#[ignore = "needs an engine and HOB_COMPOSE"]
fn lists_are_those_of_docker_compose() {
    let compose = std::env::var_os("HOB_COMPOSE").expect("this test needs Docker Compose: HOB_COMPOSE names it");
    let lab = project();
    lab.ok(&["run", "-d", "job", "sleep", "3600"]);
    let project = ["-p", lab.project.as_str()];
    let filter = format!("name={}", lab.project);
    let templates = [
        "{{.Name}}|{{.Names}}|{{.Command}}|{{.Service}}|{{.State}}|{{.Health}}|{{.ExitCode}}|{{.CreatedAt}}",
        "{{.Ports}}|{{.Publishers}}|{{.LocalVolumes}}|{{.Size}}|{{.Project}}|{{.ID}}|{{.Image}}",
        "{{json .Publishers}}{{range $i, $p := .Publishers}}{{$i}}:{{$p.TargetPort}}/{{.Protocol}} {{end}}",
        "{{.Label \"com.example.some-label\"}}{{if eq .Service \"b\"}}!{{else if .Health}}?{{else}}.{{end}}",
        "{{split .Name \"-\" | len}}{{join (split .Service \"\") \"+\"}}{{title .State}}{{pad .Service 1 2}}{{truncate .Name 3}}",
        "{{printf \"%-10s|%5d|%q\" .Service .ExitCode .State}}{{println .Service}}{{index (split .Name \"-\") 0}}",
        "{{with .Health}}{{.}}{{else}}none{{end}}{{not .ExitCode}}{{and .Health .State}}{{or .Health .State}}",
        "{{- .Name -}} \\t {{- /* nothing */ -}} {{html \"<\"}}{{lt .ExitCode 3}}{{len .Publishers}}",
        "table {{.Name}}\\t{{lower .Service}}\\t{{.Label \"com.example.some-label\"}}\\t{{.State}}",
        "table {{.Service}}{{if eq .Service \"a\"}}\\t{{end}}\\t{{.ID}}",
        "table {{upper .Name}}\\n{{.ID}}\\tx",
    ];
    let mut cases: Vec<Vec<&str>> = vec![
        vec!["ps"],
        vec!["ps", "-a"],
        vec!["ps", "--no-trunc"],
        vec!["ps", "-q"],
        vec!["ps", "-aq"],
        vec!["ps", "--services"],
        vec!["ps", "--services", "-a"],
        vec!["ps", "--status", "exited"],
        vec!["ps", "--filter", "status=running", "b"],
        vec!["ps", "--filter", "wrong=x"],
        vec!["ps", "nothing"],
        vec!["ps", "--format", "{{.Nothing}}"],
        vec!["ps", "--format", "{{.Name"],
        vec!["images"],
        vec!["images", "-q"],
        vec!["images", "nothing"],
        vec!["ls", "--filter", &filter],
        vec!["ls", "-a", "--filter", &filter],
        vec!["ls", "-aq", "--filter", &filter],
        vec!["ls", "-a", "--format", "json", "--filter", &filter],
        vec!["ls", "--filter", "wrong=x"],
        vec!["volumes"],
        vec!["volumes", "-q"],
        vec!["volumes", "a"],
        vec!["volumes", "b"],
        vec!["volumes", "nothing"],
        vec!["volumes", "--format", "table {{.Name}}\\t{{.Mountpoint}}\\t{{.Size}}\\t{{.Scope}}"],
        vec!["port", "a", "8080"],
        vec!["port", "--protocol", "udp", "a", "8081"],
        vec!["port", "a", "9000"],
        vec!["port", "a", "1"],
        vec!["port", "--index", "7", "b", "1"],
        vec!["port", "job", "1"],
        vec!["port", "a", "x"],
        vec!["top", "a"],
        vec!["top", "job"],
    ];
    cases.extend(templates.iter().map(|template| vec!["ps", "-a", "--format", template]));
    for args in &cases {
        for by_name in [false, true] {
            // By its name alone a project has no services that it could lack.
            if by_name && args.contains(&"nothing") {
                continue;
            }
            let args = if by_name { [&project, args.as_slice()].concat() } else { args.clone() };
            let mut other = Command::new(&compose);
            other.args(&args).current_dir(&lab.dir);
            same(&lab.hob(&args), &run(other, ""), &args);
        }
    }
}
