//! Builds from nothing what hob keeps hot: by the program of `docker buildx` that `HOB_BUILDX` names, which shares
//! nothing with hob; without one by `hob build` in a project of its own.
//!
//! A label that no other build has, right after each `FROM`, keeps every step from coming from a cache. `--no-cache` would
//! do the same, and BuildKit before 0.12 may take the whole engine down with it when the same steps are built elsewhere
//! at the same time (moby/buildkit#2303).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lab::{Lab, engine};

/// Builds the lab's `context`, and gives the image; `None` where it cannot be built.
pub fn build(lab: &Lab, dockerfile: &str) -> Option<String> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}-judge{}", lab.project, COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = lab.outside(&name);
    fs::create_dir(&folder).unwrap();
    let text = fs::read_to_string(lab.dir.join(dockerfile)).unwrap();
    let label = |line: &str| {
        if line.starts_with("FROM ") { format!("{line}\nLABEL judge={name}\n") } else { format!("{line}\n") }
    };
    fs::write(folder.join("Dockerfile"), text.lines().map(label).collect::<String>()).unwrap();
    // A copy under a new name: of a folder of the same name buildx would send only files whose size or time differs, and that
    // misses two files of one size and one tick of the clock that changed places.
    let context = folder.join(&name);
    let copied = Command::new("cp").arg("-a").arg(lab.dir.join("context")).arg(&context).status();
    assert!(copied.is_ok_and(|status| status.success()), "the context can be copied");
    let built = match std::env::var_os("HOB_BUILDX") {
        Some(buildx) => {
            let mut command = Command::new(buildx);
            command.args(["build", "--load", "-q", "-f"]).arg(folder.join("Dockerfile")).arg(&context);
            let done = command.output().expect("HOB_BUILDX runs");
            let image = String::from_utf8_lossy(&done.stdout).trim().to_owned();
            if done.status.success() { Ok(image) } else { Err(done.stderr) }
        }
        None => by_hob(lab, &folder, &name),
    };
    let _ = fs::remove_dir_all(folder);
    built.map_err(|why| println!("cannot be built: {}", String::from_utf8_lossy(&why))).ok()
}

fn by_hob(lab: &Lab, folder: &Path, name: &str) -> Result<String, Vec<u8>> {
    let manifest = format!(
        "name: {name}\nservices:\n  judge:\n    image: {name}\n    build: {{context: {name}, dockerfile: ../Dockerfile}}\n"
    );
    fs::write(folder.join("devenv.yaml"), manifest).unwrap();
    let done = lab.command(&["build"]).current_dir(folder).output().unwrap();
    if !done.status.success() {
        return Err(done.stderr);
    }
    Ok(engine::get(&format!("/images/{name}/json"))["Id"].as_str().expect("it was built").to_owned())
}
