//! Images that are made of an earlier one and one layer: where only files of the last `COPY`s changed, nothing else
//! has to be built, sent or compared. The layer always goes onto the last image that was built as a whole, so there are
//! never two of them on each other.

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::executor::Executor;
use super::observe::blocking;
use crate::engine::{BuildProgress, BuildSink, BuildSpec, LayerSpec};
use crate::event::Event;
use crate::model::{Delta, Digest, ImageId, ObservedImage, Project, ServiceName};
use crate::plan::labels::{DELTA, INPUTS};
use crate::plan::{LayerEntry, Layered, Looks, by_digest, is_delta, layer, layer_key, layer_paths};

/// The builder's id of the only step.
const STEP: &str = "delta";
/// A look at a path costs an engine about as much as the copy of a file, and more where the file systems of containers
/// are slow to mount: with more of them to take, or after so long, the image is built.
const MOST_LOOKS: usize = 24;
const LOOKING: Duration = Duration::from_secs(1);
/// With more bytes than this the image is built: a layer is made in memory.
const MOST_BYTES: u64 = 64 << 20;

impl Executor {
    /// Makes the image that a build would make, of an earlier one; `None` where it has to be built. It gets no name.
    /// What fails here is told and is no failure: the build that follows gives the same image.
    pub(super) async fn delta(
        &self,
        project: &Arc<Project>,
        service: &ServiceName,
        (image, names): (&str, &[String]),
        spec: &BuildSpec,
        progress: &BuildSink,
    ) -> Option<ImageId> {
        if spec.no_cache || spec.pull {
            return None;
        }
        let inputs = Digest::parse(spec.labels.get(INPUTS)?)?;
        // What was measured since the plan was made is another image.
        if image != by_digest(&inputs) {
            return None;
        }
        let base = self.base(names, &inputs).await?;
        let delta = {
            let (sources, project, service) = (Arc::clone(&self.sources), Arc::clone(project), service.clone());
            let digest = base.digest.clone();
            blocking(move || sources.delta(&project, &service, &inputs, &digest)).await
        };
        let delta = delta.ok()?;
        let looks = {
            let (sources, id) = (Arc::clone(&self.sources), base.id.clone());
            blocking(move || sources.looks(&id)).await
        };
        if to_look_at(&delta, &looks) > MOST_LOOKS {
            return None;
        }
        let count = delta.puts.len() + delta.removed.len();
        let name = match count {
            1 => "put 1 changed file onto an earlier image".to_owned(),
            _ => format!("put {count} changed files onto an earlier image"),
        };
        progress(BuildProgress::Started { step: STEP.to_owned(), name: name.clone() });
        let began = Instant::now();
        let made = self.put_layer(&base, (&delta, looks), spec, name, progress).await;
        let took = began.elapsed();
        // The build that follows is no failure, so neither is this.
        progress(BuildProgress::Done { step: STEP.to_owned(), cached: false, took, error: None });
        made.unwrap_or_else(|error| {
            let text =
                format!("{service}: the engine did not take what changed as a layer, so its image is built: {error}");
            self.sink.emit(Event::Notice { text });
            None
        })
    }

    /// The last image of this build that was built as a whole. None where the last image is of the same inputs: it is
    /// built again because somebody wants another one.
    async fn base(&self, names: &[String], now: &Digest) -> Option<Base> {
        for name in names {
            let Ok(Some(image)) = self.engine.image(name).await else { continue };
            let Some(inputs) = image.labels.get(INPUTS).and_then(|digest| Digest::parse(digest)) else { continue };
            if inputs == *now {
                return None;
            }
            let digest = is_delta(&image).unwrap_or(inputs);
            let name = by_digest(&digest);
            // A build during which files changed leaves no name by digest: nobody knows what is in its image.
            let whole = self.engine.image(&name).await.ok().flatten();
            let is_whole = |image: &ObservedImage| {
                image.labels.get(INPUTS).is_some_and(|label| label == digest.as_str()) && is_delta(image).is_none()
            };
            return whole.filter(is_whole).map(|image| Base { name, digest, id: image.id.to_string() });
        }
        None
    }

