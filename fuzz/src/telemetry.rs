//! Builds spans and log records in the words of the dialects: their scopes, keys, events and the JSON in their values.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tracewell_dialects::mapped_keys;

use crate::oracle::Signal;

/// Scopes by which dialects are known.
const SCOPES: &[&str] = &[
    "",
    "ai",
    "gen_ai",
    "com.anthropic.sdk.python",
    "com.anthropic.claude_code",
    "openinference.instrumentation.openai",
    "opentelemetry.instrumentation.genai.openai",
    "opentelemetry.instrumentation.openai.v1",
    "opentelemetry.instrumentation.anthropic",
    "opentelemetry.util.genai.handler",
    "traceloop.tracer",
    "langfuse-sdk",
    "langsmith",
    "pydantic-ai",
    "logfire.openai",
    "mlflow",
    "openlit",
    "langtrace_python_sdk",
    "litellm",
    "haystack",
    "semantic_kernel",
    "agent_framework",
    "gcp.vertex.agent",
    "strands.telemetry.tracer",
    "my.service",
];

/// Events of spans, and names of log records.
const EVENTS: &[&str] = &[
    "gen_ai.client.inference.operation.details",
    "gen_ai.system.message",
    "gen_ai.user.message",
    "gen_ai.assistant.message",
    "gen_ai.tool.message",
    "gen_ai.choice",
    "gen_ai.content.prompt",
    "gen_ai.content.completion",
    "gen_ai.evaluation.result",
    "db.query.result",
    "tool.output",
    "exception",
    "claude_code.api_request",
    "claude_code.user_prompt",
    "claude_code.tool_result",
    "codex.sse_event",
    "codex.user_prompt",
    "gemini_cli.api_response",
    "gemini_cli.user_prompt",
    "",
];

/// Keys of events and records, and keys that nobody maps.
const MORE_KEYS: &[&str] = &[
    "gen_ai.event.content",
    "content",
    "message",
    "tool_calls",
    "tool.result",
    "input",
    "output",
    "db.query.result.document",
    "exception.type",
    "exception.message",
    "event.name",
    "model",
    "prompt",
    "input_token_count",
    "output_token_count",
    "cached_token_count",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cost_usd",
    "annotations.0.annotation.name",
    "annotations.0.annotation.score",
    "trace.evaluations.1.evaluation.label",
    "gen_ai.eval.relevancy",
    "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.value",
    "metadata.team",
    "big",
    "big@1",
    "event:0:gen_ai.choice:message",
    "",
];

/// What follows the index of a flattened list.
const FLAT_MEMBERS: &[&str] = &[
    "message.role",
    "message.content",
    "role",
    "content",
    "finish_reason",
    "tool.json_schema",
    "document.content",
    "document.score",
    "embedding.text",
    "embedding.vector",
    "\"",
    "",
];

/// Names of members in the JSON that values hold.
const MEMBERS: &[&str] = &[
    "messages",
    "contents",
    "choices",
    "candidates",
    "generations",
    "replies",
    "input",
    "output",
    "chat_history",
    "documents",
    "results",
    "nodes",
    "tools",
    "function_tools",
    "system",
    "instructions",
    "system_instruction",
    "kwargs",
    "update",
    "data",
    "result",
    "config",
    "role",
    "type",
    "content",
    "parts",
    "text",
    "name",
    "arguments",
    "tool_calls",
    "function",
    "id",
    "usage",
    "input_tokens",
    "output_tokens",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "input_cache_read",
    "output_reasoning",
    "input_cache_write_5m",
    "finish_reason",
    "model",
    "temperature",
    "max_tokens",
    "page_content",
    "parameters",
    "metadata",
    "usage_metadata",
];

