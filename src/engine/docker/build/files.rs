//! Build contexts as BuildKit fetches them (the protocol is fsutil's): first what every file *is*, in order of path;
//! BuildKit compares that with the copy that it kept of the last build and asks for the content of what differs.
//!
//! BuildKit takes two files for the same if size, mode and modification time agree. A tool that restores times, or
//! two writes within one tick of the clock, would defeat that. So the nanoseconds that we tell are a digest of
//! everything that changes when a file is written (inode, change time, modification time), and of a fresh number
//! where the last write is so young that another could hide behind it. The seconds stay true. Images do not depend on it: BuildKit's
//! own cache ignores times.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::sent::Sent;
use crate::engine::{BoxStream, ContextFile, EngineError, ErrorKind, Result};
use crate::model::Digest;

/// Go's file mode bits.
const GO_DIR: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

/// Bytes of a file in one message.
const CHUNK: usize = 256 * 1024;
/// A file written this short a time ago may be written again without a newer time: a tick of the kernel's clock is at
/// most 10 ms.
const YOUNG: Duration = Duration::from_millis(20);
/// The same on a file system that keeps whole seconds only.
const YOUNG_BY_SECONDS: Duration = Duration::from_secs(2);

/// The files of one context, in the order in which they are told.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree(Arc<Vec<Node>>);

/// One file, folder or link.
#[derive(Clone, Debug)]
struct Node {
    stat: Stat,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    None,
    /// A file, with the digest that it was measured to have.
    Disk(PathBuf, Option<Digest>),
    Text(Arc<Vec<u8>>),
}

impl Tree {
    /// Reads what the files are, and adds the folders above them. Blocking.
    pub(super) fn of_disk(files: &[ContextFile], sent: &Sent) -> Result<Self> {
        let now = SystemTime::now();
        // Ordered by the parts of the path, which is the order that fsutil checks.
        let mut nodes = BTreeMap::new();
        for file in files {
            let key: Vec<&str> = file.path.split('/').filter(|part| !part.is_empty()).collect();
            let cannot = |error: std::io::Error| {
                let path = file.source.display();
                EngineError::new(ErrorKind::Refused, format!("{path} of the build context cannot be read: {error}"))
            };
            let metadata = std::fs::symlink_metadata(&file.source).map_err(cannot)?;
            sent.look(file, &metadata).map_err(cannot)?;
            if let Some(node) = node(file, &metadata, now).map_err(cannot)? {
                nodes.insert(key, node);
            }
        }
        let mut folders = Vec::new();
        for file in files {
            let mut source: Option<&Path> = file.source.parent();
            let mut path = file.path.as_str();
            while let Some((folder, name)) = path.rsplit_once('/') {
                let same_name = source.is_some() && !name.is_empty();
                folders.push((folder, source.filter(|_| same_name)));
                source = source.and_then(Path::parent);
                path = folder;
            }
        }
        for (folder, source) in folders {
            let key: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
            if !key.is_empty() {
                nodes.entry(key).or_insert_with(|| folder_node(folder, source));
            }
        }
        Ok(Self(Arc::new(nodes.into_values().collect())))
    }

    /// A single file from memory.
    pub(super) fn of_text(name: &str, text: Vec<u8>) -> Self {
        // BuildKit has no other way to see that the text differs than by size and time.
        let digest = Digest::of(&text);
        let stat = Stat {
            path: name.to_owned(),
            mode: 0o644,
            size: i64::try_from(text.len()).unwrap_or_default(),
            mod_time: i64::from(u32::from_str_radix(&digest.as_str()[..7], 16).unwrap_or_default()),
            ..Default::default()
        };
        Self(Arc::new(vec![Node { stat, content: Content::Text(Arc::new(text)) }]))
    }

