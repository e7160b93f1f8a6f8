//! What the supervisor does with its command.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::harness::{Supervised, agent, exists, is_alive, is_root, need_isolation};

const TERM: u8 = 15;
const USR1: u8 = 10;
const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn the_exit_code_and_the_words_are_those_of_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad");
    std::fs::write(&bad, "garbage").unwrap();
    let plain = bad.display().to_string();
    let executable = folder.path().join("executable").display().to_string();
    std::fs::copy(&bad, &executable).unwrap();
    std::fs::set_permissions(&executable, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["true"], 0, ""),
        (&["sh", "-c", "exit 7"], 7, ""),
        (&["sh", "-c", "kill -TERM $$"], 143, ""),
        (&["sh", "-c", "kill -KILL $$"], 137, ""),
        (&["no-such-program"], 127, "exec: \"no-such-program\": executable file not found in $PATH\n"),
        (&["/no/such"], 127, "exec: \"/no/such\": stat /no/such: no such file or directory\n"),
        (&["./no-such"], 127, "exec: \"./no-such\": stat ./no-such: no such file or directory\n"),
        (&["/etc"], 126, "exec: \"/etc\": permission denied\n"),
        (&[""], 127, "exec: \"\": executable file not found in $PATH\n"),
        (&[&plain], 126, &format!("exec: \"{plain}\": permission denied\n")),
        (&[&executable], 255, &format!("exec {executable}: exec format error\n")),
    ];
    for (command, code, words) in cases {
        let output = Command::new(agent()).args(["run", "--"]).args(*command).output().await.unwrap();
        assert_eq!(output.status.code(), Some(*code), "{command:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), *words, "{command:?}");
    }
}

#[tokio::test]
async fn the_command_finds_what_it_would_find_without_an_agent() {
    let folder = tempfile::tempdir().unwrap();
    let script = "env; pwd; umask; ulimit -n; ls /proc/self/fd; grep -e SigBlk -e SigPnd /proc/self/status";
    let output = async |program: &std::ffi::OsStr, before: &[&str], script: &str| {
        let mut command = Command::new(program);
        command.args(before).args(["sh", "-c", script]).env_clear().env("PATH", std::env::var("PATH").unwrap());
        command.env("ODD", "a\nb=c").current_dir(&folder).stdin(Stdio::null());
        String::from_utf8(command.output().await.unwrap().stdout).unwrap()
    };
    let with = output(agent().as_os_str(), &["run", "--"], script).await;
    let without = output("env".as_ref(), &[], script).await;
    assert!(with.contains("ODD=a\nb=c\n"), "{with}");
    assert_eq!(with, without);
    let session = output(agent().as_os_str(), &["run", "--"], "ps -o sid= -p $$; echo $$").await;
    let numbers: Vec<&str> = session.split_whitespace().collect();
    assert_eq!(numbers[0], numbers[1], "the command leads a session of its own");
}

#[tokio::test]
async fn every_signal_is_forwarded() {
    // A shell misses a signal that comes just before it waits, until the wait is over: so that is soon.
    let script = "for s in HUP INT QUIT USR1 USR2 WINCH CONT; do trap \"echo $s\" $s; done; \
                  trap 'echo TERM; exit 42' TERM; echo ready; while :; do sleep 0.1 & wait $!; done";
    // What was ignored when a shell began (`nohup`, a job in the background) it cannot trap.
    let mut supervised = Supervised::start(&["env", "--default-signal", "sh", "-c", script], |_| {});
    assert_eq!(supervised.line().await, "ready");
    for (number, name) in [(1, "HUP"), (2, "INT"), (3, "QUIT"), (10, "USR1"), (12, "USR2"), (28, "WINCH"), (18, "CONT")]
    {
        supervised.signal(number);
        assert_eq!(supervised.line().await, name);
    }
    supervised.signal(15);
    assert_eq!(supervised.line().await, "TERM");
    assert_eq!(supervised.code().await, 42);
}

#[tokio::test]
async fn a_restart_gives_a_new_process_with_the_same_surroundings() {
    need_isolation();
    let folder = tempfile::tempdir().unwrap();
    let mut supervised = Supervised::start(&["sh", "-c", "echo $$ $MARK $PWD; exec sleep 600"], |start| {
        start.env("MARK", "here").current_dir(&folder);
    });
    let first = supervised.line().await;
    let (client, _serve) = supervised.client().await;
    let mut before = first;
    for count in 1..=5 {
        let restarted = client.restart(TERM, LONG).await.unwrap();
        let after = supervised.line().await;
        let pid = |line: &str| line.split(' ').next().unwrap().parse::<u32>().unwrap();
        assert_eq!((restarted.old, restarted.new), (Some(pid(&before)), pid(&after)));
        assert!(!restarted.killed && restarted.stopped <= restarted.started);
        assert_eq!(before.split_once(' ').unwrap().1, after.split_once(' ').unwrap().1);
        assert!(!exists(pid(&before)), "the old process was waited for");
        let status = client.status().await.unwrap();
        assert_eq!((status.pid, status.restarts), (pid(&after), count));
        before = after;
    }
    supervised.signal(15);
    assert_eq!(supervised.code().await, 143);
}

