//! A model of what the final image's `COPY` and `ADD` instructions write, and in which order.

use std::collections::BTreeSet;

use crate::inputs::ignore::Ignore;
use crate::inputs::paths::{base_name, below, join};
use crate::inputs::recipe::{CopyStep, Dest, Origin, Recipe, Source, StepKind, Unclear};
use crate::inputs::select::finder::{Finder, Reader};
use crate::inputs::select::{Files, Selected};
use crate::model::{EntryKind, Place, RebuildReason};

/// The order of writes: position in the chain of stages, then number of the source.
pub(crate) type Order = (usize, usize);

/// Something that a source becomes in the image.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// When.
    pub order: Order,
    /// The instruction's place.
    pub place: Place,
    /// The destination as resolved: for a folder's content the folder, for a file the file.
    pub what: Writes,
}

/// What a writer writes.
#[derive(Clone, Debug)]
pub(crate) enum Writes {
    /// The content of a folder of a context, into this folder of the image.
    Folder { context: usize, root: String, dest: String, exclude: Ignore },
    /// What a pattern takes from a folder, with the path after it kept.
    Parents { context: usize, folder: String, pattern: Ignore, dest: String },
    /// One file.
    File { dest: String },
    /// Something whose content is not known, at or below this path.
    Opaque { dest: String },
}

/// What a writer makes of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// A file or a link.
    File,
    /// A folder.
    Folder,
    /// It is not known whether it writes it at all.
    Perhaps,
}

/// What is known of the image's chain of stages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    /// Positions of steps in the chain.
    pub positions: Vec<Option<usize>>,
    /// What is written, in order.
    pub writers: Vec<Writer>,
    /// Folders that exist when a step runs, by position.
    folders: Vec<(usize, String)>,
    /// From this position on, folders may exist that are not known: the base image's, or those of a `RUN`.
    unknown_from: Option<usize>,
    /// The chain starts from an image or a folder, whose files are not known.
    pub based: bool,
    /// What each `RUN` says, by position.
    runs: Vec<(usize, String)>,
}

impl Image {
    pub fn new(recipe: &Recipe, readers: &[Reader], files: &[Files]) -> Self {
        let mut image = Self {
            positions: vec![None; recipe.steps.len()],
            based: recipe.chain.first().is_none_or(|stage| !recipe.stages[*stage].scratch),
            ..Self::default()
        };
        if image.based {
            image.unknown_from = Some(0);
        }
        image.folders.push((usize::MAX, "/".to_owned()));
        let mut position = 0;
        for stage in &recipe.chain {
            for (index, step) in recipe.steps.iter().enumerate().filter(|(_, s)| s.stage == *stage) {
                image.positions[index] = Some(position);
                if matches!(step.what, StepKind::Run(_)) {
                    image.runs.push((position, step.text.clone()));
                }
                match &step.what {
                    StepKind::Workdir(Some(path)) => image.folder(position, path),
                    StepKind::Run(_) | StepKind::Folder(_) | StepKind::Workdir(None) => {
                        image.unknown_from.get_or_insert(position);
                    }
                    StepKind::Copy(copy) => image.copy((index, step.place), position, copy, readers, files),
                    StepKind::Other => {}
                }
                position += 1;
            }
        }
        image
    }

    fn folder(&mut self, position: usize, path: &str) {
        let mut path = path.to_owned();
        loop {
            self.folders.push((position, path.clone()));
            match path.rfind('/') {
                Some(0) | None => break,
                Some(at) => path.truncate(at),
            }
        }
    }

    fn copy(
        &mut self,
        (step, place): (usize, Place),
        position: usize,
        copy: &CopyStep,
        readers: &[Reader],
        files: &[Files],
    ) {
        let Ok(dest) = &copy.dest else {
            // It may write anywhere.
            let what = Writes::Opaque { dest: "/".to_owned() };
            self.writers.push(Writer { order: (position, 0), place, what });
            self.unknown_from.get_or_insert(position);
            return;
        };
        if dest.folder {
            self.folder(position, &dest.path);
        } else if let Some(at) = dest.path.rfind('/').filter(|at| *at > 0) {
            self.folder(position, &dest.path[..at]);
        }
        let context = match copy.origin {
            Origin::Context(context) => Some(context),
            _ => None,
        };
        let exclude = Ignore::from_patterns(copy.exclude.iter().map(String::as_str)).unwrap_or_default();
        for (number, source) in copy.sources.iter().enumerate() {
            let order = (position, number);
            let opaque = Writes::Opaque { dest: dest.path.clone() };
            match (source, context) {
                (Source::Document(name), _) => {
                    let what = match self.file_dest(position, dest, name, None) {
                        Some(dest) => Writes::File { dest },
                        None => opaque,
                    };
                    self.writers.push(Writer { order, place, what });
                }
                (Source::Path(_), Some(context)) => {
                    let readers = readers.iter().filter(|r| r.step == step && r.source == number);
                    for reader in readers {
                        self.reader((order, place), reader, &files[context], dest, &exclude);
                    }
                }
                _ => {
                    self.unknown_from.get_or_insert(position);
                    self.writers.push(Writer { order, place, what: opaque });
                }
            }
        }
        let unclear_sources = copy.sources.is_empty();
        if unclear_sources {
            self.writers.push(Writer { order: (position, 0), place, what: Writes::Opaque { dest: dest.path.clone() } });
        }
    }

