//! The engine's older build call, for engines without BuildKit's session (Podman): the context goes as one archive,
//! and the answer is text.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::super::Docker;
use super::sent::{Hashed, Sent};
use crate::engine::{
    BuildContext, BuildProgress, BuildSink, BuildSpec, Built, ContextFile, EngineError, ErrorKind, Result,
};
use crate::model::ImageId;

/// What the Dockerfile is called in the archive where its text is not a file of the context.
const INJECTED: &str = ".hob.Dockerfile";
/// All text of this build belongs to one step.
const STEP: &str = "build";

pub(super) async fn build(docker: &Docker, spec: &BuildSpec, progress: &BuildSink) -> Result<Built> {
    if !spec.secrets.is_empty() || !spec.build.ssh.is_empty() || !spec.contexts.is_empty() {
        return Err(EngineError::new(
            ErrorKind::Refused,
            "build.secrets, build.ssh and build.additional_contexts need BuildKit, which this engine does not have"
                .to_owned(),
        ));
    }
    let mut options = options(spec);
    for (name, value) in docker.proxies.variables().await {
        options.buildargs.get_or_insert_default().entry(name).or_insert(value);
    }
    let sent = Arc::new(Sent::default());
    let body = match &spec.context {
        BuildContext::Files(files) => {
            bollard::body_try_stream(archive(files.clone(), spec.dockerfile_text.clone(), Arc::clone(&sent)))
        }
        BuildContext::Remote(_) => bollard::body_full(Bytes::new()),
    };
    progress(BuildProgress::Started { step: STEP.to_owned(), name: "build".to_owned() });
    let mut output = String::new();
    let mut id = None;
    let mut news = docker.api.build_image(options, None, Some(body));
    while let Some(line) = news.next().await {
        let line = match line {
            Ok(line) => line,
            Err(bollard::errors::Error::DockerStreamError { error }) => return Err(failed(&error, output)),
            Err(error) => return Err(docker.error(error)),
        };
        if let Some(image) = line.aux.and_then(|aux| aux.id) {
            id = Some(image);
        }
        if let Some(text) = line.stream {
            output.push_str(&text);
            progress(BuildProgress::Output { step: STEP.to_owned(), bytes: text.into_bytes() });
        }
    }
    let id = id.ok_or_else(|| failed("the engine did not tell the image's id", output))?;
    for tag in spec.tags.iter().skip(1) {
        docker.tag(&id, tag).await?;
    }
    let took = std::time::Duration::ZERO;
    progress(BuildProgress::Done { step: STEP.to_owned(), cached: false, took, error: None });
    let id = docker.image(&id).await?.map_or_else(|| ImageId::new(id), |image| image.id);
    Ok(Built { id, as_measured: sent.is_as_measured() })
}

/// The failing step is the last one that the text announces.
fn failed(error: &str, output: String) -> EngineError {
    let step = output.lines().rfind(|line| line.starts_with("STEP ") || line.starts_with("Step "));
    let step = step.unwrap_or_default().to_owned();
    EngineError::new(ErrorKind::Build { step, output }, format!("the build failed: {error}"))
}

fn options(spec: &BuildSpec) -> BuildImageOptions {
    let build = &spec.build;
    let labels: HashMap<_, _> = build.labels.iter().chain(&spec.labels).map(|(k, v)| (k.clone(), v.clone())).collect();
    let args = build.args.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    BuildImageOptions {
        dockerfile: if spec.dockerfile_text.is_some() { INJECTED.to_owned() } else { spec.dockerfile.clone() },
        t: spec.tags.first().cloned(),
        extrahosts: (!build.extra_hosts.is_empty()).then(|| build.extra_hosts.join(",").replace('=', ":")),
        remote: match &spec.context {
            BuildContext::Remote(url) => Some(url.clone()),
            BuildContext::Files(_) => None,
        },
        nocache: spec.no_cache || build.no_cache,
        pull: (spec.pull || build.pull).then(|| "true".to_owned()),
        rm: true,
        buildargs: Some(args.collect()),
        shmsize: build.shm_size.and_then(|size| i32::try_from(size.0).ok()),
        labels: Some(labels),
        networkmode: build.network.clone(),
        platform: spec.platform.clone().unwrap_or_default(),
        target: build.target.clone().unwrap_or_default(),
        ..Default::default()
    }
}

/// The context as a tar archive, made while it is sent: a large one is never in memory as a whole.
fn archive(
    files: Vec<ContextFile>,
    dockerfile: Option<String>,
    sent: Arc<Sent>,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(8);
    tokio::task::spawn_blocking(move || {
        let out = io::BufWriter::with_capacity(128 * 1024, Pipe(sender.clone()));
        if let Err(error) = write_archive(out, &files, dockerfile.as_deref(), &sent) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    ReceiverStream::new(receiver)
}

fn write_archive(out: impl Write, files: &[ContextFile], dockerfile: Option<&str>, sent: &Sent) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    tar.follow_symlinks(false);
    for file in files {
        let metadata = std::fs::symlink_metadata(&file.source)?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata_in_mode(&metadata, tar::HeaderMode::Complete);
        header.set_uid(0);
        header.set_gid(0);
        sent.look(file, &metadata)?;
        if metadata.is_file() {
            let mut content = Hashed::new(std::fs::File::open(&file.source)?);
            tar.append_data(&mut header, &file.path, &mut content)?;
            sent.content(file.was.as_ref().and_then(|was| was.digest.as_ref()), &content.digest());
        } else if metadata.is_symlink() {
            tar.append_link(&mut header, &file.path, std::fs::read_link(&file.source)?)?;
        } else if metadata.is_dir() {
            tar.append_data(&mut header, &file.path, io::empty())?;
        }
    }
    if let Some(text) = dockerfile {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        tar.append_data(&mut header, INJECTED, text.as_bytes())?;
    }
    tar.into_inner()?.flush()
}

/// Writes into a channel; an error once the build has ended.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ended = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(ended)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_links_as_links_and_no_owners() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("d")).unwrap();
        std::fs::write(root.path().join("d/f"), "text").unwrap();
        std::os::unix::fs::symlink("d/f", root.path().join("l")).unwrap();
        let files: Vec<_> = ["d", "d/f", "l"]
            .iter()
            .map(|path| ContextFile { source: root.path().join(path), path: (*path).into(), was: None })
            .collect();
        let mut out = Vec::new();
        write_archive(&mut out, &files, Some("FROM x"), &Sent::default()).unwrap();
        let mut read = tar::Archive::new(out.as_slice());
        let seen: Vec<_> = read
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                (path, entry.header().entry_type(), entry.header().uid().unwrap(), entry.size())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("d".to_owned(), tar::EntryType::Directory, 0, 0),
                ("d/f".to_owned(), tar::EntryType::Regular, 0, 4),
                ("l".to_owned(), tar::EntryType::Symlink, 0, 0),
                (INJECTED.to_owned(), tar::EntryType::Regular, 0, 6),
            ]
        );
    }

    #[test]
    fn the_last_step_is_the_failing_one() {
        let error = failed("exit status 1", "STEP 1/2: FROM x\nSTEP 2/2: RUN false\n".into());
        assert!(matches!(error.kind, ErrorKind::Build { step, .. } if step == "STEP 2/2: RUN false"));
    }
}
