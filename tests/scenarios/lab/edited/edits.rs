//! Random edits of a folder, as editors, shells and version control make them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;

const NAMES: [&str; 16] = [
    "a",
    "b",
    "c.txt",
    "x.txt",
    "d.log",
    "important.log",
    "keep",
    "skip",
    "with space",
    "ünï ✓",
    "-dash",
    "e.tmp",
    "sub",
    "lib",
    "[x]",
    "#h",
];

const IGNORES: [&str; 7] = [
    "*.log\n!important.log\nskip\n!skip/keep\n",
    "**/*.log\n!**/important.log\n**/skip\n",
    "**/*.tmp\nsrc/sub/skip\n!src/sub/skip/keep\n",
    "lib/*\n!lib/keep\n!lib/a\n",
    "# nothing\n",
    "**/[x]\n**/-dash\n",
    "**\n!src\n!lib\n!top\nsrc/sub/*.txt\n",
];

/// Above so many entries nothing big is added any more.
const MANY: usize = 1500;

/// Edits one folder, and remembers what it did.
pub struct Edits {
    root: PathBuf,
    random: Rng,
    count: usize,
    pub log: Vec<String>,
}

impl Edits {
    pub fn new(root: PathBuf, random: Rng) -> Self {
        Self { root, random, count: 0, log: Vec::new() }
    }

    pub fn random(&mut self) -> &mut Rng {
        &mut self.random
    }

    /// The first tree.
    pub fn begin(&mut self) {
        for folder in ["src/sub/skip", "lib", "skip", "top"] {
            fs::create_dir_all(self.root.join(folder)).unwrap();
        }
        let files =
            ["src/a", "src/x.txt", "src/sub/b", "src/sub/skip/keep", "lib/a", "lib/keep", "skip/keep", "top/c.txt"];
        for file in files {
            let content = self.content();
            fs::write(self.root.join(file), content).unwrap();
        }
        fs::write(self.root.join(".dockerignore"), IGNORES[0]).unwrap();
    }

    /// Does so many steps, with and without pauses between them.
    pub fn steps(&mut self, number: usize) {
        for _ in 0..number {
            self.step();
            let pause = match self.random.usize(..20) {
                0..=11 => 0,
                12..=15 => self.random.usize(..6),
                16..=18 => 10 + self.random.usize(..60),
                _ => 200 + self.random.usize(..400),
            };
            if pause > 0 {
                std::thread::sleep(Duration::from_millis(pause as u64));
                self.log.push(format!("sleep {pause} ms"));
            }
        }
    }

    /// Makes what the builds cannot be without.
    pub fn mend(&mut self, needed: &[&str]) {
        for path in needed {
            let (full, folder) = (self.root.join(path), path.ends_with('/'));
            let there = fs::metadata(&full).is_ok_and(|found| found.is_dir() == folder)
                && full.canonicalize().is_ok_and(|to| to.starts_with(self.root.canonicalize().unwrap()));
            if there {
                continue;
            }
            self.log.push(format!("mend {path}"));
            let _ = remove(&self.root.join(path.trim_end_matches('/')));
            let parent = if folder { full.clone() } else { full.parent().unwrap().to_path_buf() };
            if fs::create_dir_all(&parent).is_err() {
                // Something on the way is not a folder.
                for above in parent.ancestors().take_while(|above| **above != self.root) {
                    if !above.is_dir() {
                        let _ = remove(above);
                    }
                }
                fs::create_dir_all(&parent).unwrap();
            }
            if !folder {
                let content = self.content();
                fs::write(&full, content).unwrap();
            }
        }
    }

    fn content(&mut self) -> Vec<u8> {
        self.count += 1;
        let mut content = format!("{}\n", self.count).into_bytes();
        match self.random.usize(..40) {
            0 => content.resize(300_000, b'x'),
            1 => content.clear(),
            // The same as another file's.
            2..=4 => content = b"same\n".to_vec(),
            _ => {}
        }
        content
    }

