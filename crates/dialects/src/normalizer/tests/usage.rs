//! What its token counts mean.

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
    let cache =
        [int("gen_ai.usage.cache_read.input_tokens", 2013), int("gen_ai.usage.cache_creation.input_tokens", 317)];
    let out = anthropic("openlit.instrumentation.anthropic", &cache);
    assert_eq!(tokens(&out), [Some(2861), Some(159), Some(2013), Some(317), None]);
    assert_eq!((out.input_semantics, out.usage_flags.len()), (Some(InputSemantics::Exclusive), 0));
    assert!(out.usage_reported.contains(&("gen_ai.usage.input_tokens".into(), "531".into())));
}

#[test]
fn anthropic_s_api_counts_the_cache_as_its_sdk_does() {
    let out = anthropic("com.anthropic.claude-platform", &[int("gen_ai.usage.cache_read.input_tokens", 200)]);
    assert_eq!(tokens(&out), [Some(531), Some(159), Some(200), None, None]);
    assert_eq!((out.input_semantics, out.streaming), (Some(InputSemantics::Inclusive), None));
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
fn adk_1_left_the_thoughts_of_gemini_out() {
    let adk = |model| {
        of(
            "gcp.vertex.agent",
            "call_llm",
            &[
                text("gen_ai.system", "gcp.vertex.agent"),
                text("gen_ai.request.model", model),
                int("gen_ai.usage.input_tokens", 50),
                int("gen_ai.usage.output_tokens", 50),
                int("gen_ai.usage.experimental.reasoning_tokens", 10),
            ],
        )
    };
    let gemini = adk("gemini-2.5-pro");
    assert_eq!((gemini.kind, tokens(&gemini)), (Kind::Chat, [Some(50), Some(60), None, None, Some(10)]));
    // What others count as completion has the reasoning in it.
    let other = adk("openai/gpt-4.1-mini");
    assert_eq!((other.usage.output_tokens, other.usage_flags.len()), (Some(50), 0));
}

#[test]
fn a_decision_is_a_call_in_words_of_its_own() {
    let out = of(
        "openinference.instrumentation.openai",
        "decisions.create",
        &[
            text("openinference.span.kind", "DECISION"),
            text("decision.system", "openai"),
            text("decision.provider", "azure"),
            text("decision.request.model_name", "m"),
            text("decision.response.model_name", "m-2026-10-01"),
            text("decision.model_name", "m-2026-10-01"),
            int("decision.token_count.input", 42),
            int("decision.token_count.output", 3),
        ],
    );
    assert_eq!((out.kind, out.provider.as_deref()), (Kind::Chat, Some("azure.ai.openai")));
    assert_eq!((out.request_model.as_deref(), out.response_model.as_deref()), (Some("m"), Some("m-2026-10-01")));
    assert_eq!(tokens(&out), [Some(42), Some(3), None, None, None]);
}

#[test]
fn mlflow_counts_stand_in_json() {
    let out = of(
        "mlflow.tracing",
        "Completions",
        &[
            text("mlflow.spanType", "\"CHAT_MODEL\""),
            text(
                "mlflow.chat.tokenUsage",
                r#"{"input_tokens": 1101, "output_tokens": 207, "total_tokens": 1308, "cache_read_input_tokens": 13}"#,
            ),
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
    assert_eq!(
        (out.request_model.as_deref(), out.response_model.as_deref()),
        (Some("gpt-4.1-mini"), Some("gpt-4.1-mini-2026-01-15"))
    );
    assert_eq!((out.temperature, out.max_tokens, out.streaming), (Some(0.2), Some(256), Some(true)));
    assert_eq!(
        (out.reported_cost_usd.as_deref(), out.response_id.as_deref()),
        (Some("0.0007"), Some("chatcmpl-fx0001"))
    );
    assert_eq!((out.prompt_name.as_deref(), out.prompt_version.as_deref()), (Some("seed-helper"), Some("7")));
    assert_eq!((out.finish_reasons[0].as_ref(), out.provider.as_deref()), ("tool_calls", Some("openai")));
    assert_eq!(out.request_params, [("stop", "[\"END\"]".into())]);
}

#[test]
fn haystack_keeps_everything_in_the_reply() {
    let reply = r#"{"replies": [{"role": "assistant", "meta": {"model": "gpt-4.1-mini-2026-01-15", "finish_reason": "stop", "usage": {"prompt_tokens": 1101, "completion_tokens": 207, "total_tokens": 1308, "prompt_tokens_details": {"cached_tokens": 13}}}}]}"#;
    let out = of("haystack", "haystack.agent.step.llm", &[text("haystack.agent.step.llm.output", reply)]);
    assert_eq!(tokens(&out), [Some(1101), Some(207), Some(13), None, None]);
    assert_eq!(
        (out.response_model.as_deref(), out.finish_reasons[0].as_ref()),
        (Some("gpt-4.1-mini-2026-01-15"), "stop")
    );
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
    assert_eq!(
        (more_than_all.usage.input_tokens, more_than_all.input_semantics),
        (Some(2544), Some(InputSemantics::Exclusive))
    );
}

#[test]
fn contradictions_are_flagged_and_kept() {
    let counts = |more: &[KeyValue<'static>]| {
        let mut attributes = vec![
            text("gen_ai.system", "openai"),
            int("gen_ai.usage.input_tokens", 10),
            int("gen_ai.usage.output_tokens", 5),
        ];
        attributes.extend(more);
        chat("app", &attributes)
    };
    let out = counts(&[int("gen_ai.usage.cache_read.input_tokens", 11)]);
    assert_eq!(
        (tokens(&out), out.usage_flags),
        ([Some(10), Some(5), Some(11), None, None], vec!["parts_exceed_whole"])
    );
    let out = counts(&[int("gen_ai.usage.reasoning.output_tokens", 6)]);
    assert_eq!((out.usage.reasoning_tokens, out.usage_flags), (Some(6), vec!["parts_exceed_whole"]));
    assert_eq!(counts(&[int("gen_ai.usage.total_tokens", 99)]).usage_flags, ["total_mismatch"]);
    assert!(counts(&[int("gen_ai.usage.total_tokens", 15)]).usage_flags.is_empty());
    assert_eq!(counts(&[int("gen_ai.usage.cache_read.input_tokens", -1)]).usage_flags, ["negative_count"]);
}

#[test]
fn what_cannot_be_a_count_is_flagged_and_left_out() {
    let output = |value| {
        let attributes = [int("gen_ai.usage.input_tokens", 10), KeyValue { key: "gen_ai.usage.output_tokens", value }];
        let out = chat("app", &attributes);
        (out.usage.output_tokens, out.usage_flags)
    };
    assert_eq!(output(AnyValue::Int(1_000_000_000_000)), (Some(1_000_000_000_000), vec![]));
    for value in [AnyValue::Int(i64::MAX), AnyValue::Int(1_000_000_000_001), AnyValue::Double(1e300)] {
        assert_eq!(output(value), (None, vec!["implausible_count"]));
    }
    for value in [AnyValue::Str("abc"), AnyValue::Double(1.5), AnyValue::Bool(true)] {
        assert_eq!(output(value), (None, vec!["not_a_count"]));
    }
    let details = r#"{"input": 5, "output": 1, "input_cache_read": 9223372036854775807}"#;
    let langfuse = chat("langfuse-sdk", &[text("langfuse.observation.usage_details", details)]);
    assert_eq!((langfuse.usage.input_tokens, langfuse.usage_flags), (Some(5), vec!["implausible_count"]));
}

#[test]
fn a_call_without_usage_stays_without() {
    let out = chat("app", &[text("gen_ai.system", "openai")]);
    assert_eq!((tokens(&out), out.input_semantics), ([None; 5], None));
    let zeros = [int("gen_ai.usage.input_tokens", 0), int("gen_ai.usage.output_tokens", 0)];
    let out = chat("app", &zeros);
    assert_eq!((tokens(&out), out.usage_flags), ([None; 5], vec!["zero_usage"]));
}

/// What Mastra's exporter and Sentry's conventions called the parts before OpenTelemetry had names for them.
#[test]
fn parts_are_known_by_the_names_they_had_before_the_standard_s() {
    let all = [int("gen_ai.usage.input_tokens", 1101), int("gen_ai.usage.output_tokens", 207)];
    let mastra = [
        int("gen_ai.usage.cached_input_tokens", 13),
        int("gen_ai.usage.reasoning_tokens", 21),
        int("gen_ai.usage.audio_input_tokens", 3),
        int("gen_ai.usage.audio_output_tokens", 4),
    ];
    let out = chat("@mastra/otel", &[&all[..], &mastra].concat());
    assert_eq!(tokens(&out), [Some(1101), Some(207), Some(13), None, Some(21)]);
    assert_eq!((out.usage.audio_input_tokens, out.usage.audio_output_tokens), (Some(3), Some(4)));
    let sentry = [
        int("gen_ai.usage.input_tokens.cached", 13),
        int("gen_ai.usage.input_tokens.cache_write", 5),
        int("gen_ai.usage.output_tokens.reasoning", 21),
    ];
    let out = chat("app", &[&all[..], &sentry].concat());
    assert_eq!(tokens(&out), [Some(1101), Some(207), Some(13), Some(5), Some(21)]);
    assert!(out.usage_flags.is_empty(), "{:?}", out.usage_flags);
}

#[test]
fn langfuse_adds_input_and_output_up_where_no_total_is_given() {
    let cost = |details: &str| {
        let attributes =
            [text("langfuse.observation.type", "generation"), text("langfuse.observation.cost_details", details)];
        of("langfuse-sdk", "x", &attributes).reported_cost_usd.map(std::borrow::Cow::into_owned)
    };
    for (details, total) in [
        (r#"{"input": 0.1, "output": 0.2}"#, Some("0.3")),
        (r#"{"input": 3.6e-07, "output": 0.002, "total": null}"#, Some("0.00200036")),
        (r#"{"input": 1, "output": null}"#, Some("1")),
        (r#"{"input": 0.0, "output": 0.25}"#, Some("0.25")),
        (r#"{"input": 0.1, "output": 0.2, "total": 0.25}"#, Some("0.25")),
        // The third may be part of the first.
        (r#"{"input": 0.1, "output": 0.2, "cache_read_input_tokens": 0.01}"#, None),
        (r#"{"input": 0, "output": 0}"#, None),
        (r#"{"input": -0.1, "output": 0.2}"#, None),
        (r#"{"input": "free", "output": 0.2}"#, None),
        (r#"{"input": 1e300, "output": 1e300}"#, None),
        ("{}", None),
    ] {
        assert_eq!(cost(details).as_deref(), total, "{details}");
    }
    let long = format!(r#"{{"input": 0.{}1, "output": 0.2}}"#, "0".repeat(70_000));
    assert_eq!(cost(&long), None, "more places than are written");
}

#[test]
fn a_reported_cost_is_exact_and_zero_is_none() {
    let cost = |key, value| chat("app", &[KeyValue { key, value }]).reported_cost_usd.map(std::borrow::Cow::into_owned);
    assert_eq!(cost("gen_ai.cost.total_cost", AnyValue::Double(3.6e-7)).as_deref(), Some("0.00000036"));
    assert_eq!(
        cost("gen_ai.usage.cost", AnyValue::Double(0.0007676999999999998)).as_deref(),
        Some("0.0007676999999999998")
    );
    assert_eq!(cost("gen_ai.usage.cost", AnyValue::Int(0)), None);
    assert_eq!(cost("hidden_params", AnyValue::Str("{\"response_cost\": 3.6e-07}")).as_deref(), Some("0.00000036"));
    assert_eq!(cost("llm.cost.total", AnyValue::Str("0.003")).as_deref(), Some("0.003"));
}
