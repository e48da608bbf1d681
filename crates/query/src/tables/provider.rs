//! A fact table to DataFusion: a plain Parquet scan over the snapshot, united with the fresh rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use tracewell_lake::scan::{self, ScanRequest, Store};
use tracewell_lake::schema::table_schema;
use tracewell_model::time::Day;

use crate::tables::filters::{is_lookup, physical_predicate, projected};
use crate::tables::fresh;
use crate::tables::view::TableView;

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