/// Texts that mean something somewhere.
const WORDS: &[&str] = &[
    "",
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "model",
    "ai",
    "human",
    "text",
    "LLM",
    "CHAT_MODEL",
    "AGENT",
    "TOOL",
    "RETRIEVER",
    "EMBEDDING",
    "RERANKER",
    "EVALUATOR",
    "generation",
    "chat",
    "embeddings",
    "execute_tool",
    "invoke_agent",
    "retrieval",
    "ai.generateText.doGenerate",
    "ai.embed.doEmbed",
    "ai.toolCall",
    "pending_span",
    "anthropic",
    "openai",
    "aws.bedrock",
    "gcp.gemini",
    "claude-sonnet-4",
    "gpt-4.1-mini",
    "gemini-2.5-flash",
    "openai/gpt-4.1",
    "None",
    "null",
    "true",
    "[]",
    "{}",
    "\\ud83d",
    "\\\"",
    "é",
    "stop",
    "0.25",
    "1e300",
    "-1",
    "NaN",
    "1e-320",
    "9223372036854775807",
    "Infinity",
    "2.50",
];

static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| mapped_keys().chain(MORE_KEYS.iter().copied()).collect());

/// A request of one or more spans or records that `data` describes; any bytes describe one.
pub(crate) fn request(signal: Signal, data: &[u8]) -> Vec<u8> {
    let mut choices = Unstructured::new(data);
    let mut resources = (Vec::new(), Vec::new());
    while !choices.is_empty() {
        let scope = choices.choose(SCOPES).map(|name| name.to_string()).unwrap_or_default();
        let scope = Some(InstrumentationScope { name: scope, ..Default::default() });
        match signal {
            Signal::Traces => {
                let scope_spans = vec![ScopeSpans { scope, spans: vec![span(&mut choices)], ..Default::default() }];
                resources.0.push(ResourceSpans { scope_spans, ..Default::default() });
            }
            Signal::Logs => {
                let scope_logs =
                    vec![ScopeLogs { scope, log_records: vec![record(&mut choices)], ..Default::default() }];
                resources.1.push(ResourceLogs { scope_logs, ..Default::default() });
            }
        }
    }
    match signal {
        Signal::Traces => ExportTraceServiceRequest { resource_spans: resources.0 }.encode_to_vec(),
        Signal::Logs => ExportLogsServiceRequest { resource_logs: resources.1 }.encode_to_vec(),
    }
}

// Where the input ends, what was built so far is what is tried.

fn span(choices: &mut Unstructured<'_>) -> Span {
    let mut span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..Default::default() };
    let mut fill = || -> Result<()> {
        span.name = choices.choose(WORDS)?.to_string();
        span.kind = choices.int_in_range(0..=5)?;
        span.start_time_unix_nano = choices.int_in_range(0..=2)?;
        span.end_time_unix_nano = choices.int_in_range(0..=2)?;
        span.status = Some(Status { code: choices.int_in_range(0..=2)?, message: choices.choose(WORDS)?.to_string() });
        attributes(choices, 12, &mut span.attributes)?;
        for _ in 0..choices.int_in_range(0..=3)? {
            let name = choices.choose(EVENTS)?.to_string();
            span.events.push(Event { name, time_unix_nano: choices.int_in_range(0..=3)?, ..Default::default() });
            attributes(choices, 4, &mut span.events.last_mut().expect("just pushed").attributes)?;
        }
        Ok(())
    };
    fill().ok();
    span
}

fn record(choices: &mut Unstructured<'_>) -> LogRecord {
    let mut record = LogRecord::default();
    let mut fill = || -> Result<()> {
        record.event_name = choices.choose(EVENTS)?.to_string();
        attributes(choices, 8, &mut record.attributes)?;
        record.body = Some(value(choices, 3)?);
        Ok(())
    };
    fill().ok();
    record
}

fn attributes(choices: &mut Unstructured<'_>, most: usize, into: &mut Vec<KeyValue>) -> Result<()> {
    for _ in 0..choices.int_in_range(0..=most)? {
        let mut key = choices.choose(&KEYS)?.to_string();
        if key.ends_with('.') {
            let index = choices.choose(&["0", "1", "2", "10", "02", "99999", "4294967296"])?;
            key = format!("{key}{index}.{}", choices.choose(FLAT_MEMBERS)?);
        }
        into.push(KeyValue { key, value: Some(value(choices, 3)?), ..Default::default() });
    }
    Ok(())
}

