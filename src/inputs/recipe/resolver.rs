//! Names of stages and images of a Dockerfile, and what the target reaches, in which order.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use crate::inputs::dockerfile::expand::expand;
use crate::inputs::dockerfile::{Dockerfile, Instruction, Kind, Value, parse_trigger};
use crate::inputs::error::{DockerfileError, InputsError, similar};
use crate::inputs::paths::is_remote;
use crate::inputs::reading::request::BuildRequest;
use crate::inputs::recipe::mount;
use crate::inputs::recipe::scope::{self, Scope};
use crate::inputs::recipe::{Additional, AdditionalOrigin, ImageUse, Origin, Recipe, StageNode};
use crate::model::{Fallback, familiar_name};

/// What every part of the resolution needs.
pub(crate) struct Resolver<'a> {
    pub request: &'a BuildRequest<'a>,
    pub dockerfile: &'a Dockerfile,
    pub args: HashMap<String, String>,
    pub globals: Scope,
    pub additional: Vec<Additional>,
    pub recipe: Recipe,
    bases: Vec<Base>,
    /// Instructions of each stage, `ONBUILD` triggers of its base first.
    pub instructions: Vec<Vec<Instruction>>,
}

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    Scratch,
    Origin(Origin),
    /// The stage is replaced by an additional context of the same name.
    Replaced(Origin),
    /// Its name depends on a variable of unknown value.
    Unclear,
}

/// The additional contexts of a build. Folders are numbered from 1; the context itself is 0.
pub(crate) fn additional(request: &BuildRequest<'_>) -> Vec<Additional> {
    let mut folders = 0;
    let contexts = request.build.additional_contexts.iter().map(|(name, value)| {
        let origin = if let Some(image) = value.strip_prefix("docker-image://") {
            AdditionalOrigin::Image(image.to_owned())
        } else if let Some(service) = value.strip_prefix("service:") {
            AdditionalOrigin::Service(service.into())
        } else if is_remote(value) || value.contains("://") || value.starts_with("target:") {
            AdditionalOrigin::Remote(value.clone())
        } else {
            folders += 1;
            AdditionalOrigin::Folder(folders, request.absolute(value))
        };
        Additional { name: name.clone(), origin }
    });
    contexts.collect()
}

/// Whether a frontend image is Docker's own, whose language is known here.
fn is_docker_frontend(syntax: &str) -> bool {
    let name = syntax.split_whitespace().next().unwrap_or_default();
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.split(['@', ':']).next().unwrap_or_default();
    matches!(name, "docker/dockerfile" | "docker/dockerfile-upstream")
}

impl<'a> Resolver<'a> {
    /// Nothing is resolved yet; `target` is the stage that is asked for by name.
    pub fn new(request: &'a BuildRequest<'a>, dockerfile: &'a Dockerfile, target: Option<&str>) -> Self {
        let last = dockerfile.stages.last().and_then(|s| s.name.clone()).unwrap_or_default();
        Self {
            request,
            dockerfile,
            args: request.args(),
            globals: scope::automatic(
                &request.platforms(),
                request.platform,
                target.map_or(last, str::to_lowercase).as_str(),
            ),
            additional: additional(request),
            recipe: Recipe::default(),
            bases: Vec::new(),
            instructions: Vec::new(),
        }
    }

    pub fn fall_back(&mut self, reason: Fallback) {
        self.recipe.fallback.get_or_insert(reason);
    }

    pub fn check_frontend(&mut self) {
        let syntax = self.args.get("BUILDKIT_SYNTAX").or(self.dockerfile.directives.syntax.as_ref());
        if let Some(frontend) = syntax.filter(|s| !is_docker_frontend(s)).cloned() {
            self.fall_back(Fallback::UnknownSyntax { frontend });
        }
    }

    pub fn set_globals(&mut self) -> Result<(), DockerfileError> {
        let escape = self.dockerfile.directives.escape;
        for instruction in &self.dockerfile.globals {
            let Kind::Arg(args) = &instruction.kind else { continue };
            for (name, default) in args {
                self.recipe.globals.insert(name.clone());
                let value = match (self.args.get(name), default) {
                    (Some(value), _) => Value::Known(value.clone()),
                    (None, Some(default)) => {
                        let expanded = expand(default, escape, &self.globals)
                            .map_err(|message| DockerfileError::new(instruction.place, message))?;
                        if expanded.unknown.is_some() { Value::Unknown } else { Value::Known(expanded.text) }
                    }
                    (None, None) => continue,
                };
                self.globals.set_global(name.clone(), value);
            }
        }
        Ok(())
    }

