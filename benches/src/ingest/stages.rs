//! Each stage of ingest alone, on one thread, on the requests that the server got.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracewell_dialects::{Normalized, Normalizer, SpanInput};
use tracewell_ingest::{Receipt, Rows, TakenRows, content_hash};
use tracewell_lake::parquet::{Effort, encode_sorted};
use tracewell_model::DEFAULT_TENANT;
use tracewell_model::schema::{CONTENTS, FACT_TABLES, SPANS, Table};
use tracewell_otlp::{Decoder, Limits, index_traces};
use tracewell_wal::{Entry, Options, WalDir};

use crate::load::{self, Request};
use crate::server::TableBytes;

/// One stage.
#[derive(Debug, Serialize)]
pub(crate) struct Stage {
    pub(crate) stage: &'static str,
    /// CPU time.
    pub(crate) nanos_per_span: f64,
    /// Bytes of OTLP a CPU second.
    pub(crate) megabytes_per_second: f64,
    /// Times that a request passes the stage in the server.
    pub(crate) passes: u32,
}

/// A generation is closed at about this many bytes, as the server's default is.
const SEAL_BYTES: usize = 64 << 20;
/// Requests that share a sync of the log.
const GROUP: usize = 4;

struct Meter {
    spans: u64,
    bytes: u64,
    seconds: f64,
    stages: Vec<Stage>,
}

impl Meter {
    /// Runs `round` over all requests again and again, and gives the CPU time of one round.
    fn time(&self, mut round: impl FnMut()) -> Duration {
        round();
        let (start, before) = (Instant::now(), cpu_time());
        let mut rounds = 0;
        while rounds == 0 || start.elapsed().as_secs_f64() < self.seconds {
            round();
            rounds += 1;
        }
        cpu_time().saturating_sub(before) / rounds
    }

    fn add(&mut self, stage: &'static str, passes: u32, round: Duration) {
        let nanos = round.as_nanos() as f64;
        self.stages.push(Stage {
            stage,
            nanos_per_span: nanos / self.spans as f64,
            megabytes_per_second: self.bytes as f64 * 1e3 / nanos.max(1.0),
            passes,
        });
    }
}

/// Measures every stage for about `seconds`.
pub(crate) fn measure(requests: &[Request], folder: &Path, seconds: f64) -> anyhow::Result<Vec<Stage>> {
    let (spans, bytes) = (load::spans(requests), load::bytes(requests));
    let mut meter = Meter { spans, bytes, seconds, stages: Vec::new() };
    let index = meter.time(|| requests.iter().for_each(index));
    meter.add("check framing", 2, index);
    let hash = meter.time(|| requests.iter().for_each(|request| _ = black_box(content_hash(&request.body))));
    meter.add("hash request", 1, hash);
    meter.add("log: append, fsync", 1, log(requests, folder, seconds)?);
    let walk = meter.time(|| requests.iter().for_each(|request| walk(request, &mut |_| {})));
    meter.add("decode", 1, walk.saturating_sub(index));
    let mut normalizer = Normalizer::new();
    let normalize = meter.time(|| requests.iter().for_each(|request| normalize(request, &mut normalizer)));
    meter.add("normalize", 1, normalize.saturating_sub(walk));
    let building = meter.time(|| rows(requests, SEAL_BYTES, &mut |rows| drop(black_box(rows))));
    meter.add("rows", 1, building.saturating_sub(normalize));
    let mut generations = Vec::new();
    rows(requests, SEAL_BYTES, &mut |rows| generations.push(rows));
    for (table, stage) in [(&SPANS, "sort and encode spans"), (&CONTENTS, "sort and encode contents")] {
        let took = meter.time(|| {
            for (_, _, rows) in generations.iter().flatten().filter(|(name, ..)| *name == table.name) {
                let file = encode_sorted(table, std::slice::from_ref(rows), Effort::Fresh);
                drop(black_box(file.expect("rows are the table's")));
            }
        });
        meter.add(stage, 1, took);
    }
    Ok(meter.stages)
}

