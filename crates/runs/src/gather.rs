//! Gathering a record.
//!
//! The rules by which spans are calls and executions of tools are those of the views, asked over the spans of the run
//! and of its **neighbours**: traces in which something overlaps with a call of this run and agrees with it in what
//! makes two spans one call. All else of the day has no part in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ask::{Ask, RunsError, rows};
use crate::completeness::{self, Evidence};
use crate::find::{Place, place};
use crate::moment::rfc3339;
use crate::record::{
    Completeness, Document, Event, Log, Message, ModelCall, RECORD_VERSION, Retrieval, RunRecord, Score, Span,
    SpanName, ToolCall,
};
use crate::rows::{
    CALL_COLUMNS, CallRow, LOG_COLUMNS, LogRow, RetrievalRow, SPAN_COLUMNS, SpanRow, TOOL_COLUMNS, ToolRow, merged,
    messages,
};
use crate::sql::{ids, over};
use crate::{contents, facts, interventions, tree};

/// Traces beside the run that are looked at.
const MOST_NEIGHBOURS: usize = 500;

/// The record of the one run whose id begins with `prefix`.
///
/// # Errors
/// When there is no such run, or more than one, or a query fails.
pub async fn open(source: &impl Ask, prefix: &str) -> Result<RunRecord, RunsError> {
    let place = place(source, prefix).await?;
    let mine = place.condition();
    let spans_query = format!("SELECT {SPAN_COLUMNS} FROM span_records WHERE {mine}");
    let logs_query = format!("SELECT {LOG_COLUMNS} FROM logs WHERE {mine} ORDER BY time_unix_nano, seq, event_name");
    let (span_rows, logs, neighbours, scores, attributes) = futures::try_join!(
        rows::<Map<String, Value>>(source, &spans_query),
        rows::<LogRow>(source, &logs_query),
        neighbours(source, &place),
        scores(source, &place),
        completeness::attributes(source, &place),
    )?;
    let (spans, resent) = merged::<SpanRow>(span_rows)?;
    let around = Around::new(&place, &neighbours);
    let (calls, tools, counted_elsewhere) = futures::try_join!(
        around.calls(source, &place),
        around.tools(source, &place),
        around.counted_elsewhere(source, &place)
    )?;

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
    record.calls = calls.into_iter().map(|row| call(row, start, &told)).collect::<Result<_, _>>()?;
    record.tools = tools
        .into_iter()
        .map(|row| offset::<ToolCall>(row.rest, row.start_unix_nano, start))
        .collect::<Result<_, _>>()?;
    record.tokens = facts::tokens(&record.calls);
    let templates: BTreeMap<_, _> =
        spans.iter().filter_map(|span| Some((span.span_id.clone(), span.template.clone()?))).collect();
    record.prompts = facts::prompts(&record.calls, &templates);
    record.scores = scores;
    record.interventions = interventions::interventions(&spans, &logs, &record.tools, &record.scores, start);
    record.logs = logs.iter().map(|row| log(row, start)).collect();
    let tree = tree::tree(nodes(&spans, start, &told));
    record.spans = tree.spans;
    (record.input, record.output) = ends(&record);

    let documents: BTreeSet<&str> = spans
        .iter()
        .filter(|span| matches!(span.kind.as_str(), "retrieval" | "rerank"))
        .flat_map(|span| span.output_refs.iter().flatten())
        .map(|reference| reference.hash.as_str())
        .collect();
    let hashes = contents::named(&record);
    let (texts, retrievals) =
        futures::try_join!(contents::texts(source, &place, &hashes), retrievals(source, &place, &documents, start))?;
    record.contents = texts;
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
    Ok(record)
}

