//! `services.*.deploy`.

use super::common::{
    DURATION, FLOAT, INT, NULL, PAIRS, REPEATABLE_STRINGS, RESERVED_DEVICES, STRING, STRING_OR_NUMBER, STRING_SIZE,
    one_of,
};
use super::shape::{Key, Lower, Merge, Object, Shape, ShortForm, Unique};

const fn object(keys: &'static [Key], title: &'static str) -> Object {
    Object { title, keys, required: &[], extensions: true }
}

/// Replicas and resources.
pub const DEPLOY: Shape = Shape::Either(&[Shape::Object(&OBJECT), NULL]);

const OBJECT: Object = object(
    &[
        Key::new("mode", &STRING, "`replicated` or `global`."),
        Key::new("endpoint_mode", &STRING, "Service discovery in a swarm."),
        Key::new("replicas", &INT, "Number of containers."),
        Key::new("labels", &PAIRS, "Labels of the service in a swarm.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("rollback_config", &Shape::Object(&UPDATE), "How a swarm rolls an update back."),
        Key::new("update_config", &Shape::Object(&UPDATE), "How a swarm updates the service."),
        Key::new("resources", &Shape::Object(&RESOURCES), "Limits and reservations."),
        Key::new("restart_policy", &Shape::Object(&RESTART), "When a container is started again."),
        Key::new("placement", &Shape::Object(&PLACEMENT), "Where a swarm runs it."),
    ],
    "a deployment",
);

const UPDATE: Object = object(
    &[
        Key::new("parallelism", &INT, "Containers at a time."),
        Key::new("delay", &DURATION, "Time between two groups."),
        Key::new("failure_action", &STRING, "What follows a failure."),
        Key::new("monitor", &DURATION, "How long a container is watched for failures."),
        Key::new("max_failure_ratio", &FLOAT, "Failures that are tolerated."),
        Key::new("order", &one_of(&["start-first", "stop-first"]), "Start the new or stop the old first."),
    ],
    "an update policy",
);

const RESOURCES: Object = object(
    &[
        Key::new("limits", &Shape::Object(&LIMITS), "At most."),
        Key::new("reservations", &Shape::Object(&RESERVATIONS), "At least."),
    ],
    "resources",
);

const LIMITS: Object = object(
    &[
        Key::new("cpus", &STRING_OR_NUMBER.lower(Lower::Cpus).zero_is_unset(), "Number of CPUs."),
        Key::new("memory", &STRING_SIZE, "Memory."),
        Key::new("pids", &INT.zero_is_unset(), "Number of processes."),
    ],
    "limits",
);

const RESERVATIONS: Object = object(
    &[
        Key::new("cpus", &STRING_OR_NUMBER.lower(Lower::Cpus).zero_is_unset(), "Number of CPUs."),
        Key::new("memory", &STRING_SIZE, "Memory."),
        Key::new("generic_resources", &GENERIC, "Resources of a swarm's own kinds."),
        Key::new("devices", &RESERVED_DEVICES, "Devices by capability.").after_merge(ShortForm::DeviceRequests),
    ],
    "reservations",
);

const GENERIC: Shape = Shape::List(
    &Shape::Object(&object(
        &[Key::new("discrete_resource_spec", &Shape::Object(&DISCRETE), "A number of a kind.")],
        "a generic resource",
    )),
    false,
);

const DISCRETE: Object = object(
    &[Key::new("kind", &STRING, "The kind."), Key::new("value", &super::common::COUNT, "How many.")],
    "a discrete resource",
);

const RESTART: Object = object(
    &[
        Key::new("condition", &STRING, "`none`, `on-failure` or `any`."),
        Key::new("delay", &DURATION, "Time between attempts."),
        Key::new("max_attempts", &INT, "Attempts before giving up."),
        Key::new("window", &DURATION, "Time after which a start counts as successful."),
    ],
    "a restart policy",
);

const PLACEMENT: Object = object(
    &[
        Key::new("constraints", &REPEATABLE_STRINGS, "What a node must be like."),
        Key::new("preferences", &PREFERENCES, "How containers are spread."),
        Key::new("max_replicas_per_node", &INT, "Containers on one node at most."),
    ],
    "a placement",
);

const PREFERENCES: Shape = Shape::List(
    &Shape::Object(&object(&[Key::new("spread", &STRING, "A label of the nodes.")], "a preference")),
    false,
);
