//! What the views make of requests written for each rule, in whatever order they come.

use serde_json::{Value, json};

use crate::sent::{Sent, span};
use crate::server::{Server, sql};
use crate::spans::text;

pub(crate) mod rules;

use rules::{Rule, rules};

const CALLS: &str = "SELECT * FROM llm_calls ORDER BY service, trace_id, span_id";
const TRACES: &str = "SELECT * FROM traces ORDER BY trace_id";

fn last_hex(row: &Value, column: &str) -> u64 {
    u64::from_str_radix(row[column].as_str().unwrap(), 16).unwrap()
}

fn check_calls(rows: &[Value]) {
    for Rule { service, calls, .. } in rules() {
        let mut found: Vec<Value> = rows
            .iter()
            .filter(|row| row["service"] == service)
            .map(|row| {
                json!([last_hex(row, "span_id"), row["input_tokens"], row["output_tokens"], row["duplicate_spans"]])
            })
            .collect();
        found.sort_by_key(|row| row[0].as_u64());
        assert_eq!(Value::from(found), calls, "{service}");
    }
}

/// Rows without what tells when they were received.
pub(crate) fn without_receipt(mut rows: Vec<Value>) -> Vec<Value> {
    rows.iter_mut().for_each(|row| row.as_object_mut().unwrap().retain(|key, _| key != "seq" && key != "received_at"));
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_counted_once_in_whatever_order_its_spans_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let requests: Vec<Vec<u8>> = rules().into_iter().flat_map(|rule| rule.spans).map(Sent::request).collect();
    let mut answers = Vec::new();
    for turn in 0..3 {
        let data = folder.path().join(turn.to_string());
        let mut requests = requests.clone();
        match turn {
            // All at once: requests are lists, and one after the other is the list of both.
            0 => requests = vec![requests.concat()],
            1 => requests.reverse(),
            _ => {
                let middle = requests.len() / 2;
                requests.rotate_left(middle);
            }
        }
        // Some in files, some in memory.
        let half = requests.len() / 2;
        for part in [&requests[..half], &requests[half..]] {
            let server = Server::start(&data, &["--commit-interval", "1h"]).await;
            for request in part {
                server.takes("/v1/traces", request.clone()).await;
            }
            server.stop();
        }
        let calls = sql(&data, CALLS);
        check_calls(&calls);
        answers.push((without_receipt(calls), sql(&data, TRACES)));
    }
    for answer in &answers[1..] {
        assert_eq!(answer.0, answers[0].0);
        assert_eq!(answer.1, answers[0].1);
    }
    let (calls, traces) = &answers[0];
    let call = |service: &str| calls.iter().find(|row| row["service"] == service).unwrap();
    let trace = |id: u128| traces.iter().find(|row| row["trace_id"] == format!("{id:032x}")).unwrap();

    assert_eq!(call("sent-again")["duration_ns"], 50_000_000);
    assert_eq!(call("nested")["cache_read_tokens"], 40, "filled from the inner span");
    let exclusive = call("exclusive");
    assert_eq!(
        json!([exclusive["cache_read_tokens"], exclusive["cache_write_5m_tokens"], exclusive["cache_write_1h_tokens"]]),
        json!([2013, 107, 210])
    );
    assert_eq!(call("separate-traces")["response_id"], "resp-4", "filled from the other trace");
    assert_eq!(
        call("separate-traces")["duplicates"],
        json!([{"trace_id": format!("{:032x}", 40), "span_id": format!("{:016x}", 3)}])
    );
    assert_eq!(
        call("wrapper")["reported_subtree_usage"],
        json!({"span_id": format!("{:016x}", 1), "input_tokens": 30, "output_tokens": 3})
    );
    let streamed = call("stream-in-two");
    assert_eq!(
        json!([streamed["duration_ns"], streamed["streaming"]]),
        json!([107_000_000, true]),
        "to the stream's end"
    );
    assert!(streamed["output_preview"].as_str().unwrap().contains("Here."));
    let facts = call("facts");
    assert_eq!(
        json!([facts["conversation_id"], facts["user_id"], facts["prompt_name"], facts["prompt_version"]]),
        json!(["conversation-30", "user-of-step", "seed-helper", "7"])
    );
    let unclear = calls.iter().filter(|row| row["service"] == "facts").nth(1).unwrap();
    assert_eq!(unclear["conversation_id"], Value::Null);
    assert_eq!(call("no-root")["conversation_id"], "conversation-32");

    let of = |trace: &Value, columns: &[&str]| columns.iter().map(|column| trace[*column].clone()).collect::<Value>();
    let columns =
        ["root_name", "missing_root", "span_count", "call_count", "input_tokens", "only_duplicates", "models"];
    assert_eq!(of(trace(4), &columns), json!(["span 1", false, 2, 1, 100, false, ["gpt-4.1-mini"]]));
    assert_eq!(of(trace(40), &columns), json!(["span 3", false, 1, 0, null, true, null]));
    assert_eq!(of(trace(6), &columns), json!(["span 1", false, 3, 2, 30, false, ["gpt-4.1-mini"]]));
    assert_eq!(of(trace(32), &columns), json!([null, true, 2, 1, 1, false, ["gpt-4.1-mini"]]));
    assert_eq!(
        of(trace(30), &["conversation_id", "user_id", "duration_ns"]),
        json!(["conversation-30", "user-30", 90_000_000])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_documents_and_messages_are_rows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    let s = "rows";
    let tool =
        |sent: Sent| sent.with(text("gen_ai.operation.name", "execute_tool")).with(text("gen_ai.tool.name", "lookup"));
    let asked = json!([{"role": "user", "parts": [{"type": "text", "content": "Where?"}]}]).to_string();
    let answered =
        json!([{"role": "assistant", "parts": [{"type": "text", "content": "Shelf 7."}], "finish_reason": "stop"}])
            .to_string();
    let documents = json!([{"id": "doc-11", "score": 0.9}, {"id": "doc-29", "score": 0.25}]).to_string();
    let spans = [
        span(s, "app", (1, 1), 0, (0, 99))
            .with(text("gen_ai.operation.name", "invoke_agent"))
            .with(text("shop.shelf", "7")),
        span(s, "a", (1, 2), 1, (1, 9))
            .chat()
            .with(text("gen_ai.input.messages", &asked))
            .with(text("gen_ai.output.messages", &answered)),
        // An agent's span of a tool around that of the MCP client, sent twice; and the same tool once more.
        tool(span(s, "a", (1, 3), 1, (10, 20)))
            .with(text("gen_ai.tool.call.id", "call-1"))
            .with(text("gen_ai.tool.call.arguments", "{\"sku\":\"BL-42\"}")),
        tool(span(s, "mcp", (1, 4), 3, (11, 19))).with(text("gen_ai.tool.call.result", "{\"shelf\":7}")),
        tool(span(s, "mcp", (1, 4), 3, (11, 19))).with(text("gen_ai.tool.call.result", "{\"shelf\":7}")),
        tool(span(s, "a", (1, 5), 1, (30, 40))).with(text("gen_ai.tool.call.id", "call-2")),
        span(s, "a", (1, 6), 1, (50, 60))
            .with(text("gen_ai.operation.name", "retrieval"))
            .with(text("gen_ai.retrieval.query.text", "lantern"))
            .with(text("gen_ai.retrieval.documents", &documents)),
        span(s, "a", (1, 7), 1, (61, 62))
            .with(text("gen_ai.operation.name", "retrieval"))
            .with(text("gen_ai.retrieval.query.text", "nothing")),
    ];
    for sent in spans {
        server.takes("/v1/traces", sent.request()).await;
    }
    server.stop();
    let rows = |query| Value::from(sql(&data, query));
    assert_eq!(
        rows(
            "SELECT tool_call_id, tool_name, arguments, result, duplicate_spans FROM tool_calls ORDER BY tool_call_id"
        ),
        json!([
            {"tool_call_id": "call-1", "tool_name": "lookup", "arguments": "{\"sku\":\"BL-42\"}", "result": "{\"shelf\":7}", "duplicate_spans": 1},
            {"tool_call_id": "call-2", "tool_name": "lookup", "arguments": null, "result": null, "duplicate_spans": 0},
        ])
    );
    assert_eq!(
        rows("SELECT retrieval_query, position, document_id, score FROM retrievals ORDER BY retrieval_query, position"),
        json!([
            {"retrieval_query": "lantern", "position": 1, "document_id": "doc-11", "score": 0.9},
            {"retrieval_query": "lantern", "position": 2, "document_id": "doc-29", "score": 0.25},
            {"retrieval_query": "nothing", "position": null, "document_id": null, "score": null},
        ])
    );
    let part = |text: &str| Value::from(serde_json::from_str::<Value>(text).unwrap()[0].to_string());
    let messages = rows("SELECT direction, position, role, content FROM messages ORDER BY direction, position");
    assert_eq!(messages.as_array().unwrap().len(), 2);
    for (message, (direction, role, sent)) in
        messages.as_array().unwrap().iter().zip([("input", "user", &asked), ("output", "assistant", &answered)])
    {
        assert_eq!(json!([message["direction"], message["position"], message["role"]]), json!([direction, 1, role]));
        assert_eq!(
            message["content"].as_str().unwrap().parse::<Value>().unwrap(),
            part(sent).as_str().unwrap().parse::<Value>().unwrap()
        );
    }
    // A message that a length limit cut off.
    let cut = span("cut", "b", (2, 1), 0, (0, 9)).chat().with(text("gen_ai.input.messages", "[{\"role\": \"us"));
    let server = Server::start(&data, &[]).await;
    server.takes("/v1/traces", cut.request()).await;
    let coverage = "SELECT key, scope_name, state, spans, unreadable_spans FROM mapping_coverage
        WHERE key LIKE 'gen_ai.tool.%' OR key LIKE 'shop.%' OR key = 'gen_ai.input.messages' ORDER BY key, scope_name";
    let row = |key: &str, scope: &str, state: &str, spans: u64, unreadable: u64| json!({"key": key, "scope_name": scope, "state": state, "spans": spans, "unreadable_spans": unreadable});
    assert_eq!(
        Value::from(server.sql(coverage)),
        json!([
            row("gen_ai.input.messages", "a", "mapped", 1, 0),
            row("gen_ai.input.messages", "b", "unreadable", 1, 1),
            row("gen_ai.tool.call.arguments", "a", "mapped", 1, 0),
            row("gen_ai.tool.call.id", "a", "mapped", 2, 0),
            row("gen_ai.tool.call.result", "mcp", "mapped", 1, 0),
            row("gen_ai.tool.name", "a", "mapped", 2, 0),
            row("gen_ai.tool.name", "mcp", "mapped", 1, 0),
            row("shop.shelf", "app", "kept", 1, 0),
        ])
    );
}
