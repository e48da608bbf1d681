//! Parts of the facts that are worked out apart.
//!
//! One model call may have left spans in several traces, so which spans are one call shows only beside other traces. Few
//! have a say in each other, though. Here those are brought together that may, told by less than what makes calls one
//! (`calls`), so that none is missing:
//!
//! - calls that name one response or have equal input, and records of one conversation, seen by two instrumentations
//!   within one time;
//! - executions of tools and records of them that name one call, within one time or in one conversation;
//! - what Logfire writes when a stream begins and when it ends, of one last message.
//!
//! ```text
//!   rows of a day and of those beside ──> signs ── equal ones ──> traces that are tied ── by their time ──> parts
//! ```
//!
//! A lookup of a trace reads what is tied to it alone, and a day is worked out part by part, however large it is. What
//! of a trace lies more than a day from the days that are asked for has no say, whether they are settled or not.

mod seen;
mod ties;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};
use datafusion::prelude::{SessionContext, col};
use tokio::sync::Mutex;
use tracewell_model::schema::LOGS;
use tracewell_model::time::Day;

use crate::limits::memory;
use crate::tables::lookup::{self, Places};
use crate::tables::one_of::one_of;
use crate::tables::settled::{SOURCES, beside};
use crate::tables::source::Source;
pub(crate) use seen::Seen;
pub(crate) use ties::Ties;
use ties::{Facts, Group};

/// About what working out a row takes of the memory that there is: a call names all messages that it was sent.
const CALL_BYTES: usize = 32 << 10;
const OTHER_BYTES: usize = 8 << 10;
/// What a part may take however little there is, and where memory is not limited.
const LEAST_BYTES: usize = 32 << 20;
const BYTES_WITHOUT_LIMIT: usize = 8 << 30;

/// The parts that a query has looked for: what it reads by one it often reads by another table, too.
#[derive(Debug, Default)]
pub(crate) struct Known {
    around: Mutex<HashMap<Looked, Part>>,
    of_days: Mutex<HashMap<BTreeSet<Day>, Vec<Part>>>,
}

/// The traces that were looked up, on which days and how they may be tied.
type Looked = (BTreeSet<String>, BTreeSet<Day>, Ties);

/// Traces that are tied to some are looked for near them so many times, then everywhere.
const MOST_ROUNDS: usize = 4;

/// Traces that no others have a say in, and the time of their rows.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    traces: Arc<HashSet<String>>,
    /// From the first start of a span or a record to the last start of a span or time of a record, in nanoseconds
    /// since 1970.
    first: i64,
    last: i64,
}

impl Part {
    /// The traces at `places` and what is tied to them, as far as it has rows of `days`.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub(crate) async fn around(places: Places, days: &BTreeSet<Day>, ties: Ties, source: &Source) -> Result<Self> {
        let mut known = source.known.around.lock().await;
        let key = (places.traces.clone(), days.clone(), ties);
        if let Some(part) = known.get(&key) {
            return Ok(part.clone());
        }
        let part = Self::look_around(places, days, ties, source).await?;
        known.insert(key, part.clone());
        Ok(part)
    }

    async fn look_around(mut places: Places, days: &BTreeSet<Day>, ties: Ties, source: &Source) -> Result<Self> {
        let facts = Facts::of(days, ties, source).await?;
        if !facts.may_tie() {
            return Ok(Self::at(places));
        }
        if !facts.tie_whenever() {
            for _ in 0..MOST_ROUNDS {
                let near = facts.near(places.times, days, source)?.groups().await?.into_iter();
                let tied = near.filter(|group| group.has_any(&places.traces)).flat_map(|group| group.traces);
                let tied = &places.traces | &tied.collect();
                if tied.len() == places.traces.len() {
                    return Ok(Self::at(places));
                }
                places = lookup::places(tied, source).await?;
            }
        }
        let groups = facts.groups().await?.into_iter();
        Ok(Self::of(groups.filter(|group| group.has_any(&places.traces))))
    }

    fn at(places: Places) -> Self {
        let (first, last) = places.times;
        Self { traces: Arc::new(places.traces.into_iter().collect()), first, last }
    }

    /// All traces that have rows of `days`, and what is tied to them on the days beside, in parts in the order of time.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub(crate) async fn of_days(days: &BTreeSet<Day>, source: &Source) -> Result<Vec<Self>> {
        let mut known = source.known.of_days.lock().await;
        if let Some(parts) = known.get(days) {
            return Ok(parts.clone());
        }
        let mut groups = Facts::of(&beside(days), Ties::All, source).await?.groups().await?;
        groups.retain(|group| days.range(group.first_day..=group.last_day).next().is_some());
        groups.sort_by_key(|group| group.first);
        let most = memory::limit(&source.environment).map_or(BYTES_WITHOUT_LIMIT, |bytes| bytes.max(LEAST_BYTES));
        let (mut parts, mut groups) = (Vec::new(), groups.into_iter().peekable());
        while groups.peek().is_some() {
            let mut bytes = 0;
            let mut fits = |group: &Group| {
                let fits = bytes == 0 || bytes + group.bytes <= most;
                bytes += group.bytes;
                fits
            };
            parts.push(Self::of(std::iter::from_fn(|| groups.next_if(&mut fits))));
        }
        known.insert(days.clone(), parts.clone());
        Ok(parts)
    }

    fn of(groups: impl Iterator<Item = Group>) -> Self {
        let (mut traces, mut first, mut last) = (HashSet::new(), i64::MAX, i64::MIN);
        for group in groups {
            traces.extend(group.traces);
            (first, last) = (first.min(group.first), last.max(group.last));
        }
        Self { traces: Arc::new(traces), first, last }
    }

    /// No row begins earlier, and no span begins later, in nanoseconds since 1970.
    pub(crate) fn times(&self) -> (i64, i64) {
        (self.first, self.last)
    }

    /// Its facts of `days`, by the names of their tables.
    ///
    /// # Errors
    /// When they cannot be planned.
    pub(crate) fn facts(&self, days: &BTreeSet<Day>, ties: Ties, source: &Source) -> Result<SessionContext> {
        let context = source.facts(2, |facts| facts.of(days))?;
        for (name, time) in SOURCES {
            let of_traces = one_of("trace_id", &self.traces);
            let of_time = col(time).between(lit(self.first), lit(self.last));
            // A record without a trace goes by its own id.
            let of_records = || col("trace_id").is_null().and(one_of("record_id", &self.traces));
            let wanted = match (name == LOGS.name, ties) {
                (false, _) => of_time.and(of_traces),
                (true, Ties::All) => of_time.and(of_traces.or(of_records())),
                // People decide on calls of tools elsewhere.
                (true, Ties::Tools) => of_time.and(of_traces.or(of_records())).or(col("kind").eq(lit("human"))),
            };
            restrict(&context, name, wanted)?;
        }
        Ok(context)
    }
}

/// Leaves the rows of the table `name` that are `wanted`.
fn restrict(context: &SessionContext, name: &str, wanted: Expr) -> Result<()> {
    if let Some(all) = context.deregister_table(name)? {
        let few = LogicalPlanBuilder::scan(name, provider_as_source(all), None)?.filter(wanted)?.build()?;
        context.register_table(name, Arc::new(ViewTable::new(few, None)))?;
    }
    Ok(())
}
