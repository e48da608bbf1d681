//! Dialects that no capture covers, in the shapes their sources describe.

use serde_json::{Value, json};
use tracewell_model::kind::{Form, Kind};

use crate::fixtures::span_of;
use crate::normalized::Piece;
use crate::rebuild;

fn attributes(members: &[(&str, Value)]) -> Value {
    let list: Vec<Value> = members
        .iter()
        .map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            json!({"key": key, "value": {"stringValue": text}})
        })
        .collect();
    Value::from(list)
}

fn event(name: &str, members: &[(&str, Value)]) -> Value {
    json!({"name": name, "attributes": attributes(members)})
}

fn roles<'p>(pieces: &'p [Piece<'_>]) -> Vec<Option<&'p str>> {
    pieces.iter().map(|piece| piece.role.as_deref()).collect()
}

/// Reads a span and shows its pieces: roles of the input, roles of the output, both previews.
#[track_caller]
fn assert_reads(kind: Kind, members: &Value, input: &[Option<&str>], output: &[Option<&str>], previews: [&str; 2]) {
    span_of(kind, members, |_, out| {
        assert_eq!((roles(&out.input), roles(&out.output)), (input.to_vec(), output.to_vec()));
        let shown = [&out.input_preview, &out.output_preview].map(|preview| preview.as_deref().unwrap_or_default());
        assert_eq!(shown, previews);
    });
}

#[test]
fn strands_keeps_messages_in_span_events() {
    let members = json!({"events": [
        event("gen_ai.system.message", &[("content", json!("Be kind."))]),
        event("gen_ai.user.message", &[("content", json!([{"text": "Where?"}]))]),
        event("gen_ai.choice", &[("message", json!([{"toolUse": {"toolUseId": "c", "name": "f", "input": {"a": 1}}}])), ("finish_reason", json!("tool_use"))]),
    ]});
    assert_reads(
        Kind::Chat,
        &members,
        &[Some("system"), Some("user")],
        &[Some("assistant")],
        ["Where?", r#"f({"a":1})"#],
    );
    span_of(Kind::Chat, &members, |_, out| {
        assert_eq!(out.input[1].source, "event:1:gen_ai.user.message:content");
        assert_eq!((out.input[1].form, out.system.as_ref()), (Form::Event, out.input.first()));
        assert_eq!(out.moved_event_attributes, [(0, 0), (1, 0), (2, 0)]);
    });
    let tool = json!({"events": [
        event("gen_ai.tool.message", &[("role", json!("tool")), ("content", json!({"a": 1})), ("id", json!("c"))]),
        event("gen_ai.choice", &[("message", json!([{"text": "42"}])), ("id", json!("c"))]),
    ]});
    assert_reads(Kind::Tool, &tool, &[Some("tool")], &[Some("assistant")], [r#"{"a":1}"#, "42"]);
}

#[test]
fn strands_of_late_puts_one_list_in_each_event() {
    let name = "gen_ai.client.inference.operation.details";
    let members = json!({"events": [
        event(name, &[("gen_ai.system_instructions", json!([{"type": "text", "content": "Be kind."}]))]),
        event(name, &[("gen_ai.input.messages", json!([{"role": "user", "parts": [{"type": "text", "content": "Where?"}]}]))]),
        event(name, &[("gen_ai.output.messages", json!([{"role": "assistant", "parts": [{"type": "text", "content": "Here."}]}]))]),
    ]});
    assert_reads(Kind::Chat, &members, &[Some("user")], &[Some("assistant")], ["Where?", "Here."]);
    span_of(Kind::Chat, &members, |_, out| {
        assert_eq!(
            (out.input[0].form, out.system.as_ref().map(|system| system.form)),
            (Form::Array, Some(Form::Event))
        );
    });
}

#[test]
fn langtrace_keeps_lists_in_span_events() {
    let members = json!({"events": [
        event("gen_ai.content.prompt", &[("gen_ai.prompt", json!([{"role": "user", "content": "Where?"}]))]),
        event("gen_ai.content.completion", &[("gen_ai.completion", json!([{"role": "assistant", "content": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]))]),
    ]});
    assert_reads(Kind::Chat, &members, &[Some("user")], &[Some("assistant")], ["Where?", "f({})"]);
}

#[test]
fn mlflow_encodes_everything() {
    let members = json!({"attributes": attributes(&[
        ("mlflow.spanInputs", json!({"model": "m", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where?"}], "tools": [{"type": "function", "function": {"name": "f"}}]})),
        ("mlflow.spanOutputs", json!({"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Here."}}]})),
    ])});
    assert_reads(Kind::Chat, &members, &[Some("system"), Some("user")], &[Some("assistant")], ["Where?", "Here."]);
    span_of(Kind::Chat, &members, |_, out| assert!(out.tools.is_some() && out.system.is_some()));
    let documents = json!({"attributes": attributes(&[
        ("mlflow.spanInputs", json!({"query": "Where?"})),
        ("mlflow.spanOutputs", json!([{"page_content": "Shelf 7.", "metadata": {}, "id": "doc-11"}, {"page_content": "North.", "metadata": {}, "id": "doc-29"}])),
    ])});
    assert_reads(Kind::Retrieval, &documents, &[], &[None, None], ["", "Shelf 7."]);
    let text = json!({"attributes": attributes(&[("mlflow.spanInputs", json!("\"Where?\"")), ("mlflow.spanOutputs", json!("\"Here.\""))])});
    assert_reads(Kind::Chain, &text, &[None], &[None], ["Where?", "Here."]);
}

#[test]
fn haystack_nests_contents() {
    let members = json!({"attributes": attributes(&[
        ("haystack.component.input", json!({"messages": [{"role": "user", "meta": {}, "name": null, "content": [{"text": "Where?"}]}], "generation_kwargs": {}})),
        ("haystack.component.output", json!({"replies": [{"role": "assistant", "meta": {"model": "m"}, "content": [{"tool_call": {"tool_name": "f", "arguments": {"a": 1}, "id": "c"}}]}]})),
    ])});
    assert_reads(Kind::Chat, &members, &[Some("user")], &[Some("assistant")], ["Where?", r#"f({"a":1})"#]);
    let documents = json!({"attributes": attributes(&[("haystack.component.output", json!({"documents": [{"id": "doc-11", "content": "Shelf 7.", "score": 0.9}]}))])});
    assert_reads(Kind::Retrieval, &documents, &[], &[None], ["", "Shelf 7."]);
}

#[test]
fn adk_keeps_gemini_requests() {
    let members = json!({"attributes": attributes(&[
        ("gcp.vertex.agent.llm_request", json!({"model": "gemini", "config": {"system_instruction": "Be kind.", "tools": [{"function_declarations": [{"name": "f"}]}]}, "contents": [{"parts": [{"text": "Where?"}], "role": "user"}]})),
        ("gcp.vertex.agent.llm_response", json!({"content": {"parts": [{"function_call": {"name": "f", "args": {"a": 1}}}], "role": "model"}, "partial": false})),
    ])});
    assert_reads(Kind::Chat, &members, &[Some("user")], &[Some("model")], ["Where?", r#"f({"a":1})"#]);
    span_of(Kind::Chat, &members, |_, out| assert!(out.tools.is_some() && out.system.is_some()));
    let off = json!({"attributes": attributes(&[("gcp.vertex.agent.llm_request", json!("{}"))])});
    assert_reads(Kind::Chat, &off, &[], &[], ["", ""]);
}

#[test]
fn openlit_may_write_plain_text() {
    let members = json!({"attributes": attributes(&[("gen_ai.output.messages", json!("Here."))])});
    assert_reads(Kind::Agent, &members, &[], &[None], ["", "Here."]);
}

#[test]
fn azure_keeps_messages_as_event_content() {
    let members = json!({"events": [
        event("gen_ai.user.message", &[("gen_ai.system", json!("az.ai.inference")), ("gen_ai.event.content", json!({"role": "user", "content": "Where?"}))]),
        event("gen_ai.choice", &[("gen_ai.event.content", json!({"message": {"content": "Here."}, "finish_reason": "stop", "index": 0}))]),
    ]});
    assert_reads(Kind::Chat, &members, &[Some("user")], &[Some("assistant")], ["Where?", "Here."]);
}

#[test]
fn logfire_splits_a_stream_in_two() {
    let request = json!({"attributes": attributes(&[("request_data", json!({"messages": [{"role": "user", "content": "Where?"}], "model": "m", "stream": true}))])});
    assert_reads(Kind::Chat, &request, &[Some("user")], &[], ["Where?", ""]);
    let response = json!({"attributes": attributes(&[("response_data", json!({"combined_chunk_content": "Here.", "chunk_count": 3}))])});
    assert_reads(Kind::Chat, &response, &[], &[None], ["", "Here."]);
}

#[test]
fn anthropic_blocks_and_responses_items_are_read() {
    let members = json!({"attributes": attributes(&[
        ("input.value", json!({"model": "m", "system": [{"type": "text", "text": "Be kind."}], "messages": [{"role": "user", "content": [{"type": "text", "text": "Where?"}]}], "tools": [{"name": "f", "input_schema": {}}]})),
        ("output.value", json!({"id": "msg", "type": "message", "role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Here."}]})),
    ])});
    assert_reads(Kind::Chat, &members, &[Some("user")], &[Some("assistant")], ["Where?", "Here."]);
    span_of(Kind::Chat, &members, |_, out| assert!(out.tools.is_some() && out.system.is_some()));
    let responses = json!({"attributes": attributes(&[
        ("langfuse.observation.input", json!({"instructions": "Be kind.", "input": [{"role": "user", "content": "Where?"}]})),
        ("langfuse.observation.output", json!({"output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Here."}]}]})),
    ])});
    assert_reads(Kind::Chat, &responses, &[Some("user")], &[None, Some("assistant")], ["Where?", "Here."]);
}

#[test]
fn claude_code_has_contents_on_spans_when_it_traces_in_detail() {
    let call = json!({"attributes": attributes(&[
        ("new_context", json!("Where is shelf 7?")),
        ("response.model_output", json!("North.")),
    ])});
    assert_reads(Kind::Chat, &call, &[None], &[Some("assistant")], ["Where is shelf 7?", "North."]);
    // What the user asked is repeated there.
    let interaction =
        json!({"attributes": attributes(&[("new_context", json!("again")), ("user_prompt", json!("Where?"))])});
    assert_reads(Kind::Agent, &interaction, &[None], &[], ["Where?", ""]);
    let tool = json!({"attributes": attributes(&[("tool_input", json!({"command": "ls"}))])});
    assert_reads(Kind::Tool, &tool, &[None], &[], [r#"{"command":"ls"}"#, ""]);
}

#[test]
fn pydantic_ai_keeps_tools_in_the_parameters_of_a_request() {
    let tool = json!({
        "name": "lookup_stock",
        "parameters_json_schema": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]},
        "description": "Counts what is left of a product on every shelf, those of other houses included.",
        "outer_typed_dict_key": null,
        "strict": null,
        "kind": "function",
    });
    let members = json!({"attributes": attributes(&[
        ("gen_ai.input.messages", json!([{"role": "user", "parts": [{"type": "text", "content": "Where?"}]}])),
        ("model_request_parameters", json!({"function_tools": [tool], "output_mode": "text", "output_tools": []})),
    ])});
    span_of(Kind::Chat, &members, |span, out| {
        assert_eq!(out.tools.as_ref().map(|tools| tools.bytes.to_string()), Some(format!("[{tool}]")));
        assert_eq!(roles(&out.input), [Some("user")]);
        let rebuilt = rebuild::attribute("model_request_parameters", &rebuild::parts(out));
        assert_eq!(rebuilt.as_deref(), span.attributes[1].value.as_str());
    });
}

#[test]
fn openllmetry_has_what_a_search_found_in_events() {
    for (name, key) in
        [("db.query.result", "db.query.result.document"), ("db.search.result", "db.search.result.entity")]
    {
        let members = json!({"events": [
            event(name, &[("db.search.result.distance", json!("0.1")), (key, json!("Shelf 7."))]),
            event(name, &[(key, json!("North."))]),
        ]});
        assert_reads(Kind::Retrieval, &members, &[], &[None, None], ["", "Shelf 7."]);
    }
}
