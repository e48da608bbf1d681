//! Rows that are in the table more than once: a client's retry that was stored again, a content seen by two shards, a
//! span sent before and after it ended.
//!
//! A first pass over the columns that make two rows the same finds which rows are repeated and which one of each
//! stays; a second then drops the others as they come by.
//!
//! A span that was sent again may say something else. Views take each of its fields from the longest version that has
//! it, and a few from every version, so a version goes only when longer ones have every field that it has, and the few
//! as it has them: no answer is another one afterwards.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use tracewell_model::schema::{CONTENTS, SPANS, Table};

/// What makes two rows the same, and which one stays.
#[derive(Clone)]
pub(crate) struct Rule {
    /// Rows that are equal in these columns are the same.
    same: Vec<&'static str>,
    /// Of those the row stays that is least in these.
    first: [&'static str; 2],
    /// Or the one that is greatest.
    last: bool,
}

impl Rule {
    /// A content is told by its hash, and stays as long as what came with it last. Of all else only rows equal in all
    /// but their receipt, and their place in the request, are the same; views tell the receipt with the least `seq`.
    pub(crate) fn of(table: &'static Table) -> Self {
        if table.name == CONTENTS.name {
            return Self { same: vec!["tenant", "hash"], first: ["received_at", "seq"], last: true };
        }
        let receipt = ["seq", "received_at", "position"];
        let same = table.columns[1..].iter().map(|column| column.name).filter(|name| !receipt.contains(name)).collect();
        Self { same, first: ["seq", "received_at"], last: false }
    }

    /// By the ids of spans: few columns, and most spans are not looked at again.
    pub(crate) fn ids() -> Self {
        Self { same: vec!["tenant", "trace_id", "span_id"], first: ["seq", "received_at"], last: false }
    }

    /// The columns that a survey reads.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        self.same.iter().chain(&self.first).copied().collect()
    }
}

/// The receipt of a row, turned round where the last is wanted: of equal rows the one with the least stays.
type Rank = (i64, i64);

fn numbers(rows: &RecordBatch, name: &str) -> Result<Int64Array, ArrowError> {
    let column = rows.column(rows.schema_ref().index_of(name)?);
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

/// Identities and ranks of the rows of a batch.
struct Reader {
    rule: Rule,
    converter: RowConverter,
}

impl Reader {
    fn new(rule: Rule, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let fields = rule.same.iter().map(|name| Ok(SortField::new(schema.field_with_name(name)?.data_type().clone())));
        let converter = RowConverter::new(fields.collect::<Result<_, ArrowError>>()?)?;
        Ok(Self { rule, converter })
    }

    fn identities(&self, rows: &RecordBatch) -> Result<Vec<u128>, ArrowError> {
        let column = |name: &&str| Ok(Arc::clone(rows.column(rows.schema_ref().index_of(name)?)));
        let same = self.rule.same.iter().map(column).collect::<Result<Vec<_>, ArrowError>>()?;
        Ok(self.converter.convert_columns(&same)?.iter().map(|row| identity(row.as_ref())).collect())
    }

    fn read(&self, rows: &RecordBatch) -> Result<Vec<(u128, Rank)>, ArrowError> {
        let [first, second] = self.rule.first;
        let (first, second) = (numbers(rows, first)?, numbers(rows, second)?);
        let sign = if self.rule.last { -1 } else { 1 };
        let turned = |receipt: &i64| receipt.saturating_mul(sign);
        let ranks = first.values().iter().map(turned).zip(second.values().iter().map(turned));
        Ok(self.identities(rows)?.into_iter().zip(ranks).collect())
    }
}

/// Ids are chosen by senders, so the hash must be one that nobody can aim.
fn identity(row: &[u8]) -> u128 {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(row).as_bytes()[..16]);
    u128::from_le_bytes(short)
}

/// The first pass.
pub(crate) struct Survey {
    reader: Reader,
    /// Of the rows of this pass. A third of the memory that a table of hashes takes.
    seen: Vec<(u128, Rank)>,
    pass: u128,
    passes: u128,
    best: HashMap<u128, Option<Rank>>,
}

