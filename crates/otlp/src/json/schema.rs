//! The messages of OTLP as OTLP/JSON spells them: member name, protobuf tag, type.
//!
//! Members that nothing reads (`entityRefs`, the string table references of profiles) are left out, which ignores
//! them.

use super::scalar::Scalar;
use Kind::{Items, Message as One, Repeated as Many, Scalar as Of};
use Scalar::{Base64, Bool, Double, Enum, Fixed32, Fixed64, Id, Int64, Text, Uint32};

pub(super) struct Message(pub(super) &'static [Member]);

pub(super) type Member = (&'static str, u32, Kind);

pub(super) enum Kind {
    Message(&'static Message),
    Repeated(&'static Message),
    /// The spans or log records, which are refused one by one.
    Items(&'static Message),
    Scalar(Scalar),
}

pub(super) static TRACES: Message = Message(&[("resourceSpans", 1, Many(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Message =
    Message(&[("resource", 1, One(&RESOURCE)), ("scopeSpans", 2, Many(&SCOPE_SPANS)), ("schemaUrl", 3, Of(Text))]);

static SCOPE_SPANS: Message =
    Message(&[("scope", 1, One(&SCOPE)), ("spans", 2, Items(&SPAN)), ("schemaUrl", 3, Of(Text))]);

static SPAN: Message = Message(&[
    ("traceId", 1, Of(Id)),
    ("spanId", 2, Of(Id)),
    ("traceState", 3, Of(Text)),
    ("parentSpanId", 4, Of(Id)),
    ("name", 5, Of(Text)),
    ("kind", 6, Of(Enum(SPAN_KIND))),
    ("startTimeUnixNano", 7, Of(Fixed64)),
    ("endTimeUnixNano", 8, Of(Fixed64)),
    ("attributes", 9, Many(&KEY_VALUE)),
    ("droppedAttributesCount", 10, Of(Uint32)),
    ("events", 11, Many(&EVENT)),
    ("droppedEventsCount", 12, Of(Uint32)),
    ("links", 13, Many(&LINK)),
    ("droppedLinksCount", 14, Of(Uint32)),
    ("status", 15, One(&STATUS)),
    ("flags", 16, Of(Fixed32)),
]);

static EVENT: Message = Message(&[
    ("timeUnixNano", 1, Of(Fixed64)),
    ("name", 2, Of(Text)),
    ("attributes", 3, Many(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Of(Uint32)),
]);

static LINK: Message = Message(&[
    ("traceId", 1, Of(Id)),
    ("spanId", 2, Of(Id)),
    ("traceState", 3, Of(Text)),
    ("attributes", 4, Many(&KEY_VALUE)),
    ("droppedAttributesCount", 5, Of(Uint32)),
    ("flags", 6, Of(Fixed32)),
]);

static STATUS: Message = Message(&[("message", 2, Of(Text)), ("code", 3, Of(Enum(STATUS_CODE)))]);

pub(super) static LOGS: Message = Message(&[("resourceLogs", 1, Many(&RESOURCE_LOGS))]);

static RESOURCE_LOGS: Message =
    Message(&[("resource", 1, One(&RESOURCE)), ("scopeLogs", 2, Many(&SCOPE_LOGS)), ("schemaUrl", 3, Of(Text))]);

static SCOPE_LOGS: Message =
    Message(&[("scope", 1, One(&SCOPE)), ("logRecords", 2, Items(&LOG_RECORD)), ("schemaUrl", 3, Of(Text))]);

static LOG_RECORD: Message = Message(&[
    ("timeUnixNano", 1, Of(Fixed64)),
    ("severityNumber", 2, Of(Enum(SEVERITY_NUMBER))),
    ("severityText", 3, Of(Text)),
    ("body", 5, One(&ANY_VALUE)),
    ("attributes", 6, Many(&KEY_VALUE)),
    ("droppedAttributesCount", 7, Of(Uint32)),
    ("flags", 8, Of(Fixed32)),
    ("traceId", 9, Of(Id)),
    ("spanId", 10, Of(Id)),
    ("observedTimeUnixNano", 11, Of(Fixed64)),
    ("eventName", 12, Of(Text)),
]);

pub(super) static METRICS: Message = Message(&[("resourceMetrics", 1, Many(&RESOURCE_METRICS))]);

static RESOURCE_METRICS: Message = Message(&[("scopeMetrics", 2, Many(&SCOPE_METRICS))]);

static SCOPE_METRICS: Message = Message(&[("metrics", 2, Many(&METRIC))]);

static METRIC: Message = Message(&[
    ("gauge", 5, One(&DATA)),
    ("sum", 7, One(&DATA)),
    ("histogram", 9, One(&DATA)),
    ("exponentialHistogram", 10, One(&DATA)),
    ("summary", 11, One(&DATA)),
]);

static DATA: Message = Message(&[("dataPoints", 1, Many(&DATA_POINT))]);

static DATA_POINT: Message = Message(&[]);

static RESOURCE: Message = Message(&[("attributes", 1, Many(&KEY_VALUE)), ("droppedAttributesCount", 2, Of(Uint32))]);

static SCOPE: Message = Message(&[
    ("name", 1, Of(Text)),
    ("version", 2, Of(Text)),
    ("attributes", 3, Many(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Of(Uint32)),
]);

static KEY_VALUE: Message = Message(&[("key", 1, Of(Text)), ("value", 2, One(&ANY_VALUE))]);

static ANY_VALUE: Message = Message(&[
    ("stringValue", 1, Of(Text)),
    ("boolValue", 2, Of(Bool)),
    ("intValue", 3, Of(Int64)),
    ("doubleValue", 4, Of(Double)),
    ("arrayValue", 5, One(&ARRAY_VALUE)),
    ("kvlistValue", 6, One(&KEY_VALUE_LIST)),
    ("bytesValue", 7, Of(Base64)),
]);

static ARRAY_VALUE: Message = Message(&[("values", 1, Many(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = Message(&[("values", 1, Many(&KEY_VALUE))]);

const SPAN_KIND: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

const STATUS_CODE: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

const SEVERITY_NUMBER: &[&str] = &[
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];
