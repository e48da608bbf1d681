//! Rows without the bytes of other rows.
//!
//! A text column points into buffers, and a slice, a filter or a sort keeps all of them: a batch of few rows can hold
//! the text of a whole table. Whoever counts its memory counts that, and Arrow's stream format sends it: 33 batches of
//! a sort over 270,000 rows came to gigabytes.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ByteView, GenericByteViewArray, RecordBatch, RecordBatchOptions,
};
use datafusion::arrow::datatypes::{BinaryViewType, ByteViewType, DataType, StringViewType};

/// Buffers may be this much larger than the text in use.
const SLACK: usize = 2;
/// Buffers smaller than this stay as they are.
const SMALL: usize = 64 << 10;

/// The same rows, with the text of no others.
pub(crate) fn compact(batch: RecordBatch) -> RecordBatch {
    if !batch.columns().iter().any(|column| is_view(column.data_type())) {
        return batch;
    }
    let columns = batch.columns().iter().map(compact_column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).unwrap_or(batch)
}

fn is_view(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8View | DataType::BinaryView)
}

fn compact_column(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => compact_views(column.as_byte_view::<StringViewType>(), column),
        DataType::BinaryView => compact_views(column.as_byte_view::<BinaryViewType>(), column),
        _ => Arc::clone(column),
    }
}

fn compact_views<T: ByteViewType>(views: &GenericByteViewArray<T>, column: &ArrayRef) -> ArrayRef {
    let held: usize = views.data_buffers().iter().map(|buffer| buffer.len()).sum();
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

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::StringViewArray;

    use super::*;

    fn rows(of: usize) -> RecordBatch {
        let text: StringViewArray =
            (0..of).map(|row| Some(format!("a text of more than twelve bytes {row}"))).collect();
        RecordBatch::try_from_iter([("text", Arc::new(text) as ArrayRef)]).expect("one column")
    }

    fn held(batch: &RecordBatch) -> usize {
        batch.column(0).as_string_view().data_buffers().iter().map(|buffer| buffer.len()).sum()
    }

    #[test]
    fn a_slice_keeps_its_own_text_only() {
        let whole = rows(10_000);
        let slice = compact(whole.slice(5_000, 10));
        assert_eq!(slice, whole.slice(5_000, 10));
        assert!(held(&slice) < 1_000, "{}", held(&slice));
    }

    #[test]
    fn what_is_in_use_is_not_copied() {
        let whole = rows(10_000);
        let same = compact(whole.clone());
        assert!(Arc::ptr_eq(whole.column(0), same.column(0)));
    }
}
