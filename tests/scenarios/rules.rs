//! Rules of `develop.watch`, as Docker Compose follows them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::lab::{Lab, until};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn rules_give_files_to_the_user_and_leave_alone_what_is_mounted() {
    let lab = Lab::new();
    lab.dockerfile("api/Dockerfile", "COPY run /srv/run\nUSER 1000:1001\nCMD [\"sh\", \"/srv/run\"]\n");
    lab.write("api/run", "exec sleep 3600\n");
    for path in ["out/f", "seen/f"] {
        lab.write(path, "one\n");
    }
    lab.manifest(
        "services:
  api:
    build: ./api
    network_mode: none
    stop_signal: SIGKILL
    volumes: [\"./seen:/seen\"]
    develop:
      watch:
        - {action: sync, path: out, target: /out}
        - {action: sync, path: seen, target: /seen}
",
    );
    let session = lab.start(&["--progress", "json", "up"]);
    session.event(0, "watching", |_| true);
    let unfollowed = |e: &&serde_json::Value| {
        let text = "seen is not synced: a bind mount of api shows it to the container already";
        e["type"] == "warning" && e.to_string().contains(text)
    };
    assert_eq!(session.events().iter().filter(unfollowed).count(), 1);
    let before = (lab.id("api"), lab.started("api"));
    let reads = |command: &str, want: &str| {
        until(|| {
            let found = lab.exec("api", &format!("{command} 2>&1 || true"));
            if found == want { Ok(()) } else { Err(found) }
        });
    };

    let of_seen = || fs::metadata(lab.dir.join("seen/f")).map(|m| (m.ino(), m.uid(), m.mode())).unwrap();
    let seen = of_seen();
    fs::write(lab.dir.join("seen/f"), "two\n").unwrap();
    lab.write("out/f", "two\n");
    reads("cat /out/f; stat -c %u:%g /out/f", "two\n1000:1001");
    assert_eq!(of_seen(), seen);

    // A file that becomes a folder, and back.
    fs::remove_file(lab.dir.join("out/f")).unwrap();
    lab.write("out/f/inner", "deep\n");
    reads("cat /out/f/inner; stat -c %u:%g /out/f /out/f/inner", "deep\n1000:1001\n1000:1001");
    fs::remove_dir_all(lab.dir.join("out/f")).unwrap();
    lab.write("out/f", "three\n");
    reads("cat /out/f", "three");
    assert_eq!((lab.id("api"), lab.started("api")), before);
    assert_eq!(session.events().iter().filter(unfollowed).count(), 1);
    session.interrupt();
}
