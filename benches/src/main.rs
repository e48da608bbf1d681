//! Measures Tracewell end to end on this machine.
//!
//! ```text
//! cargo build --release -p tracewell
//! cargo run --release -p tracewell-benches -- ingest [--quick] [--format json]
//! cargo run --release -p tracewell-benches -- queries --data DIR [--quick]
//! cargo run --release -p tracewell-benches -- parts
//! ```
//!
//! The load is made before the clock starts, from a seed: two runs send the same bytes. The server is the
//! `tracewell` binary beside this one, started over an empty folder and reached over the loopback interface only.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod ingest;
mod load;
mod memory;
mod parts;
mod queries;
mod random;
mod server;
mod text;

// As the server: the stages measured in this process then allocate as they do there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Benchmarks of Tracewell.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Receive, acknowledge, store: speed, CPU, acknowledgement times, memory, stored bytes, share of each stage.
    Ingest(ingest::Arguments),
    /// Ask: lookups, scans, search, export, costs and reports over a month of runs, beside DuckDB and chDB.
    Queries(queries::Arguments),
    /// Price, search near duplicates, decide a gate: parts alone, without a server.
    Parts,
    /// Touches so many MiB of memory; for this program's own use
    #[command(name = memory::SUBCOMMAND, hide = true)]
    TouchMemory { mebibytes: usize },
}

fn main() -> ExitCode {
    let done = match Cli::parse().benchmark {
        Benchmark::Ingest(arguments) => ingest::run(&arguments),
        Benchmark::Parts => parts::run(),
        Benchmark::Queries(arguments) => queries::run(&arguments),
        Benchmark::TouchMemory { mebibytes } => {
            memory::touch(mebibytes);
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tracewell-benches: {error:#}");
            ExitCode::FAILURE
        }
    }
}
