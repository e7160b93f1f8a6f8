//! Digests of files by what their inode says of them, kept between runs.
//!
//! An entry is right as long as device, inode, size, modification and change time are the same, if the file was at
//! rest when it was hashed: a write in the same tick of the file system's clock would leave the times as they are. So
//! what was written just before it was hashed is not kept, and is hashed again the next time.
//!
//! The file is a cache: one that is missing, damaged or of another version is as good as empty, and losing it costs
//! time only. It is replaced in one go, so a reader never sees half of it.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::model::Digest;

const MAGIC: &[u8; 16] = b"hob digests v1\n\0";
const CHECKSUM: usize = 32;
const RECORD: usize = 8 * 3 + 12 * 2 + 4 + 32;
/// Entries that nobody asked for in this many days are dropped.
const KEPT_DAYS: u32 = 60;
/// File systems whose times have fractions tick at least this often.
const FINE: Duration = Duration::from_millis(50);
/// Others keep whole seconds, or two.
const COARSE: Duration = Duration::from_secs(3);

/// What an inode says of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Self {
        let nanos = |n: i64| u32::try_from(n).unwrap_or_default();
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), nanos(metadata.mtime_nsec())),
            changed: (metadata.ctime(), nanos(metadata.ctime_nsec())),
        }
    }

    /// Whether the file was at rest at `now`: a later write cannot leave the same times behind.
    fn is_settled(&self, now: SystemTime) -> bool {
        let Ok(now) = now.duration_since(UNIX_EPOCH) else { return false };
        let latest = self.modified.max(self.changed);
        let Ok(seconds) = u64::try_from(latest.0) else { return true };
        let grain = if self.changed.1 == 0 { COARSE } else { FINE };
        Duration::new(seconds, latest.1).checked_add(grain).is_some_and(|settled| settled < now)
    }
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    stamp: Stamp,
    used: u32,
    digest: [u8; 32],
}

/// The digests that are known.
#[derive(Debug, Default)]
pub struct DigestCache {
    entries: HashMap<(u64, u64), Kept>,
    today: u32,
    changed: bool,
}

impl DigestCache {
    /// Reads the cache file; anything wrong with it gives an empty cache.
    pub fn load(path: &Path) -> Self {
        Self::decode(&fs::read(path).unwrap_or_default(), day(SystemTime::now()))
    }

    fn decode(bytes: &[u8], today: u32) -> Self {
        let mut cache = Self { today, ..Self::default() };
        let Some(body) = bytes.strip_prefix(MAGIC.as_slice()) else { return cache };
        let Some((records, checksum)) = body.split_at_checked(body.len().saturating_sub(CHECKSUM)) else {
            return cache;
        };
        if records.len() % RECORD != 0 || Sha256::digest(records).as_slice() != checksum {
            return cache;
        }
        for record in records.chunks_exact(RECORD) {
            let mut reader = Fields(record);
            let kept = Kept {
                stamp: Stamp {
                    device: reader.u64(),
                    inode: reader.u64(),
                    size: reader.u64(),
                    modified: (reader.i64(), reader.u32()),
                    changed: (reader.i64(), reader.u32()),
                },
                used: reader.u32(),
                digest: reader.take(),
            };
            if today.saturating_sub(kept.used) <= KEPT_DAYS {
                cache.entries.insert((kept.stamp.device, kept.stamp.inode), kept);
            } else {
                cache.changed = true;
            }
        }
        cache
    }

    /// The digest of a file that is as it was.
    pub(super) fn get(&self, stamp: &Stamp) -> Option<Digest> {
        let kept = self.entries.get(&(stamp.device, stamp.inode)).filter(|k| k.stamp == *stamp)?;
        Some(Digest::from_bytes(&kept.digest))
    }

    /// Whether an entry's day of use would change by asking for it.
    pub(super) fn is_stale(&self, stamp: &Stamp) -> bool {
        self.entries.get(&(stamp.device, stamp.inode)).is_some_and(|k| k.used != self.today)
    }

    /// Notes that an entry is still in use.
    pub(super) fn touch(&mut self, stamp: &Stamp) {
        if let Some(kept) = self.entries.get_mut(&(stamp.device, stamp.inode)) {
            kept.used = self.today;
            self.changed = true;
        }
    }

