//! What a record lacks: read from its rows, and from the attributes that no column took.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::ask::{Ask, RunsError, rows};
use crate::find::Place;
use crate::record::{Attribute, Completeness, Late, Redacted, RunRecord, Sampling};
use crate::rows::SpanRow;
use crate::sql::{over, quoted};

/// A span that comes later than this after its end is late. Exporters keep spans for seconds.
const LATE_NS: i64 = 5 * 60 * 1_000_000_000;

/// What instrumentations write in the place of what they mask.
const MARKS: [&str; 5] = ["__REDACTED__", "[Scrubbed due to", "redacted-by-litellm", "[REDACTED", "<redacted>"];

/// The W3C flag of a sampled trace, in the lowest byte of OTLP's `flags`.
const SAMPLED: i64 = 1;

/// What the statement is made from, beside the record.
pub(crate) struct Evidence<'a> {
    pub(crate) spans: &'a [SpanRow],
    pub(crate) attributes: Vec<AttributeRow>,
}

/// A row of `mapping_coverage`.
#[derive(Debug, Deserialize)]
pub(crate) struct AttributeRow {
    key: String,
    dialect: String,
    state: String,
    spans: u64,
}

/// The attributes of the run that mean nothing here, or could not be read.
pub(crate) async fn attributes(source: &impl Ask, place: &Place) -> Result<Vec<AttributeRow>, RunsError> {
    // Of the run's spans; log records have none of their own here.
    let tables = [("spans", place.condition()), ("logs", "false".to_owned())];
    let views = over(&tables, &["mapping_coverage"]);
    let query = format!(
        "{views} SELECT key, dialect, state, CAST(sum(spans) AS bigint) AS spans FROM mapping_coverage
        WHERE state <> 'mapped' GROUP BY key, dialect, state ORDER BY spans DESC, key, dialect"
    );
    rows(source, &query).await
}

/// Completes the statement of `record`, whose tree, calls and contents are known.
pub(crate) fn fill(record: &mut RunRecord, evidence: &Evidence<'_>) {
    let spans = evidence.spans;
    let named = |wanted: &dyn Fn(&SpanRow) -> bool| -> Vec<String> {
        spans.iter().filter(|span| wanted(span)).map(|span| span.span_id.clone()).collect()
    };
    let sum = |of: fn(&SpanRow) -> Option<u64>| spans.iter().filter_map(of).sum();
    let flagged = |flag: &str| named(&|span| span.flags.iter().any(|other| other == flag));
    let attributes = |state: &str, plain_too: bool| -> Vec<Attribute> {
        let rows = evidence.attributes.iter().filter(|row| row.state == state && (plain_too || row.dialect != "plain"));
        rows.map(|row| Attribute { key: row.key.clone(), dialect: row.dialect.clone(), spans: row.spans }).collect()
    };
    let calls = |wanted: fn(&crate::record::ModelCall) -> bool| -> Vec<String> {
        record.calls.iter().filter(|call| wanted(call)).map(|call| call.span_id.clone()).collect()
    };
    let statement = Completeness {
        unfinished_spans: record
            .spans
            .iter()
            .filter(|span| span.unfinished == Some(true))
            .map(|span| span.span_id.clone())
            .collect(),
        late: late(spans),
        sampling: sampling(spans),
        flags: by_flag(spans, |span| &span.flags),
        usage_flags: by_flag(spans, |span| &span.usage_flags),
        truncated_spans: flagged("truncated"),
        unparsable_spans: flagged("unparsable"),
        redacted: redacted(record, evidence),
        unreadable_attributes: attributes("unreadable", true),
        unmapped_attributes: attributes("kept", false),
        dropped_attributes: sum(|span| span.dropped_attributes),
        dropped_events: sum(|span| span.dropped_events),
        dropped_links: sum(|span| span.dropped_links),
        calls_without_usage: calls(|call| call.input_tokens.is_none() && call.output_tokens.is_none()),
        calls_without_input: calls(|call| call.input.is_empty() && call.kind != "embedding"),
        calls_without_output: calls(|call| {
            call.output.is_empty()
                && matches!(call.kind.as_str(), "chat" | "completion")
                && call.status.as_deref() != Some("error")
        }),
        ..std::mem::take(&mut record.completeness)
    };
    record.completeness = Completeness { complete: nothing_missing(&statement), ..statement };
}

/// Whether the statement names nothing that should be there and is not.
fn nothing_missing(statement: &Completeness) -> bool {
    let Completeness {
        root_missing,
        missing_parents,
        unfinished_spans,
        truncated_spans,
        unparsable_spans,
        redacted,
        unreadable_attributes,
        dropped_attributes,
        dropped_events,
        dropped_links,
        expired_contents,
        calls_without_usage,
        calls_without_input,
        calls_without_output,
        neighbours_cut,
        sampling,
        ..
    } = statement;
    !root_missing
        && missing_parents.is_empty()
        && [unfinished_spans, truncated_spans, unparsable_spans, expired_contents].iter().all(|list| list.is_empty())
        && [calls_without_usage, calls_without_input, calls_without_output].iter().all(|list| list.is_empty())
        && redacted.is_empty()
        && unreadable_attributes.is_empty()
        && [dropped_attributes, dropped_events, dropped_links].iter().all(|count| **count == 0)
        && neighbours_cut.is_none()
        && sampling.kept_share.iter().all(|share| *share >= 1.0)
}

