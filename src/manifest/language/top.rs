//! The top level: `services`, `networks`, `volumes` and their like.

use super::common::{
    BOOL, NULL, OPTIONS, PAIRS, REPEATABLE_STRINGS, STRICT_INT, STRING, STRING_MAP, STRING_OR_STRINGS,
};
use super::service::SERVICE;
use super::shape::{Entries, Key, Merge, Object, Shape, Unique};

/// The whole manifest.
pub const MANIFEST: Object = Object {
    title: "the manifest",
    keys: &[
        Key::new("version", &STRING, "Ignored: the version of an old file format."),
        Key::new("name", &STRING, "The project's name."),
        Key::new("include", &INCLUDE, "Other manifests that are part of this one."),
        Key::new("services", &Shape::Map(&SERVICES), "The services."),
        Key::new("networks", &Shape::Map(&NETWORKS), "The networks."),
        Key::new("volumes", &Shape::Map(&VOLUMES), "The named volumes."),
        Key::new("secrets", &Shape::Map(&SECRETS), "The secrets."),
        Key::new("configs", &Shape::Map(&CONFIGS), "The configs."),
        Key::new("models", &Shape::Map(&MODELS), "The AI models."),
    ],
    required: &[],
    extensions: true,
};

const fn entries(title: &'static str, shape: Shape, names: bool) -> Entries {
    Entries { title, shape, names }
}

const SERVICES: Entries = entries("service", Shape::Object(&SERVICE), true);
const NETWORKS: Entries = entries("network", NETWORK, false);
const VOLUMES: Entries = entries("volume", VOLUME, true);
const SECRETS: Entries = entries("secret", SECRET, true);
const CONFIGS: Entries = entries("config", CONFIG, true);
const MODELS: Entries = entries("model", MODEL, false);

const INCLUDE: Shape = Shape::List(&Shape::Either(&[STRING, Shape::Object(&INCLUDED)]), false);

const INCLUDED: Object = Object {
    title: "an include",
    keys: &[
        Key::new("path", &STRING_OR_STRINGS, "The manifest; of several, the later ones override the first."),
        Key::new("env_file", &STRING_OR_STRINGS, "Files with the variables of the included manifest."),
        Key::new("project_directory", &STRING, "Where the included manifest's relative paths start."),
    ],
    required: &[],
    extensions: false,
};

const EXTERNAL: Shape = Shape::Either(&[
    BOOL,
    Shape::Object(&Object {
        title: "an external resource",
        keys: &[Key::new("name", &STRING, "The engine's name of it; `name` beside `external` is the newer form.")],
        required: &[],
        extensions: true,
    }),
]);

const LABELS: Key = Key::new("labels", &PAIRS, "Labels.");
const NAME: Key = Key::new("name", &STRING, "The engine's name of it, instead of project and key.");
const IS_EXTERNAL: Key = Key::new("external", &EXTERNAL, "It exists already, and hob neither makes nor removes it.");
const DRIVER: Key = Key::new("driver", &STRING, "The driver.");
const DRIVER_OPTS: Key = Key::new("driver_opts", &OPTIONS, "Options of the driver.");
const FILE: Key = Key::new("file", &STRING, "A file of the host with the content.");
const ENVIRONMENT: Key = Key::new("environment", &STRING, "A variable of hob's environment with the content.");
const CONTENT: Key = Key::new("content", &STRING, "The content itself.");
const TEMPLATE_DRIVER: Key = Key::new("template_driver", &STRING, "The driver for templates in the content.");

const NETWORK: Shape = Shape::Either(&[
    Shape::Object(&Object {
        title: "a network",
        keys: &[
            NAME,
            DRIVER,
            DRIVER_OPTS,
            Key::new("ipam", &Shape::Object(&IPAM), "Address management."),
            IS_EXTERNAL,
            Key::new("internal", &BOOL, "No way out of the network."),
            Key::new("enable_ipv4", &BOOL, "Give addresses of version 4."),
            Key::new("enable_ipv6", &BOOL, "Give addresses of version 6."),
            Key::new("attachable", &BOOL, "Other containers may join."),
            LABELS.merge(Merge::Sequence).unique(Unique::Key),
        ],
        required: &[],
        extensions: true,
    }),
    NULL,
]);

const IPAM: Object = Object {
    title: "address management",
    keys: &[
        DRIVER,
        Key::new("config", &Shape::List(&Shape::Object(&POOL), false), "Address pools.").merge(Merge::Pools),
        Key::new("options", &STRING_MAP, "Options of the driver.").unique(Unique::Key),
    ],
    required: &[],
    extensions: true,
};

const POOL: Object = Object {
    title: "an address pool",
    keys: &[
        Key::new("subnet", &STRING, "The pool in CIDR form."),
        Key::new("ip_range", &STRING, "The part that containers get addresses from."),
        Key::new("gateway", &STRING, "The gateway's address."),
        Key::new("aux_addresses", &STRING_MAP, "Addresses that are taken, by host name."),
    ],
    required: &[],
    extensions: true,
};

const VOLUME: Shape = Shape::Either(&[
    Shape::Object(&Object {
        title: "a volume",
        keys: &[NAME, DRIVER, DRIVER_OPTS, IS_EXTERNAL, LABELS.merge(Merge::Sequence)],
        required: &[],
        extensions: true,
    }),
    NULL,
]);

const SECRET: Shape = Shape::Object(&Object {
    title: "a secret",
    keys: &[NAME, FILE, ENVIRONMENT, CONTENT, IS_EXTERNAL, LABELS, DRIVER, DRIVER_OPTS, TEMPLATE_DRIVER],
    required: &[],
    extensions: true,
});

const CONFIG: Shape = Shape::Object(&Object {
    title: "a config",
    keys: &[NAME, FILE, ENVIRONMENT, CONTENT, IS_EXTERNAL, LABELS, TEMPLATE_DRIVER],
    required: &[],
    extensions: true,
});

const MODEL: Shape = Shape::Object(&Object {
    title: "a model",
    keys: &[
        NAME,
        Key::new("model", &STRING, "The model's reference in a registry."),
        Key::new("context_size", &STRICT_INT.zero_is_unset(), "Size of the context in tokens."),
        Key::new("runtime_flags", &REPEATABLE_STRINGS, "Flags of the model runner."),
    ],
    required: &["model"],
    extensions: true,
});
