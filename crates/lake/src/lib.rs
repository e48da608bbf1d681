//! Delta Lake tables on object storage: write, commit, snapshot, scan.
//!
//! ```text
//!   RecordBatch ── parquet::encode ──> file bytes + statistics ── Lake::put ──> object store
//!                                                    │
//!                                                    └── FactTable::commit (Add + txn) ──> _delta_log
//!   SQL scan <── scan::plan (plain Parquet scan) <── Snapshot (files, statistics, watermarks)
//! ```
//!
//! What must hold:
//! - A file that a commit names is durable before the commit is ([`durable`]).
//! - A commit with a transaction `(app, version)` lands at most once, whatever the store answered
//!   ([`FactTable::commit`]).
//! - Readers see plain Parquet scans over one snapshot; nothing in this crate can be written to through SQL.

#![forbid(unsafe_code)]

pub mod durable;
mod error;
mod filters;
pub mod fresh;
pub mod kept;
mod location;
mod older;
pub mod parquet;
mod place;
mod priority;
mod reader;
pub mod scan;
pub mod schema;
mod snapshot;
mod table;
mod tables;

pub use error::LakeError;
pub use fresh::{Fresh, FreshChunk, NoFresh};
pub use location::{Location, without_keys};
pub use priority::step_back;
pub use snapshot::{DataFile, Snapshot};
pub use table::{Commit, FactTable, NewFile, Replaced, Transaction};
pub use tables::Lake;
