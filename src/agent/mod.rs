//! Layer `agent`: the supervisor inside a container, and the protocol spoken with it.
//!
//! - `program/` is the agent itself: a static program without libc that `build.rs` compiles for each architecture and this layer embeds.
//! - [`protocol`] is the one source of the messages, compiled into both.
//! - [`AgentClient`] speaks it from hob's side, over whatever stream the executor hands in.
//! - [`wrap`], [`can_run`] and [`SERVE`] say how a container is made and entered so that the agent is in it.
//!
//! `docs/agent-protocol.md` tells the whole story. Invariant: an agent of another build is refused, never spoken with;
//! the build id names the volume that carries the binary, so that a new hob never meets an old agent by surprise.

#![allow(clippy::disallowed_methods, reason = "an effectful layer: it embeds the agent")]

mod client;
mod entrypoint;
mod platform;
#[cfg(all(test, target_os = "linux"))]
mod program;
pub mod protocol;

pub use client::{AgentClient, AgentError, Applied, Command, OutputStream, Refusal, SILENCE, Then, ThenOutcome, Told};
pub use entrypoint::{can_run, wrap};
use platform::Platform;
pub use protocol::{CHUNK, Entry, EntryKind, Meta, Op, Packer};

/// Name of exactly this build of the agent: its sources and its compiler; the same for each architecture.
pub const BUILD_ID: &str = env!("HOB_AGENT_BUILD_ID");

/// The folder in the container where the volume with the agent is mounted, read-only.
pub const MOUNT: &str = "/.hob";

/// The agent's path in the container.
pub const PATH: &str = "/.hob/agent";

/// What is in front of the command of a container that has the agent.
pub const RUN: [&str; 3] = [PATH, "run", "--"];

/// The command of the exec whose standard input and output are the stream of an [`AgentClient`].
pub const SERVE: [&str; 2] = [PATH, "serve"];

/// The agents that this hob carries, by the architecture as engines name it.
const BINARIES: &[(&str, &[u8])] = &[
    #[cfg(hob_agent_x86_64)]
    ("amd64", include_bytes!(concat!(env!("OUT_DIR"), "/agent-x86_64"))),
    #[cfg(hob_agent_aarch64)]
    ("arm64", include_bytes!(concat!(env!("OUT_DIR"), "/agent-aarch64"))),
];

/// The agent for an engine's platform (`linux/arm64`), or `None` where this hob was built without one for it.
pub fn binary(platform: &str) -> Option<&'static [u8]> {
    let platform = Platform::of(platform);
    let has = |architecture: &str| platform == Platform { system: "linux", architecture };
    BINARIES.iter().find(|(architecture, _)| has(architecture)).map(|(_, binary)| *binary)
}

/// The platforms that this hob carries an agent for.
pub fn platforms() -> impl Iterator<Item = String> {
    BINARIES.iter().map(|(architecture, _)| format!("linux/{architecture}"))
}

/// The engine's name of the volume that carries this build of the agent.
pub fn volume_name() -> String {
    format!("hob-agent-{BUILD_ID}")
}
