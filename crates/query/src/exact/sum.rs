//! `sum` that fails where DataFusion's own would wrap around.

use std::marker::PhantomData;
use std::mem::size_of;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowNumericType, AsArray, BooleanArray, PrimitiveArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, internal_err, not_impl_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Operator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs,
};

/// `sum`, checked; what cannot overflow is left to the function that there was.
pub(super) fn checked(inner: Arc<AggregateUDF>) -> AggregateUDF {
    AggregateUDF::from(Sum(inner))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum(Arc<AggregateUDF>);

/// Calls `$work` for the exact types, and `$otherwise` for the others.
macro_rules! for_exact {
    ($arguments:expr, $work:ident, $otherwise:expr) => {
        match $arguments.return_field.data_type().clone() {
            data_type @ DataType::Int64 => Ok(Box::new($work::<Int64Type>::new(data_type))),
            data_type @ DataType::UInt64 => Ok(Box::new($work::<UInt64Type>::new(data_type))),
            data_type @ DataType::Decimal128(..) => Ok(Box::new($work::<Decimal128Type>::new(data_type))),
            data_type @ DataType::Decimal256(..) => Ok(Box::new($work::<Decimal256Type>::new(data_type))),
            _ => $otherwise,
        }
    };
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.0.return_type(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            let data_type = arguments.return_field.data_type().clone();
            return Ok(Box::new(Distinct { inner: self.0.accumulator(arguments)?, data_type }));
        }
        for_exact!(arguments, Total, self.0.accumulator(arguments))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return not_impl_err!("sum(DISTINCT …) over a window; sum the distinct values of a subquery");
        }
        for_exact!(arguments, Total, self.0.create_sliding_accumulator(arguments))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.0.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        for_exact!(arguments, Totals, self.0.create_groups_accumulator(arguments))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.0.state_fields(arguments)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.0.inner().set_monotonicity(data_type)
    }

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
        op: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        self.0.inner().simplify_expr_op_literal(function, argument, op, literal, argument_is_left)
    }

    fn value_from_stats(&self, arguments: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.0.inner().value_from_stats(arguments)
    }
}

/// The sum of all rows, or of those of a window.
struct Total<T: ArrowNumericType> {
    sum: T::Native,
    /// Values that it is the sum of.
    values: usize,
    data_type: DataType,
}

impl<T: ArrowNumericType> Total<T> {
    fn new(data_type: DataType) -> Self {
        Self { sum: T::Native::ZERO, values: 0, data_type }
    }
}

fn sum_of<T: ArrowNumericType>(values: &[ArrayRef]) -> Result<(T::Native, usize)> {
    let [values] = values else { return internal_err!("sum takes one argument") };
    let sum = datafusion::arrow::compute::sum_checked(values.as_primitive::<T>())?;
    Ok((sum.unwrap_or(T::Native::ZERO), values.len() - values.null_count()))
}

impl<T: ArrowNumericType> std::fmt::Debug for Total<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Total").field("data_type", &self.data_type).finish_non_exhaustive()
    }
}

impl<T: ArrowNumericType> Accumulator for Total<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = sum_of::<T>(values)?;
        self.sum = self.sum.add_checked(sum)?;
        self.values += count;
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = sum_of::<T>(values)?;
        self.sum = self.sum.sub_checked(sum)?;
        self.values -= count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::new_primitive::<T>((self.values > 0).then_some(self.sum), &self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// The sum of distinct values: those that the function there was has gathered, added up with care.
#[derive(Debug)]
struct Distinct {
    inner: Box<dyn Accumulator>,
    data_type: DataType,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let state = self.inner.state()?;
        let [ScalarValue::List(gathered)] = state.as_slice() else { return self.inner.evaluate() };
        let mut total: Box<dyn Accumulator> = match self.data_type.clone() {
            data_type @ DataType::Int64 => Box::new(Total::<Int64Type>::new(data_type)),
            data_type @ DataType::UInt64 => Box::new(Total::<UInt64Type>::new(data_type)),
            data_type @ DataType::Decimal128(..) => Box::new(Total::<Decimal128Type>::new(data_type)),
            data_type @ DataType::Decimal256(..) => Box::new(Total::<Decimal256Type>::new(data_type)),
            _ => return self.inner.evaluate(),
        };
        total.update_batch(&[gathered.value(0)])?;
        total.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }
}

/// The sum of each group.
struct Totals<T: ArrowNumericType> {
    sums: Vec<T::Native>,
    /// Which groups have a value.
    seen: Vec<bool>,
    data_type: DataType,
    of: PhantomData<T>,
}

impl<T: ArrowNumericType> Totals<T> {
    fn new(data_type: DataType) -> Self {
        Self { sums: Vec::new(), seen: Vec::new(), data_type, of: PhantomData }
    }
}

impl<T: ArrowNumericType + Send> GroupsAccumulator for Totals<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let [values] = values else { return internal_err!("sum takes one argument") };
        self.sums.resize(total, T::Native::ZERO);
        self.seen.resize(total, false);
        let counted = counted(values.nulls(), filter);
        let mut fits = true;
        let mut add = |group: usize, value: T::Native| {
            match self.sums[group].add_checked(value) {
                Ok(sum) => self.sums[group] = sum,
                Err(_) => fits = false,
            }
            self.seen[group] = true;
        };
        let pairs = groups.iter().zip(values.as_primitive::<T>().values());
        match &counted {
            None => pairs.for_each(|(group, value)| add(*group, *value)),
            Some(counted) => {
                let pairs = pairs.zip(counted.iter()).filter(|(_, counts)| *counts);
                pairs.for_each(|((group, value), _)| add(*group, *value));
            }
        }
        if fits { Ok(()) } else { Err(overflow(&self.data_type)) }
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(values, groups, None, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let sums = emit.take_needed(&mut self.sums);
        let seen = emit.take_needed(&mut self.seen);
        let nulls = seen.iter().any(|seen| !seen).then(|| NullBuffer::from(seen));
        let sums = PrimitiveArray::<T>::new(sums.into(), nulls).with_data_type(self.data_type.clone());
        Ok(Arc::new(sums))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let [values] = values else { return internal_err!("sum takes one argument") };
        let nulls = counted(values.nulls(), filter);
        let values = values.as_primitive::<T>().values().clone();
        Ok(vec![Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(self.data_type.clone()))])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}

/// Which rows have a value and pass the filter; all when there is neither.
fn counted(valid: Option<&NullBuffer>, filter: Option<&BooleanArray>) -> Option<NullBuffer> {
    let passed = filter.map(|filter| match filter.nulls() {
        Some(known) => NullBuffer::new(filter.values() & known.inner()),
        None => NullBuffer::new(filter.values().clone()),
    });
    NullBuffer::union(valid, passed.as_ref())
}

fn overflow(data_type: &DataType) -> DataFusionError {
    let message = format!("a sum does not fit {data_type}; sum(… ::numeric) has more digits");
    datafusion::arrow::error::ArrowError::ArithmeticOverflow(message).into()
}
