//! A fact table to DataFusion: a plain Parquet scan over the snapshot, united with the fresh rows.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Date32Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use tracewell_lake::scan::{self, ScanRequest};
use tracewell_lake::schema::table_schema;
use tracewell_model::time::Day;

use crate::view::TableView;

/// One fact table as one query sees it. It has no way to insert: read-only by construction.
#[derive(Debug)]
pub(crate) struct FactProvider {
    view: TableView,
    store: ObjectStoreUrl,
    schema: SchemaRef,
}

impl FactProvider {
    pub(crate) fn new(view: TableView, store: ObjectStoreUrl) -> Self {
        let schema = table_schema(view.table.table());
        Self { view, store, schema }
    }

    /// The fresh rows with the wanted columns, in the types the scan gives.
    fn fresh(&self, projection: Option<&Vec<usize>>) -> Result<Vec<RecordBatch>> {
        let all: Vec<usize>;
        let wanted = match projection {
            Some(projection) => projection,
            None => {
                all = (0..self.schema.fields().len()).collect();
                &all
            }
        };
        let schema = Arc::new(self.schema.project(wanted)?);
        let convert = |day: Day, rows: &RecordBatch| -> Result<RecordBatch> {
            let columns = wanted.iter().map(|&position| -> Result<ArrayRef> {
                match rows.columns().get(position) {
                    Some(column) => Ok(cast(column, self.schema.field(position).data_type())?),
                    // The partition stands behind the file's columns.
                    None => Ok(Arc::new(Date32Array::from_value(day.0, rows.num_rows()))),
                }
            });
            let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?)
        };
        self.view.fresh.iter().map(|(day, rows)| convert(*day, rows)).collect()
    }
}

#[async_trait]
impl TableProvider for FactProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Inexact: files, row groups and pages are left out by statistics; the rows are filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let predicate = conjunction(filters.to_vec())
            .map(|filter| session.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&self.schema))?))
            .transpose()?;
        let request = ScanRequest {
            projection: projection.cloned(),
            predicate,
            limit,
            partitions: session.config().target_partitions(),
            pushdown: is_lookup(filters),
        };
        let stored = scan::plan(self.view.table.table(), &self.view.files, &self.store, &request)?;
        let fresh = self.fresh(projection)?;
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => Arc::clone(&self.schema),
        };
        let fresh = if fresh.is_empty() {
            None
        } else {
            Some(MemorySourceConfig::try_new_exec(&[fresh], Arc::clone(&schema), None)? as Arc<dyn ExecutionPlan>)
        };
        Ok(match (stored, fresh) {
            (Some(stored), Some(fresh)) => UnionExec::try_new(vec![stored, fresh])?,
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Arc::new(EmptyExec::new(schema)),
        })
    }
}

/// Whether the filters ask for few rows by an id: then decoding them first pays.
fn is_lookup(filters: &[Expr]) -> bool {
    const IDS: &[&str] = &["trace_id", "span_id", "hash", "conversation_id", "response_id"];
    filters.iter().any(|filter| match filter {
        Expr::BinaryExpr(binary) => {
            binary.op == datafusion::logical_expr::Operator::Eq
                && [&binary.left, &binary.right]
                    .iter()
                    .any(|side| matches!(side.as_ref(), Expr::Column(column) if IDS.contains(&column.name.as_str())))
        }
        _ => false,
    })
}
