//! Names as types, so that a service name is never passed where an image id is expected.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a name that its source has already checked.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    };
}

name! {
    /// A project's name: `[a-z0-9][a-z0-9_-]*`, as the Compose Specification restricts it.
    ProjectName
}
name! {
    /// A service's key in the manifest.
    ServiceName
}
name! {
    /// A container's id as the engine gives it.
    ContainerId
}
name! {
    /// An image's id as the engine gives it: a config digest on the classic store, a manifest digest on containerd's.
    ImageId
}
name! {
    /// A network's id as the engine gives it.
    NetworkId
}

impl ContainerId {
    /// The first twelve characters, as `docker ps` prints them.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}
