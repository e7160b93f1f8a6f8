//! `services.*`: every key of the Compose Specification, and hob's own.

use super::build::BUILD;
use super::common::{
    BOOL, COMMAND, COUNT, DURATION, EXTRA_HOSTS, FILE_REFERENCES, FLOAT, FREE_MAP, GPUS, HOOK, INT, INT_OR_STRING,
    LIMIT, LOG_OPTIONS, NULL, OPTIONS, PAIRS, PRE_START, SIZE, STRICT_BOOL, STRING, STRING_OR_INT, STRING_OR_STRINGS,
    STRINGS, STRINGS_OR_INTS, TEST, ULIMITS, VARIABLES, int_between, one_of,
};
use super::deploy::DEPLOY;
use super::hob::{PREPARE, PROBE, PROCESS, RELOAD};
use super::mount::{PORTS, VOLUMES};
use super::shape::{Cast, Check, Entries, Key, Lower, Merge, Object, Scalar, Shape, ShortForm, Types, Unique};

/// A service.
pub const SERVICE: Object = Object {
    title: "a service",
    keys: &[
        Key::new("annotations", &PAIRS, "OCI annotations.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("attach", &BOOL, "`false` keeps its log out of `up`."),
        Key::new("blkio_config", &Shape::Object(&BLKIO), "Limits of block devices."),
        Key::new("build", &BUILD, "How its image is built.").before_merge(ShortForm::Build).merge(Merge::Build),
        Key::new("cap_add", &STRINGS, "Capabilities that it gets.").unique(Unique::Key),
        Key::new("cap_drop", &STRINGS, "Capabilities that it loses.").unique(Unique::Key),
        Key::new("cgroup", &one_of(&["host", "private"]), "Namespace of cgroups."),
        Key::new("cgroup_parent", &STRING, "Parent cgroup."),
        Key::new("command", &COMMAND, "The command, instead of the image's.")
            .after_merge(ShortForm::Words)
            .merge(Merge::Replace),
        Key::new("configs", &FILE_REFERENCES, "Configs that it may read.")
            .before_merge(ShortForm::FileReferences)
            .unique(Unique::ConfigTarget),
        Key::new("container_name", &CONTAINER_NAME, "The container's name, instead of project, service and number."),
        Key::new("cpu_count", &int_between(0, i64::MAX, Cast::Int), "Number of CPUs (Windows)."),
        Key::new("cpu_percent", &int_between(0, 100, Cast::Float), "Share of the CPUs (Windows)."),
        Key::new("cpu_period", &LIMIT, "CFS period in microseconds."),
        Key::new("cpu_quota", &LIMIT, "CFS quota in microseconds."),
        Key::new("cpu_rt_period", &LIMIT, "Real-time period in microseconds."),
        Key::new("cpu_rt_runtime", &LIMIT, "Real-time runtime in microseconds."),
        Key::new("cpu_shares", &LIMIT, "Relative weight of the CPU."),
        Key::new("cpus", &FLOAT.lower(Lower::Cpus).zero_is_unset(), "Number of CPUs at most."),
        Key::new("cpuset", &STRING, "CPUs to run on, such as `0-2`."),
        Key::new("credential_spec", &Shape::Object(&CREDENTIAL), "Credentials of a managed account (Windows)."),
        Key::new("depends_on", &DEPENDS_ON, "Services that must be up before it.")
            .before_merge(ShortForm::Dependencies)
            .merge(Merge::Dependencies),
        Key::new("deploy", &DEPLOY, "Replicas and resources."),
        Key::new("develop", &DEVELOP, "What a changed file asks for, as Compose's watch has it."),
        Key::new("device_cgroup_rules", &STRINGS, "Rules for devices."),
        Key::new("devices", &DEVICES, "Devices of the host.").before_merge(ShortForm::Devices).unique(Unique::Device),
        Key::new("dns", &STRING_OR_STRINGS, "DNS servers.")
            .before_merge(ShortForm::Strings)
            .merge(Merge::Sequence)
            .unique(Unique::Key),
        Key::new("dns_opt", &STRINGS, "Options of the resolver.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("dns_search", &STRING_OR_STRINGS, "Search domains.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("domainname", &STRING, "Domain name of the container."),
        Key::new("entrypoint", &COMMAND, "The entry point, instead of the image's.")
            .after_merge(ShortForm::Words)
            .merge(Merge::Replace),
        Key::new("env_file", &ENV_FILE, "Files with variables.")
            .before_merge(ShortForm::EnvFiles)
            .merge(Merge::Sequence)
            .unique(Unique::EnvFile),
        Key::new("environment", &VARIABLES, "Variables.")
            .after_merge(ShortForm::Variables)
            .merge(Merge::Sequence)
            .unique(Unique::Key),
        Key::new("expose", &STRINGS_OR_INTS, "Ports for other services, not published.").unique(Unique::Text),
        Key::new("extends", &EXTENDS, "A service that this one starts from."),
        Key::new("external_links", &STRINGS, "Containers of other projects."),
        Key::new("extra_hosts", &EXTRA_HOSTS, "Lines for /etc/hosts.")
            .after_merge(ShortForm::Hosts)
            .merge(Merge::Hosts),
        Key::new("gpus", &GPUS, "GPUs that it gets.")
            .before_merge(ShortForm::Gpus)
            .after_merge(ShortForm::DeviceRequests),
        Key::new("group_add", &STRINGS_OR_INTS, "More groups of its user."),
        Key::new("healthcheck", &Shape::Object(&HEALTH), "How the engine tells that it is healthy."),
        Key::new("hostname", &STRING, "Host name of the container."),
        Key::new("image", &STRING, "The image, or the name for the one that is built."),
        Key::new("init", &BOOL, "Run an init process as PID 1."),
        Key::new("ipc", &STRING, "Namespace of IPC: `host`, `service:name`, `shareable`."),
        Key::new("isolation", &STRING, "Isolation technology."),
        Key::new("label_file", &TEST, "Files with labels.").before_merge(ShortForm::Strings).merge(Merge::Sequence),
        Key::new("labels", &PAIRS, "Labels.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("links", &STRINGS, "Other names of services.").unique(Unique::Key),
        Key::new("logging", &Shape::Object(&LOGGING), "Where its log goes.").merge(Merge::Logging),
        Key::new("mac_address", &STRING, "MAC address."),
        Key::new("mem_limit", &SIZE, "Memory at most."),
        Key::new("mem_reservation", &SIZE, "Memory that is kept for it."),
        Key::new("mem_swappiness", &INT_OR_STRING.zero_is_unset(), "How readily its memory is swapped, in percent."),
        Key::new("memswap_limit", &SIZE, "Memory and swap at most; -1 for no limit."),
        Key::new("models", &MODELS, "AI models that it uses.").before_merge(ShortForm::Names).merge(Merge::Names),
        Key::new("network_mode", &STRING, "`host`, `none`, `service:name` or `container:name`."),
        Key::new("networks", &NETWORKS, "Networks that it joins.").before_merge(ShortForm::Names).merge(Merge::Names),
        Key::new("oom_kill_disable", &BOOL, "Never kill it when memory is out."),
        Key::new("oom_score_adj", &int_between(-1000, 1000, Cast::Int), "How readily it is killed then."),
        Key::new("pid", &Shape::Either(&[STRING, NULL]), "Namespace of processes: `host`, `service:name`."),
        Key::new("pids_limit", &LIMIT, "Processes at most; -1 for no limit."),
        Key::new("platform", &STRING, "Platform, such as `linux/arm64`."),
        Key::new("ports", &PORTS, "Ports that are published.").before_merge(ShortForm::Ports).unique(Unique::Port),
        Key::new("post_start", &Shape::List(&Shape::Object(&HOOK), false), "Commands run after it started."),
        Key::new(
            "pre_start",
            &Shape::List(&Shape::Object(&PRE_START), false),
            "Commands run in containers of their own before it is started.",
        ),
        Key::new("pre_stop", &Shape::List(&Shape::Object(&HOOK), false), "Commands run before it stops."),
        Key::new("prepare", &PREPARE, "hob: steps on the host before its image is built.")
            .after_merge(ShortForm::Items)
            .merge(Merge::Replace),
        Key::new("privileged", &BOOL, "All capabilities and devices."),
        Key::new("probe", &PROBE, "hob: a continuous check from outside the container."),
        Key::new("process", &PROCESS, "hob: it is a process of the host, not a container.")
            .after_merge(ShortForm::Process),
        Key::new("profiles", &STRINGS, "Profiles that it belongs to.").unique(Unique::Key),
        Key::new("provider", &Shape::Object(&PROVIDER), "A program that provides the service."),
        Key::new(
            "pull_policy",
            &PULL_POLICY,
            "When its image is pulled: `always`, `never`, `missing`, `build`, `daily`, …",
        ),
        Key::new("pull_refresh_after", &STRING, "Age at which the image is pulled again."),
        Key::new("read_only", &BOOL, "The root file system cannot be written to."),
        Key::new("reload", &RELOAD, "hob: what follows a hot sync.").merge(Merge::Replace),
        Key::new("restart", &STRING, "When it is started again: `no`, `always`, `on-failure[:n]`, `unless-stopped`."),
        Key::new("runtime", &STRING, "OCI runtime."),
        Key::new("scale", &INT, "Number of containers."),
        Key::new("secrets", &FILE_REFERENCES, "Secrets that it may read.")
            .before_merge(ShortForm::FileReferences)
            .unique(Unique::SecretTarget),
        Key::new("security_opt", &STRINGS, "Options of AppArmor, SELinux and seccomp."),
        Key::new("shm_size", &SIZE, "Size of /dev/shm."),
        Key::new("stdin_open", &BOOL, "Keep standard input open."),
        Key::new("stop_grace_period", &DURATION, "Time between the stop signal and SIGKILL."),
        Key::new("stop_signal", &STRING, "The signal that stops it."),
        Key::new("storage_opt", &FREE_MAP, "Options of the storage driver."),
        Key::new("sysctls", &PAIRS, "Kernel parameters.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("tmpfs", &STRING_OR_STRINGS, "Temporary file systems.").merge(Merge::Sequence).unique(Unique::Key),
        Key::new("tty", &BOOL, "Give it a terminal."),
        Key::new("ulimits", &ULIMITS, "Resource limits.").merge(Merge::Limits),
        Key::new("use_api_socket", &STRICT_BOOL, "Let it use the engine's API."),
        Key::new("user", &STRING, "User, or `user:group`."),
        Key::new("userns_mode", &STRING, "User namespace."),
        Key::new("uts", &STRING, "UTS namespace."),
        Key::new("volumes", &VOLUMES, "Mounts.").before_merge(ShortForm::Mounts).unique(Unique::MountTarget),
        Key::new("volumes_from", &STRINGS, "Mounts of other services or containers."),
        Key::new("working_dir", &STRING, "The folder that the command runs in."),
    ],
    required: &[],
    extensions: true,
};

const fn object(title: &'static str, keys: &'static [Key], required: &'static [&'static str]) -> Object {
    Object { title, keys, required, extensions: true }
}

const CONTAINER_NAME: Shape = Shape::Scalar(Scalar::new(Types::STRING, Cast::None, Check::ContainerName));

const PULL_POLICY: Shape = Shape::Scalar(Scalar::new(Types::STRING, Cast::None, Check::PullPolicy));

const BLKIO: Object = Object {
    title: "block device limits",
    keys: &[
        Key::new("device_read_bps", &RATES, "Bytes read in a second."),
        Key::new("device_read_iops", &RATES, "Reads in a second."),
        Key::new("device_write_bps", &RATES, "Bytes written in a second."),
        Key::new("device_write_iops", &RATES, "Writes in a second."),
        Key::new("weight", &INT.zero_is_unset(), "Relative weight, 10 to 1000."),
        Key::new("weight_device", &WEIGHTS, "Relative weight by device."),
    ],
    required: &[],
    extensions: false,
};

const DEVICE_PATH: Key = Key::new("path", &STRING, "The device.");

const RATES: Shape = Shape::List(
    &Shape::Object(&Object {
        title: "a rate",
        keys: &[DEVICE_PATH, Key::new("rate", &STRING_OR_INT.lower(Lower::Bytes), "The rate.")],
        required: &[],
        extensions: false,
    }),
    false,
);

const WEIGHTS: Shape = Shape::List(
    &Shape::Object(&Object {
        title: "a weight",
        keys: &[DEVICE_PATH, Key::new("weight", &INT.zero_is_unset(), "The weight.")],
        required: &[],
        extensions: false,
    }),
    false,
);

const CREDENTIAL: Object = object(
    "a credential spec",
    &[
        Key::new("config", &STRING, "The key of a config."),
        Key::new("file", &STRING, "A file."),
        Key::new("registry", &STRING, "A key of the Windows registry."),
    ],
    &[],
);

const CONDITIONS: &[&str] = &["service_started", "service_healthy", "service_completed_successfully"];

const DEPENDS_ON: Shape = Shape::Either(&[
    STRINGS,
    Shape::Map(&Entries {
        title: "service",
        shape: Shape::Object(&object(
            "a dependency",
            &[
                Key::new("condition", &one_of(CONDITIONS), "What is waited for."),
                Key::new("restart", &BOOL, "Restart this service when the other is restarted or recreated."),
                Key::new("required", &STRICT_BOOL, "`false`: only a warning if the other service is missing."),
            ],
            &["condition"],
        )),
        names: true,
    }),
]);

const DEVELOP: Shape = Shape::Either(&[
    Shape::Object(&object("development rules", &[Key::new("watch", &WATCH, "Rules for changed files.")], &[])),
    NULL,
]);

const WATCH: Shape = Shape::List(
    &Shape::Object(&object(
        "a watch rule",
        &[
            Key::new("path", &STRING, "The file or folder that is watched."),
            Key::new(
                "action",
                &one_of(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
                "What a change asks for.",
            ),
            Key::new("target", &STRING, "The path in the container."),
            Key::new("exec", &Shape::Object(&HOOK), "The command of `sync+exec`."),
            Key::new("include", &STRING_OR_STRINGS, "Patterns that a path must match."),
            Key::new("ignore", &STRING_OR_STRINGS, "Patterns that a path must not match."),
            Key::new("initial_sync", &BOOL, "Sync everything when the watch starts."),
        ],
        &["path", "action"],
    )),
    false,
);

const DEVICES: Shape = Shape::List(
    &Shape::Either(&[
        STRING,
        Shape::Object(&object(
            "a device",
            &[
                Key::new("source", &STRING, "The path on the host."),
                Key::new("target", &STRING, "The path in the container."),
                Key::new("permissions", &STRING, "Such as `rwm`."),
            ],
            &["source"],
        )),
    ]),
    false,
);

const ENV_FILE: Shape = Shape::Either(&[
    STRING,
    Shape::List(
        &Shape::Either(&[
            STRING,
            Shape::Object(&Object {
                title: "an env file",
                keys: &[
                    Key::new("path", &STRING, "The file."),
                    Key::new("format", &STRING, "`raw` reads the file without quotes and variables."),
                    Key::new("required", &BOOL, "`false`: the file may be missing."),
                ],
                required: &["path"],
                extensions: false,
            }),
        ]),
        false,
    ),
]);

const EXTENDS: Shape = Shape::Either(&[
    STRING,
    Shape::Object(&Object {
        title: "an extension",
        keys: &[
            Key::new("service", &STRING, "The service to start from."),
            Key::new("file", &STRING, "The file that it is in; this one if unset."),
        ],
        required: &["service"],
        extensions: false,
    }),
]);

const HEALTH: Object = object(
    "a health check",
    &[
        Key::new("disable", &BOOL, "Switch the image's check off."),
        Key::new("interval", &DURATION, "Time between two checks."),
        Key::new("retries", &COUNT, "Failures in a row before it is unhealthy."),
        Key::new("test", &TEST, "The command; a list begins with `CMD`, `CMD-SHELL` or `NONE`.")
            .after_merge(ShortForm::ShellTest)
            .merge(Merge::Replace),
        Key::new("timeout", &DURATION, "Time for one check."),
        Key::new("start_period", &DURATION, "Time in which failures do not count."),
        Key::new("start_interval", &DURATION, "Time between two checks in the start period."),
    ],
    &[],
);

const LOGGING: Object = object(
    "logging",
    &[Key::new("driver", &STRING, "The log driver."), Key::new("options", &LOG_OPTIONS, "Options of the driver.")],
    &[],
);

const MODELS: Shape = Shape::Either(&[
    STRINGS,
    Shape::Map(&Entries {
        title: "model",
        shape: Shape::Either(&[
            Shape::Object(&object(
                "the use of a model",
                &[
                    Key::new("endpoint_var", &STRING, "The variable that gets the model's URL."),
                    Key::new("model_var", &STRING, "The variable that gets the model's name."),
                ],
                &[],
            )),
            NULL,
        ]),
        names: false,
    }),
]);

const NETWORKS: Shape = Shape::Either(&[
    STRINGS,
    Shape::Map(&Entries { title: "network", shape: Shape::Either(&[Shape::Object(&ATTACHMENT), NULL]), names: true }),
]);

const PRIORITY: Shape = Shape::Scalar(Scalar::new(Types::NUMBER, Cast::None, Check::None)).zero_is_unset();

const ATTACHMENT: Object = object(
    "a network attachment",
    &[
        Key::new("aliases", &STRINGS, "More names in this network.").unique(Unique::Key),
        Key::new("interface_name", &STRING, "Name of the interface in the container."),
        Key::new("ipv4_address", &STRING, "Fixed address of version 4."),
        Key::new("ipv6_address", &STRING, "Fixed address of version 6."),
        Key::new("link_local_ips", &STRINGS, "Link-local addresses.").unique(Unique::Key),
        Key::new("mac_address", &STRING, "MAC address in this network."),
        Key::new("driver_opts", &OPTIONS, "Options of the driver."),
        Key::new("priority", &PRIORITY, "The highest is joined first."),
        Key::new("gw_priority", &PRIORITY, "The highest gives the default gateway."),
    ],
    &[],
);

const PROVIDER: Object = object(
    "a provider",
    &[Key::new("type", &STRING, "The program."), Key::new("options", &PROVIDER_OPTIONS, "Its options.")],
    &["type"],
);

const PROVIDER_VALUE: Shape =
    Shape::Scalar(Scalar::new(Types::STRING.or(Types::NUMBER).or(Types::BOOLEAN), Cast::None, Check::None))
        .lower(Lower::Text);

const PROVIDER_OPTIONS: Shape = Shape::Map(&Entries {
    title: "option",
    shape: Shape::Either(&[PROVIDER_VALUE.lower(Lower::TextInList), Shape::List(&PROVIDER_VALUE, false)]),
    names: false,
});
