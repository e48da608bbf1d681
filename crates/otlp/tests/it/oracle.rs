//! What `prost` reads from a request, and what the walk reads, in one comparable form.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{self as common, InstrumentationScope};
use opentelemetry_proto::tonic::logs::v1::{self as logs, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as trace, ResourceSpans, ScopeSpans, Status, span};
use prost::Message;
use tracewell_otlp::{
    AnyValue, Decoder, Extent, ItemEntry, KeyValue, Limits, MalformedRequest, Refusal, ResourceEntry, ScopeEntry,
    index_logs, index_traces, measure_logs, measure_traces,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

/// One resource, scope, span or record: its parents' positions, and itself re-encoded (which, unlike `==`, finds a NaN
/// equal to itself) or the reason it was refused.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    parents: Vec<u32>,
    content: Result<Vec<u8>, Refusal>,
}

impl Row {
    pub(crate) fn is_refused(&self) -> bool {
        self.content.is_err()
    }
}

fn row(parents: &[u32], content: Result<impl Message, Refusal>) -> Row {
    Row { parents: parents.to_vec(), content: content.map(|message| message.encode_to_vec()) }
}

/// Asserts that both accept the request and read the same from it; returns the number of rows.
pub(crate) fn assert_equal(signal: Signal, body: &[u8]) -> usize {
    let expected = by_prost(signal, body).expect("prost reads it");
    assert_eq!(by_walk(signal, body).expect("the walk reads it"), expected);
    expected.len()
}

/// Asserts that the walk reads what `prost` reads, and refuses beyond it for its own reasons only.
pub(crate) fn assert_agree(signal: Signal, body: &[u8]) {
    match (by_prost(signal, body), by_walk(signal, body)) {
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => panic!("prost accepts, the walk says: {error}"),
        // Values and unknown groups may nest deeper than prost allows.
        (Err(error), Ok(_)) if error.to_string().contains("recursion limit") => {}
        (Err(error), Ok(rows)) => {
            assert!(rows.iter().any(Row::is_refused), "the walk accepts, prost says: {error}");
        }
        (Ok(expected), Ok(rows)) => {
            assert_eq!(rows.len(), expected.len());
            for (row, expected) in rows.into_iter().zip(expected) {
                assert_eq!(row.parents, expected.parents);
                match row.content {
                    Err(Refusal::Malformed(_) | Refusal::InvalidUtf8 { .. } | Refusal::TooDeep) => {
                        panic!("prost accepts, the walk says: {row:?}")
                    }
                    Err(_) => {}
                    content => assert_eq!(content, expected.content),
                }
            }
        }
    }
}

pub(crate) fn by_prost(signal: Signal, body: &[u8]) -> Result<Vec<Row>, prost::DecodeError> {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(body).map(trace_rows),
        Signal::Logs => ExportLogsServiceRequest::decode(body).map(log_rows),
    }
}

pub(crate) fn by_walk(signal: Signal, body: &[u8]) -> Result<Vec<Row>, MalformedRequest> {
    match signal {
        Signal::Traces => walk_traces(body),
        Signal::Logs => walk_logs(body),
    }
}

