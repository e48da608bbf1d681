//! Tables that an older version made: which columns they lack, and how they get them.
//!
//! A column that may be NULL can come later: older files do not hold it, and readers find NULL. A writer adds it to the
//! table when it opens it, so that every Delta reader knows it; who only reads does without.

use std::collections::HashSet;

use deltalake_core::kernel::StructField;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableError};
use tracewell_model::schema::{Column, Table};

use crate::LakeError;
use crate::schema::delta_field;

/// The columns of `table` that it lacks as stored. Refuses what plain Parquet scans would misread, and tables without a
/// column that must hold something.
pub(crate) fn lacking(table: &'static Table, state: &DeltaTableState) -> Result<Vec<&'static Column>, LakeError> {
    let configuration = state.metadata().configuration();
    for (key, harmless) in [("delta.enableDeletionVectors", "false"), ("delta.columnMapping.mode", "none")] {
        if let Some(value) = configuration.get(key).filter(|value| value.as_str() != harmless) {
            return Err(LakeError::Unsupported { table: table.name, feature: format!("{key}={value}") });
        }
    }
    let stored = state.schema();
    let names: HashSet<&str> = stored.fields().map(|field| field.name().as_str()).collect();
    let lacking: Vec<&Column> = table.columns.iter().filter(|column| !names.contains(column.name)).collect();
    match lacking.iter().find(|column| !column.nullable) {
        Some(missing) => Err(LakeError::Schema {
            table: table.name,
            reason: format!("column `{}` is missing, and rows without it mean nothing", missing.name),
        }),
        None => Ok(lacking),
    }
}

/// Adds columns to the table as stored; `stored` is at its newest version afterwards.
pub(crate) async fn add(
    table: &'static Table,
    stored: &mut DeltaTable,
    columns: &[&'static Column],
) -> Result<(), LakeError> {
    let delta = LakeError::delta(table.name);
    let fields = columns.iter().map(|column| (&delta_field(column)).try_into_kernel());
    let fields: Vec<StructField> = fields.collect::<Result<_, _>>().map_err(DeltaTableError::from).map_err(&delta)?;
    let added = stored.clone().add_columns().with_fields(fields).await;
    stored.load().await.map_err(&delta)?;
    match added {
        // Another process may have been first.
        Err(error) if !lacking(table, stored.snapshot().map_err(&delta)?)?.is_empty() => Err(delta(error)),
        _ => Ok(()),
    }
}
