//! Which dialect a span is of.

use super::*;

#[test]
fn the_scope_counts_more_than_the_attributes() {
    let attributes = [text("langfuse.observation.type", "tool"), text("gen_ai.operation.name", "chat")];
    assert_eq!(of("com.anthropic.sdk.python", "x", &attributes).dialect, Dialect::AnthropicSdk);
    assert_eq!(of("app", "x", &attributes).dialect, Dialect::Langfuse);
    assert_eq!(of("app", "x", &attributes[1..]).dialect, Dialect::OtelGenAi);
}

#[test]
fn a_span_without_a_fingerprint_is_plain() {
    let attributes = [
        text("http.request.method", "GET"),
        text("traceloop.association.properties.user_id", "user-042"),
        text("session.id", "sess-7f3a"),
        text("model", "T"),
    ];
    let out = of("opentelemetry.instrumentation.requests", "GET", &attributes);
    assert_eq!((out.dialect, out.kind, out.operation), (Dialect::Plain, Kind::Http, None));
    // Copied onto every span of a request: it says whose run this is.
    assert_eq!((out.user_id.as_deref(), out.conversation_id.as_deref()), (Some("user-042"), Some("sess-7f3a")));
    assert_eq!(out.request_model, None);
}

#[test]
fn emitters_under_the_application_s_scope_are_told_apart() {
    let chat = text("gen_ai.operation.name", "chat");
    assert_eq!(of("app", "x", &[chat, text("telemetry.sdk.name", "openlit")]).dialect, Dialect::OpenLit);
    assert_eq!(of("app", "x", &[chat, text("gen_ai.system", "strands-agents")]).dialect, Dialect::Strands);
    let resource = [text("telemetry.sdk.name", "openlit")];
    assert_eq!(read(&SpanInput { resource: &resource, ..span("app", "x", &[chat]) }).dialect, Dialect::OpenLit);
}

#[test]
fn another_vocabulary_fills_what_the_dialect_leaves_open() {
    let out = of(
        "langsmith",
        "ChatOpenAI",
        &[text("langsmith.span.kind", "llm"), text("gen_ai.request.model", "m"), int("gen_ai.usage.input_tokens", 7)],
    );
    assert_eq!((out.kind, out.request_model.as_deref(), out.usage.input_tokens), (Kind::Chat, Some("m"), Some(7)));
}

#[test]
fn a_dialect_that_has_no_attributes_is_known_by_its_scope() {
    assert_eq!(of("langtrace_python_sdk.instrumentation", "root", &[]).dialect, Dialect::Langtrace);
}
