//! `serve --demo`: a week of a small company's language-model features, in many dialects.
//!
//! The runs are captures of real SDKs (`demo/*.pb`), repeated with other ids, times, users and token counts. They
//! go through ingest like any request. The same seed gives the same week.

use std::sync::Arc;

use anyhow::Context;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use tracewell_ingest::{Admission, Ingest, Signal};
use tracewell_model::DEFAULT_TENANT;

/// Runs of the week.
const RUNS: u64 = 600;
const DAY_NANOS: u64 = 86_400 * 1_000_000_000;

macro_rules! captures {
    ($($name:literal: $weight:literal $(+ $logs:literal)?),+ $(,)?) => {
        &[$(Capture {
            weight: $weight,
            traces: include_bytes!(concat!("../demo/", $name, ".traces.pb")),
            logs: { #[allow(unused_mut, unused_assignments)] let mut logs: &[u8] = &[]; $(logs = include_bytes!(concat!("../demo/", $logs, ".logs.pb"));)? logs },
        }),+]
    };
}

struct Capture {
    /// How often it is drawn, relative to the others.
    weight: u64,
    traces: &'static [u8],
    logs: &'static [u8],
}

const CAPTURES: &[Capture] = captures![
    "openinference-langchain.run": 12,
    "openinference-langchain.error": 1,
    "openinference-python.run": 10,
    "openinference-python.stream": 4,
    "openinference-python.error": 1,
    "openinference-openai-agents.run": 6,
    "langfuse-python.run": 12,
    "langfuse-python.stream": 4,
    "langfuse-python.error": 1,
    "langsmith.run": 8,
    "openllmetry-python.run": 8,
    "openllmetry-python.error": 1,
    "otel-genai.run__span_and_event": 14 + "otel-genai.run__span_and_event",
    "otel-genai.error__span_and_event": 1,
    "vercel-ai-v6.run": 10,
    "vercel-ai-v6.stream": 4,
    "logfire-pydantic-ai.run": 8,
    "litellm.run": 5,
    "google-adk.run__content": 6 + "google-adk.run__content",
    "ms-agent-framework.run": 4,
    "anthropic-sdk-native.run": 4,
    "mcp.run": 3,
];

const TEAMS: [&str; 4] = ["support-bot", "catalogue-search", "order-agent", "internal-assistant"];

/// A linear congruential sequence: the demo needs variety, not chance.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 29)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// What differs between two runs of one capture.
struct Change {
    ids: u64,
    /// Added to every time.
    shift: i64,
    /// Token counts in percent of the capture's.
    tokens: i64,
    user: String,
    session: String,
    service: &'static str,
}

/// Sends the week, ending at `now`, through ingest.
pub(crate) async fn fill(ingest: &Ingest, now: u64) -> anyhow::Result<u64> {
    let tenant: Arc<str> = DEFAULT_TENANT.into();
    let admission = Admission::new(usize::MAX);
    let mut random = Random(7);
    let total: u64 = CAPTURES.iter().map(|capture| capture.weight).sum();
    let mut spans = 0;
    for _ in 0..RUNS {
        let mut draw = random.below(total);
        let capture = CAPTURES
            .iter()
            .find(|capture| {
                let here = draw < capture.weight;
                draw = draw.wrapping_sub(capture.weight);
                here
            })
            .expect("the weights add up to the total");
        let mut traces = ExportTraceServiceRequest::decode(capture.traces).context("a capture is damaged")?;
        let mut logs = ExportLogsServiceRequest::decode(capture.logs).context("a capture is damaged")?;
        let ended = traces
            .resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .flat_map(|scope| &scope.spans)
            .map(|span| span.end_time_unix_nano)
            .max()
            .unwrap_or(now);
        let user = random.below(60);
        let change = Change {
            ids: random.next(),
            shift: (now as i64 - time_of_day(&mut random) as i64) - ended as i64,
            tokens: 40 + random.below(160) as i64,
            user: format!("user-{user:03}"),
            session: format!("sess-{:04x}", user * 31 + random.below(8)),
            service: TEAMS[(random.below(100) as usize / 13).min(TEAMS.len() - 1)],
        };
        spans += change.traces(&mut traces);
        change.logs(&mut logs);
        ingest.submit(Signal::Traces, &tenant, traces.encode_to_vec().into(), admission.enter()).await?;
        if !logs.resource_logs.is_empty() {
            ingest.submit(Signal::Logs, &tenant, logs.encode_to_vec().into(), admission.enter()).await?;
        }
    }
    Ok(spans)
}

/// How long ago a run ended: within a week, more by day than by night.
fn time_of_day(random: &mut Random) -> u64 {
    loop {
        let ago = random.below(7 * DAY_NANOS);
        let hour = (ago % DAY_NANOS) / (3_600 * 1_000_000_000);
        if hour < 12 || random.below(4) == 0 {
            return ago;
        }
    }
}

impl Change {
    fn id(&self, id: &mut [u8]) {
        if id.iter().any(|byte| *byte != 0) {
            for (byte, other) in id.iter_mut().zip(self.ids.to_le_bytes().iter().cycle()) {
                *byte ^= other;
            }
        }
    }

    fn time(&self, time: &mut u64) {
        if *time != 0 {
            *time = time.saturating_add_signed(self.shift);
        }
    }

    fn traces(&self, request: &mut ExportTraceServiceRequest) -> u64 {
        let mut spans = 0;
        for resource in &mut request.resource_spans {
            self.service(resource.resource.as_mut().map(|resource| &mut resource.attributes));
            for span in resource.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
                spans += 1;
                self.id(&mut span.trace_id);
                self.id(&mut span.span_id);
                self.id(&mut span.parent_span_id);
                self.time(&mut span.start_time_unix_nano);
                self.time(&mut span.end_time_unix_nano);
                self.attributes(&mut span.attributes);
                for event in &mut span.events {
                    self.time(&mut event.time_unix_nano);
                    self.attributes(&mut event.attributes);
                }
                for link in &mut span.links {
                    self.id(&mut link.trace_id);
                    self.id(&mut link.span_id);
                }
            }
        }
        spans
    }

    fn logs(&self, request: &mut ExportLogsServiceRequest) {
        for resource in &mut request.resource_logs {
            self.service(resource.resource.as_mut().map(|resource| &mut resource.attributes));
            for record in resource.scope_logs.iter_mut().flat_map(|scope| &mut scope.log_records) {
                self.id(&mut record.trace_id);
                self.id(&mut record.span_id);
                self.time(&mut record.time_unix_nano);
                self.time(&mut record.observed_time_unix_nano);
                self.attributes(&mut record.attributes);
            }
        }
    }

    fn service(&self, attributes: Option<&mut Vec<KeyValue>>) {
        let name = attributes.into_iter().flatten().find(|pair| pair.key == "service.name");
        if let Some(KeyValue { value: Some(AnyValue { value: Some(Value::StringValue(name)) }), .. }) = name {
            self.service.clone_into(name);
        }
    }

    fn attributes(&self, attributes: &mut [KeyValue]) {
        for KeyValue { key, value, .. } in attributes {
            match value.as_mut().and_then(|value| value.value.as_mut()) {
                Some(Value::StringValue(text)) => self.text(text),
                Some(Value::IntValue(count)) if key.contains("token") && !key.contains("max") => {
                    *count = *count * self.tokens / 100;
                }
                _ => {}
            }
        }
    }

    /// The captures' user, session and response ids, and what tells two model calls apart.
    fn text(&self, text: &mut String) {
        for (from, to) in [("user-042", &self.user), ("sess-7f3a", &self.session)] {
            if text.contains(from) {
                *text = text.replace(from, to);
            }
        }
        for prefix in ["chatcmpl-fx", "resp_fx", "msg_fx", "gem-fx"] {
            if text.contains(prefix) {
                *text = text.replace(prefix, &format!("{prefix}{:08x}", self.ids as u32));
            }
        }
    }
}
