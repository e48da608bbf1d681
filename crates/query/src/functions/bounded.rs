//! Functions whose result can be far larger than their arguments, with a limit, and functions that take long, in pieces.
//!
//! The memory of a batch of results is not taken from the pool of queries before it is there, so that one
//! `repeat('x', 2000000000)` took gigabytes however small the pool. These functions say beforehand how much it will be.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::{cast, concat};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, resources_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use crate::limits::stop;
use crate::plans::pieces::bytes;

/// Bytes that one batch of results may have.
const MOST: u128 = 256 << 20;
/// Comparisons that one batch may take: some seconds.
const MOST_STEPS: u128 = 2 << 30;

/// Bytes of arguments between two looks at whether the query is to stop: some milliseconds, or one pair of long texts.
const PIECE: usize = 128 << 10;

/// How the size of a result is told from the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// The first so many times as the second says.
    Times,
    /// As many characters, or members, as the second says.
    To,
    /// The first with each place of the second become the third.
    Replaced,
    /// A member for each number between.
    Between,
    /// Small, but each character of the first is compared with each of the second, and nothing can stop that.
    Compared,
    /// Small, but long in the making.
    Slow,
}

const GROWING: [(&str, Growth); 19] = [
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Times),
    ("lpad", Growth::To),
    ("rpad", Growth::To),
    ("array_resize", Growth::To),
    ("replace", Growth::Replaced),
    ("range", Growth::Between),
    ("generate_series", Growth::Between),
    ("levenshtein", Growth::Compared),
    ("similarity", Growth::Slow),
    ("text_diff", Growth::Slow),
    ("has_words", Growth::Slow),
    ("has_phrase", Growth::Slow),
    ("jsonb_set", Growth::Slow),
    ("regexp_count", Growth::Slow),
    ("regexp_instr", Growth::Slow),
    ("regexp_like", Growth::Slow),
    ("regexp_match", Growth::Slow),
    ("regexp_replace", Growth::Slow),
];

/// Puts limited functions in place of those that grow.
pub(super) fn register(context: &SessionContext) {
    for (name, growth) in GROWING {
        let found = context.state().scalar_functions().get(name).cloned();
        if let Some(inner) = found {
            context.register_udf(ScalarUDF::from(Bounded { inner, growth }));
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.inner().simplify(arguments, info)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if matches!(self.growth, Growth::Compared | Growth::Slow) {
            return self.in_pieces(arguments);
        }
        let (bytes, name) = (self.growth.bytes(&arguments)?, self.name());
        if bytes > MOST {
            return resources_err!(
                "{name} would make {bytes} bytes at once, {MOST} are allowed; ask for less, or for fewer rows"
            );
        }
        self.inner.invoke_with_args(arguments)
    }
}

impl Bounded {
    /// Calls the function for some rows at a time, until the query is to stop.
    fn in_pieces(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let piece = rows_at_once(&arguments);
        if piece >= rows {
            return self.piece(arguments);
        }
        let mut found = Vec::with_capacity(rows.div_ceil(piece));
        for start in (0..rows).step_by(piece) {
            let length = piece.min(rows - start);
            let slice = |value: &ColumnarValue| match value {
                ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(start, length)),
                scalar => scalar.clone(),
            };
            let args = arguments.args.iter().map(slice).collect();
            let part = ScalarFunctionArgs { args, number_rows: length, ..arguments.clone() };
            found.push(self.piece(part)?.into_array(length)?);
        }
        let parts: Vec<&dyn Array> = found.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }

    fn piece(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        stop::check(&arguments.config_options)?;
        if self.growth == Growth::Compared {
            let (steps, name) = (self.growth.bytes(&arguments)?, self.name());
            if steps > MOST_STEPS {
                return resources_err!(
                    "{name} would compare characters {steps} times, {MOST_STEPS} are allowed; ask for shorter texts"
                );
            }
        }
        self.inner.invoke_with_args(arguments)
    }
}

/// How many rows make a piece.
fn rows_at_once(arguments: &ScalarFunctionArgs) -> usize {
    let sizes = arguments.args.iter().map(|value| match value {
        ColumnarValue::Array(array) => bytes(array.as_ref()),
        ColumnarValue::Scalar(_) => 0,
    });
    let bytes: usize = sizes.sum();
    (arguments.number_rows * PIECE / bytes.max(1)).max(1)
}

