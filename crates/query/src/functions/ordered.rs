//! `percentile_disc(p) WITHIN GROUP (ORDER BY x)` and `mode() WITHIN GROUP (ORDER BY x)`: one of the values that there
//! are, of any type that has an order.

use std::mem::{size_of, take};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt64Array, make_comparator, new_empty_array};
use datafusion::arrow::compute::{SortOptions, concat, sort_to_indices, take as taken};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::{SingleRowListArrayBuilder, take_function_args};
use datafusion::common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use crate::tables::filters::constant;

/// Both functions.
pub(super) fn functions() -> [AggregateUDF; 2] {
    [Kind::PercentileDisc, Kind::Mode]
        .map(|kind| AggregateUDF::from(Ordered { kind, signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    PercentileDisc,
    Mode,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ordered {
    kind: Kind,
    signature: Signature,
}

impl AggregateUDFImpl for Ordered {
    fn name(&self) -> &str {
        match self.kind {
            Kind::PercentileDisc => "percentile_disc",
            Kind::Mode => "mode",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The ordered value comes first.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let values = |values: &DataType| match values {
            // Texts that share their memory cannot be counted.
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        match (self.kind, types) {
            (Kind::PercentileDisc, [of, part]) if part.is_numeric() => Ok(vec![values(of), DataType::Float64]),
            (Kind::PercentileDisc, _) => {
                plan_err!(
                    "percentile_disc takes one number from 0 to 1: percentile_disc(0.9) WITHIN GROUP (ORDER BY x)"
                )
            }
            (Kind::Mode, types) => {
                let [of] = take_function_args("mode() WITHIN GROUP (ORDER BY x)", types)?;
                Ok(vec![values(of)])
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let values = Field::new_list_field(arguments.return_field.data_type().clone(), true);
        Ok(vec![Arc::new(Field::new_list(format!("{}[values]", arguments.name), values, true))])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return not_impl_err!("{}(DISTINCT …); order the distinct values of a subquery", self.name());
        }
        let part = match self.kind {
            Kind::Mode => None,
            Kind::PercentileDisc => match arguments.exprs.get(1).and_then(|part| constant(part.as_ref())) {
                Some(ScalarValue::Float64(Some(part))) if (0.0..=1.0).contains(&part) => Some(part),
                _ => return plan_err!("the percentile of percentile_disc is a number from 0 to 1"),
            },
        };
        let data_type = arguments.return_field.data_type().clone();
        let order = arguments.order_bys.first().map(|by| by.options).unwrap_or_default();
        Ok(Box::new(Values { seen: Vec::new(), bytes: 0, data_type, part, order }))
    }
}

/// All values but NULL.
#[derive(Debug)]
struct Values {
    seen: Vec<ArrayRef>,
    bytes: usize,
    data_type: DataType,
    /// The part of the values that is not above the answer; `None` for the value that is there most often.
    part: Option<f64>,
    order: SortOptions,
}

impl Values {
    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let there = (0..values.len()).filter(|row| values.is_valid(*row)).map(|row| row as u64);
        let there = UInt64Array::from_iter_values(there);
        if there.is_empty() {
            return Ok(());
        }
        // A copy, as others hold what is sliced of the memory of a batch.
        let values = taken(values, &there, None)?;
        self.bytes += values.get_array_memory_size() + size_of::<ArrayRef>();
        self.seen.push(values);
        Ok(())
    }

    fn all(&mut self) -> Result<ArrayRef> {
        let seen = take(&mut self.seen);
        let arrays: Vec<&dyn Array> = seen.iter().map(AsRef::as_ref).collect();
        Ok(if arrays.is_empty() { new_empty_array(&self.data_type) } else { concat(&arrays)? })
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        (0..lists.len()).filter(|row| lists.is_valid(*row)).try_for_each(|row| self.add(&lists.value(row)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![SingleRowListArrayBuilder::new(self.all()?).build_list_scalar()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let all = self.all()?;
        if all.is_empty() {
            return ScalarValue::try_from(&self.data_type);
        }
        let position = match self.part {
            Some(part) => {
                let position = ((part * all.len() as f64).ceil() as usize).clamp(1, all.len()) - 1;
                sort_to_indices(&all, Some(self.order), Some(position + 1))?.value(position)
            }
            None => most_often(&all, self.order)?,
        };
        ScalarValue::try_from_array(&all, position as usize)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}

/// Where the first of the values stands that are there most often.
fn most_often(all: &ArrayRef, order: SortOptions) -> Result<u32> {
    let sorted = sort_to_indices(all, Some(order), None)?;
    let compared = make_comparator(all, all, order)?;
    let (mut best, mut most) = (sorted.value(0), 0);
    let (mut first, mut times) = (best, 0);
    for position in sorted.values() {
        if compared(first as usize, *position as usize).is_ne() {
            (first, times) = (*position, 0);
        }
        times += 1;
        if times > most {
            (best, most) = (first, times);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::StringArray;

    use super::*;

    fn values(part: Option<f64>, descending: bool) -> Values {
        let order = SortOptions { descending, nulls_first: false };
        Values { seen: Vec::new(), bytes: 0, data_type: DataType::Utf8, part, order }
    }

    fn answer(mut values: Values, texts: &[&[Option<&str>]]) -> Option<String> {
        for texts in texts {
            let texts: ArrayRef = Arc::new(texts.iter().copied().collect::<StringArray>());
            values.update_batch(&[texts]).expect("they are kept");
        }
        // As it goes from one step of a plan to the next.
        let state = values.state().expect("it is a list").remove(0).to_array().expect("it is a row");
        let mut merged = Values { seen: Vec::new(), bytes: 0, ..values };
        merged.merge_batch(&[state]).expect("it is merged");
        match merged.evaluate().expect("it is a value") {
            ScalarValue::Utf8(text) => text,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_percentile_is_a_value_and_never_between_two() {
        let texts: &[&[Option<&str>]] = &[&[Some("d"), None, Some("b")], &[Some("a")], &[None, Some("c")]];
        // Of four values the second is the first that half of them are not above.
        for (part, expected) in [(0.0, "a"), (0.25, "a"), (0.5, "b"), (0.51, "c"), (1.0, "d")] {
            assert_eq!(answer(values(Some(part), false), texts).as_deref(), Some(expected), "{part}");
        }
        assert_eq!(answer(values(Some(0.25), true), texts).as_deref(), Some("d"));
        assert_eq!(answer(values(Some(0.5), false), &[&[None]]), None);
    }

    #[test]
    fn of_values_that_are_there_as_often_the_first_in_order_is_the_mode() {
        let texts: &[&[Option<&str>]] =
            &[&[Some("b"), None, Some("c"), None, None], &[Some("c"), Some("b"), Some("a")]];
        assert_eq!(answer(values(None, false), texts).as_deref(), Some("b"));
        assert_eq!(answer(values(None, true), texts).as_deref(), Some("c"));
        assert_eq!(answer(values(None, false), &[]), None);
    }
}
