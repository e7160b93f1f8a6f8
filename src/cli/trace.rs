//! `HOB_LOG`: which phase took how long, for whoever looks into hob itself. Nothing is set up where it is not set, and
//! then a span costs one comparison.
//!
//! Spans carry names of services and numbers, and nothing of what is in a manifest or a file: no secret can get there.

use std::fs::File;
use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;

use anyhow::Context as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::exit::{Exit, Failure};
use crate::host::env::Environment;
use crate::host::paths::Paths;

/// Which spans and events are written, such as `info` or `hob::execute=debug`.
const FILTER: &str = "HOB_LOG";
/// Where they are written.
const FILE: &str = "HOB_LOG_FILE";

/// Begins to write, if that is asked for.
///
/// # Errors
/// The filter is invalid, or the file cannot be written.
pub fn start(environment: &Environment) -> anyhow::Result<()> {
    let Some(filter) = environment.get(FILTER).filter(|text| !text.is_empty()) else { return Ok(()) };
    let targets = filter.parse::<Targets>().map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("invalid filter {FILTER}={filter}: {error}"));
        failure.hint(format!("write a level (`{FILTER}=info`) or a module with one (`{FILTER}=hob::execute=debug`)"))
    })?;
    match file(environment)? {
        None => install(targets, stderr),
        Some(path) => {
            let opened = File::options().create(true).append(true).open(&path);
            let file = opened.with_context(|| format!("cannot write {}, which is {FILE}", path.display()))?;
            install(targets, file);
        }
    }
    Ok(())
}

/// The file that is asked for, and on a terminal, which is drawn on, one in the cache folder.
fn file(environment: &Environment) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = environment.get(FILE).filter(|path| !path.is_empty()) {
        return Ok(Some(path.into()));
    }
    if !stderr().is_terminal() {
        return Ok(None);
    }
    Ok(Some(Paths::new(environment)?.log()?))
}

fn install<W>(targets: Targets, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_span_events(FmtSpan::CLOSE).with_writer(writer);
    // The libraries below hob write headers and messages, in which there may be a secret.
    let own = Targets::new().with_target("hob", LevelFilter::TRACE);
    // Of two in one process, which only a test has, the first stays.
    let _ = tracing_subscriber::registry().with(own).with(targets).with(lines).try_init();
}