fn by_flag(spans: &[SpanRow], of: fn(&SpanRow) -> &Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut flags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for span in spans {
        for flag in of(span) {
            flags.entry(flag.clone()).or_default().push(span.span_id.clone());
        }
    }
    flags
}

fn late(spans: &[SpanRow]) -> Option<Late> {
    let lateness = |span: &SpanRow| span.received.saturating_mul(1_000).saturating_sub(span.end());
    let late: Vec<&SpanRow> = spans.iter().filter(|span| lateness(span) > LATE_NS).collect();
    Some(Late {
        most_ns: late.iter().map(|span| lateness(span)).max()?,
        whole_run: late.len() == spans.len(),
        spans: late.iter().map(|span| span.span_id.clone()).collect(),
    })
}

fn sampling(spans: &[SpanRow]) -> Sampling {
    let told = spans.iter().filter(|span| !span.is_record);
    let sampled = told.clone().filter(|span| span.trace_flags.is_some_and(|flags| flags & SAMPLED != 0)).count() as u64;
    let shares = spans.iter().filter_map(|span| kept_share(span.trace_state.as_deref()?));
    // Shares are above zero, and the bits of such numbers are ordered as they are.
    let shares: BTreeSet<u64> = shares.map(f64::to_bits).collect();
    Sampling {
        sampled_spans: sampled,
        unsaid_spans: told.count() as u64 - sampled,
        kept_share: shares.into_iter().map(f64::from_bits).collect(),
    }
}

/// OpenTelemetry's consistent sampling: `tracestate: ot=th:…` holds the first of up to 14 hexadecimal digits of the
/// threshold below which a trace is left out.
fn kept_share(trace_state: &str) -> Option<f64> {
    let ot = trace_state.split(',').find_map(|entry| entry.trim().strip_prefix("ot="))?;
    let threshold = ot.split(';').find_map(|member| member.strip_prefix("th:"))?;
    if threshold.is_empty() || threshold.len() > 14 {
        return None;
    }
    let digits = u64::from_str_radix(&format!("{threshold:0<14}"), 16).ok()?;
    Some(1.0 - digits as f64 / (1_u64 << 56) as f64)
}

/// SQL for the list of marks in the previews of a span and in the attributes that stay on it.
pub(crate) fn marks_column() -> String {
    const TEXT: &str = "concat_ws(' ', input_preview, output_preview, array_to_string(map_values(attributes), ' '))";
    let marks = MARKS.iter().map(|mark| quoted(mark));
    let found = marks.map(|mark| format!("CASE WHEN strpos({TEXT}, {mark}) > 0 THEN {mark} ELSE '' END"));
    format!("array_remove_all(make_array({}), '')", found.collect::<Vec<_>>().join(", "))
}

/// Marks in what spans, calls and log records of the run carry, and Logfire's own list.
fn redacted(record: &RunRecord, evidence: &Evidence<'_>) -> Vec<Redacted> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // A log record need not name a span.
    let mut add = |mark: &str, span: &str| {
        let spans = found.entry(mark.to_owned()).or_default();
        spans.extend((!span.is_empty()).then(|| span.to_owned()));
    };
    let mut look = |text: &str, span: &str| {
        MARKS.iter().filter(|mark| text.contains(**mark)).for_each(|mark| add(mark, span));
    };
    let messages_of_spans = record
        .spans
        .iter()
        .flat_map(|span| [&span.input, &span.output, &span.payloads].map(|list| (list, &span.span_id)));
    let messages_of_calls =
        record.calls.iter().flat_map(|call| [&call.input, &call.output].map(|list| (list, &call.span_id)));
    for (messages, span) in messages_of_spans.chain(messages_of_calls) {
        messages.iter().for_each(|message| look(record.text(&message.hash).unwrap_or_default(), span));
    }
    for call in &record.calls {
        let around = call.system.iter().chain(&call.tools);
        around.for_each(|message| look(record.text(&message.hash).unwrap_or_default(), &call.span_id));
    }
    for log in &record.logs {
        look(log.body.as_deref().unwrap_or_default(), log.span_id.as_deref().unwrap_or_default());
    }
    for span in evidence.spans {
        look(span.status_message.as_deref().unwrap_or_default(), &span.span_id);
        let events = span.events.iter().flat_map(|event| &event.attributes).flat_map(BTreeMap::values).flatten();
        events.for_each(|text| look(text, &span.span_id));
    }
    for span in evidence.spans {
        span.marks.iter().for_each(|mark| add(mark, &span.span_id));
        if span.scrubbed {
            add("logfire.scrubbed", &span.span_id);
        }
    }
    found.into_iter().map(|(mark, spans)| Redacted { mark, spans: spans.into_iter().collect() }).collect()
}

#[cfg(test)]
mod tests {
    use super::kept_share;

    #[test]
    fn the_share_that_sampling_kept_is_read_from_the_trace_state() {
        // The examples of OpenTelemetry's "TraceState: Probability Sampling": 25% and 100%.
        assert_eq!(kept_share("ot=th:c"), Some(0.25));
        assert_eq!(kept_share("vendor=1, ot=rv:ab;th:0"), Some(1.0));
        assert_eq!(kept_share("ot=rv:ab"), None);
        assert_eq!(kept_share("th=c"), None);
    }
}
