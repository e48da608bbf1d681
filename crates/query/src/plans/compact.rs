//! Rows without the bytes of other rows.
//!
//! A text column points into buffers, and a slice, a filter or a sort keeps all of them: a batch of few rows can hold
//! the text of a whole table. Whoever counts its memory counts that, and Arrow's stream format sends it: 33 batches of
//! a sort over 270,000 rows came to gigabytes. And a batch of long texts can be more than a sort may have at all.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ByteView, GenericByteViewArray, ListArray, MapArray, RecordBatch, RecordBatchOptions,
    StructArray, UInt64Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::{BinaryViewType, ByteViewType, DataType, StringViewType};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::{TryStreamExt, stream};

use crate::limits::memory;
use crate::plans::pieces::pieces;
use crate::plans::through::{Each, through};

/// Buffers may be this much larger than the text in use.
const SLACK: usize = 2;
/// Buffers smaller than this stay as they are.
const SMALL: usize = 64 << 10;
/// A batch that is kept may be so small a part of the memory of its query: a dozen sorts share that, and each takes
/// twice what it keeps.
const PARTS: usize = 128;

/// Compacts what a plan keeps in memory: the rows of a sort, those of a join that the others are looked up in, and
/// those that a recursive query goes on with.
pub(crate) const COMPACTING: Each = Each { name: "compacting", change: compacting };

fn compacting(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let kept = if plan.is::<SortExec>() || plan.is::<HashJoinExec>() {
        1
    } else if plan.is::<RecursiveQueryExec>() {
        2
    } else {
        return Ok(plan);
    };
    through(plan, "Compact", compacted, |place, rows| {
        place < kept && rows.schema().fields().iter().any(|field| has_text(field.data_type()))
    })
}

/// The same rows, with the text of no others.
pub(crate) fn compact(batch: RecordBatch) -> RecordBatch {
    if !batch.columns().iter().any(|column| has_text(column.data_type())) {
        return batch;
    }
    let columns = batch.columns().iter().map(compact_column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).unwrap_or(batch)
}

fn has_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => true,
        DataType::List(item) | DataType::Map(item, _) => has_text(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_text(field.data_type())),
        _ => false,
    }
}

fn compact_column(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => compact_views(column.as_byte_view::<StringViewType>(), column),
        DataType::BinaryView => compact_views(column.as_byte_view::<BinaryViewType>(), column),
        DataType::List(item) if has_text(item.data_type()) => {
            let list = column.as_list::<i32>();
            let (offsets, values) = members(list.offsets(), list.values());
            Arc::new(ListArray::new(Arc::clone(item), offsets, values, list.nulls().cloned()))
        }
        DataType::Map(item, sorted) if has_text(item.data_type()) => {
            let map = column.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let (offsets, entries) = members(map.offsets(), &entries);
            let entries = entries.as_struct().clone();
            Arc::new(MapArray::new(Arc::clone(item), offsets, entries, map.nulls().cloned(), *sorted))
        }
        DataType::Struct(fields) if has_text(column.data_type()) => {
            let row = column.as_struct();
            let columns = row.columns().iter().map(compact_column).collect();
            Arc::new(StructArray::new(fields.clone(), columns, row.nulls().cloned()))
        }
        _ => Arc::clone(column),
    }
}

/// The members of lists, without those of other lists.
fn members(offsets: &OffsetBuffer<i32>, values: &ArrayRef) -> (OffsetBuffer<i32>, ArrayRef) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let lengths = OffsetBuffer::from_lengths(offsets.lengths());
    let length = |of: i32| usize::try_from(of).unwrap_or_default();
    (lengths, compact_column(&values.slice(length(first), length(last - first))))
}

fn compact_views<T: ByteViewType>(views: &GenericByteViewArray<T>, column: &ArrayRef) -> ArrayRef {
    // Whoever puts texts together makes room for more than come.
    let held: usize = views.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
    if held <= SMALL || held <= SLACK * used(views) { Arc::clone(column) } else { Arc::new(views.gc()) }
}

