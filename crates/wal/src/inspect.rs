//! Reading a shard without touching it, and saying what is wrong.
//!
//! The rules are in one place, [`judge`], for opening, reading and checking must agree on what is damage.

use std::ops::Range;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{Doing, WalError};
use crate::finding::{Finding, Problem};
use crate::scan::{Scanner, Step};
use crate::segment::{self, HEADER_LEN, Header, SegmentId};

/// What one pass over a segment found.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) id: SegmentId,
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) header: Header,
    pub(crate) records: u64,
    pub(crate) next_seq: u64,
    /// Behind the last good record, preamble or header.
    pub(crate) end: u64,
    /// See [`Scanner::durable`].
    durable: u64,
    /// Bad bytes with a good record behind them, and the records they held.
    holes: Vec<(u64, Range<u64>)>,
    marked_lost: Vec<(u64, Range<u64>)>,
}

impl Scan {
    fn run(shard_dir: &Path, id: SegmentId, next_segment: Option<u64>) -> Result<Self, WalError> {
        let path = id.path(shard_dir);
        let mut scanner = Scanner::open(&path, id, next_segment).doing("read", &path)?;
        let (header, len) = (scanner.header(), scanner.len());
        let end = HEADER_LEN.min(len);
        let (holes, marked_lost) = (Vec::new(), Vec::new());
        let mut scan =
            Self { id, path, len, header, records: 0, next_seq: id.first_seq, end, durable: 0, holes, marked_lost };
        loop {
            let at = scanner.pos();
            match scanner.step().doing("read", &scan.path)? {
                None => break,
                Some(Step::Bad { followed: false, .. }) => continue,
                Some(Step::Bad { bytes, lost, followed: true }) => scan.holes.push((bytes.start, lost)),
                Some(Step::Lost(lost)) => scan.marked_lost.push((at, lost)),
                Some(Step::Record(_)) => scan.records += 1,
                Some(Step::Preamble(_)) => {}
            }
            scan.end = scanner.pos();
        }
        (scan.len, scan.next_seq, scan.durable) = (scanner.len(), scanner.next_seq(), scanner.durable());
        Ok(scan)
    }

    fn has_content(&self) -> bool {
        self.end > HEADER_LEN
    }
}

/// Reads all segments of a shard, in order.
pub(crate) fn inspect(shard_dir: &Path, dir: Uuid, shard: u32) -> Result<Vec<Scan>, WalError> {
    let firsts = segment::list(shard_dir)?;
    let scan = |(i, &first_seq): (usize, &u64)| {
        Scan::run(shard_dir, SegmentId { dir, shard, first_seq }, firsts.get(i + 1).copied())
    };
    firsts.iter().enumerate().map(scan).collect()
}

/// What is wrong with a shard, given what all of its segments look like.
pub(crate) fn judge(shard_dir: &Path, scans: &[Scan]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if scans.is_empty() {
        findings.push(Finding { path: shard_dir.to_path_buf(), offset: 0, problem: Problem::Empty });
    }
    for (i, scan) in scans.iter().enumerate() {
        let next = scans.get(i + 1).map(|next| next.id.first_seq);
        let before = findings.len();
        let mut found = |offset, problem| findings.push(Finding { path: scan.path.clone(), offset, problem });
        let behind = scan.next_seq..next.unwrap_or(scan.next_seq);
        match scan.header {
            Header::Foreign(SegmentId { dir: id, shard, first_seq }) => {
                found(0, Problem::Foreign { id, shard, first_seq });
                continue;
            }
            Header::Version(version) => {
                found(0, Problem::Version { found: version });
                continue;
            }
            // A segment is synced before its first record and before the next segment.
            Header::Bad if next.is_some() || scan.has_content() => {
                found(0, Problem::Damage { lost: scan.id.first_seq..scan.id.first_seq });
            }
            Header::Bad => {
                found(0, Problem::TornRotation);
                continue;
            }
            Header::Good => {}
        }
        for (offset, lost) in &scan.marked_lost {
            found(*offset, Problem::Lost { lost: lost.clone() });
        }
        for (offset, lost) in &scan.holes {
            let lost = lost.clone();
            let was_synced = next.is_some() || *offset < scan.durable;
            found(*offset, if was_synced { Problem::Damage { lost } } else { Problem::TornGroup { lost } });
        }
        if scan.end < scan.len {
            let torn = match next {
                Some(_) => Problem::Damage { lost: behind.clone() },
                // Its preamble tells nothing that the segment before it does not.
                None if !scan.has_content() && i > 0 => Problem::TornRotation,
                None => Problem::TornTail { bytes: scan.len - scan.end },
            };
            found(scan.end, torn);
        }
        let damaged = findings[before..].iter().any(|finding| !finding.problem.is_harmless());
        if !damaged && !behind.is_empty() {
            findings.push(Finding {
                path: scan.path.clone(),
                offset: scan.end,
                problem: Problem::Missing { lost: behind },
            });
        }
    }
    findings
}