    /// All entries below the root; links are not followed.
    fn entries(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        let mut open = vec![self.root.clone()];
        while let Some(folder) = open.pop() {
            let mut here: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
            here.sort();
            for path in here {
                if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                    open.push(path.clone());
                    folders.push(path);
                } else if path != self.root.join(".dockerignore") {
                    files.push(path);
                }
            }
        }
        (files, folders)
    }

    fn file(&mut self) -> PathBuf {
        let (files, _) = self.entries();
        if files.is_empty() { self.place() } else { self.random.choice(&files).unwrap().clone() }
    }

    fn folder(&mut self) -> PathBuf {
        let (_, folders) = self.entries();
        if folders.is_empty() || self.random.u8(..100) < 10 {
            self.root.clone()
        } else {
            self.random.choice(&folders).unwrap().clone()
        }
    }

    fn folder_below(&mut self) -> PathBuf {
        let (_, folders) = self.entries();
        if folders.is_empty() { self.root.join("src") } else { self.random.choice(&folders).unwrap().clone() }
    }

    fn any(&mut self) -> PathBuf {
        if self.random.u8(..100) < 65 { self.file() } else { self.folder_below() }
    }

    /// A name in a folder; what it is now is anything.
    fn place(&mut self) -> PathBuf {
        let folder = self.folder();
        let deep = folder.strip_prefix(&self.root).unwrap().components().count();
        let folder = if deep > 4 { self.root.join("src") } else { folder };
        folder.join(self.random.choice(NAMES).unwrap())
    }

    fn shown(&self, path: &Path) -> String {
        // In quotes, since names have spaces.
        format!("\"{}\"", path.strip_prefix(&self.root).unwrap_or(path).display())
    }

    fn step(&mut self) {
        let (text, result) = self.some_step();
        let result = result.map_or_else(|error| format!(": {error}"), |()| String::new());
        self.log.push(format!("{text}{result}"));
    }

    #[allow(clippy::too_many_lines, reason = "one list")]
    fn some_step(&mut self) -> (String, std::io::Result<()>) {
        let big = {
            let (files, folders) = self.entries();
            files.len() + folders.len() > MANY
        };
        if big {
            let folder = self.folder_below();
            return (format!("rm -r {} (there are too many)", self.shown(&folder)), fs::remove_dir_all(folder));
        }
        match self.random.usize(..110) {
            0..=11 => {
                let (path, content) = (self.file(), self.content());
                (format!("write {}", self.shown(&path)), fs::write(path, content))
            }
            12..=18 => {
                let (path, content) = (self.place(), self.content());
                (format!("write {}", self.shown(&path)), fs::write(path, content))
            }
            19..=22 => {
                let (path, content) = (self.file(), self.content());
                let append = || fs::OpenOptions::new().append(true).open(&path)?.write_all(&content);
                (format!("append to {}", self.shown(&path)), append())
            }
            23..=24 => {
                let path = self.file();
                (format!("truncate {}", self.shown(&path)), fs::write(path, ""))
            }
            25..=33 => {
                let (path, content) = (self.file(), self.content());
                let beside = path.with_file_name(self.random.choice([".swp", "4913", "file~", ".#lock"]).unwrap());
                let result = fs::write(&beside, content).and_then(|()| fs::rename(&beside, &path));
                (format!("save {} by a rename", self.shown(&path)), result)
            }
            34..=39 => {
                let path = self.file();
                (format!("rm {}", self.shown(&path)), fs::remove_file(path))
            }
            40..=46 => {
                let folder = self.place();
                let deeper = if self.random.u8(..100) < 50 {
                    folder.join(self.random.choice(NAMES).unwrap())
                } else {
                    folder.clone()
                };
                let mut result = fs::create_dir_all(&deeper);
                for number in 0..self.random.usize(..4) {
                    let (name, content) = (self.random.choice(NAMES).unwrap(), self.content());
                    let into = if number % 2 == 0 { &deeper } else { &folder };
                    result = result.and_then(|()| fs::write(into.join(name), content));
                }
                (format!("mkdir -p {} and files in it", self.shown(&deeper)), result)
            }
            47..=50 => {
                let folder = self.folder_below();
                (format!("rm -r {}", self.shown(&folder)), fs::remove_dir_all(folder))
            }
            51..=58 => {
                let (from, to) = (self.any(), self.place());
                (format!("mv {} {}", self.shown(&from), self.shown(&to)), fs::rename(from, to))
            }
            59..=62 => {
                let (from, to) = (self.folder_below(), self.place());
                (format!("mv {} {}", self.shown(&from), self.shown(&to)), fs::rename(from, to))
            }
            63..=68 => {
                let path = self.any();
                let mode =
                    self.random.choice([0o644, 0o755, 0o600, 0o700, 0o777, 0o4755, 0o1777, 0o2750, 0o444]).unwrap();
                let is_link = path.is_symlink();
                // fuse-overlayfs forgets the set-group-id of a folder of the image when something is written in it; a
                // folder that its owner cannot enter would be the end of most steps.
                let mode = if path.is_dir() { mode & 0o1777 | 0o700 } else { mode };
                let result =
                    if is_link { Ok(()) } else { fs::set_permissions(&path, fs::Permissions::from_mode(mode)) };
                (format!("chmod {mode:o} {}", self.shown(&path)), result)
            }
            69..=74 => {
                let path = self.place();
                // A write through a link must not end up on the machine.
                let to = self
                    .random
                    .choice(["a", "../b", "sub", "../src", "/no/such", ".", "gone", "x.txt", "../../lib"])
                    .unwrap();
                let _ = if path.is_symlink() || path.is_file() { fs::remove_file(&path) } else { Ok(()) };
                (format!("ln -s {to} {}", self.shown(&path)), symlink(to, path))
            }
            75..=78 => {
                // A file's place is taken by a folder, or the other way round.
                let path = self.any();
                let content = self.content();
                if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                    let result = fs::remove_dir_all(&path).and_then(|()| fs::write(&path, content));
                    (format!("{} becomes a file", self.shown(&path)), result)
                } else {
                    let result = fs::remove_file(&path).and_then(|()| fs::create_dir(&path));
                    let inside = path.join(self.random.choice(NAMES).unwrap());
                    let result = result.and_then(|()| fs::write(inside, content));
                    (format!("{} becomes a folder", self.shown(&path)), result)
                }
            }
            79..=80 => {
                let folder = self.place();
                let number = 50 + self.random.usize(..300);
                let mut result = fs::create_dir_all(&folder);
                for file in 0..number {
                    let content = self.content();
                    result = result.and_then(|()| fs::write(folder.join(format!("f{file}")), content));
                }
                (format!("{number} files in {}", self.shown(&folder)), result)
            }
            81..=82 => {
                let text = self.random.choice(IGNORES).unwrap();
                (format!("write {text:?} to .dockerignore"), fs::write(self.root.join(".dockerignore"), text))
            }
            83..=87 => {
                let (path, content) = (self.place(), self.content());
                let result = fs::write(&path, content).and_then(|()| fs::remove_file(&path));
                (format!("write and rm {}", self.shown(&path)), result)
            }
            88..=91 => {
                let (one, two) = (self.file(), self.file());
                let away = self.root.join("swap~");
                let result = fs::rename(&one, &away)
                    .and_then(|()| fs::rename(&two, &one))
                    .and_then(|()| fs::rename(&away, &two));
                (format!("swap {} and {}", self.shown(&one), self.shown(&two)), result)
            }
            92..=94 => {
                let path = self.any();
                let away = self.root.with_extension("away");
                let result = fs::rename(&path, &away);
                if self.random.u8(..100) < 50 {
                    std::thread::sleep(Duration::from_millis(self.random.usize(..40) as u64));
                }
                let result = result.and_then(|()| fs::rename(&away, &path));
                (format!("mv {} away and back", self.shown(&path)), result)
            }
            95..=96 => {
                let path = self.file();
                (format!("touch {}", self.shown(&path)), fs::OpenOptions::new().append(true).open(path).map(drop))
            }
            97..=99 => {
                let (from, to) = (self.folder_below(), self.place());
                let result = if to.starts_with(&from) { Ok(()) } else { copy(&from, &to) };
                (format!("cp -r {} {}", self.shown(&from), self.shown(&to)), result)
            }
            100..=102 => {
                let (folder, fresh) = (self.folder_below(), self.root.with_extension("fresh"));
                let content = self.content();
                let result = fs::create_dir_all(fresh.join("sub"))
                    .and_then(|()| fs::write(fresh.join("sub/b"), &content))
                    .and_then(|()| fs::write(fresh.join("new.txt"), content))
                    .and_then(|()| fs::remove_dir_all(&folder))
                    .and_then(|()| fs::rename(&fresh, &folder));
                (format!("{} is exchanged for another folder", self.shown(&folder)), result)
            }
            103..=104 => {
                // In one folder at the top: what is written by a name that no service reads is not told by the others.
                let (from, mut to) = (self.file(), self.place());
                let top =
                    |path: &Path| path.strip_prefix(&self.root).ok()?.iter().next().map(|name| self.root.join(name));
                if top(&from) != top(&to) {
                    to = from.with_file_name(to.file_name().unwrap_or_default());
                }
                (format!("ln {} {}", self.shown(&from), self.shown(&to)), fs::hard_link(from, to))
            }
            105 => {
                let folder = self.folder_below();
                let (files, _) = self.entries();
                let mut result = Ok(());
                for file in files.iter().filter(|file| file.starts_with(&folder)) {
                    let content = self.content();
                    result = result.and_then(|()| fs::remove_file(file)).and_then(|()| fs::write(file, content));
                }
                (format!("all files below {} are written anew", self.shown(&folder)), result)
            }
            _ => {
                let path = self.file();
                let (first, second) = (self.content(), self.content());
                let result = fs::write(&path, first).and_then(|()| fs::write(&path, second));
                (format!("write {} twice", self.shown(&path)), result)
            }
        }
    }
}

/// Removes whatever it is.
fn remove(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Copies a folder with all in it; links as links.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let into = to.join(entry.file_name());
        let found = fs::symlink_metadata(entry.path())?;
        if found.is_dir() {
            copy(&entry.path(), &into)?;
        } else if found.is_symlink() {
            symlink(fs::read_link(entry.path())?, into)?;
        } else if found.nlink() > 0 {
            fs::copy(entry.path(), into)?;
        }
    }
    Ok(())
}
