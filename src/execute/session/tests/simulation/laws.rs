//! What must hold, whatever happens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::client::{HOLDS, READ};
use super::world::{Wish, World, acts};
use crate::model::{ContainerSpec, ContainerState, Health, ObservedContainer};

/// Calls that a session makes in a minute at most, besides those that wait for something.
const MOST: u64 = 600;

/// A law that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    pub law: &'static str,
    pub what: String,
}

/// What files hold, as an image's label says it.
pub fn holds(files: &BTreeMap<PathBuf, String>) -> String {
    serde_json::to_string(files).unwrap()
}

/// Nothing is done twice at once to one container.
pub fn begins(world: &World, number: u64, on: &str, call: &str) {
    if !on.contains('#') {
        return;
    }
    let other = {
        let mut state = world.state();
        let forced = state.forced;
        let other = state.open.iter().find(|(_, of, _)| of == on && !forced).cloned();
        state.open.push((number, on.to_owned(), call.to_owned()));
        other
    };
    if let Some((_, _, other)) = other {
        world.violate("nothing is done twice at once", format!("{call} while {other}"));
    }
}

/// The session does not go round in circles.
pub fn counts(world: &World, call: &str) {
    let minute = world.began.elapsed().as_secs() / 60;
    let count = {
        let mut state = world.state();
        let count = state.by_minute.entry(minute).or_default();
        *count += 1;
        *count
    };
    if count == MOST {
        world.violate("the session comes to rest", format!("{count} calls in a minute, the last {call}"));
    }
}

/// A name goes to another image: never to one of older files than that of the one that has it.
pub fn renames(world: &World, image: &str, name: &str) {
    let Some(service) = name.strip_prefix("p-") else { return };
    let service = service.split(':').next().unwrap_or_default();
    let (Some(new), Some(old)) = (world.engine.find_image(image), world.engine.find_image(name)) else { return };
    let read = |image: &crate::model::ObservedImage| image.labels.get(READ).and_then(|at| at.parse::<u128>().ok());
    let (Some(read_new), Some(read_old)) = (read(&new), read(&old)) else { return };
    let content: BTreeMap<PathBuf, String> =
        new.labels.get(HOLDS).and_then(|holds| serde_json::from_str(holds).ok()).unwrap_or_default();
    // What was there again later is as good as what was read later.
    let began = world.began;
    let last = {
        let state = world.state();
        let versions = state.versions.get(service).map(Vec::as_slice).unwrap_or_default();
        let ends = versions.iter().skip(1).map(|(at, _)| *at - began).chain([began.elapsed()]);
        versions.iter().zip(ends).filter(|((_, files), _)| *files == content).map(|(_, end)| end).max()
    };
    let last = last.unwrap_or_default().max(Duration::from_millis(u64::try_from(read_new).unwrap_or(u64::MAX)));
    if last.as_millis() < read_old {
        world.violate(
            "a build never replaces a newer one",
            format!("{name}: what was read at {read_old} goes for what was there until {}", last.as_millis()),
        );
    }
}

/// What is wrong with the containers of a service; empty where nothing is.
pub fn wrong(world: &World, service: &str, wish: Wish, strict: bool) -> Vec<String> {
    let all = world.engine.containers();
    let mine: Vec<_> = all.iter().filter(|(c, ..)| c.service.as_str() == service && !c.oneoff).collect();
    let mut wrong = Vec::new();
    // What somebody removes or makes anew with another variable is his affair, until the manifest asks for a plan: a save
    // goes into what is there.
    let meddled = !strict && {
        let state = world.state();
        state.meddled.get(service).is_some_and(|at| *at > state.published)
    };
    if mine.len() != wish.scale as usize && !meddled {
        let names: Vec<&str> = mine.iter().map(|(c, ..)| c.name.as_str()).collect();
        wrong.push(format!("{service} has {names:?}, not {}", wish.scale));
    }
    let has_ended = |c: &ObservedContainer| service == "job" && c.state == ContainerState::Exited(0);
    for (container, ..) in mine.iter().filter(|(c, ..)| strict && !c.state.is_running() && !has_ended(c)) {
        wrong.push(format!("{} does not run", container.name));
    }
    for (container, spec, uploads) in mine {
        let name = &container.name;
        if *name != format!("p-{service}-{}", container.number) {
            wrong.push(format!("{service} has a container called {name}"));
        }
        if version(spec) != wish.version.to_string() && !meddled {
            wrong.push(format!("{name} is made by version {} of the manifest, not {}", version(spec), wish.version));
        }
        // What does not run is brought up to date when it is started.
        if strict || container.state.is_running() {
            wrong.extend(differing(world, service, container, uploads));
        }
    }
    wrong
}

