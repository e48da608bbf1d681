//! What the views make of requests written for each rule, in whatever order they come.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::{Value, json};
use tracewell_lake::schema::scan_field;

use crate::postgres::{has, psql_prints};
use crate::server::{BINARY, Server, sql};
use crate::spans::{now, text};

const PROTOBUF: &str = "application/x-protobuf";

/// A span, and the service and instrumentation that sent it.
#[derive(Clone)]
pub(crate) struct Sent {
    service: &'static str,
    scope: &'static str,
    span: Span,
}

pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::IntValue(value)) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

/// An hour ago, to the second.
pub(crate) fn base() -> u64 {
    static BASE: std::sync::LazyLock<u64> =
        std::sync::LazyLock::new(|| (now() / 1_000_000_000 - 3_600) * 1_000_000_000);
    *BASE
}

/// A span of the service `service`, seen by `scope`, from `from` to `to` milliseconds after [`base`].
pub(crate) fn span(
    service: &'static str,
    scope: &'static str,
    ids: (u128, u64),
    parent: u64,
    times: (u64, u64),
) -> Sent {
    let nanos = |millis: u64| base() + millis * 1_000_000;
    let span = Span {
        trace_id: ids.0.to_be_bytes().to_vec(),
        span_id: ids.1.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: format!("span {}", ids.1),
        start_time_unix_nano: nanos(times.0),
        end_time_unix_nano: nanos(times.1),
        ..Span::default()
    };
    Sent { service, scope, span }
}

impl Sent {
    pub(crate) fn with(mut self, attribute: KeyValue) -> Self {
        self.span.attributes.push(attribute);
        self
    }