/// Bytes in buffers that the rows use. Short text is in the view itself.
fn used<T: ByteViewType>(views: &GenericByteViewArray<T>) -> usize {
    let long = |view: &u128| {
        let length = ByteView::from(*view).length as usize;
        if length > 12 { length } else { 0 }
    };
    views.views().iter().map(long).sum()
}

/// Rows as they come, each batch compacted, and in parts where it is large.
fn compacted(rows: SendableRecordBatchStream, context: Arc<TaskContext>) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let most = memory::limit(&context.runtime_env()).map_or(usize::MAX, |bytes| bytes / PARTS);
    let parts = rows.map_ok(move |batch| stream::iter(parts(&batch, most))).try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, parts))
}

/// A batch in parts of about `most` bytes, none of which holds the memory of another.
fn parts(batch: &RecordBatch, most: usize) -> impl Iterator<Item = Result<RecordBatch>> + use<> {
    let rows = batch.num_rows();
    pieces(batch, most).map(move |piece| {
        if piece.num_rows() == rows {
            return Ok(compact(piece));
        }
        let all = UInt64Array::from_iter_values(0..piece.num_rows() as u64);
        Ok(compact(take_record_batch(&piece, &all)?))
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::StringViewArray;
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::Field;

    use super::*;

    fn rows(of: usize) -> RecordBatch {
        let text: StringViewArray =
            (0..of).map(|row| Some(format!("a text of more than twelve bytes {row}"))).collect();
        RecordBatch::try_from_iter([("text", Arc::new(text) as ArrayRef)]).expect("one column")
    }

    fn held(batch: &RecordBatch) -> usize {
        batch.column(0).as_string_view().data_buffers().iter().map(|buffer| buffer.capacity()).sum()
    }

    #[test]
    fn a_slice_keeps_its_own_text_only() {
        let whole = rows(10_000);
        let slice = compact(whole.slice(5_000, 10));
        assert_eq!(slice, whole.slice(5_000, 10));
        assert!(held(&slice) < 1_000, "{}", held(&slice));
    }

    #[test]
    fn so_does_text_within_lists() {
        let text = rows(10_000).column(0).clone();
        let member = Arc::new(Field::new("text", DataType::Utf8View, true));
        let members: ArrayRef = Arc::new(StructArray::from(vec![(member, text)]));
        let item = Arc::new(Field::new("item", members.data_type().clone(), true));
        let list = ListArray::new(item, OffsetBuffer::from_lengths([2; 5_000]), members, None);
        let whole = RecordBatch::try_from_iter([("list", Arc::new(list) as ArrayRef)]).expect("one column");
        let slice = compact(whole.slice(2_500, 5));
        assert_eq!(slice, whole.slice(2_500, 5));
        let values = slice.column(0).as_list::<i32>().values().as_struct().column(0).clone();
        let held = values.as_string_view().data_buffers().iter().map(|buffer| buffer.capacity()).sum::<usize>();
        assert!(held < 1_000, "{held}");
    }

    #[test]
    fn a_batch_of_long_texts_comes_in_parts_with_memory_of_their_own() {
        const LONG: usize = 64 << 10;
        let texts: StringViewArray = (0..8).map(|row| Some(row.to_string().repeat(LONG))).collect();
        let numbers = UInt64Array::from_iter_values(0..8);
        let columns = [("text", Arc::new(texts) as ArrayRef), ("number", Arc::new(numbers) as ArrayRef)];
        let whole = RecordBatch::try_from_iter(columns).expect("two columns");
        let parts: Vec<_> = parts(&whole, 3 * LONG).collect::<Result<_>>().expect("it can be cut");
        assert_eq!(parts.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [2; 4]);
        assert!(parts.iter().all(|part| part.get_array_memory_size() < 3 * LONG));
        assert_eq!(concat_batches(&whole.schema(), &parts).expect("they are of one schema"), whole);
    }

    #[test]
    fn what_is_in_use_is_not_copied() {
        let whole = rows(10_000);
        let same = compact(whole.clone());
        assert!(Arc::ptr_eq(whole.column(0), same.column(0)));
    }
}
