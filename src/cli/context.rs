//! What every command starts from: the surroundings, the project, the engine, the lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::args::{GlobalArgs, KeyValue};
use super::exit::{Exit, Failure};
use super::invocation::Name;
use super::journal::{Journal, Recorder};
use crate::agent::BUILD_ID;
use crate::engine::Engine;
use crate::engine::docker::{Docker, Owner, Surroundings};
use crate::event::{Cause, Event, Message, Sink};
use crate::execute::{Executor, LockScope, Pass, RunOptions, Turn, Turns};
use crate::host::paths::{Paths, PathsError};
use crate::host::{Contents, DiskTree, env, process};
use crate::manifest::{LoadOptions, Purpose};
use crate::model::{Digest, Observed, ObservedContainer, Project, ServiceName, closest, is_on};
use crate::plan::UpOptions;
use crate::workspace::{self, BuildOptions, History, Sources, Unusable, Workspace};

/// What a command works with.
pub struct Context {
    /// Global options.
    pub global: GlobalArgs,
    /// Where events go.
    pub sink: Arc<dyn Sink>,
    /// The shell's environment.
    pub environment: BTreeMap<String, String>,
    /// The working directory.
    pub working_dir: PathBuf,
    /// What a person would recognise this process by, such as `hob up -d`.
    pub command: String,
    /// Folders of hob's own.
    pub paths: Paths,
    /// The disk.
    pub tree: Arc<DiskTree>,
    /// Whoever read standard output or standard error has gone.
    pub closed: CancellationToken,
    /// What the command loads a project for.
    pub purpose: Purpose,
    /// The command builds images.
    pub may_build: bool,
    /// Under which name hob was called.
    pub name: Name,
    /// Saves are to be synced into the containers that are made.
    pub hot: bool,
}

/// A project with its engine, ready to be worked on.
pub struct Stack {
    /// The project.
    pub project: Arc<Project>,
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Carries plans out.
    pub executor: Executor,
    /// What was done to it.
    pub journal: Journal,
}

impl Context {
    /// Of this process.
    pub fn new(
        global: GlobalArgs,
        name: Name,
        command: String,
        sink: Arc<dyn Sink>,
        closed: CancellationToken,
    ) -> anyhow::Result<Self> {
        let working_dir = std::env::current_dir().context("the working directory cannot be found")?;
        let environment = global.docker.applied(env::snapshot());
        let paths = Paths::new(&environment)?;
        // Without a folder for them digests are only not remembered.
        // A file for each place where hob is started: a session keeps it in memory.
        let place = Digest::of(working_dir.as_os_str().as_encoded_bytes());
        let digests = paths.digests().ok().map(|folder| folder.join(&place.as_str()[..16]));
        Ok(Self {
            global,
            sink,
            command,
            environment,
            working_dir,
            paths,
            tree: Arc::new(DiskTree::new(digests)),
            closed,
            purpose: Purpose::default(),
            may_build: false,
            name,
            hot: name == Name::Hob,
        })
    }

    /// Ends what waits for more to show once nobody reads it: for commands that may have nothing to write for long.
    pub fn ends_with_reader(&self) {
        let closed = self.closed.clone();
        crate::host::terminal::when_reader_has_gone(move || closed.cancel());
    }

    /// How manifests are loaded. `targets` are services that the user named.
    pub fn load_options(&self, targets: &[String]) -> LoadOptions {
        let absolute = |path: &PathBuf| if path == Path::new("-") { path.clone() } else { self.working_dir.join(path) };
        LoadOptions {
            working_dir: self.working_dir.clone(),
            files: self.global.files.iter().map(absolute).collect(),
            project_name: self.global.project_name.clone(),
            profiles: self.global.profiles.clone(),
            env_files: self.global.env_files.iter().map(absolute).collect(),
            project_directory: self.global.project_directory.as_ref().map(absolute),
            environment: self.variables_of_manifest(),
            purpose: self.purpose,
            targets: targets.to_vec(),
            no_interpolate: false,
            no_normalize: false,
            no_path_resolution: false,
            no_consistency: false,
            compatibility: self.global.compatibility,
            all_resources: self.global.all_resources,
            explain: None,
        }
    }

