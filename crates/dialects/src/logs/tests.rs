use tracewell_model::kind::{ErrorClass, InputSemantics};
use tracewell_otlp::AnyValue;

use super::*;
use crate::{Normalizer, rebuild};

fn strings<'a>(members: &[(&'a str, &'a str)]) -> Vec<KeyValue<'a>> {
    members.iter().map(|(key, value)| KeyValue { key, value: AnyValue::Str(value) }).collect()
}

fn read<'a>(scope: &'a str, event: &'a str, body: AnyValue<'a>, attributes: &[KeyValue<'a>]) -> Normalized<'a> {
    let mut out = Normalized::default();
    let input = LogInput { scope_name: scope, event_name: event, body, attributes, resource: &[] };
    Normalizer::new().log(&input, &mut out);
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
fn claude_tells_of_a_call_once_it_is_over() {
    let attributes = [
        KeyValue { key: "event.name", value: AnyValue::Str("api_request") },
        KeyValue { key: "input_tokens", value: AnyValue::Int(3) },
        KeyValue { key: "duration_ms", value: AnyValue::Str("1500") },
        KeyValue { key: "request_id", value: AnyValue::Str("req_1") },
        KeyValue { key: "prompt.id", value: AnyValue::Str("prompt-1") },
        KeyValue { key: "app.version", value: AnyValue::Str("2.1.0") },
    ];
    let out = read("com.anthropic.claude_code.events", "", AnyValue::Str("claude_code.api_request"), &attributes);
    assert_eq!((out.response_id.as_deref(), out.record.duration_ns), (Some("req_1"), Some(1_500_000_000)));
    assert_eq!((out.record.prompt_id.as_deref(), out.prompt_name), (Some("prompt-1"), None));
    assert_eq!((out.service_version.as_deref(), out.record.status), (Some("2.1.0"), None));
    assert_eq!(out.input_semantics, Some(InputSemantics::Exclusive));
    assert_eq!(out.usage_flags, ["cache_not_reported"], "what the cache took is not said");

    let attributes = strings(&[
        ("model", "claude-sonnet-5"),
        ("error", "429 rate_limit_error"),
        ("status_code", "429"),
        ("attempt", "11"),
        ("duration_ms", "93"),
    ]);
    let out = read("", "claude_code.api_error", AnyValue::Empty, &attributes);
    assert_eq!((out.kind, out.record.status), (Kind::Chat, Some("error")));
    assert_eq!((out.error_class, out.error_type.as_deref()), (Some(ErrorClass::RateLimit), None));
    assert_eq!(out.record.status_message.as_deref(), Some("429 rate_limit_error"));
    assert_eq!(out.usage, Default::default());

    // What stands beside the record of the call is no call.
    for event in ["claude_code.api_request_body", "claude_code.assistant_response", "claude_code.compaction"] {
        assert_eq!(read("", event, AnyValue::Empty, &[]).kind, Kind::Other, "{event}");
    }
}

#[test]
fn one_record_of_a_codex_call_stands_for_it() {
    let kind = |event, members: &[(&str, &str)]| {
        let attributes = strings(members);
        let out = read("codex_otel", event, AnyValue::Empty, &attributes);
        (out.kind, out.record.status, out.error_class)
    };
    let sent = [("http.response.status_code", "200"), ("attempt", "0"), ("duration_ms", "812")];
    assert_eq!(kind("codex.api_request", &sent), (Kind::Http, None, None));
    let refused = [("http.response.status_code", "503"), ("error.message", "overloaded")];
    assert_eq!(kind("codex.api_request", &refused), (Kind::Chat, Some("error"), Some(ErrorClass::Server)));
    assert_eq!(kind("codex.sse_event", &[("event.kind", "response.output_item.done")]).0, Kind::Other);
    assert_eq!(kind("codex.sse_event", &[("event.kind", "response.completed")]).0, Kind::Other);
    let broken = [("error.message", "idle timeout waiting for SSE: timed out")];
    assert_eq!(kind("codex.sse_event", &broken), (Kind::Chat, Some("error"), Some(ErrorClass::Timeout)));

    let completed = strings(&[
        ("event.kind", "response.completed"),
        ("duration_ms", "4"),
        ("model", "gpt-5-codex"),
        ("conversation.id", "conv-1"),
        ("user.account_id", "account-1"),
        ("input_token_count", "100"),
        ("output_token_count", "50"),
        ("cached_token_count", "64"),
        ("reasoning_token_count", "20"),
        ("tool_token_count", "150"),
    ]);
    let out = read("codex_otel", "codex.sse_event", AnyValue::Empty, &completed);
    assert_eq!((out.kind, out.request_model.as_deref()), (Kind::Chat, Some("gpt-5-codex")));
    assert_eq!((out.conversation_id.as_deref(), out.user_id.as_deref()), (Some("conv-1"), Some("account-1")));
    let usage = out.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(100), Some(50)));
    assert_eq!((usage.cache_read_tokens, usage.reasoning_tokens), (Some(64), Some(20)));
    assert_eq!(out.usage_flags, [""; 0], "the total is that of input and output");
    assert_eq!(out.record.duration_ns, None, "it waited so long for this event");
    let reported =
        out.usage_reported.iter().find(|(key, _)| key == "tool_token_count").map(|(_, count)| count.as_ref());
    assert_eq!(reported, Some("150"));
}

