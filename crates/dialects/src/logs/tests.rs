use std::collections::BTreeMap;

use super::*;
use crate::rebuild;

fn strings<'a>(members: &[(&'a str, &'a str)]) -> Vec<KeyValue<'a>> {
    members.iter().map(|(key, value)| KeyValue { key, value: AnyValue::Str(value) }).collect()
}

fn read<'a>(scope: &'a str, event: &'a str, body: AnyValue<'a>, attributes: &[KeyValue<'a>]) -> Normalized<'a> {
    let mut out = Normalized::default();
    let input = LogInput { scope_name: scope, event_name: event, body, attributes, resource: &[] };
    log(&input, &mut out);
    out
}

#[test]
fn claude_counts_are_exclusive_of_the_cache() {
    let attributes = strings(&[
        ("event.name", "api_request"),
        ("model", "claude-sonnet-5"),
        ("input_tokens", "531"),
        ("cache_read_tokens", "2013"),
        ("cache_creation_tokens", "317"),
        ("output_tokens", "159"),
        ("cost_usd", "0.0123"),
        ("request_id", "req_1"),
        ("session.id", "sess-7f3a"),
        ("user.id", "installation"),
        ("user.account_uuid", "user-042"),
    ]);
    let out = read("com.anthropic.claude_code.events", "", AnyValue::Str("claude_code.api_request"), &attributes);
    assert_eq!((out.dialect, out.kind), (Dialect::ClaudeCode, Kind::Chat));
    assert_eq!(out.usage.input_tokens, Some(2861));
    assert_eq!(out.usage.output_tokens, Some(159));
    assert_eq!(out.reported_cost_usd.as_deref(), Some("0.0123"));
    assert_eq!(out.request_id.as_deref(), Some("req_1"));
    assert_eq!(out.conversation_id.as_deref(), Some("sess-7f3a"));
    assert_eq!(out.user_id.as_deref(), Some("user-042"));
}

#[test]
fn a_cost_is_a_decimal_and_a_count_is_not_negative() {
    let cost = |value| {
        let attributes = [KeyValue { key: "cost_usd", value }];
        let out = read("", "claude_code.api_request", AnyValue::Empty, &attributes);
        out.reported_cost_usd.map(Cow::into_owned)
    };
    assert_eq!(cost(AnyValue::Double(1.5e-7)).as_deref(), Some("0.00000015"));
    assert_eq!(cost(AnyValue::Str("2.5e-3")).as_deref(), Some("0.0025"));
    assert_eq!(cost(AnyValue::Str("unknown")), None);
    let attributes = strings(&[("input_tokens", "-1"), ("output_tokens", "-2")]);
    let out = read("", "claude_code.api_request", AnyValue::Empty, &attributes);
    assert_eq!((out.usage.input_tokens, out.usage.output_tokens, out.input_semantics), (None, None, None));
    assert_eq!(out.usage_flags, ["negative_count"]);
}

#[test]
fn a_flag_is_raised_once() {
    let attributes = strings(&[("tool_input", "{\"a\":"), ("output", "[\"b\"")]);
    assert_eq!(read("", "claude_code.tool_result", AnyValue::Empty, &attributes).flags, ["truncated"]);
}

#[test]
fn codex_includes_what_gemini_leaves_out() {
    let attributes =
        strings(&[("input_token_count", "100"), ("output_token_count", "50"), ("reasoning_token_count", "20")]);
    assert_eq!(read("", "codex.sse_event", AnyValue::Empty, &attributes).usage.output_tokens, Some(50));
    let attributes =
        strings(&[("input_token_count", "100"), ("output_token_count", "50"), ("thoughts_token_count", "20")]);
    assert_eq!(read("", "gemini_cli.api_response", AnyValue::Empty, &attributes).usage.output_tokens, Some(70));
}

#[test]
fn a_tool_decision_names_tool_and_decision() {
    let attributes = strings(&[
        ("tool_name", "Bash"),
        ("tool_use_id", "toolu_1"),
        ("decision", "reject"),
        ("source", "user_reject"),
    ]);
    let out = read("", "claude_code.tool_decision", AnyValue::Empty, &attributes);
    assert_eq!(
        (out.kind, out.tool_name.as_deref(), out.tool_call_id.as_deref()),
        (Kind::Human, Some("Bash"), Some("toolu_1"))
    );
    let metadata: BTreeMap<_, _> = out.metadata.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
    assert_eq!((metadata["decision"], metadata["source"]), ("reject", "user_reject"));
}

#[test]
fn a_request_body_is_cut_into_messages_and_rebuilt() {
    let body = r#"{"model":"m","system":"Be kind.","messages":[{"role":"user","content":"Where?"},{"role":"assistant","content":"Here."}],"tools":[{"name":"f"}]}"#;
    let attributes = strings(&[("body", body)]);
    let out = read("", "claude_code.api_request_body", AnyValue::Empty, &attributes);
    let roles: Vec<_> = out.input.iter().map(|piece| piece.role.as_deref()).collect();
    assert_eq!(roles, [Some("user"), Some("assistant"), None]);
    assert_eq!(out.tools.as_ref().map(|tools| tools.bytes.as_ref()), Some(r#"[{"name":"f"}]"#));
    assert_eq!(out.system.as_ref().map(|system| system.bytes.as_ref()), Some(r#""Be kind.""#));
    assert_eq!((out.moved.as_slice(), out.moved_body), (&[0][..], false));
    assert_eq!(rebuild::attribute("body", &rebuild::parts(&out)).as_deref(), Some(body));
}

#[test]
fn a_body_that_is_a_json_string_is_one_message() {
    let attributes = strings(&[("event.name", "gen_ai.user.message"), ("gen_ai.system", "openai")]);
    let out = read("semantic_kernel.x", "", AnyValue::Str(r#"{"role": "user", "content": "Where?"}"#), &attributes);
    assert_eq!(out.dialect, Dialect::SemanticKernel);
    assert!(out.moved_body && out.moved.is_empty());
    assert_eq!((out.input.len(), out.input[0].form, out.input[0].source.as_ref()), (1, Form::Event, "body"));
    assert_eq!(out.input[0].role.as_deref(), Some("user"));
}

#[test]
fn a_plain_record_is_left_alone() {
    let attributes = strings(&[("prompt", "x"), ("body", "y")]);
    let out = read("app", "", AnyValue::Str("started"), &attributes);
    assert_eq!((out.dialect, out.operation, out.moved.len(), out.moved_body), (Dialect::Plain, None, 0, false));
}
