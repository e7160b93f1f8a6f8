//! What git does to the files of a build (many at once, back to what they were, a merge that is given up in the middle) is live in the
//! containers afterwards, as a whole build would have it.

use std::process::Command;

use crate::lab::{Edited, seeds};

/// True where git did it.
fn git(edited: &Edited, arguments: &[&str]) -> bool {
    let mut command = Command::new("git");
    command.current_dir(&edited.lab.dir).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
    command.args(["-c", "commit.gpgsign=false", "-c", "advice.detachedHead=false"]).args(arguments);
    command.output().is_ok_and(|done| done.status.success())
}

fn commit(edited: &mut Edited) {
    git(edited, &["add", "-A", "context"]);
    git(edited, &["commit", "-q", "--allow-empty", "-m", "state"]);
}

/// The branches, each with edits of its own.
const BRANCHES: [&str; 3] = ["one", "two", "three"];

fn operate(edited: &mut Edited) {
    let branch = edited.edits.random().choice(BRANCHES).unwrap();
    let what = edited.edits.random().usize(..6);
    let said = match what {
        0 | 1 => format!("checkout {branch}: {}", git(edited, &["checkout", "-q", "-f", branch])),
        2 => {
            edited.edits.steps(4);
            let stashed = git(edited, &["stash", "-q"]);
            format!("stash: {stashed}, pop: {}", git(edited, &["stash", "pop", "-q"]))
        }
        3 => {
            let merged = git(edited, &["merge", "-q", "--no-edit", branch]) || !git(edited, &["merge", "--abort"]);
            format!("merge {branch}: {merged}")
        }
        4 => {
            let rebased = git(edited, &["rebase", "-q", branch]) || !git(edited, &["rebase", "--abort"]);
            format!("rebase onto {branch}: {rebased}")
        }
        _ => format!("reset: {}", git(edited, &["reset", "-q", "--hard", "HEAD~1"])),
    };
    println!("  {said}");
    edited.edits.log.push(said);
    // What cannot be read, or what the builds need, may have come or gone.
    edited.mend();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_git_does_is_as_a_rebuild() {
    for seed in seeds(1) {
        let mut edited = Edited::new(seed);
        assert!(git(&edited, &["init", "-q", "-b", "main"]), "this test needs git");
        println!("seed {seed}: {:?}", edited.services());
        commit(&mut edited);
        for branch in BRANCHES {
            git(&edited, &["checkout", "-q", "-f", "main"]);
            git(&edited, &["checkout", "-q", "-b", branch]);
            edited.burst();
            commit(&mut edited);
        }
        edited.mend();
        if !edited.is_buildable() {
            println!("  left out: it cannot be built");
            continue;
        }
        let session = edited.keep_hot();
        for _ in 0..4 {
            operate(&mut edited);
            edited.check(Some(&session));
            commit(&mut edited);
        }
        session.interrupt();
        edited.up();
    }
}
