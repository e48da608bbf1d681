//! The record of a run: against the views, against what captures are known to hold, and written for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::records::{claude, request, within};
use crate::sent::{Sent, hex, said, span};
use crate::server::{BINARY, Server, client};
use crate::spans::{int, text};

mod bad;
mod captures;
mod changes;
mod list;
mod masked;
mod people;

/// `tracewell` over `data`.
fn tracewell(data: &Path, arguments: &[&str]) -> Output {
    let data = ["--data", data.to_str().unwrap()];
    Command::new(BINARY).args(arguments).args(data).env_remove("TRACEWELL_CONFIG").output().unwrap()
}

/// What a command prints; it must succeed.
fn printed(data: &Path, arguments: &[&str]) -> String {
    let output = tracewell(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says when it fails.
fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = tracewell(data, arguments);
    assert!(!output.status.success(), "{arguments:?} went through");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

async fn get(server: &Server, path: &str, accept: &str) -> reqwest::Response {
    client().get(format!("{}{path}", server.api)).header("accept", accept).send().await.unwrap()
}

/// The record of a run over HTTP.
async fn record(server: &Server, id: &str) -> Value {
    let answer = get(server, &format!("/v1/runs/{id}"), "application/json").await;
    assert_eq!(answer.status(), 200, "{id}: {}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

async fn send(server: &Server, spans: impl IntoIterator<Item = Sent>) {
    for sent in spans {
        server.takes("/v1/traces", sent.request()).await;
    }
}

async fn start(folder: &tempfile::TempDir) -> Server {
    Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_what_is_missing_and_what_is_odd() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let s = "shop";
    let chat = |id, parent, times| span(s, "a", (1, id), parent, times).chat();
    let spans = vec![
        // Its parent 9 never comes, and neither does a root.
        span(s, "app", (1, 2), 9, (0, 900)).but(|span| {
            span.dropped_attributes_count = 3;
            span.dropped_events_count = 2;
            // OpenTelemetry's "TraceState: Probability Sampling": a quarter is kept.
            span.trace_state = "ot=th:c".into();
            span.flags = 1;
        }),
        // Sent twice, the first time before it was over.
        chat(3, 2, (10, 50)),
        chat(3, 2, (10, 100)).with(text("gen_ai.output.messages", &said("assistant", "Shelf 7."))),
        // Cut off by an attribute limit, and masked.
        chat(4, 2, (200, 300))
            .used(10, 1)
            .with(text("gen_ai.input.messages", &said("user", "My card is __REDACTED__")))
            .with(text("gen_ai.output.messages", r#"[{"role":"assistant","parts":[{"type":"text","content":"On sh"#))
            .with(text("shop.basket", "7")),
        // Each other's parents.
        span(s, "app", (1, 5), 6, (400, 500)),
        span(s, "app", (1, 6), 5, (410, 490)),
        // Logfire tells the start of a span before the span, which never comes; and of one that does.
        span(s, "logfire", (1, 17), 7, (600, 600))
            .with(text("logfire.span_type", "pending_span"))
            .with(text("logfire.pending_parent_id", "0000000000000002")),
        span(s, "logfire", (1, 18), 8, (700, 700))
            .with(text("logfire.span_type", "pending_span"))
            .with(text("logfire.pending_parent_id", "0000000000000002")),
        span(s, "logfire", (1, 8), 2, (700, 800)).with(text("logfire.span_type", "span")),
    ];
    send(&server, spans).await;
    let found = record(&server, &hex(1)).await;
    let statement = &found["completeness"];
    let id = |id: u64| format!("{id:016x}");
    assert_eq!(statement["complete"], false);
    assert_eq!(statement["root_missing"], true);
    assert_eq!(statement["missing_parents"], json!([{"span_id": id(9), "children": [id(2)]}]));
    assert_eq!(statement["circular_spans"], json!([id(5), id(6)]));
    assert_eq!(statement["unfinished_spans"], json!([id(7)]));
    assert_eq!(statement["resent_spans"], 1);
    assert_eq!(statement["truncated_spans"], json!([id(4)]));
    assert_eq!(statement["redacted"], json!([{"mark": "__REDACTED__", "spans": [id(4)]}]));
    assert_eq!([&statement["dropped_attributes"], &statement["dropped_events"]], [3, 2]);
    assert_eq!(statement["sampling"], json!({"sampled_spans": 1, "unsaid_spans": 7, "kept_share": [0.25]}));
    assert_eq!(statement["calls_without_usage"], json!([id(3)]));
    assert_eq!(statement["calls_without_input"], json!([id(3)]));
    let unmapped = statement["unmapped_attributes"].as_array().unwrap();
    assert!(unmapped.iter().any(|one| one["key"] == "shop.basket" && one["spans"] == 1), "{unmapped:?}");
    // The spans began an hour ago.
    assert_eq!(statement["late"]["whole_run"], true);
    assert!(statement["late"]["most_ns"].as_i64().unwrap() > 3_500_000_000_000, "{}", statement["late"]);
    // What is not known is not 0: of the two calls one tells what it used.
    assert_eq!(found["tokens"], json!({"input_tokens": 10, "output_tokens": 1, "calls_without_usage": 1}));
    let tree = found["spans"].as_array().unwrap().iter();
    let tree: Value = tree.map(|span| json!([span["span_id"], span["depth"], span["unfinished"]])).collect();
    let wanted = json!([
        [id(2), 0, null],
        [id(3), 1, null],
        [id(4), 1, null],
        [id(7), 1, true],
        [id(8), 1, null],
        [id(5), 0, null],
        [id(6), 1, null],
    ]);
    assert_eq!(tree, wanted);
    let shown = printed(&server.data, &["runs", "show", &hex(1)]);
    for sentence in [
        "The root span has not come.",
        "The span 0000000000000009 has not come; children of it: 0000000000000002.",
        "Spans whose parents form a circle: 0000000000000005, 0000000000000006.",
        "Only the start of these spans has been told: 0000000000000007.",
        "The SDK dropped 3 attributes.",
        "Sampling keeps 25.0000% of such traces.",
    ] {
        assert!(shown.contains(sentence), "{sentence}\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_tells_the_whole_story_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let s = "claude-code";
    let instructions = json!([{"type": "text", "content": "You sell seeds to {{name}}."}]).to_string();
    let spans = vec![
        span(s, "app", (1, 1), 0, (0, 5_000))
            .named("seed_run")
            .with(text("gen_ai.operation.name", "invoke_workflow"))
            .with(text("gen_ai.workflow.name", "sell"))
            .with(text("session.id", "session-1"))
            .with(text("user.id", "ada")),
        span(s, "a", (1, 2), 1, (100, 900))
            .chat()
            .used(100, 10)
            .response("resp-1")
            .with(text("gen_ai.response.model", "gpt-4.1-mini-2026-01-15"))
            .with(text("gen_ai.provider.name", "openai"))
            .with(text("gen_ai.prompt.name", "seller"))
            .with(text("gen_ai.prompt.version", "7"))
            .with(text("gen_ai.system_instructions", &instructions))
            .with(text("gen_ai.input.messages", &said("user", "Blue lantern?")))
            .with(text("gen_ai.output.messages", &said("assistant", "I order."))),
        // Another instrumentation of the same call.
        span(s, "b", (1, 3), 2, (110, 890)).chat().used(100, 10).response("resp-1"),
        span(s, "a", (1, 4), 1, (1_000, 1_200))
            .with(text("gen_ai.operation.name", "execute_tool"))
            .with(text("gen_ai.tool.name", "order"))
            .with(text("gen_ai.tool.call.id", "call-1"))
            .with(text("gen_ai.tool.call.arguments", r#"{"sku":"BL-42"}"#))
            .with(text("gen_ai.tool.call.result", r#"{"ordered":true}"#)),
    ];
    send(&server, spans).await;
    let records = [
        // Before it ran somebody agreed.
        within(
            claude(
                "claude_code.tool_decision",
                950,
                &[
                    ("decision", "accept"),
                    ("source", "user_temporary"),
                    ("tool_name", "order"),
                    ("tool_use_id", "call-1"),
                ],
            ),
            1,
            1,
        ),
        // What the user typed is no intervention.
        within(claude("claude_code.user_prompt", 50, &[("prompt", "Blue lantern?")]), 1, 1),
        within(
            crate::records::record(
                s,
                "judge",
                "gen_ai.evaluation.result",
                6_000,
                &[("gen_ai.evaluation.name", "Relevance"), ("gen_ai.evaluation.score.label", "relevant")],
            ),
            1,
            2,
        ),
    ];
    for one in records {
        server.takes("/v1/logs", request(one)).await;
    }
    let found = record(&server, &hex(1)).await;
    let told = |hash: &Value| found["contents"][hash.as_str().unwrap_or_default()].clone();
    assert_eq!([&found["name"], &found["workflow_name"], &found["user_id"]], ["seed_run", "sell", "ada"]);
    let call = &found["calls"][0];
    assert_eq!(found["calls"].as_array().unwrap().len(), 1);
    assert_eq!(call["duplicates"], json!([{"trace_id": hex(1), "span_id": "0000000000000003"}]));
    let models = [&call["provider"], &call["request_model"], &call["response_model"]];
    assert_eq!(models, ["openai", "gpt-4.1-mini", "gpt-4.1-mini-2026-01-15"]);
    assert_eq!([&call["offset_ns"], &call["duration_ns"]], [100_000_000, 800_000_000]);
    let prompt = &found["prompts"][0];
    assert_eq!([&prompt["name"], &prompt["version"]], ["seller", "7"]);
    assert!(told(&prompt["instructions"][0]).as_str().unwrap().contains("You sell seeds"), "{prompt}");
    let tool = &found["tools"][0];
    assert_eq!([told(&tool["arguments"]), told(&tool["result"])], [r#"{"sku":"BL-42"}"#, r#"{"ordered":true}"#]);
    let people = found["interventions"].as_array().unwrap();
    assert_eq!(people.len(), 1, "{people:?}");
    let one = &people[0];
    assert_eq!(
        [&one["action"], &one["decision"], &one["actor"], &one["source"]],
        ["approve", "accept", "user-042", "user_temporary"]
    );
    assert_eq!(told(&one["before"]), r#"{"sku":"BL-42"}"#);
    assert_eq!([&found["scores"][0]["name"], &found["scores"][0]["label"]], ["Relevance", "relevant"]);
    assert_eq!(found["tokens"]["input_tokens"], 100);
    // 100 tokens in at 0.4 dollars a million and 10 out at 1.6, once for both spans.
    assert_eq!([&call["cost_usd"], &call["price_source"]], ["0.000056", "catalogue"]);
    assert!(call["prices_version"].is_string() && call["price_rule"].is_string(), "{call}");
    assert_eq!([&found["cost_usd"], &found["unpriced_calls"]], [&json!("0.000056"), &json!(0)]);

    // Each form says it.
    let id = &hex(1)[..];
    for form in ["text", "md", "html"] {
        // In Markdown a number that opens a line has its point escaped, lest it opens a list.
        let page = printed(&server.data, &["runs", "show", id, "--format", form]).replace("\\.", ".");
        for words in ["You sell seeds", "BL-42", "ordered", "approve", "Relevance", "seed", "0.000056 USD"] {
            assert!(page.contains(words), "{words} in {form}:\n{page}");
        }
    }
    let json: Value = serde_json::from_str(&printed(&server.data, &["runs", "show", id, "--format", "json"])).unwrap();
    assert_eq!(json, found);
    // The first digits are enough where they are unique, and a record is the same once it is stored.
    let data = server.data.clone();
    server.stop();
    let json: Value = serde_json::from_str(&printed(&data, &["runs", "show", id, "--format", "json"])).unwrap();
    assert_eq!(json, found);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_sent_becomes_markup_or_steers_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J</pre></title><script>alert(1)</script><img src=x onerror=alert(2)>\n```\n# heading\u{202e}";
    let spans = [
        span("shop", "app", (1, 1), 0, (0, 500)).named(evil).with(text("user.id", evil)).with(text("session.id", evil)),
        span("shop", "a", (1, 2), 1, (10, 100))
            .chat()
            .named(evil)
            .with(text("gen_ai.prompt.name", evil))
            .with(text("gen_ai.input.messages", &said("user", evil)))
            .with(text("gen_ai.output.messages", &said(evil, evil))),
        span("shop", "a", (1, 3), 1, (110, 120))
            .named(evil)
            .with(text("gen_ai.operation.name", "execute_tool"))
            .with(text("gen_ai.tool.name", evil))
            .with(text("gen_ai.tool.call.arguments", evil)),
    ];
    send(&server, spans).await;
    let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    for arguments in [&["runs", "show", &hex(1), "--full"][..], &["runs", "list", "--format", "table"]] {
        let page = printed(&server.data, arguments);
        assert!(page.contains("owned") && !page.contains(steers), "{page:?}");
    }
    for (accept, media) in
        [("text/html", "text/html; charset=utf-8"), ("text/markdown", "text/markdown; charset=utf-8")]
    {
        let answer = get(&server, &format!("/v1/runs/{}", hex(1)), accept).await;
        assert_eq!(answer.headers()["content-type"], media);
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        if accept == "text/html" {
            assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        }
        let page = answer.text().await.unwrap();
        assert!(page.contains("alert") && !page.contains(steers), "{page:?}");
        let outside: String = match accept {
            // Within a fence everything is text; here none may be closed by what was sent.
            "text/markdown" => page.split("````").step_by(2).collect(),
            _ => page,
        };
        for markup in ["<script", "<img"] {
            assert!(!outside.contains(markup), "{markup} in {outside}");
        }
        assert!(accept != "text/markdown" || !outside.contains("\n# heading"), "{outside}");
    }
    // The record itself keeps every character.
    let found = record(&server, &hex(1)).await;
    assert_eq!(found["user_id"], evil);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_names_no_run_or_several_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let data = server.data.clone();
    assert!(refused(&data, &["runs", "show", "ab"]).contains("no spans are stored yet"));
    let (one, other) = (0xabc1_u128 << 112, 0xabc2_u128 << 112);
    send(&server, [span("shop", "a", (one, 1), 0, (0, 5)), span("shop", "a", (other, 1), 0, (0, 5))]).await;
    assert_eq!(record(&server, "abc1").await["trace_id"], hex(one));
    assert_eq!(record(&server, "ABC2").await["trace_id"], hex(other));
    for (id, status, words) in [
        ("abc", 409, "give more digits"),
        ("abd", 404, "runs list"),
        ("x'%20OR%20true--", 400, "is no run id"),
        ("abc1' OR 'a' = 'a", 400, "is no run id"),
    ] {
        let answer = get(&server, &format!("/v1/runs/{id}"), "*/*").await;
        assert_eq!(answer.status(), status, "{id}");
        let error: Value = answer.json().await.unwrap();
        assert!(error["error"].as_str().unwrap().contains(words), "{error}");
    }
    let both = refused(&data, &["runs", "show", "abc"]);
    assert!(both.contains(&hex(one)) && both.contains(&hex(other)), "{both}");
}

/// The spans of an agent of many steps: a root, and steps of a call, a tool and a request each.
fn long_run(trace: u128, spans: u64) -> Vec<Sent> {
    let root = span("shop", "app", (trace, 1), 0, (0, spans * 10));
    let rest = (2..=spans).map(|id| {
        let (step, place) = (id - (id - 2) % 4, (id - 2) % 4);
        let one = |parent| span("shop", "a", (trace, id), parent, (id * 10, id * 10 + 5));
        match place {
            0 => one(1),
            1 => {
                one(step).chat().used(1_000 + id as i64, 20).with(text("gen_ai.input.messages", &said("user", "Next?")))
            }
            2 => one(step).with(text("gen_ai.operation.name", "execute_tool")).with(text("gen_ai.tool.name", "lookup")),
            _ => one(step).with(int("http.response.status_code", 200)),
        }
    });
    std::iter::once(root).chain(rest).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_ten_thousand_spans_opens_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let spans = long_run(1, 10_000);
    for some in spans.chunks(1_000) {
        let request = crate::sent::requests(some);
        server.takes("/v1/traces", request).await;
    }
    let found = record(&server, &hex(1)).await;
    let spans = found["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 10_000);
    let depths = spans.iter().fold(BTreeMap::new(), |mut depths: BTreeMap<u64, usize>, span| {
        *depths.entry(span["depth"].as_u64().unwrap()).or_default() += 1;
        depths
    });
    assert_eq!(depths, BTreeMap::from([(0, 1), (1, 2_500), (2, 7_499)]));
    // Spans 3, 7, …, 9999: 2500 calls, of 1000 tokens and their number each.
    assert_eq!(found["calls"].as_array().unwrap().len(), 2_500);
    assert_eq!(found["tokens"]["input_tokens"], (0..2_500).map(|step| 1_003 + 4 * step).sum::<i64>());
    assert_eq!(found["tools"].as_array().unwrap().len(), 2_500);
    // The same words in each call stand in the record once.
    assert_eq!(found["contents"].as_object().unwrap().len(), 1);
    assert_eq!(found["completeness"]["missing_parents"], Value::Null);
    let shown = printed(&server.data, &["runs", "show", &hex(1)]);
    assert!(shown.contains("9,940 more spans are in the whole record (--full)"), "{}", shown.lines().count());
}
