//! `hob volumes`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::args::VolumesArgs;
use super::context::Context;
use super::exit::Exit;
use super::format::Listing;
use super::seen::of;
use crate::event::{Event, Layout};
use crate::model::ObservedVolume;
use crate::template::{Record, Value};

const LISTING: Listing = Listing {
    head: &[
        ("Availability", "AVAILABILITY"),
        ("Driver", "DRIVER"),
        ("Group", "GROUP"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Size", "SIZE"),
        ("Status", "STATUS"),
    ],
    table: "{{.Driver}}\t{{.Name}}",
};

/// Lists volumes.
pub async fn run(context: &Context, args: &VolumesArgs) -> anyhow::Result<Exit> {
    let (project, engine) = context.project_and_engine(&args.services).await?;
    let mut volumes = engine.volumes(&project).await?;
    if !args.services.is_empty() {
        let containers = engine.containers(Some(&project), true).await?;
        let used: BTreeSet<&String> =
            of(&containers, &args.services).flat_map(|container| container.volumes.values()).collect();
        volumes.retain(|volume| used.contains(&volume.name));
    }
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let event = if args.quiet {
        Event::Output { text: volumes.into_iter().map(|volume| volume.name + "\n").collect() }
    } else {
        LISTING.show(&args.format, volumes.into_iter().map(row).collect(), Layout::DOCKER)?
    };
    context.sink.emit(event);
    Ok(Exit::Ok)
}

/// One volume, as `docker compose volumes --format json` has it. What only a cluster or `docker system df` would tell is
/// not asked for there either.
fn row(volume: ObservedVolume) -> Record {
    let labels = volume.labels;
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let unknown = || Value::from("N/A");
    let fields = vec![
        ("Availability", unknown()),
        ("Driver", volume.driver.into()),
        ("Group", unknown()),
        ("Labels", pairs.join(",").into()),
        ("Links", unknown()),
        ("Mountpoint", volume.mountpoint.into()),
        ("Name", volume.name.into()),
        ("Scope", volume.scope.into()),
        ("Size", unknown()),
        ("Status", unknown()),
    ];
    let label = move |name: &str| labels.get(name).cloned().unwrap_or_default();
    Record { fields, methods: vec![("Label", Arc::new(label))], open: false }
}
