//! What a session does.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::work::{CarryOut, CatchUp, CompareContainers, FindOutWhetherReady, ReloadTask, Stop, TakeSnapshot};
use crate::event::Event;
use crate::execute::{Follow, From};
use crate::model::{ContainerId, Digest, Effects, Observed, ObservedContainer, Service, ServiceName, Watch};

/// One thing to do. All but [`Action::Start`] is done at once.
pub enum Action {
    /// Say something.
    Emit(Event),
    /// Begin work beside the loop; it ends with an input.
    Start(Box<Work>),
    /// End work, as far as it can be ended.
    Cancel(Job),
    /// End all work, as far as it can be ended.
    CancelAll,
    /// Forget all work: what does not end is not waited for.
    Abandon,
    /// Watch exactly these folders, on behalf of these.
    Watch {
        /// The folders.
        folders: BTreeSet<PathBuf>,
        /// Asked for folders that are made from now on.
        on_behalf: Vec<Arc<dyn Effects>>,
    },
    /// Look at files behind mounts ahead of their first change.
    ReadMounts(ServiceName, Watch),
    /// A container was started: show its output, if it `is_shown` and no step has attached to it.
    ShowStarted {
        /// The container.
        follow: Follow,
        /// From where on.
        from: From,
        /// It is to be shown.
        is_shown: bool,
    },
    /// Show the output of containers that run, as far as it is not shown yet.
    ShowRunning {
        /// The containers.
        follows: Vec<Follow>,
        /// When the engine went away, if it did: what they wrote since is shown too.
        lost: Option<i64>,
    },
    /// The engine is gone: nothing is attached to any more.
    ForgetOutput,
    /// A container was seen: whether it carries the agent.
    Saw(Box<ObservedContainer>),
    /// Open the stream of a container's agent ahead of the first save, where it carries one.
    Connect(Box<Service>, ContainerId),
    /// The agent's stream of a container is of no use any more.
    Disconnect(ContainerId),
    /// Write down what a container holds.
    Note(ContainerId, Digest),
    /// A plan has ended.
    EndPlan,
}

/// Work that can be ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// The plan of all services.
    Plan,
    /// The answer to saves of a service.
    Reload(ServiceName),
    /// The build in the background.
    CatchUp,
}

/// Work that takes time.
pub enum Work {
    /// Look at all that a plan is made from.
    TakeSnapshot(TakeSnapshot),
    /// Make a plan and carry it out.
    CarryOut(CarryOut),
    /// Read the manifest.
    Read,
    /// Answer what has changed of a service; the services whose containers that may change.
    Reload(Box<ReloadTask>, Vec<ServiceName>),
    /// Build in the background.
    CatchUp(CatchUp),
    /// Compare containers with what is wanted.
    CompareContainers(CompareContainers),
    /// Ask whether the engine starts a container again that has ended.
    AskWhetherItReturns(ContainerId),
    /// Ask whether all containers of these services have exited, after a pause.
    AskWhetherAllExited {
        /// By which moment the answer is known again.
        at: Instant,
        /// How long to wait first.
        pause: Duration,
        /// The services.
        services: Vec<ServiceName>,
    },
    /// Find out whether services are ready.
    FindOutWhetherReady(FindOutWhetherReady),
    /// Find out where these services answer.
    FindOutUrls(Observed, Vec<ServiceName>),
    /// Stop the services.
    Stop(Stop),
    /// Kill what runs of these services; the containers that are known, should the engine not tell.
    Kill(Vec<ServiceName>, Vec<ContainerId>),
    /// End when the engine does not say any more that it is there.
    WatchEngine,
    /// Wait for the engine to come back.
    Reconnect,
}
