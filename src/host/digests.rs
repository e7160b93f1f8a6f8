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
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::atomic;
use crate::model::Digest;

const MAGIC: &[u8; 16] = b"hob digests v2\n\0";
const CHECKSUM: usize = 8;
/// The last four bytes are not used; with them a record is whole words.
const RECORD: usize = 8 * 3 + 12 * 2 + 4 + 32 + 4;
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

/// A digest that is known.
pub(super) struct Known {
    pub digest: Digest,
    /// Its day of use would change by asking for it.
    pub stale: bool,
}

/// The digests that are known.
#[derive(Debug, Default)]
pub struct DigestCache {
    /// The file as it is, its records sorted by device and inode. It may hold every file of many projects, so nothing
    /// is made of a record before it is asked for.
    file: Vec<u8>,
    /// What differs from the file; none for what is known no more.
    news: HashMap<(u64, u64), Option<Kept>, foldhash::fast::RandomState>,
    today: u32,
}

impl DigestCache {
    /// Reads the cache file; anything wrong with it gives an empty cache.
    pub fn load(path: &Path) -> Self {
        Self::decode(fs::read(path).unwrap_or_default(), day(SystemTime::now()))
    }

    fn decode(file: Vec<u8>, today: u32) -> Self {
        let cache = Self { file, today, ..Self::default() };
        let body = cache.file.strip_prefix(MAGIC.as_slice()).unwrap_or_default();
        let whole = body.split_last_chunk::<CHECKSUM>().is_some_and(|(records, sum)| {
            let (records, rest) = records.as_chunks();
            rest.is_empty() && checksum(records) == *sum
        });
        if whole { cache } else { Self { file: Vec::new(), ..cache } }
    }

    /// The records of the file.
    fn records(&self) -> &[[u8; RECORD]] {
        let end = self.file.len().saturating_sub(CHECKSUM);
        self.file.get(MAGIC.len()..end).unwrap_or_default().as_chunks().0
    }

    fn kept(&self, key: (u64, u64)) -> Option<Kept> {
        if let Some(news) = self.news.get(&key) {
            return *news;
        }
        let records = self.records();
        let at = records.binary_search_by(|record| key_of(record).cmp(&key)).ok()?;
        Some(Kept::read(&records[at]))
    }

    /// The digest of a file that is as it was.
    pub(super) fn get(&self, stamp: &Stamp) -> Option<Known> {
        let kept = self.kept((stamp.device, stamp.inode)).filter(|kept| kept.stamp == *stamp)?;
        Some(Known { digest: Digest::from_bytes(&kept.digest), stale: kept.used != self.today })
    }

    /// Notes that an entry is still in use.
    pub(super) fn touch(&mut self, stamp: &Stamp) {
        let key = (stamp.device, stamp.inode);
        if let Some(kept) = self.kept(key) {
            self.news.insert(key, Some(Kept { used: self.today, ..kept }));
        }
    }

    /// Keeps a digest, unless the file was written so shortly before `measured` that its times prove nothing.
    pub(super) fn put(&mut self, stamp: Stamp, digest: [u8; 32], measured: SystemTime) {
        let key = (stamp.device, stamp.inode);
        if stamp.is_settled(measured) {
            self.news.insert(key, Some(Kept { stamp, used: self.today, digest }));
        } else if self.kept(key).is_some() {
            self.news.insert(key, None);
        }
    }

