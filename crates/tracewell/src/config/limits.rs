//! Values that can be read and cannot be meant: they would hang, spin, or refuse everything.

use std::time::Duration;

use super::{ByteSize, Config, TimeSpan, written};

/// Each shard has a thread, a log and a folder.
const MOST_SHARDS: usize = 256;
const MOST_THREADS: usize = 1024;
const MOST_QUERIES: usize = 10_000;
const LEAST_MEMORY: ByteSize = ByteSize::mib(1);
const LONGEST: TimeSpan = TimeSpan::seconds(366 * 24 * 3600);

impl Config {
    /// What is wrong, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { ingest, query, maintenance, capture, report, alerts, .. } = self;
        if self.data.is_empty() {
            return Err("a folder or a URL is needed".into());
        }
        number(ingest.shards, 0, MOST_SHARDS)?;
        // A browser names no path.
        if let Some(wrong) = ingest.origins.iter().find(|origin| *origin != "*" && origin.matches('/').count() != 2) {
            return Err(format!("`{wrong}` is no origin, as https://app.example is"));
        }
        number(query.concurrent, 1, MOST_QUERIES)?;
        number(query.long, 1, MOST_QUERIES)?;
        if query.rows == 0 {
            return Err("at least 1 is needed".into());
        }
        number(query.threads, 0, MOST_THREADS)?;
        for bytes in [
            ingest.memory,
            ingest.wal_size,
            ingest.in_flight,
            ingest.commit_bytes,
            ingest.request_size,
            query.memory,
            query.spill_size,
            query.bytes,
            maintenance.memory,
            maintenance.file_size,
        ] {
            if bytes.get() < LEAST_MEMORY.get() {
                return Err(format!("at least {LEAST_MEMORY} is needed"));
            }
        }
        time(ingest.commit_interval, Duration::from_millis(1))?;
        time(maintenance.interval, Duration::from_millis(10))?;
        time(report.interval, Duration::from_millis(100))?;
        report.check()?;
        time(capture.interval, Duration::from_millis(100))?;
        capture.check()?;
        time(alerts.interval, Duration::from_millis(100))?;
        alerts.check()?;
        time(query.timeout, Duration::from_millis(1))
    }
}

fn number(value: usize, least: usize, most: usize) -> Result<(), String> {
    match value {
        value if value < least => Err(format!("at least {least} is needed")),
        value if value > most => Err(format!("at most {most} is possible")),
        _ => Ok(()),
    }
}

fn time(value: TimeSpan, least: Duration) -> Result<(), String> {
    match value.get() {
        value if value < least => Err(format!("at least {} is needed", written(least))),
        value if value > LONGEST.get() => Err("at most a year is possible".into()),
        _ => Ok(()),
    }
}
