//! What a container does once it is started.

use std::time::Duration;

use crate::model::Health;

/// What the containers of a service do once they are started.
#[derive(Clone, Debug)]
pub struct Script {
    /// Lines written to standard output at the start.
    pub logs: Vec<String>,
    /// The process ends by itself after this time with this code.
    pub exits: Option<(Duration, i64)>,
    /// The health check, where there is one, says this after that time.
    pub health: Option<(Duration, Health)>,
    /// Exit code after a stop signal.
    pub stop_code: i64,
    /// How long it takes to stop; a shorter grace period kills it with 137.
    pub stops_in: Duration,
    /// The program of its command, where the container does not have it.
    pub lacks: Option<String>,
    /// What commands in the container print, and their exit code.
    pub exec: (String, i64),
}

impl Default for Script {
    /// Runs until it is stopped, and is healthy at once.
    fn default() -> Self {
        Self {
            logs: Vec::new(),
            exits: None,
            health: Some((Duration::ZERO, Health::Healthy)),
            stop_code: 0,
            stops_in: Duration::ZERO,
            lacks: None,
            exec: (String::new(), 0),
        }
    }
}

impl Script {
    /// A job that ends at once with a code.
    pub fn job(code: i64) -> Self {
        Self { exits: Some((Duration::ZERO, code)), ..Self::default() }
    }

    /// A service whose command is not in the image, behind an agent.
    pub fn without_its_program(program: &str) -> Self {
        let line = format!("exec: \"{program}\": executable file not found in $PATH");
        Self { lacks: Some(program.to_owned()), ..Self::job(127).logging(&[&line]) }
    }

    /// A service that is never healthy by itself.
    pub fn never_healthy() -> Self {
        Self { health: None, ..Self::default() }
    }

    /// The same with lines in its log.
    #[must_use]
    pub fn logging(mut self, lines: &[&str]) -> Self {
        self.logs = lines.iter().map(|line| (*line).to_owned()).collect();
        self
    }
}
