//! Frameworks under OpenInference that leave spans of their own around the model's: CrewAI, smolagents and DSPy, from
//! the descriptions of their instrumentations.

use super::*;

/// What a span of `framework`'s instrumentation is, which must name the framework.
fn step<'a>(framework: &str, name: &'a str, kind: &'a str, attributes: &[KeyValue<'a>]) -> Normalized<'a> {
    let scope = match framework {
        "crewai" => "openinference.instrumentation.crewai",
        "smolagents" => "openinference.instrumentation.smolagents",
        _ => "openinference.instrumentation.dspy",
    };
    let attributes: Vec<_> = [text("openinference.span.kind", kind)].into_iter().chain(attributes.to_vec()).collect();
    let out = of(scope, name, &attributes);
    assert_eq!((out.dialect, out.framework.as_deref()), (Dialect::OpenInference, Some(framework)), "{name}");
    out
}

#[test]
fn crewai_leaves_a_crew_agents_and_tools_and_no_model_calls() {
    let crew = step("crewai", "Crew.kickoff", "CHAIN", &[text("crew_key", "a1"), text("crew_inputs", "")]);
    assert_eq!((crew.kind, crew.agent_name), (Kind::Chain, None));
    let agent = step(
        "crewai",
        "Seed agent.Find the shelf._execute_core",
        "AGENT",
        &[text("graph.node.id", "Seed agent"), text("task_name", "Find the shelf")],
    );
    assert_eq!((agent.kind, agent.agent_name.as_deref()), (Kind::Agent, Some("Seed agent")));
    let tool = step(
        "crewai",
        "lookup_stock.run",
        "TOOL",
        &[text("tool.name", "lookup_stock"), text("input.value", "{\"sku\": \"BL-42\"}"), text("output.value", "42")],
    );
    assert_eq!((tool.kind, tool.tool_name.as_deref()), (Kind::Tool, Some("lookup_stock")));
    assert_eq!((tool.input[0].bytes.as_ref(), tool.output[0].bytes.as_ref()), ("{\"sku\": \"BL-42\"}", "42"));
}

#[test]
fn smolagents_sums_tokens_on_its_agent_which_is_no_call() {
    let counts = |input, output| [int("llm.token_count.prompt", input), int("llm.token_count.completion", output)];
    let agent = step("smolagents", "ToolCallingAgent.run", "AGENT", &counts(2303, 421));
    assert_eq!((agent.kind, agent.kind.is_model_call()), (Kind::Agent, false));
    assert_eq!(step("smolagents", "Step 1", "CHAIN", &[]).kind, Kind::Chain);
    let model = text("llm.model_name", "gpt-4.1-mini");
    let attributes = [model, counts(1101, 207)[0], counts(1101, 207)[1]];
    let call = step("smolagents", "OpenAIModel.generate", "LLM", &attributes);
    assert_eq!((call.kind, tokens(&call)[..2].to_vec()), (Kind::Chat, vec![Some(1101), Some(207)]));
    assert_eq!((call.request_model.as_deref(), call.response_model), (Some("gpt-4.1-mini"), None));
    assert_eq!(step("smolagents", "SimpleTool", "TOOL", &[text("tool.name", "lookup_stock")]).kind, Kind::Tool);
}

#[test]
fn dspy_counts_no_tokens_and_an_adapter_that_failed_is_a_step() {
    let answer = text("llm.output_messages.0.message.content", "[[ ## shelf ## ]]\n7");
    let call = step("dspy", "LM.__call__", "LLM", &[text("llm.model_name", "openai/gpt-4.1-mini"), answer]);
    assert_eq!((call.kind, tokens(&call)), (Kind::Chat, [None; 5]));
    assert_eq!(call.output.len(), 1);
    for name in ["Predict(Ask).forward", "ChatAdapter.__call__"] {
        assert_eq!(step("dspy", name, "CHAIN", &[]).kind, Kind::Chain, "{name}");
    }
    let attributes = [text("openinference.span.kind", "CHAIN")];
    let failed = SpanInput {
        status_code: 2,
        status_message: "AdapterParseError: the field `shelf` is missing",
        ..span("openinference.instrumentation.dspy", "ChatAdapter.__call__", &attributes)
    };
    let out = read(&failed);
    assert_eq!((out.error_type.as_deref(), out.error_class), (Some("AdapterParseError"), Some(ErrorClass::Parse)));
}
