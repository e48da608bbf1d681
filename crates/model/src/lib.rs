//! Names, schemas, ids and time: what every other crate must agree on.
//!
//! This crate is pure. It performs no I/O, reads no clock and depends on nothing,
//! so that a column name, an enum spelling or the layout of an id has exactly one home.
//!
//! - [`schema`] is the published contract of the tables: every column with its type and meaning.
//! - [`kind`] holds the closed vocabularies stored in those columns.
//! - [`role`] finds the answer in what was said.
//! - [`id`] and [`time`] turn wire values into what the columns hold.

#![forbid(unsafe_code)]

pub mod id;
pub mod kind;
pub mod role;
pub mod schema;
pub mod time;

/// The tenant of data that arrives without credentials.
pub const DEFAULT_TENANT: &str = "default";

/// The version of the mapping rules in `tracewell-dialects`, stored on each row as `mapping_version`.
///
/// It rises whenever a rule changes what a span is read as, so that rows read by older rules can be found
/// and mapped again; also where only its contents are cut otherwise, for what a log has stored of them is known by it.
pub const MAPPING_VERSION: i32 = 6;
