//! Ingest over a store that misbehaves, and over a disk that is full.

mod faults;
mod store;
