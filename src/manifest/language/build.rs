//! `services.*.build`.

use super::common::{
    BOOL, BUILD_ULIMITS, EXTRA_HOSTS, FILE_REFERENCES, PAIRS, REPEATABLE_STRINGS, SIZE, STRING, STRING_OR_BOOL,
    VARIABLES,
};
use super::shape::{Key, Merge, Object, Shape, ShortForm, Unique};

/// A context alone, or all of it.
pub const BUILD: Shape = Shape::Either(&[STRING, Shape::Object(&OBJECT)]);

const OBJECT: Object = Object {
    title: "a build",
    keys: &[
        Key::new("context", &STRING, "The build's context: a folder, or the URL of a repository."),
        Key::new("dockerfile", &STRING, "The Dockerfile, relative to the context."),
        Key::new("dockerfile_inline", &STRING, "The text of the Dockerfile, instead of a file."),
        Key::new("entitlements", &REPEATABLE_STRINGS, "Extra privileges that the build may use."),
        Key::new("args", &VARIABLES, "Build arguments.")
            .after_merge(ShortForm::Variables)
            .merge(Merge::Sequence)
            .unique(Unique::Key),
        Key::new("ssh", &PAIRS, "SSH agents for RUN --mount=type=ssh: your own, a socket, or key files.")
            .before_merge(ShortForm::Ssh),
        Key::new("labels", &PAIRS, "Labels of the image.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("cache_from", &REPEATABLE_STRINGS, "Where the builder may take cached layers from."),
        Key::new("cache_to", &REPEATABLE_STRINGS, "Where the builder writes cached layers to."),
        Key::new("no_cache", &BOOL, "Build without the cache."),
        Key::new("additional_contexts", &PAIRS, "More contexts, by name.")
            .before_merge(ShortForm::Pairs)
            .merge(Merge::Sequence)
            .unique(Unique::Key),
        Key::new("network", &STRING, "The network of RUN instructions."),
        Key::new("provenance", &STRING_OR_BOOL, "Add a provenance attestation."),
        Key::new("sbom", &STRING_OR_BOOL, "Add an SBOM attestation."),
        Key::new("pull", &BOOL, "Always ask the registry for the base images."),
        Key::new("target", &STRING, "The stage to build."),
        Key::new("shm_size", &SIZE, "Size of /dev/shm during the build."),
        Key::new("extra_hosts", &EXTRA_HOSTS, "Lines for /etc/hosts during the build.")
            .after_merge(ShortForm::Hosts)
            .merge(Merge::Hosts),
        Key::new("isolation", &STRING, "Isolation technology of the build."),
        Key::new("privileged", &BOOL, "Build with elevated privileges."),
        Key::new("secrets", &FILE_REFERENCES, "Secrets for RUN --mount=type=secret.")
            .before_merge(ShortForm::FileReferences),
        Key::new("tags", &REPEATABLE_STRINGS, "More names for the image.").unique(Unique::Key),
        Key::new("ulimits", &BUILD_ULIMITS, "Resource limits during the build."),
        Key::new("platforms", &REPEATABLE_STRINGS, "Platforms to build for."),
    ],
    required: &[],
    extensions: true,
};
