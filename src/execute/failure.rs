//! Failures of the engine.

use crate::engine::{EngineError, ErrorKind};
use crate::event::{Fact, Message};
use crate::model::ServiceName;

pub use crate::event::{Cause, Failure};

impl Failure {
    /// An engine's error, with the advice that goes with its kind.
    #[allow(clippy::needless_pass_by_value, reason = "for `map_err`, which hands it over")]
    pub fn of_engine(service: Option<&ServiceName>, error: EngineError) -> Self {
        let mut message = Message { service: service.cloned(), ..Message::new(error.message.clone()) };
        let cause = match &error.kind {
            ErrorKind::Unreachable { endpoint } => {
                message.hints.push(format!(
                    "hob tried {endpoint}; start Docker (`sudo systemctl start docker`, or Docker Desktop), or set \
                     DOCKER_HOST to where it listens; `hob doctor` tells more"
                ));
                Cause::Unreachable
            }
            ErrorKind::Forbidden => {
                message.hints.push(
                    "your user may not speak to the engine; `sudo usermod -aG docker $USER` and a new login give it \
                     access"
                        .to_owned(),
                );
                Cause::Unreachable
            }
            ErrorKind::Lost => {
                message.hints.push(
                    "the connection to the engine was lost in the middle of it; when it is back, `hob up` puts things right".to_owned(),
                );
                Cause::Unreachable
            }
            ErrorKind::Pull { image } => {
                message.hints.push(format!(
                    "check the spelling of {image} and your connection, run `docker login` if the registry is \
                     private, or give the service a `build` section"
                ));
                Cause::Pull
            }
            ErrorKind::Build { output, .. } => {
                message.fact = Some(Box::new(Fact::BuildFailed));
                message.detail.extend(output.lines().map(str::to_owned));
                Cause::Build
            }
            ErrorKind::BuildKey { instead, .. } => {
                message.hints.push(instead.clone());
                Cause::Build
            }
            ErrorKind::DiskFull => {
                message.hints.push(
                    "the engine's disk is full; `docker system df` shows what takes the room and `docker system \
                     prune` frees what nothing uses; then run the same command again"
                        .to_owned(),
                );
                Cause::Engine
            }
            ErrorKind::Unsupported { needs: (major, minor) } => {
                message.hints.push(format!("it needs an engine with API {major}.{minor} or newer"));
                Cause::Unreachable
            }
            ErrorKind::PortTaken { port } => {
                message.hints.push(format!(
                    "free port {port}, or publish another one under `ports`; `ss -ltnp 'sport = :{port}'` shows who \
                     listens"
                ));
                Cause::Unhealthy
            }
            ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::NoProgram { .. }
            | ErrorKind::NotExecutable
            | ErrorKind::Refused
            | ErrorKind::Other => Cause::Engine,
        };
        Self { cause, message }
    }
}
