//! Files that editors leave for a moment, or for as long as a file is open: never worth an action.
//!
//! Only names that no project would give to a file that matters are listed. `sed -i` and others write to a
//! temporary name that could be anything; their file is gone before anybody acts, so it needs no entry here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Whether a file of this name is an editor's temporary file.
pub(super) fn is_editor_temporary(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let starts = |prefix: &str| name.starts_with(prefix.as_bytes());
    let ends = |suffix: &str| name.ends_with(suffix.as_bytes());

    // Backups of vim, emacs, gedit, nano, kate: `app.py~`.
    ends("~")
        // JetBrains' safe write.
        || ends("___jb_tmp___")
        || ends("___jb_old___")
        // Emacs: lock links and autosaves.
        || starts(".#")
        || (name.len() > 1 && starts("#") && ends("#"))
        || is_vim_swap(name)
        || is_vim_probe(name)
        // Kate's swap file.
        || (starts(".") && ends(".kate-swp"))
        // GLib's atomic replace: gedit, GNOME Text Editor and others.
        || starts(".goutputstream-")
        // LibreOffice's lock file.
        || (starts(".~lock.") && ends("#"))
        // What NFS and FUSE rename a deleted file to while somebody has it open.
        || (starts(".nfs0") && name.len() > 20)
        || starts(".fuse_hidden")
}

/// `.app.py.swp`, `.swp`, and `.swo`, `.swx`, `.swpx` and so on, which vim takes when the first is there.
fn is_vim_swap(name: &[u8]) -> bool {
    if name.first() != Some(&b'.') {
        return false;
    }
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { return false };
    let suffix = &name[dot + 1..];
    suffix == b"swpx" || (suffix.len() == 3 && suffix.starts_with(b"sw") && suffix[2].is_ascii_lowercase())
}

/// Vim writes `4913` to learn whether it may create files in a folder, and adds 123 while the name is taken.
fn is_vim_probe(name: &[u8]) -> bool {
    std::str::from_utf8(name)
        .ok()
        .and_then(|text| text.parse::<u32>().ok())
        .is_some_and(|number| (4913..=4913 + 5 * 123).contains(&number) && (number - 4913).is_multiple_of(123))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_known_by_name() {
        for name in [
            "4913",
            "5036",
            "app.py~",
            ".#app.py",
            "#app.py#",
            "app.py___jb_tmp___",
            "app.py___jb_old___",
            ".app.py.swp",
            ".app.py.swo",
            ".app.py.swpx",
            ".swp",
            ".goutputstream-X1Y2Z3",
            ".app.py.kate-swp",
            ".~lock.sheet.ods#",
            ".nfs000000000001a2b300000001",
            ".fuse_hidden0000001a00000001",
        ] {
            assert!(is_editor_temporary(OsStr::new(name)), "{name} is an editor's temporary file");
        }
    }

    #[test]
    fn real_files_are_kept() {
        for name in [
            "app.py",
            "4914",
            "4912",
            "#",
            "app.swp",
            "swp",
            ".swift",
            ".swc1",
            ".env",
            ".nfsrc",
            "sedation",
            "c#",
            "#notes",
            "main.swf",
            ".dockerignore",
            "lock#",
        ] {
            assert!(!is_editor_temporary(OsStr::new(name)), "{name} is a real file");
        }
    }
}
