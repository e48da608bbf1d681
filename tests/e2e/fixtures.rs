//! Every captured export through the receivers and into the views, against what the mock model server knows it was
//! asked and what it answered.
//!
//! Each fact of each call served must come out of SQL. What a dialect does not send is listed in [`gaps`], with the
//! reason; an entry that nothing needs fails the test.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::Value;

use crate::server::{Server, sql};

mod facts;
mod gaps;

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// One capture.
pub(crate) struct Capture {
    pub(crate) dialect: String,
    pub(crate) scenario: String,
    pub(crate) traces: Vec<u8>,
    pub(crate) logs: Option<Vec<u8>>,
    pub(crate) truth: Value,
}

impl Capture {
    /// Every capture, in the order of the index.
    pub(crate) fn all() -> Vec<Self> {
        let fixtures = folder("tests/fixtures");
        let index: Value = serde_json::from_slice(&std::fs::read(fixtures.join("index.json")).unwrap()).unwrap();
        let mut captures = Vec::new();
        for entry in index.as_array().unwrap() {
            let (dialect, scenario) = (entry["dialect"].as_str().unwrap(), entry["scenario"].as_str().unwrap());
            let file = |ending: &str| fixtures.join(dialect).join(format!("{scenario}.{ending}"));
            let read = |ending: &str| {
                std::fs::read(file(ending)).unwrap_or_else(|error| panic!("{dialect}/{scenario}.{ending}: {error}"))
            };
            captures.push(Self {
                dialect: dialect.to_owned(),
                scenario: scenario.to_owned(),
                traces: read("traces.pb"),
                logs: entry["counts"]["logs"].is_u64().then(|| read("logs.pb")),
                truth: serde_json::from_slice(&read("expected.json")).unwrap(),
            });
        }
        captures
    }

    pub(crate) fn trace_ids(&self) -> BTreeSet<String> {
        let request = ExportTraceServiceRequest::decode(self.traces.as_slice()).unwrap();
        let scopes = request.resource_spans.iter().flat_map(|spans| &spans.scope_spans);
        let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect();
        scopes.flat_map(|spans| &spans.spans).map(|span| hex(&span.trace_id)).collect()
    }

    /// Whether `words` stand anywhere in what was exported.
    pub(crate) fn tells(&self, words: &str) -> bool {
        let bytes = [Some(&self.traces), self.logs.as_ref()];
        bytes.into_iter().flatten().any(|bytes| bytes.windows(words.len()).any(|window| window == words.as_bytes()))
    }

    pub(crate) async fn over_http(&self, server: &Server) {
        server.takes("/v1/traces", self.traces.clone()).await;
        if let Some(logs) = &self.logs {
            server.takes("/v1/logs", logs.clone()).await;
        }
    }

    async fn over_grpc(&self, server: &Server) {
        let traces = ExportTraceServiceRequest::decode(self.traces.as_slice()).unwrap();
        let answer = TraceServiceClient::connect(server.grpc.clone()).await.unwrap().export(traces).await.unwrap();
        assert_eq!(answer.into_inner().partial_success, None);
        if let Some(logs) = &self.logs {
            let logs = ExportLogsServiceRequest::decode(logs.as_slice()).unwrap();
            let answer = LogsServiceClient::connect(server.grpc.clone()).await.unwrap().export(logs).await.unwrap();
            assert_eq!(answer.into_inner().partial_success, None);
        }
    }
}

/// Some captures once more as OTLP/JSON: their spans are then sent again, and count once all the same.
async fn again_as_json(server: &Server) {
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder("crates/otlp/tests/data").join(name)).unwrap()).unwrap()
    };
    let mut requests = vec![("/v1/traces", read("vercel.traces.json"))];
    for name in ["google_adk.json", "otel_genai.json"] {
        let mut both = read(name);
        requests.push(("/v1/traces", both["traces"].take()));
        requests.push(("/v1/logs", both["logs"].take()));
    }
    for (path, body) in requests {
        assert_eq!(
            server.post(path, "application/json", body.to_string().into_bytes()).await.unwrap().status(),
            200,
            "{path}"
        );
    }
}