fn trace_rows(request: ExportTraceServiceRequest) -> Vec<Row> {
    let (mut resources, mut scopes, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    for mut resource in request.resource_spans {
        for mut scope in std::mem::take(&mut resource.scope_spans) {
            for mut span in std::mem::take(&mut scope.spans) {
                normalize_span(&mut span);
                spans.push(row(&[resources.len() as u32, scopes.len() as u32], Ok(span)));
            }
            normalize_scope(&mut scope.scope);
            scopes.push(row(&[resources.len() as u32], Ok(scope)));
        }
        normalize_resource(&mut resource.resource);
        resources.push(row(&[], Ok(resource)));
    }
    resources.into_iter().chain(scopes).chain(spans).collect()
}

fn log_rows(request: ExportLogsServiceRequest) -> Vec<Row> {
    let (mut resources, mut scopes, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for mut resource in request.resource_logs {
        for mut scope in std::mem::take(&mut resource.scope_logs) {
            for mut record in std::mem::take(&mut scope.log_records) {
                normalize_record(&mut record);
                records.push(row(&[resources.len() as u32, scopes.len() as u32], Ok(record)));
            }
            normalize_scope(&mut scope.scope);
            scopes.push(row(&[resources.len() as u32], Ok(scope)));
        }
        normalize_resource(&mut resource.resource);
        resources.push(row(&[], Ok(resource)));
    }
    resources.into_iter().chain(scopes).chain(records).collect()
}

/// The extent of a request by its definition.
fn extent(body: &[u8], resources: &[ResourceEntry], scopes: &[ScopeEntry], items: &[ItemEntry]) -> Extent {
    let mut around_scopes: Vec<usize> = resources.iter().map(|resource| resource.bytes(body).len()).collect();
    let mut around_items: Vec<usize> = scopes.iter().map(|scope| scope.bytes(body).len()).collect();
    for scope in scopes {
        around_scopes[scope.resource as usize] -= scope.bytes(body).len();
    }
    for item in items {
        around_items[item.scope as usize] -= item.bytes(body).len();
    }
    let row = |item: &ItemEntry| {
        item.bytes(body).len() + around_items[item.scope as usize] + around_scopes[item.resource as usize]
    };
    Extent { items: items.len() as u64, bytes: items.iter().map(row).sum::<usize>() as u64 }
}

fn walk_traces(body: &[u8]) -> Result<Vec<Row>, MalformedRequest> {
    let index = index_traces(body);
    let extent = index.as_ref().map(|index| extent(body, index.resources(), index.scopes(), index.spans()));
    assert_eq!(measure_traces(body).as_ref(), extent.as_ref().map_err(|error| *error));
    let index = index?;
    let mut decoder = Decoder::new(Limits::default());
    let resources = index.resources().iter().map(|entry| {
        let content = resource(&decoder, body, entry).map(|(resource, schema_url)| ResourceSpans {
            resource: Some(resource),
            schema_url,
            ..Default::default()
        });
        row(&[], content)
    });
    let scopes = index.scopes().iter().map(|entry| {
        let content = scope(&decoder, body, entry).map(|(scope, schema_url)| ScopeSpans {
            scope: Some(scope),
            schema_url,
            ..Default::default()
        });
        row(&[entry.resource], content)
    });
    let mut rows: Vec<Row> = resources.chain(scopes).collect();
    rows.extend(index.spans().iter().map(|entry| {
        let content = decoder.decode_span(entry.bytes(body)).map(|span| span_of(&span));
        row(&[entry.resource, entry.scope], content)
    }));
    Ok(rows)
}

fn walk_logs(body: &[u8]) -> Result<Vec<Row>, MalformedRequest> {
    let index = index_logs(body);
    let extent = index.as_ref().map(|index| extent(body, index.resources(), index.scopes(), index.records()));
    assert_eq!(measure_logs(body).as_ref(), extent.as_ref().map_err(|error| *error));
    let index = index?;
    let mut decoder = Decoder::new(Limits::default());
    let resources = index.resources().iter().map(|entry| {
        let content = resource(&decoder, body, entry).map(|(resource, schema_url)| ResourceLogs {
            resource: Some(resource),
            schema_url,
            ..Default::default()
        });
        row(&[], content)
    });
    let scopes = index.scopes().iter().map(|entry| {
        let content = scope(&decoder, body, entry).map(|(scope, schema_url)| ScopeLogs {
            scope: Some(scope),
            schema_url,
            ..Default::default()
        });
        row(&[entry.resource], content)
    });
    let mut rows: Vec<Row> = resources.chain(scopes).collect();
    rows.extend(index.records().iter().map(|entry| {
        let content = decoder.decode_log(entry.bytes(body)).map(|record| record_of(&record));
        row(&[entry.resource, entry.scope], content)
    }));
    Ok(rows)
}

fn resource<'a>(decoder: &Decoder<'a>, body: &'a [u8], entry: &ResourceEntry) -> Result<(Resource, String), Refusal> {
    let mut attributes = Vec::new();
    let resource = decoder.decode_resource(body, entry, &mut attributes)?;
    let message = Resource {
        attributes: key_values(resource.attributes.iter().copied()),
        dropped_attributes_count: resource.dropped_attributes_count,
        entity_refs: Vec::new(),
    };
    Ok((message, resource.schema_url.to_owned()))
}

fn scope<'a>(
    decoder: &Decoder<'a>,
    body: &'a [u8],
    entry: &ScopeEntry,
) -> Result<(InstrumentationScope, String), Refusal> {
    let mut attributes = Vec::new();
    let scope = decoder.decode_scope(body, entry, &mut attributes)?;
    let message = InstrumentationScope {
        name: scope.name.to_owned(),
        version: scope.version.to_owned(),
        attributes: key_values(scope.attributes.iter().copied()),
        dropped_attributes_count: scope.dropped_attributes_count,
    };
    Ok((message, scope.schema_url.to_owned()))
}

