//! All that a session knows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::known::containers::Containers;
use super::known::notes::Note;
use super::known::others::Others;
use super::known::phase::{AllExited, Connection, ManifestState, Phase, PlanState};
use super::known::watching::Watching;
use crate::event::{Event, Message};
use crate::execute::session::action::{Action, Work};
use crate::execute::session::input::Moment;
use crate::execute::session::options::SessionOptions;
use crate::model::{ContainerId, Digest, Project, ServiceName};
use crate::plan::Wanted;

/// A session on one project.
pub struct Machine {
    pub(super) options: SessionOptions,
    /// What happens now.
    pub(super) moment: Moment,
    /// What is to be done for it, in order.
    pub(super) actions: Vec<Action>,
    pub(super) phase: Phase,
    pub(super) plan: PlanState,
    pub(super) manifest: ManifestState,
    pub(super) connection: Connection,
    pub(super) project: Arc<Project>,
    pub(super) wanted: Arc<Wanted>,
    /// What containers hold by hot sync.
    pub(super) synced: HashMap<ContainerId, Digest>,
    /// What is to be written down of that, once no news comes.
    pub(super) notes: Vec<Note>,
    /// Containers whose content was compared with what is wanted; from then on it is this session that changes it.
    pub(super) verified: BTreeSet<ContainerId>,
    /// The engine is being asked about containers that were not.
    pub(super) verifying: bool,
    /// The service whose image is being built in the background.
    pub(super) catching_up: Option<ServiceName>,
    pub(super) containers: Containers,
    pub(super) others: Others,
    pub(super) watching: Watching,
    pub(super) began: Instant,
    /// When the engine was asked for the first time.
    pub(super) first_asked: Option<Instant>,
    /// When the newest container was made that was there before the session, in seconds since the epoch of the engine's
    /// clock; the smallest number where there was none.
    pub(super) newest_at_start: Option<i64>,
    /// What flags force was forced already: a first plan that another hob overtook forces nothing again.
    pub(super) flags_used: bool,
    /// Whether all containers have exited, as far as the engine was asked.
    pub(super) all_exited: AllExited,
    /// A command ends as soon as it is known whether the services are ready.
    pub(super) awaits_readiness: bool,
    pub(super) said: Said,
}

/// What was said, so that it is not said twice.
#[derive(Default)]
pub(super) struct Said {
    /// What was wrong with the manifest.
    pub(super) manifest_errors: Vec<Message>,
    /// Why the last plan could not be made or carried out.
    pub(super) failures: Vec<Message>,
    /// Whose output is shown.
    pub(super) attaching: bool,
    /// That all containers have exited.
    pub(super) all_exited: bool,
    /// The services whose saves are seen.
    pub(super) watching: Vec<ServiceName>,
    /// Where services can be reached.
    pub(super) urls: BTreeMap<ServiceName, BTreeSet<String>>,
}

impl Machine {
    /// A session that has done nothing yet.
    pub fn new(project: Arc<Project>, options: SessionOptions, moment: Moment) -> Self {
        Self {
            moment,
            actions: Vec::new(),
            phase: Phase::Starting,
            plan: PlanState::Due,
            manifest: ManifestState::Current,
            connection: Connection::Present,
            project,
            wanted: Arc::default(),
            synced: HashMap::new(),
            notes: Vec::new(),
            verified: BTreeSet::new(),
            verifying: false,
            catching_up: None,
            containers: Containers::default(),
            others: Others::default(),
            watching: Watching::default(),
            began: moment.now,
            first_asked: None,
            newest_at_start: None,
            flags_used: false,
            all_exited: AllExited::Unknown,
            awaits_readiness: false,
            said: Said::default(),
            options,
        }
    }

    /// The project as it was last read, with what its providers said.
    pub fn project(&self) -> &Arc<Project> {
        &self.project
    }

    /// What the session was asked for; whoever stops reading its output changes some of it.
    pub fn options(&self) -> &SessionOptions {
        &self.options
    }

    pub(super) fn now(&self) -> Instant {
        self.moment.now
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn start(&mut self, work: Work) {
        self.act(Action::Start(Box::new(work)));
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.act(Action::Emit(event));
    }

    pub(super) fn notice(&mut self, text: String) {
        self.emit(Event::Notice { text });
    }
}
