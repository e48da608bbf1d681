//! The write-ahead log: what makes an acknowledgement true.
//!
//! A request is appended as received, the file is synced, and only then is the client told "stored". After
//! `kill -9`, a power cut or a full disk the same bytes are read back and the work goes on. This crate knows
//! bytes, not spans: what a body means and how far it has been sealed into tables is the caller's business.
//!
//! ```text
//! DIR/LOCK                              locked while a process writes
//! DIR/ID                                a random UUID, minted with the directory and never reused
//! DIR/shard-0/00000000000000000001.wal  a segment, named by its first sequence number
//! DIR/shard-0/00000000000000000001.spare  a segment that is no longer needed, kept to become another one
//! DIR/quarantine/                       damaged segments as they were found, and records that the caller set aside
//! ```
//!
//! It uses plain blocking files and has no threads: the caller owns the [`Log`] of each shard on a thread of its
//! own and groups records between two syncs.
//!
//! ```
//! use tracewell_wal::{Entry, Item, Options, WalDir};
//! # let temporary = tempfile::tempdir()?;
//! # let dir = temporary.path().join("wal");
//! let mut wal = WalDir::open(&dir, 1, Options::default())?;
//! let mut log = wal.log(0)?;
//! log.append(&Entry { received_at: 1, kind: 1, flags: 0, tenant: "acme", hash: 7, body: b"bytes" })?;
//! assert_eq!(log.sync()?, 1); // from here on the record may be acknowledged
//!
//! for item in wal.reader(0, 0)? {
//!     if let Item::Record(record) = item? {
//!         assert_eq!((record.seq, &record.body[..]), (1, &b"bytes"[..]));
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What must hold
//!
//! - What [`Log::sync`] has confirmed is read back, whole and in order, by every later open.
//! - No record is returned that was not appended. A record is checked by two checksums that are seeded with the
//!   identity of its segment, so bytes a client sent cannot pose as a record, nor can a record of another log.
//! - Sequence numbers never go backwards, also not after everything was released: one segment always stays, and
//!   its name carries the next number.
//! - A failed sync is never retried. The kernel may have dropped the pages, so the log refuses every further call
//!   and the process has to stop.
//!
//! # What an open does with bad bytes
//!
//! | found | what it is | done |
//! |---|---|---|
//! | zeros behind the last record, nothing valid after | the end in a file that was a segment before | written over |
//! | other bad bytes at the end of the last segment, nothing valid after | torn tail | cut, reported |
//! | last segment without a whole header or preamble, no record | torn rotation | removed or created again, reported |
//! | bad bytes in the last segment, valid records after them, none written after a sync that covered the bad bytes | torn group: a power cut may write the pages of an unsynced group in any order | valid records kept, original quarantined, reported |
//! | any other bad bytes, a missing segment | damage: acknowledged records are lost | refused, or quarantined when asked |
//! | a segment of another directory, shard or format | mixed up by hand | refused |
//!
//! [`Options::quarantine`] keeps the damaged segment aside and rewrites its good records. Each range that is lost
//! for good becomes a record of its own, and a reader gets it as [`Item::Lost`].

#![forbid(unsafe_code)]

mod dir;
mod disk;
mod error;
mod finding;
mod inspect;
mod log;
mod options;
mod reader;
mod record;
mod recover;
mod scan;
mod segment;
mod verify;

pub use dir::WalDir;
pub use error::WalError;
pub use finding::{Finding, Problem};
pub use log::{Log, Segment};
pub use options::Options;
pub use reader::{Item, Reader};
pub use record::{Entry, KIND_LOST, KIND_PREAMBLE, Record};
pub use verify::{Report, SegmentReport, verify};
