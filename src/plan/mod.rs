//! From what should be and what is to what is to be done, each step with its reason. Pure: the same input gives the
//! same plan, and a plan that was carried out leaves nothing to do.

mod bake;
mod brake;
mod change;
mod containers;
mod debounce;
mod delta;
mod down;
mod kill;
pub mod labels;
mod networks;
mod op;
mod operation;
mod pause;
mod prune;
mod pull;
mod reason;
mod reconcile;
mod reload;
mod scope;
mod spec;
mod start;
#[cfg(test)]
mod tests;
mod variables;
mod wanted;

pub use bake::bake;
pub use brake::{Brake, Braked, Round};
pub use change::{Decision, Running, decide, follows};
pub use debounce::Debouncer;
pub use delta::{LayerEntry, Layered, Looks, is_delta, key as layer_key, layer, paths as layer_paths};
pub use down::{DownOptions, Images, down, restart, stop};
pub use kill::{kill, remove};
pub use labels::Labels;
pub use op::{Create, Op, Plan, PlannedContainer, Step, StepId, Until};
pub use operation::Operation;
pub use pause::{pause, unpause};
pub use prune::{KEPT_IMAGES, PRUNED_ABOVE, superseded};
pub use pull::{pull, pulled};
pub use reason::Reason;
pub use reconcile::{Input, PlanError, Recreate, UpOptions, bases, images, resources, up};
pub use reload::{HoldReason, ReloadReason};
pub use scope::scope;
pub use spec::{before_start_specs, container_spec};
pub use start::start;
pub use wanted::{BY_DIGEST, Base, Wanted, WantedImage, by_digest};
