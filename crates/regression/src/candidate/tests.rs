use serde_json::json;

use super::wire::Kind;
use super::*;
use crate::dataset::Signed;
use crate::prompt::{Origin, PromptFile};
use crate::{Answer, ToolCall};

fn example() -> Example {
    serde_json::from_value(json!({
        "id": "a",
        "messages": [
            {"role": "system", "content": "Old instructions."},
            {"role": "user", "content": "Where is my parcel?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "track", "arguments": "{\"id\":7}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "in Ghent"},
        ],
        "tools": [{"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}],
        "parameters": {"model": "old", "temperature": 1.0, "stream": true},
        "metadata": {"customer": "Ann", "variables": {"today": "Monday"}},
    }))
    .unwrap()
}

fn candidate(text: &str) -> Candidate {
    Candidate::parse(text).unwrap()
}

#[test]
fn without_anything_of_its_own_it_is_the_example_once_more() {
    let request = candidate("").request(&example()).unwrap();
    assert_eq!((request.model.as_str(), &request.messages), ("old", &example().messages));
    assert_eq!(json!(request.parameters), json!({"temperature": 1.0}));
}

#[test]
fn templates_are_filled_and_the_conversation_follows_the_instructions() {
    let one = "model = 'new'\n[parameters]\nmax_tokens = 5\n[[message]]\nrole = 'system'\ncontent = '{{ metadata.customer }} on {{ variables.today }}'\n";
    let request = candidate(one).request(&example()).unwrap();
    assert_eq!(request.messages[0], Message::of_text("system", "Ann on Monday"));
    assert_eq!(request.messages[1..], example().messages[1..]);
    assert_eq!(json!(request.parameters), json!({"max_tokens": 5}), "parameters belong to the example's model");

    let own = "[[message]]\nrole = 'user'\ncontent = 'Asked: {{ question }}'\n";
    let request = candidate(own).request(&example()).unwrap();
    assert_eq!(request.messages, [Message::of_text("user", "Asked: Where is my parcel?")]);

    let between = "[[message]]\nrole = 'conversation'\n[[message]]\nrole = 'user'\ncontent = 'Well?'\n";
    let request = candidate(between).request(&example()).unwrap();
    assert_eq!((request.messages.len(), request.messages[3].text().as_deref()), (4, Some("Well?")));
}

#[test]
fn what_is_wrong_is_told() {
    let missing = candidate("[[message]]\nrole = 'system'\ncontent = '{{ metadata.nobody }}'\n").request(&example());
    assert_eq!(
        missing.unwrap_err().to_string(),
        "message 1: the example has no `metadata.nobody`, which the template asks for"
    );
    // What is there, and what the template itself brings, is not named. What is asked for only where it is there, is.
    let several = "{{ question }}{% if tone is defined %}{{ metadata.customer }}{% endif %}\
        {% for number in range(2) %}{{ number }}{{ variables.day }}{{ order.id }}{% endfor %}";
    let told = render(several, &example()).unwrap_err();
    assert_eq!(told, "the example has no `order.id`, `tone`, `variables.day`, which the template asks for");
    let of_an_item = render("{% for one in messages %}{{ one.weight }}{% endfor %}", &example()).unwrap_err();
    assert!(of_an_item.contains("undefined value"), "{of_an_item}");
    assert_eq!(
        render("{{ variables.today }}{% if tone is defined %}{{ tone }}{% endif %}", &example()).unwrap(),
        "Monday"
    );
    for (text, said) in [
        ("[[message]]\nrole = 'system'\ncontent = '{{ x'\n", "message 1"),
        ("[[message]]\nrole = 'boss'\n", "`boss` is no role"),
        ("modell = 'x'\n", "modell"),
    ] {
        let error = Candidate::parse(text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let nameless = Example { parameters: Map::new(), ..example() };
    assert_eq!(candidate("").request(&nameless), Err(CandidateError::NoModel));
}

#[test]
fn openai_is_asked_and_read() {
    let request = candidate("model = 'm'\n[response_format]\ntype = 'json_object'\n").request(&example()).unwrap();
    let body = Kind::OpenAi.body(&request);
    assert_eq!((&body["model"], &body["response_format"]["type"]), (&json!("m"), &json!("json_object")));
    assert_eq!(body["messages"][3]["tool_call_id"], "c1");
    assert_eq!(body["tools"][0]["function"]["name"], "track");
    let answered = json!({"id": "r", "model": "m-1", "choices": [{"message": {"role": "assistant", "content": "Hi"},
        "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4}}});
    let response = Kind::OpenAi.read(&answered).unwrap();
    assert_eq!(
        (response.answer, response.usage.input, response.usage.cache_read),
        (Answer::of_text("Hi"), Some(9), Some(4))
    );
    assert!(Kind::OpenAi.read(&json!({"error": "no"})).is_err());
}

#[test]
fn anthropic_is_asked_and_read() {
    let request = candidate("model = 'm'\n[parameters]\nseed = 1\nstop = 'x'\n").request(&example()).unwrap();
    let body = Kind::Anthropic.body(&request);
    assert_eq!(body["system"], "Old instructions.");
    assert_eq!(
        (&body["max_tokens"], &body["stop_sequences"], &body["seed"]),
        (&json!(4096), &json!(["x"]), &json!(null))
    );
    assert_eq!(body["tools"], json!([{"name": "track", "input_schema": {"type": "object"}}]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Where is my parcel?"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "track", "input": {"id": 7}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "in Ghent"}]},
        ])
    );
    let answered = json!({"id": "r", "model": "m-1", "stop_reason": "tool_use", "content": [
        {"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t", "name": "track", "input": {"id": 7}}],
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1, "output_tokens": 3}});
    let response = Kind::Anthropic.read(&answered).unwrap();
    let call = ToolCall { name: "track".to_owned(), arguments: json!({"id": 7}) };
    assert_eq!(response.answer, Answer { text: Some("Let me see.".to_owned()), tool_calls: vec![call] });
    assert_eq!((response.usage.input, response.finish_reason.as_deref()), (Some(10), Some("tool_calls")));
}

#[test]
fn structured_output_is_a_tool_at_anthropic() {
    let text = "model = 'm'\n[response_format]\ntype = 'json_schema'\n[response_format.json_schema]\nname = 'x'\nschema = { type = 'object' }\n";
    let request = candidate(text).request(&Example { tools: Vec::new(), ..example() }).unwrap();
    let body = Kind::Anthropic.body(&request);
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object"}));
    let name = body["tool_choice"]["name"].clone();
    let answered = json!({"content": [{"type": "tool_use", "id": "t", "name": name, "input": {"a": 1}}]});
    assert_eq!(Kind::Anthropic.read(&answered).unwrap().answer, Answer::of_text("{\"a\":1}"));
}

#[test]
fn what_was_asked_is_read_back_from_telemetry() {
    let messages = wire::telemetry(&example().messages);
    assert_eq!(crate::sent::messages(&messages.to_string(), None), example().messages);
}

fn recorded(text: &str) -> Prompt {
    let file = PromptFile::parse("refund-helper.toml", text).unwrap();
    file.next(None, &Signed { author: "ann".to_owned(), note: None }, &Origin::default()).unwrap()
}

#[test]
fn a_prompt_on_record_is_a_candidate_with_the_names_of_its_own_variables() {
    let prompt = recorded(
        "version = '13'\n[routing]\nprovider = 'anthropic'\nmodel = 'm'\nurl = 'http://here'\n[parameters]\ntop_p = 0.5\n\
         [policy]\ntool_choice = 'auto'\n[[policy.tools]]\ntype = 'function'\n\
         [[message]]\nrole = 'system'\ncontent = 'Today is {{ today }}, for {{ metadata.customer }}.'\n",
    );
    let candidate = Candidate::of_prompt(&prompt).unwrap();
    assert_eq!((candidate.name.as_deref(), candidate.endpoint.kind), (Some("refund-helper@13"), Kind::Anthropic));
    assert_eq!(candidate.endpoint.url.as_deref(), Some("http://here"));
    let request = candidate.request(&example()).unwrap();
    assert_eq!(request.messages[0], Message::of_text("system", "Today is Monday, for Ann."));
    assert_eq!(json!(request.parameters), json!({"top_p": 0.5, "tool_choice": "auto"}));
    assert_eq!(json!(request.tools), json!([{"type": "function"}]));

    // A variable does not hide what a template names otherwise.
    let mut example = example();
    example.metadata.insert("variables".to_owned(), json!({"question": "another"}));
    let asks = recorded("[routing]\nmodel = 'm'\n[[message]]\nrole = 'user'\ncontent = '{{ question }}'\n");
    let request = Candidate::of_prompt(&asks).unwrap().request(&example).unwrap();
    assert_eq!(request.messages, [Message::of_text("user", "Where is my parcel?")]);
}

#[test]
fn a_provider_without_a_known_address_has_to_have_one() {
    let message = "[[message]]\nrole = 'system'\ncontent = 'Help.'\n";
    let prompt = recorded(&format!("[routing]\nprovider = 'mistral'\n{message}"));
    let error = Candidate::of_prompt(&prompt).unwrap_err().to_string();
    assert!(error.contains("`mistral` has no known address"), "{error}");
    let prompt = recorded(&format!("[routing]\nprovider = 'mistral'\nurl = 'https://here/v1'\n{message}"));
    assert_eq!(Candidate::of_prompt(&prompt).unwrap().endpoint.kind, Kind::OpenAi);
}

#[test]
fn images_are_sent_as_each_interface_takes_them_and_told_as_they_were() {
    let mut with = example();
    let image = json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="});
    with.messages[1].content = json!([{"type": "text", "text": "Is this it?"}, image]);
    let request = candidate("").request(&with).unwrap();
    let openai = Kind::OpenAi.body(&request);
    assert_eq!(
        openai["messages"][1]["content"][1],
        json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}})
    );
    let anthropic = Kind::Anthropic.body(&request);
    let source = json!({"type": "base64", "media_type": "image/png", "data": "aGk="});
    assert_eq!(
        anthropic["messages"][0]["content"],
        json!([{"type": "text", "text": "Is this it?"}, {"type": "image", "source": source}])
    );
    let told = wire::telemetry(&request.messages);
    assert_eq!(told[1]["parts"], json!([{"type": "text", "content": "Is this it?"}, image]));
    assert_eq!((Kind::OpenAi.check(&request), Kind::Anthropic.check(&request)), (Ok(()), Ok(())));

    with.messages[1].content = json!([{"type": "file", "file": {"file_id": "file-1"}}]);
    let request = candidate("").request(&with).unwrap();
    assert_eq!(Kind::OpenAi.check(&request), Ok(()));
    let refused = Kind::Anthropic.check(&request).unwrap_err();
    assert!(refused.contains("message 2, which is of `user`, has a part of type `file`"), "{refused}");
}
