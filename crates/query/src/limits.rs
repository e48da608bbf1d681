//! What queries may take.

pub(crate) mod length;
pub(crate) mod memory;
pub(crate) mod stop;
mod tables;

use std::path::PathBuf;
use std::time::Duration;

/// What queries may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Memory of all queries together.
    pub memory_bytes: usize,
    /// Memory of one query; sorts and aggregates beyond it spill to disk.
    pub memory_per_query: usize,
    /// A query that runs longer is stopped.
    pub timeout: Duration,
    /// Queries that run at the same time; more wait.
    pub concurrent: usize,
    /// Beside those, queries that have run for more than two seconds; more of them wait.
    pub long: usize,
    /// Rows of one answer.
    pub rows: u64,
    /// Bytes of the rows of one answer in memory.
    pub bytes: u64,
    /// Threads that queries run on, apart from the network's.
    pub threads: usize,
    /// Where sorts and aggregates spill to; nowhere when `None`.
    pub spill: Option<PathBuf>,
    /// Bytes of what all queries together have spilled.
    pub spill_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What can spill shares it evenly, whether it holds anything or not; a plan of `messages` has more than a
            // dozen such operators, and two messages of 16 MiB are sorted in 75 MiB.
            memory_bytes: 2 << 30,
            memory_per_query: 3 << 29,
            timeout: Duration::from_secs(300),
            concurrent: 16,
            long: 4,
            rows: 50_000_000,
            bytes: 16 << 30,
            threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            spill: Some(std::env::temp_dir()),
            spill_bytes: 64 << 30,
        }
    }
}
