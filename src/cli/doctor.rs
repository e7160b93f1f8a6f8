//! `hob doctor`: looks at what commonly goes wrong, and says what to do about it.

use serde_json::json;

use super::args::{DoctorArgs, TextFormat};
use super::context::Context;
use super::exit::Exit;
use crate::agent;
use crate::event::{Event, Message};
use crate::execute::Failure;
use crate::workspace;

/// One look at one thing.
struct Check {
    name: &'static str,
    ok: bool,
    text: String,
    hints: Vec<String>,
}

/// Looks at the machine, the engine and the manifest.
pub async fn run(context: &Context, args: &DoctorArgs) -> anyhow::Result<Exit> {
    let mut checks = vec![engine(context).await];
    checks.push(agents(context).await);
    checks.push(inotify());
    checks.extend(manifest(context));
    let all = checks.iter().all(|check| check.ok);
    if args.format == TextFormat::Json {
        let json: Vec<_> =
            checks.iter().map(|c| json!({"check": c.name, "ok": c.ok, "text": c.text, "hints": c.hints})).collect();
        context.sink.emit(Event::Output { text: serde_json::to_string_pretty(&json)? });
    } else {
        let mut text = String::new();
        for check in &checks {
            text.push_str(&format!("{} {}: {}\n", if check.ok { "ok " } else { "BAD" }, check.name, check.text));
            for hint in &check.hints {
                text.push_str(&format!("      help: {hint}\n"));
            }
        }
        context.sink.emit(Event::Output { text });
    }
    Ok(if all { Exit::Ok } else { Exit::Failed })
}

fn ok(name: &'static str, text: String) -> Check {
    Check { name, ok: true, text, hints: Vec::new() }
}

fn bad(name: &'static str, message: Message) -> Check {
    let place = message.location.map(|location| format!(" ({location})")).unwrap_or_default();
    Check { name, ok: false, text: format!("{}{place}", message.text), hints: message.hints }
}

async fn engine(context: &Context) -> Check {
    match context.engine().await {
        Ok(engine) => {
            if let Err(error) = engine.verify_info().await {
                return bad("engine", Failure::of_engine(None, error).message);
            }
            let info = engine.info();
            let (major, minor) = info.api;
            let store = if info.containerd_images { "containerd's image store" } else { "the classic image store" };
            ok(
                "engine",
                format!("{} at {}, API {major}.{minor}, {}, {store}", info.version, info.endpoint, info.platform),
            )
        }
        Err(error) => match error.downcast::<crate::engine::EngineError>() {
            Ok(error) => bad("engine", Failure::of_engine(None, error).message),
            Err(error) => bad("engine", Message::new(error.to_string())),
        },
    }
}

/// Whether hob carries an agent for the engine; where none answers, whether it carries one at all.
async fn agents(context: &Context) -> Check {
    let carried: Vec<String> = agent::platforms().collect();
    let engine = context.engine().await.ok().map(|engine| engine.info().platform.clone());
    let missing = engine.filter(|platform| agent::binary(platform).is_none());
    if missing.is_none() && !carried.is_empty() {
        return ok("agent", format!("build {} for engines on {}", agent::BUILD_ID, carried.join(" and ")));
    }
    let engines = missing.map(|platform| format!(" for engines on {platform}")).unwrap_or_default();
    Check {
        name: "agent",
        ok: false,
        text: format!("this hob was built without its agent{engines}: saves restart containers instead of commands"),
        hints: vec![
            "build hob anew with the targets that rust-toolchain.toml names, and read what the build says".into(),
        ],
    }
}

/// The system's limit on watched folders.
fn inotify() -> Check {
    let path = "/proc/sys/fs/inotify/max_user_watches";
    let Ok(text) = std::fs::read_to_string(path) else {
        return ok("watching", "this system has no limit on watched folders".to_owned());
    };
    let limit: u64 = text.trim().parse().unwrap_or(0);
    if limit >= 8192 {
        return ok("watching", format!("up to {limit} folders"));
    }
    Check {
        name: "watching",
        ok: false,
        text: format!("only {limit} folders can be watched"),
        hints: vec!["raise it: `sudo sysctl fs.inotify.max_user_watches=524288`".to_owned()],
    }
}

fn manifest(context: &Context) -> Vec<Check> {
    match workspace::load(&*context.tree, &context.load_options(&[])) {
        Ok(loaded) => {
            let file = loaded.project.files.first().map(|file| file.display().to_string()).unwrap_or_default();
            let services = loaded.project.services.len();
            let mut check = ok("manifest", format!("{file}, project {}, {services} services", loaded.project.name));
            check.hints = loaded.warnings.into_iter().map(|warning| warning.text).collect();
            vec![check]
        }
        Err(unusable) => unusable.errors.into_iter().map(|message| bad("manifest", message)).collect(),
    }
}
