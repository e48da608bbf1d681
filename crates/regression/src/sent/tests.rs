use serde_json::json;

use super::*;

fn one(sent: &str) -> Message {
    let mut messages = messages(sent, None);
    assert_eq!(messages.len(), 1, "{sent}");
    messages.remove(0)
}

#[test]
fn text_is_found_in_every_shape() {
    for sent in [
        r#"{"role":"user","parts":[{"type":"reasoning","content":"x"},{"content":"a","type":"text"},{"type":"text","content":"b"}]}"#,
        r#"{"role":"user","content":"a\nb"}"#,
        r#""{\"role\":\"user\",\"content\":\"a\\nb\"}""#,
        r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
        r#"{"lc":1,"type":"constructor","id":["x","HumanMessage"],"kwargs":{"content":"a\nb","tool_calls":[]}}"#,
        r#"{"type":"human","data":{"content":"a\nb"}}"#,
        r#"{"message.role":"user","message.content":"a\nb"}"#,
        r#"{"message.role":"user","message.contents.0.message_content.text":"a","message.contents.1.message_content.text":"b"}"#,
        r#"{"content":{"parts":[{"text":"a"},{"text":"b"}],"role":"user"}}"#,
        r#"{"role":"user","content":[{"text":"a"},{"text":"b"}],"meta":{}}"#,
        r#"{"index":0,"message":{"role":"user","content":"a\nb"},"finish_reason":"stop"}"#,
        r#"{"role":"user","content":"[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]"}"#,
    ] {
        assert_eq!(one(sent), Message::of_text("user", "a\nb"), "{sent}");
    }
    assert_eq!(messages("a\nb", Some("system")), [Message::of_text("system", "a\nb")]);
    assert_eq!(messages("42", None), [Message::of_text("user", "42")]);
}

#[test]
fn a_call_is_found_in_every_shape() {
    for sent in [
        r#"{"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"f","arguments":{"a":1}}]}"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{"a":1}}]}"#,
        r#"{"content":"","type":"ai","name":"agent","tool_calls":[{"name":"f","args":{"a":1},"id":"c"}]}"#,
        r#"{"message.role":"assistant","message.tool_calls.0.tool_call.id":"c","message.tool_calls.0.tool_call.function.name":"f","message.tool_calls.0.tool_call.function.arguments":"{\"a\":1}"}"#,
        r#"{"role":"assistant","tool_calls.0.id":"c","tool_calls.0.name":"f","tool_calls.0.arguments":"{\"a\":1}"}"#,
        r#"[{"toolCallId":"c","toolName":"f","input":{"a":1}}]"#,
        r#"[{"toolUse":{"toolUseId":"c","name":"f","input":{"a":1}}}]"#,
        r#"{"content":{"parts":[{"functionCall":{"id":"c","name":"f","args":{"a":1}}}],"role":"model"}}"#,
        r#"{"arguments":"{\"a\":1}","call_id":"c","name":"f","type":"function_call"}"#,
    ] {
        let message = one(sent);
        assert_eq!((message.role.as_str(), &message.content), ("assistant", &Value::Null), "{sent}");
        let call = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
        assert_eq!(message.rest["tool_calls"], call, "{sent}");
        assert_eq!(message.answer().tool_calls[0].arguments, json!({"a": 1}), "{sent}");
    }
}

#[test]
fn what_a_tool_answered_is_a_message_of_its_own() {
    for sent in [
        r#"{"role":"tool","parts":[{"type":"tool_call_response","id":"c","response":"a\nb"}]}"#,
        r#"{"role":"tool","content":[{"type":"tool-result","toolCallId":"c","output":{"type":"text","value":"a\nb"}}]}"#,
        r#"{"role":"tool","tool_call_id":"c","content":"a\nb"}"#,
        r#"{"message.role":"tool","message.tool_call_id":"c","message.content":"a\nb"}"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#,
        r#"{"type":"function_call_output","call_id":"c","output":"a\nb"}"#,
    ] {
        let message = one(sent);
        assert_eq!((message.role.as_str(), message.text().as_deref()), ("tool", Some("a\nb")), "{sent}");
        assert_eq!(message.rest["tool_call_id"], "c", "{sent}");
    }
    let both = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"42"},{"type":"text","text":"and now?"}]}"#;
    let both = messages(both, None);
    assert_eq!(both.iter().map(|message| message.role.as_str()).collect::<Vec<_>>(), ["tool", "user"]);
}

#[test]
fn a_list_of_messages_is_that_many() {
    let list = r#"[{"role":"system","content":"s"},{"role":"user","content":"u"}]"#;
    assert_eq!(messages(list, None), [Message::of_text("system", "s"), Message::of_text("user", "u")]);
}

#[test]
fn an_image_is_kept_as_sent() {
    let sent = r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}"#;
    let expected = json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]);
    assert_eq!(one(sent).content, expected);
}

#[test]
fn tools_are_read_in_every_shape() {
    let expected = json!([{"type": "function", "function": {
        "name": "f", "description": "d", "parameters": {"type": "object"}
    }}]);
    for sent in [
        r#"[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]"#,
        r#"[{"type":"function","name":"f","description":"d","parameters":{"type":"object"}}]"#,
        r#"[{"name":"f","description":"d","input_schema":{"type":"object"}}]"#,
        r#"["{\"type\":\"function\",\"name\":\"f\",\"description\":\"d\",\"inputSchema\":{\"type\":\"object\"}}"]"#,
        r#"[{"tool.json_schema":"{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}"}]"#,
        r#"[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}}]}]"#,
        r#"{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object"}}}}]}"#,
    ] {
        assert_eq!(json!(tools(sent)), expected, "{sent}");
    }
}
