//! Which traces may have a say in each other.

mod signs;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::lit;
use datafusion::prelude::{SessionContext, col};
use futures::TryStreamExt;
use tracewell_model::schema::{LOGS, SPANS};
use tracewell_model::time::Day;

use self::signs::{Around, Sign, Tied};
use super::seen::Calls;
use super::{CALL_BYTES, OTHER_BYTES, restrict};
use crate::calls::Family;
use crate::tables::settled::SOURCES;
use crate::tables::source::Source;
use crate::views;

/// More than calls that are one are apart.
const TOLERANCE_NS: i64 = 2_000_000_000;

/// What traces may be tied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ties {
    /// Calls and executions of tools.
    All,
    /// Executions of tools.
    Tools,
}

/// A trace, or some that are tied.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) traces: Vec<String>,
    /// The first start of a span or a record, and the last start of a span or time of a record.
    pub(super) first: i64,
    pub(super) last: i64,
    /// About what it takes to work it out.
    pub(super) bytes: usize,
    pub(super) first_day: Day,
    pub(super) last_day: Day,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.traces.extend(other.traces);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.bytes += other.bytes;
        self.first_day = self.first_day.min(other.first_day);
        self.last_day = self.last_day.max(other.last_day);
    }

    pub(super) fn has_any(&self, traces: &BTreeSet<String>) -> bool {
        self.traces.iter().any(|trace| traces.contains(trace))
    }
}

/// The rows that traces may be tied by.
pub(super) struct Facts {
    context: SessionContext,
    ties: Ties,
    /// Whether log records stand for calls or executions of tools.
    has_records: bool,
    /// Logfire writes two spans for what is streamed.
    has_streams: bool,
    /// The longest call takes so many nanoseconds.
    longest: i64,
}

pub(super) const CALLS: &str = "'chat', 'completion', 'embedding', 'rerank'";
pub(super) const LOGFIRE: &str = "scope_name LIKE 'logfire%'";

impl Facts {
    pub(super) async fn of(days: &BTreeSet<Day>, ties: Ties, source: &Source) -> Result<Self> {
        let context = source.facts(2, |facts| facts.of(days))?;
        let has_logs = source.view.facts().any(|(name, facts)| name == LOGS.name && !facts.of(days).is_empty());
        let records = "SELECT 1 FROM logs WHERE record_id IS NOT NULL LIMIT 1";
        let has_records = has_logs && context.sql(records).await?.count().await? > 0;
        let Calls { longest, has_streams } = match ties {
            Ties::All => Calls::of(days, source).await?,
            Ties::Tools => Calls::default(),
        };
        Ok(Self { context, ties, has_records, has_streams, longest })
    }

    /// Whether any may be tied: records alone tell of a tool's execution in another trace.
    pub(super) fn may_tie(&self) -> bool {
        self.ties == Ties::All || self.has_records
    }

    /// Whether traces may be tied however far apart they are: records are, and what Logfire writes.
    pub(super) fn tie_whenever(&self) -> bool {
        self.has_records || self.has_streams
    }

    /// The spans that may meet a call of a trace whose spans begin at these times: what lies around that call, what
    /// lies around theirs, and theirs.
    pub(super) fn near(&self, (first, last): (i64, i64), days: &BTreeSet<Day>, source: &Source) -> Result<Self> {
        let context = source.facts(2, |facts| facts.of(days))?;
        let reach = self.longest.saturating_add(TOLERANCE_NS).saturating_mul(3);
        let near = col(SOURCES[0].1).between(lit(first.saturating_sub(reach)), lit(last.saturating_add(reach)));
        restrict(&context, SPANS.name, near)?;
        Ok(Self { context, ..*self })
    }

    /// All traces, those together that are tied.
    pub(super) async fn groups(&self) -> Result<Vec<Group>> {
        let traces = self.traces().await?;
        let mut tied = Tied::new(traces.len());
        let places = traces.iter().enumerate().map(|(place, trace)| (trace.traces[0].as_str(), place)).collect();
        tied.tie(self.signs(&places).await?);
        let mut groups: HashMap<usize, Group> = HashMap::new();
        for (place, trace) in traces.into_iter().enumerate() {
            match groups.entry(tied.first(place)) {
                Entry::Occupied(mut group) => group.get_mut().add(trace),
                Entry::Vacant(none) => {
                    none.insert(trace);
                }
            }
        }
        Ok(groups.into_values().collect())
    }

