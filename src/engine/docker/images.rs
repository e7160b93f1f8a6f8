//! Images: looking up, pulling, naming, removing.

use std::collections::HashMap;

use bollard::errors::Error as BollardError;
use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptions, ListImagesOptions, RemoveImageOptions, TagImageOptions};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Docker, errors};
use crate::engine::{EngineError, PullProgress, PullSink, Result};
use crate::model::{ImageId, ObservedImage, registry_of, split_reference};

use super::observe::sorted;
use super::time::unix_seconds;

impl Docker {
    pub(super) async fn image(&self, reference: &str) -> Result<Option<ObservedImage>> {
        match self.api.inspect_image(reference).await {
            Ok(answer) => Ok(Some(from_inspect(answer))),
            Err(BollardError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    pub(super) async fn images(&self, labels: &[String]) -> Result<Vec<ObservedImage>> {
        let filters = Some(HashMap::from([("label".to_owned(), labels.to_vec())]));
        let options = ListImagesOptions { filters, ..Default::default() };
        let found = self.api.list_images(Some(options)).await.map_err(|error| self.error(error))?;
        // One that is removed in between is left out.
        let images =
            stream::iter(found.into_iter().map(|image| image.id)).map(async |id| self.image(&id).await).buffered(16);
        images.try_filter_map(async |image| Ok(image)).try_collect().await
    }

    pub(super) async fn pull(&self, reference: &str, platform: Option<&str>, progress: &PullSink) -> Result<()> {
        let (name, tag) = split_reference(reference);
        let options = CreateImageOptions {
            from_image: Some(name.to_owned()),
            tag: Some(tag.unwrap_or("latest").to_owned()),
            platform: platform.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        let credentials = self.credentials.of(registry_of(reference)).await.map(|login| login.to_bollard());
        let mut layers = Layers::default();
        let mut news = self.api.create_image(Some(options), None, credentials);
        while let Some(line) = news.next().await {
            let line = line.map_err(|error| self.pull_error(reference, error))?;
            if let Some(message) = line.error_detail.and_then(|detail| detail.message) {
                return Err(errors::pull_failed(reference, &message));
            }
            let detail = line.progress_detail.unwrap_or_default();
            progress(layers.add(line.id.as_deref(), line.status.unwrap_or_default(), detail.current, detail.total));
        }
        Ok(())
    }

    pub(super) async fn registry_digest(&self, reference: &str) -> Result<String> {
        let credentials = self.credentials.of(registry_of(reference)).await.map(|login| login.to_bollard());
        let answer = self.api.inspect_registry_image(reference, credentials).await;
        let answer = answer.map_err(|error| self.pull_error(reference, error))?;
        let digest = answer.descriptor.digest.unwrap_or_default();
        if digest.is_empty() {
            return Err(errors::pull_failed(reference, "its registry says no digest"));
        }
        Ok(digest)
    }

    fn pull_error(&self, reference: &str, error: BollardError) -> EngineError {
        match error {
            BollardError::DockerResponseServerError { message, .. }
            | BollardError::DockerStreamError { error: message } => errors::pull_failed(reference, &message),
            other => self.error(other),
        }
    }

    pub(super) async fn tag(&self, image: &str, name: &str) -> Result<()> {
        let (repo, tag) = split_reference(name);
        let options = TagImageOptions { repo: Some(repo.to_owned()), tag: Some(tag.unwrap_or("latest").to_owned()) };
        self.api.tag_image(image, Some(options)).await.map_err(|error| self.error(error))
    }

    pub(super) async fn remove_image(&self, reference: &str) -> Result<()> {
        let answer = self.api.remove_image(reference, None::<RemoveImageOptions>, None).await;
        self.unless_gone(answer.map(drop))
    }
}

fn from_inspect(answer: ImageInspect) -> ObservedImage {
    let config = answer.config.unwrap_or_default();
    let platform = [answer.os, answer.architecture, answer.variant].into_iter().flatten().filter(|p| !p.is_empty());
    let check = config.healthcheck.and_then(|check| check.test).unwrap_or_default();
    let named = answer.metadata.and_then(|data| data.last_tag_time);
    ObservedImage {
        id: ImageId::new(answer.id.unwrap_or_default()),
        tags: answer.repo_tags.unwrap_or_default(),
        labels: sorted(config.labels),
        entrypoint: config.entrypoint.unwrap_or_default(),
        cmd: config.cmd.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        working_dir: config.working_dir.unwrap_or_default(),
        env: config.env.unwrap_or_default(),
        stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
        has_health_check: check.first().is_some_and(|kind| kind != "NONE"),
        on_build: config.on_build.unwrap_or_default(),
        platform: platform.collect::<Vec<_>>().join("/"),
        size: answer.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        tagged: named.as_deref().map_or(0, unix_seconds),
        // An image that was only ever built may have been given no name, which is the year 1.
        dated: named.filter(|time| unix_seconds(time) > 0).or(answer.created).unwrap_or_default(),
    }
}

/// Sums over the layers of a pull.
#[derive(Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    fn add(&mut self, id: Option<&str>, status: String, current: Option<i64>, total: Option<i64>) -> PullProgress {
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
        if let Some(id) = id {
            let layer = self.0.entry(id.to_owned()).or_default();
            match status.as_str() {
                "Downloading" => *layer = (number(current), number(total)),
                "Download complete" | "Extracting" | "Pull complete" => layer.0 = layer.1,
                _ => {}
            }
        }
        let (current, total) = self.0.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
        let status = match id {
            Some(id) if !status.is_empty() => format!("{id}: {status}"),
            _ => status,
        };
        PullProgress { current, total, status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_summed() {
        let mut layers = Layers::default();
        layers.add(Some("a"), "Pulling fs layer".into(), None, None);
        layers.add(Some("a"), "Downloading".into(), Some(10), Some(100));
        let sum = layers.add(Some("b"), "Downloading".into(), Some(5), Some(50));
        assert_eq!((sum.current, sum.total), (15, 150));
        let sum = layers.add(Some("a"), "Download complete".into(), None, None);
        assert_eq!((sum.current, sum.total, sum.status.as_str()), (105, 150, "a: Download complete"));
    }

    #[test]
    fn an_image_is_read() {
        let json = r#"{"Id":"sha256:1","RepoTags":["a:1"],"Os":"linux","Architecture":"arm64","Variant":"v8","Size":7,
            "Config":{"Cmd":["x"],"Entrypoint":null,"Healthcheck":{"Test":["NONE"]},"StopSignal":"","OnBuild":["RUN x"],"Labels":null}}"#;
        let image = from_inspect(serde_json::from_str(json).unwrap());
        assert_eq!(image.platform, "linux/arm64/v8");
        assert!(!image.has_health_check && !image.on_build.is_empty() && image.stop_signal.is_none());
        assert_eq!((image.cmd, image.size), (vec!["x".to_owned()], 7));
    }
}
