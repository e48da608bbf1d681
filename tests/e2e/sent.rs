//! Spans written by hand, each sent by a service and an instrumentation of its own.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::json;

use crate::spans::{int, now, text};

/// A span, and the service and instrumentation that sent it.
#[derive(Clone)]
pub(crate) struct Sent {
    service: &'static str,
    scope: &'static str,
    span: Span,
}

/// An hour ago, to the second.
pub(crate) fn base() -> u64 {
    static BASE: std::sync::LazyLock<u64> =
        std::sync::LazyLock::new(|| (now() / 1_000_000_000 - 3_600) * 1_000_000_000);
    *BASE
}

/// A span of the service `service`, seen by `scope`, from `from` to `to` milliseconds after [`base`].
pub(crate) fn span(
    service: &'static str,
    scope: &'static str,
    ids: (u128, u64),
    parent: u64,
    times: (u64, u64),
) -> Sent {
    let nanos = |millis: u64| base() + millis * 1_000_000;
    let span = Span {
        trace_id: ids.0.to_be_bytes().to_vec(),
        span_id: ids.1.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: format!("span {}", ids.1),
        start_time_unix_nano: nanos(times.0),
        end_time_unix_nano: nanos(times.1),
        ..Span::default()
    };
    Sent { service, scope, span }
}

impl Sent {
    pub(crate) fn with(mut self, attribute: KeyValue) -> Self {
        self.span.attributes.push(attribute);
        self
    }

    /// Changes the span as it is sent.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Span)) -> Self {
        change(&mut self.span);
        self
    }

    pub(crate) fn chat(self) -> Self {
        self.with(text("gen_ai.operation.name", "chat")).with(text("gen_ai.request.model", "gpt-4.1-mini"))
    }

    pub(crate) fn response(self, id: &str) -> Self {
        self.with(text("gen_ai.response.id", id))
    }

    pub(crate) fn used(self, input: i64, output: i64) -> Self {
        self.with(int("gen_ai.usage.input_tokens", input)).with(int("gen_ai.usage.output_tokens", output))
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.span.name = name.into();
        self
    }

    pub(crate) fn request(self) -> Vec<u8> {
        let resource = Resource { attributes: vec![text("service.name", self.service)], ..Resource::default() };
        let scope = InstrumentationScope { name: self.scope.into(), ..InstrumentationScope::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: vec![self.span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}

/// Several spans in one request: what protobuf repeats may be written one behind the other.
pub(crate) fn requests(spans: &[Sent]) -> Vec<u8> {
    spans.iter().flat_map(|sent| sent.clone().request()).collect()
}

/// One message of text, as `gen_ai.input.messages` has it.
pub(crate) fn said(role: &str, words: &str) -> String {
    json!([{"role": role, "parts": [{"type": "text", "content": words}]}]).to_string()
}

/// The id of a run as the tables have it.
pub(crate) fn hex(id: u128) -> String {
    format!("{id:032x}")
}
