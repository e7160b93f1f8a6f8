//! A model of the builder, written from its rules and not from the code under test: it runs steps, not a Dockerfile,
//! on a context in memory, and gives the image's files.

use std::collections::BTreeMap;
use std::path::Path;

use super::tree::{MemTree, Node};

/// What is at a path of an image or a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub node: Node,
    pub owner: String,
}

/// Paths are absolute; `/` itself is not in it.
pub type Fs = BTreeMap<String, Item>;

/// Where a `COPY` takes files from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    Context,
    Stage(usize),
    Base,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Copy {
        add: bool,
        from: From,
        sources: Vec<String>,
        dest: String,
        chown: Option<String>,
        chmod: Option<u32>,
        exclude: Option<String>,
        parents: bool,
    },
    Run {
        mount: Option<String>,
    },
    Workdir(String),
    Arg {
        name: String,
        default: String,
    },
    Env {
        name: String,
        value: String,
    },
    Heredoc {
        dest: String,
        content: String,
    },
    User,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    Scratch,
    Image,
    Stage(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSpec {
    pub base: Base,
    pub steps: Vec<Step>,
}

/// One build as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    pub stages: Vec<StageSpec>,
    pub ignore: Vec<String>,
    pub args: BTreeMap<String, String>,
    pub base_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub fs: Fs,
    pub workdir: String,
    pub env: BTreeMap<String, String>,
}

pub type Built = Result<Image, String>;

impl Spec {
    pub fn dockerfile(&self) -> String {
        let mut text = String::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let base = match &stage.base {
                Base::Scratch => "scratch".to_owned(),
                Base::Image => "base".to_owned(),
                Base::Stage(n) => format!("s{n}"),
            };
            text += &format!("FROM {base} AS s{index}\n");
            for step in &stage.steps {
                text += &step.render();
                text.push('\n');
            }
        }
        text
    }

    pub fn ignore_text(&self) -> String {
        self.ignore.join("\n")
    }

    /// Builds the last stage.
    pub fn build(&self, tree: &MemTree) -> Built {
        let context = self.context(tree);
        let mut images: Vec<Option<Built>> = vec![None; self.stages.len()];
        self.stage(self.stages.len() - 1, &context, &mut images)
    }

    fn stage(&self, index: usize, context: &Fs, images: &mut Vec<Option<Built>>) -> Built {
        if let Some(built) = &images[index] {
            return built.clone();
        }
        let stage = &self.stages[index];
        let mut image = match stage.base {
            Base::Scratch => Image { workdir: "/".into(), ..Image::default() },
            Base::Image => Image { fs: base_fs(&self.base_id), workdir: "/srv".into(), ..Image::default() },
            Base::Stage(n) => self.stage(n, context, images)?,
        };
        for (number, step) in stage.steps.iter().enumerate() {
            match step {
                Step::Copy { from, .. } => {
                    let source = match from {
                        From::Context => context.clone(),
                        From::Stage(n) => self.stage(*n, context, images)?.fs,
                        From::Base => base_fs(&self.base_id),
                    };
                    copy(&mut image, step, &source)?;
                }
                Step::Run { mount } => {
                    let mounted = match mount {
                        Some(path) => {
                            let found = resolve(context, path).filter(|p| p == "/" || context.contains_key(p));
                            let root = found.ok_or_else(|| format!("{path} is missing"))?;
                            format!("{:?}", context.iter().filter(|(p, _)| under(p, &root)).collect::<Vec<_>>())
                        }
                        None => String::new(),
                    };
                    let state = format!("{:?} {:?} {mounted}", image.fs, image.env);
                    let result = crate::model::Digest::of(state.as_bytes()).to_string();
                    put(&mut image.fs, &format!("/run-{index}-{number}"), Node::File(result, 0o644), "0")?;
                }
                Step::Workdir(path) => {
                    let path = absolute(&image.workdir, path);
                    mkdirs(&mut image.fs, &path, "0")?;
                    image.workdir = path;
                }
                Step::Arg { name, default } => {
                    let value = self.args.get(name).unwrap_or(default);
                    image.env.insert(name.clone(), value.clone());
                }
                Step::Env { name, value } => {
                    image.env.insert(name.clone(), value.clone());
                }
                Step::Heredoc { dest, content } => {
                    let mut source = Fs::new();
                    put(&mut source, "/EOT", Node::File(content.clone(), 0o644), "0")?;
                    let as_copy = Step::Copy {
                        add: false,
                        from: From::Context,
                        sources: vec!["EOT".into()],
                        dest: dest.clone(),
                        chown: None,
                        chmod: None,
                        exclude: None,
                        parents: false,
                    };
                    copy(&mut image, &as_copy, &source)?;
                }
                Step::User => {}
            }
        }
        images[index] = Some(Ok(image.clone()));
        Ok(image)
    }

    /// The context without what the ignore file leaves out.
    pub fn context(&self, tree: &MemTree) -> Fs {
        let mut fs = Fs::new();
        self.walk(tree, "/w", "", &vec![false; self.ignore.len()], &mut fs);
        fs
    }

    fn walk(&self, tree: &MemTree, folder: &str, rel: &str, parent: &[bool], fs: &mut Fs) -> bool {
        let mut kept = false;
        for (path, node) in &tree.0 {
            if path.parent() != Some(Path::new(folder)) {
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            let full = if rel.is_empty() { name.to_owned() } else { format!("{rel}/{name}") };
            let mut ignored = false;
            let mut matches = Vec::new();
            for (index, pattern) in self.ignore.iter().enumerate() {
                let (keeps, pattern) = pattern.strip_prefix('!').map_or((false, pattern.as_str()), |p| (true, p));
                let matched = parent[index] || keeps == ignored && ignore_matches(pattern, &full);
                matches.push(matched);
                if matched {
                    ignored = !keeps;
                }
            }
            let below = matches!(node, Node::Dir(_)) && self.walk(tree, path.to_str().unwrap(), &full, &matches, fs);
            if !ignored || below {
                fs.insert(format!("/{full}"), Item { node: node.clone(), owner: "0".into() });
                kept = true;
            }
        }
        kept
    }
}

