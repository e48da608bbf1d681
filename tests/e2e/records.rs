//! Log records written by hand, each sent by a service and an instrumentation of its own.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::sent::base;
use crate::spans::text;

/// A record, and the service and the scope that sent it.
pub(crate) type Record = (String, String, LogRecord);

/// One record of `service`, written `millis` after [`base`]: a body that names the event, as Claude Code sends it, and
/// the attribute.
pub(crate) fn record(service: &str, scope: &str, event: &str, millis: u64, attributes: &[(&str, &str)]) -> Record {
    let short = event.rsplit_once('.').map_or(event, |(_, name)| name);
    let name = if event.starts_with("claude_code.") { short } else { event };
    let mut sent = vec![text("event.name", name)];
    sent.extend(attributes.iter().map(|(key, value)| text(key, value)));
    let body = AnyValue { value: Some(any_value::Value::StringValue(event.into())) };
    let time_unix_nano = base() + millis * 1_000_000;
    let record = LogRecord { time_unix_nano, body: Some(body), attributes: sent, ..LogRecord::default() };
    (service.to_owned(), scope.to_owned(), record)
}

/// Puts a record within a span.
pub(crate) fn within((service, scope, mut record): Record, trace: u128, span: u64) -> Record {
    record.trace_id = trace.to_be_bytes().to_vec();
    record.span_id = span.to_be_bytes().to_vec();
    (service, scope, record)
}

pub(crate) fn request((service, scope, record): Record) -> Vec<u8> {
    let resource = Resource { attributes: vec![text("service.name", &service)], ..Resource::default() };
    let scope = InstrumentationScope { name: scope, ..InstrumentationScope::default() };
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

const CLAUDE: &str = "com.anthropic.claude_code.events";

pub(crate) fn claude(event: &str, millis: u64, attributes: &[(&str, &str)]) -> Record {
    let common = [("session.id", "session-1"), ("user.id", "installation"), ("user.account_uuid", "user-042")];
    let attributes: Vec<_> = common.iter().chain(attributes).copied().collect();
    record("claude-code", CLAUDE, event, millis, &attributes)
}