/// What the server knows of one call, by the names that the gaps use.
fn served(call: &Value, facts: &Value) -> BTreeMap<&'static str, String> {
    let mut fields = BTreeMap::new();
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let mut set = |field, value: Option<String>| fields.extend(value.map(|value| (field, value)));
    set("conversation", text(&facts["session"]).or(text(&facts["conversation"])).or(text(&facts["group_id"])));
    set("user", text(&facts["user"]));
    let embeds = call["api"] == "openai.embeddings";
    if !embeds {
        set("prompt_name", text(&facts["prompt_name"]));
        set("prompt_version", text(&facts["prompt_version"]));
    }
    set("request_model", text(&call["model"]));
    if let Some(status) = call["error"].as_i64() {
        set("error_class", Some(if status == 429 { "rate_limit" } else { "server" }.to_owned()));
        return fields;
    }
    set("response_model", text(&call["response_model"]));
    set("response_id", text(&call["response_id"]));
    if !embeds {
        set("streaming", text(&call["stream"]));
        set("ttft", (call["stream"] == true).then(|| "some".to_owned()));
        set(
            "finish",
            call["finish"].as_str().map(|finish| match finish {
                "tool_use" | "tool_calls" => "tool_calls".to_owned(),
                "STOP" | "end_turn" | "completed" | "stop" => "stop".to_owned(),
                other => other.to_owned(),
            }),
        );
        set("text", text(&call["text"]).map(|text| text.trim().to_owned()));
        set(
            "tool_call",
            (!call["tool_call"].is_null()).then(|| {
                let tool = &call["tool_call"];
                // Gemini has no ids.
                let id = if call["api"] == "gemini" { "" } else { tool["id"].as_str().unwrap_or_default() };
                [tool["name"].as_str().unwrap(), id, tool["arguments"]["sku"].as_str().unwrap()]
                    .join(" ")
                    .replace("  ", " ")
            }),
        );
    }
    let params = &call["params"];
    for name in ["temperature", "top_p", "seed"] {
        set(name, text(&params[name]));
    }
    let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    set("max_tokens", limits.iter().find_map(|name| text(&params[*name])));
    usage(call, &mut set);
    fields
}