/// The few kinds of patterns that are generated: names, `*`, `*.x`, `**/x`, `x/**`.
fn ignore_matches(pattern: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap();
    let nested = path.contains('/');
    if pattern == "*" {
        return !nested;
    }
    if let Some(rest) = pattern.strip_prefix("**/") {
        return match rest.strip_prefix('*') {
            Some(ending) => name.ends_with(ending),
            None => path == rest || path.ends_with(&format!("/{rest}")),
        };
    }
    if let Some(folder) = pattern.strip_suffix("/**") {
        return path.starts_with(&format!("{folder}/"));
    }
    match pattern.strip_prefix('*') {
        Some(ending) => !nested && name.ends_with(ending),
        None => path == pattern,
    }
}

impl Step {
    fn render(&self) -> String {
        match self {
            Self::Copy { add, from, sources, dest, chown, chmod, exclude, parents } => {
                let mut text = if *add { "ADD".to_owned() } else { "COPY".to_owned() };
                match from {
                    From::Context => {}
                    From::Stage(n) => text += &format!(" --from=s{n}"),
                    From::Base => text += " --from=base",
                }
                if let Some(chown) = chown {
                    text += &format!(" --chown={chown}");
                }
                if let Some(chmod) = chmod {
                    text += &format!(" --chmod={chmod:o}");
                }
                if let Some(exclude) = exclude {
                    text += &format!(" --exclude={exclude}");
                }
                if *parents {
                    text += " --parents";
                }
                format!("{text} {} {dest}", sources.join(" "))
            }
            Self::Run { mount: None } => "RUN true".to_owned(),
            Self::Run { mount: Some(path) } => format!("RUN --mount=type=bind,source={path},target=/m true"),
            Self::Workdir(path) => format!("WORKDIR {path}"),
            Self::Arg { name, default } => format!("ARG {name}={default}"),
            Self::Env { name, value } => format!("ENV {name}={value}"),
            Self::Heredoc { dest, content } => format!("COPY <<EOT {dest}\n{content}EOT"),
            Self::User => "USER 0".to_owned(),
        }
    }
}

