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
use crate::calls::Family;
use crate::settled::SOURCES;
use crate::source::Source;
use crate::views;

/// More than calls that are one are apart.
const TOLERANCE_NS: i64 = 4_000_000_000;

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
    has_records: bool,
    /// Logfire writes two spans for what is streamed.
    has_streams: bool,
    /// The longest call takes so many nanoseconds.
    longest: i64,
}

const CALLS: &str = "'chat', 'completion', 'embedding', 'rerank'";
const LOGFIRE: &str = "scope_name LIKE 'logfire%'";

impl Facts {
    pub(super) async fn of(days: &BTreeSet<Day>, source: &Source) -> Result<Self> {
        let context = source.facts(2, |facts| facts.of(days))?;
        let has_records = source.view.facts().any(|(name, facts)| name == LOGS.name && !facts.of(days).is_empty());
        let calls = format!("SELECT max(duration_ns), bool_or({LOGFIRE}) FROM spans WHERE kind IN ({CALLS})");
        let (mut longest, mut has_streams) = (0, false);
        for batch in context.sql(&calls).await?.collect().await? {
            longest = number(batch.column(0))?.iter().flatten().fold(longest, i64::max);
            has_streams |= batch.column(1).as_boolean().iter().flatten().any(|is_logfire| is_logfire);
        }
        Ok(Self { context, has_records, has_streams, longest })
    }

    /// Whether traces may be tied however far apart they are: records are, and what Logfire writes.
    pub(super) fn tie_whenever(&self) -> bool {
        self.has_records || self.has_streams
    }

    /// The spans that may meet a call of a trace whose spans begin at these times.
    pub(super) fn near(&self, (first, last): (i64, i64), days: &BTreeSet<Day>, source: &Source) -> Result<Self> {
        let context = source.facts(2, |facts| facts.of(days))?;
        let reach = self.longest.saturating_add(TOLERANCE_NS);
        let near = col(SOURCES[0].1).between(lit(first.saturating_sub(reach)), lit(last.saturating_add(reach)));
        restrict(&context, SPANS.name, near)?;
        Ok(Self { context, ..*self })
    }

    /// All traces, those together that are tied.
    pub(super) async fn groups(&self, ties: Ties) -> Result<Vec<Group>> {
        let traces = self.traces().await?;
        let mut tied = Tied::new(traces.len());
        let places = traces.iter().enumerate().map(|(place, trace)| (trace.traces[0].as_str(), place)).collect();
        tied.tie(self.signs(&places, ties).await?);
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
    async fn signs(&self, places: &HashMap<&str, usize>, ties: Ties) -> Result<Vec<Sign>> {
        views::register_facts(&self.context, "span_records").await?;
        let of = |condition: &str, column: &str, there_are: bool| match there_are {
            true => format!("CASE WHEN {condition} THEN {column} END"),
            false => "CAST(NULL AS text)".to_owned(),
        };
        let message = of(LOGFIRE, "input_refs[-1]['hash']", self.has_streams);
        let tool = of("kind = 'tool'", "tool_call_id", self.has_records);
        let conversation = of("is_record", "conversation_id", self.has_records);
        let kinds = match (ties, self.has_records) {
            (Ties::All, false) => CALLS,
            (Ties::All, true) => &format!("{CALLS}, 'tool'"),
            (Ties::Tools, _) => "'tool'",
        };
        let rows = format!(
            "SELECT start_unix_nano, start_unix_nano + coalesce(duration_ns, 0), nullif(input_tokens, 0), is_record,
                trace_id, kind, CASE WHEN is_record THEN name ELSE scope_name END, response_id,
                {message} AS message, {tool} AS tool, {conversation} AS conversation
            FROM span_records
            WHERE kind IN ({kinds})"
        );
        let mut rows = self.context.sql(&rows).await?.execute_stream().await?;
        let (mut signs, mut records, mut has_strays) = (Vec::new(), Vec::new(), false);
        while let Some(batch) = rows.try_next().await? {
            let numbers = (0..3).map(|column| number(batch.column(column))).collect::<Result<Vec<_>>>()?;
            let is_record = batch.column(3).as_boolean();
            let texts = (4..11).map(|column| text(batch.column(column))).collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                let text = |column: usize| texts[column].is_valid(row).then(|| texts[column].value(row));
                let [id, kind, scope, response, message, tool, conversation] = std::array::from_fn(text);
                let Some(trace) = id.and_then(|id| places.get(id).copied()) else { continue };
                let (start, end) = (numbers[0].value(row), numbers[1].value(row));
                let sign = |what, seen_by| Sign { trace, what, seen_by, start, end };
                let ever = |what| Sign { start: 0, end: 0, ..sign(what, None) };
                let input = numbers[2].is_valid(row).then(|| numbers[2].value(row));
                let (is_record, family, scope) = (is_record.value(row), kind.and_then(Family::of), Some(hash(scope)));
                signs.extend(response.map(|response| sign(hash((family, response)), scope)));
                signs.extend(input.filter(|_| family.is_some()).map(|input| sign(hash((family, input)), scope)));
                signs.extend(message.map(|message| ever(hash(("message", message)))));
                if let Some(tool) = tool {
                    signs.push(sign(hash(("tool", tool)), None));
                    signs.extend(conversation.map(|conversation| ever(hash(("tool", tool, conversation)))));
                }
                if is_record && family.is_some() {
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
}

fn number(column: &ArrayRef) -> Result<Int64Array> {
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
                let mut end = first.end;
                let meets = |sign: &&Sign| {
                    let meets = sign.start <= end.saturating_add(TOLERANCE_NS);
                    end = end.max(sign.end);
                    meets
                };
                let (together, later) = equal.split_at(equal.iter().take_while(meets).count());
                if together.iter().any(|sign| sign.seen_by.is_none() || sign.seen_by != first.seen_by) {
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
        Sign { trace, what, seen_by, start: start * SECOND, end: end * SECOND }
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
        // A long one still goes on when a third begins.
        let long = vec![sign(3, 7, other, 40, 41), sign(0, 7, one, 10, 60), sign(1, 7, one, 12, 13)];
        assert_eq!(tied(long), [0, 0, 2, 0]);
    }

    #[test]
    fn what_anyone_may_tell_ties_whoever_tells_it_and_groups_grow_together() {
        let signs =
            vec![sign(2, 7, None, 0, 0), sign(3, 7, None, 0, 0), sign(0, 8, Some(1), 5, 6), sign(2, 8, Some(2), 9, 9)];
        assert_eq!(tied(signs), [0, 1, 0, 0]);
    }
}
