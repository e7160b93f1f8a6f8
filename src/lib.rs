//! hob runs a team's services on a developer's machine and keeps them hot.
//!
//! One package with one-way imports: a pure core (`model`, `manifest`, `inputs`, `plan`, `event`, `template`) and thin
//! effectful shells around it. `tests/architecture` holds each layer to the list of layers it may import; the list
//! and the reasons are in `docs/architecture.md`.
//!
//! This is a program: the library gives its entry and, for the tests of this package, what they look at
//! ([`for_tests`]). Layers are private, so that the compiler tells what nobody uses.

extern crate alloc;

mod agent;
mod cli;
mod engine;
mod event;
mod execute;
mod host;
mod inputs;
mod manifest;
mod model;
mod plan;
mod scaffold;
mod supervise;
mod template;
mod ui;
mod workspace;

pub use cli::main;

/// What `tests/` looks at below the command line.
#[doc(hidden)]
pub mod for_tests {
    /// The agent's client and its protocol.
    pub mod agent {
        pub use crate::agent::{
            AgentClient, AgentError, BUILD_ID, Command, EntryKind, Meta, Op, OutputStream, Refusal, Then, ThenOutcome,
            binary, protocol,
        };
    }
    /// The engine, and Docker's.
    pub mod engine {
        pub use crate::engine::{
            Action, BoxStream, BuildContext, BuildProgress, BuildSecret, BuildSpec, Channel, Chunk, ContextFile,
            Engine, ErrorKind, ExecSpec, LogQuery, Query, Result, Was,
        };
        /// Docker's.
        pub mod docker {
            pub use crate::engine::docker::{Docker, Surroundings};
        }
    }
    /// The schema of the event stream.
    pub mod event {
        pub use crate::event::json_schema;
    }
    /// Reading of manifests, and the schema of the language.
    pub mod manifest {
        pub use crate::manifest::{LoadOptions, json, json_schema, load};
    }
    /// Types of the others.
    pub mod model {
        pub use crate::model::{
            Attachment, Build, ContainerId, ContainerSpec, ContainerState, Digest, Entry, EntryKind, FileTree, Health,
            HealthCheck, ImageId, InjectedFile, Interval, Mount, NetworkSpec, Observed, Port, Service, VolumeSpec,
        };
    }
}
