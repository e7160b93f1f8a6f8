//! `hob images`.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::args::{ImagesArgs, TableFormat};
use super::context::Context;
use super::exit::Exit;
use super::seen::of;
use crate::event::{Event, Layout};
use crate::model::{ImageId, ObservedContainer, ObservedImage, split_reference, time};
use crate::ui::docker;

/// Images that are looked at side by side.
const AT_ONCE: usize = 16;

/// The image of a container.
struct Row {
    container: String,
    repository: String,
    tag: String,
    image: ObservedImage,
}

/// Lists the images of containers.
pub async fn run(context: &Context, args: &ImagesArgs) -> anyhow::Result<Exit> {
    let seen = context.seen(&[], true).await?;
    let mut containers: Vec<&ObservedContainer> = of(&seen.containers, &args.services).collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    // Each image once, however many containers have it.
    let ids: std::collections::BTreeSet<&ImageId> = containers.iter().map(|container| &container.image).collect();
    let look = async |id: &ImageId| seen.engine.image(id.as_str()).await.map(|image| (id.clone(), image));
    let images: BTreeMap<ImageId, Option<ObservedImage>> =
        stream::iter(ids).map(look).buffer_unordered(AT_ONCE).try_collect().await?;
    let row = |container: &&ObservedContainer| {
        // An image that was removed by force is still what the container was made from.
        let gone = || ObservedImage { id: container.image.clone(), ..ObservedImage::default() };
        let image = images.get(&container.image).cloned().flatten().unwrap_or_else(gone);
        let name = seen.image_name(container);
        let (repository, tag) = split_reference(&name);
        let tag = tag.unwrap_or(if name.contains('@') { "" } else { "latest" });
        Row { container: container.name.clone(), repository: repository.to_owned(), tag: tag.to_owned(), image }
    };
    let rows: Vec<Row> = containers.iter().map(row).collect();
    context.sink.emit(show(args, &rows));
    Ok(Exit::Ok)
}

fn show(args: &ImagesArgs, rows: &[Row]) -> Event {
    if args.quiet {
        let mut ids: Vec<&str> = Vec::new();
        for row in rows {
            let id = bare(&row.image);
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        return Event::Output { text: ids.into_iter().map(|id| format!("{id}\n")).collect() };
    }
    if args.format == TableFormat::Json {
        return Event::Output { text: rows.iter().map(as_json).collect::<Value>().to_string() };
    }
    let head = ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"];
    let now = super::timestamp::now();
    let or_none = |text: &str| if text.is_empty() { "<none>".to_owned() } else { text.to_owned() };
    let cells = |row: &Row| {
        let Row { container, repository, tag, image } = row;
        let created = match time::nanos_of(&image.dated) {
            Some(nanos) => docker::ago(now, nanos.div_euclid(1_000_000_000)),
            None => "N/A".to_owned(),
        };
        let id = bare(image).chars().take(12).collect();
        let size = docker::size(image.size);
        vec![container.clone(), or_none(repository), or_none(tag), image.platform.clone(), id, size, created]
    };
    let rows = rows.iter().map(cells).collect();
    Event::Table { head: head.map(str::to_owned).to_vec(), rows, layout: Layout::COMPOSE }
}

/// The id without the name of its digest.
fn bare(image: &ObservedImage) -> &str {
    let id = image.id.as_str();
    id.strip_prefix("sha256:").unwrap_or(id)
}

fn as_json(row: &Row) -> Value {
    let Row { container, repository, tag, image } = row;
    json!({
        "ID": image.id.as_str(),
        "ContainerName": container,
        "Repository": repository,
        "Tag": tag,
        "Platform": image.platform,
        "Size": image.size,
        "LastTagTime": image.dated,
    })
}
