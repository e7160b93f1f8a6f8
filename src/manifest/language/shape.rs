//! What a row of the table can say.

/// The scalar types that a key accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types(pub u8);

impl Types {
    /// Text.
    pub const STRING: Self = Self(1);
    /// A whole number.
    pub const INTEGER: Self = Self(2);
    /// Any number.
    pub const NUMBER: Self = Self(2 | 4);
    /// True or false.
    pub const BOOLEAN: Self = Self(8);
    /// Nothing.
    pub const NULL: Self = Self(16);

    /// Both.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is accepted.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How a string is read where the value is no string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// As text.
    None,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
}

/// What a value must be besides its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing more.
    None,
    /// A number of bytes with or without a unit.
    Size,
    /// A duration.
    Duration,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A whole number in this range.
    Range(i64, i64),
    /// Permissions in octal.
    Octal,
    /// A container's name.
    ContainerName,
    /// When an image is pulled.
    PullPolicy,
}

/// What the model gets of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lower {
    /// What was written.
    Same,
    /// Text.
    Text,
    /// Text, and an empty one for nothing.
    TextOrEmpty,
    /// A list with one text.
    TextInList,
    /// A whole number; a fraction is cut off.
    Whole,
    /// A whole number of bytes.
    Bytes,
    /// A duration as Go prints it.
    Duration,
    /// A number of CPUs.
    Cpus,
    /// Permissions as octal text.
    Octal,
}

/// A scalar value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Accepted types.
    pub types: Types,
    /// How strings are read.
    pub cast: Cast,
    /// What else must hold.
    pub check: Check,
    /// What the model gets.
    pub lower: Lower,
    /// Zero says nothing: it is what is there anyway.
    pub zero_is_unset: bool,
}

impl Scalar {
    /// A scalar that is lowered as its check and its cast suggest.
    pub const fn new(types: Types, cast: Cast, check: Check) -> Self {
        let lower = match (check, cast) {
            (Check::Size, _) => Lower::Bytes,
            (Check::Duration, _) => Lower::Duration,
            (Check::Octal, _) => Lower::Octal,
            (_, Cast::Int) => Lower::Whole,
            _ => Lower::Same,
        };
        Self { types, cast, check, lower, zero_is_unset: matches!(check, Check::Size) }
    }
}

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Anything at all; a scalar becomes text.
    Any,
    /// A scalar.
    Scalar(Scalar),
    /// A mapping with known keys.
    Object(&'static Object),
    /// A mapping from free names.
    Map(&'static Entries),
    /// A list, and whether equal items are refused.
    List(&'static Shape, bool),
    /// One of several shapes, told apart by the kind of value.
    Either(&'static [Self]),
}

/// A mapping with known keys.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// What it is, for messages: "a service", "a build".
    pub title: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// Whether `x-` keys are allowed.
    pub extensions: bool,
}

/// A mapping from free names.
#[derive(Clone, Copy, Debug)]
pub struct Entries {
    /// What a name names, for messages: "service", "variable".
    pub title: &'static str,
    /// The shape of each value.
    pub shape: Shape,
    /// Whether names are restricted to letters, digits, `.`, `_` and `-`; other names are refused.
    pub names: bool,
}

/// How a value of a later file joins the value of an earlier one. What has no rule of its own is merged by kind:
/// mappings by key, lists are joined, and a later scalar replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// By kind.
    Default,
    /// The later replaces the earlier.
    Replace,
    /// Mappings become lists of `key=value`, and the lists are joined.
    Sequence,
    /// As `Sequence`, leaving out what is there already.
    Hosts,
    /// Lists become mappings by name, and the mappings are merged.
    Names,
    /// As `Names`, with a condition for each.
    Dependencies,
    /// A string becomes a mapping with `context`.
    Build,
    /// Mappings are merged only if the drivers agree.
    Logging,
    /// Mappings are merged by key, and each later entry replaces the earlier one.
    Limits,
    /// Address pools are matched by subnet.
    Pools,
}

/// What makes an item of a list the same as another; the last one wins and takes the first one's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// Items are never the same.
    No,
    /// The text before `=`.
    Key,
    /// The text, or the number as text.
    Text,
    /// The path in the container.
    MountTarget,
    /// The path in the container, `/run/secrets/source` by default.
    SecretTarget,
    /// The path in the container, `/source` by default.
    ConfigTarget,
    /// Address, published port, target and protocol.
    Port,
    /// The path of an env file.
    EnvFile,
    /// The path in the container of a device.
    Device,
}

