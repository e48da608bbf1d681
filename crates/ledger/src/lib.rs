//! What people keep: datasets, verdicts, prompts, releases and reviews.
//!
//! ```text
//!   commands, HTTP ── Ledger ── read: SQL through Ask, an engine or a server
//!                             └────── write: rows in one Delta commit, under a transaction that lands once
//! ```
//!
//! What must hold:
//! - **Nothing is changed, only added.** The state of a thing is its last row.
//! - **A number is given once.** Version 4 of a dataset, revision 2 of a prompt, step 7 of a release: the transaction of
//!   the commit is the number, so whoever loses a race reads again and takes the next one.
//! - Writing needs no server: the log of the table is the arbiter.

#![forbid(unsafe_code)]

pub mod capture;
pub mod datasets;
mod error;
mod ledger;
pub mod prompts;
pub mod releases;
pub mod reviews;
pub mod trials;
pub mod verdicts;

pub use error::LedgerError;
pub use ledger::Ledger;
