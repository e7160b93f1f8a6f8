//! Mounts and ports of a service.

use super::common::{BOOL, INT, PAIRS, SIZE, STRING, STRING_OR_INT, STRING_OR_NUMBER, one_of};
use super::shape::{Key, Merge, Object, Shape};

const fn object(title: &'static str, keys: &'static [Key], required: &'static [&'static str]) -> Object {
    Object { title, keys, required, extensions: true }
}

/// Published ports.
pub const PORTS: Shape = Shape::List(
    &Shape::Either(&[
        STRING_OR_INT,
        Shape::Object(&object(
            "a port",
            &[
                Key::new("name", &STRING, "A name for people."),
                Key::new("mode", &STRING, "`ingress` or `host`."),
                Key::new("host_ip", &STRING, "Address of the host."),
                Key::new("target", &INT, "Port in the container."),
                Key::new("published", &STRING_OR_INT, "Port of the host, or a range."),
                Key::new("protocol", &STRING, "`tcp` or `udp`."),
                Key::new("app_protocol", &STRING, "Protocol of the application."),
            ],
            &[],
        )),
    ]),
    true,
);

/// Mounts.
pub const VOLUMES: Shape = Shape::List(&Shape::Either(&[STRING, Shape::Object(&MOUNT)]), true);

const MOUNT: Object = object(
    "a mount",
    &[
        Key::new("type", &one_of(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]), "The kind of mount."),
        Key::new("source", &STRING, "A path of the host, or the key of a volume."),
        Key::new("target", &STRING, "The path in the container."),
        Key::new("read_only", &BOOL, "It cannot be written to."),
        Key::new("consistency", &STRING, "Consistency, where the engine has a choice."),
        Key::new(
            "bind",
            &Shape::Object(&object(
                "options of a bind mount",
                &[
                    Key::new("propagation", &STRING, "How mounts below it are shared."),
                    Key::new("create_host_path", &BOOL, "Make the folder on the host if it is missing."),
                    Key::new(
                        "recursive",
                        &one_of(&["enabled", "disabled", "writable", "readonly"]),
                        "How mounts below it are treated.",
                    ),
                    Key::new("selinux", &one_of(&["z", "Z"]), "SELinux label: `z` shared, `Z` private."),
                ],
                &[],
            )),
            "Options of a bind mount.",
        ),
        Key::new(
            "volume",
            &Shape::Object(&object(
                "options of a volume mount",
                &[
                    Key::new("labels", &PAIRS, "Labels of the volume.").merge(Merge::Sequence),
                    Key::new("nocopy", &BOOL, "Do not fill an empty volume from the image."),
                    Key::new("subpath", &STRING, "A folder inside the volume."),
                ],
                &[],
            )),
            "Options of a volume mount.",
        ),
        Key::new(
            "tmpfs",
            &Shape::Object(&object(
                "options of a tmpfs",
                &[
                    Key::new("size", &SIZE, "Its size."),
                    Key::new("mode", &STRING_OR_NUMBER, "Its permissions, in octal."),
                ],
                &[],
            )),
            "Options of a tmpfs.",
        ),
        Key::new(
            "image",
            &Shape::Object(&object(
                "options of an image mount",
                &[Key::new("subpath", &STRING, "A folder inside the image.")],
                &[],
            )),
            "Options of an image mount.",
        ),
    ],
    &["type"],
);