impl Survey {
    /// A survey of batches of `schema`, which holds the columns of the rule, that are added once in each of `passes`.
    pub(crate) fn new(rule: Rule, schema: &SchemaRef, passes: u64) -> Result<Self, ArrowError> {
        let reader = Reader::new(rule, schema)?;
        Ok(Self { reader, seen: Vec::new(), pass: 0, passes: passes.into(), best: HashMap::new() })
    }

    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        let (pass, passes) = (self.pass, self.passes);
        self.seen.extend(self.reader.read(rows)?.into_iter().filter(|(identity, _)| identity % passes == pass));
        Ok(())
    }

    pub(crate) fn end_pass(&mut self) {
        self.seen.sort_unstable();
        let repeated = self.seen.chunk_by(|one, other| one.0 == other.0).filter(|same| same.len() > 1);
        self.best.extend(repeated.map(|same| (same[0].0, Some(same[0].1))));
        self.seen.clear();
        self.pass += 1;
    }

    pub(crate) fn finish(self) -> Repeats {
        Repeats { reader: Arc::new(self.reader), best: self.best }
    }
}

/// The repeated rows.
#[derive(Clone)]
pub(crate) struct Repeats {
    reader: Arc<Reader>,
    /// The rank of the row that stays; none once it has come by, so that of equals only one stays.
    best: HashMap<u128, Option<Rank>>,
}

impl Repeats {
    /// Whether no row repeats another.
    pub(crate) fn is_empty(&self) -> bool {
        self.best.is_empty()
    }

    /// The rows without those that repeat another.
    pub(crate) fn drop_from(&mut self, rows: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.is_empty() {
            return Ok(rows);
        }
        let stays = |(identity, rank)| match self.best.get_mut(&identity) {
            None => true,
            Some(best) if *best == Some(rank) => {
                *best = None;
                true
            }
            Some(_) => false,
        };
        let keep: BooleanArray = self.reader.read(&rows)?.into_iter().map(stays).map(Some).collect();
        filter_record_batch(&rows, &keep)
    }
}

/// What views take from every version of a span: when it began, whether it failed or stands at the root, and what all
/// spans of a run have to agree on.
const OF_EVERY: [&str; 16] = [
    "parent_span_id",
    "start_unix_nano",
    "kind",
    "status",
    "flags",
    "service",
    "environment",
    "release",
    "team",
    "conversation_id",
    "user_id",
    "workflow_name",
    "workflow_version",
    "prompt_name",
    "prompt_version",
    "prompt_label",
];
/// Of these the one whose lack says something too: a root has no parent.
const PARENT: &str = OF_EVERY[0];

/// Spans sent more than once of which a survey remembers the versions at a time: some 300 bytes each, and as much again
/// for each further one that says something else.
const SPANS_AT_ONCE: usize = 1 << 19;

/// A second survey, of the spans that were sent more than once.
pub(crate) struct Versions {
    /// By their ids.
    resent: Repeats,
    /// By all that they say.
    reader: Reader,
    /// By each that views take from every version.
    of_every: Vec<Reader>,
    /// Those of this pass, by their ids and all that they say.
    found: HashMap<(u128, u128), Version>,
    pass: u128,
    passes: u128,
    best: HashMap<u128, Option<Rank>>,
}

struct Version {
    duration: i64,
    /// A bit for each field that it has.
    fields: u128,
    values: Values,
    /// The first receipt of what says so.
    receipt: Rank,
}

/// What a version has of [`OF_EVERY`], each as a hash; 0 where it has nothing.
type Values = [u32; OF_EVERY.len()];

const _: () = assert!(SPANS.columns.len() <= u128::BITS as usize, "there is a bit for each field");