    /// The shell's environment, and `PWD` where there is none, as Compose has it.
    fn variables_of_manifest(&self) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        environment.entry("PWD".to_owned()).or_insert_with(|| self.working_dir.display().to_string());
        environment
    }

    /// Loads the project, says its warnings, and checks that the services named are there.
    pub fn project(&self, targets: &[String]) -> anyhow::Result<Project> {
        let loaded = workspace::load(&*self.tree, &self.load_options(targets));
        let loaded = loaded.map_err(|unusable| self.manifest_failure(unusable))?;
        for warning in loaded.warnings {
            self.sink.emit(Event::Warning(warning));
        }
        named(&loaded.project, targets)?;
        Ok(loaded.project)
    }

    /// Emits all errors but the last, which becomes the command's failure.
    fn manifest_failure(&self, unusable: Unusable) -> anyhow::Error {
        let Unusable { cause, mut errors } = unusable;
        let last = errors.pop().unwrap_or_default();
        for message in errors {
            self.sink.emit(Event::Error(message));
        }
        Failure { exit: cause.into(), message: Box::new(last) }.into()
    }

    /// Connects to the engine.
    pub async fn engine(&self) -> anyhow::Result<Arc<dyn Engine>> {
        let surroundings = Surroundings::of(&self.environment).remembering(self.paths.engines().ok());
        let owner = Owner { mark: process::mark().to_owned(), is_gone: process::is_gone };
        let surroundings = surroundings.noting(self.paths.requests().ok(), owner);
        Ok(Arc::new(Docker::connect(&surroundings).await?))
    }

    /// Loads the project and connects to the engine.
    pub async fn stack(&self, targets: &[String]) -> anyhow::Result<Stack> {
        self.stack_with(targets, Vec::new(), BuildOptions::default()).await
    }

    /// The same with choices of the command line.
    pub async fn stack_with(
        &self,
        targets: &[String],
        scale: Vec<(ServiceName, u32)>,
        build: BuildOptions,
    ) -> anyhow::Result<Stack> {
        let project = self.project(targets)?;
        for (service, _) in &scale {
            named(&project, &[service.to_string()])?;
        }
        let engine = self.engine().await?;
        if self.purpose == Purpose::Run && engine.info().is_local() {
            super::mounts::check(&*self.tree, &project, targets).map_err(|errors| self.failures(errors))?;
        }
        self.assemble(project, engine, targets, scale, build)
    }

    /// The project for a command on containers that are there: with `-p NAME` and no manifest named it is what their
    /// labels tell, as in Compose, and also where `COMPOSE_PROJECT_NAME` names one and no manifest is found.
    pub async fn stack_of_containers(&self, targets: &[String]) -> anyhow::Result<Stack> {
        let Some(name) = self.by_name() else { return self.stack(targets).await };
        let engine = self.engine().await?;
        let query = crate::engine::Query { project: name.clone(), ..Default::default() };
        let project = super::by_name::project(name, &engine.observe(&query).await?);
        named(&project, targets)?;
        self.assemble(project, engine, targets, Vec::new(), BuildOptions::default())
    }

    /// The project's name, where nothing else says what it is.
    pub fn by_name(&self) -> Option<&String> {
        let variable = |name: &str| self.environment.get(name).filter(|value| !value.is_empty());
        let named_file = !self.global.files.is_empty() || variable("COMPOSE_FILE").is_some();
        match (&self.global.project_name, variable("COMPOSE_PROJECT_NAME")) {
            (Some(name), _) if !named_file => Some(name),
            (None, Some(name)) if !named_file && self.has_no_manifest() => Some(name),
            _ => None,
        }
    }

    fn has_no_manifest(&self) -> bool {
        let loaded = workspace::load(&*self.tree, &self.load_options(&[]));
        matches!(loaded, Err(Unusable { cause: Cause::Missing, .. }))
    }

    fn assemble(
        &self,
        project: Project,
        engine: Arc<dyn Engine>,
        targets: &[String],
        scale: Vec<(ServiceName, u32)>,
        build: BuildOptions,
    ) -> anyhow::Result<Stack> {
        let build = build.with_values(&project.environment);
        let history = History::new(self.paths.projects().ok());
        let platform = engine.info().platform.clone();
        let options = self.load_options(targets);
        let contents = Contents::new(self.paths.contents().ok());
        let workspace = Workspace::new(Arc::clone(&self.tree), options, platform);
        let workspace = if self.hot { workspace.with_agent(BUILD_ID) } else { workspace };
        let workspace = match self.name {
            Name::Hob => workspace,
            Name::Compose => workspace.watching_by_rules_only(),
        };
        let workspace = workspace.scaled(scale).building(build).remembering(history, contents);
        let project = workspace.adjusted(project);
        let sources: Arc<dyn Sources> = Arc::new(workspace);
        let journal = Journal::new(self.paths.projects().ok(), &engine.info().endpoint, &project.name);
        let (sink, command) = (Arc::clone(&self.sink), self.command.clone());
        let recorder = Arc::new(Recorder { sink, journal: journal.clone(), command });
        let executor = Executor::new(Arc::clone(&engine), recorder, sources);
        let executor = executor.taking_turns(self.turns(&engine.info().endpoint, &project.name));
        let executor = match parallel_limit(self.global.parallel, &project)? {
            Some(limit) => executor.at_most(limit),
            None => executor,
        };
        self.warn_of_builder(&project);
        Ok(Stack { project: Arc::new(project), engine, executor, journal })
    }

    /// The turns of this command on a project. Where there can be no locks, whoever needs one says so.
    fn turns(&self, engine: &str, project: &str) -> Turns {
        let folder = match self.paths.locks() {
            Ok(folder) => folder,
            Err(PathsError::Unusable { path, .. }) => path,
            Err(PathsError::NoHome) => PathBuf::new(),
        };
        let (engine, project, command) = (engine.to_owned(), project.to_owned(), self.command.clone());
        Turns::new(LockScope { folder, engine, project, command })
    }

    /// Waits for the turn to change the project; to be taken before looking at what is there. `None` where nothing is to be
    /// changed (`--dry-run`).
    pub async fn turn(&self, stack: &Stack) -> anyhow::Result<Option<Arc<Turn>>> {
        if self.global.dry_run {
            return Ok(None);
        }
        let turn = stack.executor.turn(&CancellationToken::new()).await;
        let turn = turn.map_err(|failure| self.failures(vec![failure]))?;
        turn.context("the wait for another hob was cancelled").map(Some)
    }

    /// `BUILDX_BUILDER` names a builder that is not the engine's own, which is the one that hob has.
    fn warn_of_builder(&self, project: &Project) {
        let Some(builder) = project.environment.get("BUILDX_BUILDER") else { return };
        let builds = project.services.values().any(|service| service.build.is_some());
        if builds && self.may_build && !matches!(builder.as_str(), "" | "default") {
            let text = format!("BUILDX_BUILDER asks for the builder {builder}: hob builds with the engine's own");
            self.sink.emit(Event::Warning(Message::new(text).hint("unset it, or build with `docker buildx bake`")));
        }
    }

    /// What hobs that were killed had begun: requests that the engine still carries out are waited for, and what belonged to
    /// those hobs alone is removed. Before anything is looked at that is to be changed.
    pub async fn settle(&self, stack: &Stack) -> anyhow::Result<()> {
        if self.global.dry_run {
            return Ok(());
        }
        self.paths.clear_left();
        let tell = |text| self.sink.emit(Event::Notice { text });
        let (settled, cleared) =
            tokio::join!(stack.engine.settle(&tell), stack.engine.clear_left(Some(&stack.project.name)));
        // What cannot be removed is in nobody's way.
        drop(cleared);
        Ok(settled?)
    }
}

