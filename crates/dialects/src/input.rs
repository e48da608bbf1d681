//! What the crate reads: borrowed views of one decoded span or log record.

use tracewell_otlp::{AnyValue, Event, KeyValue, Scope, Span};

/// One span, as decoded from the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanInput<'s, 'a> {
    /// Name of the instrumentation scope; empty when there is none.
    pub scope_name: &'a str,
    /// Version of the instrumentation scope.
    pub scope_version: &'a str,
    /// The span's name.
    pub name: &'a str,
    /// OpenTelemetry span kind as sent (0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer).
    pub span_kind: i32,
    /// 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    /// Status description.
    pub status_message: &'a str,
    /// Whether the span names no parent.
    pub is_root: bool,
    /// Start as sent.
    pub start_unix_nano: u64,
    /// End as sent.
    pub end_unix_nano: u64,
    /// Attributes in the order sent. Where a key repeats, the last one counts.
    pub attributes: &'s [KeyValue<'a>],
    /// Attributes of the resource.
    pub resource: &'s [KeyValue<'a>],
    /// Span events.
    pub events: &'s [Event<'a>],
}

impl<'s, 'a> SpanInput<'s, 'a> {
    /// A span of `scope`, with the attributes of its resource.
    #[must_use]
    pub fn of(span: &Span<'s, 'a>, scope: &Scope<'_, 'a>, resource: &'s [KeyValue<'a>]) -> Self {
        Self {
            scope_name: scope.name,
            scope_version: scope.version,
            name: span.name,
            span_kind: span.kind,
            status_code: span.status_code,
            status_message: span.status_message,
            is_root: span.parent_span_id.is_none(),
            start_unix_nano: span.start_unix_nano,
            end_unix_nano: span.end_unix_nano,
            attributes: span.attributes,
            resource,
            events: span.events,
        }
    }
}

/// One log record, as decoded from the wire.
#[derive(Clone, Copy, Debug)]
pub struct LogInput<'s, 'a> {
    /// Name of the instrumentation scope; empty when there is none.
    pub scope_name: &'a str,
    /// `event_name` of the record; empty when unset (older SDKs use the attribute `event.name`).
    pub event_name: &'a str,
    /// The body.
    pub body: AnyValue<'a>,
    /// Attributes in the order sent.
    pub attributes: &'s [KeyValue<'a>],
    /// Attributes of the resource.
    pub resource: &'s [KeyValue<'a>],
}

/// What a resource says once for all its spans; computed once per resource of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceFacts<'a> {
    /// `service.name`.
    pub service: Option<&'a str>,
    /// `service.version`.
    pub service_version: Option<&'a str>,
    /// `deployment.environment.name`, `deployment.environment`, `langfuse.environment`.
    pub environment: Option<&'a str>,
    /// `langfuse.release` and the like.
    pub release: Option<&'a str>,
    /// `tenant*`, `team*`.
    pub team: Option<&'a str>,
    /// `telemetry.sdk.name`, which names MLflow and OpenLIT.
    pub sdk: Option<&'a str>,
}