impl Growth {
    /// Bytes of the result for all rows, or more; of what is compared, how often.
    fn bytes(self, arguments: &ScalarFunctionArgs) -> Result<u128> {
        let all = arguments.args.iter().map(Argument::of).collect::<Result<Vec<_>>>()?;
        let rows = if all.iter().all(|argument| argument.scalar) { 1 } else { arguments.number_rows };
        let size = |position: usize, row| all.get(position).map_or(0, |argument| argument.size(row));
        let number = |position: usize, row| all.get(position).map_or(0, |argument| argument.number(row));
        let times = |position, row| u128::try_from(number(position, row)).unwrap_or(0);
        let bytes = |row| match self {
            Self::Times => size(0, row).max(1) * times(1, row),
            Self::To => 4 * times(1, row),
            Self::Compared => size(0, row) * size(1, row),
            Self::Slow => 0,
            Self::Replaced => size(0, row) + places(all.first(), all.get(1), row) * size(2, row),
            Self::Between if all.len() < 2 => 8 * times(0, row),
            Self::Between => {
                let step = number(2, row).unsigned_abs().max(1);
                8 * u128::from(number(1, row).abs_diff(number(0, row)) / step)
            }
        };
        Ok((0..rows).map(bytes).fold(0, u128::saturating_add))
    }
}

/// How often the text `what` stands in `text`.
fn places(text: Option<&Argument>, what: Option<&Argument>, row: usize) -> u128 {
    let (Some(text), Some(what)) = (text.and_then(|text| text.text(row)), what.and_then(|what| what.text(row))) else {
        return 0;
    };
    text.matches(what).count() as u128
}

/// One argument, for all rows.
struct Argument {
    values: Values,
    /// It is the same for all rows.
    scalar: bool,
}

enum Values {
    Text(StringViewArray),
    Number(Int64Array),
    /// Bytes of each.
    Other(usize),
}

impl Argument {
    fn of(value: &ColumnarValue) -> Result<Self> {
        let (array, scalar): (ArrayRef, bool) = match value {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let values = match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Values::Text(cast(&array, &DataType::Utf8View)?.as_string_view().clone())
            }
            data_type if data_type.is_integer() => {
                Values::Number(cast(&array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            _ => Values::Other(array.get_array_memory_size() / array.len().max(1)),
        };
        Ok(Self { values, scalar })
    }

    fn text(&self, row: usize) -> Option<&str> {
        let row = if self.scalar { 0 } else { row };
        match &self.values {
            Values::Text(text) => text.is_valid(row).then(|| text.value(row)),
            _ => None,
        }
    }

    /// Bytes of the value.
    fn size(&self, row: usize) -> u128 {
        match &self.values {
            Values::Text(_) => self.text(row).map_or(0, str::len) as u128,
            Values::Number(_) => 8,
            Values::Other(bytes) => *bytes as u128,
        }
    }

    fn number(&self, row: usize) -> i64 {
        let row = if self.scalar { 0 } else { row };
        match &self.values {
            Values::Number(numbers) if numbers.is_valid(row) => numbers.value(row),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    async fn run(sql: &str) -> Result<usize, String> {
        let context = SessionContext::new();
        super::register(&context);
        let text = |error: datafusion::error::DataFusionError| error.strip_backtrace();
        let rows = context.sql(sql).await.map_err(text)?.collect().await.map_err(text)?;
        Ok(rows.iter().map(|batch| batch.num_rows()).sum())
    }

    #[tokio::test]
    async fn what_would_be_too_large_is_not_made() {
        for sql in [
            "SELECT length(repeat('x', 2000000000))",
            "SELECT length(repeat(x, 100000)) FROM (SELECT arrow_cast(value, 'Utf8') AS x FROM generate_series(1, 8000))",
            "SELECT length(rpad('x', 2000000000, 'y'))",
            "SELECT length(replace(repeat('x', 1000000), 'x', repeat('y', 1000000)))",
            "SELECT cardinality(range(0, 1000000000))",
            "SELECT cardinality(generate_series(0, 1000000000000, 2))",
            "SELECT cardinality(array_repeat('x', 1000000000))",
        ] {
            let error = run(sql).await.expect_err(sql);
            assert!(error.contains("are allowed; ask for less"), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn what_is_small_is_made() {
        for sql in [
            "SELECT repeat('ab', 3), lpad('x', 5, 'y'), rpad('x', -1), replace('aXa', 'X', 'b'), repeat(NULL, 3)",
            "SELECT range(1, 4), generate_series(1, 10, 3), range(5), array_repeat(1, 2), array_resize([1], 3)",
            "SELECT range(DATE '2026-01-01', DATE '2026-02-01', INTERVAL '1 day')",
        ] {
            assert_eq!(run(sql).await.as_ref(), Ok(&1), "{sql}");
        }
    }
}
