//! What each rule catches, and that an example keeps the whole case.

use std::path::Path;

use serde_json::{Value, json};

use super::{chat, done, rows, send, text, tracewell};
use crate::server::Server;

const ASKED: [&str; 9] = [
    "How many days does a refund to a credit card take?",
    "Who pays for the parcel that I send back to Ghent?",
    "Is a voucher possible instead of the money?",
    "The lamp arrived broken, what now?",
    "Please cancel the order of last Tuesday",
    "Which shelf are the blue lantern seeds on?",
    "Can I change the address of my account?",
    "Do you ship to the Faroe Islands in winter?",
    "Where is the invoice for my garden chairs?",
];

/// A call for each text; each goes well, and each is told apart by something.
fn calls() -> Vec<Value> {
    let mut calls: Vec<Value> =
        ASKED.iter().zip(1..).map(|(asked, number)| chat(number, asked, "Sure.", false, &[])).collect();
    let mut add =
        |number: usize, attribute: Value| calls[number - 1]["attributes"].as_array_mut().unwrap().push(attribute);
    let tools = json!([{"type": "function", "name": "find", "description": "Finds", "parameters": {"type": "object"}}]);
    add(1, text("gen_ai.tool.definitions", &tools.to_string()));
    add(1, json!({"key": "gen_ai.request.temperature", "value": {"doubleValue": 0.5}}));
    add(1, json!({"key": "gen_ai.request.max_tokens", "value": {"intValue": "300"}}));
    add(7, json!({"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}}));
    add(7, json!({"key": "gen_ai.usage.output_tokens", "value": {"intValue": "100"}}));
    add(8, text("gen_ai.response.model", "gpt-4.1-2025-04-14"));
    let start: u64 = calls[5]["startTimeUnixNano"].as_str().unwrap().parse().unwrap();
    calls[5]["endTimeUnixNano"] = json!((start + 5_000_000_000).to_string());
    calls
}

/// A span of the run of call `number`, that began a tenth of a second before.
fn beside(number: usize, call: &Value, kind: &str, attributes: &[Value], error: bool) -> Value {
    let start: u64 = call["startTimeUnixNano"].as_str().unwrap().parse().unwrap();
    let attributes = [&[text("gen_ai.operation.name", kind)][..], attributes].concat();
    json!({
        "traceId": call["traceId"], "spanId": format!("{:016x}", 0x100 + number), "name": kind,
        "startTimeUnixNano": (start - 100_000_000).to_string(), "endTimeUnixNano": (start - 50_000_000).to_string(),
        "status": if error { json!({"code": 2, "message": "no such order"}) } else { json!({}) },
        "attributes": attributes,
    })
}

/// The calls that a rule takes into a dataset of its name, by their number, with the reason.
fn caught(data: &Path, rule: &str, more: &[&str]) -> Vec<(usize, String)> {
    into(data, rule, rule, more)
}

fn into(data: &Path, dataset: &str, rule: &str, more: &[&str]) -> Vec<(usize, String)> {
    let capture = ["examples", "capture", rule, "--dataset", dataset, "--since", "1d", "--format", "json"];
    let told = rows(tracewell(data, &[&capture[..], more].concat()));
    let taken = told.iter().filter(|row| row["what"] == "taken");
    let one = |row: &Value| {
        let number = ASKED.iter().position(|asked| row["question"] == *asked).unwrap() + 1;
        (number, row["reason"].as_str().unwrap().to_owned())
    };
    let mut taken: Vec<(usize, String)> = taken.map(one).collect();
    taken.sort();
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_catches_its_cases_and_an_example_keeps_the_whole_of_one() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let mut spans = calls();
    let documents = json!([{"id": "doc-11", "score": 0.91}, {"id": "doc-12", "content": "Ten days.", "score": 0.5}]);
    let documents = [text("gen_ai.retrieval.documents", &documents.to_string())];
    let tool = [text("gen_ai.tool.name", "find"), text("error.type", "ToolError")];
    let more =
        [beside(1, &spans[0], "retrieval", &documents, false), beside(9, &spans[8], "execute_tool", &tool, true)];
    spans.extend(more);
    send(&server, spans).await;
    let score = |number: usize, said: Value| {
        let mut score = json!({"trace_id": format!("{number:032x}"), "span_id": format!("{number:016x}")});
        score.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        score
    };
    let scores = json!([
        score(2, json!({"name": "feedback", "label": "thumbs_down", "source": "user", "author": "u-1"})),
        score(3, json!({"name": "faithfulness", "value": 0.2, "source": "model", "author": "m-1"})),
        score(4, json!({"name": "tone", "value": 0.9, "source": "model", "author": "m-1"})),
        score(4, json!({"name": "tone", "value": 0.3, "source": "human", "author": "ann"})),
        score(5, json!({"name": "review", "correction": "It is cancelled.", "source": "human", "author": "ann"})),
        score(6, json!({"name": "tone", "value": 0.55, "source": "model", "author": "m-1"})),
        // Two names, one judge who thought again, and two people who are not named.
        score(1, json!({"name": "tone", "value": 0.9, "source": "model", "author": "m-1"})),
        score(1, json!({"name": "helpful", "value": 0.1, "source": "human", "author": "ann"})),
        score(7, json!({"name": "helpful", "value": 0.1, "source": "human", "author": "ann"})),
        score(7, json!({"name": "helpful", "value": 0.9, "source": "human", "author": "ann"})),
        score(8, json!({"name": "mood", "label": "calm", "source": "user"})),
        score(8, json!({"name": "mood", "label": "upset", "source": "user"})),
        // One of them gave a number as well.
        score(9, json!({"name": "fits", "value": 1, "label": "fits", "source": "model", "author": "m-1"})),
        score(9, json!({"name": "fits", "label": "misses", "source": "human", "author": "ann"})),
    ]);
    let answer = server.post("/v1/scores", "application/json", scores.to_string().into_bytes()).await.unwrap();
    assert_eq!(answer.status(), 200);

    let one = |number: usize, reason: &str| vec![(number, reason.to_owned())];
    assert_eq!(caught(&data, "error", &[]), one(9, "find: ToolError: no such order"));
    assert_eq!(caught(&data, "thumbs_down", &[]), one(2, "u-1: feedback = thumbs_down"));
    assert_eq!(caught(&data, "bad_score", &["-p", "score=faithfulness"]), one(3, "faithfulness = 0.2"));
    assert_eq!(
        caught(&data, "ambiguous", &["-p", "score=tone"]),
        [one(4, "tone: human ann 0.3, model m-1 0.9"), one(6, "tone = 0.55")].concat()
    );
    let all = [
        one(4, "tone: human ann 0.3, model m-1 0.9"),
        one(6, "tone = 0.55"),
        one(8, "mood: user calm, user upset"),
        one(9, "fits: human ann misses, model m-1 fits"),
    ];
    assert_eq!(into(&data, "all_ambiguous", "ambiguous", &[]), all.concat());
    assert_eq!(caught(&data, "human_correction", &[]), one(5, "ann corrected review"));
    let expected = server.sql("SELECT expected FROM examples WHERE dataset = 'human_correction'");
    assert_eq!(json!(expected), json!([{"expected": json!({"text": "It is cancelled."}).to_string()}]));
    // 1 000 × 0.4 + 100 × 1.6 millionths; the only call whose cost is known.
    assert_eq!(caught(&data, "expensive", &[]), one(7, "costs 0.000560 USD, rank 1 of 1"));
    assert_eq!(caught(&data, "slow", &[]), one(6, "took 5000 ms, rank 1 of 9"));
    let rare = caught(&data, "rare", &["-p", "share=0.2"]);
    assert_eq!((rare.len(), rare[0].0), (1, 8), "{rare:?}");
    assert!(rare[0].1.starts_with("gpt-4.1-2025-04-14 ") && rare[0].1.ends_with(": 1 of 9 calls"), "{rare:?}");
    let random = caught(&data, "random", &["--limit", "3"]);
    assert!(random.len() == 3 && random.iter().all(|(_, reason)| reason == "at random"), "{random:?}");
    done(tracewell(&data, &["dataset", "archive", "random", &id(&data, "random")]));
    assert_eq!(caught(&data, "random", &["--limit", "3"]).len(), 3, "of those that were not taken before");

    let whole = "SELECT tools, documents, parameters, output, messages FROM examples WHERE dataset = 'whole'";
    assert_eq!(into(&data, "whole", "random", &["--limit", "9"]).len(), 9);
    let kept = server.sql(&format!("{whole} AND trace_id = '{:032x}'", 1));
    let member = |name: &str| serde_json::from_str::<Value>(kept[0][name].as_str().unwrap()).unwrap();
    let find = json!({"name": "find", "description": "Finds", "parameters": {"type": "object"}});
    assert_eq!(member("tools"), json!([{"type": "function", "function": find}]));
    assert_eq!(
        member("documents"),
        json!([{"id": "doc-11", "score": 0.91}, {"id": "doc-12", "text": "Ten days.", "score": 0.5}])
    );
    let parameters = member("parameters");
    for (name, value) in [("model", json!("gpt-4.1-mini")), ("temperature", json!(0.5)), ("max_tokens", json!(300))] {
        assert_eq!(parameters[name], value, "{parameters}");
    }
    assert_eq!(member("output"), json!({"text": "Sure."}));
    assert_eq!(member("messages")[1], json!({"role": "user", "content": ASKED[0]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_holds_over_captures_and_a_dry_run_tells_what_the_real_one_takes() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    send(&server, calls()).await;
    let capture = |more: &[&str]| {
        let fixed = ["examples", "capture", "random", "--dataset", "refunds", "--since", "1d", "--format", "json"];
        rows(tracewell(&data, &[&fixed[..], more].concat()))
    };
    let of = |told: &[Value], what: &str| told.iter().filter(|row| row["what"] == what).count();
    let capped = ["--limit", "4", "--per-prompt-version", "6"];
    let taken: Vec<usize> = (0..3).map(|_| of(&capture(&capped), "taken")).collect();
    assert_eq!(taken, [4, 2, 0]);
    assert_eq!(of(&capture(&capped), "enough_of_prompt_version"), 3);

    done(tracewell(&data, &["dataset", "archive", "refunds", &id(&data, "refunds")]));
    let dry = capture(&[&capped[..], &["--dry-run"]].concat());
    assert_eq!((of(&dry, "taken"), of(&dry, "duplicate")), (1, 6), "what was archived does not come again: {dry:?}");
    assert_eq!(capture(&capped), dry);
}

/// An example of a dataset.
fn id(data: &Path, dataset: &str) -> String {
    rows(tracewell(data, &["dataset", "show", dataset, "--format", "json"]))[0]["example"].as_str().unwrap().to_owned()
}
