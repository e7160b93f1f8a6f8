//! Pulls and builds.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{PlanError, Up};
use crate::model::{Part, Service, without_latest};
use crate::plan::labels::INPUTS;
use crate::plan::op::StepId;
use crate::plan::{Base, Op, Reason, WantedImage};

impl Up<'_> {
    /// Pulls and builds: one build for all services that share its digest.
    pub(super) fn images(&mut self, services: &[&Service]) {
        let mut builds: IndexMap<String, Vec<&Service>> = IndexMap::new();
        for service in services {
            match self.input.wanted.images.get(&service.name) {
                Some(image @ (WantedImage::Built(_) | WantedImage::Remote { .. })) => {
                    builds.entry(image.by_digest().unwrap_or_default()).or_default().push(service);
                }
                Some(WantedImage::Named(image)) => self.pull(service, image),
                None => {}
            }
        }
        // Bases first: a build that starts from another service's image comes after it.
        let mut names: HashMap<String, StepId> = HashMap::new();
        for base in &self.input.wanted.bases {
            if let Base::Image { name, platform, service } = base {
                let op = Op::Pull { image: name.clone(), platform: platform.clone() };
                let step = self.plan.push(op, Some(service), Reason::Base(service.clone()), Vec::new());
                names.insert(without_latest(name).to_owned(), step);
            }
        }
        let mut open: Vec<(String, Vec<&Service>)> = builds.into_iter().collect();
        while !open.is_empty() {
            let names_of = |(_, group): &(String, Vec<&Service>)| -> Vec<String> {
                group.iter().map(|s| self.input.project.image_name(s)).collect()
            };
            let waiting: Vec<String> = open.iter().flat_map(names_of).collect();
            let free = open.iter().position(|entry| {
                let own = names_of(entry);
                self.bases(entry.1[0]).iter().all(|base| own.contains(base) || !waiting.contains(base))
            });
            let (image, group) = open.remove(free.unwrap_or(0));
            let after = self.bases(group[0]).iter().filter_map(|base| names.get(base).copied()).collect();
            if let Some(step) = self.build(&image, &group, after) {
                for service in &group {
                    self.images.insert(service.name.clone(), step);
                    names.insert(self.input.project.image_name(service), step);
                }
            }
        }
    }

    fn bases(&self, service: &Service) -> Vec<String> {
        let plain = |name: &String| without_latest(name).to_owned();
        match self.input.wanted.images.get(&service.name) {
            Some(WantedImage::Built(inputs)) => inputs.base_images.iter().map(plain).collect(),
            _ => Vec::new(),
        }
    }

    fn pull(&mut self, service: &Service, image: &str) {
        let policy = self.options.pull.as_deref().or(service.pull_policy.as_deref()).unwrap_or("missing");
        let there = self.input.observed.images.contains_key(image);
        let reason = match policy {
            // It has the name of what is built, and is taken as it is.
            _ if there && service.build.is_some() => return,
            "always" => Reason::PullAlways,
            _ if there => return,
            "never" => {
                self.errors.push(PlanError {
                    service: Some(service.name.clone()),
                    path: format!("services.{}.image", service.name),
                    text: format!("image {image} is not on the engine and the pull policy is `never`"),
                    hint: format!("pull it with `docker pull {image}`, or remove `pull_policy: never`"),
                });
                return;
            }
            _ => Reason::Missing,
        };
        let op = Op::Pull { image: image.to_owned(), platform: service.platform.clone() };
        let same = self.plan.steps.iter().position(|step| step.op == op);
        let step = same.unwrap_or_else(|| self.plan.push(op, Some(&service.name), reason, Vec::new()));
        self.images.insert(service.name.clone(), step);
    }

    fn build(&mut self, image: &str, group: &[&Service], after: Vec<StepId>) -> Option<StepId> {
        let observed = &self.input.observed.images;
        let mut names: Vec<String> = Vec::new();
        for service in group {
            names.extend(self.input.project.image_names(service));
        }
        names.dedup();
        let first = group[0];
        match observed.get(image) {
            Some(there) if !self.options.rebuild => {
                let mut last = None;
                for name in names {
                    if observed.get(&name).is_none_or(|named| named.id != there.id) {
                        let op = Op::Tag { image: image.to_owned(), name };
                        last = Some(self.plan.push(op, Some(&first.name), Reason::Name, last.into_iter().collect()));
                    }
                }
                last
            }
            _ if self.options.no_build => {
                self.errors.push(PlanError {
                    service: Some(first.name.clone()),
                    path: format!("services.{}.build", first.name),
                    text: "its image must be built and --no-build was given".to_owned(),
                    hint: format!("run `hob build {}` first, or leave out --no-build", first.name),
                });
                None
            }
            there => {
                let reason = if there.is_some() {
                    Reason::Flag("--no-cache")
                } else {
                    match self.changed_parts(first) {
                        Some(parts) if !parts.is_empty() => Reason::Inputs(parts),
                        _ => self.why_built(&names),
                    }
                };
                if let Some(given) = self.input.wanted.given.get(&first.name) {
                    let args: Vec<String> = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    self.plan.notes.push(format!(
                        "{} is built with {}, as the last `hob build --build-arg` said; the next `hob build` ends that",
                        first.name,
                        args.join(" ")
                    ));
                }
                let services = group.iter().map(|s| s.name.clone()).collect();
                let op = Op::Build { services, image: image.to_owned(), names };
                Some(self.plan.push(op, Some(&first.name), reason, after))
            }
        }
    }

    /// Why there is no image of what the build reads, where no more is known than the images that have its names.
    fn why_built(&self, names: &[String]) -> Reason {
        match names.iter().find_map(|name| self.input.observed.images.get(name)) {
            None => Reason::NoImage,
            Some(image) if image.labels.contains_key(INPUTS) => Reason::Inputs(Vec::new()),
            Some(_) => Reason::Foreign,
        }
    }

    /// What changed since the image of the service's container was built, where that is known.
    fn changed_parts(&self, service: &Service) -> Option<Vec<Part>> {
        let container = self.input.observed.of_service(&service.name).next()?;
        crate::plan::containers::changed_parts(self.input, service, container)
    }
}
