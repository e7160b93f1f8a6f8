//! Programs that reload themselves: after a sync they are left to do it.
//!
//! A false recognition is a save that does not go live, a missed one is only a restart that was not needed. So nothing
//! is recognised that is not sure: the program and the flag must be read in the command itself, in the script of a
//! `package.json` that it runs, or in the environment.

mod shell;
#[cfg(test)]
mod tests;
mod tools;
mod unwrap;

use std::path::Path;

use crate::model::{FileTree, ObservedImage, Reloader, Service};
use tools::Environment;
use unwrap::Command;

/// What a service's container runs, if that reloads itself. `image` is the service's, where it is there already;
/// `context` is the folder that its build copies from, where `npm run` finds its scripts.
pub fn reloader(
    tree: &dyn FileTree,
    service: &Service,
    image: Option<&ObservedImage>,
    context: Option<&Path>,
) -> Option<Reloader> {
    let mut environment = Environment::new();
    for (name, value) in image.iter().flat_map(|image| &image.env).filter_map(|entry| entry.split_once('=')) {
        environment.insert(name.to_owned(), value.to_owned());
    }
    for (name, value) in &service.environment {
        match value {
            Some(value) => environment.insert(name.clone(), value.clone()),
            None => environment.remove(name),
        };
    }
    // Of another working folder than the image's it is not known which `package.json` is there.
    let context = context.filter(|_| service.working_dir.is_none());
    let scripts = || {
        let text = tree.read(&context?.join("package.json")).ok()?;
        let package: serde_json::Value = serde_json::from_slice(&text).ok()?;
        let scripts = package.get("scripts")?.as_object()?;
        Some(scripts.iter().filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect())
    };
    let mut command = Command { environment, scripts: &scripts, depth: 0 };
    command.reloader(words(service, image))
}

/// Entry point and command, as an engine puts them together: an entry point of the manifest drops the image's command.
fn words(service: &Service, image: Option<&ObservedImage>) -> Vec<String> {
    let own = service.entrypoint.as_ref();
    let of_image = |list: fn(&ObservedImage) -> &Vec<String>| image.map(list).cloned().unwrap_or_default();
    let mut words = own.cloned().unwrap_or_else(|| of_image(|image| &image.entrypoint));
    words.extend(match (&service.command, own) {
        (Some(command), _) => command.clone(),
        (None, Some(own)) if !own.is_empty() => Vec::new(),
        (None, _) => of_image(|image| &image.cmd),
    });
    words
}
