//! How the tables of the catalogue are built.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int32Array, RecordBatch, StringArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::Result;

/// A table built column by column from what its rows are about.
pub(super) struct Builder<'a, R> {
    rows: &'a [R],
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl<'a, R> Builder<'a, R> {
    pub(super) fn new(rows: &'a [R]) -> Self {
        Self { rows, fields: Vec::new(), columns: Vec::new() }
    }

    fn push(mut self, field: Field, column: ArrayRef) -> Self {
        self.fields.push(field);
        self.columns.push(column);
        self
    }

    /// A column of object identifiers of a `kind`: `oid`, `regproc`, ….
    pub(super) fn oid(self, name: &str, value: impl Fn(&R) -> i32) -> Self {
        let marked = HashMap::from([("pg.oid_alias".to_owned(), "oid".to_owned())]);
        let column = Arc::new(self.rows.iter().map(|row| Some(value(row))).collect::<Int32Array>());
        self.push(Field::new(name, DataType::Int32, true).with_metadata(marked), column)
    }

    pub(super) fn int4(self, name: &str, value: impl Fn(&R) -> Option<i32>) -> Self {
        let column = Arc::new(self.rows.iter().map(value).collect::<Int32Array>());
        self.push(Field::new(name, DataType::Int32, true), column)
    }

    pub(super) fn int2(self, name: &str, value: impl Fn(&R) -> i16) -> Self {
        let column = Arc::new(self.rows.iter().map(|row| Some(value(row))).collect::<Int16Array>());
        self.push(Field::new(name, DataType::Int16, true), column)
    }

    pub(super) fn bool(self, name: &str, value: impl Fn(&R) -> bool) -> Self {
        let column = Arc::new(self.rows.iter().map(|row| Some(value(row))).collect::<BooleanArray>());
        self.push(Field::new(name, DataType::Boolean, true), column)
    }

    pub(super) fn text<T: AsRef<str>>(self, name: &str, value: impl Fn(&R) -> Option<T>) -> Self {
        let column = Arc::new(self.rows.iter().map(value).collect::<StringArray>());
        self.push(Field::new(name, DataType::Utf8, true), column)
    }

    /// Columns that are the same in every row.
    pub(super) fn texts(self, names: &[&str], value: Option<&'static str>) -> Self {
        names.iter().fold(self, |table, name| table.text(name, |_| value))
    }

    pub(super) fn oids(self, names: &[&str], value: i32) -> Self {
        names.iter().fold(self, |table, name| table.oid(name, |_| value))
    }

    pub(super) fn int4s(self, names: &[&str], value: Option<i32>) -> Self {
        names.iter().fold(self, |table, name| table.int4(name, |_| value))
    }

    pub(super) fn bools(self, names: &[&str], value: bool) -> Self {
        names.iter().fold(self, |table, name| table.bool(name, |_| value))
    }

    /// Columns of lists of text, all NULL.
    pub(super) fn lists(self, names: &[&str]) -> Self {
        self.lists_of(names, DataType::Utf8)
    }

    pub(super) fn lists_of(self, names: &[&str], item: DataType) -> Self {
        let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
        let rows = self.rows.len();
        names
            .iter()
            .fold(self, |table, name| table.push(Field::new(*name, list.clone(), true), new_null_array(&list, rows)))
    }

    pub(super) fn build(self) -> Result<Arc<dyn TableProvider>> {
        let schema = Arc::new(Schema::new(self.fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), self.columns)?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }
}
