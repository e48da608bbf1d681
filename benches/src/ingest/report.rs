//! The figures.

use serde::Serialize;

use crate::load::{self, Request, Workload};
use crate::server::{GroupCpu, Sent, Stored, TableBytes, Used};

use super::stages::Stage;

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) warm: bool,
    pub(crate) workloads: Vec<Measured>,
}

/// Where.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) build: &'static str,
    /// Seconds that the first touch of a GiB of memory took: far more than a tenth means that a host gave it first.
    pub(crate) first_touch_seconds: f64,
}

impl Machine {
    pub(crate) fn this(first_touch_seconds: f64) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpus = read("/proc/cpuinfo");
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            processor: model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            build: if cfg!(debug_assertions) { "dev" } else { "release" },
            first_touch_seconds,
        }
    }
}

/// One workload.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) workload: Workload,
    pub(crate) load: Load,
    /// As fast as requests are acknowledged.
    pub(crate) full: Option<Cpu>,
    /// At half of that rate.
    pub(crate) half: Option<Cpu>,
    pub(crate) storage: Option<Storage>,
    pub(crate) stages: Vec<Stage>,
    /// What a sample takes as one file a table, encoded as compaction does.
    pub(crate) compacted_sample: Vec<TableBytes>,
}

/// What was sent.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    pub(crate) requests: usize,
    pub(crate) spans: u64,
    pub(crate) bytes: u64,
}

impl Load {
    pub(crate) fn of(requests: &[Request]) -> Self {
        Self { requests: requests.len(), spans: load::spans(requests), bytes: load::bytes(requests) }
    }
}

/// What a load took of the server.
#[derive(Debug, Serialize)]
pub(crate) struct Cpu {
    pub(crate) spans: u64,
    pub(crate) bytes: u64,
    /// To the last acknowledgement.
    pub(crate) send_seconds: f64,
    /// Until all was committed.
    pub(crate) wall_seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) system_seconds: f64,
    pub(crate) peak_bytes: u64,
    pub(crate) groups: Vec<GroupCpu>,
    pub(crate) acks: Acks,
}

impl Cpu {
    pub(crate) fn of(sent: &Sent, used: &Used) -> Self {
        Self {
            spans: sent.spans,
            bytes: sent.bytes,
            send_seconds: sent.wall.as_secs_f64(),
            wall_seconds: used.wall.as_secs_f64(),
            cpu_seconds: used.cpu_seconds,
            system_seconds: used.system_seconds,
            peak_bytes: used.peak_bytes,
            groups: used.groups.clone(),
            acks: Acks::of(sent),
        }
    }

    pub(crate) fn nanos_per_span(&self) -> f64 {
        self.cpu_seconds * 1e9 / self.spans as f64
    }
}

/// Times from when a request was due to its acknowledgement.
#[derive(Debug, Serialize)]
pub(crate) struct Acks {
    pub(crate) requests: usize,
    pub(crate) refused: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Acks {
    pub(crate) fn of(sent: &Sent) -> Self {
        let ms = |percent| sent.ack(percent).as_secs_f64() * 1e3;
        Self { requests: sent.acks.len(), refused: sent.refused, p50_ms: ms(50.0), p99_ms: ms(99.0), max_ms: ms(100.0) }
    }
}

/// What the full load takes on disk.
#[derive(Debug, Serialize)]
pub(crate) struct Storage {
    pub(crate) otlp_bytes: u64,
    pub(crate) spans: u64,
    pub(crate) committed: Stored,
    /// After `tracewell compact`, where there is one.
    pub(crate) compacted: Option<Stored>,
}

impl Storage {
    /// The state that counts.
    pub(crate) fn last(&self) -> &Stored {
        self.compacted.as_ref().unwrap_or(&self.committed)
    }
}
