//! What a manifest has run around the start and the stop of a container, and programs that provide a service.

use std::os::unix::fs::PermissionsExt as _;

use crate::lab::{Lab, idle};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn commands_run_after_a_start_and_before_a_stop() {
    let lab = Lab::new();
    let hooks = |after: &str| {
        format!(
            "    user: '1000'\n    volumes: [./shared:/shared]\n    post_start:\n      - command: [sh, -c, 'id -u >>/shared/log; \
             echo $WHO >>/shared/log; {after}']\n        user: root\n        environment: {{WHO: hook}}\n    \
             pre_stop:\n      - {{command: \"sh -c 'echo stopping; echo stop >>/shared/log'\", user: root}}\n"
        )
    };
    lab.write("shared/log", "");
    let log = || std::mem::take(&mut std::fs::read_to_string(lab.dir.join("shared/log")).unwrap()).replace('\n', " ");
    lab.manifest(&format!("services:\n{}{}", idle("a").replace('$', "$$"), hooks("true").replace("$WHO", "$$WHO")));
    lab.ok(&["up", "-d"]);
    assert_eq!(log(), "0 hook ");
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.ok(&["restart", "-t", "0"]);
    assert_eq!(log(), "0 hook stop 0 hook ");
    lab.ok(&["stop", "-t", "0"]);
    lab.ok(&["start"]);
    lab.ok(&["down", "-t", "0"]);
    assert_eq!(log(), "0 hook stop 0 hook stop 0 hook stop ");
    lab.manifest(&format!("services:\n{}{}", idle("a"), hooks("echo no table >&2; exit 3").replace("$WHO", "$$WHO")));
    lab.ends(&["up", "-d"], 22).says(&["a's post_start exited with 3", "no table", "devenv.yaml:"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn commands_run_before_a_start_in_containers_of_their_own() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}    volumes: [data:/data]\n    pre_start:\n      - command: [sh, -c, 'echo one >>/data/log']\n      \
         - {{command: [sh, -c, 'echo two >>/data/log; exit ${{CODE:-0}}']}}\nvolumes: {{data: {{}}}}\n",
        idle("a")
    ));
    lab.ok(&["up", "-d"]).says(&["pre_start"]);
    assert_eq!(lab.exec("a", "cat /data/log"), "one\ntwo");
    assert_eq!(lab.states(), ["a running"], "what ran before is removed");
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.ok(&["stop"]);
    lab.write(".env", "CODE=3\n");
    lab.ends(&["up", "-d"], 22).says(&["a's pre_start exited with 3"]);
    assert!(!lab.states().contains(&"a running".to_owned()), "{:?}", lab.states());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_program_provides_a_service() {
    let lab = Lab::new();
    let bin = lab.outside("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = bin.join("cloud");
    let script = "#!/bin/sh
[ \"$2\" = metadata ] && exit 1
echo \"$@\" >>calls
echo '{\"type\":\"info\",\"message\":\"making it\"}'
echo '{\"type\":\"setenv\",\"message\":\"URL=http://cloud/1\"}'
echo '{\"type\":\"rawsetenv\",\"message\":\"KEY=raw\"}'
[ -e fail ] && echo '{\"type\":\"error\",\"message\":\"no money left\"}'
exit 0
";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut lab = lab;
    lab.env.insert("PATH".into(), format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    lab.manifest(&format!(
        "services:\n  db:\n    provider: {{type: cloud, options: {{size: 2}}}}\n{}    depends_on: [db]\n",
        idle("app")
    ));
    lab.ok(&["up", "-d"]).says(&["making it"]);
    assert_eq!(lab.exec("app", "echo $DB_URL $KEY"), "http://cloud/1 raw");
    assert_eq!(lab.states(), ["app running"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    assert_eq!(lab.ok(&["run", "--rm", "-T", "app", "sh", "-c", "echo $DB_URL"]).out, "http://cloud/1\n");
    lab.ok(&["down", "-t", "0"]);
    let calls = std::fs::read_to_string(lab.dir.join("calls")).unwrap();
    let call = |command: &str| format!("compose --project-name={} {command} --size=2 db", lab.project);
    assert_eq!(calls.lines().next(), Some(call("up").as_str()));
    assert_eq!(calls.lines().last(), Some(call("down").as_str()));
    lab.write("fail", "");
    lab.ends(&["up", "-d"], 22).says(&["db: no money left", "devenv.yaml:"]);
    lab.manifest("services:\n  db: {provider: {type: nimbus-none}}\n");
    lab.ends(&["up", "-d"], 14).says(&["there is no provider nimbus-none"]);
}
