//! `hob ls`.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::json;

use super::args::{KeyValue, LsArgs, TableFormat};
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::event::{Event, Layout};
use crate::model::ObservedContainer;
use crate::plan::labels;

/// A project, as its containers tell of it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    status: String,
    files: String,
}

/// Lists projects.
pub async fn run(context: &Context, args: &LsArgs) -> anyhow::Result<Exit> {
    let names = args.filter.iter().map(pattern).collect::<Result<Vec<_>, _>>()?;
    let engine = context.engine().await?;
    let mut rows = rows(&engine.containers(None, args.all).await?);
    rows.retain(|row| names.is_empty() || names.iter().any(|name| name.is_match(&row.name)));
    let event = if args.quiet {
        Event::Output { text: rows.into_iter().map(|row| row.name + "\n").collect() }
    } else if args.format == TableFormat::Json {
        let one = |row: &Row| json!({"Name": row.name, "Status": row.status, "ConfigFiles": row.files});
        Event::Output { text: rows.iter().map(one).collect::<serde_json::Value>().to_string() }
    } else {
        let head = ["NAME", "STATUS", "CONFIG FILES"].map(str::to_owned).to_vec();
        let rows = rows.into_iter().map(|row| vec![row.name, row.status, row.files]).collect();
        Event::Table { head, rows, layout: Layout::COMPOSE }
    };
    context.sink.emit(event);
    Ok(Exit::Ok)
}

fn pattern(filter: &KeyValue) -> Result<Regex, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text).hint("filter by `name=PATTERN`");
    match (filter.key.as_str(), &filter.value) {
        ("name", Some(pattern)) => {
            Regex::new(pattern).map_err(|error| usage(format!("--filter name: {pattern} is no pattern: {error}")))
        }
        (key, _) => Err(usage(format!("--filter {key}: only `name=PATTERN` can be filtered by"))),
    }
}

/// Projects by name: how many of their containers are in each state, and which files they come from.
fn rows(containers: &[ObservedContainer]) -> Vec<Row> {
    let mut projects: BTreeMap<&str, Vec<&ObservedContainer>> = BTreeMap::new();
    for container in containers {
        if let Some(project) = container.labels.get(labels::PROJECT) {
            projects.entry(project).or_default().push(container);
        }
    }
    let row = |(name, containers): (&str, Vec<&ObservedContainer>)| {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for container in &containers {
            *states.entry(container.state.word()).or_default() += 1;
        }
        let states: Vec<String> = states.into_iter().map(|(state, count)| format!("{state}({count})")).collect();
        let files = files(&containers).unwrap_or_else(|| "N/A".to_owned());
        Row { name: name.to_owned(), status: states.join(", "), files }
    };
    projects.into_iter().map(row).collect()
}

/// The files of all of them; `None` where one does not tell.
fn files(containers: &[&ObservedContainer]) -> Option<String> {
    let mut files: Vec<&str> = Vec::new();
    for container in containers {
        for file in container.labels.get(labels::CONFIG_FILES)?.split(',') {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Some(files.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ContainerState;

    #[test]
    fn containers_tell_of_projects() {
        let container = |project: &str, files: Option<&str>, state| {
            let mut labels = vec![(labels::PROJECT.to_owned(), project.to_owned())];
            labels.extend(files.map(|files| (labels::CONFIG_FILES.to_owned(), files.to_owned())));
            ObservedContainer { labels: labels.into_iter().collect(), state, ..ObservedContainer::default() }
        };
        let containers = [
            container("shop", Some("/b.yaml,/a.yaml"), ContainerState::Running),
            container("shop", Some("/a.yaml"), ContainerState::Exited(1)),
            container("shop", Some("/c.yaml"), ContainerState::Running),
            container("bare", None, ContainerState::Paused),
            ObservedContainer::default(),
        ];
        let row = |name: &str, status: &str, files: &str| Row {
            name: name.to_owned(),
            status: status.to_owned(),
            files: files.to_owned(),
        };
        let want = [row("bare", "paused(1)", "N/A"), row("shop", "exited(1), running(2)", "/b.yaml,/a.yaml,/c.yaml")];
        assert_eq!(rows(&containers), want);
    }
}
