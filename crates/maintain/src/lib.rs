//! Compaction, settling, retention, vacuum: what keeps the tables fast to read and no longer than wanted.
//!
//! ```text
//!   Snapshot ── Compactor::plan ── survey (repeated rows) ── merge (sorted) ── parquet::Writer ── put
//!       │                                                                              │           │
//!       ├── Settler::unsettled ── the views' own SQL over a date and those beside it ──┘           │
//!       ├── expire (whole files past their retention) ──────── FactTable::replace ─────────────────┘
//!       │                                                       (Remove + Add + shared transaction)
//!       └── vacuum (files in the store that no snapshot within the retention names)
//! ```
//!
//! What must hold:
//! - No row is lost or doubled, however many maintainers run and wherever one dies: every replacement of files goes
//!   through [`FactTable::replace`](tracewell_lake::FactTable::replace) under the table's one transaction app
//!   ([`fence`]), against a snapshot that holds every file that goes. What a dead maintainer leaves in the store is
//!   in no table, and vacuum's to remove.
//! - A compacted file is sorted by the table's key whatever its inputs claim; the order is checked on the way.
//! - Rows leave only as repetitions of a row that stays, as versions of a span of which longer ones tell all that views
//!   ask of it, or whole files at a time when both their date and their receipt are past the retention. What was worked
//!   out from them leaves with them.
//! - Vacuum never deletes what the current version needs, nor what a writer may be about to commit.
//!
//! Appends go on meanwhile; nothing here waits for them or holds them up for longer than one commit.

#![forbid(unsafe_code)]

mod background;
mod compact;
mod error;
mod expire;
mod merge;
mod plan;
mod repeats;
mod settle;
mod vacuum;

pub use background::{Forget, Maintainer, Schedule};
pub use compact::{Compacted, Compactor, Job, Options};
pub use error::MaintainError;
pub use expire::{Expired, Retention, expire, expire_derived, expiring};
pub use settle::{Settled, Settler, derived};
pub use vacuum::{VACUUM_ORPHAN_AGE, Vacuumed, vacuum};

/// The transaction app under which files of `table` are replaced, whoever does it: two replacements planned from
/// the same state cannot both land.
#[must_use]
pub fn fence(table: &str) -> String {
    format!("maintenance:{table}")
}
