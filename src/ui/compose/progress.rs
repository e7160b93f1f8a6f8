//! The lines of Docker Compose's progress: `Container shop-api-1  Started`.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::event::{BY_DIGEST, Operation, PlannedStep, Until};
use crate::model::ServiceName;

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Begun,
    Done,
    /// For this reason.
    Failed(String),
}

/// One line of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What it is about, such as `Container shop-api-1`.
    id: String,
    text: &'static str,
    status: String,
}

impl Line {
    fn new(id: String, status: impl Into<String>) -> Self {
        Self { id, text: "", status: status.into() }
    }

    pub fn container(name: &str, status: &str) -> Self {
        Self::new(format!("Container {name}"), status)
    }

    pub fn json(&self, dry_run: bool) -> String {
        let mut object = serde_json::Map::new();
        if dry_run {
            object.insert("dry-run".to_owned(), true.into());
        }
        for (key, value) in [("id", &*self.id), ("text", self.text), ("status", &self.status)] {
            if !value.is_empty() {
                object.insert(key.to_owned(), value.into());
            }
        }
        serde_json::Value::Object(object).to_string()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {} {} {}", self.id, self.text, self.status)
    }
}

/// The recreations of a plan: hob has five steps for one, and Compose one line when it begins and one when it ends.
#[derive(Debug, Default)]
pub(super) struct Recreations {
    /// The name of the container that is made in the meantime, and its name in the end.
    names: HashMap<String, String>,
    /// Steps that say nothing.
    silent: HashSet<usize>,
}

impl Recreations {
    pub fn of(steps: &[PlannedStep]) -> Self {
        let mut recreations = Self::default();
        let renamed = steps.iter().filter_map(|step| match &step.op {
            Operation::RenameContainer { container, name } => Some((step.step, container, name)),
            _ => None,
        });
        for (at, container, name) in renamed {
            recreations.names.insert(container.clone(), name.clone());
            let replaced = steps.iter().filter(|step| step.step < at).filter(|step| match &step.op {
                Operation::StopContainer { container } | Operation::RemoveContainer { container } => container == name,
                _ => false,
            });
            recreations.silent.extend(replaced.map(|step| step.step));
        }
        recreations
    }
}

/// What Compose says of a step.
pub(super) fn lines(
    number: usize,
    service: Option<&ServiceName>,
    op: &Operation,
    moment: Moment,
    recreations: &Recreations,
) -> Vec<Line> {
    if recreations.silent.contains(&number) {
        return Vec::new();
    }
    let container = |name: &str, words: [&str; 2]| match &moment {
        Moment::Begun => vec![Line::container(name, words[0])],
        Moment::Done => vec![Line::container(name, words[1])],
        Moment::Failed(_) => vec![Line::container(name, &format!("Error while {}", words[0]))],
    };
    let resource = |id: String, words: [&str; 2]| match &moment {
        Moment::Begun => vec![Line::new(id, words[0])],
        Moment::Done => vec![Line::new(id, words[1])],
        Moment::Failed(_) => vec![Line::new(id, "Error")],
    };
    match op {
        Operation::CreateNetwork { network } => resource(format!("Network {network}"), ["Creating", "Created"]),
        Operation::RemoveNetwork { network } => resource(format!("Network {network}"), ["Removing", "Removed"]),
        Operation::CreateVolume { volume } => resource(format!("Volume {volume}"), ["Creating", "Created"]),
        Operation::RemoveVolume { volume } => resource(format!("Volume {volume}"), ["Removing", "Removed"]),
        // A name of hob's own.
        Operation::RemoveImage { image } if image.starts_with(BY_DIGEST) => Vec::new(),
        Operation::RemoveImage { image } => {
            let tag = if image.contains(':') { "" } else { ":latest" };
            resource(format!("Image {image}{tag}"), ["Removing", "Removed"])
        }
        Operation::Pull { .. } => {
            let id = service.map(ToString::to_string).unwrap_or_default();
            let line = |text, status: &str| vec![Line { id, text, status: status.to_owned() }];
            match moment {
                Moment::Begun => line("Pulling", ""),
                Moment::Done => line("Pulled", ""),
                Moment::Failed(why) => line("Error", &why),
            }
        }
        Operation::Build { services } if moment == Moment::Done => {
            services.iter().map(|service| Line::new(service.to_string(), "Built")).collect()
        }
        Operation::CreateContainer { container: name } => match recreations.names.get(name) {
            Some(name) if moment == Moment::Begun => vec![Line::container(name, "Recreate")],
            // It is when it has taken the other one's place.
            Some(_) if moment == Moment::Done => Vec::new(),
            _ => container(name, ["Creating", "Created"]),
        },
        Operation::RenameContainer { name, .. } if moment == Moment::Done => vec![Line::container(name, "Recreated")],
        Operation::StartContainer { container: name } => match moment {
            // The failure itself says what happened.
            Moment::Failed(_) => Vec::new(),
            _ => container(name, ["Starting", "Started"]),
        },
        Operation::StopContainer { container: name } => container(name, ["Stopping", "Stopped"]),
        Operation::KillContainer { container: name, .. } => container(name, ["Killing", "Killed"]),
        Operation::RestartContainer { container: name } => container(name, ["Restarting", "Started"]),
        Operation::RemoveContainer { container: name } => container(name, ["Removing", "Removed"]),
        // At once, and told once.
        Operation::PauseContainer { container: name } if moment == Moment::Done => {
            vec![Line::container(name, "Paused")]
        }
        Operation::UnpauseContainer { container: name } if moment == Moment::Done => {
            vec![Line::container(name, "Unpaused")]
        }
        Operation::Wait { containers, until } => {
            let status = match (&moment, until) {
                (Moment::Begun, _) => "Waiting",
                (Moment::Done, Until::Completed) => "Exited",
                (Moment::Done, _) => "Healthy",
                (Moment::Failed(_), _) => "Error",
            };
            containers.iter().map(|name| Line::container(name, status)).collect()
        }
        Operation::Build { .. }
        | Operation::Tag { .. }
        | Operation::RenameContainer { .. }
        | Operation::PauseContainer { .. }
        | Operation::UnpauseContainer { .. }
        | Operation::RunPreStart { .. } => Vec::new(),
    }
}
