//! Columns of one name, as `SELECT *` over a join has them, under names of their own: of members of one name readers of
//! JSON keep the last.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;

/// The same rows; a second `a` is `a_2`.
pub(super) fn apart(batch: &RecordBatch) -> Result<Cow<'_, RecordBatch>, ArrowError> {
    let schema = batch.schema_ref();
    let mut taken: HashSet<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    if taken.len() == schema.fields().len() {
        return Ok(Cow::Borrowed(batch));
    }
    let mut shown: HashSet<&str> = HashSet::new();
    let mut fields: Vec<Field> = Vec::new();
    for field in schema.fields() {
        let (mut name, mut number) = (field.name().clone(), 1);
        if !shown.insert(field.name()) {
            while !taken.insert(name.clone()) {
                number += 1;
                name = format!("{}_{number}", field.name());
            }
        }
        fields.push(field.as_ref().clone().with_name(name));
    }
    Ok(Cow::Owned(RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec())?))
}
