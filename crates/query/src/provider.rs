//! A fact table to DataFusion: a plain Parquet scan over the snapshot, united with the fresh rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{ColumnarValue, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use tracewell_lake::scan::{self, ScanRequest, Store};
use tracewell_lake::schema::table_schema;
use tracewell_model::time::Day;

use crate::fresh;
use crate::view::TableView;

/// One fact table as one query sees it. It has no way to insert: read-only by construction.
#[derive(Clone, Debug)]
pub(crate) struct FactProvider {
    view: TableView,
    store: Store,
    schema: SchemaRef,
}

impl FactProvider {
    pub(crate) fn new(view: TableView, store: Store) -> Self {
        let schema = table_schema(view.table.table());
        Self { view, store, schema }
    }

    /// What there is of `days`.
    pub(crate) fn of(&self, days: &BTreeSet<Day>) -> Self {
        Self { view: self.view.of(days), ..self.clone() }
    }

    /// A plan of the rows that may satisfy what `request` asks for.
    pub(crate) async fn plan(&self, request: &ScanRequest) -> Result<Arc<dyn ExecutionPlan>> {
        let (projection, partitions) = (request.projection.as_ref(), request.partitions);
        let stored = scan::plan(self.view.table.table(), &self.view.files, &self.store, request).await?;
        let fresh = fresh::plan(&self.view.fresh, &self.schema, projection, partitions)?;
        Ok(match (stored, fresh) {
            (Some(stored), Some(fresh)) => UnionExec::try_new(vec![stored, fresh])?,
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Arc::new(EmptyExec::new(projected(&self.schema, projection)?)),
        })
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
        let predicate = physical_predicate(session, filters, &self.schema)?;
        let request = ScanRequest {
            projection: projection.cloned(),
            predicate,
            limit,
            partitions: session.config().target_partitions(),
            pushdown: is_lookup(filters),
        };
        self.plan(&request).await
    }
}

/// All of `filters` together, over rows of `schema`; `None` where there is none.
pub(crate) fn physical_predicate(
    session: &dyn Session,
    filters: &[Expr],
    schema: &SchemaRef,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    conjunction(filters.to_vec())
        .map(|filter| session.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(schema))?))
        .transpose()
}

/// The value of an expression that reads no column; `None` where it has none.
pub(crate) fn constant(expression: &dyn PhysicalExpr) -> Option<ScalarValue> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).ok()?;
    match expression.evaluate(&row).ok()? {
        ColumnarValue::Scalar(value) => Some(value),
        ColumnarValue::Array(_) => None,
    }
}

/// The columns that a scan is asked for.
pub(crate) fn projected(schema: &SchemaRef, projection: Option<&Vec<usize>>) -> Result<SchemaRef> {
    Ok(match projection {
        Some(columns) => Arc::new(schema.project(columns)?),
        None => Arc::clone(schema),
    })
}

/// Whether it is a column of ids.
pub(crate) fn is_id(expression: &Expr) -> bool {
    const IDS: &[&str] = &["trace_id", "span_id", "hash", "conversation_id", "response_id"];
    matches!(expression, Expr::Column(column) if IDS.contains(&column.name.as_str()))
}

/// Whether the filters ask for few rows, by an id or by some, or for calls that several spans tell of: then decoding what
/// they look at first pays.
pub(crate) fn is_lookup(filters: &[Expr]) -> bool {
    let counts_duplicates = |side: &Expr| matches!(side, Expr::Column(column) if column.name == "duplicate_spans");
    filters.iter().any(|filter| match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::Eq => is_id(&binary.left) || is_id(&binary.right),
            Operator::Gt => counts_duplicates(&binary.left),
            _ => false,
        },
        Expr::InList(list) => !list.negated && is_id(&list.expr),
        _ => false,
    })
}
