//! `min_by(value, at)` and `max_by(value, at)`: the value of the row that has the least or the greatest `at`.
//!
//! Rows without `at` do not count; of rows with one `at`, the least value does, NULL last. `first_value(value ORDER BY
//! at)` answers the same where no two rows have one `at`, and takes microseconds for each row of a group.

use std::cmp::Ordering;
use std::mem::size_of;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

/// Both functions.
pub(super) fn functions() -> [AggregateUDF; 2] {
    [Ordering::Less, Ordering::Greater]
        .map(|wanted| AggregateUDF::from(By { wanted, signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct By {
    /// How the `at` of the answer compares with those of other rows.
    wanted: Ordering,
    signature: Signature,
}

impl AggregateUDFImpl for By {
    fn name(&self) -> &str {
        if self.wanted.is_lt() { "min_by" } else { "max_by" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, at] = take_function_args(self.name(), types)?;
        if at.is_nested() {
            return plan_err!("{} takes a value, and a number, a time or a text to choose it by", self.name());
        }
        Ok(vec![value.clone(), at.clone()])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let [value, at] = take_function_args(self.name(), arguments.input_fields)?;
        let state = |name, of: &FieldRef| {
            Arc::new(Field::new(format!("{}[{name}]", arguments.name), of.data_type().clone(), true))
        };
        Ok(vec![state("value", value), state("at", at)])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return not_impl_err!("{}(DISTINCT …)", self.name());
        }
        let [value, at] = take_function_args(self.name(), arguments.expr_fields)?;
        let none = |of: &FieldRef| ScalarValue::try_from(of.data_type());
        Ok(Box::new(One { wanted: self.wanted, value: none(value)?, at: none(at)? }))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        let types = arguments.expr_fields.iter().map(|field| field.data_type());
        !arguments.is_distinct && types.eq([&DataType::Utf8View, &DataType::Int64])
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Texts { wanted: self.wanted, best: Vec::new(), bytes: 0 }))
    }
}

/// The answer of all rows.
#[derive(Debug)]
struct One {
    wanted: Ordering,
    value: ScalarValue,
    at: ScalarValue,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [values, ats] = take_function_args("min_by", values)?;
        for row in (0..ats.len()).filter(|row| ats.is_valid(*row)) {
            let at = ScalarValue::try_from_array(ats, row)?;
            let compared = if self.at.is_null() { self.wanted } else { at.try_cmp(&self.at)? };
            if compared == self.wanted {
                self.value = ScalarValue::try_from_array(values, row)?.compacted();
                self.at = at.compacted();
            } else if compared.is_eq() && values.is_valid(row) {
                let value = ScalarValue::try_from_array(values, row)?;
                // Values without an order stay as they came.
                if self.value.is_null() || value.partial_cmp(&self.value).is_some_and(Ordering::is_lt) {
                    self.value = value.compacted();
                }
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), self.at.clone()])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.value.size() + self.at.size()
    }
}

/// The answers of groups where the value is a text and `at` a number.
#[derive(Debug)]
struct Texts {
    wanted: Ordering,
    best: Vec<Option<Best>>,
    /// Of their texts.
    bytes: usize,
}

#[derive(Debug)]
struct Best {
    at: i64,
    value: Option<Box<str>>,
}

impl Texts {
    fn offer(&mut self, group: usize, at: i64, value: Option<&str>) {
        if let Some(best) = &self.best[group] {
            let compared = at.cmp(&best.at);
            let is_less = || match (value, &best.value) {
                (Some(value), Some(best)) => value < &**best,
                (value, best) => value.is_some() && best.is_none(),
            };
            if compared != self.wanted && !(compared.is_eq() && is_less()) {
                return;
            }
            self.bytes -= best.value.as_deref().map_or(0, str::len);
        }
        self.bytes += value.map_or(0, str::len);
        self.best[group] = Some(Best { at, value: value.map(Into::into) });
    }

