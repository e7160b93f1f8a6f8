//! One layer more on an image, and looks into images.
//!
//! An engine with its own image store takes `docker load` of an archive that names layers which it has without
//! holding them: a new image costs its own layer and a configuration, whatever the size of those below. (BuildKit
//! would compare whole file systems for it where the storage driver cannot tell what changed.) With containerd's store
//! an archive must hold all its layers, so there BuildKit unpacks the layer onto the image, which cannot remove files.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use bollard::query_parameters::{
    CreateContainerOptions, ImportImageOptions, RemoveContainerOptions, RemoveImageOptions,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::Docker;
use super::raw::Answer;
use crate::engine::{BuildSink, EngineError, ErrorKind, LayerSpec, Result};
use crate::model::labels::LOOK;
use crate::model::{Digest, ImageId, Look, LookKind, Owned, with_tag};

/// Bytes of an archive that are enough for its first entry's header, with a long name.
const FIRST_ENTRY: u64 = 8 * 1024;
/// Go's mode bits of what is neither file, folder nor link: pipes, sockets, devices.
const NEITHER: u64 = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;
/// How long the engine may take to answer all looks.
const LOOKING: Duration = Duration::from_secs(3);
/// Looks that are taken at a time.
const AT_ONCE: usize = 6;

impl Docker {
    pub(super) async fn layer(&self, spec: &LayerSpec, progress: &BuildSink) -> Result<ImageId> {
        if self.info.containerd_images {
            if spec.removes {
                return Err(refused("with containerd's image store no layer can be made that removes files"));
            }
            return self.build_layer(spec, progress).await;
        }
        let (image, history) = self.image_and_history(&spec.base).await?;
        let config = config(&image, &history, spec)?;
        let id = self.load(&config, Some(&spec.tar), &spec.tags).await?;
        Ok(ImageId::new(id))
    }

    /// What an image has at paths, in their order; without what its last `without` `COPY`s and `ADD`s made.
    pub(super) async fn stat_in_image(
        &self,
        image: &str,
        without: usize,
        paths: &[String],
    ) -> Result<Vec<Option<Look>>> {
        if without > 0 && self.info.containerd_images {
            return Err(refused("with containerd's image store nobody can look below an image's last instructions"));
        }
        let (docker, image, paths) = (self.clone(), image.to_owned(), paths.to_vec());
        // In a task of its own: what it makes on the engine is removed even where nobody waits for it any more.
        let looking = tokio::spawn(async move {
            let (found, history) = docker.image_and_history(&image).await?;
            // A container of an image with volumes begins with a copy of all that is in them.
            let has_volumes = found["Config"]["Volumes"].as_object().is_some_and(|volumes| !volumes.is_empty());
            if without == 0 && (!has_volumes || docker.info.containerd_images) {
                return docker.look_into(image, paths).await;
            }
            let below = below(&found, &history, without)?;
            if below["rootfs"]["diff_ids"].as_array().is_none_or(Vec::is_empty) {
                return Ok(vec![None; paths.len()]);
            }
            let id = docker.load(&below, None, &[]).await?;
            let looks = docker.look_into(id.clone(), paths).await;
            let options = RemoveImageOptions { noprune: true, ..Default::default() };
            // It costs nothing where it stays.
            let _ = docker.api.remove_image(&id, Some(options), None).await;
            looks
        });
        looking.await.map_err(|error| EngineError::new(ErrorKind::Other, error.to_string()))?
    }

