//! Builds the agent: the static program that hob puts into containers.
//!
//! One call of `rustc`, with the compiler that Cargo uses, and nothing else: no crates to fetch, no second Cargo, no
//! static libc, no extra target. So it works from a registry, vendored, offline, under `cargo check` and in an editor.
//! The agent has hob's own architecture. Where it cannot be built (another system than Linux, an architecture that it
//! has no system calls for, a compiler that fails) hob is built without it and says so when it would need it; with
//! `HOB_REQUIRE_AGENT=1` that is an error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a build script")]

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders and files that the agent is made of.
const SOURCES: [&str; 4] = ["build.rs", "src/agent/program", "src/agent/protocol", "src/supervise/machine.rs"];

fn main() {
    println!("cargo::rerun-if-env-changed=HOB_REQUIRE_AGENT");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rustc-check-cfg=cfg(hob_agent)");
    let id = match build_id() {
        Ok(id) => id,
        Err(error) => panic!("the agent's sources cannot be read: {error}"),
    };
    println!("cargo::rustc-env=HOB_AGENT_BUILD_ID={id}");
    match build(&id) {
        Ok(()) => println!("cargo::rustc-cfg=hob_agent"),
        Err(why) if env::var_os("HOB_REQUIRE_AGENT").is_some_and(|value| value == "1") => {
            panic!("hob's agent was not built: {why}")
        }
        Err(why) => println!("cargo::warning=hob is built without its agent, so hot syncs restart containers: {why}"),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn build(id: &str) -> Result<(), String> {
    let (system, arch) = (variable("CARGO_CFG_TARGET_OS"), variable("CARGO_CFG_TARGET_ARCH"));
    if system != "linux" || !matches!(arch.as_str(), "x86_64" | "aarch64") {
        return Err(format!("it runs on Linux on x86_64 and aarch64, not on {system} on {arch}"));
    }
    let output = PathBuf::from(variable("OUT_DIR")).join("agent");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-name", "hob_agent", "--crate-type", "bin", "--cap-lints", "allow"]);
    rustc.args(["--target", &variable("TARGET")]);
    for option in [
        "opt-level=s",
        "panic=abort",
        "lto=fat",
        "codegen-units=1",
        "strip=symbols",
        "debuginfo=0",
        "relocation-model=static",
        // Neither libc nor its start files: the program brings its own entry point.
        "link-arg=-nostartfiles",
        "link-arg=-nostdlib",
        "link-arg=-static",
    ] {
        rustc.args(["-C", option]);
    }
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        rustc.args(["-C", "link-self-contained=no"]);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    rustc.arg("-o").arg(&output).arg("src/agent/program/main.rs").env("HOB_AGENT_BUILD_ID", id);
    let result = rustc.output().map_err(|error| format!("{} cannot be run: {error}", variable("RUSTC")))?;
    if result.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&result.stderr).trim().replace('\n', " / "))
    }
}

/// A name for exactly this agent: its sources, the target and the compiler.
fn build_id() -> std::io::Result<String> {
    let mut files = Vec::new();
    SOURCES.iter().try_for_each(|source| collect(Path::new(source), &mut files))?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    variable("TARGET").hash(&mut hasher);
    if let Ok(version) = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output() {
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
