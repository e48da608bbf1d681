//! What both transports do with a request once its bytes are there.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use tracewell_model::DEFAULT_TENANT;
use tracewell_otlp::Extent;
use tracewell_otlp::json::{Converted, Unreadable};
use tracewell_proto::v1::{AddScoresRequest, AddScoresResponse};

use super::answer::Failure;
use super::body;
use crate::admission::{Admission, Admitted};
use crate::ingest::Ingest;
use crate::rows::Outcome;
use crate::scores::{self, MOST_SCORES, Score};
use crate::signal::Signal;

/// What a request may bring.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveLimits {
    /// Bytes of one request, inflated.
    pub request_bytes: usize,
    /// Bytes of all requests between the first byte read and the answer, and of the rows that they become.
    pub in_flight_bytes: usize,
}

impl Default for ReceiveLimits {
    fn default() -> Self {
        Self { request_bytes: 64 << 20, in_flight_bytes: 256 << 20 }
    }
}

impl ReceiveLimits {
    /// How many bytes an export may have, inflated. What reading it takes has to fit as well, with the bytes as they came
    /// and its rows, or sending it again would never help.
    pub(super) fn of(self, export: Export) -> usize {
        let Self { request_bytes, in_flight_bytes } = self;
        match export {
            Export::Scores => request_bytes.min(SCORES_BYTES).min(in_flight_bytes / (SCORES_GROWTH + 4)),
            Export::Traces | Export::Logs | Export::Metrics => request_bytes,
        }
    }
}

/// The three signals of OTLP, and scores, which come as logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Export {
    Traces,
    Logs,
    Metrics,
    Scores,
}

/// The protobuf bytes of an export, and what could not be read when they were JSON.
#[derive(Default)]
pub(super) struct Request {
    body: Bytes,
    unreadable: Vec<Unreadable>,
    /// What tells a retry of the client, where that is not the body.
    identity: Option<[u8; 32]>,
    /// How many scores it holds.
    scores: u64,
}

/// The header with which a client tells that it sends the same again, as the IETF's draft
/// `httpapi-idempotency-key-header` has it.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl Request {
    /// Scores with a key are told from others by what was `sent`, not by what that is kept as: those that say no time
    /// have that of their receipt. Without a key they may be what another user says too.
    pub(super) fn keyed(mut self, headers: &HeaderMap, sent: &[u8]) -> Self {
        if let (1.., Some(key)) = (self.scores, headers.get(IDEMPOTENCY_KEY)) {
            let mut hasher = blake3::Hasher::new();
            hasher.update(key.as_bytes()).update(b"\n").update(sent);
            self.identity = Some(hasher.finalize().into());
        }
        self
    }
}

impl From<Bytes> for Request {
    fn from(body: Bytes) -> Self {
        Self { body, ..Self::default() }
    }
}

impl From<Converted> for Request {
    fn from(converted: Converted) -> Self {
        Self { body: converted.body.into(), unreadable: converted.unreadable, ..Self::default() }
    }
}

/// What the endpoints have done since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests answered with success.
    pub requests: AtomicU64,
    /// Their bytes.
    pub bytes: AtomicU64,
    /// Spans taken in.
    pub spans: AtomicU64,
    /// Log records taken in.
    pub logs: AtomicU64,
    /// Spans and records refused for good, by reason.
    pub rejected: Mutex<BTreeMap<&'static str, u64>>,
    /// Metric data points received, which are not kept.
    pub metric_points: AtomicU64,
    /// Requests that could not be read.
    pub malformed: AtomicU64,
    /// Requests refused for lack of room.
    pub overloaded: AtomicU64,
    /// Requests refused because nothing can be stored.
    pub unavailable: AtomicU64,
    /// Requests refused because reading them panicked.
    pub broken: AtomicU64,
}

impl Counters {
    fn reject(&self, by: &BTreeMap<&'static str, u64>) {
        if by.is_empty() {
            return;
        }
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, number) in by {
            *rejected.entry(reason).or_default() += number;
        }
    }
}

/// The receiving side of a running collector.
#[derive(Clone, Debug)]
pub struct Collector {
    pub(super) ingest: Arc<Ingest>,
    pub(super) admission: Admission,
    pub(super) limits: ReceiveLimits,
    pub(super) counters: Arc<Counters>,
    tenant: Arc<str>,
}