    async fn look_into(&self, image: String, paths: Vec<String>) -> Result<Vec<Option<Look>>> {
        let body = bollard::models::ContainerCreateBody {
            image: Some(image),
            // It is never started.
            cmd: Some(vec!["-".to_owned()]),
            entrypoint: Some(Vec::new()),
            labels: Some(HashMap::from([(LOOK.to_owned(), String::new()), self.owner.label(Owned::Moment)])),
            ..Default::default()
        };
        let created = self.api.create_container(None::<CreateContainerOptions>, body).await;
        let id = created.map_err(|error| self.error(error))?.id;
        let look = |path: String| {
            let (docker, id) = (self.clone(), id.clone());
            async move { docker.look_at(&id, &path).await }
        };
        let looks = stream::iter(paths.into_iter().map(look)).buffered(AT_ONCE).try_collect();
        // Whatever stands between may go on reading what nobody wants any more, and the engine answers one at a time.
        let looks: Result<Vec<_>> = tokio::time::timeout(LOOKING, looks).await.unwrap_or_else(|_| {
            Err(EngineError::new(ErrorKind::Other, "the engine does not say what the image has".to_owned()))
        });
        self.discard(&id).await;
        looks
    }

    /// Removes a container that was made for a look. Where that fails, a later prune does it.
    pub(super) async fn discard(&self, id: &str) {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let _ = self.api.remove_container(id, Some(options)).await;
    }

    async fn look_at(&self, container: &str, path: &str) -> Result<Option<Look>> {
        let query: String = path.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get(&format!("/containers/{container}/archive?path={query}"), FIRST_ENTRY).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let unclear = || EngineError::new(ErrorKind::Other, format!("the engine does not say what {path} is"));
        answer.is_good()?;
        let stat = answer.header("x-docker-container-path-stat").ok_or_else(unclear)?;
        let stat = base64::engine::general_purpose::STANDARD.decode(stat).map_err(|_| unclear())?;
        let stat: Value = serde_json::from_slice(&stat).map_err(|_| unclear())?;
        let go_mode = stat["mode"].as_u64().ok_or_else(unclear)?;
        let mut archive = tar::Archive::new(answer.body.as_slice());
        let entry = archive.entries().ok().and_then(|mut entries| entries.next()?.ok()).ok_or_else(unclear)?;
        let header = entry.header();
        let number = |number: io::Result<u64>| number.ok().and_then(|n| u32::try_from(n).ok()).ok_or_else(unclear);
        let mode = header.mode().map_err(|_| unclear())? & 0o7777;
        let kind = match (go_mode >> 31 & 1, go_mode >> 27 & 1, go_mode & NEITHER) {
            (1, ..) => LookKind::Folder,
            (_, 1, _) => LookKind::Link,
            (_, _, 0) => LookKind::File,
            _ => LookKind::Other,
        };
        Ok(Some(Look { kind, mode, uid: number(header.uid())?, gid: number(header.gid())? }))
    }

    async fn image_and_history(&self, image: &str) -> Result<(Value, Value)> {
        let ask = async |path: String| {
            let answer = self.get(&path, u64::MAX).await?;
            answer.is_good()?;
            serde_json::from_slice(&answer.body)
                .map_err(|error| EngineError::new(ErrorKind::Other, format!("the engine's answer: {error}")))
        };
        let (inspect, history) = (format!("/images/{image}/json"), format!("/images/{image}/history"));
        tokio::try_join!(ask(inspect), ask(history))
    }

