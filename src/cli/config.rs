//! `hob config`: the manifest in canonical form, and what is in it.

use std::collections::BTreeMap;
use std::fs;

use super::args::{ConfigArgs, ConfigFormat, ConfigList};
use super::context::{Context, suggestion};
use super::exit::{Exit, Failure};
use crate::event::Event;
use crate::host::terminal::stdout_is_terminal;
use crate::manifest::{self, Explanation, LoadOptions, Purpose, Severity};
use crate::model::{Location, Project, ServiceName};
use crate::plan::{self, Labels, Wanted, container_spec};
use crate::workspace::{cause_of, message};

/// Checks and prints.
pub fn run(context: &Context, args: &ConfigArgs) -> anyhow::Result<Exit> {
    // What only names things needs no env files.
    let names = matches!(
        args.list(),
        Some(
            ConfigList::Services
                | ConfigList::Images
                | ConfigList::Volumes
                | ConfigList::Networks
                | ConfigList::Models
                | ConfigList::Profiles
        )
    );
    let options = LoadOptions {
        purpose: if names { Purpose::Names } else { context.purpose },
        no_interpolate: args.no_interpolate,
        explain: args.explain.clone(),
        ..context.load_options(&args.services_named)
    };
    let loaded = tracing::info_span!("load").in_scope(|| manifest::load(&*context.tree, &options));
    let errors = loaded.diagnostics.iter().any(|d| d.severity == Severity::Error);
    if args.format == ConfigFormat::Json && errors {
        // For an editor's problem matcher or a CI annotation.
        let text = serde_json::to_string_pretty(&loaded.diagnostics)?;
        // A file or a program that waits for the model gets nothing else.
        let event = if stdout_is_terminal() { Event::Output { text } } else { Event::Notice { text } };
        context.sink.emit(event);
        return Ok(cause_of(&loaded.diagnostics).into());
    }
    for diagnostic in &loaded.diagnostics {
        let message = message(diagnostic);
        context.sink.emit(match diagnostic.severity {
            Severity::Error => Event::Error(message),
            _ => Event::Warning(message),
        });
    }
    if let (Some(path), false) = (&args.explain, errors) {
        let Some(explanation) = &loaded.explanation else {
            return Err(Failure::new(Exit::Manifest, format!("the manifest has no {path}")).into());
        };
        let text = match args.format {
            ConfigFormat::Json => serde_json::to_string_pretty(explanation)?,
            ConfigFormat::Yaml => explained(explanation),
        };
        context.sink.emit(Event::Output { text });
        return Ok(Exit::Ok);
    }
    if let (Some(model), false) = (&loaded.model, errors)
        && args.no_interpolate
    {
        return print(context, args, as_text(model, args.format)?);
    }
    let Some(mut project) = loaded.project.filter(|_| !errors) else {
        return Ok(cause_of(&loaded.diagnostics).into());
    };
    let named = super::context::named(&project, &args.services_named)?;
    let scope = plan::scope(&project, &named, false);
    project.services.retain(|name, _| scope.contains(name));
    if args.quiet {
        return Ok(Exit::Ok);
    }
    let text = match args.list() {
        Some(list) => listed(&project, &loaded.environment, &loaded.profiles, &list)?,
        None if args.format == ConfigFormat::Json => {
            serde_json::to_string_pretty(&manifest::json(&project)).unwrap_or_default()
        }
        None => manifest::to_yaml(&project),
    };
    print(context, args, text)
}

/// Writes the result to standard output or to a file.
fn print(context: &Context, args: &ConfigArgs, text: String) -> anyhow::Result<Exit> {
    if args.quiet {
        return Ok(Exit::Ok);
    }
    match &args.output {
        Some(path) => {
            let path = context.working_dir.join(path);
            fs::write(&path, text)
                .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))?;
        }
        None => context.sink.emit(Event::Output { text }),
    }
    Ok(Exit::Ok)
}

fn as_text(model: &serde_json::Value, format: ConfigFormat) -> anyhow::Result<String> {
    Ok(match format {
        ConfigFormat::Json => serde_json::to_string_pretty(model)?,
        ConfigFormat::Yaml => manifest::text_of(model),
    })
}

fn listed(
    project: &Project,
    environment: &BTreeMap<String, String>,
    profiles: &[String],
    list: &ConfigList,
) -> Result<String, Failure> {
    let mut lines: Vec<String> = match list {
        ConfigList::Services => project.services.keys().map(ToString::to_string).collect(),
        ConfigList::Images => project.services.values().map(|service| project.image_name(service)).collect(),
        ConfigList::Volumes => project.volumes.keys().cloned().collect(),
        ConfigList::Networks => project.networks.keys().cloned().collect(),
        ConfigList::Models => project.models.keys().cloned().collect(),
        ConfigList::Profiles => profiles.to_vec(),
        ConfigList::Environment => environment.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        ConfigList::Hash(which) => hashes(project, which)?,
        // Answered from the load itself.
        ConfigList::Explain(_) => Vec::new(),
    };
    if matches!(list, ConfigList::Images) {
        lines.sort();
    }
    Ok(lines.join("\n"))
}

/// Name and digest of each service, by name. The form is Compose's; the digest is hob's own, by which `up` knows a
/// container that is outdated.
fn hashes(project: &Project, which: &str) -> Result<Vec<String>, Failure> {
    let mut names: Vec<&str> = match which {
        "*" => project.services.keys().map(ServiceName::as_str).collect(),
        names => names.split(',').collect(),
    };
    names.sort_unstable();
    let services = names.into_iter().map(|name| match project.services.get(name) {
        Some(service) => Ok(service),
        None => {
            let known: Vec<&str> = project.services.keys().map(ServiceName::as_str).collect();
            let failure = Failure::new(Exit::Manifest, format!("no such service: {name}"));
            Err(failure.hint(suggestion(name, &known)))
        }
    });
    services
        .map(|service| {
            let service = service?;
            let spec = container_spec(project, service, 1, &Wanted::default(), &indexmap::IndexMap::new());
            Ok(format!("{} {}", service.name, Labels::of(service, &spec, &[], "").hash()))
        })
        .collect()
}

/// Where a value came from, what it overrode, and where its variables came from.
fn explained(explanation: &Explanation) -> String {
    let Explanation { path, value, location, template, variables, overrode } = explanation;
    let place = |location: &Option<Location>| location.as_ref().map_or_else(|| "hob".to_owned(), ToString::to_string);
    let mut text = format!("{path}: {value}\n  from {}", place(location));
    if let Some(template) = template {
        text.push_str(&format!("\n  written as {template}"));
    }
    for variable in variables {
        text.push_str(&format!("\n  {} is {:?}, from {}", variable.name, variable.value, variable.origin));
    }
    for before in overrode {
        text.push_str(&format!("\n  overrode {}, from {}", before.value, place(&before.location)));
    }
    text
}
