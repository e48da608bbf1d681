//! `approx_percentile_cont` that costs no more than a sum does.
//!
//! DataFusion's own sorts every batch of every group into a t-digest. Here values are counted in buckets whose bounds
//! are less than 1 % apart, as sketches with a relative error do (Masson, Rim and Lee, *DDSketch*, VLDB 2019,
//! <https://arxiv.org/abs/1908.10693>): the answer is at most that far from the value at its rank. Groups of few values
//! are answered exactly. Who names a number of centroids gets the t-digest.

use std::mem::size_of;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, ListBuilder, UInt64Builder,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature};

use crate::tables::filters::constant;

/// The function; what it cannot do is left to the one that there was.
pub(super) fn function(inner: Arc<AggregateUDF>) -> AggregateUDF {
    AggregateUDF::from(Percentile(inner))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile(Arc<AggregateUDF>);

impl Percentile {
    /// The percentile asked for; `None` where the answer is the inner function's.
    fn asked(&self, arguments: &AccumulatorArgs<'_>) -> Result<Option<f64>> {
        let [of, percentile] = arguments.exprs else { return Ok(None) };
        if of.data_type(arguments.schema)? != DataType::Float64 {
            return Ok(None);
        }
        let descending = arguments.order_bys.first().is_some_and(|by| by.options.descending);
        Ok(match constant(percentile.as_ref()) {
            Some(ScalarValue::Float64(Some(percentile))) => {
                Some(if descending { 1.0 - percentile } else { percentile })
            }
            _ => None,
        })
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.0.return_type(arguments)
    }

    fn supports_within_group_clause(&self) -> bool {
        self.0.inner().supports_within_group_clause()
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let asked = self.asked(&arguments)?;
        // It also says what is wrong with the arguments.
        let inner = self.0.accumulator(arguments)?;
        Ok(match asked {
            Some(percentile) => Box::new(One { sketch: Sketch::default(), percentile }),
            None => inner,
        })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        matches!(self.asked(&arguments), Ok(Some(_)))
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let asked = self.asked(&arguments)?;
        self.0.accumulator(arguments)?;
        match asked {
            Some(percentile) => Ok(Box::new(Groups { sketches: Vec::new(), percentile })),
            None => internal_err!("{} has no accumulator of groups for these arguments", self.name()),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let [of, _] = arguments.input_fields else { return self.0.state_fields(arguments) };
        if *of.data_type() != DataType::Float64 {
            return self.0.state_fields(arguments);
        }
        let list = |name: &str, of| {
            Arc::new(Field::new_list(format!("{}[{name}]", arguments.name), Field::new_list_field(of, true), true))
        };
        Ok(vec![list("values", DataType::Float64), list("counts", DataType::UInt64)])
    }
}

/// Bits of a value's fraction that tell buckets apart.
const BITS: u32 = 7;
/// Buckets of one sign and exponent.
const PAGE: usize = 1 << BITS;
/// Bits of a value below its bucket.
const BELOW: u32 = f64::MANTISSA_DIGITS - 1 - BITS;
/// So many values are kept as they are.
const FEW: usize = 64;

/// How often values of each size were seen.
#[derive(Clone, Debug, Default)]
struct Sketch {
    few: Vec<f64>,
    /// By sign and exponent, in order.
    pages: Vec<(u32, Box<[u64; PAGE]>)>,
    count: u64,
}

impl Sketch {
    fn add(&mut self, value: f64, times: u64) {
        self.count += times;
        if self.pages.is_empty() && self.count <= FEW as u64 {
            self.few.extend((0..times).map(|_| value));
            return;
        }
        for value in std::mem::take(&mut self.few) {
            *self.bucket(value) += 1;
        }
        *self.bucket(value) += times;
    }

    fn bucket(&mut self, value: f64) -> &mut u64 {
        let bucket = ordered(value) >> BELOW;
        let (page, slot) = ((bucket >> BITS) as u32, bucket as usize % PAGE);
        let at = match self.pages.binary_search_by_key(&page, |(page, _)| *page) {
            Ok(at) => at,
            Err(at) => {
                self.pages.insert(at, (page, Box::new([0; PAGE])));
                at
            }
        };
        &mut self.pages[at].1[slot]
    }

    /// The least value of each bucket, and how many values are in it.
    fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let of_page = |(page, counts): &(u32, Box<[u64; PAGE]>)| {
            let first = u64::from(*page) << BITS;
            let seen: Vec<_> = counts.iter().zip(first..).filter(|(count, _)| **count > 0).collect();
            seen.into_iter().map(|(count, bucket)| (value(bucket << BELOW), *count)).collect::<Vec<_>>()
        };
        self.few.iter().map(|value| (*value, 1)).chain(self.pages.iter().flat_map(of_page))
    }

    fn percentile(&self, percentile: f64) -> Option<f64> {
        let rank = percentile * self.count.checked_sub(1)? as f64;
        if !self.few.is_empty() {
            let mut few = self.few.clone();
            few.sort_by(f64::total_cmp);
            let (low, high) = (few[rank.floor() as usize], few[rank.ceil() as usize]);
            return Some(if low == high { low } else { low + (high - low) * rank.fract() });
        }
        let mut before = 0;
        for (low, count) in self.buckets() {
            if rank < (before + count) as f64 {
                let high = value(ordered(low) + (1 << BELOW));
                let part = (rank - before as f64 + 0.5) / count as f64;
                return Some(if high.is_finite() { low + (high - low) * part.min(1.0) } else { low });
            }
            before += count;
        }
        None
    }

    fn size(&self) -> usize {
        self.few.capacity() * size_of::<f64>()
            + self.pages.capacity() * size_of::<(u32, Box<[u64; PAGE]>)>()
            + self.pages.len() * size_of::<[u64; PAGE]>()
    }

    fn merge(&mut self, values: &dyn Array, counts: &dyn Array) {
        let pairs =
            values.as_primitive::<Float64Type>().values().iter().zip(counts.as_primitive::<UInt64Type>().values());
        pairs.for_each(|(value, count)| self.add(*value, *count));
    }
}

/// The bits of a value, such that larger values have larger ones.
fn ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn value(ordered: u64) -> f64 {
    f64::from_bits(if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered })
}