impl Stack {
    /// A way through the phases, for some services.
    pub fn pass<'a>(&'a self, services: &'a [ServiceName], options: &'a UpOptions, run: &'a RunOptions) -> Pass<'a> {
        Pass { executor: &self.executor, project: &self.project, services, options, run }
    }

    /// What is on the engine for this project, without images.
    pub async fn observe(&self) -> anyhow::Result<Observed> {
        let query = crate::engine::Query { project: self.project.name.to_string(), ..Default::default() };
        Ok(self.engine.observe(&query).await?)
    }
}

/// Variables of `-e`: a name alone takes its value from the shell or `.env`, and is left as the image or the manifest
/// has it where neither sets it.
pub fn variables<'a>(project: &'a Project, list: &'a [KeyValue]) -> impl Iterator<Item = (String, String)> + 'a {
    list.iter().filter_map(|entry| {
        let value = entry.value.as_ref().or_else(|| project.environment.get(&entry.key))?;
        Some((entry.key.clone(), value.clone()))
    })
}

/// How many builds and pulls may go on side by side, where somebody says so, by the option or by Compose's variable.
fn parallel_limit(option: Option<i64>, project: &Project) -> Result<Option<usize>, Failure> {
    // As in Compose, what is below one is no limit.
    let limit = |number: i64| usize::try_from(number).ok().filter(|limit| *limit > 0);
    if let Some(number) = option {
        return Ok(limit(number));
    }
    let Some(text) = project.environment.get("COMPOSE_PARALLEL_LIMIT").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.trim().parse::<i64>() {
        Ok(number) => Ok(limit(number)),
        Err(_) => {
            let text = format!("COMPOSE_PARALLEL_LIMIT is {text:?}; expected a whole number");
            Err(Failure::new(Exit::Usage, text))
        }
    }
}

