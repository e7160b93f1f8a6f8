//! hob on a terminal, and what may not get to one.

use crate::lab::{Lab, POLL, idle, until};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn exec_gives_the_command_a_terminal() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("a")));
    lab.ok(&["up", "-d"]);
    let mut terminal = lab.terminal(&["exec", "a", "sh"]);
    terminal.types("tty; echo $((40 + 2))\n");
    terminal.shows("/dev/pts/");
    // An engine is told the size once the command runs, so that the first look may be too early.
    until(|| {
        terminal.types("stty size\n");
        std::thread::sleep(POLL);
        if terminal.text().contains("40 120") { Ok(()) } else { Err(terminal.text()) }
    });
    terminal.shows("42");
    // Ctrl-C is the program's, not hob's.
    terminal.types("sleep 7777\n");
    until(|| {
        let found = lab.exec("a", "ps | grep '[s]leep 7777' || true");
        if found.is_empty() { Err(terminal.text()) } else { Ok(()) }
    });
    terminal.types("\x03");
    terminal.types("echo still $((40 + 3)); exit 7\n");
    terminal.shows("still 43");
    assert_eq!(terminal.end(), 7, "{}", terminal.text());
    let mut terminal = lab.terminal(&["exec", "-T", "a", "tty"]);
    assert_eq!(terminal.end(), 1, "{}", terminal.text());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn run_gives_the_command_a_terminal() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("a")));
    let mut terminal = lab.terminal(&["run", "--rm", "a", "sh"]);
    terminal.types("tty; echo $((40 + 2)); exit 7\n");
    terminal.shows("/dev/");
    terminal.shows("42");
    assert_eq!(terminal.end(), 7, "{}", terminal.text());
    assert!(lab.containers().is_empty());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn up_on_a_terminal_waits_for_a_mend_and_restores_the_terminal() {
    let lab = Lab::new();
    lab.dockerfile(
        "Dockerfile",
        "COPY check /\nRUN sh /check\nCMD [\"sh\", \"-c\", \"echo it runs; exec sleep 3600\"]\n",
    );
    lab.write("check", "echo not yet; exit 3\n");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n");
    let mut terminal = lab.terminal(&["up"]);
    terminal.shows("not yet");
    terminal.shows("waiting for a change that mends it");
    lab.write("check", "true\n");
    terminal.shows("it runs");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(terminal.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(terminal.end(), 130, "{}", terminal.text());
    let text = terminal.text();
    let (hidden, shown) = (text.rfind("\x1b[?25l"), text.rfind("\x1b[?25h"));
    assert!(hidden.is_none() || shown > hidden, "the cursor is left hidden:\n{text:?}");
}

/// Sets the title, clears the screen, moves the cursor, and writes with an 8-bit control character.
const NASTY: &str = r"printf '\033]0;owned\007\033[2J\033[31mred\033[0m\033[1A\302\2335mend\n\rover\033]52;c;aGk=\033\\\n'; exec sleep 3600";

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_container_cannot_drive_the_terminal_through_its_log() {
    let lab = Lab::new();
    lab.write("nasty", NASTY);
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    stop_signal: SIGKILL\n    \
         command: sh /nasty\n    volumes: [\"./nasty:/nasty:ro\"]\n",
    );
    let session = lab.start(&["up", "--no-watch"]);
    let line = session.says(0, "red");
    let forbidden = ["\x1b]", "\x1b[2J", "\x1b[1A", "\u{9b}", "\x07", "\r", "\x1b\\"];
    for sequence in forbidden {
        assert!(!line.contains(sequence), "{sequence:?} in {line:?}");
    }
    for args in [&["logs"][..], &["--ansi", "always", "logs"], &["logs", "--no-log-prefix"]] {
        let done = lab.ok(args);
        for sequence in forbidden {
            assert!(!done.out.contains(sequence), "hob {args:?}: {sequence:?} in {:?}", done.out);
        }
        assert!(done.out.contains("red") && done.out.contains("over"), "{:?}", done.out);
    }
    let mut terminal = lab.terminal(&["logs"]);
    assert_eq!(terminal.end(), 0);
    for sequence in ["\x1b]0", "\x1b[2J", "\x1b[1A", "\u{9b}", "\x07", "\x1b]52"] {
        assert!(!terminal.text().contains(sequence), "{sequence:?} in {:?}", terminal.text());
    }
    session.interrupt();
}
