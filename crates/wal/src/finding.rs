//! What may be wrong in a log, said so that an operator knows what to do.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use uuid::Uuid;

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
