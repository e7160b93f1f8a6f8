//! The keys of all labels: Compose's, so that its own commands and every dashboard group what hob starts, and hob's,
//! which hold the state that the next run compares with.

/// `com.docker.compose.project`: the project's name.
pub const PROJECT: &str = "com.docker.compose.project";
/// `com.docker.compose.service`: the service's key.
pub const SERVICE: &str = "com.docker.compose.service";
/// `com.docker.compose.container-number`: counts from one within a service.
pub const NUMBER: &str = "com.docker.compose.container-number";
/// `com.docker.compose.slug`: tells containers of `run` apart, which have no number.
pub const SLUG: &str = "com.docker.compose.slug";
/// `com.docker.compose.oneoff`: `True` for containers of `run`.
pub const ONEOFF: &str = "com.docker.compose.oneoff";
/// `com.docker.compose.config-hash`. Every container that was made for a project has it, and no image: a container that
/// somebody runs of a service's image has that image's project and service as labels, and is nobody's. Docker Compose
/// tells them apart so too.
pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// `com.docker.compose.network`: the network's key.
pub const NETWORK: &str = "com.docker.compose.network";
/// `com.docker.compose.volume`: the volume's key.
pub const VOLUME: &str = "com.docker.compose.volume";
/// `com.docker.compose.project.config_files`: the manifest files, with commas between them.
pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// `com.docker.compose.project.working_dir`: the folder that the manifest's relative paths start from.
pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
/// `com.docker.compose.depends_on`: `SERVICE:CONDITION:RESTART`, with commas between them.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// hob's: short digests of the configuration, key by key, as JSON.
pub const CONFIG: &str = "io.hob.config";
/// hob's: digest of what the build of the container's image read.
pub const INPUTS: &str = "io.hob.inputs";
/// hob's: id of the image that a container was made for.
pub const IMAGE: &str = "io.hob.image";
/// Value of [`INPUTS`] in a container whose image was not confirmed to be what was measured.
pub const UNCONFIRMED: &str = "unconfirmed";
/// hob's: of an image, the arguments that the command line of its `build` gave, as JSON.
pub const ARGS: &str = "io.hob.args";
/// hob's: of an image that is another one with a layer more, the digest of what that one's build read.
pub const DELTA: &str = "io.hob.delta";
/// hob's: build id of the agent in the container.
pub const AGENT: &str = "io.hob.agent";
/// hob's: why the container was made.
pub const WHY: &str = "io.hob.why";
/// Value of [`AGENT`] in a container that should have one and cannot.
pub const NO_AGENT: &str = "none";
/// `com.docker.compose.version`: what made it.
pub const VERSION: &str = "com.docker.compose.version";
/// hob's: the anonymous volumes that a container took over from the one before it, with commas between them. It mounts
/// them by name, so an engine does not remove them with it by itself.
pub const INHERITED: &str = "io.hob.inherited";
/// hob's: the process which made a container, where the container needs it.
pub const OWNED: &str = "io.hob.owned";
/// hob's: a container that is only there for a look into its image.
pub const LOOK: &str = "io.hob.look";
/// hob's: digests of variables, by name, as JSON. They are salted: a value that is easy to guess cannot be guessed.
pub const VARIABLES: &str = "io.hob.variables";
