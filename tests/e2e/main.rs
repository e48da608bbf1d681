//! The binary from outside: real servers in temporary folders, real requests, real kills.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod agents;
mod alerts;
mod answers;
mod arrival;
mod commands;
mod crash;
mod damage;
mod evaluators;
mod figures;
mod fixtures;
mod flight;
mod hostile;
mod http;
mod import;
mod invariants;
mod logs;
mod lookups;
mod maintain;
mod postgres;
mod prices;
mod prompt;
mod pruning;
mod queries;
mod readers;
mod rebuild;
mod receive;
mod record;
mod records;
mod regression;
mod reports;
mod resent;
mod runs;
mod schema;
mod scores;
mod senders;
mod sent;
mod server;
mod settled;
#[path = "../skipped.rs"]
mod skipped;
mod spans;
mod sqllogic;
mod states;
mod stores;
mod tenants;
mod texts;
mod views;