/// What to do with containers whose service is gone.
#[derive(Clone, Copy, Debug)]
pub struct Orphans {
    /// Remove them.
    pub remove: bool,
    /// Say nothing of them.
    pub ignore: bool,
}

impl Orphans {
    /// By the option, and Compose's variables where it is not given.
    pub fn of(project: &Project, option: Option<bool>) -> Self {
        let on = |name: &str| project.environment.get(name).is_some_and(|value| is_on(value));
        let remove = option.unwrap_or_else(|| on("COMPOSE_REMOVE_ORPHANS"));
        Self { remove, ignore: on("COMPOSE_IGNORE_ORPHANS") }
    }

    /// The same for `up`, which like Compose's refuses to do both.
    pub fn of_up(project: &Project, option: Option<bool>) -> Result<Self, Failure> {
        let orphans = Self::of(project, option);
        if orphans.remove && orphans.ignore {
            let text = "COMPOSE_IGNORE_ORPHANS and the removal of orphans exclude each other";
            let hint = "leave out `--remove-orphans` and COMPOSE_REMOVE_ORPHANS, or COMPOSE_IGNORE_ORPHANS";
            return Err(Failure::new(Exit::Usage, text).hint(hint));
        }
        Ok(orphans)
    }
}

/// "did you mean" where a known name is near, else the known names.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "there are no services".to_owned(),
        None => format!("the manifest has {}", known.join(", ")),
    }
}

/// The services named must be there.
pub fn named(project: &Project, names: &[String]) -> Result<Vec<ServiceName>, Failure> {
    let mut services = Vec::new();
    for name in names {
        if !project.services.contains_key(name.as_str()) {
            let known: Vec<&str> = project.services.keys().map(ServiceName::as_str).collect();
            let failure = Failure::new(Exit::Manifest, format!("no such service: {name}"));
            return Err(failure.hint(suggestion(name, &known)));
        }
        services.push(ServiceName::new(name));
    }
    Ok(services)
}

/// The container of a service with a number; the first running one without.
pub fn container<'a>(
    observed: &'a Observed,
    service: &'a ServiceName,
    index: Option<u32>,
) -> Result<&'a ObservedContainer, Failure> {
    let mut all: Vec<&ObservedContainer> = observed.of_service(service).collect();
    all.sort_by_key(|c| c.number);
    let found = match index {
        Some(number) => all.iter().find(|c| c.number == number).copied(),
        None => all.iter().find(|c| c.state.is_running()).or(all.first()).copied(),
    };
    match found {
        Some(container) if container.state.is_running() => Ok(container),
        _ => Err(not_running(service, index)),
    }
}

/// A service, or the container of it with this number, does not run.
pub fn not_running(service: &str, index: Option<u32>) -> Failure {
    let text = match index {
        Some(number) => format!("service \"{service}\" is not running container #{number}"),
        None => format!("service \"{service}\" is not running"),
    };
    Failure::new(Exit::Failed, text).hint(format!("start it with `hob up -d {service}`"))
}