    /// The part that the paths lead to, through symbolic links of the context too; everything where there are none.
    /// Of a pattern the folder counts in which it begins: more than is needed is never wrong. A `.dockerignore` is never
    /// told, because it has been worked in already.
    pub(super) fn only(&self, paths: &[String]) -> Self {
        if paths.is_empty() {
            return self.clone();
        }
        let links: HashMap<&str, &str> = (self.0.iter())
            .filter(|node| !node.stat.linkname.is_empty())
            .map(|node| (node.stat.path.as_str(), node.stat.linkname.as_str()))
            .collect();
        let mut wanted = BTreeSet::new();
        let mut open: Vec<String> = paths.iter().filter(|path| !path.ends_with(".dockerignore")).cloned().collect();
        while let Some(path) = open.pop() {
            let path = normal(&path);
            if !wanted.insert(path.clone()) {
                continue;
            }
            for end in path.match_indices('/').map(|(index, _)| index).chain([path.len()]) {
                if let Some(link) = links.get(&path[..end]) {
                    let folder = path[..end].rsplit_once('/').map_or("", |(folder, _)| folder);
                    let from = if link.starts_with('/') { "" } else { folder };
                    open.push(format!("{from}/{link}{}", &path[end..]));
                }
            }
            // What a wanted folder links to is not followed: COPY keeps links that it finds in a folder.
        }
        let inside = |outer: &str, inner: &str| {
            outer.is_empty() || inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        let named = |path: &str| wanted.iter().any(|wanted| inside(wanted, path) || inside(path, wanted));
        Self(Arc::new(self.0.iter().filter(|node| named(&node.stat.path)).cloned().collect()))
    }
}

/// Without empty, `.` and `..` parts, cut before the first part with a wildcard.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part if part.contains(['*', '?', '[', '\\']) => break,
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn node(file: &ContextFile, metadata: &std::fs::Metadata, now: SystemTime) -> std::io::Result<Option<Node>> {
    let (path, source) = (&file.path, &file.source);
    let mut stat =
        Stat { path: path.trim_end_matches('/').to_owned(), mode: go_mode(metadata.mode()), ..Default::default() };
    let kind = metadata.file_type();
    let content = if kind.is_dir() {
        stat.mode |= GO_DIR;
        stat.mod_time = metadata.mtime().saturating_mul(1_000_000_000);
        Content::None
    } else if kind.is_symlink() {
        stat.mode = GO_SYMLINK | 0o777;
        stat.linkname = String::from_utf8_lossy(std::fs::read_link(source)?.as_os_str().as_bytes()).into_owned();
        stat.mod_time = metadata.mtime().saturating_mul(1_000_000_000);
        Content::None
    } else if kind.is_file() {
        stat.size = i64::try_from(metadata.len()).unwrap_or_default();
        stat.mod_time = told_time(metadata, now);
        Content::Disk(source.clone(), file.was.as_ref().and_then(|was| was.digest.clone()))
    } else {
        // Sockets, pipes and devices are never part of a context.
        return Ok(None);
    };
    Ok(Some(Node { stat, content }))
}

fn folder_node(path: &str, source: Option<&Path>) -> Node {
    let metadata = source.and_then(|source| std::fs::metadata(source).ok()).filter(std::fs::Metadata::is_dir);
    let mode = metadata.map_or(0o755, |metadata| go_mode(metadata.mode()));
    Node { stat: Stat { path: path.to_owned(), mode: mode | GO_DIR, ..Default::default() }, content: Content::None }
}

fn go_mode(mode: u32) -> u32 {
    let mut go = mode & 0o777;
    for (unix, bit) in [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)] {
        if mode & unix != 0 {
            go |= bit;
        }
    }
    go
}

/// A modification time whose nanoseconds tell one write from another; see the module's text.
fn told_time(metadata: &std::fs::Metadata, now: SystemTime) -> i64 {
    let mut seen = format!(
        "{} {} {} {} {} {}",
        metadata.dev(),
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    );
    let changed = Duration::new(
        u64::try_from(metadata.ctime()).unwrap_or_default(),
        u32::try_from(metadata.ctime_nsec()).unwrap_or_default(),
    );
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let young = if metadata.ctime_nsec() == 0 { YOUNG_BY_SECONDS } else { YOUNG };
    if changed + young > now {
        use std::fmt::Write as _;
        let _ = write!(seen, " {}", now.as_nanos());
    }
    let digest = Digest::of(seen.as_bytes());
    // Seven hexadecimal digits are less than 10^9.
    let nanos = u32::from_str_radix(&digest.as_str()[..7], 16).unwrap_or_default();
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(nanos.into())
}

