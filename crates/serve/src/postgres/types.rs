//! The types under which columns are sent.

use datafusion::arrow::datatypes::{Field, Schema};
use pgwire::api::Type;
use pgwire::messages::data::{FieldDescription, RowDescription};
use tracewell_requests::postgres::message::Format;
use tracewell_requests::postgres::types::{format_of, of_arrow};

/// The type under which a column is sent. What PostgreSQL has no type for is JSON.
pub(super) fn of_field(field: &Field) -> Type {
    // The catalogue marks its columns of object identifiers so.
    match field.metadata().get("pg.oid_alias").map(String::as_str) {
        Some("oid") => Type::OID,
        Some("regproc") => Type::REGPROC,
        Some("regclass") => Type::REGCLASS,
        Some("regtype") => Type::REGTYPE,
        Some("regnamespace") => Type::REGNAMESPACE,
        _ if field.metadata().contains_key("pg.char") => Type::CHAR,
        _ => of_arrow(field.data_type()),
    }
}

/// What a row is made of, for a client.
pub(super) fn description(schema: &Schema, formats: &[Format]) -> RowDescription {
    let fields = schema.fields().iter().enumerate().map(|(position, field)| {
        let sent = of_field(field);
        let format = format_of(formats, position) as i16;
        FieldDescription::new(field.name().clone(), 0, 0, sent.oid(), size(&sent), -1, format)
    });
    RowDescription::new(fields.collect())
}

pub(super) fn size(sent: &Type) -> i16 {
    match *sent {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4
        | Type::FLOAT4
        | Type::DATE
        | Type::OID
        | Type::REGPROC
        | Type::REGCLASS
        | Type::REGTYPE
        | Type::REGNAMESPACE => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => 8,
        Type::INTERVAL => 16,
        _ => -1,
    }
}
