//! Prepared statements: kept by a handle until they are closed or long unused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::ipc::root_as_message;
use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};
use tonic::Status;
use tracewell_query::Prepared;

/// Statements that are kept for all clients together.
const MOST: usize = 10_000;
/// One that is unused for so long may be forgotten for another's sake.
const IDLE: Duration = Duration::from_secs(3600);
/// Bytes that the values of one statement may take.
const MOST_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<Bytes, Statement>>);

struct Statement {
    prepared: Prepared,
    values: Vec<ScalarValue>,
    used: Instant,
}

impl Kept {
    /// Keeps a statement; its handle cannot be guessed.
    pub(super) fn keep(&self, prepared: Prepared) -> Result<Bytes, Status> {
        let mut handle = [0; 16];
        SystemRandom::new().fill(&mut handle).map_err(|_| Status::internal("there is no random number"))?;
        let handle = Bytes::copy_from_slice(&handle);
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.retain(|_, statement| statement.used.elapsed() < IDLE);
        }
        if all.len() >= MOST {
            let message = format!("{MOST} prepared statements are kept, and no more; close those no longer needed");
            return Err(Status::resource_exhausted(message));
        }
        all.insert(handle.clone(), Statement { prepared, values: Vec::new(), used: Instant::now() });
        Ok(handle)
    }

    pub(super) fn forget(&self, handle: &Bytes) {
        self.0.lock().remove(handle);
    }

    /// A statement and the values of its parameters.
    pub(super) fn get(&self, handle: &Bytes) -> Result<(Prepared, Vec<ScalarValue>), Status> {
        let mut all = self.0.lock();
        let statement = all.get_mut(handle).ok_or_else(unknown)?;
        statement.used = Instant::now();
        Ok((statement.prepared.clone(), statement.values.clone()))
    }

    /// Gives the parameters of a statement the values of the only row of `batches`.
    pub(super) fn bind(&self, handle: &Bytes, batches: &[RecordBatch]) -> Result<(), Status> {
        let mut with_rows = batches.iter().filter(|batch| batch.num_rows() > 0);
        let (Some(batch), None) = (with_rows.next(), with_rows.next()) else { return Err(one_row()) };
        if batch.num_rows() != 1 {
            return Err(one_row());
        }
        let mut all = self.0.lock();
        let statement = all.get_mut(handle).ok_or_else(unknown)?;
        // Columns may be in any order when they are called as the parameters are.
        let parameters = statement.prepared.parameters();
        let named: Option<Vec<_>> = parameters.iter().map(|parameter| batch.column_by_name(&parameter.name)).collect();
        let columns = match named {
            Some(named) if named.len() == batch.num_columns() => named,
            _ => batch.columns().iter().collect(),
        };
        let values = columns.into_iter().map(|column| ScalarValue::try_from_array(column, 0));
        let values = values.collect::<Result<_, _>>().map_err(super::internal)?;
        (statement.values, statement.used) = (values, Instant::now());
        Ok(())
    }
}

/// Parameters as they come, refused before they are read when they are many bytes or would become many.
pub(super) fn small(
    data: impl Stream<Item = Result<FlightData, Status>>,
) -> impl Stream<Item = Result<FlightData, FlightError>> {
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

pub(super) fn unreadable(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        error => Status::invalid_argument(format!("the parameters cannot be read: {error}")),
    }
}

/// The parameters of a statement as columns.
pub(super) fn parameter_schema(prepared: &Prepared) -> SchemaRef {
    let field = |parameter: &tracewell_query::Parameter| Field::new(&parameter.name, parameter.data_type.clone(), true);
    Arc::new(Schema::new(prepared.parameters().iter().map(field).collect::<Vec<_>>()))
}

fn unknown() -> Status {
    Status::not_found("there is no such prepared statement; it may have been closed, or unused for an hour")
}

fn one_row() -> Status {
    Status::invalid_argument("the parameters of a query are one row of values")
}
