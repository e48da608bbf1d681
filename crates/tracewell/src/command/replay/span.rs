//! A call as an application would have sent it: one span by OpenTelemetry's GenAI conventions, marked as a trial.

use serde_json::{Value, json};
use tracewell_ledger::trials::attributes;
use tracewell_regression::Example;
use tracewell_regression::candidate::{Request, wire};

use super::super::paid::{Failed, Outcome};

/// What all trials of a replay are marked with.
pub(super) struct Marks {
    pub(super) dataset: String,
    pub(super) candidate: String,
    pub(super) replay: String,
}

/// An export of one span as OTLP JSON.
pub(super) fn span(
    kind: wire::Kind,
    marks: &Marks,
    example: &Example,
    repetition: u32,
    request: &Request,
    outcome: &Result<Outcome, Failed>,
) -> Value {
    let mut attributes = vec![
        text(attributes::EXAMPLE, &example.id),
        number(attributes::REVISION, i64::from(example.revision)),
        text(attributes::DATASET, &marks.dataset),
        text(attributes::CANDIDATE, &marks.candidate),
        number(attributes::REPETITION, i64::from(repetition)),
        text(attributes::REPLAY, &marks.replay),
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", kind.provider()),
        text("gen_ai.request.model", &request.model),
        text("gen_ai.input.messages", &wire::telemetry(&request.messages).to_string()),
    ];
    if !request.tools.is_empty() {
        attributes.push(text("gen_ai.tool.definitions", &json!(request.tools).to_string()));
    }
    if let Some((name, version)) = marks.candidate.rsplit_once('@') {
        attributes.extend([text("gen_ai.prompt.name", name), text("gen_ai.prompt.version", version)]);
    }
    for (parameter, attribute) in [
        ("temperature", "gen_ai.request.temperature"),
        ("top_p", "gen_ai.request.top_p"),
        ("max_tokens", "gen_ai.request.max_tokens"),
        ("max_completion_tokens", "gen_ai.request.max_tokens"),
        ("seed", "gen_ai.request.seed"),
    ] {
        attributes.extend(request.parameters.get(parameter).and_then(|value| any(attribute, value)));
    }
    let now = crate::command::now();
    let (start, end, status) = match outcome {
        Ok(Outcome { start, end, response }) => {
            attributes.extend(answered(response));
            (*start, *end, json!({}))
        }
        Err(failed) => {
            attributes.push(text("error.type", &failed.kind()));
            (now, now, json!({ "code": 2, "message": failed.to_string() }))
        }
    };
    let identity = json!([marks.replay, example.id, example.revision, repetition, start]).to_string();
    let identity = tracewell_regression::fingerprint(identity.as_bytes());
    let span = json!({
        "traceId": identity[..32], "spanId": identity[32..48], "name": format!("chat {}", request.model), "kind": 3,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.max(start).to_string(), "status": status,
        "attributes": attributes,
    });
    let scope = json!({ "name": "tracewell.replay", "version": env!("CARGO_PKG_VERSION") });
    let resource = json!({ "attributes": [text("service.name", "tracewell-replay")] });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": scope, "spans": [span] }] }] })
}

fn answered(response: &wire::Response) -> Vec<Value> {
    let output = wire::telemetry_of_answer(&response.answer, response.finish_reason.as_deref());
    let mut attributes = vec![text("gen_ai.output.messages", &output.to_string())];
    let used = response.usage;
    for (name, said) in [
        ("gen_ai.response.id", &response.id),
        ("gen_ai.response.model", &response.model),
        ("openai.response.service_tier", &response.service_tier),
    ] {
        attributes.extend(said.as_ref().map(|said| text(name, said)));
    }
    for (name, count) in [
        ("gen_ai.usage.input_tokens", used.input),
        ("gen_ai.usage.output_tokens", used.output),
        ("gen_ai.usage.cache_read.input_tokens", used.cache_read),
        ("gen_ai.usage.cache_creation.input_tokens", used.cache_write),
        ("gen_ai.usage.reasoning.output_tokens", used.reasoning),
    ] {
        attributes.extend(count.map(|count| number(name, count)));
    }
    if let Some(reason) = &response.finish_reason {
        let reasons = json!({ "arrayValue": { "values": [{ "stringValue": reason }] } });
        attributes.push(json!({ "key": "gen_ai.response.finish_reasons", "value": reasons }));
    }
    attributes
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: i64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// A parameter as an attribute, where it is one that attributes can be.
fn any(key: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Number(number_value) if number_value.is_f64() => {
            Some(json!({ "key": key, "value": { "doubleValue": value } }))
        }
        Value::Number(_) => Some(number(key, value.as_i64()?)),
        Value::String(said) => Some(text(key, said)),
        _ => None,
    }
}