    fn reader(
        &mut self,
        (order, place): (Order, Place),
        reader: &Reader,
        files: &Files,
        dest: &Dest,
        exclude: &Ignore,
    ) {
        let context = reader.context;
        let push = |image: &mut Self, what| image.writers.push(Writer { order, place, what });
        match &reader.finder {
            Finder::Parents { folder, pattern, .. } => {
                self.folder(order.0, &dest.path);
                let (folder, pattern, dest) = (folder.clone(), pattern.clone(), dest.path.clone());
                push(self, Writes::Parents { context, folder, pattern, dest });
            }
            Finder::Link(_) => {}
            Finder::Path(root) => {
                if root.is_empty() || files.get(root.as_str()).is_some_and(|f| f.kind == EntryKind::Dir) {
                    self.folder(order.0, &dest.path);
                    let (root, exclude) = (root.clone(), exclude.clone());
                    push(self, Writes::Folder { context, root, dest: dest.path.clone(), exclude });
                } else {
                    let name = reader.renamed.as_deref().unwrap_or_else(|| base_name(root));
                    let what = match self.file_dest(order.0, dest, name, Some(base_name(root))) {
                        Some(dest) => Writes::File { dest },
                        None => Writes::Opaque { dest: dest.path.clone() },
                    };
                    push(self, what);
                }
            }
            Finder::Glob { folder, parts } => {
                let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
                let matches: Vec<(String, bool)> = files
                    .iter()
                    .filter(|(path, _)| {
                        path.strip_prefix(start.as_str()).is_some_and(|rest| {
                            rest.split('/').count() == parts.len()
                                && rest.split('/').zip(parts).all(|(name, part)| part.matches(name))
                        })
                    })
                    .map(|(path, file)| (path.to_string(), file.kind == EntryKind::Dir))
                    .collect();
                for (path, is_folder) in matches {
                    if is_folder {
                        self.folder(order.0, &dest.path);
                        let what =
                            Writes::Folder { context, root: path, dest: dest.path.clone(), exclude: exclude.clone() };
                        push(self, what);
                        continue;
                    }
                    let what = match self.file_dest(order.0, dest, base_name(&path), None) {
                        Some(dest) => Writes::File { dest },
                        None => Writes::Opaque { dest: dest.path.clone() },
                    };
                    push(self, what);
                }
            }
        }
    }

    /// Whether a path of the image is a folder for sure when a step runs.
    fn is_folder(&self, position: usize, path: &str) -> bool {
        self.folders.iter().any(|(at, folder)| (*at <= position || folder == "/") && folder == path)
    }

    /// Where a file goes. `literal` is the source's name where it was written without wildcards. None where it
    /// depends on whether the destination is a folder, and that is not known.
    pub fn file_dest(&self, position: usize, dest: &Dest, name: &str, literal: Option<&str>) -> Option<String> {
        if dest.folder || self.is_folder(position, &dest.path) {
            return Some(format!("{}/{name}", dest.path.trim_end_matches('/')));
        }
        let certain = self.unknown_from.is_none_or(|from| from > position);
        // A destination with the source's own name and ending is a file by every custom.
        let (target, extension) = (base_name(&dest.path), extension(base_name(&dest.path)));
        let alike = literal.is_some_and(|l| target.contains('.') && (l == target || extension == self::extension(l)));
        (certain || alike && extension.is_some_and(|e| e != "d")).then(|| dest.path.clone())
    }