/// Bytes of a request of scores, inflated, at most; and how many times as much reading it takes: metadata of short keys
/// grow so.
const SCORES_BYTES: usize = 16 << 20;
const SCORES_GROWTH: usize = 12;

/// What a row takes beside its text, about: measured with spans that have nothing but ids.
const ROW_BYTES: u64 = 256;

const METRICS_NOT_KEPT: &str = "metrics are received and counted, but not kept: Tracewell stores traces and logs";

impl Collector {
    /// A collector over `ingest`.
    #[must_use]
    pub fn new(ingest: Arc<Ingest>, limits: ReceiveLimits) -> Self {
        let admission = Admission::new(limits.in_flight_bytes);
        Self { ingest, admission, limits, counters: Arc::default(), tenant: DEFAULT_TENANT.into() }
    }

    /// What the endpoints have done since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Makes room for what reading an export of so many bytes takes beside them.
    pub(super) fn admit_reading(export: Export, bytes: usize, admitted: &mut Admitted) -> Result<(), Failure> {
        if export == Export::Scores { body::admit(admitted, bytes * SCORES_GROWTH) } else { Ok(()) }
    }

    /// Keeps scores that were found in this process; they are durable afterwards.
    ///
    /// # Errors
    /// When there is no room for them, or nothing can be stored.
    pub async fn keep(&self, scores: &[Score]) -> Result<(), String> {
        let admitted = self.admission.enter();
        let kept = async { self.export(Export::Scores, self.scores(scores)?, admitted).await };
        kept.await.map(|_| ()).map_err(|failure: Failure| failure.message())
    }

    /// Takes in an export and gives the protobuf bytes of the answer.
    pub(super) async fn export(
        &self,
        export: Export,
        Request { body, unreadable, identity, scores }: Request,
        mut admitted: Admitted,
    ) -> Result<Vec<u8>, Failure> {
        let size = body.len() as u64;
        let answer = match export {
            Export::Traces => {
                let extent = tracewell_otlp::measure_traces(&body).map_err(|error| self.malformed(&error))?;
                self.admit_rows(extent, body.len(), &mut admitted)?;
                let mut outcome = self.submit(Signal::Traces, body, None, admitted).await?;
                outcome.explain(&unreadable);
                self.counters.spans.fetch_add(outcome.accepted, Ordering::Relaxed);
                let partial_success = rejections(&outcome, "spans")
                    .map(|(rejected_spans, error_message)| ExportTracePartialSuccess { rejected_spans, error_message });
                ExportTraceServiceResponse { partial_success }.encode_to_vec()
            }
            Export::Logs => {
                let mut outcome = self.logs(body, None, admitted).await?;
                outcome.explain(&unreadable);
                let partial_success =
                    rejections(&outcome, "log records").map(|(rejected_log_records, error_message)| {
                        ExportLogsPartialSuccess { rejected_log_records, error_message }
                    });
                ExportLogsServiceResponse { partial_success }.encode_to_vec()
            }
            Export::Scores => {
                self.logs(body, identity, admitted).await?;
                AddScoresResponse { accepted: scores }.encode_to_vec()
            }
            Export::Metrics => {
                let points = tracewell_otlp::count_metric_points(&body).map_err(|error| self.malformed(&error))?;
                self.counters.metric_points.fetch_add(points, Ordering::Relaxed);
                // A message with nothing rejected is a warning: the exporter is told, and does not send again.
                let partial_success = (points > 0).then(|| ExportMetricsPartialSuccess {
                    rejected_data_points: 0,
                    error_message: METRICS_NOT_KEPT.into(),
                });
                ExportMetricsServiceResponse { partial_success }.encode_to_vec()
            }
        };
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(size, Ordering::Relaxed);
        Ok(answer)
    }

    async fn logs(&self, body: Bytes, identity: Option<[u8; 32]>, mut admitted: Admitted) -> Result<Outcome, Failure> {
        let extent = tracewell_otlp::measure_logs(&body).map_err(|error| self.malformed(&error))?;
        self.admit_rows(extent, body.len(), &mut admitted)?;
        let outcome = self.submit(Signal::Logs, body, identity, admitted).await?;
        self.counters.logs.fetch_add(outcome.accepted, Ordering::Relaxed);
        Ok(outcome)
    }

