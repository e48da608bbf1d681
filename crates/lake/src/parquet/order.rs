//! Rows of several batches into the order of the table's key.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{LexicographicalComparator, SortColumn, cast, concat, take};
use arrow::datatypes::{DataType, Field, Int64Type};
use tracewell_model::schema::{Column, Table};

use super::plain;
use crate::LakeError;
use crate::schema::file_type;

/// The positions of the rows of `batches`, one behind the other, in the order of the table's key; `None` when they
/// stand in it already. Rows of equal key stay in their order.
pub(super) fn order(table: &'static Table, batches: &[RecordBatch]) -> Result<Option<Vec<u32>>, LakeError> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let key = |name: &&str| plain(&Scattered::of(table, batches, table.index(name) - 1).gather(None, 0..rows)?);
    let keys = table.sort.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    // Most tables' first key is a time that every row has: rows are compared by it without a detour.
    let (times, rest) = match keys[0].data_type() {
        DataType::Int64 | DataType::Timestamp(..) if keys[0].null_count() == 0 => {
            let times = cast(&keys[0], &DataType::Int64)?;
            (times.as_primitive::<Int64Type>().values().to_vec(), &keys[1..])
        }
        _ => (vec![0; rows], &keys[..]),
    };
    let rest: Vec<_> = rest.iter().map(|key| SortColumn { values: Arc::clone(key), options: None }).collect();
    let rest = LexicographicalComparator::try_new(&rest)?;
    let compare = |a: &(i64, u32), b: &(i64, u32)| -> Ordering {
        a.0.cmp(&b.0).then_with(|| rest.compare(a.1 as usize, b.1 as usize))
    };
    let mut rows: Vec<(i64, u32)> = times.into_iter().zip(0..).collect();
    if rows.is_sorted_by(|a, b| compare(a, b).is_le()) {
        return Ok(None);
    }
    rows.sort_by(compare);
    Ok(Some(rows.into_iter().map(|(_, row)| row).collect()))
}

/// One column of several batches.
pub(super) struct Scattered {
    column: &'static Column,
    parts: Vec<ArrayRef>,
    data_type: DataType,
}

impl Scattered {
    pub(super) fn of(table: &'static Table, batches: &[RecordBatch], position: usize) -> Self {
        let column = &table.columns[position + 1];
        let parts: Vec<_> = batches.iter().map(|batch| Arc::clone(batch.column(position))).collect();
        let told = parts.iter().map(|part| part.data_type()).find(|data_type| **data_type != DataType::Null);
        let data_type = told.cloned().unwrap_or_else(|| file_type(column.kind));
        Self { column, parts, data_type }
    }

    pub(super) fn field(&self) -> Field {
        Field::new(self.column.name, self.data_type.clone(), self.column.nullable)
    }

    /// Its values at `range` of `order`.
    pub(super) fn gather(&self, order: Option<&[u32]>, range: Range<usize>) -> Result<ArrayRef, LakeError> {
        if self.parts.iter().all(|part| part.logical_null_count() == part.len()) {
            return Ok(new_null_array(&self.data_type, range.len()));
        }
        let typed = |part: &ArrayRef| match part.data_type() {
            DataType::Null => new_null_array(&self.data_type, part.len()),
            _ => Arc::clone(part),
        };
        let values = concatenated(self.parts.iter().map(typed).collect())?;
        match order {
            Some(order) => taken(&values, &UInt32Array::from(order[range].to_vec())),
            None => Ok(values.slice(range.start, range.len())),
        }
    }
}

fn concatenated(mut parts: Vec<ArrayRef>) -> Result<ArrayRef, LakeError> {
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(concat(&parts)?)
}

