//! All that hob says: the schema of the JSON form.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde::Serialize;

use super::told::{Told, with_text};
use super::{Did, Elsewhere, EndCause, Hold, Message, Reloaded, State};
use crate::model::ServiceName;
use crate::plan::{Operation, PlannedContainer, Reason};

/// Version of the JSON form, in the first event of every stream.
pub const VERSION: u32 = 2;

/// One thing that hob says. Times are milliseconds unless the name says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// First of every stream.
    Hello {
        /// Version of this schema.
        version: u32,
        /// hob's version.
        hob: String,
        /// The project.
        project: String,
    },
    /// Something to be read once by a person, such as "nothing to do".
    Notice {
        /// The text.
        text: String,
    },
    /// Legal and surely wrong.
    Warning(Message),
    /// Something failed; the session may go on.
    Error(Message),
    /// The plan of what will be done, before it is done.
    Plan {
        /// One entry for each step.
        steps: Vec<PlannedStep>,
        /// Services that need nothing.
        unchanged: Vec<ServiceName>,
        /// The services' containers once it is carried out.
        containers: Vec<PlannedContainer>,
        /// Printed only, not carried out.
        dry_run: bool,
        /// A service whose success is told by [`Event::Reloaded`], and by nothing else.
        #[serde(skip_serializing_if = "Option::is_none")]
        reload_of: Option<ServiceName>,
    },
    /// A step of the plan began.
    StepStarted {
        /// Number of the step within the plan.
        step: usize,
        /// What it does.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<Operation>")]
        op: Operation,
        /// The service it is for.
        service: Option<ServiceName>,
        /// Why it is done.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<Reason>")]
        reason: Reason,
    },
    /// A step waits for something, with how far that is; replaces the last hold of the same step.
    StepHeld {
        /// Number of the step.
        step: usize,
        /// The service it is for.
        service: Option<ServiceName>,
        /// What is waited for.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<Hold>")]
        on: Hold,
    },
    /// A step is done.
    StepDone {
        /// Number of the step.
        step: usize,
        /// What it did.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<Operation>")]
        op: Operation,
        /// The service it is for.
        service: Option<ServiceName>,
        /// How long it took.
        took_ms: u64,
    },
    /// A step failed. Steps that need it are skipped.
    StepFailed {
        /// Number of the step.
        step: usize,
        /// What it tried.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<Operation>")]
        op: Operation,
        /// The service it is for.
        service: Option<ServiceName>,
        /// Why.
        message: Message,
    },
    /// A plan was not carried out as a whole.
    Incomplete {
        /// Services of which something failed.
        failed: Vec<ServiceName>,
        /// Services that were left as they are, because of that.
        left: Vec<ServiceName>,
    },
    /// A step was not tried because another failed.
    StepSkipped {
        /// Number of the step.
        step: usize,
        /// What it would have done.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<Operation>")]
        op: Operation,
        /// The service it is for.
        service: Option<ServiceName>,
        /// What failed.
        because: Message,
    },
    /// Bytes of an image that is being pulled.
    Pulling {
        /// The image.
        image: String,
        /// Bytes that arrived.
        current: u64,
        /// Bytes in all, as far as known.
        total: u64,
    },
    /// Bytes of large files that are being put into a service's container.
    Syncing {
        /// The service.
        service: ServiceName,
        /// Bytes that were sent.
        current: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A step of a build began.
    BuildStep {
        /// Services that the image is for; with `step` the key of the step.
        services: Vec<ServiceName>,
        /// The builder's id of the step.
        step: String,
        /// Its name, such as `[2/4] RUN make`.
        name: String,
    },
    /// Bytes of a build's step.
    BuildTransfer {
        /// Services that the image is for.
        services: Vec<ServiceName>,
        /// The builder's id of the step.
        step: String,
        /// What is counted.
        what: String,
        /// How much is done.
        current: u64,
        /// How much in all; 0 where unknown.
        total: u64,
    },
    /// A line that a build's step wrote.
    BuildOutput {
        /// Services that the image is for.
        services: Vec<ServiceName>,
        /// The builder's id of the step.
        step: String,
        /// The line without its end.
        line: String,
    },
    /// A build's step ended.
    BuildStepDone {
        /// Services that the image is for.
        services: Vec<ServiceName>,
        /// The builder's id of the step.
        step: String,
        /// Its name.
        name: String,
        /// It came from the cache.
        cached: bool,
        /// How long it took.
        took_ms: u64,
        /// Why it failed.
        error: Option<String>,
    },
    /// A line of a service's log.
    Log {
        /// The service.
        service: ServiceName,
        /// Name of the container, or of the host process.
        container: String,
        /// Number of the container within the service.
        number: u32,
        /// `stdout` or `stderr`.
        stream: LogStream,
        /// The line without its end, as the program wrote it.
        line: String,
    },
    /// The output of these services' containers is shown from here on.
    Attaching {
        /// The services.
        services: Vec<ServiceName>,
    },
    /// A service changed its state.
    State {
        /// The service.
        service: ServiceName,
        /// Name of the container.
        container: String,
        /// Number of the container within the service.
        number: u32,
        /// The state.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<State>")]
        state: State,
        /// Another command did it: an event of type `elsewhere` tells of all that it did.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        elsewhere: bool,
    },
    /// Where a service can be reached from the host.
    Url {
        /// The service.
        service: ServiceName,
        /// Such as `http://localhost:8080`.
        url: String,
        /// Something answers there.
        answers: bool,
    },
    /// The stack is up.
    Ready {
        /// Services that run.
        services: usize,
        /// Services that should.
        of: usize,
        /// Since the command began.
        took_ms: u64,
        /// They were seen to be ready; else they were started, and nobody waited.
        waited: bool,
    },
    /// The watch is set: saves from now on are seen.
    Watching {
        /// Services that are watched.
        services: Vec<ServiceName>,
        /// Folders that are watched.
        folders: usize,
    },
    /// What a save did to a service.
    Reloaded(Reloaded),
    /// The image of a service was built in the background, and has what was synced into its containers.
    CaughtUp {
        /// The service.
        service: ServiceName,
        /// How long the build took.
        took_ms: u64,
    },
    /// A table on standard output.
    Table {
        /// Heads of the columns.
        head: Vec<String>,
        /// Rows; mostly as many cells as heads.
        rows: Vec<Vec<String>>,
        /// How it is set.
        #[serde(skip)]
        layout: Layout,
    },
    /// What a plan did to a service, once it is over.
    Changed {
        /// The service.
        service: ServiceName,
        /// What was done.
        did: Did,
        /// Why.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<Reason>")]
        reason: Reason,
    },
    /// Another command changed the project while a session runs.
    Elsewhere(Elsewhere),
    /// Text on standard output: the result of a command such as `config`.
    Output {
        /// The text; a line end is added where it has none.
        text: String,
    },
    /// The session is being ended.
    Stopping {
        /// Why.
        #[serde(serialize_with = "with_text")]
        #[schemars(with = "Told<EndCause>")]
        cause: EndCause,
        /// The services are stopped with it; else they run on.
        services: bool,
        /// A second request kills.
        forced: bool,
    },
}

