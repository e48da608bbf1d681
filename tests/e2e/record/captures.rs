//! The record of every captured run, against the views and against what was served.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::{printed, record};
use crate::fixtures::Capture;
use crate::server::Server;

/// Rows by the trace they are of.
fn by_trace(rows: Vec<Value>) -> HashMap<String, Vec<Value>> {
    let mut traces: HashMap<String, Vec<Value>> = HashMap::new();
    for row in rows {
        let trace = row["trace_id"].as_str().unwrap_or_default().to_owned();
        traces.entry(trace).or_default().push(row);
    }
    traces
}

/// A value without what is NULL; a list in any order, and NULL without members.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(plain).collect();
            list.sort_by_key(Value::to_string);
            list.into()
        }
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        value => value.clone(),
    }
}

/// The members `names` of each of `rows`; what is absent is NULL.
fn members(rows: Option<&Vec<Value>>, names: &[&str]) -> Vec<Value> {
    let member = |row: &Value, name: &&str| plain(&row[*name]);
    rows.into_iter().flatten().map(|row| names.iter().map(|name| member(row, name)).collect()).collect()
}

const CALL: [&str; 24] = [
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "duration_ns",
    "status",
    "error_class",
    "agent_name",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "prompt_name",
    "prompt_version",
    "prompt_hash",
    "temperature",
    "finish_reasons",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "content_hash",
    "duplicates",
    "reported_subtree_usage",
];
const RUN: [&str; 10] = [
    "service",
    "environment",
    "release",
    "team",
    "conversation_id",
    "user_id",
    "workflow_name",
    "workflow_version",
    "status",
    "duration_ns",
];
/// An amount as the record writes it, without zeros at its end.
const SHORT: &str = r"regexp_replace(CAST(cost_usd AS text), '\.?0+$', '') AS cost";
const COST: [&str; 11] = [
    "span_id",
    "unpriced_reason",
    "currency",
    "price_rule",
    "price_source",
    "catalogue_version",
    "prices_version",
    "price_tier",
    "price_context_over",
    "model_reading",
    "count_reading",
];
const TOKENS: [&str; 5] =
    ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"];

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_every_captured_run_says_what_the_views_say_and_what_was_served() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    let captures: Vec<Capture> = Capture::all().into_iter().filter(|one| one.scenario.starts_with("run")).collect();
    for capture in &captures {
        capture.over_http(&server).await;
    }
    let traces = format!("SELECT *, {SHORT} FROM traces WHERE span_count > 0 ORDER BY start_time, trace_id");
    let traces = server.sql(&traces);
    let calls = by_trace(server.sql("SELECT * FROM llm_calls ORDER BY start_unix_nano, span_id"));
    let costs =
        format!("SELECT trace_id, {}, {} FROM span_costs ORDER BY start_unix_nano, span_id", COST.join(", "), SHORT);
    let costs = by_trace(server.sql(&costs));
    let tools = by_trace(server.sql("SELECT * FROM tool_calls ORDER BY start_unix_nano, span_id"));
    let documents = by_trace(server.sql("SELECT * FROM retrievals ORDER BY start_time, span_id, position"));
    assert!(traces.len() >= captures.len(), "{} traces", traces.len());
    let ids = traces.iter().map(|row| row["trace_id"].as_str().unwrap());
    let records: BTreeMap<String, Value> = futures::stream::iter(ids)
        .map(async |id| Ok::<_, std::convert::Infallible>((id.to_owned(), record(&server, id).await)))
        .buffer_unordered(4)
        .try_collect()
        .await
        .unwrap();
    let mut compared = [0; 4];
    for row in &traces {
        let id = row["trace_id"].as_str().unwrap();
        let found = &records[id];
        let run = std::slice::from_ref(row).to_vec();
        assert_eq!(members(Some(&vec![found.clone()]), &RUN), members(Some(&run), &RUN), "{id}");
        assert_eq!(found["name"], row["root_name"], "{id}");
        assert_eq!(members(Some(&vec![found["tokens"].clone()]), &TOKENS), members(Some(&run), &TOKENS), "{id}");

        let own = |name: &str| found[name].as_array().cloned().unwrap_or_default();
        let wanted = members(calls.get(id), &CALL);
        compared[0] += wanted.len();
        assert_eq!(members(Some(&own("calls")), &CALL), wanted, "{id}");

        let cost = |row: &Value, name: &str| (plain(&row[name]), row["unpriced_calls"].clone());
        assert_eq!(cost(found, "cost_usd"), cost(row, "cost"), "{id}");
        assert_eq!(members(Some(&own("calls")), &COST), members(costs.get(id), &COST), "{id}");
        let amounts = |rows: Option<&Vec<Value>>, name: &str| members(rows, &[name]);
        assert_eq!(amounts(Some(&own("calls")), "cost_usd"), amounts(costs.get(id), "cost"), "{id}");
        compared[3] += costs.get(id).into_iter().flatten().filter(|row| !row["cost"].is_null()).count();

        let content = |hash: &Value| found["contents"][hash.as_str().unwrap_or_default()].clone();
        let executions = own("tools").into_iter().map(|mut tool| {
            for side in ["arguments", "result"] {
                tool[side] = content(&tool[side]);
            }
            tool
        });
        let names = ["span_id", "tool_name", "status", "error_class", "decision", "arguments", "result"];
        let wanted = members(tools.get(id), &names);
        compared[1] += wanted.len();
        assert_eq!(members(Some(&executions.collect()), &names), wanted, "{id}");

        let listed = own("retrievals").into_iter().flat_map(|one| {
            let list = one["documents"].as_array().cloned().unwrap_or_default();
            let of = |document: Value| json!([one["span_id"], document["id"], document["score"], document["text"]]);
            list.into_iter().map(of).collect::<Vec<_>>()
        });
        let found_some = documents.get(id).into_iter().flatten().filter(|row| !row["position"].is_null());
        let wanted: Vec<Value> =
            found_some.map(|row| json!([row["span_id"], row["document_id"], row["score"], row["text"]])).collect();
        compared[2] += wanted.len();
        assert_eq!(listed.collect::<Vec<_>>(), wanted, "{id}");
    }
    let all = |rows: &HashMap<String, Vec<Value>>| {
        rows.iter().filter(|(id, _)| !id.is_empty()).map(|(_, rows)| rows.len()).sum::<usize>()
    };
    assert_eq!(&compared[..2], [all(&calls), all(&tools)]);
    assert!(compared.iter().all(|count| *count > 20), "{compared:?}");

    served(&captures, &records);

    let data = server.data.clone();
    server.stop();
    // Read from the tables and the log by the command itself.
    for (id, wanted) in records.iter().step_by(records.len() / 5) {
        let stored: Value = serde_json::from_str(&printed(&data, &["runs", "show", id, "--format", "json"])).unwrap();
        assert_eq!(&stored, wanted, "{id}");
    }
}

