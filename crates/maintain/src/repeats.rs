//! Rows that are in the table more than once: a client's retry that was stored again, a content seen by two shards.
//!
//! A first pass over the columns that make two rows the same finds which rows are repeated and which one of each
//! stays; a second then drops the others as they come by.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use tracewell_model::schema::{CONTENTS, SPANS, Table};

/// What makes two rows the same, and which one stays.
pub(crate) struct Rule {
    /// Rows that are equal in these columns are the same.
    same: Vec<&'static str>,
    /// The row stays that is foremost in these.
    rank: [&'static str; 2],
    /// Whether the greatest is foremost, or the least.
    greatest: bool,
}

impl Rule {
    /// A span is told by its ids, and the longest version of it knows most; a content is told by its hash, and came
    /// when it first came. Log records and scores have no identity: only those equal in all but their receipt, and
    /// their place in the request, are the same.
    pub(crate) fn of(table: &'static Table) -> Self {
        if table.name == SPANS.name {
            return Self { same: vec!["tenant", "trace_id", "span_id"], rank: ["duration_ns", "seq"], greatest: true };
        }
        let rank = ["received_at", "seq"];
        let same = if table.name == CONTENTS.name {
            vec!["tenant", "hash"]
        } else {
            table.columns[1..]
                .iter()
                .map(|column| column.name)
                .filter(|name| !rank.contains(name) && *name != "position")
                .collect()
        };
        Self { same, rank, greatest: false }
    }

    /// The columns that the survey reads.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        self.same.iter().chain(&self.rank).copied().collect()
    }
}

/// A rank of which the greater stays.
type Rank = (i64, i64);

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

    fn column(rows: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::clone(rows.column(rows.schema_ref().index_of(name)?)))
    }

    fn read(&self, rows: &RecordBatch) -> Result<Vec<(u128, Rank)>, ArrowError> {
        let same = self.rule.same.iter().map(|name| Self::column(rows, name)).collect::<Result<Vec<_>, _>>()?;
        let same = self.converter.convert_columns(&same)?;
        let number = |name: &str| cast(&Self::column(rows, name)?, &DataType::Int64);
        let (first, second) = (number(self.rule.rank[0])?, number(self.rule.rank[1])?);
        let (first, second) = (first.as_primitive::<Int64Type>(), second.as_primitive::<Int64Type>());
        // `!` turns the order of integers around, and cannot overflow.
        let foremost = |value: i64| if self.rule.greatest { value } else { !value };
        Ok(same
            .iter()
            .enumerate()
            .map(|(at, row)| (identity(row.as_ref()), (foremost(first.value(at)), foremost(second.value(at)))))
            .collect())
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
    /// The foremost rank of each identity of this pass, and whether it was seen more than once.
    seen: HashMap<u128, (Rank, bool)>,
    pass: u128,
    passes: u128,
    best: HashMap<u128, Option<Rank>>,
}

impl Survey {
    /// A survey of batches of `schema`, which holds the columns of the rule, that are added once in each of `passes`.
    pub(crate) fn new(rule: Rule, schema: &SchemaRef, passes: u64) -> Result<Self, ArrowError> {
        let reader = Reader::new(rule, schema)?;
        Ok(Self { reader, seen: HashMap::new(), pass: 0, passes: passes.into(), best: HashMap::new() })
    }

    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        for (identity, rank) in self.reader.read(rows)? {
            if identity % self.passes != self.pass {
                continue;
            }
            match self.seen.entry(identity) {
                Entry::Vacant(entry) => {
                    entry.insert((rank, false));
                }
                Entry::Occupied(mut entry) => {
                    let best = entry.get().0.max(rank);
                    entry.insert((best, true));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn end_pass(&mut self) {
        let repeated = self.seen.drain().filter(|(_, (_, repeated))| *repeated);
        self.best.extend(repeated.map(|(identity, (rank, _))| (identity, Some(rank))));
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
    /// The rows without those that repeat another.
    pub(crate) fn drop_from(&mut self, rows: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.best.is_empty() {
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