    /// Loads an image whose layers the engine has, all but the last one if that is given.
    async fn load(&self, config: &Value, layer: Option<&[u8]>, tags: &[String]) -> Result<String> {
        let config = serde_json::to_vec(config).unwrap_or_default();
        let id = Digest::of(&config).to_string();
        let parsed: Value = serde_json::from_slice(&config).unwrap_or_default();
        let count = parsed["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len);
        let name = |index: usize| format!("{index}/layer.tar");
        let file = format!("{id}.json");
        let tags: Vec<String> = tags.iter().map(|tag| with_tag(tag)).collect();
        let layers: Vec<String> = (0..count).map(name).collect();
        let manifest = json!([{ "Config": file, "RepoTags": tags, "Layers": layers }]).to_string();
        let mut archive = tar::Builder::new(Vec::new());
        let mut put = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, bytes)
        };
        let written = put("manifest.json", manifest.as_bytes())
            .and_then(|()| put(&file, &config))
            .and_then(|()| layer.map_or(Ok(()), |layer| put(&name(count.saturating_sub(1)), layer)));
        let archive = written.and_then(|()| archive.into_inner());
        let archive = archive.map_err(|error| EngineError::new(ErrorKind::Other, error.to_string()))?;
        let options = ImportImageOptions { quiet: true, ..Default::default() };
        let news: Vec<_> = self
            .api
            .import_image(options, bollard::body_full(archive.into()), None)
            .try_collect()
            .await
            .map_err(|error| self.error(error))?;
        drop(news);
        let id = format!("sha256:{id}");
        match self.image(&id).await? {
            Some(_) => Ok(id),
            None => Err(EngineError::new(ErrorKind::Other, "the engine took an image and does not have it".to_owned())),
        }
    }

    async fn get(&self, path: &str, most: u64) -> Result<Answer> {
        let answer = self.endpoint.get(&format!("{}{path}", self.prefix()), most).await;
        answer.map_err(|error| super::errors::connection(&error, &self.info.endpoint))
    }
}

fn refused(why: &str) -> EngineError {
    EngineError::new(ErrorKind::Refused, why.to_owned())
}

/// The image's configuration with one layer more.
fn config(image: &Value, history: &Value, spec: &LayerSpec) -> Result<Value> {
    let mut layers = diff_ids(image)?;
    let mut entries = entries(history, layers.len());
    layers.push(format!("sha256:{}", Digest::of(&spec.tar)).into());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let created = Value::from(super::time::rfc3339(i64::try_from(now).unwrap_or_default()));
    entries.push(json!({ "created": created, "created_by": spec.what, "comment": "hob" }));
    let mut config = image["Config"].clone();
    let labels = spec.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    match config["Labels"].as_object_mut() {
        Some(own) => own.extend(labels),
        None => config["Labels"] = Value::Object(labels.collect()),
    }
    let mut whole = json!({
        "architecture": image["Architecture"],
        "os": image["Os"],
        "created": created,
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": layers },
        "history": entries,
    });
    for (from, to) in [("Variant", "variant"), ("OsVersion", "os.version"), ("Author", "author")] {
        if let Some(text) = image[from].as_str().filter(|text| !text.is_empty()) {
            whole[to] = text.into();
        }
    }
    Ok(whole)
}

/// The configuration of an image that has only what is below the last `COPY`s and `ADD`s of another one.
fn below(image: &Value, history: &Value, copies: usize) -> Result<Value> {
    let layers = diff_ids(image)?;
    let newest_first = history.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut left = copies;
    let mut made = 0;
    for entry in newest_first {
        if left == 0 {
            break;
        }
        let instruction = entry["CreatedBy"].as_str().unwrap_or_default();
        let is_copy = ["COPY ", "ADD "].iter().any(|word| instruction.starts_with(word));
        let empty = entry["Size"].as_i64().unwrap_or_default() == 0;
        match (is_copy, empty) {
            (true, false) => (left, made) = (left - 1, made + 1),
            (false, true) if !instruction.starts_with("RUN ") && !instruction.starts_with("WORKDIR ") => {}
            // An instruction that copied nothing may have left a layer or not, and others make layers too.
            _ => return Err(refused("which layers an image's last instructions made is not clear")),
        }
    }
    if left > 0 || made > layers.len() {
        return Err(refused("the image does not say which instructions made it"));
    }
    Ok(json!({
        "architecture": image["Architecture"],
        "os": image["Os"],
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": layers[..layers.len() - made] },
        "history": [],
    }))
}

fn diff_ids(image: &Value) -> Result<Vec<Value>> {
    let layers = image["RootFS"]["Layers"].as_array().cloned();
    layers.ok_or_else(|| refused("the engine does not say which layers an image has"))
}