/// Files that distributions have, whose content is another one for another image.
fn base_fs(id: &str) -> Fs {
    let mut fs = Fs::new();
    let dir = |fs: &mut Fs, path: &str| fs.insert(path.to_owned(), Item { node: Node::Dir(0o755), owner: "0".into() });
    for path in ["/etc", "/srv", "/real", "/usr", "/usr/a"] {
        dir(&mut fs, path);
    }
    for path in ["/etc/a.txt", "/etc/b", "/usr/a/c"] {
        fs.insert(path.to_owned(), Item { node: Node::File(id.to_owned(), 0o644), owner: "0".into() });
    }
    fs.insert("/lnk".to_owned(), Item { node: Node::Link("real".into()), owner: "0".into() });
    fs
}

fn under(path: &str, root: &str) -> bool {
    root == "/" || path == root || path.starts_with(&format!("{root}/"))
}

pub fn absolute(workdir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let start = if path.starts_with('/') { "" } else { workdir };
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A path with all its links followed, inside the tree. None for a loop. What is missing is taken as it is.
pub fn resolve(fs: &Fs, path: &str) -> Option<String> {
    let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut at = String::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{at}/{part}");
        if let Some(Item { node: Node::Link(target), .. }) = fs.get(&next) {
            links += 1;
            if links > 50 {
                return None;
            }
            let target = target.to_str().unwrap();
            if target.starts_with('/') {
                at.clear();
            }
            todo.extend(target.split('/').rev().map(str::to_owned));
        } else {
            at = next;
        }
    }
    Some(if at.is_empty() { "/".to_owned() } else { at })
}

/// Makes a folder and those above it; links on the way are followed.
pub fn mkdirs(fs: &mut Fs, path: &str, owner: &str) -> Result<String, String> {
    let path = resolve(fs, path).ok_or("a loop of links")?;
    let mut at = String::new();
    for part in path.split('/').filter(|p| !p.is_empty()) {
        at = format!("{at}/{part}");
        match fs.get(&at).map(|i| &i.node) {
            Some(Node::Dir(_)) => {}
            Some(_) => return Err(format!("{at} is no folder")),
            None => {
                fs.insert(at.clone(), Item { node: Node::Dir(0o755), owner: owner.to_owned() });
            }
        }
    }
    Ok(path)
}

/// Puts a file or a link, replacing a file or a link.
pub fn put(fs: &mut Fs, path: &str, node: Node, owner: &str) -> Result<(), String> {
    if matches!(fs.get(path), Some(Item { node: Node::Dir(_), .. })) {
        return Err(format!("cannot replace the folder {path}"));
    }
    fs.insert(path.to_owned(), Item { node, owner: owner.to_owned() });
    Ok(())
}

fn is_dir(fs: &Fs, path: &str) -> bool {
    path == "/" || matches!(fs.get(path), Some(Item { node: Node::Dir(_), .. }))
}

struct Opts<'a> {
    /// None keeps the owner that a file has in its stage.
    owner: Option<&'a str>,
    chmod: Option<u32>,
    exclude: Option<&'a str>,
    include: Option<&'a str>,
}

impl Opts<'_> {
    fn made(&self) -> &str {
        self.owner.unwrap_or("0")
    }

    fn mode(&self, mode: u32) -> u32 {
        self.chmod.unwrap_or(mode)
    }
}

fn copy(image: &mut Image, step: &Step, source: &Fs) -> Result<(), String> {
    let Step::Copy { add, sources, dest, chown, chmod, exclude, parents, .. } = step else { return Ok(()) };
    let expand = |text: &str| {
        image.env.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    };
    let folder = dest == "." || dest.ends_with('/');
    let dest = absolute(&image.workdir, &expand(dest));
    let sources: Vec<String> = sources.iter().map(|s| expand(s)).collect();
    let owner = chown.as_deref().unwrap_or("0");
    let opts = Opts { owner: chown.as_deref(), chmod: *chmod, exclude: exclude.as_deref(), include: None };
    for src in &sources {
        if *parents {
            let pattern = absolute("/", src);
            let opts = Opts { include: Some(&pattern[1..]), ..opts };
            if !source.contains_key(&pattern) {
                return Err(format!("{src} is missing"));
            }
            let to = mkdirs(&mut image.fs, &dest, owner)?;
            copy_folder(&mut image.fs, source, "/", &to, "", &opts)?;
            continue;
        }
        for found in wildcards(source, &absolute("/", src))? {
            let real = resolve(source, &found).ok_or("a loop of links")?;
            if real != "/" && !source.contains_key(&real) {
                return Err(format!("{found} is missing"));
            }
            if *add
                && let Some(Item { node: Node::File(content, _), .. }) = source.get(&real)
                && content.starts_with("TAR")
            {
                let to = mkdirs(&mut image.fs, &dest, owner)?;
                put(
                    &mut image.fs,
                    &format!("{}/unpacked", to.trim_end_matches('/')),
                    Node::File(content.clone(), 0o644),
                    owner,
                )?;
                continue;
            }
            one(&mut image.fs, source, &found, &real, &dest, folder, &opts)?;
        }
    }
    Ok(())
}

