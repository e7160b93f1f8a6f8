//! Everything that hob has to say, as data. Events are the only way to the terminal: `ui` renders them for a person,
//! as plain lines or as JSON. The JSON form is a public interface with a version; within one version fields are only
//! added.

mod elsewhere;
mod failure;
mod message;
mod reload;
mod request;
mod schema;
mod sink;
mod state;
mod told;

pub use crate::plan::{BY_DIGEST, Operation, PlannedContainer, Reason, Until};
pub use elsewhere::{Did, Elsewhere};
pub use failure::{Cause, Failure};
pub use message::{Fact, Message, NeverReady};
pub use reload::{Followed, ReloadAction, Reloaded, Timings};
pub use request::Request;
pub use schema::{Event, Layout, LogStream, PlannedStep, VERSION, json_schema};
pub use sink::Sink;
pub use state::{EndCause, Hold, Pending, State};
