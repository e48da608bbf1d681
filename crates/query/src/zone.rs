//! Times in the time zone of a session.
//!
//! The tables hold times in UTC, and a time without a zone that is compared with a column is of the column's zone. So
//! a session in another zone gets columns of that zone: literals, `date_trunc`, `extract` and what is shown then agree.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast};
use datafusion::prelude::{SessionContext, ident};

/// Whether a zone is the one of the tables.
pub(crate) fn is_utc(zone: &str) -> bool {
    ["utc", "etc/utc", "gmt", "z", "+00:00"].iter().any(|name| name.eq_ignore_ascii_case(zone))
}

/// Gives the tables and views of `context` times in `zone`.
pub(crate) async fn show_times_in(context: &SessionContext, zone: &str) -> Result<()> {
    let schema = context.catalog("tracewell").and_then(|catalog| catalog.schema("public"));
    let schema = schema.ok_or_else(|| internal_datafusion_err!("a context has its default schema"))?;
    for name in schema.table_names() {
        let table = context.table_provider(name.as_str()).await?;
        let columns = table.schema();
        let is_time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(_, Some(_)));
        if !columns.fields().iter().any(|field| is_time(field.data_type())) {
            continue;
        }
        let shown = columns.fields().iter().map(|field| -> Expr {
            let column = ident(field.name().as_str());
            match field.data_type() {
                DataType::Timestamp(unit, Some(_)) => {
                    cast(column, DataType::Timestamp(*unit, Some(zone.into()))).alias(field.name())
                }
                _ => column,
            }
        });
        let plan = LogicalPlanBuilder::scan(name.as_str(), provider_as_source(table), None)?.project(shown)?.build()?;
        context.deregister_table(name.as_str())?;
        context.register_table(name.as_str(), Arc::new(ViewTable::new(plan, None)))?;
    }
    Ok(())
}