/// How a table is set. A program that reads the stream has no use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Least width of a column, with the gap behind it.
    pub least: usize,
    /// Blanks between columns.
    pub gap: usize,
    /// On a terminal it takes the place of all that is there.
    pub redraw: bool,
}

impl Layout {
    /// hob's own tables: nothing behind the last column.
    pub const OWN: Self = Self { least: 0, gap: 3, redraw: false };
    /// Those of Docker's `--format table`.
    pub const DOCKER: Self = Self { least: 10, gap: 3, redraw: false };
    /// Those that Compose sets itself: `ls` and `images`.
    pub const COMPOSE: Self = Self { least: 20, gap: 3, redraw: false };
    /// That of Compose's `top`.
    pub const TOP: Self = Self { least: 4, gap: 2, redraw: false };
}

impl Default for Layout {
    fn default() -> Self {
        Self::OWN
    }
}

/// One step of a plan, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Number of the step.
    pub step: usize,
    /// What it does.
    #[serde(serialize_with = "with_text")]
    #[schemars(with = "Told<Operation>")]
    pub op: Operation,
    /// The service it is for.
    pub service: Option<ServiceName>,
    /// Why.
    #[serde(serialize_with = "with_text")]
    #[schemars(with = "Told<Reason>")]
    pub reason: Reason,
    /// Steps that must be done before.
    pub after: Vec<usize>,
}

/// Which stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The JSON Schema of the JSON form, published in `schema/events.schema.json`.
pub fn json_schema() -> serde_json::Value {
    SchemaGenerator::from(SchemaSettings::draft2020_12().for_serialize()).into_root_schema_for::<Event>().to_value()
}
