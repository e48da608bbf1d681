//! `runs diff` and `changes`, on a prompt that changed twice.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValueList, any_value};
use serde_json::{Value, json};

use super::{hex, printed, said, send, start};
use crate::fixtures::Capture;
use crate::records::{record, request, within};
use crate::sent::{Sent, span};
use crate::server::Server;
use crate::spans::{int, text};

const HOUR: u64 = 3_600_000;

/// A call of the prompt `seller`, `millis` after the base.
fn call(trace: u128, millis: u64, version: &str, instructions: &str, temperature: i64, used: (i64, i64)) -> Sent {
    let instructions = json!([{"type": "text", "content": instructions}]).to_string();
    span("shop", "a", (trace, 1), 0, (millis, millis + 100))
        .chat()
        .used(used.0, used.1)
        .with(text("gen_ai.provider.name", "openai"))
        .with(text("gen_ai.response.model", "gpt-4.1-mini"))
        .with(text("gen_ai.response.id", &format!("resp-{trace}")))
        .with(text("gen_ai.conversation.id", &format!("talk-{trace}")))
        .with(text("gen_ai.prompt.name", "seller"))
        .with(text("gen_ai.prompt.version", version))
        .with(int("gen_ai.request.temperature", temperature))
        .with(text("gen_ai.system_instructions", &instructions))
        .with(text("gen_ai.input.messages", &said("user", "Where are they?")))
        .with(text("gen_ai.output.messages", &said("assistant", if version == "1" { "Shelf 7." } else { "Yes." })))
}

/// Nine hours earlier.
fn ago(mut sent: Sent) -> Sent {
    sent = sent.but(|span| {
        span.start_time_unix_nano -= 9 * HOUR * 1_000_000;
        span.end_time_unix_nano -= 9 * HOUR * 1_000_000;
    });
    sent
}

fn spans() -> Vec<Sent> {
    let failed = |sent: Sent| {
        sent.but(|span| {
            span.status = Some(opentelemetry_proto::tonic::trace::v1::Status { code: 2, ..Default::default() })
        })
    };
    let kind = "You sell seeds.\nBe kind.\nAnswer in one sentence.";
    let brief = "You sell seeds.\nBe brief.\nAnswer in one sentence.";
    let mut spans = vec![
        call(1, 0, "1", kind, 0, (100, 10)),
        call(2, HOUR, "1", kind, 0, (200, 20)),
        // Other instructions.
        call(3, 2 * HOUR, "2", brief, 0, (50, 5)),
        failed(call(4, 3 * HOUR, "2", brief, 0, (70, 5))),
        call(5, 4 * HOUR, "2", brief, 0, (60, 5)),
        call(6, 5 * HOUR, "2", brief, 0, (60, 5)),
        // Another temperature; and back to the first instructions, and the first temperature.
        call(7, 6 * HOUR, "2", brief, 1, (60, 5)),
        call(8, 7 * HOUR, "1", kind, 0, (300, 30)),
    ];
    // A trial of a replay is no traffic, and another prompt has no part in it.
    spans.push(call(10, HOUR / 2, "1", brief, 0, (9_000, 900)).with(text("tracewell.example.id", "refund-7")));
    spans.push(span("shop", "a", (9, 1), 0, (0, 10)).chat().with(text("gen_ai.prompt.name", "other")));
    spans.into_iter().map(ago).collect()
}