#[tokio::test]
async fn a_restart_leaves_nothing_of_the_old_command_behind() {
    need_isolation();
    // A child in the command's session, one with a session of its own, and one whose parent is gone.
    let script = "sleep 600 & echo $!; setsid sh -c 'echo $$; exec sleep 600' & \
                  sh -c 'sleep 600 & echo $!'; echo end; exec sleep 600";
    let mut supervised = Supervised::shell(script);
    let mut children = Vec::new();
    loop {
        match supervised.line().await.as_str() {
            "end" => break,
            line => children.push(line.parse::<u32>().unwrap()),
        }
    }
    while children.len() < 3 {
        children.push(supervised.number().await);
    }
    assert!(children.iter().all(|pid| exists(*pid)), "{children:?}");
    let (client, _serve) = supervised.client().await;
    client.restart(TERM, LONG).await.unwrap();
    assert!(!children.iter().any(|pid| is_alive(*pid)), "killed: {children:?}");
}

#[tokio::test]
async fn what_does_not_stop_is_killed_when_the_grace_is_over() {
    need_isolation();
    let mut supervised = Supervised::shell("trap '' TERM; echo ready; while :; do sleep 600; done");
    assert_eq!(supervised.line().await, "ready");
    let (client, _serve) = supervised.client().await;
    let restarted = client.restart(TERM, Duration::from_millis(1)).await.unwrap();
    assert!(restarted.killed);
    assert_eq!(supervised.line().await, "ready");
}

#[tokio::test]
async fn a_stop_from_outside_wins_over_a_restart() {
    need_isolation();
    // It says when it was asked to restart, and stays until it is told to end.
    let script = "trap 'echo asked' USR1; trap 'exit 3' TERM; echo ready; while :; do sleep 0.1 & wait $!; done";
    let mut supervised = Supervised::shell(script);
    assert_eq!(supervised.line().await, "ready");
    let (client, _serve) = supervised.client().await;
    let restart = tokio::spawn({
        let client = client.clone();
        async move { client.restart(USR1, LONG).await }
    });
    assert_eq!(supervised.line().await, "asked");
    supervised.signal(15);
    assert_eq!(supervised.code().await, 3);
    assert!(restart.await.unwrap().is_err(), "the restart did not happen and says so");
}

#[tokio::test]
async fn requests_for_a_restart_that_is_under_way_join_it() {
    need_isolation();
    let mut supervised = Supervised::shell("trap 'echo asked' USR1; echo ready; while :; do sleep 0.1 & wait $!; done");
    assert_eq!(supervised.line().await, "ready");
    let (client, _serve) = supervised.client().await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.restart(USR1, LONG).await.unwrap() }
    });
    assert_eq!(supervised.line().await, "asked");
    let (second, pid) = tokio::join!(client.restart(USR1, LONG), async {
        let pid = client.status().await.unwrap().pid;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        pid
    });
    let (first, second) = (first.await.unwrap(), second.unwrap());
    assert_eq!((first.old, first.new), (Some(pid), second.new));
    assert_eq!(supervised.line().await, "ready");
    assert_eq!(client.status().await.unwrap().restarts, 1);
}

#[tokio::test]
async fn a_command_that_cannot_be_started_again_ends_the_supervisor() {
    need_isolation();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::os::unix::fs::symlink("/bin/sh", &program).unwrap();
    let path = program.display().to_string();
    let mut supervised = Supervised::start(&[&path, "-c", "echo ready; exec sleep 600"], |_| {});
    assert_eq!(supervised.line().await, "ready");
    let (client, _serve) = supervised.client().await;
    std::fs::remove_file(&program).unwrap();
    let error = client.restart(TERM, LONG).await.unwrap_err();
    assert_eq!(error.to_string(), format!("exec: \"{path}\": stat {path}: no such file or directory"));
    assert_eq!(supervised.code().await, 127);
}

#[tokio::test]
async fn the_first_process_waits_for_orphans_and_ends_with_the_command() {
    need_isolation();
    // In the pid namespace of its own the agent is process 1. The orphan ends by itself, and is gone when the
    // command, whose own child it is not, looks for it: the pipe says that it has ended, the loop that it was reaped.
    let script = "sh -c 'sh -c \"echo \\$\\$; exec 1>&-; read line\" & ' ; read line; echo $PPID";
    let mut supervised = Supervised::start(&["sh", "-c", script], |start| {
        *start = Command::new("unshare");
        start
            .args([if is_root() { "-mpf" } else { "-rmpf" }, "--mount-proc", "--kill-child", "--"])
            .arg(agent())
            .args(["run", "--", "sh", "-c", script]);
        start.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    });
    assert!(supervised.number().await > 1);
    drop(supervised.stdin.take());
    assert_eq!(supervised.number().await, 1);
    assert_eq!(supervised.code().await, 0);
}
