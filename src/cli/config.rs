//! `hob config`: the manifest in canonical form, and what is in it.

use std::fs;

use serde_json::{Value, json};

use super::args::{ConfigArgs, ConfigFormat, ConfigList};
use super::context::{Context, suggestion};
use super::exit::{Exit, Failure};
use crate::event::{Event, Layout};
use crate::host::terminal::stdout_is_terminal;
use crate::manifest::{self, Explanation, LoadOptions, Purpose, Severity};
use crate::model::{Location, Project, ServiceName, full_name};
use crate::plan::{self, Labels, Wanted, container_spec};
use crate::workspace::{cause_of, message};

/// Checks and prints, without an engine.
pub fn run(context: &Context, args: &ConfigArgs) -> anyhow::Result<Exit> {
    if matches!(args.list(), Some(ConfigList::Variables)) {
        return variables(context, args);
    }
    match loaded(context, args)? {
        Ok(project) => show(context, args, &project),
        Err(exit) => Ok(exit),
    }
}

/// The same with images pinned to digests, for which the engine asks their registries.
pub async fn pinned(context: &Context, args: &ConfigArgs) -> anyhow::Result<Exit> {
    let mut project = match loaded(context, &ConfigArgs { no_interpolate: false, ..args.clone() })? {
        Ok(project) => project,
        Err(exit) => return Ok(exit),
    };
    let engine = context.engine().await?;
    for service in project.services.values_mut() {
        let Some(image) = service.image.as_mut().filter(|image| !image.contains('@')) else { continue };
        let digest = engine.registry_digest(image).await?;
        *image = format!("{}@{digest}", full_name(image));
    }
    if !args.lock_image_digests || args.list().is_some() {
        return show(context, args, &project);
    }
    let images = project.services.iter().map(|(name, service)| {
        let pinned = service.image.as_ref().map_or_else(|| json!({}), |image| json!({ "image": image }));
        (name.to_string(), pinned)
    });
    let mut images: Vec<_> = images.collect();
    images.sort_by(|a, b| a.0.cmp(&b.0));
    let images: serde_json::Map<String, Value> = images.into_iter().collect();
    print(context, args, as_text(&json!({ "services": images }), args.format)?)
}

/// The project as it is asked for, or how the command ends without one.
fn loaded(context: &Context, args: &ConfigArgs) -> anyhow::Result<Result<Project, Exit>> {
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
        no_normalize: args.no_normalize,
        no_path_resolution: args.no_path_resolution,
        no_consistency: args.no_consistency,
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
        return Ok(Err(cause_of(&loaded.diagnostics).into()));
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
        return Ok(Err(Exit::Ok));
    }
    if let (Some(model), false) = (&loaded.model, errors)
        && args.no_interpolate
    {
        let text = match args.list() {
            Some(list) => listed_as_written(model, &list)?,
            None => as_text(model, args.format)?,
        };
        return print(context, args, text).map(Err);
    }
    let Some(mut project) = loaded.project.filter(|_| !errors) else {
        return Ok(Err(cause_of(&loaded.diagnostics).into()));
    };
    let lists_all = matches!(args.list(), Some(ConfigList::Volumes | ConfigList::Networks | ConfigList::Models));
    let named = super::context::named(&project, &args.services_named)?;
    if !named.is_empty() && !lists_all {
        project.keep(&plan::scope(&project, &named, false));
    }
    if matches!(args.list(), Some(ConfigList::Profiles)) {
        return print(context, args, loaded.profiles.join("\n")).map(Err);
    }
    Ok(Ok(project))
}

fn show(context: &Context, args: &ConfigArgs, project: &Project) -> anyhow::Result<Exit> {
    let text = match args.list() {
        Some(list) => listed(project, &list)?,
        None if args.format == ConfigFormat::Json => {
            serde_json::to_string_pretty(&manifest::json(project)).unwrap_or_default()
        }
        None => manifest::to_yaml(project),
    };
    print(context, args, text)
}

/// The variables that the manifest uses, with what it says of each.
fn variables(context: &Context, args: &ConfigArgs) -> anyhow::Result<Exit> {
    let options = LoadOptions {
        purpose: Purpose::Names,
        no_interpolate: true,
        no_consistency: true,
        ..context.load_options(&args.services_named)
    };
    let loaded = manifest::load(&*context.tree, &options);
    let Some(model) = &loaded.model else {
        for diagnostic in &loaded.diagnostics {
            context.sink.emit(Event::Error(message(diagnostic)));
        }
        return Ok(cause_of(&loaded.diagnostics).into());
    };
    let asked = manifest::asked(model);
    if args.format == ConfigFormat::Json {
        return print(context, args, serde_json::to_string_pretty(&asked)?);
    }
    let head = ["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"].map(String::from).to_vec();
    let row = |asked: &manifest::Asked| {
        vec![asked.name.clone(), asked.required.to_string(), asked.default.clone(), asked.instead.clone()]
    };
    let rows = asked.values().map(row).collect();
    context.sink.emit(Event::Table { head, rows, layout: Layout::COMPOSE });
    Ok(Exit::Ok)
}

/// What a manifest has whose variables are left as they are written.
fn listed_as_written(model: &Value, list: &ConfigList) -> Result<String, Failure> {
    let section = |name: &str| model.get(name).and_then(Value::as_object);
    let keys = |name: &str| section(name).into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>();
    let of_services = |key: &str| {
        let values = section("services").into_iter().flat_map(|map| map.values());
        values.filter_map(|service| service.get(key).cloned()).collect::<Vec<_>>()
    };
    let mut lines: Vec<String> = match list {
        ConfigList::Services => keys("services"),
        ConfigList::Volumes => keys("volumes"),
        ConfigList::Networks => keys("networks"),
        ConfigList::Models => keys("models"),
        ConfigList::Images => of_services("image").iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
        ConfigList::Profiles => {
            let of_services = of_services("profiles");
            let names = of_services.iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
            names.map(ToOwned::to_owned).collect()
        }
        _ => {
            let text = "this needs the values of the manifest's variables";
            return Err(Failure::new(Exit::Usage, text).hint("leave out `--no-interpolate`"));
        }
    };
    lines.sort();
    if matches!(list, ConfigList::Profiles) {
        lines.dedup();
    }
    Ok(lines.join("\n"))
}

/// Writes the result to standard output or to a file.
fn print(context: &Context, args: &ConfigArgs, text: String) -> anyhow::Result<Exit> {
    if args.quiet && args.list().is_none() {
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

fn listed(project: &Project, list: &ConfigList) -> Result<String, Failure> {
    let mut lines: Vec<String> = match list {
        ConfigList::Services => project.services.keys().map(ToString::to_string).collect(),
        ConfigList::Images => project.services.values().map(|service| project.image_name(service)).collect(),
        ConfigList::Volumes => project.volumes.keys().cloned().collect(),
        ConfigList::Networks => project.networks.keys().cloned().collect(),
        ConfigList::Models => project.models.keys().cloned().collect(),
        ConfigList::Environment => project.environment.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        ConfigList::Hash(which) => hashes(project, which)?,
        // Answered from the load itself.
        ConfigList::Explain(_) | ConfigList::Profiles | ConfigList::Variables => Vec::new(),
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
