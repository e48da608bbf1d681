//! Prepared statements: kept by a handle until they are closed or long unused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};
use tonic::Status;
use tracewell_query::Prepared;
use tracewell_requests::flight::values;

/// Statements that are kept for all clients together.
const MOST: usize = 10_000;
/// Bytes of the values of their parameters.
const MOST_BYTES: usize = 256 << 20;
/// One that is unused for so long may be forgotten for another's sake.
const IDLE: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<Bytes, Statement>>);

fn forget_idle(all: &mut HashMap<Bytes, Statement>) {
    all.retain(|_, statement| statement.used.elapsed() < IDLE);
}

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
            forget_idle(&mut all);
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

    /// Gives the parameters of a statement the values of `row`.
    pub(super) fn bind(&self, handle: &Bytes, row: &RecordBatch) -> Result<(), Status> {
        let mut all = self.0.lock();
        let statement = all.get_mut(handle).ok_or_else(unknown)?;
        let names = statement.prepared.parameters().iter().map(|parameter| parameter.name.as_str());
        let values = values(row, names).map_err(super::reply::internal)?;
        (statement.values, statement.used) = (Vec::new(), Instant::now());
        let bytes = bytes(&values);
        let fits = |all: &HashMap<Bytes, Statement>| {
            all.values().map(|statement| self::bytes(&statement.values)).sum::<usize>() + bytes <= MOST_BYTES
        };
        if !fits(&all) {
            forget_idle(&mut all);
        }
        if !fits(&all) {
            let message = format!(
                "values of prepared statements take {MOST_BYTES} bytes, and no more are kept; close statements no longer needed"
            );
            return Err(Status::resource_exhausted(message));
        }
        all.get_mut(handle).ok_or_else(unknown)?.values = values;
        Ok(())
    }
}

fn bytes(values: &[ScalarValue]) -> usize {
    values.iter().map(ScalarValue::size).sum()
}

/// The parameters of a statement as columns.
pub(super) fn parameter_schema(prepared: &Prepared) -> SchemaRef {
    let field = |parameter: &tracewell_query::Parameter| Field::new(&parameter.name, parameter.data_type.clone(), true);
    Arc::new(Schema::new(prepared.parameters().iter().map(field).collect::<Vec<_>>()))
}

fn unknown() -> Status {
    Status::not_found("there is no such prepared statement; it may have been closed, or unused for an hour")
}