impl Versions {
    /// Looks at batches of `schema`, which holds the columns of the rule of spans, for the spans that `resent` found.
    /// They are added once in each pass.
    pub(crate) fn new(resent: Repeats, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let reader = |rule| Reader::new(rule, schema);
        let of_every = OF_EVERY.into_iter().map(|name| reader(Rule { same: vec![name], ..Rule::ids() }));
        let of_every = of_every.collect::<Result<Vec<_>, ArrowError>>()?;
        let reader = reader(Rule::of(&SPANS))?;
        let passes = resent.best.len().div_ceil(SPANS_AT_ONCE) as u128;
        let (found, best) = (HashMap::new(), HashMap::new());
        Ok(Self { resent, reader, of_every, found, pass: 0, passes, best })
    }

    /// Whether all passes are done.
    pub(crate) fn is_done(&self) -> bool {
        self.pass == self.passes
    }

    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        let spans = self.resent.reader.identities(rows)?;
        let (resent, pass, passes) = (&self.resent.best, self.pass, self.passes);
        let is_wanted = |span: &u128| span % passes == pass && resent.contains_key(span);
        let wanted: BooleanArray = spans.iter().map(|span| Some(is_wanted(span))).collect();
        let rows = filter_record_batch(rows, &wanted)?;
        let spans = spans.into_iter().filter(is_wanted);
        let durations = numbers(&rows, "duration_ns")?;
        let told = spans.zip(durations.values().iter()).zip(fields(&rows)).zip(self.values(&rows)?);
        for ((((span, &duration), fields), values), (said, receipt)) in told.zip(self.reader.read(&rows)?) {
            let version = self.found.entry((span, said)).or_insert(Version { duration, fields, values, receipt });
            version.receipt = version.receipt.min(receipt);
        }
        Ok(())
    }

    /// What each row has of that which views take from every version.
    fn values(&self, rows: &RecordBatch) -> Result<Vec<Values>, ArrowError> {
        let mut values = vec![Values::default(); rows.num_rows()];
        for (place, (reader, name)) in self.of_every.iter().zip(OF_EVERY).enumerate() {
            let column = rows.column(rows.schema_ref().index_of(name)?);
            for (row, value) in reader.identities(rows)?.into_iter().enumerate() {
                if column.is_valid(row) || name == PARENT {
                    values[row][place] = (value as u32).max(1);
                }
            }
        }
        Ok(values)
    }

    pub(crate) fn end_pass(&mut self) {
        let mut versions: Vec<_> = self.found.drain().collect();
        versions.sort_unstable_by_key(|((span, _), version)| (*span, Reverse(version.duration)));
        for of_span in versions.chunk_by(|one, other| one.0.0 == other.0.0) {
            let (mut fields, mut values): (u128, HashSet<(usize, u32)>) = Default::default();
            // Of equally long ones each view takes another by its own rule.
            for equally_long in of_span.chunk_by(|one, other| one.1.duration == other.1.duration) {
                for ((_, said), version) in equally_long {
                    let adds = version.fields & !fields != 0 || version.told().any(|value| !values.contains(&value));
                    self.best.insert(*said, adds.then_some(version.receipt));
                }
                for (_, version) in equally_long {
                    fields |= version.fields;
                    values.extend(version.told());
                }
            }
        }
        self.pass += 1;
    }

    pub(crate) fn finish(self) -> Repeats {
        Repeats { reader: Arc::new(self.reader), best: self.best }
    }
}

impl Version {
    /// What it has of that which views take from every version, by the places.
    fn told(&self) -> impl Iterator<Item = (usize, u32)> {
        self.values.into_iter().enumerate().filter(|(_, value)| *value != 0)
    }
}

/// A bit for each column that has a value, row by row.
fn fields(rows: &RecordBatch) -> Vec<u128> {
    let mut fields = vec![0; rows.num_rows()];
    for (bit, column) in rows.columns().iter().enumerate() {
        let nulls = column.logical_nulls();
        for (row, fields) in fields.iter_mut().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                *fields |= 1_u128 << bit;
            }
        }
    }
    fields
}
