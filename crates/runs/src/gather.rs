//! Gathering a record.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::around::{self, Around, MOST_NEIGHBOURS};
use crate::ask::{Ask, RunsError, rows};
use crate::calls::{Calls, LogTexts, offset};
use crate::completeness::{self, Evidence};
use crate::find::place;
use crate::moment::rfc3339;
use crate::record::{Completeness, Log, Message, RECORD_VERSION, RunRecord, Span, ToolCall};
use crate::rows::{LOG_COLUMNS, LogRow, SPAN_COLUMNS, SpanRow, merged, typed};
use crate::{contents, facts, interventions, nodes, tree};

/// The record of the one run whose id begins with `prefix`.
///
/// # Errors
/// When there is no such run, or more than one, or a query fails.
pub async fn open(source: &impl Ask, prefix: &str) -> Result<RunRecord, RunsError> {
    let place = place(source, prefix).await?;
    let mine = place.condition();
    let marks = completeness::marks_column();
    let spans_query = format!("SELECT {SPAN_COLUMNS}, {marks} AS marks FROM span_records WHERE {mine}");
    let logs_query = format!("SELECT {LOG_COLUMNS} FROM logs WHERE {mine} ORDER BY time_unix_nano, seq, event_name");
    let (span_rows, logs, neighbours, scores, attributes) = futures::try_join!(
        rows::<Map<String, Value>>(source, &spans_query),
        rows::<LogRow>(source, &logs_query),
        around::neighbours(source, &place),
        around::scores(source, &place),
        completeness::attributes(source, &place),
    )?;
    let (span_rows, resent) = merged(span_rows);
    let spans: Vec<SpanRow> = typed(&span_rows)?;
    let around = Around::new(&place, &neighbours);
    let has_tools = spans.iter().any(|span| span.kind == "tool");
    let tools = async { if has_tools { around.tools(source).await } else { Ok(Vec::new()) } };
    let (mut calls, tools) = futures::try_join!(Calls::find(source, &around, &place.trace_id, &span_rows), tools)?;

    let mut record = RunRecord {
        record_version: RECORD_VERSION,
        trace_id: place.trace_id.clone(),
        tenant: place.tenant.clone(),
        start_unix_nano: place.start,
        ..RunRecord::default()
    };
    facts::fill(&mut record, &spans);
    let start = record.start_unix_nano;
    let told = LogTexts::of(&logs);
    let counted_elsewhere = std::mem::take(&mut calls.counted_elsewhere);
    record.calls = calls.told(start, &told)?;
    record.tools = tools.into_iter().map(|row| offset::<ToolCall>(row, start)).collect::<Result<_, _>>()?;
    record.tokens = facts::tokens(&record.calls);
    (record.cost_usd, record.unpriced_calls) = facts::cost(&mut record.calls);
    let templates: BTreeMap<_, _> =
        spans.iter().filter_map(|span| Some((span.span_id.clone(), span.template.clone()?))).collect();
    record.prompts = facts::prompts(&record.calls, &templates);
    record.scores = scores;
    record.interventions = interventions::interventions(&spans, &logs, &record.tools, start);
    record.logs = logs.iter().map(|row| log(row, start)).collect();
    let tree = tree::tree(nodes::nodes(&spans, start, &told));
    record.spans = tree.spans;
    (record.input, record.output) = ends(&record);
    let corrections = interventions::corrections(&record);
    record.interventions.extend(corrections);
    record.interventions.sort_by(|a, b| a.time.cmp(&b.time));

    let searches: Vec<&SpanRow> =
        spans.iter().filter(|span| matches!(span.kind.as_str(), "retrieval" | "rerank")).collect();
    let documents: BTreeSet<&str> = searches
        .iter()
        .flat_map(|span| span.output_refs.iter().flatten())
        .map(|reference| reference.hash.as_str())
        .collect();
    let hashes = contents::named(&record);
    let retrievals = async {
        if searches.is_empty() { Ok(Vec::new()) } else { around::retrievals(source, &place, &documents, start).await }
    };
    let (texts, retrievals) = futures::try_join!(contents::texts(source, &place, &hashes), retrievals)?;
    record.contents = texts;
    interventions::asked(&mut record);
    record.retrievals = retrievals;
    record.completeness = Completeness {
        root_missing: !tree.has_root,
        missing_parents: tree.missing_parents,
        circular_spans: tree.circular,
        resent_spans: resent,
        log_records: logs.len() as u64,
        counted_elsewhere,
        neighbours: neighbours.len().min(MOST_NEIGHBOURS) as u64,
        neighbours_cut: (neighbours.len() > MOST_NEIGHBOURS).then_some(true),
        expired_contents: hashes.into_iter().filter(|hash| !record.contents.contains_key(hash)).collect(),
        ..Completeness::default()
    };
    completeness::fill(&mut record, &Evidence { spans: &spans, attributes });
    leave_to_calls(&mut record);
    Ok(record)
}

/// The messages of a call stand with the call, and not with its span once more: they are most of a long run's record.
fn leave_to_calls(record: &mut RunRecord) {
    let calls: BTreeSet<&str> = record.calls.iter().map(|call| call.span_id.as_str()).collect();
    for span in record.spans.iter_mut().filter(|span| calls.contains(span.span_id.as_str())) {
        span.input.clear();
        span.output.clear();
    }
}

fn log(row: &LogRow, start: i64) -> Log {
    Log {
        time: rfc3339(row.time_unix_nano.div_euclid(1_000)),
        offset_ns: row.time_unix_nano.saturating_sub(start),
        span_id: row.span_id.clone(),
        event_name: row.event_name.clone(),
        severity: row.severity.clone(),
        body: row.body.clone(),
    }
}

/// What went into the run and what came out: of the root, else of the first and the last call that is a conversation.
fn ends(record: &RunRecord) -> (Vec<Message>, Vec<Message>) {
    let root = record.spans.iter().find(|span| span.parent_span_id.is_none() && span.record.is_none());
    let talks = || record.calls.iter().filter(|call| matches!(call.kind.as_str(), "chat" | "completion"));
    let of_root = |of: fn(&Span) -> &Vec<Message>| root.map(of).filter(|messages| !messages.is_empty()).cloned();
    let input =
        of_root(|span| &span.input).or_else(|| talks().map(|call| &call.input).find(|said| !said.is_empty()).cloned());
    let output = of_root(|span| &span.output)
        .or_else(|| talks().map(|call| &call.output).rfind(|said| !said.is_empty()).cloned());
    (input.unwrap_or_default(), output.unwrap_or_default())
}
