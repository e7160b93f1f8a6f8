//! Files of containers as archives, and images made of containers.

/// What is at a path in a container, links in its last part not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathStat {
    /// A folder.
    pub is_folder: bool,
    /// A device.
    pub is_device: bool,
    /// What it says, where it is a symbolic link.
    pub link: Option<String>,
}

/// How a container becomes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitSpec {
    /// The image's name; `None` for none.
    pub name: Option<String>,
    /// Who made it.
    pub author: String,
    /// What is said about it.
    pub message: String,
    /// Dockerfile instructions that change its configuration.
    pub changes: Vec<String>,
    /// Freeze the container meanwhile.
    pub pause: bool,
}