/// `values` at `rows`. As Arrow's own `take`, but for what is nested: Arrow copies that row by row through a table
/// of functions.
fn taken(values: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef, LakeError> {
    Ok(match values.data_type() {
        DataType::Map(field, sorted) => {
            let values = values.as_map();
            let (offsets, entries) = scattered_items(values.offsets(), rows);
            let members = taken_members(values.entries(), &entries)?;
            let nulls = taken_nulls(values.nulls(), rows);
            Arc::new(MapArray::try_new(Arc::clone(field), offsets, members, nulls, *sorted)?)
        }
        DataType::List(field) => {
            let values = values.as_list::<i32>();
            let (offsets, items) = scattered_items(values.offsets(), rows);
            let items = taken(values.values(), &items)?;
            Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, taken_nulls(values.nulls(), rows))?)
        }
        DataType::Struct(_) => Arc::new(taken_members(values.as_struct(), rows)?),
        _ => take(values, rows, None)?,
    })
}

fn taken_members(values: &StructArray, rows: &UInt32Array) -> Result<StructArray, LakeError> {
    let members = values.columns().iter().map(|member| taken(member, rows)).collect::<Result<Vec<_>, _>>()?;
    Ok(StructArray::try_new(values.fields().clone(), members, taken_nulls(values.nulls(), rows))?)
}

fn taken_nulls(nulls: Option<&NullBuffer>, rows: &UInt32Array) -> Option<NullBuffer> {
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0)?;
    Some(rows.values().iter().map(|row| nulls.is_valid(*row as usize)).collect())
}

/// The offsets of the lists at `rows`, and the positions of their items.
fn scattered_items(offsets: &OffsetBuffer<i32>, rows: &UInt32Array) -> (OffsetBuffer<i32>, UInt32Array) {
    let lengths = rows.values().iter().map(|row| (offsets[*row as usize + 1] - offsets[*row as usize]) as usize);
    let of_rows = OffsetBuffer::from_lengths(lengths);
    let mut items = Vec::with_capacity(of_rows[rows.len()] as usize);
    for row in rows.values() {
        items.extend(offsets[*row as usize] as u32..offsets[*row as usize + 1] as u32);
    }
    (of_rows, items.into())
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Int64Array, Int64Builder, ListBuilder, MapBuilder, NullArray, StringArray, StringBuilder, StructBuilder,
    };
    use tracewell_model::schema::TRACES;

    use super::*;
    use crate::schema::ref_fields;

    fn maps() -> ArrayRef {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in 0..5 {
            for entry in 0..row {
                maps.keys().append_value(format!("k{entry}"));
                maps.values().append_option((entry != 2).then(|| format!("{row}.{entry}")));
            }
            maps.append(row != 3).unwrap();
        }
        Arc::new(maps.finish())
    }

    fn lists() -> ArrayRef {
        let field = Field::new("element", DataType::Struct(ref_fields()), false);
        let mut lists = ListBuilder::new(StructBuilder::from_fields(ref_fields(), 0)).with_field(field);
        for row in 0..5 {
            for item in 0..row % 3 {
                let of = lists.values();
                for text in [0, 3, 4] {
                    of.field_builder::<StringBuilder>(text).unwrap().append_value(format!("{row}.{item}"));
                }
                of.field_builder::<StringBuilder>(1).unwrap().append_option((item > 0).then_some("user"));
                of.field_builder::<Int64Builder>(2).unwrap().append_value(item);
                of.append(true);
            }
            lists.append(row != 0);
        }
        Arc::new(lists.finish())
    }

    #[test]
    fn a_key_that_begins_with_text_orders_too() {
        let column = |column: &Column| -> (&str, ArrayRef) {
            let values: ArrayRef = match column.name {
                "trace_id" => Arc::new(StringArray::from(vec!["b", "a", "b"])),
                "start_unix_nano" => Arc::new(Int64Array::from(vec![2, 3, 1])),
                _ => Arc::new(NullArray::new(3)),
            };
            (column.name, values)
        };
        let rows = RecordBatch::try_from_iter(TRACES.columns[1..].iter().map(column)).unwrap();
        assert_eq!(order(&TRACES, &[rows]).unwrap(), Some(vec![1, 2, 0]));
    }

    #[test]
    fn nested_values_are_taken_as_arrow_takes_them() {
        for values in [maps(), lists(), maps().slice(1, 4), lists().slice(1, 4)] {
            let rows = UInt32Array::from(vec![3, 0, 0, 2, 1, 3]);
            assert_eq!(&taken(&values, &rows).unwrap(), &take(&values, &rows, None).unwrap());
        }
    }
}