/// Token counts in our reading: input with cached tokens, output with reasoning. Without usage there is none.
fn usage(call: &Value, set: &mut impl FnMut(&'static str, Option<String>)) {
    let usage = &call["usage"];
    if usage.is_null() {
        set("input_tokens", Some("none".to_owned()));
        return set("output_tokens", Some("none".to_owned()));
    }
    let count = |path: &str| usage.pointer(path).and_then(Value::as_i64);
    let sum = |paths: &[&str]| {
        let counts: Vec<i64> = paths.iter().filter_map(|path| count(path)).collect();
        (!counts.is_empty()).then(|| counts.iter().sum::<i64>().to_string())
    };
    match call["api"].as_str().unwrap() {
        "anthropic.messages" => {
            set("input_tokens", sum(&["/input_tokens", "/cache_read_input_tokens", "/cache_creation_input_tokens"]));
            set("output_tokens", sum(&["/output_tokens"]));
            set("cache_read", sum(&["/cache_read_input_tokens"]));
            set("cache_write", sum(&["/cache_creation_input_tokens"]));
            set("cache_write_5m", sum(&["/cache_creation/ephemeral_5m_input_tokens"]));
            set("cache_write_1h", sum(&["/cache_creation/ephemeral_1h_input_tokens"]));
        }
        "gemini" => {
            set("input_tokens", sum(&["/promptTokenCount"]));
            set("output_tokens", sum(&["/candidatesTokenCount", "/thoughtsTokenCount"]));
            set("cache_read", sum(&["/cachedContentTokenCount"]));
            set("reasoning", sum(&["/thoughtsTokenCount"]));
        }
        _ => {
            set("input_tokens", sum(&["/prompt_tokens", "/input_tokens"]));
            set("output_tokens", sum(&["/completion_tokens", "/output_tokens"]));
            set("cache_read", sum(&["/prompt_tokens_details/cached_tokens", "/input_tokens_details/cached_tokens"]));
            let reasoning = ["/completion_tokens_details/reasoning_tokens", "/output_tokens_details/reasoning_tokens"];
            set("reasoning", sum(&reasoning));
        }
    }
}

/// What the views say of one call, by the same names. `outputs`: the contents of its output messages.
fn found(row: &Value, outputs: &[String], truth: &BTreeMap<&'static str, String>) -> BTreeMap<&'static str, String> {
    let mut fields = BTreeMap::new();
    let text = |column: &str| match &row[column] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        other => Some(other.to_string()),
    };
    let columns = [
        ("conversation", "conversation_id"),
        ("user", "user_id"),
        ("prompt_name", "prompt_name"),
        ("prompt_version", "prompt_version"),
        ("request_model", "request_model"),
        ("response_model", "response_model"),
        ("response_id", "response_id"),
        ("error_class", "error_class"),
        ("streaming", "streaming"),
        ("finish", "finish_reasons"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("seed", "seed"),
        ("max_tokens", "max_tokens"),
        ("input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        ("cache_read", "cache_read_tokens"),
        ("cache_write", "cache_write_tokens"),
        ("cache_write_5m", "cache_write_5m_tokens"),
        ("cache_write_1h", "cache_write_1h_tokens"),
        ("reasoning", "reasoning_tokens"),
    ];
    let mut set = |field, value: Option<String>| fields.extend(value.map(|value| (field, value)));
    for (field, column) in columns {
        let none = || (truth.get(field).is_some_and(|value| value == "none")).then(|| "none".to_owned());
        set(field, text(column).or_else(none));
    }
    // The mock waits before the first chunk.
    set("ttft", row["ttft_ns"].as_i64().filter(|nanos| *nanos > 10_000_000).map(|_| "some".to_owned()));
    let preview = text("output_preview").unwrap_or_default();
    let all = outputs.iter().chain([&preview]);
    let told = |words: &str| {
        let escaped = serde_json::to_string(words).unwrap();
        all.clone().any(|output| output.contains(words) || output.contains(escaped.trim_matches('"')))
    };
    set("text", truth.get("text").filter(|words| told(words)).cloned());
    set("tool_call", truth.get("tool_call").filter(|call| call.split(' ').all(told)).cloned());
    if outputs.is_empty() && preview.is_empty() {
        return fields;
    }
    // Something else was said: wrong rather than missing.
    for field in ["text", "tool_call"] {
        if truth.contains_key(field) {
            fields.entry(field).or_insert_with(|| format!("{outputs:?} {preview:?}").chars().take(200).collect());
        }
    }
    fields
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ok,
    Gap,
    Wrong,
}

#[derive(Default)]
struct Report {
    /// By dialect and field: ok, gap, wrong.
    table: BTreeMap<String, BTreeMap<&'static str, [usize; 3]>>,
    needed: gaps::Needed,
    wrong: Vec<String>,
}

impl Report {
    fn compare(&mut self, capture: &Capture, field: &'static str, truth: &str, stated: Option<&str>) {
        let (dialect, scenario) = (&capture.dialect, &capture.scenario);
        let outcome = match stated {
            Some(stated) if stated == truth => Outcome::Ok,
            _ if gaps::knows(dialect, scenario, field, stated.is_some(), &mut self.needed) => Outcome::Gap,
            _ => {
                self.wrong.push(format!("{dialect}/{scenario} {field}: served {truth}, found {stated:?}"));
                Outcome::Wrong
            }
        };
        self.table.entry(dialect.clone()).or_default().entry(field).or_default()[outcome as usize] += 1;
    }

    fn print(&self) {
        println!("dialect: field ok/gap/wrong");
        for (dialect, fields) in &self.table {
            let cells = fields.iter().map(|(field, [ok, gap, wrong])| format!("{field} {ok}/{gap}/{wrong}"));
            println!("{dialect}: {}", cells.collect::<Vec<_>>().join("  "));
        }
    }
}

/// Compares the calls served with the rows of a capture.
fn check(capture: &Capture, rows: &[&Value], outputs: &HashMap<String, Vec<String>>, report: &mut Report) {
    let facts = &capture.truth["facts"];
    let calls = capture.truth["calls"].as_array().unwrap();
    let embeds = |call: &Value| call["api"] == "openai.embeddings";
    let is_embedding = |row: &Value| row["kind"] == "embedding";
    // Not every call is the mock's: some applications write a generation by hand.
    let by_hand = usize::from(!facts["manual_generation"].is_null());
    let count = |wanted: bool| calls.iter().filter(|call| embeds(call) == wanted).count();
    let rows: Vec<&Value> = rows.iter().copied().filter(|row| row["kind"] != "rerank").collect();
    let counted = |wanted: bool| rows.iter().filter(|row| is_embedding(row) == wanted).count();
    report.compare(capture, "calls", &(count(false) + by_hand).to_string(), Some(&counted(false).to_string()));
    report.compare(capture, "embeddings", &count(true).to_string(), Some(&counted(true).to_string()));

    let outputs_of = |row: &Value| -> Vec<String> {
        let own = [format!("{}{}", row["trace_id"].as_str().unwrap(), row["span_id"].as_str().unwrap())];
        let others = row["duplicates"].as_array().into_iter().flatten();
        let others = others
            .map(|other| format!("{}{}", other["trace_id"].as_str().unwrap(), other["span_id"].as_str().unwrap()));
        own.into_iter().chain(others).filter_map(|span| outputs.get(&span)).flatten().cloned().collect()
    };
    let mut used = BTreeSet::new();
    for call in calls {
        let truth = served(call, facts);
        let failed = !call["error"].is_null();
        let candidates = rows.iter().enumerate().filter(|(at, row)| {
            let fits = is_embedding(row) == embeds(call)
                && (row["status"] == "error" || !row["error_class"].is_null()) == failed;
            // Attempts within a client are no spans, so one failed span may stand for several calls.
            fits && (failed || !used.contains(at))
        });
        // The server's numbers differ from call to call, so the row that agrees most is the call's.
        let best = candidates.map(|(at, row)| (at, found(row, &outputs_of(row), &truth))).max_by_key(|(at, fields)| {
            (truth.iter().filter(|(field, value)| fields.get(*field) == Some(value)).count(), usize::MAX - at)
        });
        let Some((at, fields)) = best else {
            // The count says so already; an error must be seen.
            if failed {
                report.compare(capture, "error_class", &truth["error_class"], None);
            }
            continue;
        };
        used.insert(at);
        for (field, value) in &truth {
            report.compare(capture, field, value, fields.get(field).map(String::as_str));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_served_comes_out_of_the_views_as_it_was() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let captures = Capture::all();
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    for (position, capture) in captures.iter().enumerate() {
        if position % 2 == 0 {
            capture.over_http(&server).await;
        } else {
            capture.over_grpc(&server).await;
        }
    }
    again_as_json(&server).await;
    server.stop();

    let calls = sql(&data, "SELECT * FROM llm_calls ORDER BY start_unix_nano, span_id");
    let mut outputs: HashMap<String, Vec<String>> = HashMap::new();
    for message in sql(&data, "SELECT trace_id || span_id AS span, content FROM messages WHERE direction = 'output'") {
        let content = message["content"].as_str().expect("every message has its content").to_owned();
        outputs.entry(message["span"].as_str().unwrap().to_owned()).or_default().push(content);
    }
    let mut report = Report::default();
    let stored = facts::Stored::read(&data);
    for capture in &captures {
        let traces = capture.trace_ids();
        let rows: Vec<&Value> = calls.iter().filter(|row| traces.contains(row["trace_id"].as_str().unwrap())).collect();
        check(capture, &rows, &outputs, &mut report);
        facts::check(capture, &rows, &stored, &mut report);
    }
    for capture in &captures {
        let Some(documents) = capture.truth["facts"]["docs"].as_str() else { continue };
        let traces = capture.trace_ids().into_iter().map(|trace| format!("'{trace}'")).collect::<Vec<_>>().join(", ");
        let query = format!("SELECT document_id FROM retrievals WHERE trace_id IN ({traces}) ORDER BY position");
        let found: Vec<String> =
            sql(&data, &query).iter().map(|row| row["document_id"].as_str().unwrap_or("?").to_owned()).collect();
        report.compare(capture, "documents", documents, Some(&found.join(",")));
    }
    report.print();
    let mut wrong = std::mem::take(&mut report.wrong);
    wrong.extend(gaps::unneeded(&report.needed));
    assert!(wrong.is_empty(), "{} disagreements:\n{}", wrong.len(), wrong.join("\n"));
}
