//! Commands on the project as a whole: its manifest, its images, its end.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::KeyValue;

/// Which images `down` removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RemoveImages {
    /// Those that hob named, which a build can bring back
    Local,
    /// Every image that a service uses
    All,
}

/// Stop and remove the project's containers and networks.
///
/// Volumes stay unless `--volumes` is given.
#[derive(Clone, Debug, Default, Args)]
pub struct DownArgs {
    /// Services to remove [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Remove the manifest's named volumes and the containers' anonymous ones
    #[arg(short, long, alias = "volume")]
    pub volumes: bool,

    /// Remove images
    #[arg(long, value_enum, value_name = "WHICH")]
    pub rmi: Option<RemoveImages>,

    /// Remove containers of services that the manifest no longer has
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub remove_orphans: Option<bool>,

    /// Seconds that a container has to stop before it is killed
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// Build images.
///
/// An image that exists for the same inputs is not built again.
#[derive(Clone, Debug, Default, Args)]
pub struct BuildArgs {
    /// Services whose images to build [default: all that have a build]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Do not use the builder's cache, nor an image that is there
    #[arg(long)]
    pub no_cache: bool,

    /// Ask the registry for newer base images
    #[arg(long)]
    pub pull: bool,

    /// Build argument, over those of the manifest; repeatable
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub build_args: Vec<KeyValue>,

    /// SSH agent or keys for the builds, besides those of the manifest: `default`, `ID=SOCKET` or `ID=KEY`; repeatable
    #[arg(long, value_name = "ID[=PATH]")]
    pub ssh: Vec<String>,

    /// Add a provenance attestation; the engine has to keep images in containerd's store
    #[arg(long, value_name = "MODE")]
    pub provenance: Option<String>,

    /// Add an SBOM attestation; the engine has to keep images in containerd's store
    #[arg(long, value_name = "GENERATOR")]
    pub sbom: Option<String>,

    /// Builder to use: hob has the engine's own, `default`, and refuses others
    #[arg(long, value_name = "NAME")]
    pub builder: Option<String>,

    /// Refused: hob does not check Dockerfiles by the builder's rules
    #[arg(long)]
    pub check: bool,

    /// Accepted for scripts: BuildKit has no such limit
    #[arg(short, long, value_name = "BYTES")]
    pub memory: Option<String>,

    /// Build the images of what the services depend on too
    #[arg(long)]
    pub with_dependencies: bool,

    /// Show nothing of the build unless it fails
    #[arg(short, long)]
    pub quiet: bool,

    /// Build nothing, and print the builds as a file for `docker buildx bake`
    #[arg(long)]
    pub print: bool,

    /// Of the builder before BuildKit: no effect.
    #[arg(long, hide = true)]
    pub compress: bool,

    /// Of the builder before BuildKit: no effect.
    #[arg(long, hide = true)]
    pub force_rm: bool,

    /// Of the builder before BuildKit: no effect.
    #[arg(long, hide = true)]
    pub no_rm: bool,
}

/// When `pull` pulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PullPolicyArg {
    /// Where the engine does not have the image
    Missing,
    /// Always
    Always,
}

/// Pull images.
#[derive(Clone, Debug, Default, Args)]
pub struct PullArgs {
    /// Services whose images to pull [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Pull the images of what the services depend on too
    #[arg(long)]
    pub include_deps: bool,

    /// Leave out services that can be built
    #[arg(long)]
    pub ignore_buildable: bool,

    /// Go on when an image cannot be pulled
    #[arg(long)]
    pub ignore_pull_failures: bool,

    /// When to pull
    #[arg(long, value_enum, value_name = "WHEN")]
    pub policy: Option<PullPolicyArg>,

    /// Do not show progress
    #[arg(short, long)]
    pub quiet: bool,

    /// Docker Compose's older form of `--parallel 1`.
    #[arg(long, hide = true)]
    pub no_parallel: bool,
}

/// How `config` prints the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// YAML
    #[default]
    Yaml,
    /// JSON; diagnostics too, as an array
    Json,
}

/// What `config` lists in place of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigList {
    /// Services.
    Services,
    /// Images of services.
    Images,
    /// Volumes.
    Volumes,
    /// Networks.
    Networks,
    /// Models.
    Models,
    /// Profiles.
    Profiles,
    /// Variables that interpolation sees.
    Environment,
    /// Variables that the manifest uses.
    Variables,
    /// A digest of the configuration of these services; `*` for all.
    Hash(String),
    /// Where the value at this path came from.
    Explain(String),
}

/// Check the manifest and print it in canonical form.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Services to print, with what they depend on [default: all]
    #[arg(value_name = "SERVICE")]
    pub services_named: Vec<String>,

    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: ConfigFormat,

    /// Print the services' names, one per line
    #[arg(long)]
    pub services: bool,

    /// Print the images' names, one per line
    #[arg(long)]
    pub images: bool,

    /// Print the volumes' names, one per line
    #[arg(long)]
    pub volumes: bool,

    /// Print the networks' names, one per line
    #[arg(long)]
    pub networks: bool,

    /// Print the models' names, one per line
    #[arg(long)]
    pub models: bool,

    /// Print the profiles' names, one per line
    #[arg(long)]
    pub profiles: bool,

    /// Print the variables that interpolation sees
    #[arg(long)]
    pub environment: bool,

    /// Print the variables that the manifest uses, with their defaults
    #[arg(long)]
    pub variables: bool,

    /// Print a digest of a service's configuration; `*` for every service
    #[arg(long, value_name = "SERVICE")]
    pub hash: Option<String>,

    /// Say where a value came from, such as `services.api.environment.LOG_LEVEL` (hob's own)
    #[arg(long, value_name = "PATH")]
    pub explain: Option<String>,

    /// Leave variables as they are written
    #[arg(long)]
    pub no_interpolate: bool,

    /// Fill in nothing: no default network, no names of resources, no implied dependencies
    #[arg(long)]
    pub no_normalize: bool,

    /// Leave paths as they are written
    #[arg(long)]
    pub no_path_resolution: bool,

    /// Do not hold parts of the manifest against each other
    #[arg(long)]
    pub no_consistency: bool,

    /// Accepted for scripts: env files are read into `environment` all the same, as by Docker Compose 2.40
    #[arg(long)]
    pub no_env_resolution: bool,

    /// Pin images to the digests that their registries have for them
    #[arg(long)]
    pub resolve_image_digests: bool,

    /// Print a manifest that pins the images, to be merged over this one
    #[arg(long)]
    pub lock_image_digests: bool,

    /// Check only, and print nothing but what is wrong
    #[arg(short, long)]
    pub quiet: bool,

    /// Write to a file in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl ConfigArgs {
    /// What to list in place of the model; of several the first one here, as in Compose.
    pub fn list(&self) -> Option<ConfigList> {
        let lists = [
            self.explain.clone().map(ConfigList::Explain),
            self.services.then_some(ConfigList::Services),
            self.volumes.then_some(ConfigList::Volumes),
            self.networks.then_some(ConfigList::Networks),
            self.models.then_some(ConfigList::Models),
            self.hash.clone().map(ConfigList::Hash),
            self.profiles.then_some(ConfigList::Profiles),
            self.images.then_some(ConfigList::Images),
            self.variables.then_some(ConfigList::Variables),
            self.environment.then_some(ConfigList::Environment),
        ];
        lists.into_iter().flatten().next()
    }

    /// A registry has to be asked.
    pub fn asks_registries(&self) -> bool {
        self.resolve_image_digests || self.lock_image_digests
    }
}
