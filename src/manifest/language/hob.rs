//! hob's own keys of a service.

use super::common::{COUNT, DURATION, REPEATABLE_STRINGS, STRING, STRING_OR_STRINGS, TEST, VARIABLES, one_of};
use super::shape::{Key, Object, Shape, ShortForm};

/// What follows a hot sync.
pub const RELOAD: Shape = Shape::Either(&[
    one_of(&["restart", "none", "container", "rebuild"]),
    Shape::Object(&Object {
        title: "a reload rule",
        keys: &[
            Key::new("signal", &STRING, "Send this signal to the service's command, such as `SIGHUP`."),
            Key::new("exec", &TEST, "Run this command in the container.").after_merge(ShortForm::Command),
        ],
        required: &[],
        extensions: false,
    }),
]);

/// Steps before the build: one, or a list.
pub const PREPARE: Shape = Shape::Either(&[Shape::Object(&STEP), Shape::List(&Shape::Object(&STEP), false)]);

const STEP: Object = Object {
    title: "a prepare step",
    keys: &[
        Key::new("run", &TEST, "The command, run on the host.").after_merge(ShortForm::Command),
        Key::new("inputs", &STRING_OR_STRINGS, "Files or patterns that it reads; it runs only when one changed."),
        Key::new("outputs", &STRING_OR_STRINGS, "Files or folders that it makes."),
        Key::new("workdir", &STRING, "The folder to run it in."),
        Key::new("environment", &VARIABLES, "Variables for it."),
    ],
    required: &["run"],
    extensions: false,
};

/// A service that runs on the host.
pub const PROCESS: Shape = Shape::Either(&[
    STRING,
    REPEATABLE_STRINGS,
    Shape::Object(&Object {
        title: "a host process",
        keys: &[
            Key::new("command", &TEST, "The command.").after_merge(ShortForm::Command),
            Key::new("workdir", &STRING, "The folder to run it in."),
            Key::new("environment", &VARIABLES, "Variables for it."),
            Key::new("stop_signal", &STRING, "The signal that stops it, SIGTERM unless set."),
            Key::new("stop_grace_period", &DURATION, "Time before it is killed, ten seconds unless set."),
        ],
        required: &["command"],
        extensions: false,
    }),
]);

/// A continuous check from outside the container.
pub const PROBE: Shape = Shape::Object(&Object {
    title: "a probe",
    keys: &[
        Key::new("http", &STRING, "A URL that must answer with a status from 200 to 399."),
        Key::new("tcp", &STRING, "A `host:port` that must accept a connection."),
        Key::new("grpc", &STRING, "A `host:port` whose gRPC health service must say that it serves."),
        Key::new("log", &STRING, "A regular expression that a line of the log must match."),
        Key::new("interval", &DURATION, "Time between two checks."),
        Key::new("timeout", &DURATION, "Time for one check."),
        Key::new("failures", &COUNT, "Failures in a row before it counts as down."),
        Key::new("successes", &COUNT, "Successes in a row before it counts as up."),
    ],
    required: &[],
    extensions: false,
});
