//! Which traces may have a say in each other.

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

use super::restrict;
use super::seen::Calls;
use crate::calls::Family;
use crate::settled::SOURCES;
use crate::source::Source;
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
    pub(super) rows: usize,
    pub(super) first_day: Day,
    pub(super) last_day: Day,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.traces.extend(other.traces);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.rows += other.rows;
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
            .sql(
                "SELECT trace, min(start), max(time), count(*), CAST(min(date) AS int), CAST(max(date) AS int)
                FROM (
                    SELECT trace_id AS trace, date, start_unix_nano AS start, start_unix_nano AS time FROM spans
                    UNION ALL
                    SELECT coalesce(trace_id, record_id) AS trace, date,
                        time_unix_nano - coalesce(duration_ns, 0) AS start, time_unix_nano AS time
                    FROM logs
                    WHERE trace_id IS NOT NULL OR record_id IS NOT NULL
                ) AS rows
                GROUP BY trace",
            )
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
                    rows: usize::try_from(of(2)).unwrap_or_default(),
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

/// Something that a trace's row may share with one of another trace.
#[derive(Clone, Copy, Debug)]
struct Sign {
    trace: usize,
    /// A hash of what it is; two that are equal by chance tie two traces too many.
    what: u64,
    /// A hash of who tells of it, where no two that one instrumentation saw are one.
    seen_by: Option<u64>,
    start: i64,
    end: i64,
    /// It ties; others tie only to one that does.
    is_open: bool,
}

/// The times of calls, by trace and start, each with the last end of those before it in its trace and its own.
///
/// A call within another may be one with it, and one with a third that is beside the outer alone.
struct Around(Vec<(usize, i64, i64)>);

impl Around {
    fn of(mut calls: Vec<(usize, i64, i64)>) -> Self {
        calls.sort_unstable();
        for same in calls.chunk_by_mut(|a, b| a.0 == b.0) {
            let mut last = i64::MIN;
            for (_, _, end) in same {
                last = last.max(*end);
                *end = last;
            }
        }
        Self(calls)
    }

    /// From the start of the first call of its trace that meets `sign` to the end of the last.
    fn widen(&self, sign: &Sign) -> (i64, i64) {
        let begin = self.0.partition_point(|call| call.0 < sign.trace);
        let of_trace = &self.0[begin..];
        let of_trace = &of_trace[..of_trace.partition_point(|call| call.0 == sign.trace)];
        let (from, to) = (sign.start.saturating_sub(TOLERANCE_NS), sign.end.saturating_add(TOLERANCE_NS));
        let first = of_trace.get(of_trace.partition_point(|(_, _, last)| *last < from));
        let last = of_trace[..of_trace.partition_point(|(_, start, _)| *start <= to)].last();
        let start = first.map_or(sign.start, |(_, start, _)| sign.start.min(*start));
        (start, last.map_or(sign.end, |(_, _, end)| sign.end.max(*end)))
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

/// Which traces are tied: each names one of its group before it, or itself.
struct Tied {
    before: Vec<usize>,
}

impl Tied {
    fn new(traces: usize) -> Self {
        Self { before: (0..traces).collect() }
    }

    /// Ties traces that have equal signs at one time.
    fn tie(&mut self, mut signs: Vec<Sign>) {
        signs.sort_unstable_by_key(|sign| (sign.what, sign.start));
        for mut equal in signs.chunk_by(|a, b| a.what == b.what) {
            while let Some(first) = equal.first() {
                let mut end = first.start.max(first.end);
                let meets = |sign: &&Sign| {
                    let meets = sign.start <= end.saturating_add(TOLERANCE_NS);
                    end = end.max(sign.end);
                    meets
                };
                let (together, later) = equal.split_at(equal.iter().take_while(meets).count());
                let may_be_one = together.iter().any(|sign| sign.seen_by.is_none() || sign.seen_by != first.seen_by);
                if may_be_one && together.iter().any(|sign| sign.is_open) {
                    together.iter().for_each(|sign| self.join(first.trace, sign.trace));
                }
                equal = later;
            }
        }
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.before[one.max(other)] = one.min(other);
    }

    /// The first of a trace's group.
    fn first(&mut self, mut trace: usize) -> usize {
        while self.before[trace] != trace {
            self.before[trace] = self.before[self.before[trace]];
            trace = self.before[trace];
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn sign(trace: usize, what: u64, seen_by: Option<u64>, start: i64, end: i64) -> Sign {
        Sign { trace, what, seen_by, start: start * SECOND, end: end * SECOND, is_open: true }
    }

    /// The first of the group of each of four traces.
    fn tied(signs: Vec<Sign>) -> [usize; 4] {
        let mut tied = Tied::new(4);
        tied.tie(signs);
        std::array::from_fn(|trace| tied.first(trace))
    }

    #[test]
    fn traces_are_tied_by_what_two_instrumentations_saw_at_one_time() {
        let (one, other) = (Some(1), Some(2));
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 7, other, 12, 15)]), [0, 1, 2, 1]);
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 7, one, 12, 15)]), [0, 1, 2, 3]);
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 8, other, 12, 15)]), [0, 1, 2, 3]);
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 7, other, 25, 26)]), [0, 1, 2, 3]);
        // What ends before it begins is told at its beginning.
        assert_eq!(tied(vec![sign(1, 7, one, 10, -20), sign(3, 7, other, 11, 11)]), [0, 1, 2, 1]);
        // A long one still goes on when a third begins.
        let long = vec![sign(3, 7, other, 40, 41), sign(0, 7, one, 10, 60), sign(1, 7, one, 12, 13)];
        assert_eq!(tied(long), [0, 0, 2, 0]);
    }

    #[test]
    fn equal_input_of_calls_that_all_name_their_response_says_nothing() {
        let closed = |trace, seen_by| Sign { is_open: false, ..sign(trace, 7, Some(seen_by), 10, 20) };
        assert_eq!(tied(vec![closed(1, 1), closed(3, 2)]), [0, 1, 2, 3]);
        assert_eq!(tied(vec![closed(1, 1), closed(3, 2), sign(2, 7, Some(1), 20, 20)]), [0, 1, 1, 1]);
    }

    #[test]
    fn a_call_is_beside_what_the_calls_around_it_are_beside() {
        let around = Around::of(
            vec![(3, 50, 60), (2, 0, 90), (3, 0, 60), (3, 70, 80), (3, 200, 210)]
                .into_iter()
                .map(|(trace, start, end)| (trace, start * SECOND, end * SECOND))
                .collect(),
        );
        let widened = |start, end| {
            let (start, end) = around.widen(&sign(3, 7, Some(1), start, end));
            (start / SECOND, end / SECOND)
        };
        assert_eq!(widened(50, 60), (0, 60));
        assert_eq!(widened(70, 80), (70, 80));
        assert_eq!(widened(200, 210), (200, 210));
        assert_eq!(widened(59, 71), (0, 80));
    }

    #[test]
    fn what_anyone_may_tell_ties_whoever_tells_it_and_groups_grow_together() {
        let signs =
            vec![sign(2, 7, None, 0, 0), sign(3, 7, None, 0, 0), sign(0, 8, Some(1), 5, 6), sign(2, 8, Some(2), 7, 7)];
        assert_eq!(tied(signs), [0, 1, 0, 0]);
    }
}
