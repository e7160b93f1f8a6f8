//! Changes that ask for nothing: what a person is told about them, once a service and session.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::known::watched::Noted;
use super::state::Machine;
use crate::event::{Event, Message};
use crate::model::{Aside, ServiceName};
use crate::plan::Braked;

/// Endings of files that a person writes and a program reads, and not the other way round. Of what a program writes into
/// a mount nobody has to be told.
const WRITTEN: [&str; 62] = [
    "c",
    "cc",
    "cfg",
    "cjs",
    "clj",
    "conf",
    "cpp",
    "cs",
    "css",
    "dart",
    "edn",
    "ejs",
    "elm",
    "env",
    "erb",
    "erl",
    "ex",
    "exs",
    "fs",
    "go",
    "graphql",
    "h",
    "haml",
    "hbs",
    "hcl",
    "hpp",
    "hs",
    "htm",
    "html",
    "ini",
    "j2",
    "java",
    "jinja",
    "jl",
    "js",
    "jsx",
    "kt",
    "less",
    "lua",
    "mjs",
    "ml",
    "php",
    "pl",
    "properties",
    "proto",
    "py",
    "r",
    "rb",
    "rs",
    "scala",
    "scss",
    "sh",
    "sql",
    "svelte",
    "swift",
    "tmpl",
    "toml",
    "ts",
    "tsx",
    "vue",
    "yaml",
    "yml",
];

/// A person writes it, as a rule.
fn is_written(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| WRITTEN.contains(&ending))
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Machine {
    /// Says what is to be said of changes that ask for nothing.
    pub(super) fn say_asides(&mut self, noted: Vec<Noted>) {
        // What several services read is told once.
        let mut house: IndexMap<String, IndexMap<ServiceName, PathBuf>> = IndexMap::new();
        let mut about: Vec<(Vec<ServiceName>, PathBuf, Aside)> = Vec::new();
        for (service, path, aside) in noted {
            if let Aside::Housekeeping { pattern, ignore_file } = aside {
                house.entry(pattern).or_default().insert(service, ignore_file);
                continue;
            }
            if self.say_ended(&service, &path, &aside) || self.about(&service, &path, &aside).is_none() {
                continue;
            }
            let Some(watched) = self.watching.get_mut(&service) else { continue };
            let Some(said) = watched.said.of(&aside).filter(|said| !**said) else { continue };
            *said = true;
            match about.iter_mut().find(|(_, known, of)| *known == path && *of == aside) {
                Some((services, ..)) => services.push(service),
                None => about.push((vec![service], path, aside)),
            }
        }
        for (services, path, aside) in about {
            // A mount is a service's own; what several images have is said once.
            let names = services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ");
            if let Some(text) = services.first().and_then(|first| self.text(first, &names, &path, &aside)) {
                self.notice(text);
            }
        }
        for (pattern, services) in house {
            self.say_housekeeping(&pattern, services);
        }
    }

    /// A file behind a mount of a service that has ended was saved, perhaps to mend it: nothing starts it again.
    fn say_ended(&mut self, service: &ServiceName, path: &Path, aside: &Aside) -> bool {
        let mounted = matches!(aside, Aside::Mounted { said: false, .. }) && is_written(path);
        let code = self.containers.exit_code(service).filter(|_| !self.containers.runs(service));
        let (true, Some(code), Some(watched)) = (mounted, code, self.watching.get_mut(service)) else { return false };
        if !std::mem::replace(&mut watched.said.ended, true) {
            let shown = path.strip_prefix(&self.project.working_dir).unwrap_or(path).display();
            let text = format!(
                "{shown} changed, and {service} has exited with {code}: `hob start {service}` starts it again; with \
                 `x-reload: restart` a save does"
            );
            self.notice(text);
        }
        true
    }

    /// Version control and its like are in images, which nobody needs; what has to be written where to leave them out.
    fn say_housekeeping(&mut self, pattern: &str, services: IndexMap<ServiceName, PathBuf>) {
        let (mut names, mut files) = (Vec::new(), Vec::new());
        for (service, file) in services {
            let Some(watched) = self.watching.get_mut(&service) else { continue };
            if std::mem::replace(&mut watched.said.housekeeping, true) {
                continue;
            }
            let file = file.strip_prefix(&self.project.working_dir).unwrap_or(&file).display().to_string();
            names.push(service.to_string());
            if !files.contains(&file) {
                files.push(file);
            }
        }
        if names.is_empty() {
            return;
        }
        let (images, names) = (if names.len() == 1 { "image" } else { "images" }, listed(&names));
        let text = format!(
            "`{pattern}` goes into the {images} of {names}, and its changes alone start no build; a line `{pattern}` in {} \
             leaves it out of builds; `hob init --ignore` writes it",
            listed(&files)
        );
        self.notice(text);
    }

    fn about(&self, service: &ServiceName, path: &Path, aside: &Aside) -> Option<String> {
        self.text(service, service, path, aside)
    }

    fn text(&self, service: &ServiceName, names: &str, path: &Path, aside: &Aside) -> Option<String> {
        let shown = path.strip_prefix(&self.project.working_dir).unwrap_or(path).display();
        match aside {
            Aside::Mounted { at, .. } => {
                // A program that reloads itself sees it, and so does one that is yet to start.
                let knows = self.wanted.reloaders.contains_key(service) || self.containers.running(service).is_empty();
                (is_written(path) && !knows).then(|| {
                    format!(
                        "{shown} is mounted at {at} and {names} was not told: `x-reload: restart` restarts it, `none` \
                         is for programs that reload themselves"
                    )
                })
            }
            Aside::Output => Some(format!(
                "{shown} is where hob's output goes, and {names} reads it: its changes are not acted upon; leave it out \
                 by .dockerignore, or write it elsewhere"
            )),
            Aside::Hidden { .. } | Aside::Housekeeping { .. } | Aside::IgnoreFile => None,
        }
    }

    /// Says that changes of a path are not acted upon as ever.
    pub(super) fn say_braked(&mut self, service: &ServiceName, braked: &Braked) {
        let shown = |path: &Path| match path.strip_prefix(&self.project.working_dir) {
            Ok(inside) if inside.as_os_str().is_empty() => "the project's folder".to_owned(),
            inside => inside.unwrap_or(path).display().to_string(),
        };
        let by_rules = self.project.services.get(service).is_some_and(crate::model::Service::has_watch_rules);
        let leave_out = if by_rules { "`ignore` of the rule, or by .dockerignore" } else { ".dockerignore" };
        let (text, hint) = match braked {
            Braked::OnTrial(path) => {
                let shown = shown(path);
                let text = format!(
                    "{shown} changes right after each time {service} is restarted or rebuilt for it: from now on hob \
                     waits until it has been quiet for some seconds"
                );
                (text, format!("where {service} writes it, leave it out by {leave_out}"))
            }
            Braked::Ignored(path) => {
                let text = format!(
                    "{} changes only when {service} is restarted or rebuilt: hob ignores its changes from now on",
                    shown(path)
                );
                (text, format!("leave it out by {leave_out}; a change of the manifest or `hob up -d` begins anew"))
            }
        };
        self.emit(Event::Warning(Message::new(text).service(service).hint(hint)));
    }
}
