//! Who and what it belongs to.

use std::borrow::Cow;

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
    assert_eq!(
        (out.provider.as_deref(), out.framework.as_deref()),
        (Some("openai"), Some("microsoft.agent_framework"))
    );
}

#[test]
fn a_workflow_is_named_as_an_agent_since_the_conventions_stand_alone() {
    for (operation, workflow, agent) in [("invoke_workflow", Some("rag"), None), ("invoke_agent", None, Some("rag"))] {
        let out = of("app", "x", &[text("gen_ai.operation.name", operation), text("gen_ai.agent.name", "rag")]);
        assert_eq!((out.workflow_name.as_deref(), out.agent_name.as_deref()), (workflow, agent), "{operation}");
    }
}

#[test]
fn a_model_name_of_open_inference_is_the_request_s_where_the_library_reads_it_there() {
    let models = |scope: &'static str, parameters: &'static str| {
        let attributes = [
            text("openinference.span.kind", "LLM"),
            text("llm.model_name", "m-2026-10-01"),
            text("llm.invocation_parameters", parameters),
            int("llm.token_count.prompt", 1),
        ];
        let out = of(scope, "x", &attributes);
        (out.request_model.map(Cow::into_owned), out.response_model.map(Cow::into_owned))
    };
    let (asked, answered) = (Some("m".to_owned()), Some("m-2026-10-01".to_owned()));
    for scope in [
        "openinference.instrumentation.cohere",
        "openinference.instrumentation.crewai._event_listener",
        "@arizeai/openinference-instrumentation-bedrock",
    ] {
        assert_eq!(models(scope, "{}"), (answered.clone(), None), "{scope}");
    }
    assert_eq!(models("openinference.instrumentation.openai", "{}"), (None, answered.clone()));
    // Nothing is lost where it names another than the one asked for.
    assert_eq!(models("openinference.instrumentation.litellm", r#"{"model": "m"}"#), (asked, answered));
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
        ("gen_ai", "ai.settings.context."),
        ("litellm", "litellm.metadata."),
    ] {
        let keys = ["thread_id", "user_id", "tenant", "tier"].map(|key| format!("{prefix}{key}"));
        let attributes = [
            text(&keys[0], "sess-7f3a"),
            text(&keys[1], "user-042"),
            text(&keys[2], "\"acme-garden\""),
            int(&keys[3], 2),
        ];
        let out = of(scope, "x", &attributes);
        assert_eq!(out.conversation_id.as_deref(), Some("sess-7f3a"), "{prefix}");
        assert_eq!((out.user_id.as_deref(), out.team.as_deref()), (Some("user-042"), Some("acme-garden")), "{prefix}");
        assert_eq!(out.metadata[3], ("tier".into(), "2".into()), "{prefix}");
    }
}

#[test]
fn metadata_comes_as_json_too() {
    let attributes = [
        text("openinference.span.kind", "LLM"),
        text("metadata", r#"{"thread_id": "t", "ls_provider": "openai", "a": {"b": 1}}"#),
    ];
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
    let out =
        of("ai", "x", &[text("ai.telemetry.metadata.langfusePrompt", r#"{"name": "seed-helper", "version": 7}"#)]);
    assert_eq!((out.prompt_name.as_deref(), out.prompt_version.as_deref()), (Some("seed-helper"), Some("7")));
}

#[test]
fn an_id_of_a_question_is_no_prompt() {
    let attributes = [text("gen_ai.operation.name", "llm_call"), text("gen_ai.prompt.name", "01a1fcb3########2")];
    assert_eq!(of("gemini-cli", "llm_call", &attributes).prompt_name, None);
    assert_eq!(of("app", "llm_call", &attributes).prompt_name.as_deref(), Some("01a1fcb3########2"));
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
            text(
                "metadata.usage_object",
                "{'prompt_tokens': 2861, 'prompt_tokens_details': {'cached_tokens': 2013, 'audio_tokens': None}}",
            ),
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
    let name =
        |scope, span, key, value| of(scope, span, &[text(key, value)]).tool_name.map(std::borrow::Cow::into_owned);
    assert_eq!(name("app", "execute_tool lookup", "gen_ai.operation.name", "execute_tool").as_deref(), Some("lookup"));
    assert_eq!(name("app", "lookup.run", "openinference.span.kind", "TOOL").as_deref(), Some("lookup"));
    assert_eq!(name("langfuse-sdk", "lookup", "langfuse.observation.type", "tool").as_deref(), Some("lookup"));
}

#[test]
fn a_query_is_text() {
    let retriever = text("openinference.span.kind", "RETRIEVER");
    let query = |value| {
        of("app", "x", &[retriever, text("input.value", value)]).retrieval_query.map(std::borrow::Cow::into_owned)
    };
    assert_eq!(query("\"blue lantern\" seeds").as_deref(), Some("\"blue lantern\" seeds"));
    assert_eq!(query(r#"{"query": "seeds"}"#).as_deref(), Some("seeds"));
    assert_eq!(query(r#"{"k": 1}"#), None);
    let memory = [text("gen_ai.operation.name", "search_memory"), text("gen_ai.memory.query.text", "past bookings")];
    assert_eq!(of("app", "search_memory", &memory).retrieval_query.as_deref(), Some("past bookings"));
}