fn packet(kind: PacketType) -> Packet {
    Packet { r#type: kind.into(), ..Default::default() }
}

/// Tells what is there and sends what is asked for.
pub(super) fn serve(
    tree: Tree,
    sent: Arc<Sent>,
    mut asked: impl Stream<Item = std::result::Result<Packet, Status>> + Send + Unpin + 'static,
) -> BoxStream<std::result::Result<Packet, Status>> {
    sent.begin();
    let (sender, receiver) = mpsc::channel(32);
    let told = (tree.clone(), sender.clone());
    // Two tasks, because BuildKit asks for the first files while it is still told of the last.
    tokio::spawn(async move {
        let (tree, sender) = told;
        for node in tree.0.iter() {
            let told = Packet { stat: Some(node.stat.clone()), ..packet(PacketType::PacketStat) };
            if sender.send(Ok(told)).await.is_err() {
                return;
            }
        }
        let _ = sender.send(Ok(packet(PacketType::PacketStat))).await;
    });
    // A third takes questions in at once: BuildKit asks for thousands of files in messages of a few bytes, and h2
    // closes a connection on which too many small frames lie unread (found with 20,000 files).
    let (waiting, mut questions) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(question)) = asked.next().await {
            if waiting.send(question).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(question) = questions.recv().await {
            let answer = match PacketType::try_from(question.r#type) {
                Ok(PacketType::PacketReq) => send_content(&tree, question.id, &sender, &sent).await,
                Ok(PacketType::PacketFin) => {
                    sent.end();
                    let _ = sender.send(Ok(packet(PacketType::PacketFin))).await;
                    return;
                }
                Ok(PacketType::PacketErr) => return,
                _ => Ok(()),
            };
            if let Err(status) = answer {
                let _ = sender.send(Err(status)).await;
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

type Sender = mpsc::Sender<std::result::Result<Packet, Status>>;

async fn send_content(tree: &Tree, id: u32, sender: &Sender, sent: &Sent) -> std::result::Result<(), Status> {
    let node = usize::try_from(id).ok().and_then(|id| tree.0.get(id));
    let Some(node) = node else { return Err(Status::invalid_argument(format!("there is no file {id}"))) };
    let send = async |data: Vec<u8>| {
        let packet = Packet { id, data, ..packet(PacketType::PacketData) };
        sender.send(Ok(packet)).await.map_err(|_| Status::cancelled("the build has ended"))
    };
    match &node.content {
        Content::None => {}
        Content::Text(text) => send(text.to_vec()).await?,
        Content::Disk(path, was) => {
            let cannot = |error: std::io::Error| {
                Status::aborted(format!(
                    "{} was removed or became unreadable during the build: {error}",
                    path.display()
                ))
            };
            let mut file = tokio::fs::File::open(path).await.map_err(cannot)?;
            file.set_max_buf_size(CHUNK);
            let mut hasher = Sha256::new();
            loop {
                let mut data = Vec::with_capacity(CHUNK.min(usize::try_from(node.stat.size).unwrap_or(CHUNK) + 1));
                if file.read_buf(&mut data).await.map_err(cannot)? == 0 {
                    break;
                }
                hasher.update(&data);
                send(data).await?;
            }
            sent.content(was.as_ref(), &Digest::from_hasher(hasher));
        }
    }
    // An empty packet ends a file.
    send(Vec::new()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn tree(root: &Path, paths: &[&str]) -> Tree {
        let files =
            paths.iter().map(|path| ContextFile { source: root.join(path), path: (*path).to_owned(), was: None });
        Tree::of_disk(&files.collect::<Vec<_>>(), &Sent::default()).unwrap()
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.0.iter().map(|node| node.stat.path.as_str()).collect()
    }

    #[test]
    fn files_come_in_order_with_their_folders() {
        let root = tempfile::tempdir().unwrap();
        for path in ["a/b/c", "a-b", "a.txt"] {
            std::fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(root.path().join(path), path).unwrap();
        }
        std::fs::set_permissions(root.path().join("a/b"), std::fs::Permissions::from_mode(0o1750)).unwrap();
        std::fs::set_permissions(root.path().join("a.txt"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("a.txt", root.path().join("link")).unwrap();
        let tree = tree(root.path(), &["link", "a.txt", "a-b", "a/b/c"]);
        assert_eq!(paths(&tree), ["a", "a/b", "a/b/c", "a-b", "a.txt", "link"]);
        let stat = |path: &str| tree.0.iter().find(|node| node.stat.path == path).unwrap().stat.clone();
        assert_eq!(stat("a/b").mode, GO_DIR | GO_STICKY | 0o750);
        assert_eq!(stat("a.txt").mode, 0o755);
        assert_eq!((stat("link").linkname.as_str(), stat("link").mode), ("a.txt", GO_SYMLINK | 0o777));
        assert_eq!((stat("a/b/c").size, stat("a/b/c").uid), (5, 0));
    }

    #[test]
    fn a_write_that_keeps_size_and_time_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("f");
        let old = SystemTime::now() - Duration::from_secs(1000);
        let write = |text: &str| {
            std::fs::write(&file, text).unwrap();
            std::fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
            tree(root.path(), &["f"]).0[0].stat.mod_time
        };
        let (first, second) = (write("one"), write("two"));
        assert_ne!(first, second);
        assert_eq!(first / 1_000_000_000, second / 1_000_000_000);
    }

    #[test]
    fn only_what_paths_lead_to() {
        let root = tempfile::tempdir().unwrap();
        for path in [".dockerignore", "a/b", "ab", "c/d/e"] {
            std::fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(root.path().join(path), path).unwrap();
        }
        std::os::unix::fs::symlink("../a", root.path().join("c/to-a")).unwrap();
        let tree = tree(root.path(), &[".dockerignore", "a/b", "ab", "c/d/e", "c/to-a"]);
        for (only, expected) in [
            (&[][..], ".dockerignore a a/b ab c c/d c/d/e c/to-a"),
            (&[".dockerignore"], ""),
            (&["a"], "a a/b"),
            (&["/a/b/"], "a a/b"),
            (&["a*"], ".dockerignore a a/b ab c c/d c/d/e c/to-a"),
            (&["c/d/*"], "c c/d c/d/e"),
            (&["c/to-a/b"], "a a/b c c/to-a"),
            (&["c"], "c c/d c/d/e c/to-a"),
            (&["nothing"], ""),
        ] {
            let only: Vec<String> = only.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(paths(&tree.only(&only)).join(" "), expected, "{only:?}");
        }
    }

    #[tokio::test]
    async fn content_is_sent_where_it_is_asked_for() {
        let tree = Tree::of_text("Dockerfile", b"FROM scratch".to_vec());
        let ask = |kind, id| Ok(Packet { id, ..packet(kind) });
        let asked = futures_util::stream::iter([ask(PacketType::PacketReq, 0), ask(PacketType::PacketFin, 0)]);
        let mut seen: Vec<_> = serve(tree, Arc::default(), asked).map(|packet| packet.unwrap()).collect().await;
        // The two tasks may interleave; each kind keeps its order.
        seen.sort_by_key(|packet| packet.r#type);
        let kinds: Vec<_> =
            seen.iter().map(|packet| (packet.r#type, packet.data.len(), packet.stat.is_some())).collect();
        assert_eq!(kinds, [(0, 0, true), (0, 0, false), (2, 12, false), (2, 0, false), (3, 0, false)]);
    }
}
