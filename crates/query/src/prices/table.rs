//! The table `prices`: every row of every snapshot, read when it is asked for.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use tracewell_lake::Location;
use tracewell_lake::schema::scan_field;
use tracewell_model::schema::PRICES;

use super::books::{self, Recorded};

/// The columns that a snapshot has in its name, and not in its rows.
const OF_NAME: usize = 2;

/// The snapshots beside the tables, as a table that can only be read.
#[derive(Debug)]
pub(crate) struct PriceBooks {
    location: Location,
    schema: SchemaRef,
}

impl PriceBooks {
    pub(crate) fn new(location: Location) -> Self {
        Self { location, schema: Arc::new(Schema::new(PRICES.columns.iter().map(scan_field).collect::<Vec<_>>())) }
    }

    /// Rows of one snapshot with what its name says.
    fn rows(&self, book: &Recorded, batch: &RecordBatch) -> Result<RecordBatch> {
        let since = NaiveDateTime::parse_from_str(&book.since, books::TIME)
            .map_err(|error| DataFusionError::Execution(format!("prices of `{}`: {error}", book.since)))?;
        let since = TimestampMicrosecondArray::from_value(since.and_utc().timestamp_micros(), batch.num_rows());
        let version = StringArray::from_iter_values(std::iter::repeat_n(&book.version, batch.num_rows()));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(since.with_timezone("UTC")), Arc::new(version)];
        for column in &PRICES.columns[OF_NAME..] {
            columns.push(Arc::clone(batch.column(batch.schema().index_of(column.name)?)));
        }
        let kinds = self.schema.fields().iter().map(|field| field.data_type());
        let columns =
            columns.iter().zip(kinds).map(|(column, kind)| cast(column, kind)).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

#[async_trait]
impl TableProvider for PriceBooks {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut rows = Vec::new();
        for (book, batches) in books::all(&self.location).await? {
            for batch in &batches {
                rows.push(self.rows(&book, batch)?);
            }
        }
        MemTable::try_new(Arc::clone(&self.schema), vec![rows])?.scan(session, projection, filters, limit).await
    }
}
