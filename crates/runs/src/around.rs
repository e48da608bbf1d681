//! The questions about a run that need the views: which spans are calls, executions of tools, retrievals.
//!
//! The views are asked over the spans of the run and of its **neighbours**: traces in which something overlaps with a
//! call or tool of this run and agrees with it in what makes two spans one. All else of the day has no part in it.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ask::{Ask, RunsError, rows};
use crate::contents;
use crate::find::Place;
use crate::record::{Document, Retrieval, Score};
use crate::rows::{CALL_COLUMNS, COST_COLUMNS, PART_COLUMNS, PartRow, RetrievalRow, TOOL_COLUMNS};
use crate::sql::{ids, over, over_rows};

/// Traces beside the run that are looked at.
pub(crate) const MOST_NEIGHBOURS: usize = 500;

/// How far apart a span and a log record of one call may be; the views' own rule.
const TOLERANCE_NS: i64 = 1_000_000_000;

/// Calls in other traces that began earlier than this before the run, or streams that end later than this after it,
/// are not looked for.
const LONGEST_CALL_NS: i64 = 15 * 60 * 1_000_000_000;

/// The traces that may tell of this run's calls and tools as well, one more than are looked at.
pub(crate) async fn neighbours(source: &impl Ask, place: &Place) -> Result<Vec<String>, RunsError> {
    #[derive(Deserialize)]
    struct Neighbour {
        trace_id: String,
    }
    let query = format!(
        "WITH seen AS (
            SELECT trace_id, coalesce(service, '') AS of_service, is_record, start_unix_nano AS from_ns,
                start_unix_nano + coalesce(duration_ns, 0) AS to_ns,
                coalesce(array_has(flags, 'streaming_record'), false) AS tail,
                unnest(make_array('response', 'input', 'tool', 'stream')) AS what,
                unnest(make_array(
                    response_id,
                    CASE WHEN input_tokens > 0 THEN CAST(input_tokens AS text) END,
                    CASE WHEN kind = 'tool' THEN tool_call_id END,
                    -- Logfire alone writes a stream as two spans.
                    CASE WHEN scope_name LIKE 'logfire%' THEN scope_name END)) AS sign
            FROM span_records
            WHERE {tenant} AND {days} AND kind IN ('chat', 'completion', 'embedding', 'rerank', 'tool')
                AND start_unix_nano BETWEEN {earliest} AND {latest}
        )
        SELECT o.trace_id
        FROM (SELECT * FROM seen WHERE trace_id = '{id}') AS m
        JOIN (SELECT * FROM seen WHERE trace_id <> '{id}') AS o
            ON o.of_service = m.of_service AND o.what = m.what AND o.sign = m.sign
        WHERE CASE
            WHEN o.what = 'stream' AND o.tail THEN NOT m.tail
                AND o.from_ns BETWEEN m.to_ns - {tolerance} AND m.to_ns + {stream}
            WHEN o.what = 'stream' THEN m.tail AND m.from_ns BETWEEN o.to_ns - {tolerance} AND o.to_ns + {stream}
            ELSE (o.what <> 'tool' OR o.is_record OR m.is_record)
                AND o.from_ns <= m.to_ns + {tolerance} AND m.from_ns <= o.to_ns + {tolerance}
        END
        GROUP BY o.trace_id
        LIMIT {limit}",
        tenant = place.of_tenant(),
        days = place.days.beside().condition(),
        id = place.trace_id,
        earliest = place.start.saturating_sub(LONGEST_CALL_NS),
        latest = place.end.saturating_add(LONGEST_CALL_NS),
        tolerance = TOLERANCE_NS,
        stream = LONGEST_CALL_NS,
        limit = MOST_NEIGHBOURS + 1,
    );
    Ok(rows::<Neighbour>(source, &query).await?.into_iter().map(|row| row.trace_id).collect())
}

