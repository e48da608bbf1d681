//! OTLP receivers, admission, shards.
//!
//! ```text
//!   gRPC :4317 ─┐                                  ┌─ Rows (memory, visible to queries) ─┐
//!               ├─ Admission ─ Ingest::submit ─ Shard                                    ├─ Sealer ─ lake
//!   HTTP :4318 ─┘                                  └─ WAL ── fdatasync ── acknowledged   ┘
//! ```
//!
//! What must hold:
//! - A request is acknowledged only after its bytes are durable in the shard's write-ahead log.
//! - A segment of the log goes only after the rows of all its records are committed to `spans`, which is committed
//!   last of the tables, under the log's own transaction id.
//! - Whatever arrives, memory is bounded: what does not fit is refused so that the client tries again.

#![forbid(unsafe_code)]

mod admission;
mod columns;
mod encoder;
mod error;
mod generation;
mod import;
mod ingest;
mod memory;
mod names;
mod pace;
pub mod receive;
mod recent;
mod recover;
mod rows;
pub mod scores;
mod seal;
mod seen;
mod shard;
mod signal;

pub use admission::{Admission, Admitted};
pub use error::IngestError;
pub use import::{ImportError, Imported, Importer};
pub use ingest::{Config, Ingest};
pub use recover::{Recovered, ReplayedLog, read_log};
pub use rows::{Outcome, Receipt, Rows, TakenRows};
pub use shard::{Refused, Submission};
pub use signal::Signal;
pub use tracewell_dialects::{TEAM_KEYS, content_hash};
