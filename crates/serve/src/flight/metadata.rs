//! What there is to ask, as drivers want it listed.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::{CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTables, SqlInfo};
use tonic::Status;
use tracewell_query::Relation;

use super::reply::internal;

const CATALOG: &str = "tracewell";
const SCHEMA: &str = "public";
const TABLE: &str = "TABLE";
const VIEW: &str = "VIEW";

pub(super) struct Metadata {
    relations: Vec<Relation>,
    sql_info: SqlInfoData,
}

impl Metadata {
    pub(super) fn new(relations: Vec<Relation>) -> Result<Self, FlightError> {
        let mut infos = SqlInfoDataBuilder::new();
        infos.append(SqlInfo::FlightSqlServerName, "Tracewell");
        infos.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
        infos.append(SqlInfo::FlightSqlServerReadOnly, true);
        infos.append(SqlInfo::FlightSqlServerSql, true);
        infos.append(SqlInfo::FlightSqlServerSubstrait, false);
        infos.append(SqlInfo::FlightSqlServerTransaction, 0_i32);
        infos.append(SqlInfo::FlightSqlServerCancel, false);
        infos.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
        Ok(Self { relations, sql_info: infos.build()? })
    }

    pub(super) fn catalogs(&self, query: CommandGetCatalogs) -> Result<RecordBatch, Status> {
        let mut rows = query.into_builder();
        rows.append(CATALOG);
        rows.build().map_err(internal)
    }

    pub(super) fn schemas(&self, query: CommandGetDbSchemas) -> Result<RecordBatch, Status> {
        let mut rows = query.into_builder();
        rows.append(CATALOG, SCHEMA);
        rows.build().map_err(internal)
    }

    pub(super) fn tables(&self, query: CommandGetTables) -> Result<RecordBatch, Status> {
        let mut rows = query.into_builder();
        for relation in &self.relations {
            let kind = if relation.definition().is_some() { VIEW } else { TABLE };
            rows.append(CATALOG, SCHEMA, relation.name(), kind, &relation.schema).map_err(internal)?;
        }
        rows.build().map_err(internal)
    }

    pub(super) fn sql_info(&self, query: CommandGetSqlInfo) -> Result<RecordBatch, Status> {
        query.into_builder(&self.sql_info).build().map_err(internal)
    }
}

pub(super) fn table_types() -> Result<RecordBatch, Status> {
    let schema = Schema::new(vec![Field::new("table_type", DataType::Utf8, false)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(StringArray::from(vec![TABLE, VIEW]))]).map_err(internal)
}

/// Tables have no keys.
pub(super) fn no_primary_keys() -> RecordBatch {
    let names = ["catalog_name", "db_schema_name", "table_name", "column_name", "key_name"];
    empty(&names, &["key_sequence"], &[])
}

/// Nor do they refer to each other.
pub(super) fn no_foreign_keys() -> RecordBatch {
    let names = [
        "pk_catalog_name",
        "pk_db_schema_name",
        "pk_table_name",
        "pk_column_name",
        "fk_catalog_name",
        "fk_db_schema_name",
        "fk_table_name",
        "fk_column_name",
        "fk_key_name",
        "pk_key_name",
    ];
    empty(&names, &["key_sequence"], &["update_rule", "delete_rule"])
}

fn empty(texts: &[&str], numbers: &[&str], small: &[&str]) -> RecordBatch {
    let of = |names: &[&str], data_type: DataType| {
        names.iter().map(|name| Field::new(*name, data_type.clone(), true)).collect::<Vec<_>>()
    };
    let fields = [of(texts, DataType::Utf8), of(numbers, DataType::Int32), of(small, DataType::UInt8)].concat();
    RecordBatch::new_empty(Arc::new(Schema::new(fields)))
}
