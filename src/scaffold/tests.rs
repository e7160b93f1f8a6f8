use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;

use super::*;
use crate::model::Entry;

/// Files in memory, below `/p`.
struct Files(BTreeMap<PathBuf, &'static str>);

fn files<const N: usize>(files: [(&str, &'static str); N]) -> Files {
    Files(files.into_iter().map(|(path, text)| (Path::new("/p").join(path), text)).collect())
}

impl FileTree for Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).map(|text| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let name: OsString = path.file_name().unwrap_or_default().to_owned();
        let kind = match self.0.get(path) {
            Some(text) => EntryKind::File { size: text.len() as u64 },
            None if self.0.keys().any(|file| file.starts_with(path)) => EntryKind::Dir,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Entry { name, kind, mode: 0o644 })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let inside = self.0.keys().filter_map(|file| file.strip_prefix(path).ok()?.components().next());
        let mut names: Vec<_> = inside.map(|name| path.join(name)).collect();
        names.dedup();
        names.iter().map(|path| self.entry(path)).collect()
    }
}

fn proposed(tree: &Files) -> BTreeMap<String, String> {
    match propose(tree, Path::new("/p"), false) {
        Proposal::Reads(path) => panic!("reads {}", path.display()),
        Proposal::Writes { files, .. } => files
            .into_iter()
            .map(|file| (file.path.display().to_string(), String::from_utf8(file.content.into_owned()).unwrap()))
            .collect(),
    }
}

/// The manifest as data: it must be YAML of the right shape.
fn services(files: &BTreeMap<String, String>) -> serde_json::Value {
    let manifest: serde_json::Value = serde_yaml::from_str(&files["devenv.yaml"]).unwrap();
    manifest["services"].clone()
}

#[test]
fn a_manifest_that_is_there_is_read() {
    for name in ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "devenv.yaml"] {
        let tree = files([(name, "services: {}"), ("Dockerfile", "FROM scratch")]);
        assert_eq!(propose(&tree, Path::new("/p"), false), Proposal::Reads(name.into()));
        assert!(matches!(propose(&tree, Path::new("/p"), true), Proposal::Writes { .. }));
    }
}

#[test]
fn a_dockerfile_is_used_with_the_ports_it_exposes() {
    let tree = files([("Dockerfile", "FROM x\nexpose 80/tcp 443\nEXPOSE 53/udp $PORT 80\n"), ("go.mod", "")]);
    let files = proposed(&tree);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["devenv.yaml"]);
    let want = serde_json::json!({"app": {"build": ".", "ports": ["127.0.0.1:80:80", "127.0.0.1:443:443"]}});
    assert_eq!(services(&files), want);
}

#[test]
fn a_program_without_a_dockerfile_gets_one() {
    // (mark, content, words of the Dockerfile, port)
    let cases = [
        ("package.json", r#"{"scripts":{"dev":"vite"}}"#, r#"CMD ["npm", "run", "dev"]"#, 3000),
        ("package.json", r#"{"scripts":{"start":"x"}}"#, r#"CMD ["npm", "run", "start"]"#, 3000),
        ("package.json", r#"{"main":"a.js"}"#, r#"CMD ["node", "a.js"]"#, 3000),
        ("package.json", r#"{"main":"\"]\nRUN evil"}"#, r#"CMD ["node", "index.js"]"#, 3000),
        ("package.json", "not json", r#"CMD ["node", "index.js"]"#, 3000),
        ("requirements.txt", "flask", "pip install --no-cache-dir -r requirements.txt", 8000),
        ("pyproject.toml", "", "pip install --no-cache-dir .", 8000),
        ("go.mod", "", "go mod download", 8080),
        ("Cargo.toml", "", "cargo install --path .", 8080),
        ("pom.xml", "", "mvn", 8080),
        ("build.gradle.kts", "", "gradle", 8080),
    ];
    for (mark, content, words, port) in cases {
        let files = proposed(&files([(mark, content)]));
        assert_eq!(files.keys().collect::<Vec<_>>(), [".dockerignore", "Dockerfile", "devenv.yaml"], "{mark}");
        assert!(files["Dockerfile"].contains(words), "{mark}: {}", files["Dockerfile"]);
        assert!(!files["Dockerfile"].contains("evil"));
        let want = serde_json::json!({"app": {"build": ".", "ports": [format!("127.0.0.1:{port}:{port}")]}});
        assert_eq!(services(&files), want, "{mark}");
    }
}

#[test]
fn a_lock_file_says_which_tool() {
    let cases = [("pnpm-lock.yaml", "pnpm install"), ("yarn.lock", "yarn install"), ("package-lock.json", "npm ci")];
    for (lock, words) in cases {
        let files = proposed(&files([("package.json", "{}"), (lock, "")]));
        assert!(files["Dockerfile"].contains(words) && files["Dockerfile"].contains(lock), "{lock}");
    }
}

#[test]
fn folders_become_services() {
    let tree = files([
        ("My Api/Dockerfile", "FROM x"),
        ("web/package.json", "{}"),
        ("web/.dockerignore", "mine"),
        ("docs/readme.md", ""),
        (".git/Dockerfile", ""),
        ("README.md", ""),
    ]);
    let files = proposed(&tree);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["devenv.yaml", "web/Dockerfile"]);
    let want = serde_json::json!({
        "my-api": {"build": "./My Api"},
        "web": {"build": "./web", "ports": ["127.0.0.1:3000:3000"]},
    });
    assert_eq!(services(&files), want);
}

#[test]
fn an_empty_folder_gets_an_example_that_runs() {
    let files = proposed(&files([]));
    assert_eq!(services(&files)["app"]["image"], "alpine");
}
