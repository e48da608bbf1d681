//! The captured exports, read for the tests of this crate.

use std::path::{Path, PathBuf};

use tracewell_model::kind::{Dialect, Kind};
use tracewell_otlp::{Decoder, Limits, index_logs, index_traces, json};

use crate::content::Known;
use crate::input::{LogInput, SpanInput};
use crate::normalized::Normalized;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// `<dialect>/<scenario>` of every capture.
pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    for folder in std::fs::read_dir(folder()).expect("the fixtures are there").flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            if let Some(scenario) = file.file_name().to_string_lossy().strip_suffix(".traces.pb") {
                names.push(format!("{}/{scenario}", folder.file_name().to_string_lossy()));
            }
        }
    }
    names.sort();
    assert!(names.len() > 100, "only {} fixtures", names.len());
    names
}

/// What the mock server knows about a capture.
pub(crate) fn expected(name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(folder().join(format!("{name}.expected.json"))).expect("a ground truth");
    serde_json::from_str(&text).expect("a ground truth is json")
}

/// Every span of a capture with its contents and scores.
pub(crate) fn spans(name: &str, visit: impl FnMut(&SpanInput<'_, '_>, &Normalized<'_>)) {
    let body = std::fs::read(folder().join(format!("{name}.traces.pb"))).expect("a capture");
    read_spans(&body, kind, visit);
}

/// A span of `kind` with these `members`, such as its attributes, in OTLP/JSON.
pub(crate) fn span_of(kind: Kind, members: &serde_json::Value, check: impl FnMut(&SpanInput<'_, '_>, &Normalized<'_>)) {
    let mut span = serde_json::json!({"traceId": "01".repeat(16), "spanId": "02".repeat(8), "name": "made"});
    let members = members.as_object().expect("members of a span").clone();
    span.as_object_mut().expect("an object").extend(members);
    let request = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    let body = json::traces_json_to_protobuf(request.to_string().as_bytes()).expect("a request");
    read_spans(&body, |_| kind, check);
}

fn read_spans(
    body: &[u8],
    kind: impl Fn(&SpanInput<'_, '_>) -> Kind,
    mut visit: impl FnMut(&SpanInput<'_, '_>, &Normalized<'_>),
) {
    let index = index_traces(body).expect("a capture is well framed");
    let mut decoder = Decoder::new(Limits::default());
    let mut scope_attributes = Vec::new();
    for entry in index.spans() {
        let scope_entry = &index.scopes()[entry.scope as usize];
        let scope = decoder.decode_scope(body, scope_entry, &mut scope_attributes).expect("a scope");
        let span = decoder.decode_span(entry.bytes(body)).expect("a span");
        let input = SpanInput::of(&span, &scope, &[]);
        let mut out = Normalized { kind: kind(&input), dialect: Dialect::OtelGenAi, ..Normalized::default() };
        crate::content::span(&input, &mut Known::default(), &mut out);
        crate::scores::span(&input, &mut out);
        visit(&input, &out);
    }
}

/// Every log record of a capture.
pub(crate) fn logs(name: &str, mut visit: impl FnMut(&LogInput<'_, '_>, &Normalized<'_>)) {
    let Ok(body) = std::fs::read(folder().join(format!("{name}.logs.pb"))) else { return };
    let index = index_logs(&body).expect("a capture is well framed");
    let mut decoder = Decoder::new(Limits::default());
    let mut scope_attributes = Vec::new();
    for entry in index.records() {
        let scope_entry = &index.scopes()[entry.scope as usize];
        let scope_name = decoder.decode_scope(&body, scope_entry, &mut scope_attributes).expect("a scope").name;
        let record = decoder.decode_log(entry.bytes(&body)).expect("a record");
        let input = LogInput {
            scope_name,
            event_name: record.event_name,
            body: record.body,
            attributes: record.attributes,
            resource: &[],
        };
        let mut out = Normalized::default();
        crate::Normalizer::new().log(&input, &mut out);
        visit(&input, &out);
    }
}

/// The kind as the captures' dialects state it, so that contents are tested apart from the rest.
fn kind(span: &SpanInput<'_, '_>) -> Kind {
    const KINDS: &[&str] = &[
        "langfuse.observation.type",
        "openinference.span.kind",
        "langsmith.span.kind",
        "gen_ai.operation.name",
        "llm.request.type",
        "traceloop.span.kind",
        "ai.operationId",
    ];
    let text = |key: &&str| span.attributes.iter().find(|attribute| attribute.key == *key)?.value.as_str();
    let stated = KINDS.iter().find_map(text).unwrap_or_default().to_ascii_lowercase();
    match stated.as_str() {
        "llm" | "generation" | "chat" | "completion" | "generate_content" => Kind::Chat,
        "embedding" | "embeddings" => Kind::Embedding,
        "tool" | "execute_tool" | "ai.toolcall" => Kind::Tool,
        "retriever" | "retrieval" | "vector_db_retrieve" => Kind::Retrieval,
        "reranker" => Kind::Rerank,
        "evaluator" => Kind::Evaluator,
        "agent" | "invoke_agent" => Kind::Agent,
        operation if operation.ends_with("dogenerate") || operation.ends_with("dostream") => Kind::Chat,
        operation if operation.ends_with("doembed") => Kind::Embedding,
        _ => Kind::Chain,
    }
}