    /// Changes the span as it is sent.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Span)) -> Self {
        change(&mut self.span);
        self
    }

    pub(crate) fn chat(self) -> Self {
        self.with(text("gen_ai.operation.name", "chat")).with(text("gen_ai.request.model", "gpt-4.1-mini"))
    }

    pub(crate) fn response(self, id: &str) -> Self {
        self.with(text("gen_ai.response.id", id))
    }

    pub(crate) fn used(self, input: i64, output: i64) -> Self {
        self.with(int("gen_ai.usage.input_tokens", input)).with(int("gen_ai.usage.output_tokens", output))
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.span.name = name.into();
        self
    }

    pub(crate) fn request(self) -> Vec<u8> {
        let resource = Resource { attributes: vec![text("service.name", self.service)], ..Resource::default() };
        let scope = InstrumentationScope { name: self.scope.into(), ..InstrumentationScope::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: vec![self.span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}

/// Several spans in one request: what protobuf repeats may be written one behind the other.
pub(crate) fn requests(spans: &[Sent]) -> Vec<u8> {
    spans.iter().flat_map(|sent| sent.clone().request()).collect()
}

/// One rule: the spans of a service of its own, and the calls they are: `[span, tokens in, tokens out, others merged in]`.
pub(crate) struct Rule {
    service: &'static str,
    pub(crate) spans: Vec<Sent>,
    calls: Value,
}

pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut rule = |service, spans, calls| rules.push(Rule { service, spans, calls });

    let s = "sent-again";
    rule(
        s,
        vec![
            span(s, "a", (1, 1), 0, (0, 0)).chat(),
            span(s, "a", (1, 1), 0, (0, 50)).chat().used(10, 2),
            span(s, "a", (1, 1), 0, (0, 50)).chat().used(10, 2),
        ],
        json!([[1, 10, 2, 0]]),
    );

    let s = "nested";
    rule(
        s,
        vec![
            span(s, "framework", (2, 1), 0, (0, 90)),
            span(s, "framework", (2, 2), 1, (10, 80)).chat().response("resp-2").used(100, 20),
            span(s, "client", (2, 3), 2, (11, 79))
                .chat()
                .response("resp-2")
                .used(100, 20)
                .with(int("gen_ai.usage.cache_read.input_tokens", 40)),
        ],
        json!([[2, 100, 20, 1]]),
    );

    let s = "siblings";
    rule(
        s,
        vec![
            span(s, "app", (3, 1), 0, (0, 90)),
            span(s, "a", (3, 2), 1, (10, 80)).chat().response("resp-3").used(100, 20),
            span(s, "b", (3, 3), 1, (11, 79)).chat().response("resp-3"),
        ],
        json!([[2, 100, 20, 1]]),
    );

    let s = "separate-traces";
    rule(
        s,
        vec![
            span(s, "app", (4, 1), 0, (0, 90)),
            span(s, "a", (4, 2), 1, (10, 80)).chat().used(100, 20),
            span(s, "b", (40, 3), 0, (11, 79)).chat().response("resp-4").used(100, 20),
        ],
        json!([[2, 100, 20, 1]]),
    );

    // One of them leaves cached tokens out; it stands for the call, and does not count.
    let s = "exclusive";
    rule(
        s,
        vec![
            span(s, "app", (5, 1), 0, (0, 90)),
            span(s, "exclusive", (5, 2), 1, (10, 80)).chat().response("resp-5").used(531, 159),
            span(s, "native", (50, 3), 0, (11, 79))
                .chat()
                .response("resp-5")
                .used(2861, 159)
                .with(int("gen_ai.usage.cache_read.input_tokens", 2013))
                .with(int("gen_ai.usage.cache_write.input_tokens", 317))
                .with(int("anthropic.usage.cache_creation.ephemeral_5m_input_tokens", 107))
                .with(int("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", 210)),
        ],
        json!([[2, 2861, 159, 1]]),
    );

    let s = "wrapper";
    rule(
        s,
        vec![
            span(s, "a", (6, 1), 0, (0, 90)).chat().used(30, 3),
            span(s, "a", (6, 2), 1, (10, 40)).chat().used(10, 1),
            span(s, "a", (6, 3), 1, (50, 80)).chat().used(20, 2),
        ],
        json!([[2, 10, 1, 0], [3, 20, 2, 0]]),
    );

    let s = "outer-without-usage";
    let embeds =
        |sent: Sent| sent.with(text("gen_ai.operation.name", "embeddings")).with(text("gen_ai.request.model", "e"));
    rule(
        s,
        vec![
            embeds(span(s, "gen_ai", (7, 1), 0, (0, 90))),
            embeds(span(s, "gen_ai", (7, 2), 1, (10, 80))).with(int("gen_ai.usage.input_tokens", 18)),
        ],
        json!([[1, 18, null, 1]]),
    );

    let s = "private-half";
    rule(
        s,
        vec![
            span(s, "a", (8, 1), 0, (0, 90)).chat().used(30, 3).named("OpenAI.achat"),
            span(s, "a", (8, 2), 1, (1, 89)).chat().used(30, 3).named("OpenAI._achat"),
        ],
        json!([[1, 30, 3, 1]]),
    );

    // Logfire: the request's span ends with the headers, and a record of its own tells of the stream's end: beside it,
    // or in a trace of its own where the request has no parent.
    let s = "stream-in-two";
    let half = |ids, parent, times: (u64, u64), words: &str| {
        let asked = json!([{"role": "user", "parts": [{"type": "text", "content": words}]}]).to_string();
        span(s, "logfire.openai", ids, parent, times)
            .with(text("logfire.span_type", if times.0 == times.1 { "log" } else { "span" }))
            .with(text("request_data", "{\"model\":\"gpt-4.1-mini\"}"))
            .with(text("gen_ai.input.messages", &asked))
            .chat()
    };
    let request = |ids, parent, times, words| {
        half(ids, parent, times, words).named("Chat Completion with {request_data[model]!r}")
    };
    let end = |ids, parent, time, words| {
        let answered = json!([{"role": "assistant", "parts": [{"type": "text", "content": "Here."}]}]).to_string();
        half(ids, parent, (time, time), words)
            .named("streaming response from {request_data[model]!r} took {duration:.2f}s")
            .with(text("gen_ai.output.messages", &answered))
    };
    rule(
        s,
        vec![
            span(s, "logfire", (60, 1), 0, (0, 900)),
            request((60, 2), 1, (10, 17), "Which seeds?"),
            end((60, 3), 1, 117, "Which seeds?").used(1101, 207),
            // Two at a time, the later one ends first.
            request((60, 4), 1, (200, 207), "Which pots?"),
            request((60, 5), 1, (210, 217), "Which soil?"),
            end((60, 6), 1, 300, "Which soil?").used(30, 3),
            end((60, 7), 1, 400, "Which pots?").used(20, 2),
            request((61, 8), 0, (500, 507), "Alone?"),
            end((62, 9), 0, 617, "Alone?").used(40, 4),
            // One that was not streamed is whole.
            request((60, 10), 1, (700, 777), "Which seeds?").used(50, 5),
        ],
        json!([[2, 1101, 207, 1], [4, 20, 2, 1], [5, 30, 3, 1], [8, 40, 4, 1], [10, 50, 5, 0]]),
    );

    // What is not one call.
    let s = "an-hour-apart";
    rule(
        s,
        vec![
            span(s, "a", (10, 1), 0, (0, 50)).chat().response("resp-10").used(10, 2),
            span(s, "b", (11, 2), 0, (1_800_000, 1_800_050)).chat().response("resp-10").used(10, 2),
        ],
        json!([[1, 10, 2, 0], [2, 10, 2, 0]]),
    );

    let s = "parallel";
    rule(
        s,
        vec![
            span(s, "a", (12, 1), 9, (0, 50)).chat().used(10, 2),
            span(s, "a", (12, 2), 9, (1, 51)).chat().used(10, 2),
            span(s, "a", (12, 3), 9, (2, 52)).chat().response("resp-12").used(10, 2),
            span(s, "a", (12, 4), 9, (3, 53)).chat().response("resp-12").used(10, 2),
        ],
        json!([[1, 10, 2, 0], [2, 10, 2, 0], [3, 10, 2, 0], [4, 10, 2, 0]]),
    );

    let s = "parallel-seen-twice";
    rule(
        s,
        vec![
            span(s, "a", (13, 1), 9, (0, 50)).chat().used(10, 2),
            span(s, "b", (13, 2), 9, (1, 49)).chat().used(10, 2),
            span(s, "a", (13, 3), 9, (2, 60)).chat().used(10, 2),
            span(s, "b", (13, 4), 9, (3, 59)).chat().used(10, 2),
        ],
        json!([[1, 10, 2, 1], [3, 10, 2, 1]]),
    );

    let s = "other-counts-models-or-ids";
    rule(
        s,
        vec![
            span(s, "a", (14, 1), 0, (0, 50)).chat().used(10, 2),
            span(s, "b", (14, 2), 0, (1, 49)).chat().used(10, 3),
            span(s, "c", (14, 3), 0, (1, 48))
                .used(10, 2)
                .with(text("gen_ai.operation.name", "chat"))
                .with(text("gen_ai.request.model", "gpt-4.1")),
            span(s, "d", (14, 4), 0, (2, 47)).chat().response("resp-14").used(11, 2),
            span(s, "e", (14, 5), 0, (3, 46)).chat().response("resp-15").used(11, 2),
        ],
        json!([[1, 10, 2, 0], [2, 10, 3, 0], [3, 10, 2, 0], [4, 11, 2, 0], [5, 11, 2, 0]]),
    );

    // Equal in all but the instructions.
    let s = "other-instructions";
    let told = |sent: Sent, words: &str| {
        sent.with(text("gen_ai.system_instructions", &json!([{"type": "text", "content": words}]).to_string()))
    };
    rule(
        s,
        vec![
            told(span(s, "a", (16, 1), 0, (0, 50)).chat().used(10, 2), "Be brief."),
            told(span(s, "b", (17, 2), 0, (1, 49)).chat().used(10, 2), "Be thorough."),
        ],
        json!([[1, 10, 2, 0], [2, 10, 2, 0]]),
    );
    let s = "same-instructions";
    rule(
        s,
        vec![
            told(span(s, "a", (18, 1), 0, (0, 50)).chat().used(10, 2), "Be brief."),
            told(span(s, "b", (19, 2), 0, (1, 49)).chat().used(10, 2), "Be brief."),
        ],
        json!([[1, 10, 2, 1]]),
    );

    // Two services that happen to call at one time.
    rule(
        "service-one",
        vec![span("service-one", "a", (20, 1), 0, (0, 50)).chat().response("resp-20").used(10, 2)],
        json!([[1, 10, 2, 0]]),
    );
    rule(
        "service-two",
        vec![span("service-two", "b", (20, 2), 0, (1, 49)).chat().response("resp-20").used(10, 2)],
        json!([[2, 10, 2, 0]]),
    );

    // Facts on the root, on a step above, and on a sibling; nobody's where the trace does not agree.
    let s = "facts";
    rule(
        s,
        vec![
            span(s, "app", (30, 1), 0, (0, 90))
                .with(text("session.id", "conversation-30"))
                .with(text("user.id", "user-30")),
            span(s, "app", (30, 2), 1, (1, 89)).with(text("user.id", "user-of-step")),
            span(s, "a", (30, 3), 2, (10, 40)).chat().used(1, 1),
            span(s, "app", (30, 4), 1, (2, 3))
                .with(text("gen_ai.prompt.name", "seed-helper"))
                .with(text("gen_ai.prompt.version", "7")),
            span(s, "app", (31, 5), 99, (2, 3)).with(text("session.id", "one")),
            span(s, "app", (31, 6), 99, (4, 5)).with(text("session.id", "two")),
            span(s, "a", (31, 7), 99, (10, 40)).chat().used(1, 1),
        ],
        json!([[3, 1, 1, 0], [7, 1, 1, 0]]),
    );

    // A root that never came.
    let s = "no-root";
    rule(
        s,
        vec![
            span(s, "app", (32, 2), 1, (1, 89)).with(text("session.id", "conversation-32")),
            span(s, "a", (32, 3), 2, (10, 40)).chat().used(1, 1),
        ],
        json!([[3, 1, 1, 0]]),
    );
    rules
}

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
                assert_eq!(server.post("/v1/traces", PROTOBUF, request.clone()).await.unwrap().status(), 200);
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
        assert_eq!(server.post("/v1/traces", PROTOBUF, sent.request()).await.unwrap().status(), 200);
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
    assert_eq!(server.post("/v1/traces", PROTOBUF, cut.request()).await.unwrap().status(), 200);
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

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_every_view_is_listed_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Server::start(&data, &[]).await.stop();
    let columns =
        sql(&data, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'");
    for view in tracewell_query::VIEWS {
        let own: Vec<&str> = columns
            .iter()
            .filter(|row| row["table_name"] == view.name)
            .map(|row| row["column_name"].as_str().unwrap())
            .collect();
        assert!(!own.is_empty(), "{}", view.name);
        for column in &own {
            assert!(
                view.column_doc(column).is_some_and(|doc| doc.ends_with('.') || doc.ends_with('…')),
                "{}.{column}",
                view.name
            );
        }
        for (column, _) in view.columns {
            assert!(own.contains(column), "{} has no column `{column}`", view.name);
        }
    }
}

/// The schema is a contract: the page that is published, what queries see, and what every protocol says of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_describes_the_schema_as_it_is_published() {
    type Columns = BTreeMap<String, String>;
    type Typed = BTreeMap<String, (String, String)>;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let page = String::from_utf8(Command::new(BINARY).arg("schema").output().unwrap().stdout).unwrap();
    let (mut published, mut views): (BTreeMap<String, Typed>, BTreeMap<String, Typed>) = Default::default();
    let (mut relation, mut is_view) = (String::new(), false);
    for line in page.lines() {
        if let Some((kind, name)) = line.strip_prefix("## ").and_then(|head| head.split_once('`')) {
            (relation, is_view) = (name.trim_end_matches('`').to_owned(), kind == "View ");
        }
        if let Some((name, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) {
            let (kind, doc) = rest.split_once(" | ").unwrap();
            let told = (kind.replace(", never NULL", ""), doc.trim_end_matches(" |").replace("\\|", "|"));
            let of = if is_view { &mut views } else { &mut published };
            of.entry(relation.clone()).or_default().insert(name.to_owned(), told);
        }
    }
    // Those are read through views of the same names or others, which stand beside them.
    tracewell_model::schema::DERIVED_TABLES.iter().for_each(|derived| drop(published.remove(derived.name)));
    assert!(published.len() >= 11 && published.contains_key("verdicts"), "{:?}", published.keys());

    let listed = |rows: Vec<Value>| {
        let mut listed: BTreeMap<String, Columns> = BTreeMap::new();
        for row in rows {
            let cell = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            listed.entry(cell("table_name")).or_default().insert(cell("column_name"), cell("description"));
        }
        listed
    };
    let columns = "SELECT table_name, column_name, description FROM information_schema.columns
        WHERE table_schema = 'public'";
    let seen = listed(server.sql(columns));
    // What is seen has the names, types and meanings that are on the page.
    let types = "SELECT table_name, column_name, data_type AS description FROM information_schema.columns
        WHERE table_schema = 'public'";
    let types = listed(server.sql(types));
    let mut schemas: Vec<(&Typed, &str, SchemaRef)> = Vec::new();
    for table in tracewell_model::schema::asked_tables() {
        let schema = Schema::new(table.columns.iter().map(scan_field).collect::<Vec<_>>());
        schemas.push((&published[table.name], table.name, Arc::new(schema)));
    }
    for view in tracewell_query::VIEWS {
        schemas.push((&views[view.name], view.name, tracewell_query::published::columns(view).await.unwrap()));
    }
    for (columns, name, schema) in &schemas {
        let docs: Columns = columns.iter().map(|(column, (_, doc))| (column.clone(), doc.clone())).collect();
        assert_eq!(seen.get(*name), Some(&docs), "{name}");
        assert_eq!(schema.fields().len(), columns.len(), "{name}");
        for column in schema.fields() {
            let kind = tracewell_query::published::type_name(column.data_type());
            assert_eq!(kind, columns[column.name()].0, "{name}.{}", column.name());
            assert_eq!(kind, types[*name][column.name()], "{name}.{}", column.name());
        }
    }
    assert_eq!((seen.len(), published.len()), (schemas.len(), schemas.len() - tracewell_query::VIEWS.len()));
    for (name, columns) in &seen {
        let mut rows = server.sql(&format!("DESCRIBE {name}"));
        rows.iter_mut().for_each(|row| row["table_name"] = name.as_str().into());
        assert_eq!(listed(rows).get(name), Some(columns), "DESCRIBE {name}");
    }
    let docs =
        server.sql("SELECT table_name, description FROM information_schema.tables WHERE table_schema = 'public'");
    assert_eq!(docs.len(), seen.len());
    assert!(docs.iter().all(|row| row["description"].as_str().is_some_and(|doc| !doc.is_empty())), "{docs:?}");

    if !has("psql", "every_protocol_describes_the_schema_as_it_is_published") {
        return;
    }
    for asked in [
        columns.to_owned(),
        "SELECT c.relname AS table_name, a.attname AS column_name, d.description FROM pg_catalog.pg_class AS c
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'public'
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
         JOIN pg_catalog.pg_description AS d ON d.objoid = c.oid AND d.objsubid = a.attnum"
            .to_owned(),
    ] {
        let printed = psql_prints(&server, &["--csv", "-t", "-c", &asked]);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(printed.as_bytes());
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            json!({"table_name": &row[0], "column_name": &row[1], "description": &row[2]})
        });
        assert_eq!(listed(rows.collect()), seen, "{asked}");
    }
}
