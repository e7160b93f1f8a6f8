//! `hob prune`: removes images that hob built and that nothing needs any more.

use super::args::PruneArgs;
use super::context::Context;
use super::exit::Exit;
use crate::event::Event;
use crate::plan::{labels, superseded};

/// Removes superseded images: those with a name by digest and no other name, that no container uses. The engine
/// refuses to remove an image that a container of any project uses, so such a one is never lost.
pub async fn run(context: &Context, args: &PruneArgs) -> anyhow::Result<Exit> {
    let engine = context.engine().await?;
    let images = engine.images(&[labels::INPUTS.to_owned()]).await?;
    if !context.global.dry_run {
        engine.clear_left(None).await?;
    }
    let used = engine.used_images().await?;
    let mut text = String::new();
    let (mut count, mut bytes) = (0, 0_u64);
    for image in superseded(&images, &used, args.keep) {
        let name = image.tags.first().cloned().unwrap_or_else(|| image.id.to_string());
        if !context.global.dry_run
            && let Err(error) = engine.remove_image(&name).await
        {
            text.push_str(&format!("{name} stays: {error}\n"));
            continue;
        }
        count += 1;
        bytes += image.size;
        let service =
            [labels::PROJECT, labels::SERVICE].map(|label| image.labels.get(label).map_or("", String::as_str));
        text.push_str(&format!(
            "{} {name}, of {}, {} MB\n",
            if context.global.dry_run { "would remove" } else { "removed" },
            service.join("/"),
            image.size / 1_000_000
        ));
    }
    let verb = if context.global.dry_run { "would free" } else { "freed" };
    text.push_str(&format!("{count} images, {verb} up to {} MB (layers that others share stay)", bytes / 1_000_000));
    context.sink.emit(Event::Output { text });
    Ok(Exit::Ok)
}
