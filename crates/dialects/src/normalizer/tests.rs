//! Rules of single dialects, on spans as the dialects' own documentation and captures describe them.

use tracewell_model::kind::{Dialect, ErrorClass, InputSemantics, Kind};
use tracewell_otlp::{AnyValue, KeyValue};

use super::Normalizer;
use crate::input::SpanInput;
use crate::normalized::Normalized;

const START: u64 = 1_795_240_900_000_000_000;

fn text<'a>(key: &'a str, value: &'a str) -> KeyValue<'a> {
    KeyValue { key, value: AnyValue::Str(value) }
}

fn int(key: &str, value: i64) -> KeyValue<'_> {
    KeyValue { key, value: AnyValue::Int(value) }
}

fn double(key: &str, value: f64) -> KeyValue<'_> {
    KeyValue { key, value: AnyValue::Double(value) }
}

fn flag(key: &str, value: bool) -> KeyValue<'_> {
    KeyValue { key, value: AnyValue::Bool(value) }
}

fn span<'s, 'a>(scope_name: &'a str, name: &'a str, attributes: &'s [KeyValue<'a>]) -> SpanInput<'s, 'a> {
    SpanInput {
        scope_name,
        scope_version: "",
        name,
        span_kind: 1,
        status_code: 0,
        status_message: "",
        is_root: false,
        start_unix_nano: START,
        end_unix_nano: START + 1_000_000_000,
        attributes,
        resource: &[],
        events: &[],
    }
}

fn read<'a>(span: &SpanInput<'_, 'a>) -> Normalized<'a> {
    let mut out = Normalized::default();
    Normalizer::new().span(span, &mut out);
    out
}

fn of<'a>(scope: &'a str, name: &'a str, attributes: &[KeyValue<'a>]) -> Normalized<'a> {
    read(&span(scope, name, attributes))
}

fn tokens(out: &Normalized<'_>) -> [Option<i64>; 5] {
    let usage = &out.usage;
    [usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens]
}

mod dialects {
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
}

mod kinds {
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
            ("litellm", "litellm_request", "gen_ai.operation.name", "embedding", Kind::Embedding),
            ("opentelemetry.instrumentation.openai.v1", "openai.completion", "llm.request.type", "completion", Kind::Completion),
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
        let out = of("openlit.otel.tracing", "chat m", &[text("gen_ai.operation.name", "chat"), text("gen_ai.tool.name", "a, b")]);
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
}

mod usage {
    use super::*;

    const CLAUDE: &str = "claude-sonnet-4-5";