    /// Keeps a digest, unless the file was written so shortly before `measured` that its times prove nothing.
    pub(super) fn put(&mut self, stamp: Stamp, digest: [u8; 32], measured: SystemTime) {
        let key = (stamp.device, stamp.inode);
        if stamp.is_settled(measured) {
            self.entries.insert(key, Kept { stamp, used: self.today, digest });
            self.changed = true;
        } else if self.entries.remove(&key).is_some() {
            self.changed = true;
        }
    }

    /// Writes the cache file if anything changed.
    pub fn save(&mut self, path: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = path.with_file_name(name);
        let written = fs::File::create(&beside)
            .and_then(|mut file| file.write_all(&self.encode()))
            .and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        } else {
            self.changed = false;
        }
        written
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAGIC.len() + self.entries.len() * RECORD + CHECKSUM);
        bytes.extend_from_slice(MAGIC);
        for kept in self.entries.values() {
            for number in [kept.stamp.device, kept.stamp.inode, kept.stamp.size] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            for (seconds, nanos) in [kept.stamp.modified, kept.stamp.changed] {
                bytes.extend_from_slice(&seconds.to_le_bytes());
                bytes.extend_from_slice(&nanos.to_le_bytes());
            }
            bytes.extend_from_slice(&kept.used.to_le_bytes());
            bytes.extend_from_slice(&kept.digest);
        }
        let checksum = Sha256::digest(&bytes[MAGIC.len()..]);
        bytes.extend_from_slice(&checksum);
        bytes
    }
}

/// Reads fixed fields one after the other; what is missing is zero.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *field
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}

fn day(now: SystemTime) -> u32 {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(seconds / 86_400).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64) -> Stamp {
        Stamp { device: 1, inode, size: 5, modified: (1_000, 7), changed: (1_000, 9) }
    }

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    #[test]
    fn what_was_written_just_before_is_not_kept() {
        for (measured, kept) in
            [(at(1_000, 9), false), (at(999, 0), false), (at(1_000, 40_000_000), false), (at(1_001, 0), true)]
        {
            let mut cache = DigestCache::default();
            cache.put(stamp(1), [7; 32], measured);
            assert_eq!(cache.get(&stamp(1)).is_some(), kept, "measured at {measured:?}");
        }
    }

    #[test]
    fn whole_seconds_need_a_longer_rest() {
        let coarse = Stamp { modified: (1_000, 0), changed: (1_000, 0), ..stamp(1) };
        let mut cache = DigestCache::default();
        cache.put(coarse, [7; 32], at(1_001, 0));
        assert!(cache.get(&coarse).is_none());
        cache.put(coarse, [7; 32], at(1_004, 0));
        assert!(cache.get(&coarse).is_some());
    }

    #[test]
    fn any_difference_of_the_stamp_is_a_miss() {
        let mut cache = DigestCache::default();
        cache.put(stamp(1), [7; 32], at(2_000, 0));
        assert_eq!(cache.get(&stamp(1)), Some(Digest::from_bytes(&[7; 32])));
        for other in [
            Stamp { device: 2, ..stamp(1) },
            stamp(2),
            Stamp { size: 6, ..stamp(1) },
            Stamp { modified: (1_000, 8), ..stamp(1) },
            Stamp { changed: (1_001, 9), ..stamp(1) },
        ] {
            assert_eq!(cache.get(&other), None, "{other:?}");
        }
    }

    #[test]
    fn a_damaged_file_is_an_empty_cache() {
        let mut cache = DigestCache { today: 100, ..DigestCache::default() };
        cache.put(stamp(1), [7; 32], at(2_000, 0));
        cache.put(stamp(2), [8; 32], at(2_000, 0));
        let bytes = cache.encode();
        assert_eq!(DigestCache::decode(&bytes, 100).entries.len(), 2);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert!(DigestCache::decode(&damaged, 100).entries.is_empty(), "byte {at}");
            assert!(DigestCache::decode(&bytes[..at], 100).entries.is_empty(), "cut at {at}");
        }
    }

    #[test]
    fn entries_that_nobody_uses_are_dropped() {
        let mut cache = DigestCache { today: 100, ..DigestCache::default() };
        cache.put(stamp(1), [7; 32], at(2_000, 0));
        let bytes = cache.encode();
        assert_eq!(DigestCache::decode(&bytes, 100 + KEPT_DAYS).entries.len(), 1);
        assert_eq!(DigestCache::decode(&bytes, 101 + KEPT_DAYS).entries.len(), 0);
    }
}