fn span_of(span: &tracewell_otlp::Span<'_, '_>) -> trace::Span {
    let event = |event: &tracewell_otlp::Event<'_>| span::Event {
        time_unix_nano: event.time_unix_nano,
        name: event.name.to_owned(),
        attributes: key_values(event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    };
    let link = |link: &tracewell_otlp::Link<'_>| span::Link {
        trace_id: id(link.trace_id),
        span_id: id(link.span_id),
        trace_state: link.trace_state.to_owned(),
        attributes: key_values(link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    };
    trace::Span {
        trace_id: span.trace_id.to_vec(),
        span_id: span.span_id.to_vec(),
        trace_state: span.trace_state.to_owned(),
        parent_span_id: id(span.parent_span_id),
        flags: span.flags,
        name: span.name.to_owned(),
        kind: span.kind,
        start_time_unix_nano: span.start_unix_nano,
        end_time_unix_nano: span.end_unix_nano,
        attributes: key_values(span.attributes.iter().copied()),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: Some(Status { message: span.status_message.to_owned(), code: span.status_code }),
    }
}

fn record_of(record: &tracewell_otlp::LogRecord<'_, '_>) -> logs::LogRecord {
    logs::LogRecord {
        time_unix_nano: record.time_unix_nano,
        observed_time_unix_nano: record.observed_time_unix_nano,
        severity_number: record.severity_number,
        severity_text: record.severity_text.to_owned(),
        body: Some(any_value(record.body)),
        attributes: key_values(record.attributes.iter().copied()),
        dropped_attributes_count: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: id(record.trace_id),
        span_id: id(record.span_id),
        event_name: record.event_name.to_owned(),
    }
}

fn id<const N: usize>(id: Option<[u8; N]>) -> Vec<u8> {
    id.map_or(Vec::new(), |id| id.to_vec())
}

fn key_values<'a>(list: impl IntoIterator<Item = KeyValue<'a>>) -> Vec<common::KeyValue> {
    let key_value = |entry: KeyValue<'a>| common::KeyValue {
        key: entry.key.to_owned(),
        value: Some(any_value(entry.value)),
        key_strindex: 0,
    };
    list.into_iter().map(key_value).collect()
}

fn any_value(value: AnyValue<'_>) -> common::AnyValue {
    let value = match value {
        AnyValue::Empty => None,
        AnyValue::Str(value) => Some(Value::StringValue(value.to_owned())),
        AnyValue::Bool(value) => Some(Value::BoolValue(value)),
        AnyValue::Int(value) => Some(Value::IntValue(value)),
        AnyValue::Double(value) => Some(Value::DoubleValue(value)),
        AnyValue::Bytes(value) => Some(Value::BytesValue(value.to_vec())),
        AnyValue::Array(array) => {
            Some(Value::ArrayValue(common::ArrayValue { values: array.iter().map(any_value).collect() }))
        }
        AnyValue::KvList(list) => Some(Value::KvlistValue(common::KeyValueList { values: key_values(list) })),
    };
    common::AnyValue { value }
}

// The differences in form that carry no meaning: an absent message is an empty one, an id of zeros is none, and what
// only other signals use is left out.

fn normalize_span(span: &mut trace::Span) {
    drop_zero_id(&mut span.parent_span_id);
    normalize_list(&mut span.attributes);
    for event in &mut span.events {
        normalize_list(&mut event.attributes);
    }
    for link in &mut span.links {
        drop_zero_id(&mut link.trace_id);
        drop_zero_id(&mut link.span_id);
        normalize_list(&mut link.attributes);
    }
    span.status.get_or_insert_default();
}

fn normalize_record(record: &mut logs::LogRecord) {
    drop_zero_id(&mut record.trace_id);
    drop_zero_id(&mut record.span_id);
    normalize_list(&mut record.attributes);
    normalize_value(record.body.get_or_insert_default());
}

fn normalize_resource(resource: &mut Option<Resource>) {
    let resource = resource.get_or_insert_default();
    normalize_list(&mut resource.attributes);
    resource.entity_refs.clear();
}

fn normalize_scope(scope: &mut Option<InstrumentationScope>) {
    normalize_list(&mut scope.get_or_insert_default().attributes);
}

fn drop_zero_id(id: &mut Vec<u8>) {
    if id.iter().all(|byte| *byte == 0) && matches!(id.len(), 8 | 16) {
        id.clear();
    }
}

fn normalize_list(list: &mut [common::KeyValue]) {
    for entry in list {
        entry.key_strindex = 0;
        normalize_value(entry.value.get_or_insert_default());
    }
}

fn normalize_value(value: &mut common::AnyValue) {
    match &mut value.value {
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(normalize_value),
        Some(Value::KvlistValue(list)) => normalize_list(&mut list.values),
        Some(Value::StringValueStrindex(_)) => value.value = None,
        _ => {}
    }
}
