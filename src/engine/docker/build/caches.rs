//! Caches in folders (`type=local`): OCI layouts on this machine, which BuildKit reads and writes over the session.
//!
//! As buildx has it: a folder is meant from where the program runs, one without a cache is told and left out, and the
//! index names the newest cache by a tag.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, CacheOptionsEntry};
use futures_util::{Stream, StreamExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tonic::{Request, Status};

use super::content_messages::{Info, ReadRequest, ReadResponse, WriteAction, WriteRequest, WriteResponse};
use crate::engine::{BoxStream, EngineError, Result};
use crate::host::atomic;
use crate::model::Digest;

/// The header that names the folder of a call; BuildKit puts `local:` before what the build calls it.
const STORE: &str = "buildkit-attachable-store-id";
/// What an index calls a cache by.
const TAG: &str = "org.opencontainers.image.ref.name";
/// Bytes of content in one message.
const CHUNK: usize = 512 * 1024;

type Answers<T> = BoxStream<std::result::Result<T, Status>>;

/// The folders that one build may read caches from and write them to.
#[derive(Clone, Debug, Default)]
pub(super) struct Caches {
    readable: Arc<HashMap<String, PathBuf>>,
    /// With the tag that the index gives to what is written.
    writable: Arc<HashMap<String, (PathBuf, String)>>,
}

impl Caches {
    /// The folders that a build names. Imports from folders that hold no cache are taken out, with a warning each.
    pub(super) async fn of(options: &mut CacheOptions) -> Result<(Self, Vec<String>)> {
        let (mut readable, mut writable, mut warnings) = (HashMap::new(), HashMap::new(), Vec::new());
        let mut imports = Vec::new();
        for mut entry in std::mem::take(&mut options.imports) {
            if let Some((folder, tag)) = place(&entry, "src") {
                match digest_of(&folder, &tag).await {
                    Ok(digest) => drop(entry.attrs.entry("digest".to_owned()).or_insert(digest)),
                    Err(why) => {
                        warnings.push(format!("nothing is taken from the cache in {}: {why}", folder.display()));
                        continue;
                    }
                }
                readable.insert(entry.attrs["src"].clone(), folder);
            }
            imports.push(entry);
        }
        options.imports = imports;
        for (index, entry) in options.exports.iter().enumerate() {
            let Some((folder, tag)) = place(entry, "dest") else { continue };
            fs::create_dir_all(folder.join("blobs/sha256")).await.map_err(|error| {
                let text = format!("the build's cache cannot be written to {}: {error}", folder.display());
                EngineError::build_key(format!("cache_to.{index}"), text, "name a folder that can be written")
            })?;
            writable.insert(entry.attrs["dest"].clone(), (folder, tag));
        }
        Ok((Self { readable: Arc::new(readable), writable: Arc::new(writable) }, warnings))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.readable.is_empty() && self.writable.is_empty()
    }

    /// Names what was written, by the descriptor that BuildKit's answer has of it.
    pub(super) async fn written(&self, descriptor: &str) -> io::Result<()> {
        let descriptor: Value = serde_json::from_str(descriptor)?;
        for (folder, tag) in self.writable.values() {
            let index = indexed(fs::read(folder.join("index.json")).await.ok(), descriptor.clone(), tag);
            let folder = folder.clone();
            let write = move || {
                atomic::write(&folder.join("index.json"), &index, atomic::SHARED)?;
                atomic::write(&folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#, atomic::SHARED)
            };
            tokio::task::spawn_blocking(write).await??;
        }
        Ok(())
    }

    fn folder<T>(&self, request: &Request<T>, to_write: bool) -> std::result::Result<PathBuf, Status> {
        let name = request.metadata().get(STORE).and_then(|name| name.to_str().ok()).unwrap_or_default();
        let name = name.strip_prefix("local:").unwrap_or(name);
        let writable = self.writable.get(name).map(|(folder, _)| folder);
        let found = if to_write { writable } else { self.readable.get(name).or(writable) };
        found.cloned().ok_or_else(|| Status::not_found(format!("hob has no cache {name}")))
    }

    pub(super) async fn info(&self, request: Request<String>) -> std::result::Result<Info, Status> {
        let blob = blob(&self.folder(&request, false)?, request.get_ref())?;
        let size = fs::metadata(&blob).await.map_err(|_| missing(request.get_ref()))?.len();
        Ok(Info { digest: request.into_inner(), size: i64::try_from(size).unwrap_or(i64::MAX) })
    }

    pub(super) async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> std::result::Result<Answers<ReadResponse>, Status> {
        let folder = self.folder(&request, false)?;
        let ReadRequest { digest, offset, size } = request.into_inner();
        let mut file = fs::File::open(blob(&folder, &digest)?).await.map_err(|_| missing(&digest))?;
        let from = u64::try_from(offset).unwrap_or(0);
        file.seek(io::SeekFrom::Start(from)).await?;
        let rest = file.take(if size > 0 { size.unsigned_abs() } else { u64::MAX });
        let chunks = futures_util::stream::try_unfold((rest, from), |(mut rest, at)| async move {
            let mut data = Vec::with_capacity(CHUNK);
            (&mut rest).take(CHUNK as u64).read_to_end(&mut data).await?;
            let next = at + data.len() as u64;
            let offset = i64::try_from(at).unwrap_or(i64::MAX);
            Ok((!data.is_empty()).then_some((ReadResponse { offset, data }, (rest, next))))
        });
        Ok(Box::pin(chunks))
    }

    pub(super) fn write(
        &self,
        request: Request<impl Stream<Item = std::result::Result<WriteRequest, Status>> + Send + Unpin + 'static>,
    ) -> std::result::Result<Answers<WriteResponse>, Status> {
        let folder = self.folder(&request, true)?;
        let writing =
            Writing { folder, file: None, hasher: Sha256::new(), offset: 0, total: 0, expected: String::new() };
        let answers =
            futures_util::stream::try_unfold((request.into_inner(), writing), |(mut parts, mut writing)| async move {
                let Some(part) = parts.next().await else { return Ok(None) };
                Ok(Some((writing.take(part?).await?, (parts, writing))))
            });
        Ok(Box::pin(answers))
    }
}

/// One blob that is being written: beside the others, until it is whole and what it should be.
struct Writing {
    folder: PathBuf,
    file: Option<(fs::File, atomic::Unnamed)>,
    hasher: Sha256,
    offset: i64,
    total: i64,
    expected: String,
}

impl Writing {
    async fn take(&mut self, part: WriteRequest) -> std::result::Result<WriteResponse, Status> {
        if !part.expected.is_empty() {
            self.expected.clone_from(&part.expected);
            if fs::try_exists(blob(&self.folder, &self.expected)?).await? {
                return Err(Status::already_exists(format!("{} is there already", self.expected)));
            }
        }
        if part.total > 0 {
            self.total = part.total;
        }
        if part.action() != WriteAction::Stat && !part.data.is_empty() {
            self.append(part.offset, &part.data).await?;
        }
        let digest = format!("sha256:{}", Digest::from_hasher(self.hasher.clone()));
        if part.action() == WriteAction::Commit {
            self.commit(&digest).await?;
        }
        Ok(WriteResponse { action: part.action, offset: self.offset, total: self.total, digest })
    }

    async fn append(&mut self, at: i64, data: &[u8]) -> std::result::Result<(), Status> {
        if at == 0 && self.offset > 0 {
            (self.file, self.hasher, self.offset) = (None, Sha256::new(), 0);
        }
        if at != self.offset {
            return Err(Status::out_of_range(format!("{at} was to be written, {} is next", self.offset)));
        }
        let file = self.file()?;
        file.write_all(data).await?;
        self.hasher.update(data);
        self.offset += i64::try_from(data.len()).unwrap_or(i64::MAX);
        Ok(())
    }

    fn file(&mut self) -> io::Result<&mut fs::File> {
        if self.file.is_none() {
            clear_left(&self.folder.join("blobs"));
            let (file, unnamed) = atomic::Unnamed::begin(&self.folder.join("blobs"), atomic::SHARED)?;
            self.file = Some((fs::File::from_std(file), unnamed));
        }
        self.file.as_mut().map(|(file, _)| file).ok_or_else(|| io::Error::other("no file"))
    }

    async fn commit(&mut self, digest: &str) -> std::result::Result<(), Status> {
        if self.total > 0 && self.total != self.offset || !self.expected.is_empty() && self.expected != digest {
            return Err(Status::failed_precondition(format!(
                "{} bytes of {} came, {digest} of {}",
                self.offset, self.total, self.expected
            )));
        }
        let to = blob(&self.folder, digest)?;
        self.file()?.flush().await?;
        if let Some((_, unnamed)) = self.file.take() {
            unnamed.name(&to)?;
        }
        Ok(())
    }
}

/// The folder of a `type=local` entry, and the tag of the cache in it.
fn place(entry: &CacheOptionsEntry, key: &str) -> Option<(PathBuf, String)> {
    let folder = PathBuf::from(entry.attrs.get(key).filter(|_| entry.r#type == "local")?);
    Some((folder, entry.attrs.get("tag").cloned().unwrap_or_else(|| "latest".to_owned())))
}

/// The digest of the cache that a folder's index calls by the tag.
async fn digest_of(folder: &Path, tag: &str) -> std::result::Result<String, String> {
    let index = fs::read(folder.join("index.json")).await.map_err(|error| error.to_string())?;
    let index: Value = serde_json::from_slice(&index).map_err(|error| format!("its index.json: {error}"))?;
    let named = |one: &&Value| one["annotations"][TAG] == tag;
    let found = index["manifests"].as_array().and_then(|all| all.iter().find(named));
    let digest = found.and_then(|one| one["digest"].as_str());
    digest.map(str::to_owned).ok_or_else(|| format!("its index.json names none \"{tag}\""))
}

/// An index with one cache more, in the place of the one that had its tag.
fn indexed(index: Option<Vec<u8>>, mut descriptor: Value, tag: &str) -> Vec<u8> {
    let index: Value = index.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    descriptor["annotations"][TAG] = tag.into();
    let mut manifests = index["manifests"].as_array().cloned().unwrap_or_default();
    manifests.retain(|one| one["annotations"][TAG] != tag);
    manifests.push(descriptor);
    let media_type = "application/vnd.oci.image.index.v1+json";
    json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests }).to_string().into_bytes()
}

/// No blob takes longer to come.
const COMING: Duration = Duration::from_hours(24);

/// Removes what was coming when a hob was killed.
fn clear_left(blobs: &Path) {
    for entry in std::fs::read_dir(blobs).into_iter().flatten().flatten() {
        let modified = entry.metadata().ok().and_then(|metadata| metadata.modified().ok());
        let is_old = modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > COMING);
        if is_old && entry.file_name().as_encoded_bytes().starts_with(b".") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Where a blob is. What BuildKit calls it is part of a path here.
fn blob(folder: &Path, digest: &str) -> std::result::Result<PathBuf, Status> {
    let known = digest.strip_prefix("sha256:").and_then(Digest::parse);
    let known = known.ok_or_else(|| Status::invalid_argument(format!("{digest} is no SHA-256 digest")))?;
    Ok(folder.join("blobs/sha256").join(known.as_str()))
}

fn missing(digest: &str) -> Status {
    Status::not_found(format!("{digest} is not in the cache"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn entry(pairs: &[(&str, &str)]) -> CacheOptionsEntry {
        let attrs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        CacheOptionsEntry { r#type: "local".to_owned(), attrs }
    }

    fn asked<T>(folder: &Path, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(STORE, format!("local:{}", folder.display()).parse().unwrap());
        request
    }

    async fn opened(folder: &Path) -> Caches {
        let exports = vec![entry(&[("dest", folder.to_str().unwrap())])];
        let mut options = CacheOptions { exports, ..Default::default() };
        Caches::of(&mut options).await.unwrap().0
    }

    async fn put(
        caches: &Caches,
        folder: &Path,
        parts: Vec<WriteRequest>,
    ) -> Vec<std::result::Result<WriteResponse, Status>> {
        let parts = futures_util::stream::iter(parts.into_iter().map(Ok));
        caches.write(asked(folder, parts)).unwrap().collect().await
    }

    fn part(action: WriteAction, offset: i64, data: &[u8], expected: &str) -> WriteRequest {
        let (data, expected) = (data.to_vec(), expected.to_owned());
        WriteRequest { action: action.into(), r#ref: "x".into(), total: 6, expected, offset, data }
    }

    fn digest(text: &[u8]) -> String {
        format!("sha256:{}", Digest::of(text))
    }

    #[tokio::test]
    async fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let caches = opened(folder).await;
        let name = digest(b"abcdef");
        let parts = vec![
            part(WriteAction::Stat, 0, b"", &name),
            part(WriteAction::Write, 0, b"zzz", ""),
            // Begun anew, as after a lost connection.
            part(WriteAction::Write, 0, b"abc", ""),
            part(WriteAction::Commit, 3, b"def", &name),
        ];
        let answers = put(&caches, folder, parts).await;
        let offsets: Vec<i64> = answers.iter().map(|answer| answer.as_ref().unwrap().offset).collect();
        assert_eq!(offsets, [0, 3, 3, 6]);
        assert_eq!(answers[3].as_ref().unwrap().digest, name);

        assert_eq!(caches.info(asked(folder, name.clone())).await.unwrap().size, 6);
        let read = async |offset, size| {
            let request = ReadRequest { digest: name.clone(), offset, size };
            let chunks: Vec<_> = caches.read(asked(folder, request)).await.unwrap().collect().await;
            chunks.into_iter().flat_map(|chunk| chunk.unwrap().data).collect::<Vec<u8>>()
        };
        assert_eq!(read(0, 0).await, b"abcdef");
        assert_eq!(read(2, 3).await, b"cde");

        let again = put(&caches, folder, vec![part(WriteAction::Stat, 0, b"", &name)]).await;
        assert_eq!(again[0].as_ref().unwrap_err().code(), Code::AlreadyExists);
    }

    #[tokio::test]
    async fn what_is_not_what_it_should_be_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let caches = opened(folder).await;
        let wrong = put(&caches, folder, vec![part(WriteAction::Commit, 0, b"abcdef", &digest(b"other"))]).await;
        assert_eq!(wrong[0].as_ref().unwrap_err().code(), Code::FailedPrecondition);
        let short = put(&caches, folder, vec![part(WriteAction::Commit, 0, b"abc", &digest(b"abc"))]).await;
        assert_eq!(short[0].as_ref().unwrap_err().code(), Code::FailedPrecondition);
        let gap = put(&caches, folder, vec![part(WriteAction::Write, 2, b"abc", "")]).await;
        assert_eq!(gap[0].as_ref().unwrap_err().code(), Code::OutOfRange);
        // Ended in the middle.
        put(&caches, folder, vec![part(WriteAction::Write, 0, b"abc", "")]).await;
        let left = std::fs::read_dir(folder.join("blobs")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["sha256"]);

        for name in ["../../x", "sha256:../../x", "sha512:00", ""] {
            let error = caches.info(asked(folder, name.to_owned())).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{name}");
        }
        let elsewhere = caches.info(asked(Path::new("/etc"), digest(b"abc"))).await.unwrap_err();
        assert_eq!(elsewhere.code(), Code::NotFound);
    }

    #[tokio::test]
    async fn an_index_names_the_newest_cache_of_a_tag() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let place = folder.to_str().unwrap();
        let imports = || vec![entry(&[("src", place)]), entry(&[("src", place), ("tag", "old")])];
        let mut options = CacheOptions { imports: imports(), ..Default::default() };
        let (none, warnings) = Caches::of(&mut options).await.unwrap();
        assert!(none.is_empty() && options.imports.is_empty());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains(place) && warnings[0].contains("No such file"), "{warnings:?}");

        let caches = opened(folder).await;
        for name in ["first", "second"] {
            let descriptor = json!({ "digest": digest(name.as_bytes()), "size": 1, "mediaType": "m" });
            caches.written(&descriptor.to_string()).await.unwrap();
        }
        options.imports = imports();
        let (_, warnings) = Caches::of(&mut options).await.unwrap();
        assert_eq!(options.imports[0].attrs["digest"], digest(b"second"));
        assert_eq!((options.imports.len(), warnings.len()), (1, 1));
        assert!(warnings[0].contains("names none \"old\""), "{warnings:?}");
    }
}
