//! The numbers under which tables and views go, which clients remember from one question to the next.

use pgwire::api::Type;
use postgres_types::Kind;
use tracewell_query::Relation;

use super::super::types::of_field;

/// The schemas and their numbers.
pub(super) const SCHEMAS: &[(i32, &str)] = &[(11, "pg_catalog"), (2200, "public"), (13_000, "information_schema")];
pub(super) const PUBLIC: i32 = 2200;
pub(super) const PG_CATALOG: i32 = 11;
/// The number of the one database.
pub(super) const DATABASE: i32 = 5;
/// The number of who owns everything.
pub(super) const OWNER: i32 = 10;
/// The number of the table of tables.
pub(super) const PG_CLASS: i32 = 1259;

/// Tables of PostgreSQL that clients name to say what a description is of.
const OF_POSTGRESQL: &[(i32, &str)] = &[
    (1247, "pg_type"),
    (1249, "pg_attribute"),
    (1255, "pg_proc"),
    (PG_CLASS, "pg_class"),
    (1262, "pg_database"),
    (2606, "pg_constraint"),
    (2615, "pg_namespace"),
];

/// The first number that PostgreSQL gives to what users make.
const FIRST: i32 = 16_384;

/// A table or a view.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) oid: i32,
    pub(super) schema: i32,
    pub(super) name: String,
    /// `r` for a table, `v` for a view.
    pub(super) kind: &'static str,
    pub(super) doc: Option<&'static str>,
    pub(super) definition: Option<&'static str>,
    pub(super) columns: Vec<Column>,
}

/// A column of a table or a view.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) number: i16,
    pub(super) name: String,
    pub(super) sent: Type,
    pub(super) nullable: bool,
    pub(super) doc: Option<&'static str>,
}

/// All of them, sorted by number.
#[derive(Debug)]
pub(super) struct Names(pub(super) Vec<Name>);

impl Names {
    pub(super) fn new(relations: &[Relation]) -> Self {
        let fixed = OF_POSTGRESQL.iter().map(|(oid, name)| Name {
            oid: *oid,
            schema: PG_CATALOG,
            name: (*name).to_owned(),
            kind: "r",
            doc: None,
            definition: None,
            columns: Vec::new(),
        });
        let ours = relations.iter().zip(FIRST..).map(|(relation, oid)| {
            let columns = relation.schema.fields().iter().zip(1..).map(|(field, number)| Column {
                number,
                name: field.name().clone(),
                sent: of_field(field),
                nullable: field.is_nullable(),
                doc: relation.column_doc(field.name()),
            });
            Name {
                oid,
                schema: PUBLIC,
                name: relation.name().to_owned(),
                kind: if relation.definition().is_some() { "v" } else { "r" },
                doc: Some(relation.doc()),
                definition: relation.definition(),
                columns: columns.collect(),
            }
        });
        Self(fixed.chain(ours).collect())
    }

    /// Those of ours.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().filter(|name| name.schema == PUBLIC)
    }

    pub(super) fn by_oid(&self, oid: i64) -> Option<&Name> {
        self.0.iter().find(|name| i64::from(name.oid) == oid)
    }

    /// The table or view of a name, with or without its schema, in quotes or not.
    pub(super) fn by_name(&self, name: &str) -> Option<&Name> {
        let plain = name.replace('"', "");
        let plain =
            SCHEMAS.iter().find_map(|(_, schema)| plain.strip_prefix(schema)?.strip_prefix('.')).unwrap_or(&plain);
        self.0.iter().find(|known| known.name.eq_ignore_ascii_case(plain))
    }
}

/// The name of a schema's number.
pub(super) fn schema_name(oid: i32) -> &'static str {
    SCHEMAS.iter().find(|(known, _)| *known == oid).map_or("", |(_, name)| name)
}

/// A type as SQL spells it.
pub(super) fn type_name(sent: &Type) -> String {
    if let Kind::Array(item) = sent.kind() {
        return format!("{}[]", type_name(item));
    }
    match *sent {
        Type::BOOL => "boolean",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        Type::TIME => "time without time zone",
        Type::TIMESTAMP => "timestamp without time zone",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        _ => sent.name(),
    }
    .to_owned()
}
