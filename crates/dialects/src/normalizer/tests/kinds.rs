//! What a span stands for.

use super::*;

#[test]
fn each_dialect_s_word_is_known() {
    for (scope, name, key, value, kind) in [
        ("langfuse-sdk", "x", "langfuse.observation.type", "generation", Kind::Chat),
        ("langfuse-sdk", "x", "langfuse.observation.type", "retriever", Kind::Retrieval),
        ("langfuse-sdk", "x", "langfuse.observation.type", "event", Kind::Other),
        ("langfuse-sdk", "x", "langfuse.observation.type", "span", Kind::Chain),
        ("mlflow.tracing", "x", "mlflow.spanType", "\"CHAT_MODEL\"", Kind::Chat),
        ("mlflow.tracing", "x", "mlflow.spanType", "\"LLM\"", Kind::Completion),
        ("mlflow.tracing", "x", "mlflow.spanType", "\"PARSER\"", Kind::Chain),
        ("mlflow.tracing", "x", "mlflow.spanType", "\"UNKNOWN\"", Kind::Chain),
        ("app", "x", "openinference.span.kind", "llm", Kind::Chat),
        ("app", "x", "openinference.span.kind", "CHAIN", Kind::Chain),
        ("app", "x", "openinference.span.kind", "PROMPT", Kind::Prompt),
        ("app", "x", "openinference.span.kind", "UNKNOWN", Kind::Other),
        ("langsmith", "x", "langsmith.span.kind", "parser", Kind::Chain),
        ("app", "x", "gen_ai.operation.name", "generate_content", Kind::Chat),
        ("app", "x", "gen_ai.operation.name", "create_agent", Kind::Other),
        ("app", "x", "gen_ai.operation.name", "search_memory", Kind::Retrieval),
        ("app", "x", "gen_ai.operation.name", "delete_memory", Kind::Other),
        ("app", "x", "gen_ai.operation.name", "fetch_response", Kind::Other),
        ("gemini-cli", "llm_call", "gen_ai.operation.name", "llm_call", Kind::Chat),
        ("gemini-cli", "agent_call", "gen_ai.operation.name", "agent_call", Kind::Agent),
        ("gemini-cli", "tool_call", "gen_ai.operation.name", "tool_call", Kind::Other),
        ("litellm", "litellm_request", "gen_ai.operation.name", "embedding", Kind::Embedding),
        (
            "opentelemetry.instrumentation.openai.v1",
            "openai.completion",
            "llm.request.type",
            "completion",
            Kind::Completion,
        ),
        ("opentelemetry.instrumentation.anthropic", "anthropic.chat", "llm.request.type", "completion", Kind::Chat),
        ("traceloop.tracer", "x.task", "traceloop.span.kind", "task", Kind::Chain),
        ("ai", "ai.streamText.doStream", "ai.operationId", "ai.streamText.doStream", Kind::Chat),
        ("ai", "ai.streamText", "ai.operationId", "ai.streamText", Kind::Chain),
        ("ai", "ai.embed", "ai.operationId", "ai.embed", Kind::Chain),
        ("ai", "ai.embedMany.doEmbed", "ai.operationId", "ai.embedMany.doEmbed", Kind::Embedding),
        ("ai", "ai.toolCall", "ai.operationId", "ai.toolCall", Kind::Tool),
        ("haystack", "haystack.component.run", "haystack.component.type", "OpenAIChatGenerator", Kind::Chat),
        ("haystack", "haystack.component.run", "haystack.component.type", "ConditionalRouter", Kind::Chain),
        ("haystack", "haystack.agent.step.llm", "haystack.agent.step", "1", Kind::Chat),
        ("langtrace_python_sdk.x", "x", "langtrace.service.type", "vectordb", Kind::Retrieval),
        ("app", "claude_code.tool.blocked_on_user", "span.type", "tool.blocked_on_user", Kind::Human),
        ("app", "claude_code.llm_request", "span.type", "llm_request", Kind::Chat),
        ("app", "x", "spring.ai.kind", "vector_store", Kind::Retrieval),
        ("org.springframework.boot", "x", "spring.ai.kind", "chat_client", Kind::Chain),
        ("fastmcp", "tools/call x", "mcp.method.name", "tools/call", Kind::Tool),
        ("fastmcp", "x", "mcp.method.name", "elicitation/create", Kind::Human),
        ("fastmcp", "x", "mcp.method.name", "tools/list", Kind::Mcp),
        ("litellm", "execute_guardrail pii", "litellm.guardrail.name", "pii", Kind::Guardrail),
        ("litellm", "raw_gen_ai_request", "llm.openai.model", "gpt-4.1-mini", Kind::Other),
        ("app", "SELECT", "db.system", "postgresql", Kind::Other),
    ] {
        assert_eq!(of(scope, name, &[text(key, value)]).kind, kind, "{key}={value}");
    }
}

#[test]
fn a_chain_at_the_root_is_a_workflow() {
    let attributes = [text("openinference.span.kind", "CHAIN")];
    let out = read(&SpanInput { is_root: true, ..span("app", "seed_run", &attributes) });
    assert_eq!((out.kind, out.workflow_name.as_deref()), (Kind::Workflow, Some("seed_run")));
}

#[test]
fn a_tool_asked_for_makes_no_tool_span() {
    let out = of(
        "openlit.otel.tracing",
        "chat m",
        &[text("gen_ai.operation.name", "chat"), text("gen_ai.tool.name", "a, b")],
    );
    assert_eq!((out.kind, out.tool_name), (Kind::Chat, None));
}

#[test]
fn langsmith_retrievers_say_embeddings() {
    let attributes = [text("gen_ai.operation.name", "embeddings"), text("langsmith.span.kind", "retriever")];
    let out = of("langsmith", "NotesRetriever", &attributes);
    assert_eq!((out.kind, out.operation.as_deref()), (Kind::Retrieval, Some("embeddings")));
}

#[test]
fn mlflow_models_with_messages_chat() {
    let attributes = [text("mlflow.spanType", "\"LLM\""), text("mlflow.spanInputs", "{\"messages\": []}")];
    assert_eq!(of("mlflow.tracing", "x", &attributes).kind, Kind::Chat);
}

#[test]
fn placeholders_of_logfire_are_flagged() {
    let out = of("logfire", "x", &[text("logfire.span_type", "pending_span")]);
    assert_eq!((out.dialect, out.flags.as_slice()), (Dialect::Logfire, &["pending_span"][..]));
}

#[test]
fn a_search_in_a_vector_store_is_a_retrieval() {
    let attributes = [text("db.system", "pinecone"), text("db.operation", "query")];
    assert_eq!(of("opentelemetry.instrumentation.pinecone", "pinecone.query", &attributes).kind, Kind::Retrieval);
}
