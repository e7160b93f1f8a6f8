//! `hob stats`.

use std::time::Duration;

use futures_util::stream::SelectAll;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indexmap::IndexMap;
use tokio::time::{Instant, MissedTickBehavior};

use super::args::StatsArgs;
use super::context::Context;
use super::exit::Exit;
use super::format::{Format, Listing};
use super::seen::Seen;
use crate::engine::{Action, BoxStream, EngineEvent, Result as EngineResult, Usage};
use crate::event::Layout;
use crate::host::signals::Signals;
use crate::model::{ContainerId, ContainerState, ObservedContainer};
use crate::template::Record;
use crate::ui::docker;

const LISTING: Listing = Listing {
    head: &[
        ("BlockIO", "BLOCK I/O"),
        ("CPUPerc", "CPU %"),
        ("Container", "CONTAINER"),
        ("ID", "CONTAINER ID"),
        ("MemPerc", "MEM %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("Name", "NAME"),
        ("NetIO", "NET I/O"),
        ("PIDs", "PIDS"),
    ],
    table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
};

/// Time between two tables.
const FRAME: Duration = Duration::from_millis(500);

/// How long the first table waits for what is told of each container.
const FIRST: Duration = Duration::from_secs(2);

/// How long `--no-stream` waits for a container that says nothing, as one that ends does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Containers whose usage is asked for side by side.
const AT_ONCE: usize = 64;

type Told = (ContainerId, EngineResult<Usage>);

/// The rows: containers with what they used at the last two looks.
#[derive(Default)]
struct Rows(IndexMap<ContainerId, Row>);

struct Row {
    name: String,
    before: Option<Usage>,
    now: Option<Usage>,
}

/// Shows what containers use.
pub async fn run(context: &Context, args: &StatsArgs) -> anyhow::Result<Exit> {
    let mut signals = Signals::new()?;
    context.ends_with_reader();
    let seen = context.seen(&[], args.all).await?;
    let chosen = |service: &str| args.service.as_ref().is_none_or(|chosen| *chosen == *service);
    let containers = seen.containers.iter().filter(|container| chosen(&container.service));
    let containers: Vec<ObservedContainer> = containers.filter(|one| args.all || has_usage(one)).cloned().collect();
    let work = async {
        if args.no_stream {
            let rows = once(&seen, containers).await?;
            context.sink.emit(LISTING.show(&args.format, rows.records(args.no_trunc), Layout::DOCKER)?);
            return anyhow::Ok(Exit::Ok);
        }
        live(context, args, &seen, containers, &chosen).await
    };
    tokio::select! {
        exit = work => exit,
        signal = signals.recv() => Ok(signal.into()),
        () = context.closed.cancelled() => Ok(Exit::ReaderGone),
    }
}

/// One that is about to be started again has none.
fn has_usage(container: &ObservedContainer) -> bool {
    container.state.is_running() && container.state != ContainerState::Restarting
}

/// One look at all: the share of the processor needs two answers, a second apart.
async fn once(seen: &Seen, containers: Vec<ObservedContainer>) -> anyhow::Result<Rows> {
    let look = async |container: ObservedContainer| {
        let mut row = Row { name: container.name.clone(), before: None, now: None };
        if has_usage(&container) {
            let told = seen.engine.usage(&container.id).await?.take(2);
            // One that ends meanwhile has what was told of it so far, or no row.
            let two = told.try_for_each(|usage| {
                row.push(usage);
                std::future::ready(Ok(()))
            });
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, two).await
                && seen.engine.inspect(&container.id).await?.is_some_and(|container| has_usage(&container))
            {
                return Err(error.into());
            }
            if row.now.is_none() {
                return Ok(None);
            }
        }
        anyhow::Ok(Some((container.id, row)))
    };
    let rows: Vec<_> = stream::iter(containers).map(look).buffered(AT_ONCE).try_collect().await?;
    Ok(Rows(rows.into_iter().flatten().collect()))
}

/// A table after the other, for as long as somebody looks.
async fn live(
    context: &Context,
    args: &StatsArgs,
    seen: &Seen,
    containers: Vec<ObservedContainer>,
    chosen: &(dyn Fn(&str) -> bool + Sync),
) -> anyhow::Result<Exit> {
    let mut events = seen.engine.events(&seen.project.name).await?;
    let mut rows = Rows::default();
    let mut told: SelectAll<BoxStream<Told>> = SelectAll::new();
    for container in containers {
        if has_usage(&container) {
            told.push(usage(seen, &container.id).await?);
        }
        rows.0.insert(container.id, Row { name: container.name, before: None, now: None });
    }
    let layout = Layout { redraw: true, ..Layout::DOCKER };
    let is_table = matches!(args.format, Format::Table | Format::Columns(_));
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut changed, started) = (true, Instant::now());
    loop {
        tokio::select! {
            Some((id, usage)) = told.next() => {
                // What cannot be told belongs to a container that has ended, which its event says.
                if let (Some(row), Ok(usage)) = (rows.0.get_mut(&id), usage) {
                    row.push(usage);
                    changed = true;
                }
            }
            event = events.next() => {
                let Some(event) = event.transpose()? else { return Ok(Exit::Ok) };
                if chosen(&event.service) {
                    if let Some(stream) = follow(seen, &mut rows, &event, args.all).await? {
                        told.push(stream);
                    }
                    changed = true;
                }
            }
            // The first table waits a moment for what is told of each.
            _ = frames.tick(), if changed && (rows.told() >= told.len() || started.elapsed() > FIRST) => {
                let event = LISTING.show(&args.format, rows.records(args.no_trunc), layout)?;
                if is_table { context.sink.emit(event) } else { context.sink.line(event).await }
                changed = false;
            }
        }
    }
}

