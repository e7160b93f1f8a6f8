//! Links that a program makes inside of what was copied: a save goes through none of them.

use std::fs;

use crate::lab::Lab;

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_save_goes_through_no_link_that_the_program_made() {
    let lab = Lab::new();
    let start = "rm -rf /app/src/uploads; ln -s /data /app/src/uploads; \
        [ -e /data/made ] || { echo theirs > /data/avatar.png; touch /data/made; }; echo up; exec sleep 3600";
    lab.dockerfile("api/Dockerfile", &format!("COPY . /app\nCMD [\"sh\", \"-c\", \"{start}\"]\n"));
    lab.write("api/src/uploads/avatar.png", "one\n");
    lab.write("api/src/text", "one\n");
    lab.manifest(
        "services:\n  api:\n    build: ./api\n    network_mode: none\n    stop_signal: SIGKILL\n    volumes: [data:/data]\n\
         volumes: {data: {}}\n",
    );
    let session = lab.start(&["--progress", "json", "up", "--watch"]);
    session.event(0, "watching", |_| true);
    session.log(0, "api", "up");
    let id = lab.id("api");

    // Beside it a save is synced.
    let from = session.mark();
    lab.write("api/src/text", "two\n");
    assert_eq!(session.reloaded(from, "api")["action"]["text"], "synced + restarted");
    session.log(from, "api", "up");
    assert_eq!(lab.id("api"), id);

    // What the link leads to is the program's own; the image gets the file instead.
    let edits: [&dyn Fn(); 2] = [&|| lab.write("api/src/uploads/avatar.png", "mine\n"), &|| {
        fs::remove_file(lab.dir.join("api/src/uploads/avatar.png")).unwrap();
    }];
    for edit in edits {
        let from = session.mark();
        edit();
        let event = session.reloaded(from, "api");
        assert_eq!(event["action"]["text"], "rebuilt + recreated", "{event}");
        assert!(event["reason"]["text"].as_str().unwrap().contains("reached through a symbolic link"), "{event}");
        session.log(from, "api", "up");
        assert_eq!(lab.exec("api", "cat /data/avatar.png; cat /app/src/text"), "theirs\ntwo");
    }
    session.interrupt();
}
