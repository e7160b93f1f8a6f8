//! Instructions of reachable stages, with variables expanded.

use crate::inputs::dockerfile::expand::{Expanded, expand};
use crate::inputs::dockerfile::{Copy, Instruction, Kind, Value};
use crate::inputs::error::DockerfileError;
use crate::inputs::paths::is_remote;
use crate::inputs::recipe::mount::{field, fields};
use crate::inputs::recipe::resolver::Resolver;
use crate::inputs::recipe::scope::Scope;
use crate::inputs::recipe::{CopyStep, Dest, Known, MountStep, Origin, RecipeStep, Source, StepKind, Unclear};
use crate::model::{Fallback, Place, clean_path};

/// What a stage starts with and, after it, ends with.
#[derive(Clone, Default)]
struct StageState {
    scope: Scope,
    /// None where it is the base image's, and that is not known.
    workdir: Option<String>,
}

/// Adds the steps of all reachable stages to the recipe.
pub(crate) fn evaluate(resolver: &mut Resolver<'_>, target: usize) -> Result<(), DockerfileError> {
    let mut ends: Vec<StageState> = vec![StageState::default(); resolver.recipe.stages.len()];
    for stage in resolver.recipe.reachable.clone() {
        let mut state = start(resolver, stage, &ends);
        if let Some(Origin::Context(index)) = resolver.base(stage).cloned()
            && (!resolver.is_replaced(stage) || stage == target)
        {
            let from = &resolver.dockerfile.stages[stage];
            let (place, text) = (from.place, from.text.clone());
            resolver.recipe.steps.push(RecipeStep { stage, place, text, what: StepKind::Folder(index) });
        }
        for instruction in std::mem::take(&mut resolver.instructions[stage]) {
            let what = Stepper { resolver, stage, state: &mut state, place: instruction.place }.step(&instruction)?;
            let text = instruction.text.clone();
            resolver.recipe.steps.push(RecipeStep { stage, place: instruction.place, text, what });
            resolver.instructions[stage].push(instruction);
        }
        ends[stage] = state;
    }
    Ok(())
}

fn start(resolver: &Resolver<'_>, stage: usize, ends: &[StageState]) -> StageState {
    let root = Some("/".to_owned());
    let image = match resolver.base(stage) {
        None => {
            return StageState {
                scope: Scope::default(),
                workdir: root.filter(|_| resolver.recipe.stages[stage].scratch),
            };
        }
        Some(Origin::Stage(base)) => {
            let end = &ends[*base];
            return StageState { scope: end.scope.inherited(), workdir: end.workdir.clone() };
        }
        Some(Origin::Context(_)) => return StageState { scope: Scope::default(), workdir: root },
        Some(Origin::Image(name)) => resolver.request.images.get(name),
        Some(Origin::Service(name)) => resolver.request.services.get(name),
        Some(Origin::Remote(_)) => None,
    };
    match image {
        None => StageState::default(),
        Some(image) => StageState {
            scope: Scope::from_image(&image.env),
            workdir: Some(image.working_dir.clone().filter(|w| !w.is_empty()).unwrap_or_else(|| "/".to_owned())),
        },
    }
}

struct Stepper<'a, 'r> {
    resolver: &'a mut Resolver<'r>,
    stage: usize,
    state: &'a mut StageState,
    place: Place,
}

impl Stepper<'_, '_> {
    fn expand(&self, word: &str) -> Result<Expanded, DockerfileError> {
        expand(word, self.resolver.dockerfile.directives.escape, &self.state.scope)
            .map_err(|message| DockerfileError::new(self.place, message))
    }

    fn known(&self, word: &str) -> Result<Known<String>, DockerfileError> {
        let expanded = self.expand(word)?;
        Ok(match expanded.unknown {
            Some(name) => Err(Unclear::Variable(name)),
            None => Ok(expanded.text),
        })
    }

    fn value(&self, word: &str) -> Result<Value, DockerfileError> {
        Ok(self.known(word)?.map_or(Value::Unknown, Value::Known))
    }

    fn step(&mut self, instruction: &Instruction) -> Result<StepKind, DockerfileError> {
        match &instruction.kind {
            Kind::Arg(args) => {
                for (name, default) in args {
                    self.resolver.recipe.declared.insert(name.clone());
                    self.arg(name, default.as_deref())?;
                }
            }
            Kind::Env(pairs) => {
                let mut values = Vec::new();
                for (name, value) in pairs {
                    values.push((self.expand(name)?.text, self.value(value)?));
                }
                for (name, value) in values {
                    self.state.scope.set_env(name, value);
                }
            }
            Kind::Workdir(path) => {
                self.state.workdir = match (self.known(path)?, self.state.workdir.take()) {
                    (Ok(path), _) if path.starts_with('/') => Some(clean_path(&path)),
                    (Ok(path), Some(folder)) => Some(clean_path(&format!("{folder}/{path}"))),
                    (Err(_), _) | (Ok(_), None) => None,
                };
                return Ok(StepKind::Workdir(self.state.workdir.clone()));
            }
            Kind::Copy(copy) => return self.copy(copy).map(|copy| StepKind::Copy(Box::new(copy))),
            Kind::Run(mounts) => return self.run(mounts).map(StepKind::Run),
            Kind::OnBuild(_) | Kind::Other => {}
        }
        Ok(StepKind::Other)
    }

    fn arg(&mut self, name: &str, default: Option<&str>) -> Result<(), DockerfileError> {
        use crate::inputs::dockerfile::Variables as _;
        let given = self.resolver.args.get(name).cloned();
        let value = match (given, default) {
            (Some(value), _) => Some(Value::Known(value)),
            (None, Some(default)) => Some(self.value(default)?),
            (None, None) => self.resolver.globals.get(name),
        };
        if let Some(value) = value {
            self.state.scope.set_arg(name.to_owned(), value);
        }
        Ok(())
    }