/// What the mock server answered last, what it asked of the tool, and the documents that were found, stand in the
/// records of dialects that send them.
fn served(captures: &[Capture], records: &BTreeMap<String, Value>) {
    let complete = [
        "openinference-langchain",
        "openinference-python",
        "langfuse-python",
        "openllmetry-python",
        "vercel-ai-v6",
        "otel-genai",
        "logfire-pydantic-ai",
    ];
    let mut told = 0;
    let captures = captures.iter().filter(|one| complete.contains(&one.dialect.as_str()));
    for capture in captures.filter(|one| one.scenario == "run" || one.scenario == "run__span_and_event") {
        let name = format!("{}/{}", capture.dialect, capture.scenario);
        let own: Vec<&Value> = capture.trace_ids().iter().map(|id| &records[id]).collect();
        let contents = |record: &Value| record["contents"].as_object().cloned().unwrap_or_default();
        let outputs: Vec<String> = own
            .iter()
            .flat_map(|record| record["output"].as_array().into_iter().flatten().map(|said| (*record, said)))
            .filter_map(|(record, said)| Some(contents(record).get(said["hash"].as_str()?)?.as_str()?.to_owned()))
            .collect();
        let answer = capture.truth["calls"].as_array().unwrap().iter().rfind(|call| call["text"].is_string());
        let answer = answer.unwrap()["text"].as_str().unwrap();
        assert!(outputs.iter().any(|output| output.contains(answer)), "{name}: {answer} in {outputs:?}");
        let sku = |record: &&Value| {
            let arguments =
                record["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["arguments"].as_str());
            arguments.into_iter().any(|hash| contents(record)[hash].as_str().is_some_and(|text| text.contains("BL-42")))
        };
        assert!(own.iter().any(sku), "{name}: the tool's arguments");
        if let Some(documents) = capture.truth["facts"]["docs"].as_str() {
            let found: Vec<&str> = own
                .iter()
                .flat_map(|record| record["retrievals"].as_array().into_iter().flatten())
                .flat_map(|one| one["documents"].as_array().into_iter().flatten())
                .filter_map(|document| document["id"].as_str())
                .collect();
            assert_eq!(found.join(","), documents, "{name}");
        }
        told += 1;
    }
    assert_eq!(told, complete.len());
}