/// The history as an image keeps it, oldest first. The engine tells it without saying which instructions made a
/// layer, and refuses to show one that claims more layers than there are.
fn entries(history: &Value, layers: usize) -> Vec<Value> {
    let newest_first = history.as_array().map(Vec::as_slice).unwrap_or_default();
    let has_layer = |entry: &Value| {
        let by = entry["CreatedBy"].as_str().unwrap_or_default();
        let words = ["COPY ", "ADD ", "RUN ", "WORKDIR "];
        entry["Size"].as_i64().unwrap_or_default() > 0 || words.iter().any(|word| by.starts_with(word))
    };
    let sure = newest_first.iter().filter(|entry| has_layer(entry)).count() == layers;
    let entry = |entry: &Value| {
        let created = super::time::rfc3339(entry["Created"].as_i64().unwrap_or_default());
        let mut kept = json!({ "created": created, "created_by": entry["CreatedBy"] });
        if let Some(comment) = entry["Comment"].as_str().filter(|comment| !comment.is_empty()) {
            kept["comment"] = comment.into();
        }
        if !sure || !has_layer(entry) {
            kept["empty_layer"] = true.into();
        }
        kept
    };
    newest_first.iter().rev().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(layers: &[&str]) -> Value {
        json!({
            "Architecture": "amd64", "Os": "linux", "Variant": "",
            "Config": { "Cmd": ["x"], "Labels": { "a": "1" }, "ExposedPorts": { "80/tcp": {} } },
            "RootFS": { "Type": "layers", "Layers": layers },
        })
    }

    fn history(newest_first: &[(&str, i64)]) -> Value {
        let entry = |(by, size): &(&str, i64)| json!({ "CreatedBy": by, "Size": size, "Created": 0, "Comment": "" });
        newest_first.iter().map(entry).collect()
    }

    #[test]
    fn a_layer_more_keeps_all_else() {
        let past = history(&[("CMD [\"x\"]", 0), ("COPY . /app # buildkit", 9), ("", 7)]);
        let labels = indexmap::IndexMap::from([("b".to_owned(), "2".to_owned())]);
        let spec = LayerSpec { tar: b"tar".to_vec(), labels, what: "delta".into(), ..LayerSpec::default() };
        let config = config(&image(&["sha256:1", "sha256:2"]), &past, &spec).unwrap();
        assert_eq!(config["config"]["Labels"], json!({ "a": "1", "b": "2" }));
        assert_eq!(config["config"]["ExposedPorts"], json!({ "80/tcp": {} }));
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 3);
        let empty: Vec<bool> =
            config["history"].as_array().unwrap().iter().map(|entry| entry["empty_layer"] == true).collect();
        assert_eq!(empty, [false, false, true, false]);
        assert!(config.get("variant").is_none());
    }

    #[test]
    fn what_is_below_the_last_copies() {
        let layers = ["sha256:1", "sha256:2", "sha256:3"];
        for (past, copies, left) in [
            (&[("CMD x", 0), ("COPY . /app", 9), ("RUN make", 7), ("", 7)][..], 1, Some(2)),
            (&[("COPY b /b", 1), ("ENV a=b", 0), ("COPY . /app", 9), ("", 7)], 2, Some(1)),
            (&[("ADD b /b", 1), ("COPY . /app", 9), ("COPY x x", 7)], 3, Some(0)),
            // Copied nothing: a layer or none.
            (&[("COPY . /app", 0), ("RUN make", 7), ("", 7)], 1, None),
            (&[("RUN make", 3), ("COPY . /app", 9), ("", 7)], 1, None),
            (&[("WORKDIR /x", 0), ("COPY . /app", 9), ("", 7)], 1, None),
            (&[("COPY . /app", 9)], 2, None),
        ] {
            let config = below(&image(&layers), &history(past), copies);
            let count = config.ok().map(|config| config["rootfs"]["diff_ids"].as_array().unwrap().len());
            assert_eq!(count, left, "{past:?}");
        }
    }
}
