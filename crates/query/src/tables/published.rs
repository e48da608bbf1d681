//! The columns of views, as the published schema tells them.

use datafusion::arrow::datatypes::{DataType, SchemaRef};

use crate::error::QueryError;
use crate::views::{View, prepared};

/// The columns of `view` as queries see them.
///
/// # Errors
/// When it cannot be planned.
pub async fn columns(view: &View) -> Result<SchemaRef, QueryError> {
    Ok(prepared::columns(view).await?)
}

/// A type as the schema page shows it; members of structs go by their names alone.
#[must_use]
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        // As PostgreSQL's protocol sends it.
        DataType::UInt64 => "numeric(20, 0)".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp (µs, UTC)".to_owned(),
        DataType::Decimal128(precision, scale) => format!("numeric({precision}, {scale})"),
        DataType::Dictionary(_, values) => type_name(values),
        DataType::List(item) => format!("list<{}>", type_name(item.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => {
                let names: Vec<String> = pair.iter().map(|field| type_name(field.data_type())).collect();
                format!("map<{}>", names.join(", "))
            }
            other => type_name(other),
        },
        DataType::Struct(members) => {
            let names: Vec<&str> = members.iter().map(|member| member.name().as_str()).collect();
            format!("struct<{}>", names.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tracewell_lake::schema::table_schema;
    use tracewell_model::schema::every_table;

    use super::*;

    #[test]
    fn types_of_views_go_by_the_names_that_those_of_tables_have() {
        for table in every_table() {
            for column in table.columns {
                let schema = table_schema(table);
                let data_type = schema.field_with_name(column.name).expect("it is a column").data_type();
                assert_eq!(type_name(data_type), column.kind.sql(), "{}.{}", table.name, column.name);
            }
        }
    }
}
