//! Which files are read, how the project is called, and where values come from.

use super::*;

const SERVICE: &str = "services: {a: {image: x}}";

#[test]
fn the_manifest_is_found_by_walking_up() {
    for (files, found) in [
        (&[("devenv.yaml", SERVICE), ("compose.yaml", "x")][..], "/p/devenv.yaml"),
        (&[("docker-compose.yml", SERVICE)], "/p/docker-compose.yml"),
        (&[("../compose.yml", SERVICE)], "/compose.yml"),
        (&[("devenv.yaml", "inputs: {nixpkgs: {url: x}}"), ("compose.yaml", SERVICE)], "/p/compose.yaml"),
    ] {
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.trim_start_matches("../"), *text)).collect();
        let up = found == "/compose.yml";
        let tree = Memory(
            files
                .iter()
                .map(|(path, text)| (Path::new(if up { "/" } else { "/p" }).join(path), (*text).to_owned()))
                .collect(),
        );
        let options =
            LoadOptions { working_dir: PathBuf::from("/p"), project_name: Some("n".into()), ..LoadOptions::default() };
        let project = load(&tree, &options).project.unwrap();
        assert_eq!(project.files, [PathBuf::from(found)]);
    }
}

#[test]
fn somebody_elses_manifest_is_recognised() {
    let text = complaints(&[("devenv.yaml", "inputs: {nixpkgs: {url: x}}")]);
    assert!(text.contains("belongs to another program"), "{text}");
    let text = complaints(&[("devenv.yaml", "packages: []"), ("devenv.nix", "{}")]);
    assert!(text.contains("belongs to another program"), "{text}");
}

#[test]
fn dotenv_may_name_files_profiles_and_the_project() {
    let files = [
        (
            ".env",
            "COMPOSE_FILE=one.yaml;two.yaml\nCOMPOSE_PATH_SEPARATOR=;\nCOMPOSE_PROJECT_NAME=shop\nCOMPOSE_PROFILES=p\nTAG=1\n",
        ),
        ("one.yaml", "services: {a: {image: \"x:$TAG\", profiles: [p]}}"),
        ("two.yaml", "services: {a: {command: [b]}}"),
    ];
    let project = project_of(&files);
    assert_eq!(project.name.as_str(), "shop");
    assert_eq!(project.services["a"].image.as_deref(), Some("x:1"));
    assert_eq!(project.files.len(), 2);
    assert_eq!(project.env_files, [PathBuf::from("/p/.env")]);
    assert!(!project.awaited.contains(&PathBuf::from("/p/.env")));
}

#[test]
fn the_shell_wins_over_dotenv() {
    let files = [(".env", "A=file\nB=$A\n"), ("compose.yaml", "services: {a: {image: \"$A-$B\"}}")];
    assert_eq!(project_of(&files).services["a"].image.as_deref(), Some("a-a"));
}

#[test]
fn names_of_projects() {
    let name = |files: &[(&str, &str)], given: Option<&str>| {
        run(files, |options| options.project_name = given.map(ToOwned::to_owned)).project.map(|p| p.name.to_string())
    };
    let named = "name: My.Proj\nservices: {a: {image: \"$COMPOSE_PROJECT_NAME\"}}";
    assert_eq!(name(&[("compose.yaml", SERVICE)], None).as_deref(), Some("p"));
    assert_eq!(name(&[("compose.yaml", named)], None).as_deref(), Some("myproj"));
    assert_eq!(name(&[("compose.yaml", named)], Some("x")).as_deref(), Some("x"));
    assert_eq!(name(&[("compose.yaml", named)], Some("Not Good")), None);
}

#[test]
fn every_value_has_its_place() {
    let files = [
        ("compose.yaml", "services:\n  a:\n    image: x\n    environment:\n      - A=1\n"),
        ("compose.override.yaml", "services:\n  a:\n    image: y\n    env_file: e.env\n"),
        ("e.env", "\nB=2\n"),
    ];
    let project = project_of(&files);
    for (path, place) in [
        ("services.a.image", "/p/compose.override.yaml:3:12"),
        ("services.a.environment.A", "/p/compose.yaml:5:9"),
        ("services.a.environment.B", "/p/e.env:2:1"),
        ("services.a.nothing.there", "/p/compose.override.yaml:3:5"),
    ] {
        assert_eq!(project.locate(path).map(|place| place.to_string()).as_deref(), Some(place), "{path}");
    }
}

#[test]
fn a_value_can_be_explained() {
    let files = [
        (".env", "LEVEL=debug\n"),
        ("compose.yaml", "services:\n  a:\n    image: x\n    environment: {LOG: info}\n"),
        ("compose.override.yaml", "services:\n  a:\n    environment:\n      - LOG=${LEVEL:-warn}\n"),
    ];
    let loaded = run(&files, |options| options.explain = Some("services.a.environment.LOG".to_owned()));
    let explanation = loaded.explanation.unwrap();
    assert_eq!(explanation.value, "debug");
    assert_eq!(explanation.location.unwrap().to_string(), "/p/compose.override.yaml:4:9");
    assert_eq!(explanation.template.as_deref(), Some("LOG=${LEVEL:-warn}"));
    assert_eq!(explanation.variables[0].origin, "/p/.env:1");
    assert_eq!(explanation.overrode[0].location.as_ref().unwrap().to_string(), "/p/compose.yaml:4:24");
    let loaded = run(&files, |options| options.explain = Some("services.a.enviroment".to_owned()));
    assert!(loaded.diagnostics.iter().any(|d| d.help.as_deref() == Some("did you mean `services.a.environment`?")));
}
