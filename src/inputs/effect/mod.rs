//! What a change of a path asks for.

pub(crate) mod decide;
pub(crate) mod housekeeping;
pub(crate) mod map;
pub(crate) mod mounts;
pub(crate) mod rules;
#[cfg(test)]
mod tests;

/// Names of files that `ADD` may unpack, or that tell nothing about what they hold.
pub(crate) fn has_archive_name(name: &str) -> bool {
    const ENDINGS: [&str; 12] = ["tar", "gz", "tgz", "bz2", "tbz", "tbz2", "xz", "txz", "zst", "tzst", "lzma", "layer"];
    match name.rsplit_once('.') {
        None => true,
        Some((_, ending)) => ENDINGS.iter().any(|e| ending.eq_ignore_ascii_case(e)),
    }
}
