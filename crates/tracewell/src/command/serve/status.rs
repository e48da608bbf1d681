//! How a server is, as load balancers and those who run it ask.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use object_store::ObjectStore;
use tracewell_ingest::Ingest;
use tracewell_ingest::receive::Collector;
use tracewell_lake::Lake;
use tracewell_model::schema::SPANS;
use tracewell_serve::Health;

use crate::alerts::States;
use crate::reports::Counters;

/// How the server is.
pub(super) struct Status {
    pub(super) collector: Collector,
    pub(super) ingest: Arc<Ingest>,
    pub(super) lake: Lake,
    pub(super) reports: Arc<Counters>,
    pub(super) alerts: Arc<States>,
}

impl Health for Status {
    fn identity(&self) -> String {
        self.ingest.id().to_string()
    }

    fn data(&self) -> String {
        self.lake.table(SPANS.name).map(|spans| spans.id()).unwrap_or_default()
    }

    async fn not_ready(&self) -> Option<String> {
        if let Some(trouble) = self.ingest.trouble() {
            return Some(trouble);
        }
        let table = self.lake.location().table_path("spans");
        let look = self.lake.location().store().list_with_delimiter(Some(&table));
        match tokio::time::timeout(Duration::from_secs(5), look).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("the store cannot be reached: {error}")),
            Err(_) => Some("the store does not answer within 5s".into()),
        }
    }

    fn metrics(&self) -> String {
        let counters = self.collector.counters();
        let counted = [
            ("requests_total", "Export requests answered with success.", &counters.requests),
            ("request_bytes_total", "Their bytes.", &counters.bytes),
            ("spans_total", "Spans taken in.", &counters.spans),
            ("log_records_total", "Log records taken in.", &counters.logs),
            ("metric_points_total", "Metric data points received, which are not kept.", &counters.metric_points),
            ("malformed_requests_total", "Requests that could not be read.", &counters.malformed),
            ("overloaded_requests_total", "Requests refused for lack of room.", &counters.overloaded),
            ("unavailable_requests_total", "Requests refused because nothing could be stored.", &counters.unavailable),
            ("broken_requests_total", "Requests refused because reading them panicked.", &counters.broken),
        ];
        let recovered = self.ingest.recovered;
        let mut text = String::new();
        for (name, help, counter) in counted {
            text += &metric(name, "counter", help, counter.load(Ordering::Relaxed));
        }
        for (name, kind, help, value) in [
            ("memory_bytes", "gauge", "Memory of rows not yet committed.", self.ingest.memory() as u64),
            ("wal_bytes", "gauge", "Bytes of the write-ahead log.", self.ingest.wal_bytes()),
            ("wal_lost_requests", "gauge", "Requests that damage of the write-ahead log took.", recovered.lost),
            ("wal_set_aside_requests", "gauge", "Requests of the log whose reading panicked.", recovered.set_aside),
            ("commit_failures_total", "counter", "Tries to commit that failed.", self.ingest.commit_failures()),
        ] {
            text += &metric(name, kind, help, value);
        }
        text += "# HELP tracewell_rejected_total Spans and log records refused for good.\n# TYPE tracewell_rejected_total counter\n";
        for (reason, number) in &*counters.rejected.lock().unwrap_or_else(PoisonError::into_inner) {
            text += &format!("tracewell_rejected_total{{reason=\"{reason}\"}} {number}\n");
        }
        text + &self.reports.text() + &self.alerts.text()
    }
}

/// A number as Prometheus reads it.
fn metric(name: &str, kind: &str, help: &str, value: u64) -> String {
    format!("# HELP tracewell_{name} {help}\n# TYPE tracewell_{name} {kind}\ntracewell_{name} {value}\n")
}
