//! Builds the agents: the static program that hob puts into containers, for each architecture that engines have.
//!
//! One call of `rustc` each, with the compiler that Cargo uses, and nothing else: no crates to fetch, no second Cargo,
//! no static libc. So it works from a registry, vendored, offline, under `cargo check` and in an editor. For hob's own
//! architecture on Linux not even a second target is needed; for others the compiler's own linker links with the
//! target's `core` and `alloc`, which rustup installs (`rust-toolchain.toml` names the targets). An agent that cannot
//! be built is left out with a warning, and hob says so when it would need it; with `HOB_REQUIRE_AGENT=1` that is an
//! error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a build script")]

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders and files that the agent is made of.
const SOURCES: [&str; 4] = ["build.rs", "src/agent/program", "src/agent/protocol", "src/supervise/machine.rs"];

/// Architectures of engines, as Rust names them; the program has their system calls.
const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

fn main() {
    println!("cargo::rerun-if-env-changed=HOB_REQUIRE_AGENT");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let id = match build_id() {
        Ok(id) => id,
        Err(error) => panic!("the agent's sources cannot be read: {error}"),
    };
    println!("cargo::rustc-env=HOB_AGENT_BUILD_ID={id}");
    let is_required = env::var_os("HOB_REQUIRE_AGENT").is_some_and(|value| value == "1");
    for architecture in ARCHITECTURES {
        println!("cargo::rustc-check-cfg=cfg(hob_agent_{architecture})");
        match build(architecture, &id) {
            Ok(()) => println!("cargo::rustc-cfg=hob_agent_{architecture}"),
            Err(why) if is_required => panic!("hob's agent for {architecture} was not built: {why}"),
            Err(why) => println!(
                "cargo::warning=hob is built without its agent for {architecture}, so saves restart containers on such \
                 engines: {why}"
            ),
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn build(architecture: &str, id: &str) -> Result<(), String> {
    let is_own = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ARCH") == architecture;
    let output = PathBuf::from(variable("OUT_DIR")).join(format!("agent-{architecture}"));
    let mut rustc = rustc();
    rustc.args(["--edition", "2024", "--crate-name", "hob_agent", "--crate-type", "bin", "--cap-lints", "allow"]);
    for option in [
        "opt-level=s",
        "panic=abort",
        "lto=fat",
        "codegen-units=1",
        "strip=symbols",
        "debuginfo=0",
        "relocation-model=static",
        // Neither libc nor its start files: the program brings its own entry point.
        "link-arg=-nostdlib",
        "link-arg=-static",
    ] {
        rustc.args(["-C", option]);
    }
    if is_own {
        rustc.args(["--target", &variable("TARGET"), "-C", "link-arg=-nostartfiles"]);
        if variable("CARGO_CFG_TARGET_ENV") == "musl" {
            rustc.args(["-C", "link-self-contained=no"]);
        }
        if let Some(linker) = env::var_os("RUSTC_LINKER") {
            let mut option = std::ffi::OsString::from("linker=");
            option.push(linker);
            rustc.arg("-C").arg(option);
        }
    } else {
        rustc.args(["--target", &installed_target(architecture)?, "-C", "link-self-contained=no"]);
        rustc.args(["-C", "linker=rust-lld", "-C", "linker-flavor=ld.lld"]);
    }
    rustc.arg("-o").arg(&output).arg("src/agent/program/main.rs").env("HOB_AGENT_BUILD_ID", id);
    let result = rustc.output().map_err(|error| format!("{} cannot be run: {error}", variable("RUSTC")))?;
    if result.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&result.stderr).trim().replace('\n', " / "))
    }
}

/// A Linux target of an architecture whose `core` the compiler has; the program asks for no more of it.
fn installed_target(architecture: &str) -> Result<String, String> {
    let targets = ["musl", "gnu"].map(|environment| format!("{architecture}-unknown-linux-{environment}"));
    let library = |target: &str| {
        let printed = rustc().args(["--print", "target-libdir", "--target", target]).output().ok()?;
        Some(PathBuf::from(String::from_utf8(printed.stdout).ok()?.trim()))
    };
    if let Some(target) = targets.iter().find(|target| library(target).is_some_and(|path| path.is_dir())) {
        return Ok(target.clone());
    }
    // The targets lie beside each other, and one that comes makes this build another one.
    if let Some(all) = library(&targets[0]).as_deref().and_then(Path::parent).and_then(Path::parent) {
        println!("cargo::rerun-if-changed={}", all.display());
    }
    Err(format!("the compiler has no target for it; `rustup target add {}` installs one", targets[0]))
}

/// A name for exactly these agents: their sources and the compiler, with the system that it runs on.
fn build_id() -> std::io::Result<String> {
    let mut files = Vec::new();
    SOURCES.iter().try_for_each(|source| collect(Path::new(source), &mut files))?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    if let Ok(version) = rustc().arg("-vV").output() {
        version.stdout.hash(&mut hasher);
    }
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}
