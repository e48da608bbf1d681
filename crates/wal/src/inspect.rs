//! Reading a shard without touching it, and saying what is wrong.
//!
//! The rules are in one place, [`judge`], for opening, reading and checking must agree on what is damage.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{Doing, WalError};
use crate::scan::{Scanner, Step};
use crate::segment::{self, HEADER_LEN, Header, SegmentId};

/// Something found in a log that is not as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The segment, or the shard's directory.
    pub path: PathBuf,
    /// The first byte concerned.
    pub offset: u64,
    /// What it is.
    pub problem: Problem,
}

/// What is wrong in a log. Ranges are half-open: the end is not part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The last segment was being created when the process or the machine stopped. Nothing is lost.
    TornRotation,
    /// The last append was not finished and not acknowledged. Nothing is lost.
    TornTail {
        /// How much of the file is cut.
        bytes: u64,
    },
    /// The last group of appends reached the disk in parts, before its sync. Nothing acknowledged is known to be
    /// lost.
    TornGroup {
        /// Sequence numbers that did not reach the disk.
        lost: Range<u64>,
    },
    /// Bytes that had been synced are bad.
    Damage {
        /// Sequence numbers of the records that should be there.
        lost: Range<u64>,
    },
    /// A segment is missing, or its end.
    Missing {
        /// Sequence numbers of the records that should be there.
        lost: Range<u64>,
    },
    /// Records that an earlier open with quarantine gave up.
    Lost {
        /// Their sequence numbers.
        lost: Range<u64>,
    },
    /// A shard's directory without any segment: where its numbers have to go on is unknown.
    Empty,
    /// A segment that was written for another place.
    Foreign {
        /// The directory it was written for.
        id: Uuid,
        /// The shard it was written for.
        shard: u32,
        /// The first sequence number it was written for.
        first_seq: u64,
    },
    /// A segment written by another version of this program.
    Version {
        /// Its format version.
        found: u32,
    },
}

impl Problem {
    /// Whether a log with this finding opens, by itself or after a repair that costs no acknowledged record.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::TornRotation | Self::TornTail { .. } | Self::TornGroup { .. } | Self::Lost { .. })
    }

    /// Whether the log opens once damaged segments may be set aside.
    pub fn can_quarantine(&self) -> bool {
        matches!(self, Self::Damage { .. } | Self::Missing { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at byte `{}`: ", self.path.display(), self.offset)?;
        let asked = "restore the file, or open with quarantine to go on without what is lost";
        match &self.problem {
            Problem::TornRotation => write!(f, "a segment whose creation was cut short; opening the log clears it"),
            Problem::TornTail { bytes } => {
                write!(f, "`{bytes}` bytes of an unfinished append; opening the log cuts them")
            }
            Problem::TornGroup { lost } => {
                write!(f, "an unsynced group that is not whole, without {}; opening the log clears it", Seqs(lost))
            }
            Problem::Damage { lost } => write!(f, "damage to synced bytes, {} unreadable; {asked}", Seqs(lost)),
            Problem::Missing { lost } => write!(f, "{} missing before the next segment; {asked}", Seqs(lost)),
            Problem::Lost { lost } => write!(f, "{} given up when damage was quarantined", Seqs(lost)),
            Problem::Empty => write!(f, "no segment, so the next sequence number is unknown; restore the directory"),
            Problem::Foreign { id, shard, first_seq } => write!(
                f,
                "the segment belongs to log `{id}`, shard `{shard}`, sequence number `{first_seq}`; move it out of here"
            ),
            Problem::Version { found } => {
                write!(f, "format version `{found}` is not known here; use the version of this program that wrote it")
            }
        }
    }
}

/// Sequence numbers for people, who expect the end to be part of a range.
struct Seqs<'a>(&'a Range<u64>);

impl fmt::Display for Seqs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.end - self.0.start {
            0 => write!(f, "no record"),
            1 => write!(f, "record `{}`", self.0.start),
            _ => write!(f, "records `{}` to `{}`", self.0.start, self.0.end - 1),
        }
    }
}

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
