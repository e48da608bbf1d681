//! Parameters of a prepared statement of Arrow Flight SQL: one row of columns, as an Arrow stream.

use std::panic::AssertUnwindSafe;

use arrow::array::RecordBatch;
use arrow::ipc::root_as_message;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use datafusion_common::ScalarValue;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use tonic::Status;

/// Bytes that the values of one statement may take.
const MOST_BYTES: usize = 16 << 20;

/// Reads the only row of parameters.
///
/// # Errors
/// When there is not one row, or too much of it.
pub async fn row(data: impl Stream<Item = Result<FlightData, Status>> + Send + 'static) -> Result<RecordBatch, Status> {
    let batches = FlightRecordBatchStream::new_from_flight_data(small(data));
    // Arrow's reader panics where lengths within a message contradict each other.
    let batches = AssertUnwindSafe(batches.try_collect::<Vec<RecordBatch>>()).catch_unwind().await;
    let contradiction =
        |_| Status::invalid_argument("the parameters cannot be read: their lengths contradict each other");
    let batches = batches.map_err(contradiction)?.map_err(unreadable)?;
    let mut with_rows = batches.into_iter().filter(|batch| batch.num_rows() > 0);
    match (with_rows.next(), with_rows.next()) {
        (Some(batch), None) if batch.num_rows() == 1 => Ok(batch),
        _ => Err(Status::invalid_argument("the parameters of a query are one row of values")),
    }
}

/// The values of the parameters called `names`. Columns may be in any order when they are called as the parameters are.
///
/// # Errors
/// When a column is of a type that has no values.
pub fn values<'a>(
    row: &RecordBatch,
    names: impl IntoIterator<Item = &'a str>,
) -> datafusion_common::Result<Vec<ScalarValue>> {
    let named: Option<Vec<_>> = names.into_iter().map(|name| row.column_by_name(name)).collect();
    let columns = match named {
        Some(named) if named.len() == row.num_columns() => named,
        _ => row.columns().iter().collect(),
    };
    columns.into_iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
}

/// Parameters as they come, refused before they are read when they are many bytes or would become many.
fn small(data: impl Stream<Item = Result<FlightData, Status>>) -> impl Stream<Item = Result<FlightData, FlightError>> {
    let mut bytes = 0;
    data.map(move |data| {
        let data = data.map_err(|status| FlightError::Tonic(Box::new(status)))?;
        bytes += data.data_body.len();
        let too_large = format!("the parameters take more than {} MiB", MOST_BYTES >> 20);
        let wrong = |message: String| FlightError::Tonic(Box::new(Status::invalid_argument(message)));
        match bytes {
            bytes if bytes > MOST_BYTES => Err(wrong(too_large)),
            _ if is_compressed(&data) => Err(wrong("the parameters are compressed; send them as they are".into())),
            _ => Ok(data),
        }
    })
}

fn is_compressed(data: &FlightData) -> bool {
    let Ok(message) = root_as_message(&data.data_header) else { return false };
    let rows = message.header_as_record_batch();
    let rows = rows.or_else(|| message.header_as_dictionary_batch().and_then(|batch| batch.data()));
    rows.is_some_and(|rows| rows.compression().is_some())
}

fn unreadable(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        error => Status::invalid_argument(format!("the parameters cannot be read: {error}")),
    }
}
