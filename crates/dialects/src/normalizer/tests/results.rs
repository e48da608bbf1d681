//! What came of it.

use super::*;

#[test]
fn a_first_token_has_many_units() {
    let first = |attribute| of("app", "x", &[text("gen_ai.operation.name", "chat"), attribute]).ttft_ns;
    assert_eq!(first(double("gen_ai.response.time_to_first_chunk", 0.172_404_701)), Some(172_404_701));
    assert_eq!(first(double("gen_ai.server.time_to_first_token", 0.25)), Some(250_000_000));
    assert_eq!(first(int("gen_ai.server.time_to_first_token", 250)), Some(250_000_000));
    assert_eq!(first(double("ai.response.msToFirstChunk", 171.5)), Some(171_500_000));
    let quoted = text("langfuse.observation.completion_start_time", "\"2026-11-21T06:01:40.105603Z\"");
    assert_eq!(first(quoted), Some(105_603_000));
}

#[test]
fn openlit_states_the_latency_of_calls_that_were_not_streamed() {
    let attributes = [
        text("gen_ai.operation.name", "chat"),
        double("gen_ai.server.time_to_first_token", 0.9),
        flag("gen_ai.request.is_stream", false),
    ];
    let out = of("openlit.instrumentation.openai", "chat", &attributes);
    assert_eq!((out.ttft_ns, out.streaming), (None, Some(false)));
}

#[test]
fn finish_reasons_come_in_many_forms() {
    let reasons =
        |attribute| of("app", "x", &[text("gen_ai.operation.name", "chat"), attribute]).finish_reasons.join(",");
    assert_eq!(reasons(text("gen_ai.response.finish_reason", "FinishReason.TOOL_CALLS")), "tool_calls");
    assert_eq!(reasons(text("gen_ai.response.finish_reasons", "[\"stop\", \"length\"]")), "stop,length");
    assert_eq!(reasons(text("ai.response.finishReason", "content-filter")), "content_filter");
    assert_eq!(reasons(text("gen_ai.completion.0.finish_reason", "end_turn")), "stop");
    assert_eq!(
        reasons(text("gen_ai.output.messages", r#"[{"role": "assistant", "finish_reason": "tool_call"}]"#)),
        "tool_calls"
    );
    assert_eq!(reasons(text("gen_ai.response.finish_reasons", "[\"pause_turn\"]")), "pause_turn");
}

#[test]
fn finish_reasons_may_stand_in_the_messages_of_an_event() {
    let messages = r#"[{"role": "assistant", "parts": [], "finish_reason": "tool_use"}]"#;
    let members = serde_json::json!({"events": [{
        "name": "gen_ai.client.inference.operation.details",
        "attributes": [{"key": "gen_ai.output.messages", "value": {"stringValue": messages}}],
    }]});
    crate::fixtures::span_of(Kind::Chat, &members, |span, _| {
        let attributes = [text("gen_ai.operation.name", "chat")];
        assert_eq!(read(&SpanInput { attributes: &attributes, ..*span }).finish_reasons, ["tool_calls"]);
    });
}

#[test]
fn logfire_states_what_was_asked_for_in_the_request_s_body() {
    let body = r#"{"messages": [{"role": "user", "content": "Where?"}], "model": "m", "stream": true, "seed": 7}"#;
    let out = of("logfire.openai", "Chat Completion with {request_data[model]!r}", &[text("request_data", body)]);
    assert_eq!((out.kind, out.streaming), (Kind::Chat, Some(true)));
    assert_eq!((out.request_model.as_deref(), out.seed), (Some("m"), Some(7)));
}

#[test]
fn defaults_that_nobody_asked_for_are_left_out() {
    let zeros = [
        text("gen_ai.operation.name", "chat"),
        double("gen_ai.request.frequency_penalty", 0.0),
        int("gen_ai.request.seed", 0),
        text("gen_ai.request.user", ""),
    ];
    let out = of("openlit.instrumentation.openai", "chat", &zeros);
    assert_eq!((out.seed, out.user_id, out.request_params.len()), (None, None, 0));
    assert_eq!(of("app", "chat", &zeros).seed, Some(0));
}

#[test]
fn mlflow_states_what_was_asked_for_by_bare_words() {
    let words = [
        text("service_tier", "\"flex\""),
        text("reasoning", r#"{"effort": "low"}"#),
        text("thinking", r#"{"type": "enabled", "budget_tokens": 1024}"#),
        text("text", r#"{"format": {"type": "json_object"}}"#),
    ];
    let asked = |mark: KeyValue<'static>| {
        let attributes: Vec<_> = [mark].into_iter().chain(words).collect();
        of("app", "x", &attributes)
    };
    let out = asked(text("mlflow.spanType", "\"CHAT_MODEL\""));
    assert_eq!(out.service_tier.as_deref(), Some("flex"));
    assert_eq!(
        out.request_params,
        [
            ("response_format", r#"{"type": "json_object"}"#.into()),
            ("reasoning_effort", "low".into()),
            ("thinking_budget", "1024".into()),
            ("service_tier", "flex".into()),
        ]
    );
    let out = asked(text("gen_ai.operation.name", "chat"));
    assert_eq!((out.service_tier, out.request_params.len()), (None, 0), "others may mean anything by them");
}

#[test]
fn spring_asks_for_dimensions() {
    let attributes = [text("gen_ai.operation.name", "embedding"), text("gen_ai.request.embedding.dimensions", "512")];
    let out = of("org.springframework.boot", "embedding m", &attributes);
    assert_eq!((out.dialect, out.kind), (Dialect::SpringAi, Kind::Embedding));
    assert_eq!(out.request_params, [("dimensions", "512".into())]);
}

#[test]
fn a_failure_may_be_said_without_a_status() {
    let attributes = [
        text("langfuse.observation.type", "generation"),
        text("langfuse.observation.level", "ERROR"),
        text("langfuse.observation.status_message", "Error code: 429 - Rate limit reached"),
        text("langfuse.observation.model.name", "gpt-4.1-mini"),
    ];
    let out = of("langfuse-sdk", "x", &attributes);
    assert_eq!((out.error_type, out.error_class), (None, Some(ErrorClass::RateLimit)));
    // Without a response the model is the one asked for.
    assert_eq!((out.request_model.as_deref(), out.response_model), (Some("gpt-4.1-mini"), None));
}

#[test]
fn a_plain_span_may_fail_too() {
    let attributes = [text("error.type", "java.net.SocketTimeoutException"), int("http.response.status_code", 504)];
    let out = read(&SpanInput { status_code: 2, ..span("http-client", "GET", &attributes) });
    assert_eq!((out.dialect, out.error_class), (Dialect::Plain, Some(ErrorClass::Timeout)));
    let unset = [int("http.response.status_code", 404)];
    assert_eq!(of("http-server", "GET", &unset).error_class, None);
}
