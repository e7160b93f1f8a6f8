//! Keys of `build:` that reach beyond the image.

use crate::lab::{Lab, engine, until};

fn has_containerd_images() -> bool {
    engine::get("/info")["DriverStatus"].to_string().contains("containerd")
}

/// The builder's records of the steps whose description has a text.
fn steps(text: &str) -> Vec<String> {
    // Only of the builder: an engine that sums up its images too fails when one of them goes meanwhile.
    let usage = engine::get("/system/df?type=build-cache");
    let records = usage["BuildCache"].as_array().map_or(&[][..], Vec::as_slice);
    let named = |record: &&serde_json::Value| record["Description"].to_string().contains(text);
    records.iter().filter(named).map(|one| one["ID"].as_str().unwrap().to_owned()).collect()
}

/// Makes the builder forget the steps whose description has a text.
fn forget(text: &str) {
    assert!(!steps(text).is_empty(), "the builder knows no step with {text}");
    // A step of an image that was just removed is held a little longer.
    until(|| {
        for id in steps(text) {
            let filters = engine::escaped(&serde_json::json!({ "id": [id] }).to_string());
            engine::request("POST", &format!("/build/prune?all=1&filters={filters}"), "").unwrap();
        }
        let left = steps(text);
        if left.is_empty() { Ok(()) } else { Err(format!("the builder still has {left:?}")) }
    });
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_cache_in_a_folder_is_written_and_taken_from() {
    let lab = Lab::new();
    // A base of its own: a builder that works on one step for two builds leaves it out of the cache of one of them.
    let base = format!("{}-base", lab.project);
    let step = format!("RUN echo {} >/mark; cat /proc/sys/kernel/random/uuid >/id\n", lab.project);
    lab.dockerfile("base.Dockerfile", "");
    lab.write("Dockerfile", &format!("FROM {base}\nLABEL test={}\n{step}", lab.project));
    let manifest = |keys: &str| {
        lab.manifest(&format!(
            "services:\n  a:\n    build:\n      context: .\n{keys}    network_mode: none\n  \
             base:\n    image: {base}\n    build: {{dockerfile: base.Dockerfile}}\n    profiles: [never]\n"
        ));
    };
    manifest("      cache_to: ['type=local,dest=cache']\n");
    lab.ok(&["build", "base"]);
    if !has_containerd_images() {
        lab.ends(&["build"], 17).says(&["devenv.yaml:5:18", "type=local,dest=cache", "containerd image store"]);
        manifest("      cache_from: ['type=local,src=cache']\n");
        lab.ok(&["build"]).says(&["nothing is taken from the cache in cache"]);
        return;
    }
    let id = || lab.ok(&["run", "--rm", "-T", "a", "cat", "/id"]).out.trim().to_owned();
    let forget_image = || {
        let all = engine::labelled("images/json", &[&format!("test={}", lab.project)]);
        for image in all.as_array().unwrap().iter().filter(|image| !image["RepoTags"].to_string().contains(&base)) {
            engine::delete(&format!("/images/{}?force=1", image["Id"].as_str().unwrap()));
        }
        forget(&lab.project);
    };
    lab.ok(&["build"]);
    let first = id();
    assert!(lab.dir.join("cache/index.json").exists());

    forget_image();
    manifest("");
    lab.ok(&["build"]);
    assert_ne!(id(), first, "nothing but the folder has it");

    forget_image();
    manifest("      cache_from: ['type=local,src=cache']\n");
    let built = lab.ok(&["build"]);
    assert_eq!(id(), first, "the step was run again: {built}");
}
