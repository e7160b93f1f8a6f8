//! Where each value of a project was written.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in a manifest file; line and column count from one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// The file, absolute.
    pub file: PathBuf,
    /// Line, from one.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// The places of values, by dotted path. A manifest of hundreds of services has tens of thousands of values of which
/// hardly one is ever asked for, so this is a tree in two flat buffers: cheap to note, a walk to look up.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    files: Vec<PathBuf>,
    keys: String,
    /// Values in the order written, each before those in it.
    values: Vec<Noted>,
}

#[derive(Clone, Copy, Debug)]
struct Noted {
    /// Where the key ends in `keys`; it begins where that of the value before ends.
    key_end: usize,
    /// The first value that is not in this one.
    end: usize,
    file: u32,
    /// From one; 0 for a value that was written nowhere.
    line: u32,
    column: u32,
}

/// A value that was entered and not left.
#[must_use]
#[derive(Debug)]
pub struct Entered(usize);

impl Origins {
    /// Of values in these files; a value names its file by number.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { files, ..Self::default() }
    }

    /// Notes a value at file, line and column; line 0 means "written nowhere". Until it is left, what is entered is
    /// in it.
    pub fn enter(&mut self, key: &str, (file, line, column): (u32, u32, u32)) -> Entered {
        self.keys.push_str(key);
        self.values.push(Noted { key_end: self.keys.len(), end: usize::MAX, file, line, column });
        Entered(self.values.len() - 1)
    }

    /// Ends a value.
    #[allow(clippy::needless_pass_by_value, reason = "a value is left once")]
    pub fn leave(&mut self, value: Entered) {
        let end = self.values.len();
        if let Some(noted) = self.values.get_mut(value.0) {
            noted.end = end;
        }
    }

    /// The place of the value at `path`, or of the nearest parent whose place is known.
    pub fn locate(&self, path: &str) -> Option<Location> {
        let (_, index) = self.nearest(0, self.values.len(), path)?;
        let noted = self.values.get(index)?;
        Some(Location {
            file: self.files.get(noted.file as usize)?.clone(),
            line: noted.line as usize,
            column: noted.column as usize,
        })
    }

    fn key(&self, index: usize) -> &str {
        let begin = index.checked_sub(1).and_then(|before| self.values.get(before)).map_or(0, |noted| noted.key_end);
        self.values.get(index).and_then(|noted| self.keys.get(begin..noted.key_end)).unwrap_or_default()
    }

    /// Among the values from `at` to `end` the one that answers for most of `path`, and how much of it is left. A key
    /// may have dots of its own.
    fn nearest(&self, mut at: usize, end: usize, path: &str) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        while at < end {
            let noted = self.values.get(at)?;
            if let Some(rest) = path.strip_prefix(self.key(at))
                && (rest.is_empty() || rest.starts_with('.'))
            {
                let own = (noted.line > 0).then_some((rest.len(), at));
                let below = rest.strip_prefix('.').and_then(|rest| self.nearest(at + 1, noted.end.min(end), rest));
                best = [best, own, below].into_iter().flatten().min_by_key(|(left, _)| *left);
            }
            at = noted.end;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_or_its_nearest_parent_is_found() {
        let mut origins = Origins::new(vec!["/m.yaml".into(), "/n.yaml".into()]);
        let services = origins.enter("services", (0, 1, 1));
        for (line, name) in [(2, "api"), (20, "api.v2")] {
            let service = origins.enter(name, (0, line, 3));
            let labels = origins.enter("labels", (0, 0, 0));
            let label = origins.enter("com.example.team", (1, line + 2, 7));
            origins.leave(label);
            let label = origins.enter("com", (1, line + 3, 7));
            origins.leave(label);
            origins.leave(labels);
            let image = origins.enter("image", (0, line + 4, 5));
            origins.leave(image);
            origins.leave(service);
        }
        origins.leave(services);
        for (path, place) in [
            ("services", Some("/m.yaml:1:1")),
            ("services.api", Some("/m.yaml:2:3")),
            ("services.api.image", Some("/m.yaml:6:5")),
            ("services.api.image.more", Some("/m.yaml:6:5")),
            ("services.api.images", Some("/m.yaml:2:3")),
            ("services.api.labels", Some("/m.yaml:2:3")),
            ("services.api.labels.com.example.team", Some("/n.yaml:4:7")),
            ("services.api.labels.com.example.teams", Some("/n.yaml:5:7")),
            ("services.api.v2.image", Some("/m.yaml:24:5")),
            ("services.db", Some("/m.yaml:1:1")),
            ("networks", None),
            ("", None),
        ] {
            assert_eq!(origins.locate(path).map(|place| place.to_string()).as_deref(), place, "{path}");
        }
    }
}
