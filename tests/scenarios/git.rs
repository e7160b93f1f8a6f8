//! What git does to the files of a build (many at once, back to what they were, a merge that is given up in the middle) is live in the
//! containers afterwards, as a whole build would have it.

use std::process::Command;

use crate::world::{World, seeds};

/// True where git did it.
fn git(world: &World, arguments: &[&str]) -> bool {
    let mut command = Command::new("git");
    command.current_dir(&world.lab.dir).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
    command.args(["-c", "commit.gpgsign=false", "-c", "advice.detachedHead=false"]).args(arguments);
    command.output().is_ok_and(|done| done.status.success())
}

fn commit(world: &mut World) {
    git(world, &["add", "-A", "context"]);
    git(world, &["commit", "-q", "--allow-empty", "-m", "state"]);
}

/// The branches, each with edits of its own.
const BRANCHES: [&str; 3] = ["one", "two", "three"];

fn operate(world: &mut World) {
    let branch = world.edits.random().choice(BRANCHES).unwrap();
    let what = world.edits.random().usize(..6);
    let said = match what {
        0 | 1 => format!("checkout {branch}: {}", git(world, &["checkout", "-q", "-f", branch])),
        2 => {
            world.edits.steps(4);
            let stashed = git(world, &["stash", "-q"]);
            format!("stash: {stashed}, pop: {}", git(world, &["stash", "pop", "-q"]))
        }
        3 => {
            let merged = git(world, &["merge", "-q", "--no-edit", branch]) || !git(world, &["merge", "--abort"]);
            format!("merge {branch}: {merged}")
        }
        4 => {
            let rebased = git(world, &["rebase", "-q", branch]) || !git(world, &["rebase", "--abort"]);
            format!("rebase onto {branch}: {rebased}")
        }
        _ => format!("reset: {}", git(world, &["reset", "-q", "--hard", "HEAD~1"])),
    };
    println!("  {said}");
    world.edits.log.push(said);
    // What cannot be read, or what the builds need, may have come or gone.
    world.mend();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_git_does_is_as_a_rebuild() {
    for seed in seeds(1) {
        let mut world = World::new(seed);
        assert!(git(&world, &["init", "-q", "-b", "main"]), "this test needs git");
        println!("seed {seed}: {:?}", world.services());
        commit(&mut world);
        for branch in BRANCHES {
            git(&world, &["checkout", "-q", "-f", "main"]);
            git(&world, &["checkout", "-q", "-b", branch]);
            world.burst();
            commit(&mut world);
        }
        world.mend();
        if !world.is_buildable() {
            println!("  left out: it cannot be built");
            continue;
        }
        let session = world.start();
        for _ in 0..4 {
            operate(&mut world);
            world.check(Some(&session));
            commit(&mut world);
        }
        session.interrupt();
        world.up();
    }
}
