//! Shapes that many keys share.

use super::shape::{Cast, Check, Entries, Key, Lower, Object, Scalar, Shape, ShortForm, Types};

const fn scalar(types: Types, cast: Cast, check: Check) -> Shape {
    Shape::Scalar(Scalar::new(types, cast, check))
}

pub const ANY: Shape = Shape::Any;
pub const STRING: Shape = scalar(Types::STRING, Cast::None, Check::None);
pub const NULL: Shape = scalar(Types::NULL, Cast::None, Check::None);
/// `true`, or a string that says so.
pub const BOOL: Shape = scalar(Types::BOOLEAN.or(Types::STRING), Cast::Bool, Check::None);
/// `true` and nothing else.
pub const STRICT_BOOL: Shape = scalar(Types::BOOLEAN, Cast::None, Check::None);
/// A string, or a boolean that becomes one.
pub const STRING_OR_BOOL: Shape = scalar(Types::BOOLEAN.or(Types::STRING), Cast::None, Check::None).lower(Lower::Text);
pub const INT: Shape = scalar(Types::INTEGER.or(Types::STRING), Cast::Int, Check::None);
pub const STRICT_INT: Shape = scalar(Types::INTEGER, Cast::None, Check::None);
/// A number that is read as a whole one.
pub const COUNT: Shape = scalar(Types::NUMBER.or(Types::STRING), Cast::Int, Check::None);
/// As `COUNT`, where zero is what is there anyway.
pub const LIMIT: Shape = COUNT.zero_is_unset();
pub const FLOAT: Shape = scalar(Types::NUMBER.or(Types::STRING), Cast::Float, Check::None);
/// A number or a string, kept as it is.
pub const STRING_OR_NUMBER: Shape = scalar(Types::NUMBER.or(Types::STRING), Cast::None, Check::None);
/// Permissions.
const OCTAL: Shape = scalar(Types::NUMBER.or(Types::STRING), Cast::None, Check::Octal);
/// A string, or a whole number that becomes one.
pub const STRING_OR_INT: Shape = scalar(Types::INTEGER.or(Types::STRING), Cast::None, Check::None).lower(Lower::Text);
/// A whole number, perhaps in a string.
pub const INT_OR_STRING: Shape = scalar(Types::INTEGER.or(Types::STRING), Cast::None, Check::None).lower(Lower::Whole);
pub const SIZE: Shape = scalar(Types::NUMBER.or(Types::STRING), Cast::None, Check::Size);
/// A byte size in a string; a bare number is refused.
pub const STRING_SIZE: Shape = scalar(Types::STRING, Cast::None, Check::Size);
pub const DURATION: Shape = scalar(Types::STRING, Cast::None, Check::Duration);
/// Any scalar.
const VALUE: Shape =
    scalar(Types::STRING.or(Types::NUMBER).or(Types::BOOLEAN).or(Types::NULL), Cast::None, Check::None);

/// One of some words.
pub const fn one_of(words: &'static [&'static str]) -> Shape {
    scalar(Types::STRING, Cast::None, Check::OneOf(words))
}

/// A whole number in a range, or a string; zero is what is there anyway.
pub const fn int_between(least: i64, most: i64, cast: Cast) -> Shape {
    scalar(Types::INTEGER.or(Types::STRING), cast, Check::Range(least, most)).zero_is_unset()
}

/// A list of strings in which none may stand twice.
pub const STRINGS: Shape = Shape::List(&STRING, true);
/// A list of strings.
pub const REPEATABLE_STRINGS: Shape = Shape::List(&STRING, false);
/// One string or a list of them.
pub const STRING_OR_STRINGS: Shape = Shape::Either(&[STRING, STRINGS]);
/// A list of strings and whole numbers in which none may stand twice.
pub const STRINGS_OR_INTS: Shape = Shape::List(&STRING_OR_INT, true);
/// `KEY: value` or a list of `KEY=value`.
pub const PAIRS: Shape = Shape::Either(&[Shape::Map(&PAIR_VALUES), STRINGS]);
/// As `PAIRS`, where a key without a value is not the same as one with an empty value.
pub const VARIABLES: Shape = Shape::Either(&[Shape::Map(&VARIABLE_VALUES), STRINGS]);
/// A command: nothing, a line that is split like a shell does, or a list.
pub const COMMAND: Shape = Shape::Either(&[STRING, REPEATABLE_STRINGS, NULL]);
/// A health check's test.
pub const TEST: Shape = Shape::Either(&[STRING, REPEATABLE_STRINGS]);

