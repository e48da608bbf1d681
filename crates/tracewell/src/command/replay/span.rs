//! A call as an application would have sent it: one span by OpenTelemetry's GenAI conventions, marked as a trial.

use serde_json::{Value, json};
use tracewell_ledger::trials::attributes;
use tracewell_regression::candidate::{Request, wire};

use super::super::paid::{Failed, Outcome};
use super::Try;

/// What all trials of a replay are marked with.
pub(super) struct Marks {
    pub(super) dataset: String,
    pub(super) candidate: String,
    pub(super) candidate_hash: String,
    pub(super) replay: String,
}

/// An export of one span as OTLP JSON. What has no answer took from when it was `began` until now, with every try.
pub(super) fn span(
    kind: wire::Kind,
    marks: &Marks,
    Try { example, repetition }: Try<'_>,
    request: &Request,
    began: i64,
    outcome: &Result<Outcome, Failed>,
) -> Value {
    let mut attributes = vec![
        text(attributes::EXAMPLE, &example.id),
        number(attributes::REVISION, i64::from(example.revision)),
        text(attributes::DATASET, &marks.dataset),
        text(attributes::CANDIDATE, &marks.candidate),
        text(attributes::CANDIDATE_HASH, &marks.candidate_hash),
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
    let format = request.response_format.as_ref().map(|format| ("response_format", format));
    let parameters = request.parameters.iter().map(|(name, value)| (name.as_str(), value)).chain(format);
    // What the interface does not take was not sent.
    attributes.extend(parameters.filter(|(name, _)| kind.takes(name)).map(|(name, value)| parameter(name, value)));
    let (start, end, status) = match outcome {
        Ok(Outcome { start, end, response }) => {
            attributes.extend(answered(response));
            (*start, *end, json!({}))
        }
        Err(failed) => {
            attributes.push(text("error.type", &failed.kind()));
            (began, crate::clock::now(), json!({ "code": 2, "message": failed.to_string() }))
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

/// A parameter as an attribute, by OpenTelemetry's name where it has one. What attributes cannot be is JSON.
fn parameter(name: &str, value: &Value) -> Value {
    let key = match name {
        "max_completion_tokens" => "gen_ai.request.max_tokens".to_owned(),
        "stop" => "gen_ai.request.stop_sequences".to_owned(),
        "service_tier" => "openai.request.service_tier".to_owned(),
        name => format!("gen_ai.request.{name}"),
    };
    let value = match value {
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": value }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Bool(_) => json!({ "boolValue": value }),
        Value::String(_) => json!({ "stringValue": value }),
        other => json!({ "stringValue": other.to_string() }),
    };
    json!({ "key": key, "value": value })
}

#[cfg(test)]
mod tests {
    use tracewell_regression::Example;

    use super::*;

    #[test]
    fn a_trial_says_all_that_was_asked_for() {
        let parameters = json!({"temperature": 0.5, "seed": 7, "tool_choice": "required", "reasoning_effort": "low",
            "parallel_tool_calls": false, "stop": ["END"]});
        let request = Request {
            model: "m".to_owned(),
            parameters: parameters.as_object().unwrap().clone(),
            response_format: Some(json!({"type": "json_object"})),
            ..Request::default()
        };
        let [dataset, candidate, candidate_hash, replay] = ["d@v1", "c", "h", "r"].map(str::to_owned);
        let marks = Marks { dataset, candidate, candidate_hash, replay };
        let attributes = |kind| {
            let failed = Err(Failed::Unreachable("gone".to_owned()));
            let example = Example::default();
            let export = span(kind, &marks, Try { example: &example, repetition: 1 }, &request, 0, &failed);
            export["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"].clone()
        };
        let of = |attributes: &Value, key: &str| {
            let found = attributes.as_array().unwrap().iter().find(|one| one["key"] == key);
            found.map(|one| one["value"].clone())
        };
        let all = attributes(wire::Kind::OpenAi);
        for (key, value) in [
            ("gen_ai.request.temperature", json!({"doubleValue": 0.5})),
            ("gen_ai.request.seed", json!({"intValue": "7"})),
            ("gen_ai.request.tool_choice", json!({"stringValue": "required"})),
            ("gen_ai.request.reasoning_effort", json!({"stringValue": "low"})),
            ("gen_ai.request.parallel_tool_calls", json!({"boolValue": false})),
            ("gen_ai.request.stop_sequences", json!({"stringValue": "[\"END\"]"})),
            ("gen_ai.request.response_format", json!({"stringValue": "{\"type\":\"json_object\"}"})),
        ] {
            assert_eq!(of(&all, key), Some(value), "{key}");
        }
        // Anthropic takes no seed, so none was sent.
        let anthropic = attributes(wire::Kind::Anthropic);
        assert_eq!(of(&anthropic, "gen_ai.request.seed"), None);
        assert!(of(&anthropic, "gen_ai.request.temperature").is_some());
    }
}