/// The traces that may tell of this run's calls and tools as well, one more than are looked at.
async fn neighbours(source: &impl Ask, place: &Place) -> Result<Vec<String>, RunsError> {
    #[derive(Deserialize)]
    struct Neighbour {
        trace_id: String,
    }
    let query = format!(
        "WITH seen AS (
            SELECT trace_id, span_id, coalesce(service, '') AS service, scope_name, response_id, input_tokens, is_record,
                CASE WHEN kind = 'tool' THEN tool_call_id END AS tool_call_id,
                start_unix_nano AS from_ns, start_unix_nano + coalesce(duration_ns, 0) AS to_ns,
                coalesce(array_has(flags, 'streaming_record'), false) AS tail
            FROM span_records
            WHERE {tenant} AND {days} AND kind IN ('chat', 'completion', 'embedding', 'rerank', 'tool')
                AND start_unix_nano BETWEEN {earliest} AND {latest}
        ),
        mine AS (SELECT * FROM seen WHERE trace_id = '{id}'),
        others AS (SELECT * FROM seen WHERE trace_id <> '{id}')
        SELECT o.trace_id FROM mine AS m JOIN others AS o ON o.service = m.service AND o.response_id = m.response_id
        WHERE o.from_ns <= m.to_ns + {tolerance} AND m.from_ns <= o.to_ns + {tolerance}
        UNION
        SELECT o.trace_id FROM mine AS m JOIN others AS o ON o.service = m.service AND o.input_tokens = m.input_tokens
        WHERE o.input_tokens > 0 AND o.from_ns <= m.to_ns + {tolerance} AND m.from_ns <= o.to_ns + {tolerance}
        UNION
        SELECT o.trace_id FROM mine AS m JOIN others AS o ON o.service = m.service AND o.tool_call_id = m.tool_call_id
        WHERE (o.is_record OR m.is_record) AND o.from_ns <= m.to_ns + {tolerance} AND m.from_ns <= o.to_ns + {tolerance}
        UNION
        SELECT o.trace_id FROM mine AS m JOIN others AS o ON o.service = m.service AND o.scope_name = m.scope_name
        WHERE (o.tail AND NOT m.tail AND o.from_ns BETWEEN m.to_ns - {tolerance} AND m.to_ns + {stream})
            OR (m.tail AND NOT o.tail AND m.from_ns BETWEEN o.to_ns - {tolerance} AND o.to_ns + {stream})
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

/// How far apart a span and a log record of one call may be; the views' own rule.
const TOLERANCE_NS: i64 = 1_000_000_000;

/// Calls in other traces that began earlier than this before the run, or streams that end later than this after it,
/// are not looked for.
const LONGEST_CALL_NS: i64 = 15 * 60 * 1_000_000_000;

/// The tables narrowed to a run and its neighbours.
struct Around {
    tables: [(&'static str, String); 2],
    alone: bool,
}

impl Around {
    fn new(place: &Place, neighbours: &[String]) -> Self {
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
        Self { tables: [("spans", spans), ("logs", logs)], alone: neighbours.is_empty() }
    }

    async fn calls(&self, source: &impl Ask, place: &Place) -> Result<Vec<CallRow>, RunsError> {
        let views = over(&self.tables, &["span_records", "call_spans", "merged_calls", "llm_calls"]);
        let query = format!(
            "{views} SELECT {CALL_COLUMNS} FROM llm_calls WHERE trace_id = '{}' ORDER BY start_unix_nano, span_id",
            place.trace_id
        );
        rows(source, &query).await
    }

    async fn tools(&self, source: &impl Ask, place: &Place) -> Result<Vec<ToolRow>, RunsError> {
        let views = over(&self.tables, &["span_records", "tool_executions"]);
        let query = format!(
            "{views} SELECT {TOOL_COLUMNS} FROM tool_executions WHERE trace_id = '{}' ORDER BY start_unix_nano, span_id",
            place.trace_id
        );
        rows(source, &query).await
    }

    /// Spans of the run that repeat a call of another trace.
    async fn counted_elsewhere(
        &self,
        source: &impl Ask,
        place: &Place,
    ) -> Result<BTreeMap<String, SpanName>, RunsError> {
        #[derive(Deserialize)]
        struct Elsewhere {
            span_id: String,
            call_trace_id: String,
            call_span_id: String,
        }
        if self.alone {
            return Ok(BTreeMap::new());
        }
        let views = over(&self.tables, &["span_records", "call_spans"]);
        let query = format!(
            "{views} SELECT span_id, call_trace_id, call_span_id FROM call_spans
            WHERE trace_id = '{id}' AND role = 'duplicate' AND call_trace_id <> '{id}'",
            id = place.trace_id
        );
        let found = rows::<Elsewhere>(source, &query).await?;
        let name =
            |row: Elsewhere| (row.span_id, SpanName { trace_id: Some(row.call_trace_id), span_id: row.call_span_id });
        Ok(found.into_iter().map(name).collect())
    }
}

async fn retrievals(
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
async fn scores(source: &impl Ask, place: &Place) -> Result<Vec<Score>, RunsError> {
    let query = format!(
        "WITH of_run AS (SELECT response_id, conversation_id FROM spans WHERE {mine})
        SELECT DISTINCT CAST(time AS text) AS time, target, span_id, document_id, name, value, label, explanation, source,
            author, metadata, time_unix_nano
        FROM scores
        WHERE {tenant} AND date >= DATE '{first}' AND (trace_id = '{id}'
            OR (trace_id IS NULL AND response_id IN (SELECT response_id FROM of_run WHERE response_id IS NOT NULL))
            OR (target = 'session' AND session_id IN (SELECT conversation_id FROM of_run WHERE conversation_id IS NOT NULL)))
        ORDER BY time_unix_nano, name",
        mine = place.condition(),
        tenant = place.of_tenant(),
        first = place.days.beside().first,
        id = place.trace_id,
    );
    rows(source, &query).await
}

/// The texts that log records of a span carry, for spans that carry none themselves.
struct LogTexts<'a>(HashMap<&'a str, Vec<&'a LogRow>>);

impl<'a> LogTexts<'a> {
    /// `logs` are in the order of their time.
    fn of(logs: &'a [LogRow]) -> Self {
        let mut by_span: HashMap<&str, Vec<&LogRow>> = HashMap::new();
        for log in logs {
            if let Some(span) = &log.span_id {
                by_span.entry(span).or_default().push(log);
            }
        }
        Self(by_span)
    }

    /// The texts of the first of `spans` that has any.
    fn find(&self, spans: &[&str], of: impl Fn(&LogRow) -> Vec<Message>) -> Vec<Message> {
        let found =
            spans.iter().filter_map(|span| self.0.get(span)).map(|logs| logs.iter().flat_map(|log| of(log)).collect());
        found.into_iter().find(|messages: &Vec<Message>| !messages.is_empty()).unwrap_or_default()
    }

    fn input(&self, spans: &[&str]) -> Vec<Message> {
        self.find(spans, |log| messages(log.input_refs.as_ref()))
    }

    fn output(&self, spans: &[&str]) -> Vec<Message> {
        self.find(spans, |log| messages(log.output_refs.as_ref()))
    }

    fn system(&self, spans: &[&str]) -> Option<Message> {
        self.find(spans, |log| log.system_ref.as_ref().map(Message::from).into_iter().collect()).into_iter().next()
    }
}

/// A member of the record out of a row, with its start as it lies after the run's.
fn offset<T: serde::de::DeserializeOwned>(mut row: Map<String, Value>, at: i64, start: i64) -> Result<T, RunsError> {
    row.insert("offset_ns".to_owned(), at.saturating_sub(start).into());
    serde_json::from_value(Value::Object(row)).map_err(|error| RunsError::Answer(error.to_string()))
}

fn call(row: CallRow, start: i64, told: &LogTexts<'_>) -> Result<ModelCall, RunsError> {
    let mut call: ModelCall = offset(row.rest, row.start_unix_nano, start)?;
    call.input = messages(row.input_refs.as_ref());
    call.output = messages(row.output_refs.as_ref());
    call.system = row.system_ref.as_ref().map(Message::from);
    call.tools = row.tools_ref.as_ref().map(Message::from);
    let spans: Vec<&str> = std::iter::once(&call.span_id)
        .chain(call.duplicates.iter().map(|other| &other.span_id))
        .map(String::as_str)
        .collect();
    let system = call.system.is_none().then(|| told.system(&spans)).flatten();
    let input = if call.input.is_empty() { told.input(&spans) } else { Vec::new() };
    let output = if call.output.is_empty() { told.output(&spans) } else { Vec::new() };
    call.system = call.system.or(system);
    call.input.extend(input);
    call.output.extend(output);
    Ok(call)
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

/// The spans, and a stand-in for each of which only the start has been told.
fn nodes(spans: &[SpanRow], start: i64, told: &LogTexts<'_>) -> Vec<Span> {
    let finished: BTreeSet<&str> =
        spans.iter().filter(|span| !span.is_pending()).map(|span| span.span_id.as_str()).collect();
    let stands_for_missing = |span: &&SpanRow| {
        !span.is_pending() || !span.parent_span_id.as_deref().is_some_and(|real| finished.contains(real))
    };
    spans.iter().filter(stands_for_missing).map(|row| node(row, start, told)).collect()
}

fn node(row: &SpanRow, start: i64, told: &LogTexts<'_>) -> Span {
    let unfinished = row.is_pending();
    let (span_id, parent_span_id) = match (&row.parent_span_id, unfinished) {
        (Some(real), true) => {
            let parent = row.pending_parent.clone().filter(|parent| parent.bytes().any(|digit| digit != b'0'));
            (real.clone(), parent)
        }
        _ => (row.span_id.clone(), row.parent_span_id.clone()),
    };
    let own = |refs: &Option<Vec<crate::rows::Ref>>, of_logs: fn(&LogTexts<'_>, &[&str]) -> Vec<Message>| match refs {
        Some(_) => messages(refs.as_ref()),
        None => of_logs(told, &[&row.span_id]),
    };
    let events = row.events.iter().map(|event| Event {
        offset_ns: event.time_unix_nano.unwrap_or(row.start_unix_nano).saturating_sub(start),
        name: event.name.clone().unwrap_or_default(),
        attributes: said(event.attributes.as_ref()),
    });
    let links = row
        .links
        .iter()
        .filter_map(|link| Some(SpanName { trace_id: link.trace_id.clone(), span_id: link.span_id.clone()? }));
    Span {
        span_id,
        parent_span_id,
        depth: 0,
        name: row.name.clone().unwrap_or_default(),
        kind: row.kind.clone(),
        dialect: row.dialect.clone().unwrap_or_default(),
        scope_name: row.scope_name.clone(),
        scope_version: row.scope_version.clone(),
        service: row.service.clone(),
        offset_ns: row.start_unix_nano.saturating_sub(start),
        duration_ns: row.duration_ns.filter(|_| !unfinished),
        status: row.status.clone(),
        status_message: row.status_message.clone(),
        error_type: row.error_type.clone(),
        error_class: row.error_class.clone(),
        agent_name: row.agent_name.clone(),
        tool_name: row.tool_name.clone(),
        model: row.response_model.clone().or_else(|| row.request_model.clone()),
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        flags: row.flags.clone(),
        usage_flags: row.usage_flags.clone(),
        input: own(&row.input_refs, |told, spans| told.input(spans)),
        output: own(&row.output_refs, |told, spans| told.output(spans)),
        payloads: messages(row.payload_refs.as_ref()),
        events: events.collect(),
        links: links.collect(),
        record: row.is_record.then_some(true),
        unfinished: unfinished.then_some(true),
        received_at: rfc3339(row.received),
    }
}

fn said(attributes: Option<&BTreeMap<String, Option<String>>>) -> BTreeMap<String, String> {
    let pairs = attributes.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect()
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
