//! Which dates the derived tables hold as they are now, and which have to be worked out.
//!
//! What is known only beside other spans (which spans are one call, what a run is) is worked out per date, from the
//! facts of the date and of the days beside it, and kept in the derived tables: the date is **settled**. Each file of a
//! derived table says in its name which facts it was made from, so settled dates whose facts changed since are found
//! without reading anything; they are worked out again by whoever asks, until they are settled again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, PrimitiveArray, RecordBatch};
use datafusion::arrow::compute::{max, min};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::col;
use tracewell_lake::scan::Store;
use tracewell_lake::{DataFile, Lake};
use tracewell_model::schema::{LOGS, SPANS, Table};
use tracewell_model::time::{Day, NANOS_PER_DAY, NANOS_PER_SECOND};

use crate::contexts::session;
use crate::limits::memory;
use crate::tables::derived::DerivedProvider;
use crate::tables::source::Source;
use crate::tables::view::{ReadView, TableView};
use crate::views;

/// Raised when the rules that are not in the views' SQL change: everything is settled again then.
const RULES: u32 = 2;

/// How far into a day the runs of the day before usually go. What comes later changes the day before only when the
/// day itself is settled: else yesterday would be worked out anew all day long.
const HEAD_NANOS: i64 = 3600 * NANOS_PER_SECOND;

/// The tables that derived ones are worked out from, with the column of a row's time.
pub(crate) const SOURCES: [(&str, &str); 2] = [(SPANS.name, "start_unix_nano"), (LOGS.name, "time_unix_nano")];

/// The facts that a date was worked out from, as two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Those of the date, the day before, and the first hour of the day after.
    near: u64,
    /// Those of the date and of the days beside it.
    all: u64,
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:016x}", self.near, self.all)
    }
}

impl Facts {
    fn parse(mark: &str) -> Option<Self> {
        let (near, all) = (mark.get(..16)?, mark.get(16..32)?);
        Some(Self { near: u64::from_str_radix(near, 16).ok()?, all: u64::from_str_radix(all, 16).ok()? })
    }
}

/// The facts of every date as they are now.
#[derive(Debug)]
pub struct Sources {
    /// Per source and day: the lineages of files that begin within its first hour, and of the others.
    files: [BTreeMap<Day, (u64, u64)>; 2],
    /// Days whose results may differ from what was settled because of rows not yet in a file.
    fresh: BTreeSet<Day>,
    rules: u64,
    rows: BTreeMap<Day, u64>,
    /// The latest time of a row, in microseconds since 1970.
    pub(crate) last_start: Option<i64>,
}

impl Sources {
    pub(crate) fn of(tables: &HashMap<&'static str, TableView>) -> Self {
        let mut files = [BTreeMap::new(), BTreeMap::new()];
        let (mut fresh, mut counts) = (BTreeSet::new(), BTreeMap::new());
        let mut last_start = None;
        for ((name, nanos), files) in SOURCES.into_iter().zip(&mut files) {
            let Some(table) = tables.get(name) else { continue };
            for file in &table.files {
                let (head, rest) = files.entry(file.day).or_default();
                *counts.entry(file.day).or_default() += file.rows;
                *(if begins_in_head(file) { head } else { rest }) ^= file.lineage();
                last_start = last_start.max(times(file).map(|(_, last)| last));
            }
            for (day, rows) in &table.fresh {
                fresh.extend([*day, Day(day.0 + 1)]);
                *counts.entry(*day).or_default() += rows.num_rows() as u64;
                last_start = last_start.max(nanos_of(rows, nanos).and_then(max).map(|last| last / 1_000));
                if in_head(*day, nanos_of(rows, nanos).and_then(min)) {
                    fresh.insert(Day(day.0 - 1));
                }
            }
        }
        Self { files, fresh, rules: rules(), rows: counts, last_start }
    }

    /// Every date that has facts.
    #[must_use]
    pub fn days(&self) -> BTreeSet<Day> {
        self.files.iter().flat_map(BTreeMap::keys).chain(&self.fresh).copied().collect()
    }

    /// The facts of `day`.
    #[must_use]
    pub fn facts(&self, day: Day) -> Facts {
        let mut near = blake3::Hasher::new();
        let mut all = blake3::Hasher::new();
        let mut add = |number: u64, is_near: bool| {
            all.update(&number.to_le_bytes());
            if is_near {
                near.update(&number.to_le_bytes());
            }
        };
        add(self.rules, true);
        for files in &self.files {
            for beside in [-1, 0, 1] {
                let (head, rest) = files.get(&Day(day.0 + beside)).copied().unwrap_or_default();
                add(head, true);
                add(rest, beside < 1);
            }
        }
        Facts { near: short(&near), all: short(&all) }
    }

    /// How many spans and records there are of `day`.
    pub(crate) fn rows(&self, day: Day) -> u64 {
        self.rows.get(&day).copied().unwrap_or_default()
    }

    fn is_empty(&self, day: Day) -> bool {
        !self.files.iter().any(|files| files.contains_key(&day))
    }
}

