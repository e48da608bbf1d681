//! A check of a whole directory that changes nothing.

use std::path::PathBuf;

use uuid::Uuid;

use crate::dir::{self, WalDir};
use crate::error::WalError;
use crate::finding::Finding;
use crate::inspect::{inspect, judge};

/// What [`verify`] read.
#[derive(Debug)]
pub struct Report {
    /// The directory's identity.
    pub id: Uuid,
    /// Every segment of every shard.
    pub segments: Vec<SegmentReport>,
    /// What is wrong, where, and what to do, which each finding says when displayed.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the directory opens without losing acknowledged records.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.problem.is_harmless())
    }
}

/// What one segment holds.
#[derive(Debug)]
pub struct SegmentReport {
    /// The file.
    pub path: PathBuf,
    /// Its shard.
    pub shard: usize,
    /// The sequence number of its first record.
    pub first_seq: u64,
    /// The sequence number behind its last record.
    pub next_seq: u64,
    /// Good records, preamble excluded.
    pub records: u64,
    /// Size of the file.
    pub bytes: u64,
}

/// Reads every record of every segment. Takes no lock and changes nothing; beside a running server the end of the
/// last segment may look torn.
///
/// # Errors
/// Only when something cannot be read at all; what is wrong with what was read is in the report.
pub fn verify(path: impl Into<PathBuf>) -> Result<Report, WalError> {
    let wal = WalDir::open_read_only(path)?;
    let mut report = Report { id: wal.id(), segments: Vec::new(), findings: Vec::new() };
    for &shard in wal.shards() {
        let shard_dir = dir::shard_dir(wal.path(), shard);
        let scans = inspect(&shard_dir, wal.id(), shard as u32)?;
        report.findings.extend(judge(&shard_dir, &scans));
        report.segments.extend(scans.into_iter().map(|scan| SegmentReport {
            path: scan.path,
            shard,
            first_seq: scan.id.first_seq,
            next_seq: scan.next_seq,
            records: scan.records,
            bytes: scan.len,
        }));
    }
    Ok(report)
}