/// The tables narrowed to a run and its neighbours.
pub(crate) struct Around<'a> {
    place: &'a Place,
    tables: [(&'static str, String); 2],
}

impl<'a> Around<'a> {
    pub(crate) fn new(place: &'a Place, neighbours: &[String]) -> Self {
        let traces = neighbours.iter().take(MOST_NEIGHBOURS).map(String::as_str);
        let traces = ids(traces.chain([place.trace_id.as_str()]));
        let (tenant, days) = (place.of_tenant(), place.days.beside().condition());
        let spans = format!("{tenant} AND {days} AND trace_id IN ({traces})");
        // Decisions about tools name no trace.
        let logs = format!(
            "{tenant} AND {days} AND (coalesce(trace_id, record_id) IN ({traces}) OR (kind = 'human' AND decision IS NOT NULL
                AND time_unix_nano BETWEEN {} AND {}))",
            place.start.saturating_sub(LONGEST_CALL_NS),
            place.end.saturating_add(LONGEST_CALL_NS),
        );
        Self { place, tables: [("spans", spans), ("logs", logs)] }
    }

    /// The parts that spans of the run have in calls.
    pub(crate) async fn parts(&self, source: &impl Ask) -> Result<Vec<PartRow>, RunsError> {
        let views = over(&self.tables, &["span_records", "call_spans"]);
        let query = format!("{views} SELECT {PART_COLUMNS} FROM call_spans WHERE trace_id = '{}'", self.place.trace_id);
        rows(source, &query).await
    }

    /// The calls of which several rows tell, merged.
    pub(crate) async fn merged(&self, source: &impl Ask) -> Result<Vec<Map<String, Value>>, RunsError> {
        let views = over(&self.tables, &["span_records", "call_spans", "merged_calls"]);
        let query =
            format!("{views} SELECT {CALL_COLUMNS} FROM merged_calls WHERE trace_id = '{}'", self.place.trace_id);
        rows(source, &query).await
    }

    /// What each span costs that may be a call, were it one.
    pub(crate) async fn costs(&self, source: &impl Ask) -> Result<Vec<Map<String, Value>>, RunsError> {
        let calls =
            "SELECT *, false AS is_trial FROM span_records WHERE kind IN ('chat', 'completion', 'embedding', 'rerank')";
        self.costs_of(source, &["span_records"], calls).await
    }

    /// What the calls cost of which several rows tell.
    pub(crate) async fn merged_costs(&self, source: &impl Ask) -> Result<Vec<Map<String, Value>>, RunsError> {
        self.costs_of(source, &["span_records", "call_spans", "merged_calls"], "SELECT * FROM merged_calls").await
    }

    /// What `calls` cost, which use the views `names`: only a price decides that, and no other call.
    async fn costs_of(
        &self,
        source: &impl Ask,
        names: &[&str],
        calls: &str,
    ) -> Result<Vec<Map<String, Value>>, RunsError> {
        let names = [names, &["llm_calls", "span_costs"]].concat();
        let views = over_rows(&self.tables, &names, "llm_calls", calls);
        let query = format!("{views} SELECT {COST_COLUMNS} FROM span_costs WHERE trace_id = '{}'", self.place.trace_id);
        rows(source, &query).await
    }

    /// The executions of tools.
    pub(crate) async fn tools(&self, source: &impl Ask) -> Result<Vec<Map<String, Value>>, RunsError> {
        let views = over(&self.tables, &["span_records", "tool_executions"]);
        let query = format!(
            "{views} SELECT {TOOL_COLUMNS} FROM tool_executions WHERE trace_id = '{}' ORDER BY start_unix_nano, span_id",
            self.place.trace_id
        );
        rows(source, &query).await
    }
}

/// The retrievals, whose documents are those of the hashes `documents`.
pub(crate) async fn retrievals(
    source: &impl Ask,
    place: &Place,
    documents: &BTreeSet<&str>,
    start: i64,
) -> Result<Vec<Retrieval>, RunsError> {
    let hashes: Vec<&str> = documents.iter().copied().collect();
    let views =
        over(&[("spans", place.condition()), ("contents", contents::condition(place, &hashes))], &["retrievals"]);
    let query = format!(
        "{views} SELECT span_id, parent_span_id, kind, CAST(start_time AS bigint) * 1000 AS start_unix_nano, duration_ns,
            status, error_class, retrieval_query, position, document_id, score, hash, text
        FROM retrievals ORDER BY start_time, span_id, position"
    );
    let mut found: Vec<Retrieval> = Vec::new();
    for row in rows::<RetrievalRow>(source, &query).await? {
        if found.last().is_none_or(|last| last.span_id != row.span_id) {
            found.push(Retrieval {
                span_id: row.span_id,
                parent_span_id: row.parent_span_id,
                kind: row.kind,
                offset_ns: row.start_unix_nano.saturating_sub(start),
                duration_ns: row.duration_ns,
                status: row.status,
                error_class: row.error_class,
                query: row.retrieval_query,
                documents: Vec::new(),
            });
        }
        let document =
            Document { position: row.position, id: row.document_id, score: row.score, hash: row.hash, text: row.text };
        if let (Some(last), Some(_)) = (found.last_mut(), row.position) {
            last.documents.push(document);
        }
    }
    Ok(found)
}

/// What was said of the run, its spans, its responses and its session. Scores come later than what they score.
pub(crate) async fn scores(source: &impl Ask, place: &Place) -> Result<Vec<Score>, RunsError> {
    let mine = place.condition();
    let about = format!(
        "{tenant} AND date >= DATE '{first}' AND (trace_id = '{id}'
            OR (trace_id IS NULL AND response_id IN (SELECT response_id FROM spans WHERE {mine} AND response_id IS NOT NULL))
            OR (target = 'session' AND session_id IN (
                SELECT conversation_id FROM spans WHERE {mine} AND conversation_id IS NOT NULL)))",
        tenant = place.of_tenant(),
        first = place.days.beside().first,
        id = place.trace_id,
    );
    let query = format!(
        "{} SELECT time, target, span_id, response_id, session_id, document_id, name, data_type,
            value, label, text, explanation, source, author, superseded_at, metadata
        FROM evaluations ORDER BY time_unix_nano, name",
        over(&[("scores", about)], &["evaluations"])
    );
    rows(source, &query).await
}
