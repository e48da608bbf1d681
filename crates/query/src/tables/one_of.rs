//! Whether a column is one of some ids.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::prelude::col;

/// More ids are not looked up in the filters of files: the list of them would make a slow plan.
const MOST_LISTED: usize = 1_000;

/// Whether `column` is one of `ids`, which files are left out by.
pub(crate) fn listed<'a>(column: &str, ids: impl IntoIterator<Item = &'a String>) -> Expr {
    let ids = ids.into_iter().map(|id| lit(ScalarValue::Utf8View(Some(id.clone()))));
    col(column).in_list(ids.collect(), false)
}

/// Whether `column` is one of `ids`, however many they are.
pub(crate) fn one_of(column: &str, ids: &Arc<HashSet<String>>) -> Expr {
    if ids.len() <= MOST_LISTED {
        return listed(column, ids.iter());
    }
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(OneOf { signature, ids: Arc::clone(ids) }).call(vec![col(column)])
}

#[derive(Debug)]
struct OneOf {
    signature: Signature,
    ids: Arc<HashSet<String>>,
}

impl PartialEq for OneOf {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ids, &other.ids)
    }
}

impl Eq for OneOf {}

impl Hash for OneOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.ids).hash(state);
    }
}

impl ScalarUDFImpl for OneOf {
    fn name(&self) -> &str {
        "one_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ids = ColumnarValue::values_to_arrays(&arguments.args)?.remove(0);
        let ids = cast(&ids, &DataType::Utf8View)?;
        let is_one: BooleanArray = ids.as_string_view().iter().map(|id| id.map(|id| self.ids.contains(id))).collect();
        Ok(ColumnarValue::Array(Arc::new(is_one)))
    }
}