    /// Resolves what each stage starts from, and puts the triggers of its base before its instructions.
    pub fn stages(&mut self) -> Result<(), DockerfileError> {
        let escape = self.dockerfile.directives.escape;
        for (index, stage) in self.dockerfile.stages.iter().enumerate() {
            let expanded = expand(&stage.base, escape, &self.globals)
                .map_err(|message| DockerfileError::new(stage.place, message))?;
            let mut node =
                StageNode { label: stage.name.clone().unwrap_or_else(|| index.to_string()), ..StageNode::default() };
            let replaced = stage.name.as_deref().and_then(|name| self.additional_origin(name));
            let base = match (replaced, &expanded.unknown) {
                (Some(origin), _) => Base::Replaced(origin),
                (None, Some(name)) => {
                    self.fall_back(Fallback::UnresolvedVariable { place: stage.place, name: name.clone() });
                    Base::Unclear
                }
                (None, None) if expanded.text.is_empty() => {
                    let message = format!("FROM {} names no image: the name is empty", stage.base);
                    return Err(DockerfileError::new(stage.place, message)
                        .hint("give the argument a default, or set it in `build.args`"));
                }
                (None, None) => match self.earlier_stage(&expanded.text, index) {
                    Some(base) => Base::Origin(Origin::Stage(base)),
                    None if expanded.text == "scratch" => Base::Scratch,
                    None => Base::Origin(self.outside(&expanded.text)),
                },
            };
            let mut instructions = self.triggers(&base, index)?;
            match &base {
                Base::Origin(Origin::Stage(base)) => node.base = Some(*base),
                Base::Scratch => node.scratch = true,
                _ => {}
            }
            if !matches!(base, Base::Replaced(_)) {
                instructions.extend(stage.instructions.iter().cloned());
            }
            self.bases.push(base);
            self.instructions.push(instructions);
            self.recipe.stages.push(node);
        }
        Ok(())
    }

