//! A segment file: its name, its header, its creation.
//!
//! ```text
//!  0            8        12       16                        32           40       44       48
//!  +------------+--------+--------+-------------------------+------------+--------+--------+
//!  | "TWELLWAL" | version| shard  | UUID of the directory   | first seq  | zero   | crc    |  records ...
//!  +------------+--------+--------+-------------------------+------------+--------+--------+
//! ```
//!
//! Integers are little-endian; `crc` covers the 44 bytes before it. A later format may change everything but the
//! magic, the version's place and the header's length. Every byte follows from where the file lies and what it is
//! called, so a damaged header costs no record: what it should say is known.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::disk;
use crate::error::{Doing, WalError};
use crate::record;

pub(crate) const HEADER_LEN: u64 = 48;
const MAGIC: [u8; 8] = *b"TWELLWAL";
const VERSION: u32 = 1;
/// How the name of a file ends that is kept to become a segment.
pub(crate) const SPARE: &str = "spare";

/// Which segment of which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentId {
    pub(crate) dir: Uuid,
    pub(crate) shard: u32,
    pub(crate) first_seq: u64,
}

/// What a segment's header turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Good,
    Bad,
    /// A whole header of another segment.
    Foreign(SegmentId),
    Version(u32),
}

impl SegmentId {
    pub(crate) fn path(&self, shard_dir: &Path) -> PathBuf {
        shard_dir.join(format!("{:020}.wal", self.first_seq))
    }

    pub(crate) fn header(&self) -> [u8; HEADER_LEN as usize] {
        let mut bytes = [0; HEADER_LEN as usize];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.shard.to_le_bytes());
        bytes[16..32].copy_from_slice(self.dir.as_bytes());
        bytes[32..40].copy_from_slice(&self.first_seq.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..44]);
        bytes[44..48].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What the checksums of this segment's records start from.
    pub(crate) fn seed(&self) -> u32 {
        crc32fast::hash(&self.header()[..44])
    }

    /// Compares what a file begins with to what this segment's header is.
    pub(crate) fn check(&self, found: &[u8]) -> Header {
        if found == self.header() {
            return Header::Good;
        }
        let Ok(found) = <&[u8; HEADER_LEN as usize]>::try_from(found) else { return Header::Bad };
        let word = |at: usize| u32::from_le_bytes(found[at..at + 4].try_into().expect("four bytes"));
        if found[..8] != MAGIC || crc32fast::hash(&found[..44]) != word(44) {
            return Header::Bad;
        }
        if word(8) != VERSION {
            return Header::Version(word(8));
        }
        Header::Foreign(SegmentId {
            dir: Uuid::from_bytes(found[16..32].try_into().expect("sixteen bytes")),
            shard: word(12),
            first_seq: u64::from_le_bytes(found[32..40].try_into().expect("eight bytes")),
        })
    }

    /// Where the file waits to become another segment.
    pub(crate) fn spare(&self, shard_dir: &Path) -> PathBuf {
        self.path(shard_dir).with_extension(SPARE)
    }

    /// The header and the preamble.
    fn beginning(&self, preamble: &[u8]) -> Vec<u8> {
        let mut bytes = self.header().to_vec();
        if !preamble.is_empty() {
            let entry = record::own_entry(record::KIND_PREAMBLE, preamble);
            bytes.extend(record::to_vec(&entry, self.first_seq, HEADER_LEN, self.seed()));
        }
        bytes
    }

    /// Makes a segment of the file `spare`, durable before it returns, and leaves it open behind its preamble. Bytes
    /// that are written over need no new room on the disk and no new pages in memory, and their sync waits for no
    /// journal. If that fails there is no such segment, or the error is `SyncFailed`.
    pub(crate) fn reuse(&self, spare: &Path, shard_dir: &Path, preamble: &[u8]) -> Result<(File, u64), WalError> {
        let mut bytes = self.beginning(preamble);
        let len = bytes.len() as u64;
        bytes.extend(record::END);
        let mut file = File::options().write(true).open(spare).doing("open", spare)?;
        file.write_all(&bytes).map_err(|error| WalError::write(spare, error))?;
        file.sync_all().map_err(|source| WalError::SyncFailed { path: spare.to_path_buf(), source })?;
        file.seek(SeekFrom::Start(len)).doing("open", spare)?;
        fs::rename(spare, self.path(shard_dir)).doing("rename", spare)?;
        disk::sync_dir(shard_dir)?;
        Ok((file, len))
    }

    /// Writes a new segment with its preamble, durable before it returns, and leaves the file open behind it.
    /// If that fails nothing of it stays, or the error is `SyncFailed`.
    pub(crate) fn create(&self, shard_dir: &Path, preamble: &[u8]) -> Result<(File, u64), WalError> {
        let path = self.path(shard_dir);
        let bytes = self.beginning(preamble);
        let file = File::options().write(true).create_new(true).open(&path);
        let mut file = file.map_err(|error| WalError::write(&path, error))?;
        if let Err(error) = file.write_all(&bytes) {
            // A leftover would later look like a segment that begins in the middle of its predecessor.
            fs::remove_file(&path).map_err(|source| WalError::SyncFailed { path: path.clone(), source })?;
            disk::sync_dir(shard_dir)?;
            return Err(WalError::write(&path, error));
        }
        file.sync_all().map_err(|source| WalError::SyncFailed { path, source })?;
        disk::sync_dir(shard_dir)?;
        Ok((file, bytes.len() as u64))
    }
}

/// The first sequence numbers of the segments in a shard's directory, rising. Other files are left alone.
pub(crate) fn list(shard_dir: &Path) -> Result<Vec<u64>, WalError> {
    let mut found = Vec::new();
    for file in fs::read_dir(shard_dir).doing("list", shard_dir)? {
        let name = file.doing("list", shard_dir)?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".wal")).filter(|digits| digits.len() == 20);
        // Numbers begin at 1, so nothing of that log is called 0.
        found.extend(digits.and_then(|digits| digits.parse::<u64>().ok()).filter(|first_seq| *first_seq > 0));
    }
    found.sort_unstable();
    Ok(found)
}
