//! Calls, tools and counts in a few words.

use crate::record::{ModelCall, RunRecord, Tokens, ToolCall};
use crate::render::{count, duration};

pub(super) type Facts = Vec<(&'static str, String)>;

pub(super) fn fact(facts: &mut Facts, name: &'static str, value: Option<String>) {
    facts.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
}

/// Those that are there, with `between` between them.
pub(super) fn joined(parts: &[Option<&str>], between: &str) -> Option<String> {
    let parts: Vec<&str> = parts.iter().flatten().copied().collect();
    (!parts.is_empty()).then(|| parts.join(between))
}

pub(super) fn tokens(tokens: &Tokens) -> String {
    let mut text = tokens_of(tokens.input_tokens, tokens.output_tokens).unwrap_or_else(|| "not told".to_owned());
    for (number, what) in [
        (tokens.cache_read_tokens, "read from cache"),
        (tokens.cache_write_tokens, "written to cache"),
        (tokens.reasoning_tokens, "reasoning"),
    ] {
        if let Some(number) = number {
            text += &format!(", {} {what}", count(number));
        }
    }
    if tokens.calls_without_usage > 0 {
        text += &format!("; {} calls tell none", tokens.calls_without_usage);
    }
    text
}

pub(super) fn tokens_of(input: Option<i64>, output: Option<i64>) -> Option<String> {
    let input = input.map(|number| format!("{} in", count(number)));
    let output = output.map(|number| format!("{} out", count(number)));
    joined(&[input.as_deref(), output.as_deref()], ", ")
}

pub(super) fn call_facts(call: &ModelCall) -> Facts {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>| fact(&mut facts, name, value);
    let asked =
        call.request_model.clone().filter(|asked| call.response_model.as_ref().is_some_and(|other| other != asked));
    add("asked for", asked);
    add("provider", joined(&[call.provider.as_deref(), call.service_tier.as_deref()], ", tier "));
    add("agent", call.agent_name.clone());
    let timing =
        [call.duration_ns.map(duration), call.ttft_ns.map(|ttft| format!("first token after {}", duration(ttft)))];
    add("took", joined(&timing.each_ref().map(Option::as_deref), ", "));
    add("started", Some(format!("after {}", duration(call.offset_ns))));
    let reported = Tokens {
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        cache_read_tokens: call.cache_read_tokens,
        cache_write_tokens: call.cache_write_tokens,
        reasoning_tokens: call.reasoning_tokens,
        calls_without_usage: 0,
    };
    add("tokens", Some(tokens(&reported)));
    add("cost", cost(call));
    add("reported cost", call.reported_cost_usd.as_ref().map(|cost| format!("{cost} USD")));
    add("parameters", Some(parameters(call)));
    add("finished", Some(call.finish_reasons.join(", ")));
    add(
        "prompt",
        joined(&[call.prompt_name.as_deref(), call.prompt_version.as_deref(), call.prompt_label.as_deref()], " "),
    );
    add("error", error(&call.error_class, &call.error_type, &call.status_message));
    let hashes = [("content", &call.content_hash), ("routing", &call.routing_hash), ("policy", &call.policy_hash)];
    let hashes = hashes.iter().filter_map(|(name, hash)| Some(format!("{name} {}", hash.as_ref()?.get(..8)?)));
    add("fingerprints", Some(hashes.collect::<Vec<_>>().join(", ")));
    add(
        "merged in",
        match call.duplicates.len() {
            0 => None,
            1 => Some("1 other span of the same call".to_owned()),
            many => Some(format!("{many} other spans of the same call")),
        },
    );
    add("odd", Some(call.usage_flags.join(", ")));
    facts
}

/// What a call cost and by which rule, or why that is not known.
fn cost(call: &ModelCall) -> Option<String> {
    match (&call.cost_usd, &call.unpriced_reason) {
        (Some(cost), _) => {
            let rule = call.price_rule.as_ref().map(|rule| format!("by {rule}"));
            let source = call.price_source.as_ref().map(|source| format!("({source})"));
            joined(&[Some(&format!("{cost} USD")), rule.as_deref(), source.as_deref()], " ")
        }
        (None, reason) => reason.as_ref().map(|reason| format!("not known: {reason}")),
    }
}

/// What a run cost, as far as that is known.
pub(super) fn run_cost(record: &RunRecord) -> Option<String> {
    let cost = record.cost_usd.as_ref().map(|cost| format!("{cost} USD"));
    let unpriced = (record.unpriced_calls > 0).then(|| format!("{} calls have no price", record.unpriced_calls));
    joined(&[cost.as_deref(), unpriced.as_deref()], "; ")
}

/// What was asked of the model beside its messages.
pub(crate) fn parameters(call: &ModelCall) -> String {
    let numbers = [
        ("temperature", call.temperature.map(|value| value.to_string())),
        ("top_p", call.top_p.map(|value| value.to_string())),
        ("max_tokens", call.max_tokens.map(|value| value.to_string())),
        ("seed", call.seed.map(|value| value.to_string())),
        ("stream", call.streaming.map(|value| value.to_string())),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    let others = call.request_params.iter().map(|(name, value)| format!("{name} {value}"));
    numbers.chain(others).collect::<Vec<_>>().join(", ")
}

fn error(class: &Option<String>, kind: &Option<String>, message: &Option<String>) -> Option<String> {
    joined(&[class.as_deref(), kind.as_deref(), message.as_deref()], ": ")
}

pub(super) fn tool_facts(tool: &ToolCall) -> Facts {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>| fact(&mut facts, name, value);
    add("call", tool.tool_call_id.clone());
    add("type", tool.tool_type.clone());
    add("agent", tool.agent_name.clone());
    add("took", tool.duration_ns.map(duration));
    add("started", Some(format!("after {}", duration(tool.offset_ns))));
    add("status", tool.status.clone());
    add("error", error(&tool.error_class, &tool.error_type, &tool.status_message));
    add("decided", joined(&[tool.decision.as_deref(), tool.decision_source.as_deref()], ", by "));
    add(
        "merged in",
        (tool.duplicate_spans > 0).then(|| format!("{} other spans of the same execution", tool.duplicate_spans)),
    );
    facts
}
