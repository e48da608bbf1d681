//! Fuzz targets over the crates that read bytes from outside.
//!
//! Each target is a plain function of bytes that panics when a law is broken. libFuzzer drives it through
//! `fuzz_targets/`, and `tests/replay.rs` runs it over its seeds and over mutations of them that are always the same.

#![forbid(unsafe_code)]

mod build;
mod cost;
mod inflate;
mod json;
mod normalize;
// The oracle and the re-encoder are those of the crate's own tests.
#[path = "../../crates/otlp/tests/it/oracle.rs"]
#[allow(dead_code, reason = "the crate's tests use all of it")]
mod oracle;
// It is read by the engine, which is no crate to build here.
#[path = "../../crates/query/src/functions/to_char/pattern.rs"]
mod pattern;
mod postgres;
mod regression;
mod requests;
#[path = "../../crates/otlp/tests/it/scramble.rs"]
mod scramble;
mod seeds;
mod telemetry;
mod to_char;
mod wal;
mod walk;

/// One thing that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the binary.
    pub name: &'static str,
    /// Checks every law on one input.
    pub check: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "walk", check: walk::check, seeds: walk::seeds },
    Target { name: "walk_built", check: walk::check_built, seeds: seeds::noise },
    Target { name: "json", check: json::check, seeds: json::seeds },
    Target { name: "inflate", check: inflate::check, seeds: inflate::seeds },
    Target { name: "normalize", check: normalize::check, seeds: walk::seeds },
    Target { name: "normalize_built", check: normalize::check_built, seeds: seeds::noise },
    Target { name: "wal", check: wal::check, seeds: seeds::noise },
    Target { name: "wal_built", check: wal::check_built, seeds: seeds::noise },
    Target { name: "exchange", check: regression::check_exchange, seeds: regression::exchange_seeds },
    Target { name: "gate", check: regression::check_gate, seeds: regression::gate_seeds },
    Target { name: "postgres", check: postgres::check_stream, seeds: postgres::stream_seeds },
    Target { name: "postgres_value", check: postgres::check_values, seeds: postgres::value_seeds },
    Target { name: "postgres_sql", check: postgres::check_text, seeds: postgres::text_seeds },
    Target { name: "sql_body", check: requests::check_body, seeds: requests::body_seeds },
    Target { name: "flight", check: requests::check_flight, seeds: requests::flight_seeds },
    Target { name: "to_char", check: to_char::check, seeds: to_char::seeds },
];

/// Runs the target called `name`.
///
/// # Panics
/// When the input breaks one of its laws.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    (target.check)(data);
}
