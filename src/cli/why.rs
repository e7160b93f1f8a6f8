//! `hob why` and `hob explain`: why hob did what it did, and what a change would do.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::args::{ExplainArgs, TableFormat, TextFormat, WhyArgs};
use super::context::{Context, Stack};
use super::exit::Exit;
use super::journal::Entry;
use super::why_file;
use crate::event::{Event, Layout};
use crate::execute::{Depth, RunOptions, Snapshot};
use crate::model::{Health, ServiceName};
use crate::plan::{self, UpOptions, labels};

/// Entries that are shown of what was done to a service.
const LAST: usize = 5;
/// The same with `--history`.
const ALL: usize = 1_000;

/// Says why.
pub async fn why(context: &Context, args: &WhyArgs) -> anyhow::Result<Exit> {
    let named: Vec<String> = args.service.iter().cloned().collect();
    let stack = context.stack(&named).await?;
    let services = super::context::named(&stack.project, &named)?;
    let all = plan::scope(&stack.project, &services, true);
    let options = UpOptions { services: all.clone(), no_deps: true, ..UpOptions::default() };
    // What is said about files needs all images.
    let depth = if args.file.is_some() { Depth::Whole } else { Depth::Plan };
    let snapshot = stack.pass(&all, &options, &RunOptions::default()).snapshot(depth).await;
    let snapshot = snapshot.map_err(|failures| context.failures(failures))?;
    let (text, json) = match &args.file {
        Some(file) => why_file::of_file(&snapshot, &all, &context.working_dir.join(file))?,
        None => of_services(context, &stack, &snapshot, &all, if args.history { ALL } else { LAST })?,
    };
    emit(context, args.format == TextFormat::Json, text, &json)
}

fn emit(context: &Context, as_json: bool, text: String, json: &Value) -> anyhow::Result<Exit> {
    let text = if as_json { serde_json::to_string_pretty(json)? } else { text };
    context.sink.emit(Event::Output { text });
    Ok(Exit::Ok)
}

/// One line of what was done.
fn told_of(entry: &Entry) -> String {
    let files: Vec<String> = entry.files.iter().map(|file| file.display().to_string()).collect();
    let files = if files.is_empty() { String::new() } else { format!(" ({})", files.join(", ")) };
    let because = if entry.because.is_empty() { String::new() } else { format!(", because {}", entry.because) };
    let by = entry.by.as_ref().map(|by| format!(" [{by}]")).unwrap_or_default();
    let when =
        crate::ui::docker::ago(super::timestamp::now(), i64::try_from(entry.at).unwrap_or_default()).to_lowercase();
    format!("  {when}: {}{files}{because}{by}\n", entry.what)
}

/// Why each container is as it is, and what `up` would do now.
fn of_services(
    context: &Context,
    stack: &Stack,
    snapshot: &Snapshot,
    services: &[ServiceName],
    count: usize,
) -> anyhow::Result<(String, Value)> {
    let options = UpOptions { services: services.to_vec(), no_deps: true, needs_met: true, ..UpOptions::default() };
    let plan = snapshot.reconcile(&HashMap::new(), plan::up, &options);
    let plan = plan.map_err(|failures| context.failures(failures))?;
    let (mut text, mut json) = (String::new(), Vec::new());
    for service in services {
        let mut containers = Vec::new();
        for container in snapshot.observed.of_service(service) {
            let made = container.labels.get(labels::WHY).map_or("another tool made it", String::as_str);
            text.push_str(&format!("{service}: {} is {}; made because {made}\n", container.name, container.status));
            containers.push(json!({"name": container.name, "state": container.state.word(), "because": made}));
        }
        if containers.is_empty() {
            text.push_str(&format!("{service}: has no container\n"));
        }
        let past = stack.journal.last(service, count);
        for entry in &past {
            text.push_str(&told_of(entry));
        }
        let steps: Vec<_> = plan.steps.iter().filter(|step| step.service.as_ref() == Some(service)).collect();
        for step in &steps {
            text.push_str(&format!("  `hob up` would {}, because {}\n", step.op, step.reason));
        }
        // What runs already is waited for as well, by whatever needs it.
        let unhealthy = snapshot.observed.of_service(service).any(|c| c.health == Some(Health::Unhealthy));
        if steps.is_empty() && unhealthy {
            text.push_str(
                "  it is as the manifest says, but its health check fails: `hob up` waits for it where another service needs it\n",
            );
        } else if steps.is_empty() {
            text.push_str("  `hob up` would do nothing: it is as the manifest says\n");
        }
        let next: Vec<Value> =
            steps.iter().map(|step| json!({"what": step.op.to_string(), "because": step.reason.to_string()})).collect();
        json.push(json!({"service": service, "containers": containers, "past": past, "next": next}));
    }
    Ok((text, Value::Array(json)))
}

/// Shows, for each service, what a change of each path does.
pub async fn explain(context: &Context, args: &ExplainArgs) -> anyhow::Result<Exit> {
    let stack = context.stack(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let all = plan::scope(&stack.project, &services, true);
    let snapshot = stack.pass(&all, &UpOptions::default(), &RunOptions::default()).snapshot(Depth::Whole).await;
    let snapshot = snapshot.map_err(|failures| context.failures(failures))?;
    let read = why_file::Read::of(&snapshot);
    let mut rows = Vec::new();
    for service in &all {
        let Some(watch) = snapshot.wanted.watch.get(service) else { continue };
        for folder in &watch.folders {
            for path in super::walk::files(folder) {
                let Some((effect, why)) = why_file::of(&snapshot, &read, service, &path) else { continue };
                let shown = why_file::shown(&snapshot, &path);
                rows.push(vec![service.to_string(), shown, effect.to_string(), why.to_string()]);
            }
        }
    }
    if args.format == TableFormat::Json {
        let json: Vec<Value> = rows
            .iter()
            .map(|row| json!({"service": row[0], "path": row[1], "effect": row[2], "because": row[3]}))
            .collect();
        return emit(context, true, String::new(), &Value::Array(json));
    }
    let head = ["SERVICE", "PATH", "A CHANGE", "BECAUSE"].map(str::to_owned).to_vec();
    context.sink.emit(Event::Table { head, rows, layout: Layout::OWN });
    Ok(Exit::Ok)
}