fn value(choices: &mut Unstructured<'_>, depth: usize) -> Result<AnyValue> {
    let value = match choices.int_in_range(0..=15)? {
        0 => Value::IntValue(choices.arbitrary()?),
        1 => Value::IntValue(choices.int_in_range(-1..=100)?),
        2 => Value::DoubleValue(choices.arbitrary()?),
        3 => Value::BoolValue(choices.arbitrary()?),
        4 => {
            let length = choices.int_in_range(0..=300)?;
            Value::BytesValue(choices.bytes(length.min(choices.len()))?.to_vec())
        }
        5 if depth > 0 => {
            let count = choices.int_in_range(0..=3)?;
            let values = (0..count).map(|_| value(choices, depth - 1)).collect::<Result<_>>()?;
            Value::ArrayValue(ArrayValue { values })
        }
        6 if depth > 0 => {
            let mut values = Vec::new();
            for _ in 0..choices.int_in_range(0..=3)? {
                let key = choices.choose(MEMBERS)?.to_string();
                values.push(KeyValue { key, value: Some(value(choices, depth - 1)?), ..Default::default() });
            }
            Value::KvlistValue(KeyValueList { values })
        }
        7 => Value::StringValue(choices.choose(WORDS)?.to_string()),
        8 => {
            let length = choices.int_in_range(0..=64)?;
            let bytes = choices.bytes(length.min(choices.len()))?;
            Value::StringValue(String::from_utf8_lossy(bytes).into_owned())
        }
        _ => Value::StringValue(text(choices)?),
    };
    Ok(AnyValue { value: Some(value) })
}

/// The text of a value: JSON, or what was JSON until somebody cut, quoted or padded it.
fn text(choices: &mut Unstructured<'_>) -> Result<String> {
    let mut text = String::new();
    json(choices, 6, &mut text)?;
    match choices.int_in_range(0..=11)? {
        0 => text.truncate(text.floor_char_boundary(choices.int_in_range(0..=text.len())?)),
        1 => text = serde_json::to_string(&text).expect("a string"),
        2 => text = text.replace('"', "'"),
        3 => text.push_str(&" ".repeat(300)),
        4 => text.push_str(&" ".repeat(4200)),
        5 => text.insert(
            text.floor_char_boundary(choices.int_in_range(0..=text.len())?),
            *choices.choose(&['"', '[', '}', '\\', 'é'])?,
        ),
        _ => {}
    }
    Ok(text)
}

fn json(choices: &mut Unstructured<'_>, depth: usize, out: &mut String) -> Result<()> {
    let shape = if depth == 0 { 0 } else { choices.int_in_range(0..=7)? };
    let list = |choices: &mut Unstructured<'_>| -> Result<(usize, &str)> {
        Ok((choices.int_in_range(0..=4)?, choices.choose(&[",", ", ", " ,\n"])?))
    };
    match shape {
        1..=3 => {
            let (count, separator) = list(choices)?;
            out.push('{');
            for i in 0..count {
                out.push_str(if i == 0 { "" } else { separator });
                out.push('"');
                out.push_str(choices.choose(MEMBERS)?);
                out.push_str(choices.choose(&["\":", "\": ", "\" : "])?);
                json(choices, depth - 1, out)?;
            }
            out.push('}');
        }
        4 | 5 => {
            let (count, separator) = list(choices)?;
            out.push('[');
            for i in 0..count {
                out.push_str(if i == 0 { "" } else { separator });
                json(choices, depth - 1, out)?;
            }
            out.push(']');
        }
        6 => out.push_str(&choices.arbitrary::<i64>()?.to_string()),
        7 => {
            // JSON inside a string.
            let mut inner = String::new();
            json(choices, depth - 1, &mut inner)?;
            out.push_str(&serde_json::to_string(&inner).expect("a string"));
        }
        _ => {
            out.push('"');
            out.push_str(choices.choose(WORDS)?);
            out.push('"');
        }
    }
    Ok(())
}