    fn taken(&mut self, emit: EmitTo) -> Vec<Option<Best>> {
        let taken = emit.take_needed(&mut self.best);
        let text = |best: &Best| best.value.as_deref().map_or(0, str::len);
        self.bytes -= taken.iter().flatten().map(text).sum::<usize>();
        taken
    }
}

fn texts(best: &[Option<Best>]) -> ArrayRef {
    Arc::new(best.iter().map(|best| best.as_ref()?.value.as_deref()).collect::<StringViewArray>())
}

impl GroupsAccumulator for Texts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.best.resize_with(total, || None);
        let [values, ats] = take_function_args("min_by", values)?;
        let (values, ats) = (values.as_string_view(), ats.as_primitive::<Int64Type>());
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, group) in groups.iter().enumerate() {
            if ats.is_valid(row) && passes(row) {
                let value = values.is_valid(row).then(|| values.value(row));
                self.offer(*group, ats.value(row), value);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(states, groups, None, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(texts(&self.taken(emit)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let taken = self.taken(emit);
        let ats: Int64Array = taken.iter().map(|best| Some(best.as_ref()?.at)).collect();
        Ok(vec![texts(&taken), Arc::new(ats)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows: Vec<usize> = (0..values[0].len()).collect();
        let mut apart = Self { wanted: self.wanted, best: Vec::new(), bytes: 0 };
        apart.update_batch(values, &rows, filter, rows.len())?;
        apart.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<Option<Best>>() + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of rows `(group, value, at)`, each row in a state of its own that is merged.
    fn answers(wanted: Ordering, rows: &[(usize, Option<&str>, Option<i64>)]) -> Vec<Option<String>> {
        let none = || Texts { wanted, best: Vec::new(), bytes: 0 };
        let mut all = none();
        for (group, value, at) in rows {
            let values: [ArrayRef; 2] =
                [Arc::new(StringViewArray::from(vec![*value])), Arc::new(Int64Array::from(vec![*at]))];
            let state = none().convert_to_state(&values, None).expect("a state");
            all.merge_batch(&state, &[*group], 3).expect("it is merged");
        }
        let answers = all.evaluate(EmitTo::All).expect("answers");
        assert_eq!(all.bytes, 0);
        answers.as_string_view().iter().map(|answer| answer.map(str::to_owned)).collect()
    }

    #[test]
    fn the_row_with_the_least_or_the_greatest_at_is_the_answer() {
        let rows = [
            (0, Some("b"), Some(2)),
            (0, Some("a"), Some(3)),
            (0, None, Some(1)),
            (1, Some("c"), Some(5)),
            (1, Some("d"), Some(7)),
            // Without `at` it does not count.
            (1, Some("e"), None),
            (2, Some("f"), None),
        ];
        assert_eq!(answers(Ordering::Less, &rows), [None, Some("c".to_owned()), None]);
        assert_eq!(answers(Ordering::Greater, &rows), [Some("a".to_owned()), Some("d".to_owned()), None]);
    }

    #[test]
    fn of_one_at_the_least_value_is_the_answer_in_any_order() {
        let rows = [(0, Some("b"), Some(1)), (0, None, Some(1)), (0, Some("a"), Some(1))];
        for turn in 0..3 {
            let mut turned = rows;
            turned.rotate_left(turn);
            assert_eq!(answers(Ordering::Less, &turned)[0].as_deref(), Some("a"));
            assert_eq!(answers(Ordering::Greater, &turned)[0].as_deref(), Some("a"));
        }
    }

    #[test]
    fn rows_that_the_filter_leaves_out_do_not_count() {
        let values: [ArrayRef; 2] =
            [Arc::new(StringViewArray::from(vec!["a", "b"])), Arc::new(Int64Array::from(vec![1, 2]))];
        let mut texts = Texts { wanted: Ordering::Less, best: Vec::new(), bytes: 0 };
        let filter = BooleanArray::from(vec![false, true]);
        texts.update_batch(&values, &[0, 0], Some(&filter), 1).expect("it is read");
        assert_eq!(texts.evaluate(EmitTo::All).expect("answers").as_string_view().value(0), "b");
    }
}
