//! Error numbers of the kernel, and the words for them.

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What a system call gives.
pub type Result<T> = core::result::Result<T, Errno>;

impl Errno {
    pub const PERM: Self = Self(1);
    pub const NOENT: Self = Self(2);
    pub const INTR: Self = Self(4);
    pub const TOOBIG: Self = Self(7);
    pub const AGAIN: Self = Self(11);
    pub const ACCES: Self = Self(13);
    pub const EXIST: Self = Self(17);
    pub const NOTDIR: Self = Self(20);
    pub const ISDIR: Self = Self(21);
    pub const INVAL: Self = Self(22);
    pub const PIPE: Self = Self(32);
    pub const NAMETOOLONG: Self = Self(36);
    pub const NOTEMPTY: Self = Self(39);
    pub const LOOP: Self = Self(40);
    pub const PROTO: Self = Self(71);

    /// The words that Go (and so Docker) uses for it.
    pub fn text(self) -> &'static str {
        match self.0 {
            1 => "operation not permitted",
            2 => "no such file or directory",
            5 => "input/output error",
            7 => "argument list too long",
            8 => "exec format error",
            11 => "resource temporarily unavailable",
            12 => "cannot allocate memory",
            13 => "permission denied",
            16 => "device or resource busy",
            17 => "file exists",
            18 => "invalid cross-device link",
            20 => "not a directory",
            21 => "is a directory",
            22 => "invalid argument",
            23 | 24 => "too many open files",
            26 => "text file busy",
            27 => "file too large",
            28 => "no space left on device",
            30 => "read-only file system",
            36 => "file name too long",
            39 => "directory not empty",
            40 => "is reached through a symbolic link, which is never followed",
            98 => "address already in use",
            111 => "connection refused",
            122 => "disk quota exceeded",
            _ => "system call failed",
        }
    }
}
