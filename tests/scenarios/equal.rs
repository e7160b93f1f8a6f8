//! However files are edited, a hot container is as one that was built anew.

use std::fs;
use std::path::Path;

use crate::lab::{Edited, Lab, seeds, until};

/// Bursts of one case.
const BURSTS: usize = 2;

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_hot_container_has_the_files_of_a_rebuild() {
    for seed in seeds(2) {
        let mut edited = Edited::new(seed);
        println!("seed {seed}: {:?}", edited.services());
        let session = edited.keep_hot();
        for _ in 0..BURSTS {
            edited.burst();
            edited.check(Some(&session));
        }
        session.interrupt();
        // What was synced is in no image: the next `up` has to see to that.
        edited.up();
    }
}

/// As a switch of branches does it: each file is removed and made again, some come and some go.
fn switch(context: &Path, files: usize, branch: usize) {
    for number in 0..files {
        let path = context.join(format!("src/{}/{number}", number % 100));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        if number % 50 != branch {
            fs::write(path, format!("{branch} {number}\n")).unwrap();
        }
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_switch_of_branches_ends_with_the_files_of_the_last() {
    let lab = Lab::new();
    let files = std::env::var("HOB_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let service = |name: &str, reload: &str| {
        format!(
            "  {name}:\n    build: {{context: context, dockerfile: ../{name}.Dockerfile}}\n    command: sleep 3600\n    \
             stop_signal: SIGKILL\n    network_mode: none\n    reload: {reload}\n"
        )
    };
    for (name, text) in [("one", "COPY src /src\n"), ("two", "COPY . /all\n"), ("other", "COPY lib /lib2\n")] {
        lab.dockerfile(&format!("{name}.Dockerfile"), text);
    }
    let context = lab.dir.join("context");
    lab.write("context/lib/a", "a\n");
    switch(&context, files, 0);
    lab.manifest(&format!(
        "services:\n{}{}{}",
        service("one", "restart"),
        service("two", "none"),
        service("other", "restart")
    ));
    let session = lab.start(&["--progress", "json", "up"]);
    session.event(0, "watching", |_| true);
    switch(&context, files, 1);
    for service in ["one", "two"] {
        let count = "find / -xdev -path '/[sa]*' -type f -path '*/[0-9]*/[0-9]*' | wc -l";
        let stale = "grep -rL '^1 ' /src /all 2>/dev/null | grep -c '/[0-9]*/[0-9]*$' || true";
        until(|| {
            let found = (lab.exec(service, count), lab.exec(service, stale).lines().next().map(str::to_owned));
            let wanted = ((files - files / 50).to_string(), Some("0".to_owned()));
            if found == wanted { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }
    let actions = |service: &str| {
        let events = session.events();
        let mine = events.iter().filter(|e| e["type"] == "reloaded" && e["service"] == service);
        mine.map(|event| format!("{} {}", event["action"]["text"], event["timings"])).collect::<Vec<_>>()
    };
    println!("one: {:?}, two: {:?}", actions("one"), actions("two"));
    assert!(actions("other").is_empty(), "{:?}", actions("other"));
    session.interrupt();
}
