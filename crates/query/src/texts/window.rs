//! A window of rows, and which of the texts that stream past it each of them names.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use tracewell_model::time::Day;

use super::CONTENT;
use super::filling::Keys;
use crate::limits::stop;
use crate::plans::pieces::{PIECE, pieces};

/// Rows that are to get their texts.
pub(super) struct Window {
    pub(super) rows: RecordBatch,
    tenants: ArrayRef,
    dates: ArrayRef,
    /// The first row that names a text by this hash, and behind each row the next one.
    pub(super) first: HashMap<u128, usize>,
    next: Vec<Option<usize>>,
    found: Vec<bool>,
}

impl Window {
    pub(super) fn new(rows: RecordBatch, keys: &Keys) -> Result<Self> {
        let count = rows.num_rows();
        let column = |key: &Arc<dyn PhysicalExpr>| key.evaluate(&rows)?.into_array(count);
        let tenants = cast(&column(&keys.tenant)?, &DataType::Utf8View)?;
        let dates = cast(&column(&keys.date)?, &DataType::Date32)?;
        let hashes = cast(&column(&keys.hash)?, &DataType::Utf8View)?;
        let hashes = hashes.as_string_view();
        let (mut first, mut next) = (HashMap::new(), vec![None; count]);
        // From behind, so that rows come in their order.
        for row in (0..count).rev().filter(|row| tenants.is_valid(*row) && dates.is_valid(*row)) {
            if hashes.is_valid(row)
                && let Some(hash) = number(hashes.value(row))
            {
                next[row] = first.insert(hash, row);
            }
        }
        Ok(Self { rows, tenants, dates, first, next, found: vec![false; count] })
    }

    pub(super) fn days(&self) -> BTreeSet<Day> {
        self.dates.as_primitive::<Date32Type>().iter().flatten().map(Day).collect()
    }

    /// The rows that have no text yet and name one of these.
    pub(super) fn named_by(&mut self, texts: &Contents) -> Named {
        let mut named = Named::default();
        let (tenants, dates) = (self.tenants.as_string_view(), self.dates.as_primitive::<Date32Type>());
        for text in 0..texts.content.len() {
            let mut at =
                number(texts.hashes.as_string_view().value(text)).and_then(|hash| self.first.get(&hash)).copied();
            while let Some(row) = at {
                let same = dates.value(row) == texts.dates.as_primitive::<Date32Type>().value(text)
                    && tenants.value(row) == texts.tenants.as_string_view().value(text);
                // A text may be stored more than once.
                if same && !self.found[row] {
                    self.found[row] = true;
                    named.add(row, text);
                }
                at = self.next[row];
            }
        }
        named
    }

    /// The rows whose text has not been found, each with the first text of a list.
    pub(super) fn without(&self) -> Named {
        let mut named = Named::default();
        (0..self.found.len()).filter(|row| !self.found[*row]).for_each(|row| named.add(row, 0));
        named
    }
}

/// Positions of rows, and of the text of each; those of one text stand together.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) rows: Vec<u64>,
    pub(super) texts: Vec<u64>,
}

impl Named {
    fn add(&mut self, row: usize, text: usize) {
        self.rows.push(row as u64);
        self.texts.push(text as u64);
    }

    /// Leaves those whose text satisfies `filter`.
    pub(super) fn filter(
        self,
        filter: &Arc<dyn PhysicalExpr>,
        texts: &ArrayRef,
        options: &ConfigOptions,
    ) -> Result<Self> {
        let mut each = self.texts.clone();
        each.dedup();
        let kept = satisfy(filter, take(texts, &UInt64Array::from(each.clone()), None)?, options)?;
        let kept: HashSet<u64> = each.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(text, _)| text).collect();
        let pairs = self.rows.into_iter().zip(self.texts).filter(|(_, text)| kept.contains(text));
        let (rows, texts) = pairs.unzip();
        Ok(Self { rows, texts })
    }
}

/// Which of `texts` satisfy a filter over them.
fn satisfy(filter: &Arc<dyn PhysicalExpr>, texts: ArrayRef, options: &ConfigOptions) -> Result<Vec<bool>> {
    let mut satisfied = Vec::with_capacity(texts.len());
    let texts = RecordBatch::try_from_iter_with_nullable([(CONTENT, texts, true)])?;
    for piece in pieces(&texts, PIECE) {
        stop::check(options)?;
        let answers = filter.evaluate(&piece)?.into_array(piece.num_rows())?;
        satisfied.extend(answers.as_boolean().iter().map(|answer| answer == Some(true)));
    }
    Ok(satisfied)
}

/// A batch of texts, under what they are found by.
pub(super) struct Contents {
    tenants: ArrayRef,
    dates: ArrayRef,
    hashes: ArrayRef,
    pub(super) content: ArrayRef,
}

impl Contents {
    pub(super) fn of(texts: &RecordBatch) -> Result<Self> {
        let [tenants, dates, hashes, content] = texts.columns() else {
            return internal_err!("texts have three keys");
        };
        let text = |column: &ArrayRef| cast(column, &DataType::Utf8View);
        let dates = cast(dates, &DataType::Date32)?;
        Ok(Self { tenants: text(tenants)?, dates, hashes: text(hashes)?, content: text(content)? })
    }
}

/// A hash as a number; `None` where it is none of ours.
fn number(hash: &str) -> Option<u128> {
    (hash.len() == 32).then(|| u128::from_str_radix(hash, 16).ok()).flatten()
}
