//! Mounts of files that are not there: the engine makes a folder of each, which then stands in the way on both sides.

use std::io::ErrorKind;
use std::path::Path;

use crate::event::Message;
use crate::execute::{Cause, Failure};
use crate::model::{FileTree, Mount, MountType, Project, Service, ServiceName};
use crate::plan;

/// Endings of names that files have and folders do not.
const ENDINGS: [&str; 42] = [
    "bash",
    "cert",
    "cfg",
    "cnf",
    "conf",
    "config",
    "crt",
    "css",
    "csv",
    "env",
    "erb",
    "go",
    "html",
    "ini",
    "jar",
    "js",
    "json",
    "key",
    "lua",
    "md",
    "mjs",
    "pem",
    "php",
    "pl",
    "properties",
    "ps1",
    "pub",
    "py",
    "rb",
    "sh",
    "sql",
    "template",
    "tmpl",
    "toml",
    "ts",
    "tsv",
    "txt",
    "xml",
    "yaml",
    "yml",
    "zip",
    "zsh",
];

/// Looks at the mounts of the services named and of what they need. Only for an engine on this machine: another one
/// has files of its own.
pub fn check(tree: &dyn FileTree, project: &Project, targets: &[String]) -> Result<(), Vec<Failure>> {
    let targets: Vec<ServiceName> = targets.iter().map(ServiceName::new).collect();
    let services = plan::scope(project, &targets, false);
    let services = services.iter().filter_map(|name| project.services.get(name));
    let missing: Vec<Failure> = services.flat_map(|service| missing(tree, project, service)).collect();
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}

fn missing(tree: &dyn FileTree, project: &Project, service: &Service) -> Vec<Failure> {
    let gone = |mount: &Mount| {
        let source = mount.source.as_deref().filter(|_| mount.r#type == MountType::Bind)?;
        let makes_a_folder = mount.bind.as_ref().is_none_or(|bind| bind.create_host_path != Some(false));
        let is_gone = || tree.entry(Path::new(source)).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        (makes_a_folder && is_file_name(source) && is_file_name(&mount.target) && is_gone()).then(|| source.to_owned())
    };
    let found = service.volumes.iter().enumerate().filter_map(|(index, mount)| Some((index, mount, gone(mount)?)));
    found
        .map(|(index, mount, source)| {
            let place = project.locate(&format!("services.{}.volumes.{index}", service.name));
            let shown = Path::new(&source).strip_prefix(&project.working_dir).unwrap_or(Path::new(&source));
            let text = format!(
                "{} is not there, and is mounted as the file {}: the engine would make a folder of it",
                shown.display(),
                mount.target
            );
            let message = Message::new(text).service(&service.name).at(place.as_ref());
            Failure { cause: Cause::Missing, message: message.hint("make the file, or mend the path") }
        })
        .collect()
}

/// Whether a path has the name of a file.
fn is_file_name(path: &str) -> bool {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ENDINGS.contains(&ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_told_from_those_of_folders() {
        for name in ["/a/nginx.conf", "./x.tar/init.sql", "a.b.yml"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["/etc/conf.d", "/data", ".env", "/a.conf/b", "/run/docker.sock", "v1.2"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