    async fn put_layer(
        &self,
        base: &Base,
        (delta, looks): (&Delta, Looks),
        spec: &BuildSpec,
        what: String,
        progress: &BuildSink,
    ) -> Result<Option<ImageId>, String> {
        // What no layer can hold is built, and nobody has to know.
        let Ok((tar, removes)) = self.tar_of(base, delta, looks).await else { return Ok(None) };
        let mut labels = spec.labels.clone();
        labels.insert(DELTA.to_owned(), base.digest.to_string());
        let spec = LayerSpec { base: base.name.clone(), tar, removes, what, tags: Vec::new(), labels };
        self.engine.layer(&spec, progress).await.map(Some).map_err(|error| error.message)
    }

    /// The layer, and whether it removes anything; or why there can be none.
    async fn tar_of(&self, base: &Base, delta: &Delta, looks: Looks) -> Result<(Vec<u8>, bool), String> {
        let looks = self.look(base, delta, looks).await?;
        let entries = layer(delta, &looks)?;
        let removes = entries.iter().any(|entry| entry.what == Layered::Gone);
        Ok((blocking(move || archive(&entries)).await?, removes))
    }

    /// Looks at what a layer has to fit to, where that is not known yet.
    async fn look(&self, base: &Base, delta: &Delta, mut looks: Looks) -> Result<Looks, String> {
        let (own, below) = layer_paths(delta);
        let mut news = false;
        let until = Instant::now() + LOOKING;
        for (paths, without) in [(own, 0), (below, delta.copies)] {
            let unknown: Vec<String> =
                paths.into_iter().filter(|path| !looks.contains_key(&layer_key(path, without))).collect();
            if unknown.is_empty() {
                continue;
            }
            news = true;
            let look = tokio::time::timeout_at(until, self.engine.stat_in_image(&base.name, without, &unknown)).await;
            let found = look.map_err(|_| "the engine takes too long to say what it has".to_owned())?;
            let found = found.map_err(|error| error.message)?;
            looks.extend(unknown.iter().map(|path| layer_key(path, without)).zip(found));
        }
        if news {
            let (sources, id, looks) = (Arc::clone(&self.sources), base.id.clone(), looks.clone());
            blocking(move || sources.keep_looks(&id, &looks)).await;
        }
        Ok(looks)
    }
}

/// How many looks a layer asks for that nobody has taken yet.
fn to_look_at(delta: &Delta, looks: &Looks) -> usize {
    let (own, below) = layer_paths(delta);
    let unknown = |paths: Vec<String>, without: usize| {
        paths.iter().filter(|path| !looks.contains_key(&layer_key(path, without))).count()
    };
    unknown(own, 0) + unknown(below, delta.copies)
}

/// An image that a layer is put on.
struct Base {
    name: String,
    digest: Digest,
    id: String,
}

/// The layer as an archive. What is in a file is what was measured, or there is none.
pub(crate) fn archive(entries: &[LayerEntry]) -> Result<Vec<u8>, String> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut bytes = 0;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(entry.uid.into());
        header.set_gid(entry.gid.into());
        header.set_mtime(now);
        header.set_size(0);
        let path = entry.path.trim_start_matches('/');
        let cannot = |error: std::io::Error| format!("{}: {error}", entry.path);
        match &entry.what {
            Layered::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, format!("{path}/"), std::io::empty()).map_err(cannot)?;
            }
            Layered::Gone => archive.append_data(&mut header, path, std::io::empty()).map_err(cannot)?,
            Layered::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, path, target).map_err(cannot)?;
            }
            Layered::File(source, digest) => {
                let metadata = std::fs::metadata(source).map_err(cannot)?;
                bytes += metadata.len();
                if bytes > MOST_BYTES {
                    return Err("too much changed".to_owned());
                }
                let content = std::fs::read(source).map_err(cannot)?;
                if Digest::of(&content) != *digest {
                    return Err(format!("{} was written again", source.display()));
                }
                header.set_size(content.len() as u64);
                header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or_default());
                archive.append_data(&mut header, path, content.as_slice()).map_err(cannot)?;
            }
        }
    }
    archive.into_inner().map_err(|error| error.to_string())
}