    /// The writers that may write a path of the image, with what they make of it.
    pub fn writers_of<'a>(
        &'a self,
        path: &'a str,
        files: &'a [Files],
    ) -> impl Iterator<Item = (&'a Writer, Made)> + 'a {
        self.writers.iter().filter_map(move |writer| writer.what.writes(path, files).map(|made| (writer, made)))
    }

    /// What is copied to or below a link goes to where the link leads, so it may be anywhere.
    pub fn lead_through(&mut self, links: &[String]) {
        for writer in &mut self.writers {
            if links.iter().any(|link| below(link, writer.what.dest()).is_some()) {
                writer.what = Writes::Opaque { dest: "/".to_owned() };
            }
        }
    }

    /// Whether instructions make a folder of a path.
    pub fn makes_folder(&self, path: &str) -> bool {
        self.folders.iter().any(|(_, folder)| folder == path)
    }

    /// Whether a path is a folder before the step at a position runs.
    pub fn earlier_makes_folder(&self, position: usize, path: &str) -> bool {
        self.folders.iter().any(|(at, folder)| (*at < position || folder == "/") && folder == path)
    }

    /// Whether a source made anything when the image was modelled.
    pub fn made_something(&self, order: Order) -> bool {
        self.writers.iter().any(|writer| writer.order == order)
    }

    /// Whether some destination is below a path.
    pub fn is_above_a_destination(&self, path: &str) -> bool {
        self.writers.iter().any(|writer| below(path, writer.what.dest()).is_some_and(|rest| !rest.is_empty()))
    }

    /// Steps after a position of the chain.
    pub fn is_after(&self, step: usize, position: usize) -> bool {
        self.positions[step].is_some_and(|at| at > position)
    }

    /// Whether an instruction before a position may have made something at a path: a `RUN` says its name.
    pub fn run_may_make(&self, position: usize, path: &str) -> bool {
        self.runs.iter().any(|(run, text)| *run < position && says(text, base_name(path)))
    }

    /// Whether the base image may hold something at a path: it starts from one, and the path is where distributions
    /// put files. Project folders such as `/app` are taken to be the project's own.
    pub fn base_may_hold(&self, path: &str) -> bool {
        const SYSTEM: [&str; 14] = [
            "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys",
            "/usr", "/var",
        ];
        let under = |folder: &str| below(folder, path).is_some();
        self.based && SYSTEM.iter().any(|folder| under(folder)) && !under("/usr/src")
    }
}

/// Whether a text says a name, and not as a part of a longer one.
fn says(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty()
        && text
            .match_indices(name)
            .any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

impl Writes {
    fn dest(&self) -> &str {
        match self {
            Self::Folder { dest, .. } | Self::Parents { dest, .. } | Self::File { dest } | Self::Opaque { dest } => {
                dest
            }
        }
    }

    /// What this makes of a path of the image.
    fn writes(&self, path: &str, files: &[Files]) -> Option<Made> {
        let made = |file: &Selected| if file.kind == EntryKind::Dir { Made::Folder } else { Made::File };
        match self {
            Self::File { dest } => (dest == path).then_some(Made::File),
            Self::Opaque { dest } => below(dest, path).map(|_| Made::Perhaps),
            Self::Folder { context, root, dest, exclude } => {
                let rest = below(dest, path).filter(|rest| !rest.is_empty())?;
                let found =
                    files[*context].get(join(root, rest).as_str()).filter(|f| !f.parent_only && !exclude.ignores(rest));
                found.map(made)
            }
            Self::Parents { context, folder, pattern, dest } => {
                let rest = below(dest, path).filter(|rest| !rest.is_empty())?;
                let found = files[*context]
                    .get(join(folder, rest).as_str())
                    .filter(|f| !f.parent_only && pattern.selects(rest));
                found.map(made)
            }
        }
    }
}

fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension).filter(|e| !e.is_empty())
}

/// Why files of a step cannot be synced, whichever they are.
pub(crate) fn obstacle(recipe: &Recipe, image: &Image, index: usize) -> Option<RebuildReason> {
    let step = &recipe.steps[index];
    let place = step.place;
    let StepKind::Copy(copy) = &step.what else { return Some(RebuildReason::Mounted { place }) };
    let Some(position) = image.positions[index] else {
        let stage = recipe.stages[step.stage].label.clone();
        return Some(RebuildReason::OtherStage { stage, place });
    };
    let unclear = [copy.dest.as_ref().err(), copy.chown.as_ref().err(), copy.chmod.as_ref().err()];
    if let Some(unclear) = unclear.into_iter().flatten().next() {
        return Some(match unclear {
            Unclear::Variable(name) => RebuildReason::UnclearVariable { place, name: name.clone() },
            Unclear::WorkingDir => RebuildReason::UnclearWorkingDir { place },
        });
    }
    let later = recipe.steps.iter().enumerate().filter(|(i, _)| image.is_after(*i, position));
    if let Some((_, run)) = later.clone().find(|(_, s)| matches!(s.what, StepKind::Run(_))) {
        return Some(RebuildReason::LaterRun { place: run.place });
    }
    // The stages of the chain that hold what this step copies: its own and those that start from it.
    let own = recipe.chain.iter().position(|s| *s == step.stage)?;
    let holding: BTreeSet<usize> = recipe.chain[own..].iter().copied().collect();
    let reading = recipe.reachable.iter().find(|stage| {
        let node = &recipe.stages[**stage];
        let forks = !recipe.chain.contains(stage) && node.base.is_some_and(|base| holding.contains(&base));
        forks || node.reads.iter().any(|read| holding.contains(read))
    });
    reading.map(|stage| RebuildReason::ReadByStage { stage: recipe.stages[*stage].label.clone() })
}
