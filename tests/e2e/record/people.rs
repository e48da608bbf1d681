//! What people did and said, in the record: corrections, scores, decisions.

use serde_json::{Value, json};

use super::{hex, printed, record, said, send, start};
use crate::records;
use crate::sent::{Sent, span};
use crate::server::Server;
use crate::spans::text;

/// A run that asks a model once; it answers with the wrong number of days.
fn refund(trace: u128) -> Vec<Sent> {
    let call = span("shop", "a", (trace, 2), 1, (100, 900))
        .chat()
        .response(&format!("resp-{trace}"))
        .with(text("gen_ai.input.messages", &said("user", "When do I get it?")))
        .with(text("gen_ai.output.messages", &said("assistant", "In 9 days.")));
    vec![span("shop", "app", (trace, 1), 0, (0, 1_000)).with(text("session.id", "talk")), call]
}

async fn score(server: &Server, score: Value) {
    let answer = server.post("/v1/scores", "application/json", score.to_string().into_bytes()).await.unwrap();
    assert_eq!(answer.status(), 200, "{score}");
}

async fn event(server: &Server, record: records::Record) {
    server.takes("/v1/logs", records::request(record)).await;
}

/// The text behind a hash of the record.
fn told(record: &Value, hash: &Value) -> String {
    record["contents"][hash.as_str().unwrap_or_default()].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_corrects_stands_beside_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    send(&server, refund(1)).await;
    let about = |mut given: Value, more: Value| -> Value {
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        given
    };
    let ada = json!({"source": "human", "author": "ada"});
    let correction = |words: &str| about(json!({"name": "answer", "correction": words}), ada.clone());
    let call = json!({"trace_id": hex(1), "span_id": "0000000000000002", "explanation": "policy of May"});
    score(&server, about(correction("It takes 5 days."), call)).await;
    // An event that names the response and no trace.
    let words = [
        ("gen_ai.evaluation.name", "answer"),
        ("gen_ai.response.id", "resp-1"),
        ("tracewell.score.correction", "Five days."),
        ("tracewell.score.source", "human"),
        ("tracewell.score.author", "ada"),
    ];
    event(&server, records::record("shop", "judge", "gen_ai.evaluation.result", 2_000, &words)).await;
    score(&server, about(correction("In five days."), json!({"trace_id": hex(1)}))).await;
    // What a rule would rather have read is no doing of a person.
    let rule = json!({"name": "answer", "correction": "5", "source": "code", "trace_id": hex(1)});
    score(&server, rule).await;
    let words = json!({"name": "impression", "text": "Polite, but wrong.", "trace_id": hex(1)});
    score(&server, about(words, ada.clone())).await;

    let found = record(&server, &hex(1)).await;
    let people = found["interventions"].as_array().unwrap();
    let mut cells: Vec<Value> = people
        .iter()
        .map(|one| json!([one["action"], one["actor"], one["correction"], one["comment"], one["span_id"]]))
        .collect();
    cells.sort_by_key(Value::to_string);
    assert_eq!(
        Value::from(cells),
        json!([
            ["edit", "ada", "Five days.", null, null],
            ["edit", "ada", "In five days.", null, null],
            ["edit", "ada", "It takes 5 days.", "policy of May", "0000000000000002"],
        ])
    );
    for one in people {
        assert!(told(&found, &one["before"]).contains("In 9 days."), "{one}");
    }
    let text = found["scores"].as_array().unwrap().iter().find(|score| score["name"] == "impression").unwrap();
    assert_eq!([&text["data_type"], &text["text"]], ["text", "Polite, but wrong."]);
    let page = printed(&server.data, &["runs", "show", &hex(1)]);
    let all = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["It takes 5 days.", "policy of May", "Polite, but wrong."] {
        assert!(all.contains(words), "{words}\n{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgement_that_its_judge_took_back_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    send(&server, refund(1)).await;
    for (value, author) in [(0.5, "ada"), (0.9, "ada"), (0.2, "bob")] {
        let given =
            json!({"name": "correctness", "value": value, "trace_id": hex(1), "source": "human", "author": author});
        score(&server, given).await;
    }
    let found = record(&server, &hex(1)).await;
    let scores = found["scores"].as_array().unwrap().iter();
    let said: Vec<Value> =
        scores.map(|one| json!([one["value"], one["author"], one["superseded_at"].is_string()])).collect();
    assert_eq!(Value::from(said), json!([[0.5, "ada", true], [0.9, "ada", false], [0.2, "bob", false]]));
    let page = printed(&server.data, &["runs", "show", &hex(1)]);
    assert_eq!(page.matches("(superseded)").count(), 1, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_approve_edit_and_reject_and_settings_are_no_people() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let s = "claude-code";
    let asks = |id: &str, sku: &str| {
        let part = json!({"type": "tool_call", "id": id, "name": "order", "arguments": {"sku": sku}});
        json!([{"role": "assistant", "parts": [part]}]).to_string()
    };
    let call = |id, at, asked: String| {
        span(s, "a", (1, id), 1, (at, at + 50)).chat().with(text("gen_ai.output.messages", &asked))
    };
    let tool = |id, at, call: &str, arguments: &str| {
        span(s, "a", (1, id), 1, (at, at + 50))
            .with(text("gen_ai.operation.name", "execute_tool"))
            .with(text("gen_ai.tool.name", "order"))
            .with(text("gen_ai.tool.call.id", call))
            .with(text("gen_ai.tool.call.arguments", arguments))
            .with(text("session.id", "session-1"))
    };
    let spans = vec![
        span(s, "app", (1, 1), 0, (0, 5_000)),
        call(2, 100, asks("call-approved", "BL-1")),
        tool(3, 300, "call-approved", r#"{"sku":"BL-1"}"#),
        call(4, 1_100, asks("call-edited", "BL-2")),
        tool(5, 1_300, "call-edited", r#"{"sku":"BL-22"}"#),
        // It never ran.
        call(6, 2_100, asks("call-rejected", "BL-3")),
        call(7, 3_100, asks("call-of-a-setting", "BL-4")),
        tool(8, 3_300, "call-of-a-setting", r#"{"sku":"BL-4"}"#),
        // Somebody was asked within the application, and took over.
        span(s, "haystack", (1, 9), 1, (4_000, 4_500))
            .named("haystack.agent.hook")
            .with(text("haystack.agent.hook.human_in_the_loop.strategy.decision", "take_over"))
            .with(text("reviewer", "bob")),
    ];
    send(&server, spans).await;
    for (at, id, decision, source) in [
        (200, "call-approved", "accept", "user_temporary"),
        (1_200, "call-edited", "modify", "user_temporary"),
        (2_200, "call-rejected", "reject", "user_reject"),
        (3_200, "call-of-a-setting", "accept", "config"),
    ] {
        let said = [("decision", decision), ("source", source), ("tool_name", "order"), ("tool_use_id", id)];
        event(&server, records::within(records::claude("claude_code.tool_decision", at, &said), 1, 1)).await;
    }
    let found = record(&server, &hex(1)).await;
    // In what was asked for, and in what was run, the article stands.
    let article = |hash: &Value| {
        let text = told(&found, hash);
        ["BL-22", "BL-1", "BL-2", "BL-3", "BL-4"].into_iter().find(|article| text.contains(article))
    };
    let cells = found["interventions"].as_array().unwrap().iter().map(|one| {
        json!([one["action"], one["actor"], one["tool_call_id"], article(&one["before"]), article(&one["after"])])
    });
    assert_eq!(
        cells.collect::<Value>(),
        json!([
            ["approve", "user-042", "call-approved", "BL-1", null],
            ["edit", "user-042", "call-edited", "BL-2", "BL-22"],
            ["reject", "user-042", "call-rejected", "BL-3", null],
            ["take_over", "bob", null, null, null],
        ])
    );
    // What the setting decided stands with the tool.
    let of_setting = found["tools"].as_array().unwrap().iter().find(|tool| tool["tool_call_id"] == "call-of-a-setting");
    assert_eq!([&of_setting.unwrap()["decision"], &of_setting.unwrap()["decision_source"]], ["accept", "config"]);
}