fn one(
    fs: &mut Fs,
    source: &Fs,
    named: &str,
    real: &str,
    dest: &str,
    folder: bool,
    opts: &Opts<'_>,
) -> Result<(), String> {
    let above = dest.rfind('/').map_or("/", |at| if at == 0 { "/" } else { &dest[..at] });
    mkdirs(fs, if folder { dest } else { above }, opts.made())?;
    let mut to = resolve(fs, dest).ok_or("a loop of links")?;
    if is_dir(source, real) {
        let to = mkdirs(fs, &to, opts.made())?;
        return copy_folder(fs, source, real, &to, "", opts);
    }
    if is_dir(fs, &to) {
        to = format!("{}/{}", to.trim_end_matches('/'), named.rsplit('/').next().unwrap());
    }
    copy_file(fs, &source[real], &to, opts)
}

fn copy_file(fs: &mut Fs, item: &Item, to: &str, opts: &Opts<'_>) -> Result<(), String> {
    let node = match &item.node {
        Node::File(content, mode) => Node::File(content.clone(), opts.mode(*mode)),
        node => node.clone(),
    };
    put(fs, to, node, opts.owner.unwrap_or(&item.owner))
}

/// Copies what is in a folder into a folder that exists.
fn copy_folder(fs: &mut Fs, source: &Fs, from: &str, to: &str, rel: &str, opts: &Opts<'_>) -> Result<(), String> {
    let start = if from == "/" { "/".to_owned() } else { format!("{from}/") };
    for (path, item) in source.range(start.clone()..) {
        let Some(name) = path.strip_prefix(&start) else { break };
        if name.contains('/') || name.is_empty() {
            continue;
        }
        let full = if rel.is_empty() { name.to_owned() } else { format!("{rel}/{name}") };
        if opts.exclude.is_some_and(|e| ignore_matches(e, &full)) {
            continue;
        }
        if let Some(include) = opts.include
            && !under(&full, include)
            && !under(include, &full)
        {
            continue;
        }
        let target = format!("{}/{name}", to.trim_end_matches('/'));
        match &item.node {
            Node::Dir(mode) => {
                match fs.get(&target).map(|i| &i.node) {
                    None | Some(Node::Dir(_)) => {}
                    Some(_) => return Err(format!("{target} is no folder")),
                }
                let node = Node::Dir(opts.mode(*mode));
                fs.insert(target.clone(), Item { node, owner: opts.owner.unwrap_or(&item.owner).to_owned() });
                copy_folder(fs, source, path, &target, &full, opts)?;
            }
            _ => copy_file(fs, item, &target, opts)?,
        }
    }
    Ok(())
}

/// What the model leaves open: a wildcard below something that is no folder. BuildKit refuses it where nothing else has
/// the file sent (`COPY f/* /x/`), and takes it for no match where something has, or where a link leads there.
pub const BELOW_A_FILE: &str = "a wildcard below a file";

/// The matches of a source: itself without wildcards.
fn wildcards(source: &Fs, path: &str) -> Result<Vec<String>, String> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let Some(wild) = parts.iter().position(|p| p.contains('*')) else { return Ok(vec![path.to_owned()]) };
    let folder = resolve(source, &parts[..wild].join("/")).ok_or("a loop of links")?;
    if !is_dir(source, &folder) {
        return Err(BELOW_A_FILE.to_owned());
    }
    let start = folder.trim_end_matches('/').to_owned();
    let found = source.keys().filter(|candidate| {
        let Some(rest) = candidate.strip_prefix(&format!("{start}/")) else { return false };
        let names: Vec<&str> = rest.split('/').collect();
        names.len() == parts.len() - wild && names.iter().zip(&parts[wild..]).all(|(name, part)| star(part, name))
    });
    Ok(found.cloned().collect())
}

/// A pattern with at most one star.
fn star(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => pattern == name,
    }
}