    fn triggers(&mut self, base: &Base, stage: usize) -> Result<Vec<Instruction>, DockerfileError> {
        let place = self.dockerfile.stages[stage].place;
        let escape = self.dockerfile.directives.escape;
        let texts: Vec<String> = match base {
            Base::Origin(Origin::Stage(base)) => self.dockerfile.stages[*base]
                .instructions
                .iter()
                .filter_map(|i| match &i.kind {
                    Kind::OnBuild(text) => Some(text.clone()),
                    _ => None,
                })
                .collect(),
            Base::Origin(Origin::Image(name)) => {
                self.request.images.get(name).map(|image| image.onbuild.clone()).unwrap_or_default()
            }
            Base::Origin(Origin::Service(name)) => {
                self.request.services.get(name).map(|image| image.onbuild.clone()).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        texts.iter().map(|text| parse_trigger(text, escape, place)).collect()
    }

    /// The stage of this name before `index`, as `FROM` looks it up: names are compared as written.
    fn earlier_stage(&self, name: &str, index: usize) -> Option<usize> {
        (0..index).rev().find(|i| self.dockerfile.stages[*i].name.as_deref() == Some(name))
    }

    /// An image or an additional context.
    fn outside(&mut self, name: &str) -> Origin {
        self.additional_origin(name).unwrap_or_else(|| Origin::Image(name.to_owned()))
    }

    fn additional_origin(&mut self, name: &str) -> Option<Origin> {
        let short = familiar_name(name);
        let found = self.additional.iter().find(|a| a.name.eq_ignore_ascii_case(name) || a.name == short)?;
        self.recipe.additional.insert(found.name.clone());
        Some(match &found.origin {
            AdditionalOrigin::Folder(index, _) => Origin::Context(*index),
            AdditionalOrigin::Image(image) => Origin::Image(image.clone()),
            AdditionalOrigin::Service(service) => Origin::Service(service.clone()),
            AdditionalOrigin::Remote(url) => Origin::Remote(url.clone()),
        })
    }

    /// What `--from` or `from=` names: a stage by name or number, an additional context, or an image.
    pub fn from(&mut self, name: &str, stage: usize) -> Result<Origin, String> {
        let lower = name.to_lowercase();
        let stages = &self.dockerfile.stages;
        let by_name = stages.iter().rposition(|s| s.name.as_deref() == Some(lower.as_str()));
        let found = by_name.or_else(|| name.parse::<usize>().ok().filter(|n| *n < stages.len()));
        let Some(found) = found else { return Ok(self.outside(name)) };
        if found >= stage {
            return Err(format!("copies from stage {name:?}, which is not defined before stage {stage}"));
        }
        Ok(match &self.bases[found] {
            Base::Replaced(origin) => origin.clone(),
            _ => Origin::Stage(found),
        })
    }

    pub fn target(&self, target: Option<&str>) -> Result<usize, InputsError> {
        let stages = &self.dockerfile.stages;
        let Some(target) = target else { return Ok(stages.len() - 1) };
        let lower = target.to_lowercase();
        let by_name = stages.iter().rposition(|s| s.name.as_deref() == Some(lower.as_str()));
        by_name.or_else(|| target.parse().ok().filter(|n| *n < stages.len())).ok_or_else(|| {
            let names: Vec<String> = stages.iter().filter_map(|s| s.name.clone()).collect();
            InputsError::UnknownTarget {
                target: target.to_owned(),
                similar: similar(target, names.iter().map(String::as_str)),
                stages: names,
            }
        })
    }

    /// Finds the stages that the target needs.
    pub fn reach(&mut self, target: usize) -> Result<(), DockerfileError> {
        let mut seen = BTreeSet::new();
        let mut open = vec![target];
        while let Some(stage) = open.pop() {
            if !seen.insert(stage) {
                continue;
            }
            let mut reads = BTreeSet::new();
            for instruction in self.instructions[stage].clone() {
                for name in mount::names(&instruction) {
                    let origin = self.from(&name, stage).map_err(|message| {
                        DockerfileError::new(instruction.place, message)
                            .hint("move that stage up, or name another in --from")
                    })?;
                    if let Origin::Stage(read) = origin {
                        reads.insert(read);
                    }
                }
            }
            open.extend(self.recipe.stages[stage].base);
            open.extend(&reads);
            self.recipe.stages[stage].reads = reads;
        }
        self.recipe.reachable = seen.into_iter().collect();
        let mut chain = vec![target];
        while let Some(base) = chain.last().and_then(|s| self.recipe.stages[*s].base) {
            chain.push(base);
        }
        chain.reverse();
        self.recipe.chain = chain;
        Ok(())
    }

    /// Notes the images that reachable stages start from.
    pub fn note_images(&mut self, target: usize) {
        for stage in self.recipe.reachable.clone() {
            let base = match self.bases[stage].clone() {
                Base::Replaced(origin) if stage == target => origin,
                Base::Origin(origin) => origin,
                _ => continue,
            };
            match base {
                Origin::Image(name) => {
                    if !self.request.images.contains_key(&name) {
                        self.fall_back(Fallback::UnknownBaseImage { image: name.clone() });
                    }
                    let platform = self.platform(stage);
                    self.recipe.images.insert(ImageUse { name, platform, base: true });
                }
                origin => self.note(&origin),
            }
        }
    }

    /// Notes what an instruction copies from.
    pub fn note(&mut self, origin: &Origin) {
        match origin {
            Origin::Image(name) => {
                let known = self.recipe.images.iter().any(|image| image.name == *name);
                if !known && name != "scratch" {
                    self.recipe.images.insert(ImageUse { name: name.clone(), platform: None, base: false });
                }
            }
            Origin::Service(name) => {
                self.recipe.services.insert(name.clone());
            }
            Origin::Remote(url) => {
                self.recipe.unpinned.insert(url.clone());
            }
            Origin::Context(_) | Origin::Stage(_) => {}
        }
    }

    fn platform(&self, stage: usize) -> Option<String> {
        let platform = self.dockerfile.stages[stage].platform.as_deref()?;
        let expanded = expand(platform, self.dockerfile.directives.escape, &self.globals).ok()?;
        expanded.unknown.is_none().then_some(expanded.text).filter(|p| !p.is_empty())
    }

    /// The image or folder that a stage starts from.
    pub fn base(&self, stage: usize) -> Option<&Origin> {
        match &self.bases[stage] {
            Base::Origin(origin) | Base::Replaced(origin) => Some(origin),
            Base::Scratch | Base::Unclear => None,
        }
    }

    /// Whether an additional context stands for the stage.
    pub fn is_replaced(&self, stage: usize) -> bool {
        matches!(self.bases[stage], Base::Replaced(_))
    }

    /// Writes down the text that the digest stands for.
    pub fn text(&mut self) {
        let mut text = format!("escape {}\n", self.dockerfile.directives.escape);
        for (name, value) in
            [("syntax", &self.dockerfile.directives.syntax), ("check", &self.dockerfile.directives.check)]
        {
            if let Some(value) = value {
                let _ = writeln!(text, "{name} {value}");
            }
        }
        let mut write = |instruction: &Instruction| {
            let _ = writeln!(text, "{:?}", instruction.text);
            for heredoc in &instruction.heredocs {
                let _ = writeln!(text, "<<{:?} {:?}", heredoc.name, heredoc.content);
            }
        };
        self.dockerfile.globals.iter().for_each(&mut write);
        for &index in &self.recipe.reachable {
            let stage = &self.dockerfile.stages[index];
            let position = |stage: &usize| self.recipe.reachable.iter().position(|s| s == stage);
            let reads: Vec<_> = self.recipe.stages[index].reads.iter().map(position).collect();
            write(&Instruction {
                place: stage.place,
                text: format!("{} reads {reads:?}", stage.text),
                heredocs: Vec::new(),
                kind: Kind::Other,
            });
            self.instructions[index].iter().for_each(&mut write);
        }
        self.recipe.text = text;
    }
}