async fn usage(seen: &Seen, id: &ContainerId) -> anyhow::Result<BoxStream<Told>> {
    let id = id.clone();
    Ok(Box::pin(seen.engine.usage(&id).await?.map(move |usage| (id.clone(), usage))))
}

/// Takes in that a container starts or ends; gives what it uses from now on.
async fn follow(
    seen: &Seen,
    rows: &mut Rows,
    event: &EngineEvent,
    all: bool,
) -> anyhow::Result<Option<BoxStream<Told>>> {
    match event.action {
        Action::Start => {
            let Some(container) = seen.engine.inspect(&event.container).await? else { return Ok(None) };
            let stream = usage(seen, &container.id).await?;
            rows.0.insert(container.id, Row { name: container.name, before: None, now: None });
            return Ok(Some(stream));
        }
        Action::Die(_) if all => {
            if let Some(row) = rows.0.get_mut(&event.container) {
                (row.before, row.now) = (None, None);
            }
        }
        Action::Die(_) | Action::Destroy => drop(rows.0.shift_remove(&event.container)),
        _ => {}
    }
    Ok(None)
}

impl Row {
    fn push(&mut self, usage: Usage) {
        self.before = self.now.replace(usage);
    }
}

impl Rows {
    /// How many of them something was told of.
    fn told(&self) -> usize {
        self.0.values().filter(|row| row.now.is_some()).count()
    }

    fn records(&self, whole: bool) -> Vec<Record> {
        self.0.iter().map(|(id, row)| record(id, row, whole)).collect()
    }
}

/// One container, as `docker compose stats --format json` has it.
fn record(id: &ContainerId, row: &Row, whole: bool) -> Record {
    let now = row.now.unwrap_or_default();
    let cpu = row.before.map_or(0.0, |before| now.cpu_since(&before));
    let memory = format!("{} / {}", docker::binary_size(now.memory), docker::binary_size(now.limit));
    let fields = vec![
        ("BlockIO", format!("{} / {}", docker::size(now.read), docker::size(now.written)).into()),
        ("CPUPerc", format!("{cpu:.2}%").into()),
        ("Container", id.as_str().into()),
        ("ID", if whole { id.as_str() } else { id.short() }.into()),
        ("MemPerc", format!("{:.2}%", now.memory_of_limit()).into()),
        ("MemUsage", memory.into()),
        ("Name", row.name.as_str().into()),
        ("NetIO", format!("{} / {}", docker::size(now.received), docker::size(now.sent)).into()),
        ("PIDs", now.processes.to_string().into()),
    ];
    Record { fields, ..Record::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_compose_has_it() {
        let before = Usage { cpu: 0, system: 0, cpus: 2, ..Usage::default() };
        let now = Usage {
            cpu: 50,
            system: 8_000,
            cpus: 2,
            memory: 1_904_640,
            limit: 25_280_000_000,
            received: 1_210,
            processes: 2,
            ..Usage::default()
        };
        let row = Row { name: "shop-b-1".to_owned(), before: Some(before), now: Some(now) };
        let id = ContainerId::new("6e0f4408717e7cd957668a1bb60db49b975e4140afb08ee5505bb1c560b3ef54");
        assert_eq!(
            crate::template::Value::from(record(&id, &row, false)).json(),
            r#"{"BlockIO":"0B / 0B","CPUPerc":"1.25%","Container":"6e0f4408717e7cd957668a1bb60db49b975e4140afb08ee5505bb1c560b3ef54","ID":"6e0f4408717e","MemPerc":"0.01%","MemUsage":"1.816MiB / 23.54GiB","Name":"shop-b-1","NetIO":"1.21kB / 0B","PIDs":"2"}"#
        );
        // One that does not run uses nothing.
        let stopped = Row { name: "shop-b-2".to_owned(), before: None, now: None };
        let text = crate::template::Value::from(record(&id, &stopped, true)).json();
        assert!(text.contains(r#""MemUsage":"0B / 0B""#) && text.contains(r#""CPUPerc":"0.00%""#), "{text}");
    }
}
