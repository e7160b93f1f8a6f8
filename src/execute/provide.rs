//! Services that a program provides: it is called before the plan is made, because its variables belong to the
//! configuration of the services that depend on it.

use std::sync::Arc;

use serde_json::Value;

use super::{Cause, Failure};
use crate::event::{Event, Message, Sink};
use crate::host::provider::{self, Call, ProviderError, Variables};
use crate::model::{Graph, Project, Service, ServiceName};

/// Calls the providers of these services, one after the other as they depend on each other, and gives the project with
/// what they say about themselves to those that depend on them.
///
/// # Errors
/// The first one that does not provide.
pub async fn provide(
    sink: &dyn Sink,
    project: &Arc<Project>,
    services: &[ServiceName],
) -> Result<Arc<Project>, Vec<Failure>> {
    let mut provided = Arc::clone(project);
    for name in providers(project, services) {
        let Some(service) = project.services.get(&name) else { continue };
        let variables = call(sink, project, service, "up").await.map_err(|failure| vec![failure])?;
        let prefix = name.as_str().to_uppercase();
        for dependent in Arc::make_mut(&mut provided).services.values_mut() {
            if !dependent.depends_on.contains_key(&name) {
                continue;
            }
            for (key, value) in &variables.prefixed {
                dependent.environment.insert(format!("{prefix}_{key}"), Some(value.clone()));
            }
            for (key, value) in &variables.raw {
                let before = dependent.environment.insert(key.clone(), Some(value.clone()));
                if before.is_some_and(|before| before.as_ref() != Some(value)) {
                    let text = format!("the provider of {name} takes the place of the variable {key}");
                    sink.emit(Event::Warning(Message::new(text).service(&dependent.name)));
                }
            }
        }
    }
    Ok(provided)
}

/// Has the providers of these services release what they made, going on after a failure.
pub async fn release(sink: &dyn Sink, project: &Project, services: &[ServiceName]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for name in providers(project, services).into_iter().rev() {
        if let Some(service) = project.services.get(&name) {
            failures.extend(call(sink, project, service, "down").await.err());
        }
    }
    failures
}

/// Those of the services that a program provides, what is needed first.
fn providers(project: &Project, services: &[ServiceName]) -> Vec<ServiceName> {
    let order = Graph::of(project).order().unwrap_or_default();
    let is_provided = |name: &ServiceName| project.services.get(name).is_some_and(|s| s.provider.is_some());
    order.into_iter().filter(|name| services.contains(name) && is_provided(name)).collect()
}

async fn call(sink: &dyn Sink, project: &Project, service: &Service, command: &str) -> Result<Variables, Failure> {
    let provider = service.provider.as_ref();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let kind = provider.and_then(|provider| provider.get("type")).map(text).unwrap_or_default();
    let values = |value: &Value| match value {
        Value::Array(list) => list.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let options = provider.and_then(|provider| provider.get("options")).and_then(Value::as_object);
    let options: Vec<(String, Vec<String>)> =
        options.into_iter().flatten().map(|(name, value)| (name.clone(), values(value))).collect();
    let name = &service.name;
    let info = |text: String| sink.emit(Event::Notice { text: format!("{name}: {text}") });
    let call = Call {
        kind: &kind,
        command,
        project: &project.name,
        service: name,
        options: &options,
        folder: &project.working_dir,
        environment: &project.environment,
    };
    let result = provider::call(&call, &info).await;
    result.map_err(|error| {
        let place = project.locate(&format!("services.{name}.provider"));
        let mut message = Message::new(format!("{name}: {error}")).service(name).at(place.as_ref());
        let cause = match &error {
            ProviderError::Missing(kind) => {
                message.hints.push(format!("install {kind} where PATH has it, or mend `type`"));
                Cause::Missing
            }
            ProviderError::Name(_) | ProviderError::Option(_) => Cause::Manifest,
            _ => Cause::Unhealthy,
        };
        Failure { cause, message }
    })
}
