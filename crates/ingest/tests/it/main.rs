//! Ingest over a store that misbehaves, and over a disk that is full.

mod faults;
#[path = "../../../../tests/skipped.rs"]
mod skipped;
mod store;