    async fn traces(&self) -> Result<Vec<Group>> {
        let mut rows = self
            .context
            .sql(&format!(
                "SELECT trace, min(start), max(time),
                    sum(CASE WHEN kind IN ({CALLS}) THEN {CALL_BYTES} ELSE {OTHER_BYTES} END),
                    CAST(min(date) AS int), CAST(max(date) AS int)
                FROM (
                    SELECT trace_id AS trace, kind, date, start_unix_nano AS start, start_unix_nano AS time FROM spans
                    UNION ALL
                    SELECT coalesce(trace_id, record_id) AS trace, kind, date,
                        time_unix_nano - coalesce(duration_ns, 0) AS start, time_unix_nano AS time
                    FROM logs
                    WHERE trace_id IS NOT NULL OR record_id IS NOT NULL
                ) AS rows
                GROUP BY trace"
            ))
            .await?
            .execute_stream()
            .await?;
        let mut traces = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            let ids = text(batch.column(0))?;
            let numbers = (1..6).map(|column| number(batch.column(column))).collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                let of = |column: usize| numbers[column].value(row);
                let day = |column| Day(i32::try_from(of(column)).unwrap_or_default());
                traces.push(Group {
                    traces: vec![ids.value(row).to_owned()],
                    first: of(0),
                    last: of(1),
                    bytes: usize::try_from(of(2)).unwrap_or_default(),
                    first_day: day(3),
                    last_day: day(4),
                });
            }
        }
        Ok(traces)
    }

    /// The signs of all rows of the traces at `places`.
    async fn signs(&self, places: &HashMap<&str, usize>) -> Result<Vec<Sign>> {
        views::register_facts(&self.context, "span_records").await?;
        let of = |condition: &str, column: &str, there_are: bool| match there_are {
            true => format!("CASE WHEN {condition} THEN {column} END"),
            false => "CAST(NULL AS text)".to_owned(),
        };
        // Those that have a parent are one with others of their trace.
        let streams = format!("{LOGFIRE} AND parent_span_id IS NULL AND kind IN ({CALLS})");
        let message = of(&streams, "coalesce(input_refs[-1]['hash'], '')", self.has_streams);
        let tail = of(LOGFIRE, "array_to_string(flags, ' ')", self.has_streams);
        let tool = of("kind = 'tool'", "tool_call_id", self.has_records);
        let conversation = of("is_record", "conversation_id", self.has_records);
        let kinds = match (self.ties, self.has_records) {
            (Ties::All, false) => CALLS,
            (Ties::All, true) => &format!("{CALLS}, 'tool'"),
            (Ties::Tools, _) => "'tool'",
        };
        let rows = format!(
            "SELECT start_unix_nano, start_unix_nano + coalesce(duration_ns, 0), nullif(input_tokens, 0), is_record,
                trace_id, kind, CASE WHEN is_record THEN name ELSE scope_name END, response_id,
                {message} AS message, {tail} AS tail, {tool} AS tool, {conversation} AS conversation
            FROM span_records
            WHERE kind IN ({kinds})"
        );
        let mut rows = self.context.sql(&rows).await?.execute_stream().await?;
        let (mut signs, mut records, mut has_strays) = (Vec::new(), Vec::new(), false);
        let mut calls = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            let numbers = (0..3).map(|column| number(batch.column(column))).collect::<Result<Vec<_>>>()?;
            let is_record = batch.column(3).as_boolean();
            let texts = (4..12).map(|column| text(batch.column(column))).collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                let text = |column: usize| texts[column].is_valid(row).then(|| texts[column].value(row));
                let [id, kind, scope, response, message, flags, tool, conversation] = std::array::from_fn(text);
                let Some((id, trace)) = id.and_then(|id| Some((id, places.get(id).copied()?))) else { continue };
                let start = numbers[0].value(row);
                let end = numbers[1].value(row).max(start);
                let (is_record, scope) = (is_record.value(row), Some(hash(scope)));
                let sign = |what, seen_by| Sign { trace, what, seen_by, start, end, is_open: true };
                let ever = |what, seen_by| Sign { start: 0, end: 0, ..sign(what, seen_by) };
                if let Some(tool) = tool {
                    signs.push(sign(hash(("tool", tool)), None));
                    // A record without a trace is of its conversation, which may go by the id of a trace.
                    let run = conversation.or((!is_record).then_some(id));
                    signs.extend(run.map(|run| ever(hash(("tool", tool, run)), None)));
                }
                let Some(family) = kind.and_then(Family::of) else { continue };
                calls.push((trace, start, end));
                let input = numbers[2].is_valid(row).then(|| numbers[2].value(row));
                signs.extend(response.map(|response| sign(hash((family, response)), scope)));
                // Of two that name a response each, equal input says nothing.
                let of_input = |input| Sign { is_open: response.is_none(), ..sign(hash((family, input)), scope) };
                signs.extend(input.map(of_input));
                let is_tail = flags.is_some_and(|flags| flags.contains("streaming_record"));
                if let Some(message) = message.filter(|_| is_tail || input.is_none()) {
                    signs.push(ever(hash(("message", message)), Some(u64::from(is_tail))));
                }
                if is_record {
                    has_strays |= conversation.is_none();
                    records.push(sign(hash(("record", family, conversation)), scope));
                }
            }
        }
        if has_strays {
            // Spans around a record may tell its conversation, whichever that is.
            records.iter_mut().for_each(|sign| sign.what = hash("record"));
        }
        signs.append(&mut records);
        let around = Around::of(calls);
        for sign in signs.iter_mut().filter(|sign| sign.start != 0 && sign.seen_by.is_some()) {
            (sign.start, sign.end) = around.widen(sign);
        }
        Ok(signs)
    }
}

pub(super) fn number(column: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn text(column: &ArrayRef) -> Result<StringViewArray> {
    Ok(cast(column, &DataType::Utf8View)?.as_string_view().clone())
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
