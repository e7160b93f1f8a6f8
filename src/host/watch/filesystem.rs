//! Which file systems do not tell about every change.
//!
//! A network or guest file system tells about writes made through this kernel and about no others: an edit on the
//! server, on the host of a virtual machine or on the Windows side of WSL goes unseen. Folders on one are therefore
//! watched and polled.

use std::path::Path;

/// The name of the file system that `path` is on, if that one cannot be relied upon to tell of changes.
#[cfg(target_os = "linux")]
pub(super) fn without_events(path: &Path) -> Option<&'static str> {
    let kind = nix::sys::statfs::statfs(path).ok()?.filesystem_type().0;
    // Magic numbers are 32 bits wide; some C libraries sign-extend them.
    name_of(kind.cast_unsigned() & 0xffff_ffff)
}

/// Elsewhere file systems are not told apart.
#[cfg(not(target_os = "linux"))]
pub(super) fn without_events(_path: &Path) -> Option<&'static str> {
    None
}

/// Magic numbers as in statfs(2) and the headers of the file systems that are kept outside the kernel.
#[cfg(target_os = "linux")]
fn name_of(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0x517b => "smb",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb2",
        0x0102_1997 => "9p",
        // Also virtiofs, sshfs and what Docker Desktop shares folders with. FUSE does not say which it is.
        0x6573_5546 => "fuse",
        0x786f_4256 => "vboxsf",
        0xbacb_acbc => "vmhgfs",
        0x7c7c_6673 => "prl_fs",
        0x00c3_6400 => "ceph",
        0x5346_414f => "afs",
        0x6b41_4653 => "kafs",
        0x7375_7245 => "coda",
        0x0bd0_0bd0 => "lustre",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn local_file_systems_are_relied_upon() {
        for magic in [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(name_of(magic), None, "{magic:#x}");
        }
        assert_eq!(name_of(0x6573_5546), Some("fuse"));
        assert_eq!(name_of(0x0102_1997), Some("9p"));
    }

    #[test]
    fn a_missing_path_is_no_reason_to_poll() {
        assert_eq!(without_events(Path::new("/nowhere/at/all")), None);
    }
}