/// The percentile of all rows.
#[derive(Debug)]
struct One {
    sketch: Sketch,
    percentile: f64,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values[0].as_primitive::<Float64Type>().iter().flatten().for_each(|value| self.sketch.add(value, 1));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (values, counts) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            self.sketch.merge(&values.value(row), &counts.value(row));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.sketch.percentile(self.percentile)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        state(std::slice::from_ref(&self.sketch)).iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sketch.size()
    }
}

/// The percentile of each group.
#[derive(Debug)]
struct Groups {
    sketches: Vec<Sketch>,
    percentile: f64,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.sketches.resize_with(total, Sketch::default);
        let values = values[0].as_primitive::<Float64Type>();
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, (group, value)) in groups.iter().zip(values.values()).enumerate() {
            if values.is_valid(row) && passes(row) {
                self.sketches[*group].add(*value, 1);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.sketches.resize_with(total, Sketch::default);
        let (values, counts) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (row, group) in groups.iter().enumerate().filter(|(row, _)| values.is_valid(*row)) {
            self.sketches[*group].merge(&values.value(row), &counts.value(row));
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let sketches = emit.take_needed(&mut self.sketches);
        let answers = sketches.iter().map(|sketch| sketch.percentile(self.percentile));
        Ok(Arc::new(answers.collect::<Float64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(state(&emit.take_needed(&mut self.sketches)).to_vec())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows: Vec<usize> = (0..values[0].len()).collect();
        let mut apart = Self { sketches: Vec::new(), percentile: self.percentile };
        apart.update_batch(values, &rows, filter, rows.len())?;
        apart.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.sketches.capacity() * size_of::<Sketch>() + self.sketches.iter().map(Sketch::size).sum::<usize>()
    }
}

fn state(sketches: &[Sketch]) -> [ArrayRef; 2] {
    let mut values = ListBuilder::new(Float64Builder::new());
    let mut counts = ListBuilder::new(UInt64Builder::new());
    for sketch in sketches {
        for (value, count) in sketch.buckets() {
            values.values().append_value(value);
            counts.values().append_value(count);
        }
        values.append(true);
        counts.append(true);
    }
    [Arc::new(values.finish()), Arc::new(counts.finish())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: impl IntoIterator<Item = f64>) -> Sketch {
        let mut sketch = Sketch::default();
        values.into_iter().for_each(|value| sketch.add(value, 1));
        sketch
    }

    #[test]
    fn few_values_are_answered_exactly_and_none_is_null() {
        assert_eq!(sketch([]).percentile(0.5), None);
        assert_eq!(sketch([-3.5]).percentile(0.99), Some(-3.5));
        assert_eq!(sketch([4.0, 1.0, 3.0, 2.0]).percentile(0.5), Some(2.5));
        assert_eq!(sketch([1.0, f64::INFINITY]).percentile(1.0), Some(f64::INFINITY));
    }

    #[test]
    fn many_values_are_answered_to_one_percent_whatever_their_sign_and_size() {
        for scale in [1.0, -1.0, 1e-9, -1e12] {
            let values = sketch((1..=100_000).map(|at| f64::from(at) * scale));
            for percentile in [0.0, 0.01, 0.5, 0.9, 0.99, 1.0] {
                let rank = 1.0 + percentile * 99_999.0;
                let exact = if scale > 0.0 { rank } else { 100_001.0 - rank } * scale;
                let answer = values.percentile(percentile).expect("there are values");
                assert!((answer - exact).abs() <= 0.01 * exact.abs(), "{percentile} of {scale}: {answer}, not {exact}");
            }
        }
    }

    #[test]
    fn parts_together_answer_as_the_whole() {
        let value = |at: u32| f64::from(at * at % 9973) - 5000.0;
        let whole = sketch((0..5000).map(value));
        let mut merged = Groups { sketches: Vec::new(), percentile: 0.9 };
        // Parts of few values and of many.
        for part in [0..10, 10..40, 40..2000, 2000..5000] {
            let state = state(&[sketch(part.map(value))]);
            merged.merge_batch(&state, &[1], 2).expect("states are of one form");
        }
        let answers = merged.evaluate(EmitTo::All).expect("groups are known");
        let answers: Vec<_> = answers.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(answers, [None, whole.percentile(0.9)]);
    }
}