fn index(request: &Request) {
    black_box(index_traces(black_box(&request.body)).expect("the framing is right"));
}

/// Decodes a request and shows each of its spans.
fn walk<'a>(request: &'a Request, show: &mut dyn for<'s> FnMut(&SpanInput<'s, 'a>)) {
    let body = &request.body;
    let index = index_traces(body).expect("the framing is right");
    let mut decoder = Decoder::new(Limits::default());
    let (mut of_resource, mut of_scope) = (Vec::new(), Vec::new());
    for spans in index.spans().chunk_by(|a, b| a.scope == b.scope) {
        let resource = &index.resources()[spans[0].resource as usize];
        let resource = decoder.decode_resource(body, resource, &mut of_resource).expect("the resource is right");
        let scope = &index.scopes()[spans[0].scope as usize];
        let scope = decoder.decode_scope(body, scope, &mut of_scope).expect("the scope is right");
        for entry in spans {
            let span = decoder.decode_span(entry.bytes(body)).expect("the span is right");
            show(&SpanInput::of(&span, &scope, resource.attributes));
        }
    }
}

fn normalize(request: &Request, normalizer: &mut Normalizer) {
    let mut normalized = Normalized::default();
    walk(request, &mut |span| {
        normalizer.span(span, &mut normalized);
        black_box(&normalized);
    });
}

/// Gives `take` the generations that a shard makes of `requests`.
fn rows(requests: &[Request], seal_bytes: usize, take: &mut dyn FnMut(TakenRows)) {
    let mut rows = Rows::new(Limits::default());
    for (seq, request) in requests.iter().enumerate() {
        let receipt = Receipt { seq: seq as u64 + 1, received_at: 1_772_440_000_000_000_000, tenant: DEFAULT_TENANT };
        rows.traces(&request.body, receipt).expect("the framing is right");
        if rows.bytes() >= seal_bytes {
            take(rows.take());
        }
    }
    take(rows.take());
}

/// CPU time of appending all requests and syncing each group. The system counts in ticks, too coarse to tell them apart.
fn log(requests: &[Request], folder: &Path, seconds: f64) -> anyhow::Result<Duration> {
    let folder = tempfile::tempdir_in(folder)?;
    let mut dir = WalDir::open(folder.path().join("wal"), 1, Options::default())?;
    let mut log = dir.log(0)?;
    let before = cpu_time();
    let start = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || start.elapsed().as_secs_f64() < seconds {
        for group in requests.chunks(GROUP) {
            for request in group {
                if log.should_rotate() {
                    log.rotate(&[])?;
                }
                let entry =
                    Entry { received_at: 1, kind: 1, flags: 0, tenant: DEFAULT_TENANT, hash: 1, body: &request.body };
                log.append(&entry)?;
            }
            let seq = log.sync()?;
            log.release_through(seq)?;
        }
        rounds += 1;
    }
    Ok(cpu_time().saturating_sub(before) / rounds)
}

/// CPU time of this thread: waiting for the disk does not count.
fn cpu_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(statistics.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// What `requests` take as one file a table with the effort of compaction.
pub(crate) fn compacted(requests: &[Request]) -> anyhow::Result<Vec<TableBytes>> {
    let mut taken = TakenRows::new();
    rows(requests, usize::MAX, &mut |rows| taken = rows);
    let mut tables: Vec<TableBytes> = Vec::new();
    for (name, _, rows) in &taken {
        let table: &'static Table =
            FACT_TABLES.iter().copied().find(|table| table.name == *name).expect("rows are of fact tables");
        let file = encode_sorted(table, std::slice::from_ref(rows), Effort::Compacted)?;
        let (bytes, rows) = (file.bytes.len() as u64, file.rows as u64);
        tables.push(TableBytes { table: (*name).to_owned(), files: 1, rows, bytes, log_bytes: 0 });
    }
    Ok(tables)
}