fn version(spec: &ContainerSpec) -> String {
    serde_json::to_value(&spec.service).unwrap()["environment"]["V"].as_str().unwrap_or_default().to_owned()
}

/// Files that a container has not as they are.
fn differing(
    world: &World,
    service: &str,
    container: &ObservedContainer,
    uploads: &BTreeMap<String, bytes::Bytes>,
) -> Option<String> {
    let image = world.engine.find_image(&container.image)?;
    let mut has: BTreeMap<PathBuf, String> =
        image.labels.get(HOLDS).and_then(|holds| serde_json::from_str(holds).ok())?;
    for (path, content) in uploads {
        let path = world.context(service).join(path.trim_start_matches("/app/"));
        has.insert(path, String::from_utf8_lossy(content).into_owned());
    }
    let mut wanted = world.files_of(service);
    has.retain(|path, _| acts(path));
    wanted.retain(|path, _| acts(path));
    let differs = |path: &&PathBuf| has.get(*path) != wanted.get(*path);
    let paths: std::collections::BTreeSet<&PathBuf> = has.keys().chain(wanted.keys()).filter(differs).collect();
    let short = |text: Option<&String>| text.map_or("nothing", |text| text.trim_end_matches('.')).to_owned();
    let texts: Vec<String> = paths
        .into_iter()
        .map(|path| format!("{} is {} and not {}", path.display(), short(has.get(path)), short(wanted.get(path))))
        .collect();
    (!texts.is_empty()).then(|| format!("{}: {}", container.name, texts.join(", ")))
}

/// Whether a failure was reported since something of the service last changed.
fn is_reported(world: &World, service: &str) -> bool {
    let state = world.state();
    let changed = state.changed.get(service).copied().unwrap_or_default();
    [service, ""].iter().any(|of| state.reported.get(*of).is_some_and(|at| *at >= changed))
}

fn runs(world: &World, service: &str) -> bool {
    let mine = world.engine.containers();
    mine.iter().any(|(c, ..)| c.service.as_str() == service && c.state.is_running())
}

/// At rest everything is live, or was reported. `strict`: nothing went wrong since the last change.
pub fn at_rest(world: &World, strict: bool) {
    let (wishes, broken) = {
        let state = world.state();
        (state.wishes.clone(), state.broken)
    };
    // A plan may wait for it.
    let waits =
        world.engine.containers().iter().any(|(c, ..)| c.health.is_some_and(|health| health != Health::Healthy));
    if broken || waits && !strict {
        return;
    }
    for (service, wish) in wishes {
        let wrong = wrong(world, service, wish, strict);
        if wrong.is_empty() || !strict && (is_reported(world, service) || !runs(world, service)) {
            continue;
        }
        let law = if strict { "the next `up` puts all right" } else { "nothing is forgotten" };
        world.violate(law, wrong.join("; "));
    }
}

/// A session that has ended in good order leaves nothing running.
pub fn has_ended(world: &World) {
    let wishes = world.state().wishes.clone();
    for (container, ..) in world.engine.containers() {
        if wishes.contains_key(container.service.as_str()) && container.state.is_running() {
            world.violate("Ctrl-C ends the services", format!("{} runs on", container.name));
        }
    }
}

/// Where nothing goes wrong, nothing is reported to have failed.
pub fn nothing_failed(world: &World, since: u64) {
    let reported = world.state().reported.clone();
    if let Some((service, _)) = reported.iter().find(|(_, at)| **at > since) {
        world.violate("a failure has a cause", format!("of {service:?}"));
    }
}