    /// Makes room for the rows of a request, of which each repeats its resource and scope. This has to be before the
    /// request is in the log: from there it is read again until it is committed.
    fn admit_rows(&self, extent: Extent, body: usize, admitted: &mut Admitted) -> Result<(), Failure> {
        let rows = extent.bytes.saturating_add(extent.items.saturating_mul(ROW_BYTES));
        let limit = self.limits.in_flight_bytes;
        let fits = match usize::try_from(rows) {
            Ok(rows) if rows <= limit => body::admit(admitted, rows.saturating_sub(body)),
            _ => Err(Failure::TooManyRows { items: extent.items, rows, limit }),
        };
        fits.map_err(|failure| self.refused(failure))
    }

    async fn submit(
        &self,
        signal: Signal,
        body: Bytes,
        identity: Option<[u8; 32]>,
        admitted: Admitted,
    ) -> Result<Outcome, Failure> {
        if body.is_empty() {
            return Ok(Outcome::default());
        }
        let sent = body.clone();
        let identity = identity.as_ref().map_or(&sent[..], |identity| &identity[..]);
        let outcome = self
            .ingest
            .submit_known_by(identity, signal, &self.tenant, body, admitted)
            .await
            .map_err(|refused| self.refused(refused.into()))?;
        self.counters.reject(&outcome.rejected_by);
        Ok(outcome)
    }

    /// Counts a failure.
    pub(super) fn refused(&self, failure: Failure) -> Failure {
        let counter = match &failure {
            Failure::Overloaded(_) => &self.counters.overloaded,
            Failure::Unavailable(_) => &self.counters.unavailable,
            Failure::Internal(_) => &self.counters.broken,
            _ => &self.counters.malformed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        failure
    }

    /// Scores as the logs export that they are kept as.
    pub(super) fn scores(&self, scores: &[Score]) -> Result<Request, Failure> {
        let now = u64::try_from(self.ingest.now()).unwrap_or(0);
        let body = scores::export(scores, now).map_err(|error| Failure::Malformed(error.to_string()))?;
        Ok(Request { body: body.into(), scores: scores.len() as u64, ..Request::default() })
    }

    /// An export as its message in protobuf says it.
    pub(super) fn message(&self, export: Export, message: Bytes) -> Result<Request, Failure> {
        if export != Export::Scores {
            return Ok(message.into());
        }
        let malformed = |reason: &dyn Display| {
            Failure::Malformed(format!("the request is not tracewell.v1.AddScoresRequest: {reason}"))
        };
        let count = tracewell_otlp::count_messages(&message, "AddScoresRequest").map_err(|error| malformed(&error))?;
        if count > MOST_SCORES as u64 {
            return Err(Failure::Malformed(scores::too_many()));
        }
        let request = AddScoresRequest::decode(message).map_err(|error| malformed(&error))?;
        self.scores(&request.scores.into_iter().map(Score::from).collect::<Vec<_>>())
    }

    fn malformed(&self, error: &tracewell_otlp::MalformedRequest) -> Failure {
        self.refused(Failure::Malformed(format!("the request is not a valid OTLP export: {error}")))
    }
}

/// How many are refused for good, and what is told of them: the first few with their places, of all how many for which
/// reason.
fn rejections(outcome: &Outcome, what: &str) -> Option<(i64, String)> {
    (outcome.rejected > 0).then(|| {
        let told = outcome.reasons.join("; ");
        let more = outcome.rejected > outcome.reasons.len() as u64;
        let all = outcome.rejected_by.iter().map(|(reason, number)| format!("{number} {reason}"));
        let all =
            if more { format!("; and more, in all {}", all.collect::<Vec<_>>().join(", ")) } else { String::new() };
        (outcome.rejected as i64, format!("{} {what} can never be accepted: {told}{all}", outcome.rejected))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_are_few_enough_can_be_read() {
        let limits = |request_bytes, in_flight_bytes| ReceiveLimits { request_bytes, in_flight_bytes };
        assert_eq!(limits(64 << 20, 256 << 20).of(Export::Scores), 16 << 20);
        // Reading takes twelve times their bytes beside them.
        assert_eq!(limits(64 << 20, 32 << 20).of(Export::Scores), 2 << 20);
        assert_eq!(limits(1 << 20, 256 << 20).of(Export::Scores), 1 << 20);
        assert_eq!(limits(64 << 20, 32 << 20).of(Export::Traces), 64 << 20);
    }
}