/// What a judge says `millis` after the base: of a call, or of what `about` names.
async fn judge(server: &Server, trace: Option<u128>, millis: u64, score: &str, about: &[(&str, &str)]) {
    let said = [("gen_ai.evaluation.name", "Relevance"), ("gen_ai.evaluation.score.value", score)];
    let said: Vec<_> = said.iter().chain(about).copied().collect();
    let mut score = record("shop", "judge", "gen_ai.evaluation.result", millis, &said);
    if let Some(trace) = trace {
        score = within(score, trace, 1);
    }
    server.takes("/v1/logs", request(score)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompts_changes_are_named_with_what_moved_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    send(&server, spans()).await;
    // Of one judge on one call the last word counts.
    for (trace, millis, score) in [(1, 0, "0.1"), (1, 1_000, "0.5"), (2, 0, "1.0"), (3, 0, "0.25")] {
        judge(&server, Some(trace), millis, score, &[]).await;
    }
    judge(&server, None, 0, "0.75", &[("gen_ai.response.id", "resp-5")]).await;
    let session = [("tracewell.score.target", "session"), ("tracewell.score.session_id", "talk-7")];
    judge(&server, None, 0, "1.0", &session).await;
    let ask = |arguments: &[&str]| -> Value {
        let arguments: Vec<&str> =
            ["changes", "--prompt", "seller", "--format", "json"].iter().chain(arguments).copied().collect();
        serde_json::from_str(&printed(&server.data, &arguments)).unwrap()
    };
    let episodes = ask(&[]);
    let cells = episodes.as_array().unwrap().iter().map(|one| {
        json!([
            one["changed"],
            one["returned"],
            one["versions"],
            one["calls"],
            one["errors"],
            one["mean_input_tokens"],
            one["p50_ns"],
            one["cost_usd"],
            one["mean_cost_usd"],
            one["unpriced_calls"],
            one["scores"]["Relevance"]["mean"],
            one["scores"]["Relevance"]["count"]
        ])
    });
    let took = 100_000_000.0;
    // A million tokens cost 0.4 dollars in and 1.6 out: 300 × 0.4 + 30 × 1.6 = 168 millionths of the first two calls.
    assert_eq!(
        cells.collect::<Value>(),
        json!([
            [[], false, ["1"], 2, 0, 150.0, took, "0.000168", "0.000084", 0, 0.75, 2],
            [["content"], false, ["2"], 4, 1, 60.0, took, "0.000128", "0.000032", 0, 0.5, 2],
            [["routing"], false, ["2"], 1, 0, 60.0, took, "0.000032", "0.000032", 0, 1.0, 1],
            [["content", "routing"], true, ["1"], 1, 0, 300.0, took, "0.000168", "0.000168", 0, null, null],
        ])
    );
    assert_eq!(ask(&["--since", "5h 30m"]).as_array().unwrap().len(), 3);
    assert_eq!(ask(&["--service", "elsewhere"]), json!([]));
    let table = printed(&server.data, &["changes", "--prompt", "seller"]);
    assert!(
        ["content", "before", "Relevance", "0.000084"].iter().all(|word| table.contains(word))
            && table.contains("25.0%"),
        "{table}"
    );

    // The instructions of a date are those that the traffic of that date carried.
    let dates = server.sql("SELECT DISTINCT CAST(date AS text) AS date FROM spans ORDER BY 1");
    let mut received = 0;
    for date in &dates {
        let on = ask(&["--on", date["date"].as_str().unwrap()]);
        for one in on.as_array().unwrap() {
            received += one["calls"].as_i64().unwrap();
            let style = if one["versions"] == json!(["1"]) { "Be kind." } else { "Be brief." };
            assert!(one["text"].as_str().unwrap().contains(style), "{one}");
        }
    }
    assert_eq!(received, 8);
    assert_eq!(ask(&["--on", "2020-01-01"]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_are_compared_by_texts_models_and_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    send(&server, spans()).await;
    let diff = |a: u128, b: u128| -> Value {
        serde_json::from_str(&printed(&server.data, &["runs", "diff", &hex(a), &hex(b), "--format", "json"])).unwrap()
    };
    let found = diff(1, 7);
    assert_eq!(found["classes"], json!(["content", "routing"]));
    let changes = found["calls"][0]["changes"].as_array().unwrap();
    let change = |what: &str| {
        let one = changes.iter().find(|one| one["what"] == what).map(|one| json!([one["a"], one["b"]]));
        one.unwrap_or_default()
    };
    assert_eq!(change("prompt version"), json!(["1", "2"]));
    assert_eq!(change("input tokens"), json!(["100", "60"]));
    // 100 × 0.4 + 10 × 1.6 and 60 × 0.4 + 5 × 1.6 millionths.
    assert_eq!(change("cost in USD"), json!(["0.000056", "0.000032"]));
    assert_eq!(change("parameters"), json!(["temperature 0", "temperature 1"]));
    assert_eq!(change("model asked for"), Value::Null);
    let text = found["texts"].as_array().unwrap().iter().find(|one| one["what"] == "instructions").unwrap();
    let lines =
        json!([[" ", "You sell seeds."], ["-", "Be kind."], ["+", "Be brief."], [" ", "Answer in one sentence."]]);
    assert_eq!(text["lines"], lines);
    // The question is the same, the answer is not.
    let what: Vec<&Value> = found["texts"].as_array().unwrap().iter().map(|one| &one["what"]).collect();
    assert_eq!(what, ["instructions", "output"]);
    assert_eq!(diff(3, 5)["classes"], json!([]));
    let page = printed(&server.data, &["runs", "diff", &hex(1), &hex(7), "--format", "md"]);
    assert!(page.contains("- Be kind.\n+ Be brief."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_and_guardrails_that_come_or_go_are_changes_of_policy() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let offered = |names: &[&str]| -> String {
        let tools =
            names.iter().map(|name| json!({"type": "function", "name": name, "parameters": {"type": "object"}}));
        tools.collect::<Value>().to_string()
    };
    let call = |trace, hour, tools: &[&str]| {
        call(trace, hour * HOUR, "1", "You sell seeds.", 0, (100, 10))
            .with(text("gen_ai.tool.definitions", &offered(tools)))
    };
    let guardrail = span("shop", "a", (3, 2), 1, (2 * HOUR + 10, 2 * HOUR + 20))
        .named("pii_check")
        .with(text("openinference.span.kind", "GUARDRAIL"));
    let spans = [call(1, 0, &["order"]), call(2, 1, &["order", "refund"]), call(3, 2, &["order", "refund"]), guardrail];
    send(&server, spans.map(ago)).await;

    let episodes = printed(&server.data, &["changes", "--prompt", "seller", "--format", "json"]);
    let episodes: Vec<Value> = serde_json::from_str(&episodes).unwrap();
    let cells = episodes.iter().map(|one| json!([one["changed"], one["calls"]]));
    assert_eq!(cells.collect::<Value>(), json!([[[], 1], [["policy"], 2]]));

    let diff = |a: u128, b: u128| -> Value {
        serde_json::from_str(&printed(&server.data, &["runs", "diff", &hex(a), &hex(b), "--format", "json"])).unwrap()
    };
    let tools = diff(1, 2);
    assert_eq!(tools["classes"], json!(["policy"]));
    let text = tools["texts"].as_array().unwrap().iter().find(|one| one["what"] == "tools offered").unwrap();
    let added = text["lines"].as_array().unwrap().iter().filter(|line| line[0] == "+");
    assert!(added.map(|line| line[1].to_string()).any(|line| line.contains("refund")), "{text}");
    let guarded = diff(2, 3);
    assert_eq!(guarded["classes"], json!(["policy"]));
    let change = json!({"what": "guardrails", "a": null, "b": "pii_check"});
    assert!(guarded["run"].as_array().unwrap().contains(&change), "{guarded}");
}

/// The system's message in a log record within a call, as `opentelemetry-instrumentation-openai-v2` sends it.
fn told(trace: u128, millis: u64, words: &str) -> Vec<u8> {
    let (service, scope, mut event) = within(record("shop", "a", "gen_ai.system.message", millis, &[]), trace, 1);
    let body = KeyValueList { values: vec![text("content", words)] };
    event.body = Some(AnyValue { value: Some(any_value::Value::KvlistValue(body)) });
    request((service, scope, event))
}

#[tokio::test(flavor = "multi_thread")]
async fn instructions_that_come_in_log_records_are_instructions_for_the_command_and_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let call = |trace, at| span("shop", "a", (trace, 1), 0, (at, at + 100)).chat();
    let named = |sent: Sent| sent.with(text("gen_ai.prompt.name", "seller"));
    send(&server, [named(call(1, 0)), named(call(2, 10_000))]).await;
    for (trace, at, words) in [(1, 50, "Be kind."), (2, 10_050, "Be brief.")] {
        server.takes("/v1/logs", told(trace, at, words)).await;
    }
    let ask = |arguments: &[&str]| -> Vec<Value> {
        let arguments: Vec<&str> = arguments.iter().chain(&["--format", "json"]).copied().collect();
        serde_json::from_str(&printed(&server.data, &arguments)).unwrap()
    };
    let episodes = ask(&["changes", "--prompt", "seller"]);
    let cells = episodes.iter().map(|one| json!([one["changed"], one["calls"]]));
    assert_eq!(cells.collect::<Value>(), json!([[[], 1], [["content"], 1]]));
    let diff = printed(&server.data, &["runs", "diff", &hex(1), &hex(2), "--format", "json"]);
    let diff: Value = serde_json::from_str(&diff).unwrap();
    assert_eq!(diff["classes"], json!(["content"]));

    let (mut by_command, mut by_query) = (Vec::new(), Vec::new());
    for date in server.sql("SELECT DISTINCT CAST(date AS text) AS date FROM spans ORDER BY 1") {
        let date = date["date"].as_str().unwrap();
        by_command.extend(ask(&["changes", "--prompt", "seller", "--on", date]));
        let (day, prompt) = (format!("day={date}"), "prompt=seller");
        by_query.extend(ask(&["query", "instructions_on_date", "--param", &day, "--param", prompt]));
    }
    for (rows, column) in [(&by_command, "text"), (&by_query, "instructions")] {
        assert_eq!(rows.len(), 2, "{rows:?}");
        for (row, words) in rows.iter().zip(["Be kind.", "Be brief."]) {
            assert!(
                row[column].as_str().is_some_and(|text| text.contains(words)) && row["calls"] == 1,
                "{words} {row}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_finds_captured_instructions_that_only_log_records_carry() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let captures = Capture::all();
    let is_it = |one: &&Capture| one.dialect == "otel-openai-v2" && one.scenario == "run__content";
    captures.iter().find(is_it).unwrap().over_http(&server).await;
    let dates = server.sql("SELECT DISTINCT CAST(date AS text) AS date FROM llm_calls WHERE kind = 'chat'");
    let [date] = &dates[..] else { panic!("{dates:?}") };
    let day = format!("day={}", date["date"].as_str().unwrap());
    let rows = printed(&server.data, &["query", "instructions_on_date", "--param", &day, "--format", "json"]);
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    // The mock server was asked twice with the same instructions.
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(row["calls"], 2);
    assert!(row["instructions"].as_str().unwrap().contains("You are the seed shop assistant."), "{row}");
}
