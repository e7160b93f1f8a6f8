//! Why a step is done.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{ContainerState, Part, ServiceName};

/// Why a step is done. Printed with the step, kept by `hob why`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", content = "of", rename_all = "kebab-case")]
pub enum Reason {
    /// It is not there.
    Missing,
    /// The service is new or its container is gone.
    NoContainer,
    /// Keys of the manifest changed.
    Config(Vec<String>),
    /// What the build reads changed.
    Inputs(Vec<Part>),
    /// The image's name points to another image than the container was made from.
    Image,
    /// A build starts from it.
    Base(ServiceName),
    /// Nobody has built its image.
    NoImage,
    /// The image is there under its digest, and its name is not.
    Name,
    /// `pull_policy: always`, or `--pull always`.
    PullAlways,
    /// `--build`, `--force-recreate` and the like.
    Flag(&'static str),
    /// A network that it joins is made again.
    Network(String),
    /// Another network of the project has its name.
    SameName,
    /// A service whose namespace it shares, or for which `depends_on.restart` is set, is recreated or restarted.
    Dependency(ServiceName),
    /// It does not run.
    NotRunning(ContainerState),
    /// It takes the place of one that was stopped.
    Replaces,
    /// The one that took its place is there.
    Replaced,
    /// The service has more or fewer containers than it should, which is this many.
    Scale(u32),
    /// Two containers with one number; the better one stays.
    Duplicate,
    /// Its service is not in the manifest.
    Orphan,
    /// A dependent waits for it.
    Awaited(ServiceName),
    /// Its service starts after it: `pre_start`.
    BeforeStart,
    /// A dependent may start only when it has no more to wait for; or `--wait`.
    Wait,
    /// It was made or synced into by another user's hob, or by one that was killed, or of an image that was not confirmed.
    UnknownContent,
    /// Another hob, or Docker Compose itself, made it.
    Foreign,
    /// The agent in it is of another version.
    Agent,
    /// Saves can be put into it from now on, or not any more.
    HotSync(bool),
    /// The session that showed it ends.
    SessionEnds,
    /// A command asked for it.
    Asked(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not exist"),
            Self::NoContainer => f.write_str("it has no container"),
            Self::Config(keys) => write!(f, "{} changed", list(keys)),
            Self::Inputs(parts) if parts.is_empty() => f.write_str("what its build reads changed"),
            Self::Inputs(parts) => {
                write!(f, "{} changed", list(&parts.iter().map(ToString::to_string).collect::<Vec<_>>()))
            }
            Self::Image => f.write_str("its image is a newer one"),
            Self::Base(service) => write!(f, "the build of {service} starts from it"),
            Self::NoImage => f.write_str("it was not built yet"),
            Self::Name => f.write_str("it was built before from the same files"),
            Self::PullAlways => f.write_str("its pull policy is always"),
            Self::Flag(flag) => write!(f, "{flag} was given"),
            Self::Network(name) => write!(f, "network {name} is made again"),
            Self::SameName => f.write_str("there are two of this name"),
            Self::Dependency(service) => write!(f, "{service} is recreated or restarted"),
            Self::NotRunning(ContainerState::Exited(code)) => write!(f, "it exited with {code}"),
            Self::NotRunning(ContainerState::Created) => f.write_str("it was never started"),
            Self::NotRunning(state) => write!(f, "it is {}", state.word()),
            Self::Replaces => f.write_str("it takes the place of the old one"),
            Self::Replaced => f.write_str("a new container takes its place"),
            Self::Scale(replicas) => write!(f, "scaled to {replicas}"),
            Self::Duplicate => f.write_str("the service has another container in its place"),
            Self::Orphan => f.write_str("its service is not in the manifest"),
            Self::Awaited(service) => write!(f, "{service} waits for it"),
            Self::BeforeStart => f.write_str("it is run before each start"),
            Self::Wait => f.write_str("--wait was given"),
            Self::UnknownContent => f.write_str("it is not known which version of the files is in it"),
            Self::Foreign => f.write_str("it was made by another tool"),
            Self::Agent => f.write_str("the agent in it is of another version"),
            Self::HotSync(on) => write!(f, "hot sync is {} from now on", if *on { "on" } else { "off" }),
            Self::SessionEnds => f.write_str("the session ends"),
            Self::Asked(command) => write!(f, "requested by `{command}`"),
        }
    }
}

fn joined(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// `a`, `a and b`, `a, b and c`, `a, b, c and 4 more`.
fn list(items: &[String]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for item in items {
        // A Dockerfile is a file of the context too.
        if !names.contains(&item) {
            names.push(item);
        }
    }
    match names[..] {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [ref init @ .., last] if names.len() <= 3 => format!("{} and {last}", joined(init)),
        _ => format!("{} and {} more", joined(&names[..3]), names.len() - 3),
    }
}
