//! Secrets and configs: those of builds, and those that are written into containers.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use crate::engine::BuildSecret;
use crate::event::{Cause, Failure, Message};
use crate::model::{FileTree, InjectedFile, Project, Service};

pub(super) fn build_secrets(
    tree: &dyn FileTree,
    project: &Project,
    service: &Service,
) -> Result<Vec<BuildSecret>, Failure> {
    let mut secrets = Vec::new();
    for used in service.build.iter().flat_map(|build| &build.secrets) {
        let Some(key) = &used.source else { continue };
        let content = secret(tree, &project.secrets, key, &project.environment).map_err(|mut failure| {
            let place = project.locate(&format!("secrets.{key}"));
            failure.message = failure.message.service(&service.name).at(place.as_ref());
            failure
        })?;
        if let Some(content) = content {
            secrets.push(BuildSecret { id: used.target.clone().unwrap_or_else(|| key.clone()), content });
        }
    }
    Ok(secrets)
}

/// The content of a secret or config; `None` where hob does not have it (`external`).
fn secret(
    tree: &dyn FileTree,
    sources: &IndexMap<String, crate::model::Secret>,
    key: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some(source) = sources.get(key) else { return Ok(None) };
    if let Some(file) = &source.file {
        return tree.read(Path::new(file)).map(Some).map_err(|error| {
            let message = Message::new(format!("cannot read {file}, the file of secret {key}: {error}"));
            Failure { cause: Cause::Missing, message: message.hint("make it, or mend the path") }
        });
    }
    if let Some(name) = &source.environment {
        return match environment.get(name) {
            Some(value) => Ok(Some(value.clone().into_bytes())),
            None => {
                let message = Message::new(format!("secret {key}: the variable {name} is not set"));
                let message = message.hint("set it in the shell, in `.env` or in the file of `--env-file`");
                Err(Failure { cause: Cause::Manifest, message })
            }
        };
    }
    Ok(source.content.clone().map(String::into_bytes))
}

/// Secrets and configs that are not files of the host, as a container gets them.
pub(super) fn injected(tree: &dyn FileTree, project: &Project, service: &Service) -> (Vec<InjectedFile>, Vec<Failure>) {
    let secrets = service.secrets.iter().map(|used| (used, &project.secrets, "/run/secrets/", "secrets"));
    let configs = service.configs.iter().map(|used| (used, &project.configs, "/", "configs"));
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for (used, sources, folder, kind) in secrets.chain(configs) {
        let Some(key) = &used.source else { continue };
        let Some(source) = sources.get(key) else { continue };
        let place = || project.locate(&format!("{kind}.{key}"));
        if source.external {
            let text = format!("{kind}.{key} is `external`, which only a swarm has");
            let hint = "give it a `file`, an `environment` variable or its `content`";
            let message = Message::new(text).service(&service.name).at(place().as_ref()).hint(hint);
            errors.push(Failure { cause: Cause::Manifest, message });
            continue;
        }
        if let Some(file) = &source.file {
            if tree.entry(Path::new(file)).is_err() {
                let text = format!("{file}, the file of {kind}.{key}, does not exist");
                let message = Message::new(text).service(&service.name).at(place().as_ref());
                let message = message.hint("make it, or mend the path");
                errors.push(Failure { cause: Cause::Missing, message });
            }
            continue;
        }
        match secret(tree, sources, key, &project.environment) {
            Ok(Some(content)) => {
                let target = used.target.clone().unwrap_or_else(|| key.clone());
                let path = if target.starts_with('/') { target } else { format!("{folder}{target}") };
                let number = |text: &Option<String>| text.as_deref().and_then(|t| t.parse().ok()).unwrap_or(0);
                let mode =
                    used.mode.as_deref().and_then(|text| u32::from_str_radix(text.trim_start_matches("0o"), 8).ok());
                let (uid, gid) = (number(&used.uid), number(&used.gid));
                files.push(InjectedFile { path, content, mode: mode.unwrap_or(0o444), uid, gid });
            }
            Ok(None) => {}
            Err(failure) => {
                let message = failure.message.service(&service.name).at(place().as_ref());
                errors.push(Failure { message, ..failure });
            }
        }
    }
    (files, errors)
}