#[test]
fn gemini_leaves_thoughts_and_tools_out_of_its_counts() {
    let counts = |total| {
        strings(&[
            ("model", "gemini-3-pro"),
            ("status_code", "200"),
            ("duration_ms", "2100"),
            ("input_token_count", "100"),
            ("output_token_count", "50"),
            ("cached_content_token_count", "30"),
            ("thoughts_token_count", "20"),
            ("tool_token_count", "7"),
            ("total_token_count", total),
            ("finish_reasons", "[\"STOP\"]"),
        ])
    };
    let attributes = counts("177");
    let out = read("gemini-cli", "gemini_cli.api_response", AnyValue::Empty, &attributes);
    assert_eq!((out.dialect, out.kind), (Dialect::GeminiCli, Kind::Chat));
    assert_eq!((out.usage.input_tokens, out.usage.output_tokens), (Some(107), Some(70)));
    assert_eq!((out.usage.cache_read_tokens, out.usage.reasoning_tokens), (Some(30), Some(20)));
    assert_eq!((out.record.status, out.error_class, out.usage_flags.len()), (None, None, 0));
    assert_eq!((out.finish_reasons.as_slice(), out.record.duration_ns), (&["stop".into()][..], Some(2_100_000_000)));
    let attributes = counts("500");
    let out = read("gemini-cli", "gemini_cli.api_response", AnyValue::Empty, &attributes);
    assert_eq!(out.usage_flags, ["total_mismatch"]);
    assert_eq!(read("", "gemini_cli.api_request", AnyValue::Empty, &[]).kind, Kind::Other);
}

#[test]
fn details_of_an_inference_are_read_as_its_span() {
    let attributes = strings(&[
        ("gen_ai.operation.name", "generate_content"),
        ("gen_ai.request.model", "gemini-3-pro"),
        ("gen_ai.response.id", "r1"),
        ("gen_ai.usage.input_tokens", "11"),
        ("gen_ai.usage.output_tokens", "5"),
        ("gen_ai.response.finish_reasons", "[\"STOP\"]"),
        ("gen_ai.input.messages", "[{\"role\":\"user\",\"parts\":[]}]"),
    ]);
    let out = read("opentelemetry.util.genai", DETAILS_EVENT, AnyValue::Empty, &attributes);
    assert_eq!((out.kind, out.operation.as_deref()), (Kind::Chat, Some("generate_content")));
    assert_eq!((out.usage.input_tokens, out.usage.output_tokens), (Some(11), Some(5)));
    assert_eq!((out.response_id.as_deref(), out.finish_reasons.len(), out.input.len()), (Some("r1"), 1, 1));
    assert_eq!(read("", DETAILS_EVENT, AnyValue::Empty, &[]).kind, Kind::Chat);
    let attributes = strings(&[("gen_ai.operation.name", "invoke_agent")]);
    assert_eq!(read("", DETAILS_EVENT, AnyValue::Empty, &attributes).kind, Kind::Agent);
}

#[test]
fn a_tool_and_the_decision_on_it() {
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
    assert_eq!(
        (out.record.decision.as_deref(), out.record.decision_source.as_deref()),
        (Some("reject"), Some("user_reject"))
    );

    let attributes = strings(&[
        ("tool_name", "Bash"),
        ("tool_use_id", "toolu_2"),
        ("success", "false"),
        ("error_type", "ShellError"),
        ("decision_type", "accept"),
        ("decision_source", "config"),
    ]);
    let out = read("", "claude_code.tool_result", AnyValue::Empty, &attributes);
    assert_eq!((out.kind, out.record.status, out.error_class), (Kind::Tool, Some("error"), Some(ErrorClass::Tool)));
    assert_eq!((out.error_type.as_deref(), out.record.decision.as_deref()), (Some("ShellError"), Some("accept")));

    let attributes = [
        KeyValue { key: "function_name", value: AnyValue::Str("read_file") },
        KeyValue { key: "success", value: AnyValue::Bool(true) },
        KeyValue { key: "decision", value: AnyValue::Str("auto_accept") },
        KeyValue { key: "mcp_server_name", value: AnyValue::Str("files") },
    ];
    let out = read("", "gemini_cli.tool_call", AnyValue::Empty, &attributes);
    assert_eq!((out.kind, out.tool_name.as_deref(), out.record.status), (Kind::Tool, Some("read_file"), Some("ok")));
    assert_eq!((out.tool_type.as_deref(), out.record.decision.as_deref()), (Some("mcp"), Some("auto_accept")));
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