    /// Writes the cache file if anything changed.
    pub fn save(&mut self, path: &Path) -> io::Result<()> {
        if self.news.is_empty() {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let bytes = self.encode();
        atomic::write(path, &bytes, atomic::SHARED)?;
        self.file = bytes;
        self.news.clear();
        tidy(path);
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let as_before = self.records().iter().filter(|record| !self.news.contains_key(&key_of(record)));
        let mut kept: Vec<Kept> = as_before.map(Kept::read).chain(self.news.values().copied().flatten()).collect();
        kept.retain(|kept| self.today.saturating_sub(kept.used) <= KEPT_DAYS);
        kept.sort_unstable_by_key(|kept| (kept.stamp.device, kept.stamp.inode));
        let mut bytes = Vec::with_capacity(MAGIC.len() + kept.len() * RECORD + CHECKSUM);
        bytes.extend_from_slice(MAGIC);
        for kept in &kept {
            kept.write(&mut bytes);
        }
        let sum = checksum(bytes[MAGIC.len()..].as_chunks().0);
        bytes.extend_from_slice(&sum);
        bytes
    }
}

/// Removes what lies beside a cache file and was not written for so long that nothing in it would be kept: the files
/// of projects that are no more.
fn tidy(path: &Path) {
    let Some(Ok(entries)) = path.parent().map(fs::read_dir) else { return };
    let oldest = Duration::from_hours(24 * u64::from(KEPT_DAYS));
    for entry in entries.filter_map(Result::ok) {
        let modified = entry.metadata().ok().filter(Metadata::is_file).and_then(|metadata| metadata.modified().ok());
        if modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > oldest) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Kept {
    fn read(record: &[u8; RECORD]) -> Self {
        let mut reader = Fields(record);
        Self {
            stamp: Stamp {
                device: reader.u64(),
                inode: reader.u64(),
                size: reader.u64(),
                modified: (reader.i64(), reader.u32()),
                changed: (reader.i64(), reader.u32()),
            },
            used: reader.u32(),
            digest: reader.take(),
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        for number in [self.stamp.device, self.stamp.inode, self.stamp.size] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for (seconds, nanos) in [self.stamp.modified, self.stamp.changed] {
            bytes.extend_from_slice(&seconds.to_le_bytes());
            bytes.extend_from_slice(&nanos.to_le_bytes());
        }
        bytes.extend_from_slice(&self.used.to_le_bytes());
        bytes.extend_from_slice(&self.digest);
        bytes.extend_from_slice(&[0; 4]);
    }
}

/// Tells a damaged file. It need not withstand anyone who can write into the user's cache folder, and all of the file
/// is summed up for one look at a small project: so it has a lane for each word of a record, which a processor
/// takes side by side. A step of a lane can be undone, so whatever happens to one word shows.
fn checksum(records: &[[u8; RECORD]]) -> [u8; CHECKSUM] {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(PRIME).rotate_left(29);
    let mut lanes: [u64; RECORD / 8] = std::array::from_fn(|lane| step(lane as u64, PRIME));
    for record in records {
        for (lane, word) in lanes.iter_mut().zip(record.as_chunks().0) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    lanes.into_iter().fold(records.len() as u64, step).to_le_bytes()
}

/// Device and inode.
fn key_of(record: &[u8; RECORD]) -> (u64, u64) {
    let mut reader = Fields(record);
    (reader.u64(), reader.u64())
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

    fn digest(cache: &DigestCache, stamp: &Stamp) -> Option<Digest> {
        cache.get(stamp).map(|known| known.digest)
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
        assert_eq!(digest(&cache, &stamp(1)), Some(Digest::from_bytes(&[7; 32])));
        for other in [
            Stamp { device: 2, ..stamp(1) },
            stamp(2),
            Stamp { size: 6, ..stamp(1) },
            Stamp { modified: (1_000, 8), ..stamp(1) },
            Stamp { changed: (1_001, 9), ..stamp(1) },
        ] {
            assert_eq!(digest(&cache, &other), None, "{other:?}");
        }
    }

    #[test]
    fn a_damaged_file_is_an_empty_cache() {
        let mut cache = DigestCache { today: 100, ..DigestCache::default() };
        cache.put(stamp(1), [7; 32], at(2_000, 0));
        cache.put(stamp(2), [8; 32], at(2_000, 0));
        let bytes = cache.encode();
        assert_eq!(DigestCache::decode(bytes.clone(), 100).records().len(), 2);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert!(DigestCache::decode(damaged, 100).records().is_empty(), "byte {at}");
            assert!(DigestCache::decode(bytes[..at].to_vec(), 100).records().is_empty(), "cut at {at}");
        }
    }

    #[test]
    fn entries_that_nobody_uses_are_dropped() {
        let mut cache = DigestCache { today: 100, ..DigestCache::default() };
        cache.put(stamp(1), [7; 32], at(2_000, 0));
        let bytes = cache.encode();
        for (today, left) in [(100 + KEPT_DAYS, 1), (101 + KEPT_DAYS, 0)] {
            let written = DigestCache::decode(bytes.clone(), today).encode();
            assert_eq!(DigestCache::decode(written, today).records().len(), left);
        }
    }

    #[test]
    fn what_is_written_is_what_was_known() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("digests");
        let mut cache = DigestCache { today: 100, ..DigestCache::default() };
        for inode in [7, 3, 9, 1, 300, 256] {
            cache.put(stamp(inode), [u8::try_from(inode % 250).unwrap(); 32], at(2_000, 0));
        }
        cache.put(Stamp { device: 0, ..stamp(500) }, [5; 32], at(2_000, 0));
        cache.save(&file).unwrap();
        let mut cache = DigestCache::decode(fs::read(&file).unwrap(), 101);
        assert!(cache.get(&stamp(9)).unwrap().stale);
        cache.touch(&stamp(9));
        assert!(!cache.get(&stamp(9)).unwrap().stale);
        // Another content, and one of which nothing is sure any more.
        let other = Stamp { size: 6, ..stamp(3) };
        cache.put(other, [33; 32], at(2_000, 0));
        cache.put(Stamp { size: 6, ..stamp(7) }, [77; 32], at(1_000, 0));
        cache.save(&file).unwrap();
        for cache in [&cache, &DigestCache::decode(fs::read(&file).unwrap(), 101)] {
            let bytes = |stamp: &Stamp| digest(cache, stamp);
            assert_eq!(bytes(&stamp(1)), Some(Digest::from_bytes(&[1; 32])));
            assert_eq!(bytes(&stamp(9)), Some(Digest::from_bytes(&[9; 32])));
            assert_eq!(bytes(&stamp(256)), Some(Digest::from_bytes(&[6; 32])));
            assert_eq!(bytes(&stamp(300)), Some(Digest::from_bytes(&[50; 32])));
            assert_eq!(bytes(&Stamp { device: 0, ..stamp(500) }), Some(Digest::from_bytes(&[5; 32])));
            assert_eq!(bytes(&other), Some(Digest::from_bytes(&[33; 32])));
            assert_eq!((bytes(&stamp(3)), bytes(&stamp(7))), (None, None));
            assert!(!cache.get(&stamp(9)).unwrap().stale && cache.get(&stamp(1)).unwrap().stale);
            assert_eq!(cache.records().len(), 6);
        }
    }

    #[test]
    fn files_of_projects_that_are_no_more_go() {
        let folder = tempfile::tempdir().unwrap();
        let (old, young) = (folder.path().join("old"), folder.path().join("young"));
        fs::write(&old, "").unwrap();
        fs::write(&young, "").unwrap();
        let long_ago = SystemTime::now() - Duration::from_hours(24 * u64::from(KEPT_DAYS + 1));
        fs::File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        let mut cache = DigestCache { today: 100, ..DigestCache::default() };
        cache.put(stamp(1), [7; 32], at(2_000, 0));
        cache.save(&folder.path().join("mine")).unwrap();
        assert!(!old.exists() && young.exists() && folder.path().join("mine").exists());
    }
}
