//! What a program is written in, and a Dockerfile to start from.

use std::path::Path;

use crate::model::{EntryKind, FileTree};

/// What a program is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    Node,
    Python,
    Go,
    Rust,
    Maven,
    Gradle,
}

/// The files that tell, the first one wins: a Python program may have a `package.json` for its pages, but hardly the
/// other way round.
const MARKS: [(&str, Stack); 9] = [
    ("go.mod", Stack::Go),
    ("Cargo.toml", Stack::Rust),
    ("pom.xml", Stack::Maven),
    ("build.gradle", Stack::Gradle),
    ("build.gradle.kts", Stack::Gradle),
    ("pyproject.toml", Stack::Python),
    ("requirements.txt", Stack::Python),
    ("setup.py", Stack::Python),
    ("package.json", Stack::Node),
];

impl Stack {
    pub fn of(tree: &dyn FileTree, folder: &Path) -> Option<Self> {
        MARKS.into_iter().find_map(|(mark, stack)| is_file(tree, &folder.join(mark)).then_some(stack))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "a Node.js program",
            Self::Python => "a Python program",
            Self::Go => "a Go program",
            Self::Rust => "a Rust program",
            Self::Maven => "a Java program built by Maven",
            Self::Gradle => "a Java program built by Gradle",
        }
    }

    /// The port that most such programs listen on.
    pub fn port(self) -> u16 {
        match self {
            Self::Node => 3000,
            Self::Python => 8000,
            Self::Go | Self::Rust | Self::Maven | Self::Gradle => 8080,
        }
    }

    /// Dependencies first, sources last: a change of the sources is then a copy of files and no build.
    pub fn dockerfile(self, tree: &dyn FileTree, folder: &Path) -> String {
        let has = |name: &str| is_file(tree, &folder.join(name));
        let body = match self {
            Self::Node => node(&has, &tree.read(&folder.join("package.json")).unwrap_or_default()),
            Self::Python => python(&has),
            Self::Go => GO.to_owned(),
            Self::Rust => RUST.to_owned(),
            Self::Maven => MAVEN.to_owned(),
            Self::Gradle => GRADLE.to_owned(),
        };
        format!("# Written by `hob init`. Change it as you like: hob finds out by itself what it reads.\n{body}")
    }

    /// What no build should read.
    pub fn ignored(self) -> &'static str {
        match self {
            Self::Node => ".git\nnode_modules\ndist\n.env\n",
            Self::Python => ".git\n.venv\nvenv\n**/__pycache__\n*.egg-info\n.env\n",
            Self::Go => ".git\nbin\n.env\n",
            Self::Rust | Self::Maven => ".git\ntarget\n.env\n",
            Self::Gradle => ".git\n.gradle\nbuild\n.env\n",
        }
    }
}

fn node(has: &dyn Fn(&str) -> bool, package: &[u8]) -> String {
    let (lock, install, run) = match () {
        () if has("pnpm-lock.yaml") => ("pnpm-lock.yaml", "corepack enable && pnpm install --frozen-lockfile", "pnpm"),
        () if has("yarn.lock") => ("yarn.lock", "corepack enable && yarn install", "yarn"),
        () if has("package-lock.json") => ("package-lock.json", "npm ci", "npm"),
        () => ("", "npm install", "npm"),
    };
    let package: serde_json::Value = serde_json::from_slice(package).unwrap_or_default();
    let script = |name: &str| package["scripts"][name].is_string();
    let command = match () {
        () if script("dev") => format!(r#"["{run}", "run", "dev"]"#),
        () if script("start") => format!(r#"["{run}", "run", "start"]"#),
        () => format!(r#"["node", "{}"]"#, main_of(&package)),
    };
    let files = if lock.is_empty() { "package.json".to_owned() } else { format!("package.json {lock}") };
    format!(
        "FROM node:22-slim
WORKDIR /app
COPY {files} ./
RUN {install}
COPY . .
ENV HOST=0.0.0.0 PORT=3000
EXPOSE 3000
CMD {command}
"
    )
}

/// The file that a package starts with, if it can be written into a Dockerfile as it is.
fn main_of(package: &serde_json::Value) -> &str {
    let plain = |name: &&str| name.chars().all(|char| char.is_ascii_alphanumeric() || "./_-".contains(char));
    package["main"].as_str().filter(plain).unwrap_or("index.js")
}

fn python(has: &dyn Fn(&str) -> bool) -> String {
    let install = if has("requirements.txt") {
        "COPY requirements.txt ./\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\n"
    } else {
        "COPY . .\nRUN pip install --no-cache-dir .\n"
    };
    let command = match ["manage.py", "main.py", "app.py"].into_iter().find(|name| has(name)) {
        Some("manage.py") => r#"["python", "manage.py", "runserver", "0.0.0.0:8000"]"#,
        Some("app.py") => r#"["python", "app.py"]"#,
        _ => r#"["python", "main.py"]"#,
    };
    format!(
        "FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1
WORKDIR /app
{install}EXPOSE 8000
CMD {command}
"
    )
}

const GO: &str = "FROM golang:1
WORKDIR /app
COPY go.* ./
RUN go mod download
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build go build -o /usr/local/bin/ ./...
EXPOSE 8080
# The name of your program's folder, or of its module.
CMD [\"app\"]
";

const RUST: &str = "FROM rust:1
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/app/target \\
    cargo install --path . --root /usr/local --locked
EXPOSE 8080
# The name of your program.
CMD [\"app\"]
";

const MAVEN: &str = "FROM maven:3-eclipse-temurin-21
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/root/.m2 mvn -q package -DskipTests \\
 && cp target/*.jar /app.jar
EXPOSE 8080
CMD [\"java\", \"-jar\", \"/app.jar\"]
";

const GRADLE: &str = "FROM gradle:8-jdk21
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/home/gradle/.gradle gradle --no-daemon assemble \\
 && cp build/libs/*.jar /app.jar
EXPOSE 8080
CMD [\"java\", \"-jar\", \"/app.jar\"]
";

/// The TCP ports that a Dockerfile exposes by number.
pub(super) fn exposed(dockerfile: &str) -> Vec<u16> {
    let mut ports = Vec::new();
    for line in dockerfile.lines() {
        let mut words = line.split_whitespace();
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("EXPOSE")) {
            continue;
        }
        for port in words.filter_map(|word| word.strip_suffix("/tcp").unwrap_or(word).parse().ok()) {
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
    }
    ports
}

/// Whether there is a file, or a link to something.
pub(super) fn is_file(tree: &dyn FileTree, path: &Path) -> bool {
    tree.entry(path).is_ok_and(|entry| matches!(entry.kind, EntryKind::File { .. } | EntryKind::Symlink(_)))
}
