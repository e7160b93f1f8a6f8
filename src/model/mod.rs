//! What the rest of hob talks about: the project as it should be, the engine's state as it is, and the names of
//! things. No I/O and no imports from other layers.

mod archive;
mod canonical;
mod delta;
mod digest;
mod effect;
mod graph;
pub mod labels;
mod measured;
mod names;
mod observed;
mod origins;
mod part;
mod parts;
mod paths;
mod project;
mod rebuild;
mod reference;
mod scalar;
mod service;
mod spec;
mod suggest;
pub mod time;
mod tree;
mod used;
mod variable;

pub use archive::is_archive;
pub use canonical::Extensions;
pub use delta::{Delta, Look, LookKind, Put, PutKind, PutOwner, Removed};
pub use digest::Digest;
pub use effect::{Aside, CopiedBy, Effect, Effects, SyncAction, SyncTarget};
pub use graph::Graph;
pub use measured::{Measured, Reloader, Watch};
pub use names::{ContainerId, ImageId, NetworkId, ProjectName, ServiceName};
pub use observed::{
    ContainerState, Content, EngineInfo, Health, HealthProbe, Observed, ObservedContainer, ObservedImage,
    ObservedMount, ObservedNetwork, ObservedVolume, Processes, Published,
};
pub use origins::{Location, Origins};
pub use part::Part;
pub use parts::{FileParts, Parts};
pub use paths::{clean_path, is_repository};
#[cfg(test)]
pub use project::IpamPool;
pub use project::{Ipam, Network, Project, Secret, Volume};
pub use rebuild::{Fallback, Place, RebuildReason};
pub use reference::{
    familiar_name, full_name, reference_problem, registry_of, split_reference, with_tag, without_latest,
};
pub use scalar::{ByteSize, Interval};
pub use service::{
    Attachment, BindOptions, Build, Condition, Dependency, DeviceRequest, FileReference, HealthCheck, Hook, Mount,
    MountType, Port, Reload, Resource, RuleName, Service, Ulimit, VolumeOptions, WatchAction, WatchRule,
};
pub use spec::{ContainerSpec, InjectedFile, NetworkSpec, Owned, VolumeSpec};
pub use suggest::closest;
pub use tree::{Entry, EntryKind, FileTree, Listed};
pub use variable::is_on;