/// A derived table at one moment.
#[derive(Debug)]
pub struct Settled {
    /// The files of settled dates.
    pub files: Vec<Arc<DataFile>>,
    /// Dates that have to be worked out.
    pub dirty: BTreeSet<Day>,
    /// Dates that are settled, and would be settled a little better now.
    pub stale: BTreeSet<Day>,
}

impl Settled {
    /// Looks at a table, which may not be there yet.
    pub(crate) fn of(table: Option<&TableView>, sources: &Sources) -> Self {
        let mut settled = Self { files: Vec::new(), dirty: sources.days(), stale: BTreeSet::new() };
        let mut by_day: BTreeMap<Day, Vec<&Arc<DataFile>>> = BTreeMap::new();
        for file in table.into_iter().flat_map(|table| &table.files) {
            by_day.entry(file.day).or_default().push(file);
        }
        for (day, files) in by_day {
            // Facts that have all expired cannot be asked again: what was worked out stays until its own retention takes it.
            let gone = sources.is_empty(day) && !sources.fresh.contains(&day);
            let [file] = files.as_slice() else { continue };
            let Some(made_from) = file.mark().and_then(Facts::parse) else { continue };
            let now = sources.facts(day);
            if gone || (made_from.near == now.near && !sources.fresh.contains(&day)) {
                settled.files.push(Arc::clone(file));
                settled.dirty.remove(&day);
                if !gone && made_from.all != now.all {
                    settled.stale.insert(day);
                }
            }
        }
        settled
    }
}

/// Small ranges of files that are kept at hand: the parts of a day are read from the same files.
const RANGES_BYTES: usize = 32 << 20;

/// The rows of the derived `table` on `day`, worked out from the facts of `view`, in the order of its files.
///
/// # Errors
/// When the views cannot be planned.
pub async fn rows(
    table: &'static Table,
    day: Day,
    view: ReadView,
    lake: &Lake,
    runtime: &Arc<RuntimeEnv>,
) -> Result<SendableRecordBatchStream> {
    let store = Store::kept_by(runtime, lake.location(), RANGES_BYTES)?;
    // A sort takes what memory there is, and gives nothing back to those who need it to give the sort its rows.
    let (sorting, environment) = (half(runtime)?, half(runtime)?);
    let source = Source::new(view, store, environment, Arc::default());
    let rows = provider_as_source(Arc::new(DerivedProvider::of_day(table, day, source)));
    let order = table.sort.iter().map(|key| col(*key).sort(true, true)).collect::<Vec<_>>();
    let columns = table.columns[1..].iter().map(|column| col(column.name));
    let plan = LogicalPlanBuilder::scan(table.name, rows, None)?.sort(order)?.project(columns)?.build()?;
    let context = session(1, &sorting, "UTC")?;
    context.execute_logical_plan(plan).await?.execute_stream().await
}

/// The same with half of the memory.
fn half(runtime: &Arc<RuntimeEnv>) -> Result<Arc<RuntimeEnv>> {
    let Some(bytes) = memory::limit(runtime) else { return Ok(Arc::clone(runtime)) };
    let pool = Arc::new(FairSpillPool::new(bytes / 2));
    RuntimeEnvBuilder::from_runtime_env(runtime).with_memory_pool(pool).build_arc()
}

/// The days whose facts have a part in the results of `days`.
#[must_use]
pub(crate) fn beside(days: &BTreeSet<Day>) -> BTreeSet<Day> {
    days.iter().flat_map(|day| [Day(day.0 - 1), *day, Day(day.0 + 1)]).collect()
}

fn rules() -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&RULES.to_le_bytes());
    views::behind_derived().for_each(|view| {
        hasher.update(view.sql.as_bytes());
    });
    short(&hasher)
}

fn short(hasher: &blake3::Hasher) -> u64 {
    let mut short = [0; 8];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(short)
}

/// Whether a file of facts has rows of the first hour of its day. Such files are not merged with others: the day
/// before depends on them alone.
#[must_use]
pub fn begins_in_head(file: &DataFile) -> bool {
    times(file).is_none_or(|(first, _)| in_head(file.day, Some(first.saturating_mul(1_000))))
}

/// The first and the last time in a file of facts, in microseconds since 1970.
fn times(file: &DataFile) -> Option<(i64, i64)> {
    match file.bounds.get("start_time").or_else(|| file.bounds.get("time"))? {
        (ScalarValue::TimestampMicrosecond(first, _), ScalarValue::TimestampMicrosecond(last, _)) => {
            (*first).zip(*last)
        }
        _ => None,
    }
}

fn in_head(day: Day, first: Option<i64>) -> bool {
    first.is_none_or(|first| first < i64::from(day.0) * NANOS_PER_DAY + HEAD_NANOS)
}

fn nanos_of<'a>(rows: &'a RecordBatch, column: &str) -> Option<&'a PrimitiveArray<Int64Type>> {
    rows.column_by_name(column)?.as_primitive_opt()
}