const PAIR_VALUES: Entries = Entries { title: "key", shape: VALUE.lower(Lower::TextOrEmpty), names: false };
const VARIABLE_VALUES: Entries = Entries { title: "key", shape: VALUE.lower(Lower::Text), names: false };

pub const OPTIONS: Shape =
    Shape::Map(&Entries { title: "option", shape: STRING_OR_NUMBER.lower(Lower::TextOrEmpty), names: false });
pub const LOG_OPTIONS: Shape = Shape::Map(&Entries {
    title: "option",
    shape: scalar(Types::NUMBER.or(Types::STRING).or(Types::NULL), Cast::None, Check::None).lower(Lower::TextOrEmpty),
    names: false,
});
pub const STRING_MAP: Shape =
    Shape::Map(&Entries { title: "key", shape: STRING.lower(Lower::TextOrEmpty), names: false });
pub const FREE_MAP: Shape = Shape::Map(&Entries { title: "key", shape: ANY, names: false });

pub const EXTRA_HOSTS: Shape = Shape::Either(&[
    Shape::Map(&Entries { title: "host", shape: Shape::Either(&[STRING, REPEATABLE_STRINGS]), names: false }),
    STRINGS,
]);

const PAIR: Shape = Shape::Object(&Object {
    title: "a ulimit",
    keys: &[Key::new("soft", &INT, "Soft limit."), Key::new("hard", &INT, "Hard limit.")],
    required: &["soft", "hard"],
    extensions: true,
});

pub const ULIMITS: Shape = Shape::Map(&Entries { title: "limit", shape: Shape::Either(&[INT, PAIR]), names: false });

/// As `ULIMITS`, but a number in a string is refused, as in Compose.
pub const BUILD_ULIMITS: Shape =
    Shape::Map(&Entries { title: "limit", shape: Shape::Either(&[STRICT_INT, PAIR]), names: false });

/// A list of secrets or configs.
pub const FILE_REFERENCES: Shape = Shape::List(
    &Shape::Either(&[
        STRING,
        Shape::Object(&Object {
            title: "a reference to a secret or config",
            keys: &[
                Key::new("source", &STRING, "The key of the secret or config."),
                Key::new("target", &STRING, "Path in the container."),
                Key::new("uid", &STRING, "Owner of the file."),
                Key::new("gid", &STRING, "Group of the file."),
                Key::new("mode", &OCTAL, "Permissions of the file, in octal."),
            ],
            required: &[],
            extensions: true,
        }),
    ]),
    false,
);

pub const HOOK: Object = Object {
    title: "a hook",
    keys: &[
        Key::new("command", &COMMAND, "The command to run in the container.").after_merge(ShortForm::Words),
        Key::new("user", &STRING, "The user to run it as."),
        Key::new("privileged", &BOOL, "Run it with all capabilities."),
        Key::new("working_dir", &STRING, "The folder to run it in."),
        Key::new("environment", &VARIABLES, "Variables for it."),
    ],
    required: &["command"],
    extensions: true,
};

/// A command that is run before a service starts.
pub const PRE_START: Object = Object {
    title: "a hook before the start",
    keys: &[
        Key::new("command", &COMMAND, "The command to run.").after_merge(ShortForm::Words),
        Key::new("image", &STRING, "The image to run it in; the service's own without."),
        Key::new("user", &STRING, "The user to run it as."),
        Key::new("privileged", &BOOL, "Run it with all capabilities."),
        Key::new("working_dir", &STRING, "The folder to run it in."),
        Key::new("environment", &VARIABLES, "Variables for it."),
    ],
    required: &["command"],
    extensions: true,
};

const DEVICE_KEYS: &[Key] = &[
    Key::new("capabilities", &STRINGS, "What the device must be able to do, such as `gpu`."),
    Key::new("count", &INT_OR_STRING, "How many; `all` for every one."),
    Key::new("device_ids", &STRINGS, "Which devices."),
    Key::new("driver", &STRING, "The device's driver."),
    Key::new("options", &PAIRS, "Options of the driver."),
];

/// Devices by capability, under `deploy`.
pub const RESERVED_DEVICES: Shape = Shape::List(
    &Shape::Object(&Object { title: "a device request", keys: DEVICE_KEYS, required: &[], extensions: true }),
    false,
);

/// `gpus`.
pub const GPUS: Shape = Shape::Either(&[
    one_of(&["all"]),
    Shape::List(
        &Shape::Object(&Object { title: "a GPU request", keys: DEVICE_KEYS, required: &[], extensions: true }),
        false,
    ),
]);
