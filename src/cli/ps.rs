//! `hob ps`.

use std::sync::Arc;

use super::args::{PsArgs, StatusFilter};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::format::Listing;
use super::seen::Seen;
use crate::event::{Event, Layout};
use crate::host::zone::Zone;
use crate::model::{ContainerState, Health, ObservedContainer, Published};
use crate::template::{Record, Value};
use crate::ui::docker;

const LISTING: Listing = Listing {
    head: &[
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("ExitCode", "EXIT CODE"),
        ("Health", "HEALTH"),
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Labels", "LABELS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Mounts", "MOUNTS"),
        ("Name", "NAME"),
        ("Names", "NAMES"),
        ("Networks", "NETWORKS"),
        ("Ports", "PORTS"),
        ("Project", "PROJECT"),
        ("Publishers", "PUBLISHERS"),
        ("RunningFor", "CREATED"),
        ("Service", "SERVICE"),
        ("Size", "SIZE"),
        ("State", "STATE"),
        ("Status", "STATUS"),
    ],
    table: "{{.Name}}\t{{.Image}}\t{{.Command}}\t{{.Service}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}",
};

/// Lists containers.
pub async fn run(context: &Context, args: &PsArgs) -> anyhow::Result<Exit> {
    let words = words(args)?;
    let all = args.all || !words.is_empty();
    let mut seen = context.seen(&args.services, all).await?;
    let mut containers = std::mem::take(&mut seen.containers);
    containers.retain(|container| {
        (words.is_empty() || words.contains(&container.state.word()))
            && (args.services.is_empty() || args.services.iter().any(|service| *service == *container.service))
            && (args.orphans || seen.knows(&container.service))
            && (all || !container.oneoff && container.state.is_running())
    });
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    let event = if args.quiet {
        lines(containers.iter().map(|container| container.id.to_string()))
    } else if args.names {
        let mut names: Vec<String> = containers.iter().map(|container| container.service.to_string()).collect();
        let mut known = std::collections::BTreeSet::new();
        names.retain(|name| known.insert(name.clone()));
        lines(names.into_iter())
    } else {
        let row = Row { seen: &seen, zone: &context.zone(), now: super::timestamp::now(), whole: args.no_trunc };
        let rows = containers.into_iter().map(|container| row.of(container)).collect();
        LISTING.show(&args.format, rows, Layout::DOCKER)?
    };
    context.sink.emit(event);
    Ok(Exit::Ok)
}

/// The states that are asked for; none for any.
fn words(args: &PsArgs) -> Result<Vec<&str>, Failure> {
    let mut words: Vec<&str> = args.status.iter().map(|status| word(*status)).collect();
    if let Some(filter) = &args.filter {
        match (filter.key.as_str(), &filter.value) {
            ("status", Some(value)) => words.push(value),
            ("source", Some(_)) => {
                let text = "--filter source: the engine does not tell what an image came from";
                return Err(Failure::new(Exit::Usage, text).hint("filter by `status=STATUS`"));
            }
            (key, _) => {
                let text = format!("--filter {key}: only `status=STATUS` can be filtered by");
                return Err(Failure::new(Exit::Usage, text));
            }
        }
    }
    Ok(words)
}

fn lines(lines: impl Iterator<Item = String>) -> Event {
    Event::Output { text: lines.collect::<Vec<_>>().join("\n") }
}

fn word(status: StatusFilter) -> &'static str {
    match status {
        StatusFilter::Created => "created",
        StatusFilter::Running => "running",
        StatusFilter::Paused => "paused",
        StatusFilter::Restarting => "restarting",
        StatusFilter::Removing => "removing",
        StatusFilter::Exited => "exited",
        StatusFilter::Dead => "dead",
    }
}

/// What a row is made of besides the container.
struct Row<'a> {
    seen: &'a Seen,
    zone: &'a Zone,
    now: i64,
    whole: bool,
}

impl Row<'_> {
    /// One container, as `docker compose ps --format json` has it.
    fn of(&self, container: ObservedContainer) -> Record {
        let cut = |text: &str, most| if self.whole { text.to_owned() } else { docker::ellipsis(text, most) };
        let exit = match container.state {
            ContainerState::Exited(code) => code,
            _ => 0,
        };
        let (offset, zone) = self.zone.at(container.created);
        let mounts = container.mounts.iter().map(|mount| {
            let name = if mount.name.is_empty() { &mount.source } else { &mount.name };
            cut(name, 15)
        });
        let id = if self.whole { container.id.as_str() } else { container.id.short() };
        let image = self.seen.image_name(&container);
        let labels = container.labels;
        let text = |text: &str| Value::from(text);
        let fields = vec![
            ("Command", docker::quoted(&cut(own_command(&container.command), 20)).into()),
            ("CreatedAt", docker::moment(container.created, (offset, &zone)).into()),
            ("ExitCode", Value::Int(exit)),
            ("Health", text(container.health.map_or("", Health::word))),
            ("ID", text(id)),
            ("Image", image.into()),
            (
                "Labels",
                labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",").into(),
            ),
            (
                "LocalVolumes",
                container.mounts.iter().filter(|mount| mount.driver == "local").count().to_string().into(),
            ),
            ("Mounts", mounts.collect::<Vec<_>>().join(",").into()),
            ("Name", text(&container.name)),
            ("Names", text(&container.name)),
            ("Networks", container.networks.keys().cloned().collect::<Vec<_>>().join(",").into()),
            ("Ports", docker::ports(&container.ports).into()),
            ("Project", text(labels.get(crate::plan::labels::PROJECT).map(String::as_str).unwrap_or_default())),
            ("Publishers", publishers(container.ports)),
            ("RunningFor", docker::ago(self.now, container.created).into()),
            ("Service", text(&container.service)),
            ("Size", docker::size(container.size).into()),
            ("State", text(container.state.word())),
            ("Status", container.status.into()),
        ];
        let label = move |name: &str| labels.get(name).cloned().unwrap_or_default();
        Record { fields, methods: vec![("Label", Arc::new(label))], open: false }
    }
}

/// A command without hob's agent in front of it.
fn own_command(command: &str) -> &str {
    let own = command.strip_prefix(crate::agent::PATH).and_then(|rest| rest.strip_prefix(" run -- "));
    own.unwrap_or(command)
}

fn publishers(mut ports: Vec<Published>) -> Value {
    ports.sort_by(|a, b| {
        let key = |port: &Published| (port.container_port, port.host_ip.clone(), port.host_port, port.protocol.clone());
        key(a).cmp(&key(b))
    });
    let publisher = |port: Published| {
        Value::from(Record {
            fields: vec![
                ("URL", port.host_ip.into()),
                ("TargetPort", Value::Int(port.container_port.into())),
                ("PublishedPort", Value::Int(port.host_port.into())),
                ("Protocol", port.protocol.into()),
            ],
            ..Record::default()
        })
    };
    Value::List(ports.into_iter().map(publisher).collect())
}