/// What may be written for short, and the long form that it is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShortForm {
    /// There is none.
    None,
    /// One string for a list of one.
    Strings,
    /// A list of `KEY=value` for a mapping.
    Pairs,
    /// As `Pairs`; a space before the `=` is an error.
    Variables,
    /// A list of names for a mapping.
    Names,
    /// As `Names`, with a condition for each.
    Dependencies,
    /// A context for a build.
    Build,
    /// SSH agents and keys as a mapping or one string, for a list of `id` or `id=path`.
    Ssh,
    /// Items that are the key of a secret or config.
    FileReferences,
    /// Items such as `/dev/a:/dev/b:rw`.
    Devices,
    /// A path or a list of them for env files.
    EnvFiles,
    /// `all` for a list of requests.
    Gpus,
    /// Requests without a count, or with `all` or text as one.
    DeviceRequests,
    /// Items such as `8080:80/tcp`, and numbers.
    Ports,
    /// Items such as `./src:/app:ro`.
    Mounts,
    /// A command line for a list of words.
    Words,
    /// A command line for a list of words; with shell operators it is for a shell.
    Command,
    /// A command line for a shell, in the words of a health check.
    ShellTest,
    /// Lines for `/etc/hosts` in a mapping, or with `:`, for a sorted list of `name=address`.
    Hosts,
    /// One mapping for a list of one.
    Items,
    /// A command for a mapping with `command`.
    Process,
}

impl ShortForm {
    /// What the shape alone says: a list for a mapping, or one string for a list of them.
    const fn of(shape: &Shape) -> Self {
        match shape {
            Shape::Either([Shape::Map(_), Shape::List(..)]) => Self::Pairs,
            Shape::Either([Shape::Scalar(_), Shape::List(Shape::Scalar(_), _)]) => Self::Strings,
            _ => Self::None,
        }
    }
}

/// One key of the language.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// The shape of its value.
    pub shape: &'static Shape,
    /// How it merges.
    pub merge: Merge,
    /// When two items of its list are the same.
    pub unique: Unique,
    /// Its short form that merging must not see: it is brought to the long one after every document.
    pub before_merge: ShortForm,
    /// Its short form that is left until everything is merged.
    pub after_merge: ShortForm,
    /// What it means, for the schema and for editors.
    pub doc: &'static str,
}

impl Key {
    /// A key that merges by kind, with the short form that its shape suggests, which is left until everything is merged.
    pub const fn new(name: &'static str, shape: &'static Shape, doc: &'static str) -> Self {
        let after_merge = ShortForm::of(shape);
        Self { name, shape, merge: Merge::Default, unique: Unique::No, before_merge: ShortForm::None, after_merge, doc }
    }

    /// The same with a short form that merging must not see, and none that is left.
    pub const fn before_merge(self, before_merge: ShortForm) -> Self {
        Self { before_merge, after_merge: ShortForm::None, ..self }
    }

    /// The same with a short form that is left until everything is merged.
    pub const fn after_merge(self, after_merge: ShortForm) -> Self {
        Self { after_merge, ..self }
    }

    /// The same with a rule for merging.
    pub const fn merge(self, merge: Merge) -> Self {
        Self { merge, ..self }
    }

    /// The same with a rule for equal items.
    pub const fn unique(self, unique: Unique) -> Self {
        Self { unique, ..self }
    }
}

impl Object {
    /// The row of a key.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        // Every pass asks for every key: the ends of a word tell most words apart.
        let ends = |word: &str| (word.len(), word.as_bytes().first().copied(), word.as_bytes().last().copied());
        let wanted = ends(name);
        self.keys.iter().find(|key| ends(key.name) == wanted && key.name == name)
    }
}

impl Shape {
    /// A scalar shape that is lowered in another way.
    pub const fn lower(self, lower: Lower) -> Self {
        match self {
            Self::Scalar(scalar) => Self::Scalar(Scalar { lower, ..scalar }),
            other => other,
        }
    }

    /// A scalar shape whose zero says nothing.
    pub const fn zero_is_unset(self) -> Self {
        match self {
            Self::Scalar(scalar) => Self::Scalar(Scalar { zero_is_unset: true, ..scalar }),
            other => other,
        }
    }

    /// Whether a value of this shape may have keys or items of its own.
    pub fn is_nested(&self) -> bool {
        match self {
            Self::Any | Self::Scalar(_) => false,
            Self::Object(_) | Self::Map(_) | Self::List(..) => true,
            Self::Either(shapes) => shapes.iter().any(Self::is_nested),
        }
    }

    /// The shape below a key or an item, where a value of this shape has one.
    pub fn object(&self) -> Option<&'static Object> {
        match self {
            Self::Object(object) => Some(object),
            Self::Either(shapes) => shapes.iter().find_map(Self::object),
            _ => None,
        }
    }

    /// The entries of a mapping with free names.
    pub fn entries(&self) -> Option<&'static Entries> {
        match self {
            Self::Map(entries) => Some(entries),
            Self::Either(shapes) => shapes.iter().find_map(Self::entries),
            _ => None,
        }
    }

    /// The shape of a list's items.
    pub fn items(&self) -> Option<&'static Self> {
        match self {
            Self::List(shape, _) => Some(shape),
            Self::Either(shapes) => shapes.iter().find_map(Self::items),
            _ => None,
        }
    }

    /// The scalar that is accepted; where there are several, the first.
    pub fn scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            Self::Either(shapes) => shapes.iter().find_map(Self::scalar),
            _ => None,
        }
    }
}
