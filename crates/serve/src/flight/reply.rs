//! How calls are answered: where rows can be had, rows, and what went wrong.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::Any;
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, Ticket};
use futures::{Stream, StreamExt, TryStreamExt};
use prost::Message;
use tonic::{Response, Status};
use tracewell_query::{QueryError, Rows};

type Data = Pin<Box<dyn Stream<Item = Result<arrow_flight::FlightData, Status>> + Send>>;

/// Where the rows of `schema` can be had: here, for `ticket`.
pub(super) fn info(
    schema: &SchemaRef,
    ticket: Any,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let ticket = Ticket { ticket: ticket.encode_to_vec().into() };
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(internal)?
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_descriptor(descriptor);
    Ok(Response::new(info))
}

pub(super) fn ipc(schema: &SchemaRef) -> Result<bytes::Bytes, Status> {
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &Default::default()).try_into().map_err(internal)?;
    Ok(bytes)
}

/// Rows as they come, with the types that were announced: a value may give a text another one than no value did.
pub(super) fn stream(schema: SchemaRef, rows: Rows) -> Response<Data> {
    let announced = Arc::clone(&schema);
    let batches = rows.map(move |batch| {
        let batch = batch.map_err(|error| FlightError::Tonic(Box::new(status(&error))))?;
        let columns = batch.columns().iter().zip(announced.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()));
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&announced), columns.collect::<Result<_, _>>()?, &rows)?)
    });
    let data = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Response::new(data.map_err(Status::from).boxed())
}

pub(super) fn one(batch: RecordBatch) -> Response<Data> {
    let schema = batch.schema();
    let batches = futures::stream::iter([Ok(batch)]);
    let data = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Response::new(data.map_err(Status::from).boxed())
}

pub(super) fn read_only() -> Status {
    Status::permission_denied("Tracewell answers queries; nothing can be changed by SQL")
}

pub(super) fn internal(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

pub(super) fn status(error: &QueryError) -> Status {
    let message = error.to_string();
    match error {
        QueryError::Sql(_) => Status::invalid_argument(message),
        QueryError::Storage(_) => Status::unavailable(message),
        QueryError::Timeout(_) => Status::deadline_exceeded(message),
        QueryError::Memory(_) | QueryError::TooLarge(_) => Status::resource_exhausted(message),
        _ => Status::internal(message),
    }
}