    fn chat<'a>(scope: &'a str, more: &[KeyValue<'a>]) -> Normalized<'a> {
        let mut attributes = vec![text("gen_ai.operation.name", "chat")];
        attributes.extend(more);
        of(scope, "chat", &attributes)
    }

    fn anthropic<'a>(scope: &'a str, more: &[KeyValue<'a>]) -> Normalized<'a> {
        let mut attributes = vec![
            text("gen_ai.system", "anthropic"),
            text("gen_ai.request.model", CLAUDE),
            int("gen_ai.usage.input_tokens", 531),
            int("gen_ai.usage.output_tokens", 159),
            int("gen_ai.usage.total_tokens", 690),
        ];
        attributes.extend(more);
        chat(scope, &attributes)
    }

    #[test]
    fn openlit_leaves_anthropic_s_cache_out() {
        let cache = [int("gen_ai.usage.cache_read.input_tokens", 2013), int("gen_ai.usage.cache_creation.input_tokens", 317)];
        let out = anthropic("openlit.instrumentation.anthropic", &cache);
        assert_eq!(tokens(&out), [Some(2861), Some(159), Some(2013), Some(317), None]);
        assert_eq!((out.input_semantics, out.usage_flags.len()), (Some(InputSemantics::Exclusive), 0));
        assert!(out.usage_reported.contains(&("gen_ai.usage.input_tokens".into(), "531".into())));
    }

    #[test]
    fn zeros_of_openlit_are_no_facts() {
        let zeros = [int("gen_ai.usage.cache_read.input_tokens", 0), int("gen_ai.usage.cache_creation.input_tokens", 0)];
        let out = anthropic("openlit.instrumentation.anthropic", &zeros);
        assert_eq!(tokens(&out), [Some(531), Some(159), None, None, None]);
        assert_eq!(out.usage_flags, ["cache_not_reported"]);
        assert!(out.usage_reported.contains(&("gen_ai.usage.cache_read.input_tokens".into(), "0".into())));
    }

    #[test]
    fn langtrace_drops_anthropic_s_cache() {
        let out = anthropic("langtrace_python_sdk.instrumentation.anthropic", &[]);
        assert_eq!((out.usage.input_tokens, out.input_semantics), (Some(531), Some(InputSemantics::Exclusive)));
        assert_eq!(out.usage_flags, ["cache_not_reported"]);
    }

    #[test]
    fn langtrace_counts_openai_s_cache_inside() {
        let out = chat(
            "langtrace_python_sdk.instrumentation.openai",
            &[
                text("gen_ai.system", "openai"),
                int("gen_ai.usage.input_tokens", 1101),
                int("gen_ai.usage.output_tokens", 207),
                int("gen_ai.usage.cached_tokens", 13),
                double("gen_ai.request.max_tokens", 256.0),
                text("gen_ai.request.tool_choice", "\"auto\""),
                text("gen_ai.response_id", "chatcmpl-fx0001"),
            ],
        );
        assert_eq!(tokens(&out), [Some(1101), Some(207), Some(13), None, None]);
        assert_eq!((out.max_tokens, out.response_id.as_deref()), (Some(256), Some("chatcmpl-fx0001")));
        assert_eq!(out.request_params, [("tool_choice", "auto".into())]);
    }

    #[test]
    fn claude_code_leaves_the_cache_out() {
        let out = of(
            "com.anthropic.claude_code",
            "claude_code.llm_request",
            &[
                text("span.type", "llm_request"),
                text("model", CLAUDE),
                text("input_tokens", "531"),
                text("output_tokens", "159"),
                int("cache_read_tokens", 2013),
                int("cache_creation_tokens", 317),
                int("ttft_ms", 820),
                text("request_id", "req_1"),
                text("stop_reason", "end_turn"),
                text("prompt.id", "p-1"),
            ],
        );
        assert_eq!(tokens(&out), [Some(2861), Some(159), Some(2013), Some(317), None]);
        assert_eq!((out.ttft_ns, out.request_model.as_deref()), (Some(820_000_000), Some(CLAUDE)));
        assert_eq!((out.response_id.as_deref(), out.finish_reasons[0].as_ref()), (Some("req_1"), "stop"));
        assert_eq!(out.prompt_name, None);
    }

    #[test]
    fn strands_writes_every_count_twice() {
        let out = of(
            "strands.telemetry.tracer",
            "chat",
            &[
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.system", "strands-agents"),
                text("gen_ai.request.model", "gpt-4.1-mini"),
                int("gen_ai.usage.prompt_tokens", 1101),
                int("gen_ai.usage.input_tokens", 1101),
                int("gen_ai.usage.completion_tokens", 207),
                int("gen_ai.usage.output_tokens", 207),
                int("gen_ai.usage.cache_read.input_tokens", 13),
                int("gen_ai.usage.cache_read_input_tokens", 13),
                int("gen_ai.usage.total_tokens", 1308),
                int("gen_ai.server.time_to_first_token", 132),
            ],
        );
        assert_eq!(tokens(&out), [Some(1101), Some(207), Some(13), None, None]);
        assert_eq!((out.provider, out.framework.as_deref()), (None, Some("strands-agents")));
        // An int is milliseconds here, a double seconds with OpenLIT.
        assert_eq!((out.ttft_ns, out.usage_flags.len()), (Some(132_000_000), 0));
    }

    #[test]
    fn strands_passes_bedrock_s_counts_on() {
        let out = of(
            "strands.telemetry.tracer",
            "chat",
            &[
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.request.model", "us.anthropic.claude-sonnet-4-5-v1:0"),
                int("gen_ai.usage.input_tokens", 531),
                int("gen_ai.usage.cache_read_input_tokens", 2013),
                int("gen_ai.usage.cache_write_input_tokens", 317),
            ],
        );
        assert_eq!((out.usage.input_tokens, out.input_semantics), (Some(2861), Some(InputSemantics::Exclusive)));
    }

    fn langfuse(map: &str) -> Normalized<'_> {
        let attributes = [text("langfuse.observation.type", "generation"), text("langfuse.observation.usage_details", map)];
        of("langfuse-sdk", "ChatOpenAI", &attributes)
    }

    #[test]
    fn langfuse_has_two_opposite_readings() {
        let raw = langfuse(
            r#"{"completion_tokens": 207, "prompt_tokens": 1101, "total_tokens": 1308, "completion_tokens_details": {"reasoning_tokens": 21}, "prompt_tokens_details": {"cached_tokens": 13}}"#,
        );
        assert_eq!(tokens(&raw), [Some(1101), Some(207), Some(13), None, Some(21)]);
        assert_eq!(raw.input_semantics, Some(InputSemantics::Inclusive));
        let rest = langfuse(
            r#"{"input": 1088, "output": 186, "total": 1308, "input_audio": 0, "input_cache_read": 13, "output_audio": 0, "output_reasoning": 21}"#,
        );
        assert_eq!(tokens(&rest), [Some(1101), Some(207), Some(13), None, Some(21)]);
        assert_eq!((rest.input_semantics, rest.usage_flags.len()), (Some(InputSemantics::Exclusive), 0));
        assert!(rest.usage_reported.contains(&("langfuse.observation.usage_details.input".into(), "1088".into())));
    }

    #[test]
    fn langfuse_parts_of_a_part_count_once() {
        let out = langfuse(
            r#"{"input": 531, "output": 159, "input_cache_read": 2013, "input_cache_creation": 317, "input_cache_creation_5m": 107, "input_cache_creation_1h": 210}"#,
        );
        assert_eq!(tokens(&out), [Some(2861), Some(159), Some(2013), Some(317), None]);
        assert_eq!((out.usage.cache_write_5m_tokens, out.usage.cache_write_1h_tokens), (Some(107), Some(210)));
    }

    #[test]
    fn langfuse_by_hand_is_read_by_its_total() {
        let out = langfuse(r#"{"input": 31, "output": 12, "cache_read_input_tokens": 5, "total": 43}"#);
        assert_eq!(tokens(&out), [Some(31), Some(12), Some(5), None, None]);
        let out = langfuse(r#"{"input": 31, "output": 12, "cache_read_input_tokens": 5, "total": 48}"#);
        assert_eq!((out.usage.input_tokens, out.input_semantics), (Some(36), Some(InputSemantics::Exclusive)));
    }

    #[test]
    fn adk_adds_the_reasoning_of_other_models_twice() {
        let adk = |model| {
            of(
                "gcp.vertex.agent",
                "generate_content",
                &[
                    text("gen_ai.operation.name", "generate_content"),
                    text("gen_ai.request.model", model),
                    int("gen_ai.usage.output_tokens", 228),
                    int("gen_ai.usage.reasoning.output_tokens", 21),
                ],
            )
        };
        let other = adk("openai/gpt-4.1-mini");
        assert_eq!((other.usage.output_tokens, other.usage_flags), (Some(207), vec!["reasoning_counted_twice"]));
        assert_eq!(adk("gemini-2.5-flash").usage.output_tokens, Some(228));
    }

    #[test]
    fn mlflow_counts_stand_in_json() {
        let out = of(
            "mlflow.tracing",
            "Completions",
            &[
                text("mlflow.spanType", "\"CHAT_MODEL\""),
                text("mlflow.chat.tokenUsage", r#"{"input_tokens": 1101, "output_tokens": 207, "total_tokens": 1308, "cache_read_input_tokens": 13}"#),
                text("mlflow.llm.model", "\"gpt-4.1-mini-2026-01-15\""),
                text("model", "\"gpt-4.1-mini\""),
                text("temperature", "0.2"),
                text("max_tokens", "256"),
                text("stream", "true"),
                text("stop", "[\"END\"]"),
                text("mlflow.llm.cost", r#"{"input_cost": 0.0004, "output_cost": 0.0003, "total_cost": 0.0007}"#),
                text("mlflow.spanOutputs", r#"{"id": "chatcmpl-fx0001", "choices": [{"finish_reason": "tool_calls"}]}"#),
                text("mlflow.linkedPrompts", r#"[{"name": "seed-helper", "version": "7"}]"#),
                text("mlflow.llm.provider", "\"openai\""),
            ],
        );
        assert_eq!(tokens(&out), [Some(1101), Some(207), Some(13), None, None]);
        assert_eq!((out.request_model.as_deref(), out.response_model.as_deref()), (Some("gpt-4.1-mini"), Some("gpt-4.1-mini-2026-01-15")));
        assert_eq!((out.temperature, out.max_tokens, out.streaming), (Some(0.2), Some(256), Some(true)));
        assert_eq!((out.reported_cost_usd.as_deref(), out.response_id.as_deref()), (Some("0.0007"), Some("chatcmpl-fx0001")));
        assert_eq!((out.prompt_name.as_deref(), out.prompt_version.as_deref()), (Some("seed-helper"), Some("7")));
        assert_eq!((out.finish_reasons[0].as_ref(), out.provider.as_deref()), ("tool_calls", Some("openai")));
        assert_eq!(out.request_params, [("stop", "[\"END\"]".into())]);
    }

    #[test]
    fn haystack_keeps_everything_in_the_reply() {
        let reply = r#"{"replies": [{"role": "assistant", "meta": {"model": "gpt-4.1-mini-2026-01-15", "finish_reason": "stop", "usage": {"prompt_tokens": 1101, "completion_tokens": 207, "total_tokens": 1308, "prompt_tokens_details": {"cached_tokens": 13}}}}]}"#;
        let out = of("haystack", "haystack.agent.step.llm", &[text("haystack.agent.step.llm.output", reply)]);
        assert_eq!(tokens(&out), [Some(1101), Some(207), Some(13), None, None]);
        assert_eq!((out.response_model.as_deref(), out.finish_reasons[0].as_ref()), (Some("gpt-4.1-mini-2026-01-15"), "stop"));
    }

    #[test]
    fn the_ai_sdk_up_to_5_passes_anthropic_s_counts_on() {
        let vercel = |more: &[KeyValue<'static>]| {
            let mut attributes = vec![
                text("ai.operationId", "ai.generateText.doGenerate"),
                text("ai.model.provider", "anthropic.messages"),
                int("ai.usage.cachedInputTokens", 2013),
                text("ai.response.providerMetadata", r#"{"anthropic": {"cacheCreationInputTokens": 317}}"#),
            ];
            attributes.extend(more);
            of("ai", "ai.generateText.doGenerate", &attributes).usage.input_tokens
        };
        assert_eq!(vercel(&[int("ai.usage.inputTokens", 531)]), Some(2861));
        let version_6 = [int("ai.usage.inputTokens", 2861), int("ai.usage.inputTokenDetails.noCacheTokens", 531)];
        assert_eq!(vercel(&version_6), Some(2861));
    }

    #[test]
    fn an_unknown_emitter_of_anthropic_s_counts_is_read_by_the_numbers() {
        let unknown = anthropic("app", &[int("gen_ai.usage.cache_read.input_tokens", 13)]);
        assert_eq!((unknown.usage.input_tokens, unknown.input_semantics), (Some(531), Some(InputSemantics::Unknown)));
        let more_than_all = anthropic("app", &[int("gen_ai.usage.cache_read.input_tokens", 2013)]);
        assert_eq!((more_than_all.usage.input_tokens, more_than_all.input_semantics), (Some(2544), Some(InputSemantics::Exclusive)));
    }

    #[test]
    fn contradictions_are_flagged_and_kept() {
        let counts = |more: &[KeyValue<'static>]| {
            let mut attributes =
                vec![text("gen_ai.system", "openai"), int("gen_ai.usage.input_tokens", 10), int("gen_ai.usage.output_tokens", 5)];
            attributes.extend(more);
            chat("app", &attributes)
        };
        let out = counts(&[int("gen_ai.usage.cache_read.input_tokens", 11)]);
        assert_eq!((tokens(&out), out.usage_flags), ([Some(10), Some(5), Some(11), None, None], vec!["parts_exceed_whole"]));
        let out = counts(&[int("gen_ai.usage.reasoning.output_tokens", 6)]);
        assert_eq!((out.usage.reasoning_tokens, out.usage_flags), (Some(6), vec!["parts_exceed_whole"]));
        assert_eq!(counts(&[int("gen_ai.usage.total_tokens", 99)]).usage_flags, ["total_mismatch"]);
        assert!(counts(&[int("gen_ai.usage.total_tokens", 15)]).usage_flags.is_empty());
        assert_eq!(counts(&[int("gen_ai.usage.cache_read.input_tokens", -1)]).usage_flags, ["negative_count"]);
    }

    #[test]
    fn a_call_without_usage_stays_without() {
        let out = chat("app", &[text("gen_ai.system", "openai")]);
        assert_eq!((tokens(&out), out.input_semantics), ([None; 5], None));
        let zeros = [int("gen_ai.usage.input_tokens", 0), int("gen_ai.usage.output_tokens", 0)];
        let out = chat("app", &zeros);
        assert_eq!((tokens(&out), out.usage_flags), ([None; 5], vec!["zero_usage"]));
    }

    #[test]
    fn a_reported_cost_is_exact_and_zero_is_none() {
        let cost = |key, value| chat("app", &[KeyValue { key, value }]).reported_cost_usd.map(std::borrow::Cow::into_owned);
        assert_eq!(cost("gen_ai.cost.total_cost", AnyValue::Double(3.6e-7)).as_deref(), Some("0.00000036"));
        assert_eq!(cost("gen_ai.usage.cost", AnyValue::Double(0.0007676999999999998)).as_deref(), Some("0.0007676999999999998"));
        assert_eq!(cost("gen_ai.usage.cost", AnyValue::Int(0)), None);
        assert_eq!(cost("hidden_params", AnyValue::Str("{\"response_cost\": 3.6e-07}")).as_deref(), Some("0.00000036"));
        assert_eq!(cost("llm.cost.total", AnyValue::Str("0.003")).as_deref(), Some("0.003"));
    }
}

mod identity {
    use super::*;

    #[test]
    fn a_framework_is_no_provider() {
        let out = of(
            "app",
            "invoke_agent",
            &[
                text("gen_ai.operation.name", "invoke_agent"),
                text("gen_ai.provider.name", "microsoft.agent_framework"),
                text("traceloop.association.properties.ls_provider", "openai"),
            ],
        );
        assert_eq!((out.provider.as_deref(), out.framework.as_deref()), (Some("openai"), Some("microsoft.agent_framework")));
    }

    #[test]
    fn a_conversation_made_up_per_run_gives_way() {
        let generated = text("gen_ai.conversation.id", "01a1fcb3");
        let set = text("session.id", "sess-7f3a");
        let chat = text("gen_ai.operation.name", "chat");
        let conversation = |scope, attributes: &[KeyValue<'static>]| of(scope, "x", attributes).conversation_id;
        assert_eq!(conversation("pydantic-ai", &[generated, set, chat]).as_deref(), Some("sess-7f3a"));
        assert_eq!(conversation("pydantic-ai", &[generated, chat]).as_deref(), Some("01a1fcb3"));
        assert_eq!(conversation("app", &[set, generated, chat]).as_deref(), Some("01a1fcb3"));
        // A project and a transport are no conversations.
        assert_eq!(conversation("langsmith", &[text("langsmith.trace.session_name", "seed-shop")]), None);
        assert_eq!(conversation("fastmcp", &[text("mcp.session.id", "23d75cd2")]), None);
    }

    #[test]
    fn metadata_is_found_under_every_prefix() {
        for (scope, prefix) in [
            ("traceloop.tracer", "traceloop.association.properties."),
            ("langsmith", "langsmith.metadata."),
            ("langfuse-sdk", "langfuse.trace.metadata."),
            ("langfuse-sdk", "langfuse.observation.metadata."),
            ("ai", "ai.telemetry.metadata."),
            ("litellm", "litellm.metadata."),
        ] {
            let keys = ["thread_id", "user_id", "tenant", "tier"].map(|key| format!("{prefix}{key}"));
            let attributes = [text(&keys[0], "sess-7f3a"), text(&keys[1], "user-042"), text(&keys[2], "\"acme-garden\""), int(&keys[3], 2)];
            let out = of(scope, "x", &attributes);
            assert_eq!(out.conversation_id.as_deref(), Some("sess-7f3a"), "{prefix}");
            assert_eq!((out.user_id.as_deref(), out.team.as_deref()), (Some("user-042"), Some("acme-garden")), "{prefix}");
            assert_eq!(out.metadata[3], ("tier".into(), "2".into()), "{prefix}");
        }
    }

    #[test]
    fn metadata_comes_as_json_too() {
        let attributes = [text("openinference.span.kind", "LLM"), text("metadata", r#"{"thread_id": "t", "ls_provider": "openai", "a": {"b": 1}}"#)];
        let out = of("app", "x", &attributes);
        assert_eq!((out.conversation_id.as_deref(), out.provider.as_deref()), (Some("t"), Some("openai")));
        assert_eq!(out.metadata[2], ("a".into(), "{\"b\": 1}".into()));
        assert!(of("app", "x", &attributes[1..]).metadata.is_empty(), "a plain span's own `metadata` is not read");
    }

    #[test]
    fn the_keys_of_the_team_are_a_choice() {
        let attributes = [text("langsmith.metadata.cost_centre", "42"), text("langsmith.metadata.tenant", "acme")];
        let mut out = Normalized::default();
        Normalizer::with_team_keys(&["cost_centre"]).span(&span("langsmith", "x", &attributes), &mut out);
        assert_eq!(out.team.as_deref(), Some("42"));
    }

    #[test]
    fn prompts_tags_and_variables_have_many_spellings() {
        let out = of(
            "app",
            "x",
            &[
                text("openinference.span.kind", "PROMPT"),
                text("prompt.id", "seed-helper"),
                text("llm.prompt_template.version", "7"),
                text("llm.prompt_template.template", "\"{sku}\""),
                text("llm.prompt_template.variables", r#"{"sku": "BL-42", "n": 2}"#),
                text("tag.tags", "[\"fixture\", \"seed\"]"),
            ],
        );
        assert_eq!((out.prompt_name.as_deref(), out.prompt_version.as_deref()), (Some("seed-helper"), Some("7")));
        assert_eq!(out.prompt_template.as_deref(), Some("\"{sku}\""));
        assert_eq!(out.prompt_variables, [("sku".into(), "BL-42".into()), ("n".into(), "2".into())]);
        assert_eq!(out.tags, ["fixture", "seed"]);
        let out = of("langsmith", "x", &[text("langsmith.span.tags", "fixture, seq:step:1")]);
        assert_eq!(out.tags, ["fixture", "seq:step:1"]);
        let out = of("app", "x", &[text("gen_ai.operation.name", "chat"), text("gen_ai.prompt.variable.sku", "BL-42")]);
        assert_eq!(out.prompt_variables, [("sku".into(), "BL-42".into())]);
        let out = of("ai", "x", &[text("ai.telemetry.metadata.langfusePrompt", r#"{"name": "seed-helper", "version": 7}"#)]);
        assert_eq!((out.prompt_name.as_deref(), out.prompt_version.as_deref()), (Some("seed-helper"), Some("7")));
    }

    #[test]
    fn placeholders_give_way_to_the_next_source() {
        let out = of(
            "litellm",
            "litellm_request",
            &[
                text("gen_ai.operation.name", "chat"),
                text("metadata.user_api_key_end_user_id", ""),
                text("metadata.user_api_key_team_id", "none"),
                text("gen_ai.response.id", "chatcmpl-11397141-e3e8-4cd2-bbc8-edddb1f5fe00"),
                text("gen_ai.system", ""),
                text("litellm.provider.model", "anthropic/claude-sonnet-4-5"),
                text("llm.is_streaming", "True"),
                text("metadata.usage_object", "{'prompt_tokens': 2861, 'prompt_tokens_details': {'cached_tokens': 2013, 'audio_tokens': None}}"),
            ],
        );
        assert_eq!((out.user_id, out.team, out.response_id), (None, None, None));
        assert_eq!((out.provider.as_deref(), out.streaming), (Some("anthropic"), Some(true)));
        assert_eq!(out.usage.cache_read_tokens, Some(2013));
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let attributes = [text("gen_ai.request.model", "a"), text("gen_ai.request.model", "b")];
        assert_eq!(of("app", "x", &attributes).request_model.as_deref(), Some("b"));
    }

    #[test]
    fn a_tool_is_named_by_its_attribute_its_entity_or_its_span() {
        let name = |scope, span, key, value| of(scope, span, &[text(key, value)]).tool_name.map(std::borrow::Cow::into_owned);
        assert_eq!(name("app", "execute_tool lookup", "gen_ai.operation.name", "execute_tool").as_deref(), Some("lookup"));
        assert_eq!(name("app", "lookup.run", "openinference.span.kind", "TOOL").as_deref(), Some("lookup"));
        assert_eq!(name("langfuse-sdk", "lookup", "langfuse.observation.type", "tool").as_deref(), Some("lookup"));
    }

    #[test]
    fn a_query_is_text() {
        let retriever = text("openinference.span.kind", "RETRIEVER");
        let query = |value| of("app", "x", &[retriever, text("input.value", value)]).retrieval_query.map(std::borrow::Cow::into_owned);
        assert_eq!(query("\"blue lantern\" seeds").as_deref(), Some("\"blue lantern\" seeds"));
        assert_eq!(query(r#"{"query": "seeds"}"#).as_deref(), Some("seeds"));
        assert_eq!(query(r#"{"k": 1}"#), None);
    }
}

mod results {
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
        let reasons = |attribute| of("app", "x", &[text("gen_ai.operation.name", "chat"), attribute]).finish_reasons.join(",");
        assert_eq!(reasons(text("gen_ai.response.finish_reason", "FinishReason.TOOL_CALLS")), "tool_calls");
        assert_eq!(reasons(text("gen_ai.response.finish_reasons", "[\"stop\", \"length\"]")), "stop,length");
        assert_eq!(reasons(text("ai.response.finishReason", "content-filter")), "content_filter");
        assert_eq!(reasons(text("gen_ai.completion.0.finish_reason", "end_turn")), "stop");
        assert_eq!(reasons(text("gen_ai.output.messages", r#"[{"role": "assistant", "finish_reason": "tool_call"}]"#)), "tool_calls");
        assert_eq!(reasons(text("gen_ai.response.finish_reasons", "[\"pause_turn\"]")), "pause_turn");
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
}

#[test]
fn a_record_is_reusable() {
    let attributes = [
        text("gen_ai.operation.name", "chat"),
        int("gen_ai.usage.input_tokens", 1),
        text("tag.tags", "[\"a\"]"),
        text("metadata", "{\"a\": 1}"),
        text("error.type", "timeout"),
    ];
    let mut out = of("app", "chat", &attributes);
    assert_ne!(format!("{out:?}"), format!("{:?}", Normalized::default()));
    out.clear();
    assert_eq!(format!("{out:?}"), format!("{:?}", Normalized::default()));
}
