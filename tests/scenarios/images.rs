//! Images: whose they are, who else has them, and what is left of them.

use nix::sys::signal::Signal;

use crate::lab::{Lab, engine};

const KEYS: &str = "    command: sleep 3600\n    stop_signal: SIGKILL\n    network_mode: none\n";

/// All names of the images that this project's builds made, and the ids of those without any.
fn images(lab: &Lab) -> Vec<String> {
    let all = engine::labelled("images/json", &[&format!("com.docker.compose.project={}", lab.project)]);
    let names = |image: &serde_json::Value| {
        let tags = image["RepoTags"].as_array().cloned().unwrap_or_default();
        let tags: Vec<String> = tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
        if tags.is_empty() { vec![image["Id"].to_string()] } else { tags }
    };
    all.as_array().unwrap().iter().flat_map(names).filter(|tag| tag != "<none>:<none>").collect()
}

/// An engine goes on with the export of a build whose client is gone, and used to name what it made some seconds later:
/// over the image that was built since.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_build_that_was_given_up_does_not_come_late() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY big /big\nCOPY file /file\nRUN cp -r /big /more\n");
    lab.manifest(&format!("services:\n  a:\n    build: .\n{KEYS}"));
    for number in 0..150 {
        lab.write(&format!("big/{number}"), &"x".repeat(10_000 + number));
    }
    lab.write("file", "old");
    let mut session = lab.start(&["--progress", "json", "build"]);
    session.event(0, "build-step", |event| event["name"].to_string().contains("exporting"));
    session.signal(Signal::SIGKILL);
    session.end();
    lab.write("file", "new");
    lab.ok(&["up", "-d"]);
    let id = lab.id("a");
    for _ in 0..20 {
        assert_eq!(lab.exec("a", "cat /file").trim(), "new");
        let name = engine::get(&format!("/images/{}-a/json", lab.project))["Id"].clone();
        assert_eq!(name, lab.inspect("a")["Image"], "the service's name is its container's image");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    assert_eq!(lab.id("a"), id);
    lab.ok(&["down", "--rmi", "local"]);
    assert_eq!(images(&lab), [] as [&str; 0], "nothing is left of the project's images");
}

/// The name of a service's image goes to another one by hand: the next container is made of the right one.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_name_that_went_to_another_image_is_taken_back() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY file /file\n");
    lab.manifest(&format!("services:\n  a:\n    build: .\n{KEYS}"));
    lab.write("file", "1");
    lab.ok(&["up", "-d"]);
    let name = format!("{}-a", lab.project);
    let (status, _) =
        engine::request("POST", &format!("/images/hob-test/busybox:1/tag?repo={name}&tag=latest"), "").unwrap();
    assert_eq!(status, 201);
    lab.ok(&["up", "-d", "--force-recreate"]);
    assert_eq!(lab.exec("a", "cat /file").trim(), "1");
    let one_off = lab.ok(&["run", "--rm", "-T", "a", "cat", "/file"]);
    assert_eq!(one_off.out.trim(), "1");
    lab.ok(&["down", "--rmi", "local"]);
    assert_eq!(images(&lab), [] as [&str; 0]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn services_share_images_and_start_from_each_others() {
    let lab = Lab::new();
    let (shared, base) = (format!("{}-shared:dev", lab.project), format!("{}-base", lab.project));
    lab.dockerfile("base.Dockerfile", "COPY base /base\nENV FROM_BASE=yes\n");
    lab.write("Dockerfile", &format!("FROM {base}\nARG WHAT=default\nCOPY file /file\nRUN echo $WHAT >/what\n"));
    lab.write("base", "1");
    lab.write("file", "1");
    lab.manifest(&format!(
        "services:\n  worker:\n    image: {shared}\n{KEYS}  web:\n    image: {shared}\n    build: .\n{KEYS}  \
         base:\n    build: {{dockerfile: base.Dockerfile}}\n    scale: 0\n"
    ));
    // By name: what it starts from is built, and the base of that is there.
    lab.ok(&["build", "web"]).silent_about(&["pull"]);
    lab.ok(&["up", "-d"]).silent_about(&["pull"]);
    assert_eq!(lab.inspect("web")["Image"], lab.inspect("worker")["Image"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    // Both are made anew by one build, also where only the one without is asked for.
    lab.write("base", "2");
    lab.ok(&["up", "-d", "worker"]).silent_about(&["pull"]);
    assert_eq!(lab.exec("worker", "cat /base").trim(), "2");
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("web", "cat /base").trim(), "2");

    // What `build` was given stays until the next one, as in Compose.
    lab.ok(&["build", "--build-arg", "WHAT=given", "web"]);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("web", "cat /what").trim(), "given");
    lab.write("file", "2");
    lab.ok(&["up", "-d"]).says(&["WHAT=given", "the next `hob build`"]);
    assert_eq!(lab.exec("web", "cat /what /file").trim(), "given\n2");
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.ok(&["build", "web"]);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("web", "cat /what").trim(), "default");

    // The name alone takes what interpolation sees.
    lab.write(".env", "WHAT=env\n");
    lab.ok(&["build", "--build-arg", "WHAT", "web"]);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("web", "cat /what").trim(), "env");

    // A pull tries what could be built too, and says what to do.
    lab.ends(&["pull", "web"], 18).says(&["hob build web"]);
    lab.ok(&["pull", "--ignore-buildable", "web"]);

    lab.ok(&["down", "--rmi", "local"]);
    let left = images(&lab);
    assert!(left.iter().all(|name| *name == shared || name.starts_with("hob-build:")), "{left:?}");
    lab.ok(&["down", "--rmi", "all"]);
    assert_eq!(images(&lab), [] as [&str; 0]);
}

/// Looking at what an image has at many paths takes an engine longer than a build does.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_few_files_are_put_onto_an_image_and_many_are_built() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY src /src\n");
    lab.manifest(&format!("services:\n  a:\n    build: .\n{KEYS}"));
    let write = |count: usize, text: &str| {
        for number in 0..count {
            lab.write(&format!("src/{number}"), &text.repeat(10_000));
        }
    };
    write(60, "1\n");
    lab.ok(&["build"]);
    write(60, "2\n");
    lab.ok(&["build"]).silent_about(&["delta:", "as a whole"]);
    // Each larger than an engine's buffer.
    write(2, "3\n");
    lab.ok(&["build"]).says(&["put 2 changed files onto"]);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("a", "head -n 1 /src/0 /src/1 /src/2 | grep -v == | tr -d '\\n'").trim(), "332");
    lab.ok(&["down", "--rmi", "local"]);
}
