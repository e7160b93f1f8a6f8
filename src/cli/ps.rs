//! `hob ps`.

use serde_json::json;

use super::args::{PsArgs, StatusFilter, TableFormat};
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::event::Event;
use crate::model::{ContainerState, Observed, ObservedContainer, Project, Published};
use crate::plan;

/// Lists containers.
pub async fn run(context: &Context, args: &PsArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let Observed { mut containers, .. } = stack.observe().await?;
    for container in &mut containers {
        as_its_own(&stack.project, container);
    }
    let mut words: Vec<String> = args.status.iter().map(|s| word(*s).to_owned()).collect();
    if let Some(filter) = &args.filter {
        match (filter.key.as_str(), &filter.value) {
            ("status", Some(value)) => words.push(value.clone()),
            ("source", _) => {}
            (key, _) => {
                let text = format!("--filter {key}: only `status=STATUS` can be filtered by");
                return Err(Failure::new(Exit::Usage, text).into());
            }
        }
    }
    containers.retain(|c| {
        let known = stack.project.services.contains_key(&c.service) || stack.project.disabled.contains_key(&c.service);
        let wanted = if words.is_empty() {
            args.all || c.state.is_running()
        } else {
            words.iter().any(|word| word == c.state.word())
        };
        wanted
            && (services.is_empty() || services.contains(&c.service))
            && (args.orphans || known)
            && (args.all || !words.is_empty() || !c.oneoff || c.state.is_running())
    });
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    let event = if args.quiet {
        lines(containers.iter().map(|c| c.id.to_string()))
    } else if args.names {
        let mut names: Vec<String> = containers.iter().map(|c| c.service.to_string()).collect();
        names.dedup();
        lines(names.into_iter())
    } else if args.format == TableFormat::Json {
        lines(containers.iter().map(|c| as_json(c).to_string()))
    } else {
        table(&containers, args.no_trunc)
    };
    context.sink.emit(event);
    Ok(Exit::Ok)
}

/// The service's image by the name that people know, and the command without hob's agent in front of it.
fn as_its_own(project: &Project, container: &mut ObservedContainer) {
    let service = project.services.get(&container.service).or_else(|| project.disabled.get(&container.service));
    let is_digest = |name: &str| name.starts_with("sha256:") || name.starts_with(plan::BY_DIGEST);
    if is_digest(&container.image_name) || container.image.as_str().contains(&container.image_name) {
        container.image_name = match service {
            Some(service) => project.image_name(service),
            None => format!("{}-{}", project.name, container.service),
        };
    }
    let agent = format!("{} run -- ", crate::agent::PATH);
    if let Some(own) = container.command.strip_prefix(&agent) {
        container.command = own.to_owned();
    }
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

fn table(containers: &[ObservedContainer], whole: bool) -> Event {
    let head = ["NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"].map(str::to_owned).to_vec();
    let rows = containers
        .iter()
        .map(|c| {
            let command = if whole || c.command.chars().count() <= 20 {
                c.command.clone()
            } else {
                format!("{}…", c.command.chars().take(19).collect::<String>())
            };
            let ports: Vec<String> = c.ports.iter().map(port).collect();
            vec![
                c.name.clone(),
                c.image_name.clone(),
                format!("\"{command}\""),
                c.service.to_string(),
                ago(c.created),
                c.status.clone(),
                ports.join(", "),
            ]
        })
        .collect();
    Event::Table { head, rows }
}

fn port(port: &Published) -> String {
    let Published { host_ip, host_port, container_port, protocol } = port;
    if *host_port == 0 {
        return format!("{container_port}/{protocol}");
    }
    let address = if host_ip.contains(':') { format!("[{host_ip}]") } else { host_ip.clone() };
    format!("{address}:{host_port}->{container_port}/{protocol}")
}

/// One container as `docker compose ps --format json` has it.
fn as_json(c: &ObservedContainer) -> serde_json::Value {
    let exit = match c.state {
        ContainerState::Exited(code) => code,
        _ => 0,
    };
    let publishers: Vec<serde_json::Value> = c
        .ports
        .iter()
        .map(|p| {
            json!({"URL": p.host_ip, "TargetPort": p.container_port, "PublishedPort": p.host_port, "Protocol": p.protocol})
        })
        .collect();
    json!({
        "ID": c.id.short(),
        "Name": c.name,
        "Names": c.name,
        "Image": c.image_name,
        "Command": c.command,
        "Project": c.labels.get(crate::plan::labels::PROJECT),
        "Service": c.service,
        "State": c.state.word(),
        "Health": c.health.map_or("", crate::model::Health::word),
        "Status": c.status,
        "ExitCode": exit,
        "CreatedAt": c.created,
        "RunningFor": ago(c.created),
        "Ports": c.ports.iter().map(port).collect::<Vec<_>>().join(", "),
        "Publishers": publishers,
        "Labels": c.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","),
    })
}

/// How long ago, as `docker ps` says it.
pub(super) fn ago(created: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = now.saturating_sub(u64::try_from(created).unwrap_or(0));
    let (number, unit) = match seconds {
        0 => return "Less than a second ago".to_owned(),
        1..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        172_800..1_209_600 => (seconds / 86_400, "day"),
        _ => (seconds / 604_800, "week"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}