    fn copy(&mut self, copy: &Copy) -> Result<CopyStep, DockerfileError> {
        if let Some(flag) = copy.unknown_flag.clone() {
            self.resolver.fall_back(Fallback::UnknownFlag { place: self.place, flag });
        }
        let origin = match &copy.from {
            None => Origin::Context(0),
            Some(name) => self
                .resolver
                .from(name, self.stage)
                .map_err(|message| DockerfileError::new(self.place, format!("COPY {message}")))?,
        };
        self.resolver.note(&origin);
        let mut sources = Vec::new();
        for source in &copy.sources {
            let source = match self.known(source)? {
                Ok(source) => source,
                Err(unclear) => {
                    if let (Origin::Context(_), Unclear::Variable(name)) = (&origin, unclear) {
                        self.resolver.fall_back(Fallback::UnresolvedVariable { place: self.place, name });
                    }
                    continue;
                }
            };
            if copy.add && is_remote(&source) {
                if copy.checksum.is_none() && !names_commit(&source) {
                    self.resolver.recipe.unpinned.insert(source.clone());
                }
                sources.push(Source::Remote(source));
                continue;
            }
            if matches!(origin, Origin::Context(_)) && (source.contains('\\') || source.contains("[^")) {
                self.resolver.fall_back(Fallback::UnclearPattern { place: self.place, source: source.clone() });
                continue;
            }
            sources.push(Source::Path(source));
        }
        sources.extend(copy.documents.iter().cloned().map(Source::Document));
        let mut exclude = Vec::new();
        for pattern in &copy.exclude {
            // A pattern that cannot be told excludes nothing here: more is read than needed, never less.
            if let Ok(pattern) = self.known(pattern)? {
                exclude.push(pattern);
            }
        }
        Ok(CopyStep {
            add: copy.add,
            origin,
            sources,
            dest: self.dest(&copy.dest)?,
            chown: self.optional(copy.chown.as_deref())?,
            chmod: self.optional(copy.chmod.as_deref())?,
            parents: copy.parents,
            exclude,
            unpack: copy.unpack.unwrap_or(copy.add),
        })
    }

    fn optional(&self, word: Option<&str>) -> Result<Known<Option<String>>, DockerfileError> {
        Ok(match word {
            None => Ok(None),
            Some(word) => self.known(word)?.map(|text| Some(text).filter(|t| !t.is_empty())),
        })
    }

    fn dest(&self, word: &str) -> Result<Known<Dest>, DockerfileError> {
        let text = match self.known(word)? {
            Ok(text) => text,
            Err(unclear) => return Ok(Err(unclear)),
        };
        let folder = text.is_empty() || text == "." || text.ends_with('/') || text.ends_with("/.");
        let path = match (&self.state.workdir, text.starts_with('/')) {
            (_, true) => clean_path(&text),
            (Some(workdir), false) => clean_path(&format!("{workdir}/{text}")),
            (None, false) => return Ok(Err(Unclear::WorkingDir)),
        };
        Ok(Ok(Dest { folder: folder || path == "/", path }))
    }

    fn run(&mut self, mounts: &[String]) -> Result<Vec<MountStep>, DockerfileError> {
        let mut steps = Vec::new();
        for mount in mounts {
            let mut values = Vec::new();
            let mut unknown = None;
            for (name, value) in fields(mount) {
                let value = match value {
                    Some(value) => {
                        let expanded = self.expand(&value)?;
                        unknown = unknown.or(expanded.unknown);
                        Some(expanded.text)
                    }
                    None => None,
                };
                values.push((name, value));
            }
            let kind = field(&values, &["type"]).unwrap_or("bind").to_lowercase();
            let source = field(&values, &["source", "src"]).unwrap_or_default();
            match kind.as_str() {
                "secret" | "ssh" => {
                    let target = field(&values, &["target", "dst", "destination"]).unwrap_or_default();
                    let id = [
                        field(&values, &["id"]).unwrap_or_default(),
                        source,
                        target.rsplit('/').next().unwrap_or_default(),
                    ]
                    .into_iter()
                    .find(|id| !id.is_empty())
                    .unwrap_or("default");
                    if kind == "ssh" {
                        let id = field(&values, &["id"]).unwrap_or("default");
                        self.resolver.recipe.ssh.insert(id.to_owned());
                    } else {
                        self.resolver.recipe.secrets.insert(id.to_owned());
                    }
                }
                "tmpfs" => {}
                _ => {
                    let from = field(&values, &["from"]).unwrap_or_default();
                    let origin = if from.is_empty() {
                        // A cache mount starts empty unless `from` says otherwise.
                        if kind == "cache" {
                            continue;
                        }
                        Origin::Context(0)
                    } else {
                        self.resolver
                            .from(from, self.stage)
                            .map_err(|message| DockerfileError::new(self.place, format!("RUN {message}")))?
                    };
                    self.resolver.note(&origin);
                    if let (Origin::Context(_), Some(name)) = (&origin, unknown) {
                        self.resolver.fall_back(Fallback::UnresolvedVariable { place: self.place, name });
                        continue;
                    }
                    steps.push(MountStep { origin, source: source.to_owned() });
                }
            }
        }
        Ok(steps)
    }
}

/// A git source that names a whole commit.
fn names_commit(source: &str) -> bool {
    source.split_once('#').is_some_and(|(_, reference)| {
        let commit = reference.split(':').next().unwrap_or_default();
        commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())
    })
}
