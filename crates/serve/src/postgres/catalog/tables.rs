//! The tables of `pg_catalog` and `information_schema` that tell of our tables and views.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use pgwire::api::Type;
use postgres_types::Kind;

use super::builder::Builder;
use super::names::{Column, DATABASE, Name, Names, OWNER, PG_CLASS, SCHEMAS, schema_name, type_name};

type Tables = Vec<(&'static str, Arc<dyn TableProvider>)>;

/// The tables of `pg_catalog`.
pub(super) fn pg_catalog(names: &Names) -> Result<Tables> {
    let relations = &names.0;
    let columns: Vec<(&Name, &Column)> =
        relations.iter().flat_map(|name| name.columns.iter().map(move |column| (name, column))).collect();
    let ours: Vec<&Name> = names.ours().collect();
    let tables: Vec<&Name> = ours.iter().copied().filter(|name| name.kind == "r").collect();
    let views: Vec<&Name> = ours.iter().copied().filter(|name| name.kind == "v").collect();
    Ok(vec![
        ("pg_namespace", pg_namespace()?),
        ("pg_class", pg_class(relations)?),
        ("pg_attribute", pg_attribute(&columns)?),
        ("pg_description", pg_description(&ours)?),
        ("pg_database", pg_database()?),
        ("pg_roles", pg_roles()?),
        ("pg_index", pg_index()?),
        ("pg_constraint", pg_constraint()?),
        (
            "pg_statistic_ext",
            Builder::<()>::new(&[])
                .oids(&["oid", "stxrelid", "stxnamespace", "stxowner"], 0)
                .texts(&["stxname", "stxkeys"], None)
                .int4s(&["stxstattarget"], None)
                .lists(&["stxkind"])
                .build()?,
        ),
        (
            "pg_tables",
            Builder::new(&tables)
                .texts(&["schemaname"], Some("public"))
                .text("tablename", |name| Some(&name.name))
                .texts(&["tableowner"], Some(super::DATABASE))
                .texts(&["tablespace"], None)
                .bools(&["hasindexes", "hasrules", "hastriggers", "rowsecurity"], false)
                .build()?,
        ),
        (
            "pg_views",
            Builder::new(&views)
                .texts(&["schemaname"], Some("public"))
                .text("viewname", |name| Some(&name.name))
                .texts(&["viewowner"], Some(super::DATABASE))
                .text("definition", |name| name.definition)
                .build()?,
        ),
    ])
}

fn pg_namespace() -> Result<Arc<dyn TableProvider>> {
    Builder::new(SCHEMAS)
        .oid("oid", |schema| schema.0)
        .text("nspname", |schema| Some(schema.1))
        .oids(&["nspowner"], OWNER)
        .lists(&["nspacl"])
        .build()
}

fn pg_class(relations: &[Name]) -> Result<Arc<dyn TableProvider>> {
    Builder::new(relations)
        .oid("oid", |name| name.oid)
        .text("relname", |name| Some(name.name.clone()))
        .oid("relnamespace", |name| name.schema)
        .oids(&["reltype", "reloftype"], 0)
        .oids(&["relowner"], OWNER)
        .oids(&["relam", "relfilenode", "reltablespace"], 0)
        .int4s(&["relpages"], Some(0))
        .int4s(&["reltuples"], Some(-1))
        .int4s(&["relallvisible"], Some(0))
        .oids(&["reltoastrelid"], 0)
        .bools(&["relhasindex", "relisshared"], false)
        .texts(&["relpersistence"], Some("p"))
        .text("relkind", |name| Some(name.kind))
        .int2("relnatts", |name| i16::try_from(name.columns.len()).unwrap_or(i16::MAX))
        .int2("relchecks", |_| 0)
        .bool("relhasrules", |name| name.kind == "v")
        .bools(&["relhastriggers", "relhassubclass", "relrowsecurity", "relforcerowsecurity"], false)
        .bools(&["relispopulated"], true)
        .texts(&["relreplident"], Some("n"))
        .bools(&["relispartition"], false)
        .oids(&["relrewrite"], 0)
        .int4s(&["relfrozenxid", "relminmxid"], Some(0))
        .lists(&["relacl", "reloptions"])
        .texts(&["relpartbound"], None)
        .build()
}

fn pg_attribute(columns: &[(&Name, &Column)]) -> Result<Arc<dyn TableProvider>> {
    Builder::new(columns)
        .oid("attrelid", |(name, _)| name.oid)
        .text("attname", |(_, column)| Some(&column.name))
        .oid("atttypid", |(_, column)| column.sent.oid().cast_signed())
        .int2("attlen", |(_, column)| super::super::types::size(&column.sent))
        .int2("attnum", |(_, column)| column.number)
        .int2("attndims", |(_, column)| i16::from(matches!(column.sent.kind(), Kind::Array(_))))
        .int4s(&["attstattarget", "attcacheoff", "atttypmod"], Some(-1))
        .bools(&["attbyval"], false)
        .texts(&["attalign"], Some("i"))
        .texts(&["attstorage"], Some("x"))
        .texts(&["attcompression"], Some(""))
        .bool("attnotnull", |(_, column)| !column.nullable)
        .bools(&["atthasdef", "atthasmissing"], false)
        .texts(&["attidentity", "attgenerated"], Some(""))
        .bools(&["attisdropped"], false)
        .bools(&["attislocal"], true)
        .int4s(&["attinhcount"], Some(0))
        .oids(&["attcollation"], 0)
        .lists(&["attacl", "attoptions", "attfdwoptions"])
        .texts(&["attmissingval"], None)
        .build()
}

/// What tables and columns mean. Number 0 is the table itself.
fn pg_description(ours: &[&Name]) -> Result<Arc<dyn TableProvider>> {
    let rows: Vec<(i32, i32, &str)> = ours
        .iter()
        .flat_map(|name| {
            let columns =
                name.columns.iter().filter_map(|column| Some((name.oid, i32::from(column.number), column.doc?)));
            name.doc.map(|doc| (name.oid, 0, doc)).into_iter().chain(columns)
        })
        .collect();
    Builder::new(&rows)
        .oid("objoid", |row| row.0)
        .oids(&["classoid"], PG_CLASS)
        .int4("objsubid", |row| Some(row.1))
        .text("description", |row| Some(row.2))
        .build()
}

fn pg_database() -> Result<Arc<dyn TableProvider>> {
    Builder::new(&[()])
        .oids(&["oid"], DATABASE)
        .texts(&["datname"], Some(super::DATABASE))
        .oids(&["datdba"], OWNER)
        .int4s(&["encoding"], Some(6))
        .texts(&["datlocprovider"], Some("c"))
        .bools(&["datistemplate"], false)
        .bools(&["datallowconn"], true)
        .int4s(&["datconnlimit"], Some(-1))
        .int4s(&["datfrozenxid", "datminmxid"], Some(0))
        .oids(&["dattablespace"], 1663)
        .texts(&["datcollate", "datctype"], Some("C"))
        .texts(&["daticulocale", "daticurules", "datcollversion"], None)
        .lists(&["datacl"])
        .build()
}

/// There are no indexes.
fn pg_index() -> Result<Arc<dyn TableProvider>> {
    Builder::<()>::new(&[])
        .oids(&["indexrelid", "indrelid"], 0)
        .int2("indnatts", |()| 0)
        .int2("indnkeyatts", |()| 0)
        .bools(&["indisunique", "indnullsnotdistinct", "indisprimary", "indisexclusion", "indimmediate"], false)
        .bools(&["indisclustered", "indisvalid", "indcheckxmin", "indisready", "indislive", "indisreplident"], false)
        .lists_of(&["indkey", "indcollation", "indclass", "indoption"], DataType::Int32)
        .texts(&["indexprs", "indpred"], None)
        .build()
}

/// There are no constraints.
fn pg_constraint() -> Result<Arc<dyn TableProvider>> {
    Builder::<()>::new(&[])
        .oids(&["oid"], 0)
        .texts(&["conname"], None)
        .oids(&["connamespace"], 0)
        .texts(&["contype"], None)
        .bools(&["condeferrable", "condeferred", "convalidated"], false)
        .oids(&["conrelid", "contypid", "conindid", "conparentid", "confrelid"], 0)
        .texts(&["confupdtype", "confdeltype", "confmatchtype"], None)
        .bools(&["conislocal"], false)
        .int2("coninhcount", |()| 0)
        .bools(&["connoinherit"], false)
        .lists_of(&["conkey", "confkey"], DataType::Int32)
        .lists_of(&["conpfeqop", "conppeqop", "conffeqop", "confdelsetcols", "conexclop"], DataType::Int32)
        .texts(&["conbin"], None)
        .build()
}

fn pg_roles() -> Result<Arc<dyn TableProvider>> {
    Builder::new(&[()])
        .texts(&["rolname"], Some(super::DATABASE))
        .bools(&["rolsuper"], false)
        .bools(&["rolinherit"], true)
        .bools(&["rolcreaterole", "rolcreatedb"], false)
        .bools(&["rolcanlogin"], true)
        .bools(&["rolreplication"], false)
        .int4s(&["rolconnlimit"], Some(-1))
        .texts(&["rolpassword", "rolvaliduntil"], None)
        .bools(&["rolbypassrls"], false)
        .lists(&["rolconfig"])
        .oids(&["oid"], OWNER)
        .build()
}

/// The tables of `information_schema`.
pub(super) fn information_schema(names: &Names) -> Result<Tables> {
    let ours: Vec<&Name> = names.ours().collect();
    let views: Vec<&Name> = ours.iter().copied().filter(|name| name.kind == "v").collect();
    let columns: Vec<(&Name, &Column)> =
        ours.iter().flat_map(|name| name.columns.iter().map(move |column| (*name, column))).collect();
    Ok(vec![
        (
            "schemata",
            Builder::new(SCHEMAS)
                .texts(&["catalog_name"], Some(super::DATABASE))
                .text("schema_name", |schema| Some(schema.1))
                .texts(&["schema_owner"], Some(super::DATABASE))
                .build()?,
        ),
        (
            "tables",
            Builder::new(&ours)
                .texts(&["table_catalog"], Some(super::DATABASE))
                .text("table_schema", |name| Some(schema_name(name.schema)))
                .text("table_name", |name| Some(&name.name))
                .text("table_type", |name| Some(if name.kind == "v" { "VIEW" } else { "BASE TABLE" }))
                .texts(&["is_insertable_into", "is_typed"], Some("NO"))
                .text("description", |name| name.doc)
                .build()?,
        ),
        (
            "views",
            Builder::new(&views)
                .texts(&["table_catalog"], Some(super::DATABASE))
                .text("table_schema", |name| Some(schema_name(name.schema)))
                .text("table_name", |name| Some(&name.name))
                .text("view_definition", |name| name.definition)
                .texts(&["check_option"], Some("NONE"))
                .texts(&["is_updatable", "is_insertable_into"], Some("NO"))
                .build()?,
        ),
        ("columns", columns_of(&columns)?),
        ("table_constraints", constraints(&["constraint_type", "is_deferrable", "initially_deferred"])?),
        ("key_column_usage", constraints(&["column_name", "ordinal_position", "position_in_unique_constraint"])?),
        ("constraint_column_usage", constraints(&["column_name"])?),
        ("referential_constraints", constraints(&["unique_constraint_name", "update_rule", "delete_rule"])?),
    ])
}

fn columns_of(columns: &[(&Name, &Column)]) -> Result<Arc<dyn TableProvider>> {
    let is_number = |column: &Column| match column.sent {
        Type::INT2 => Some(16),
        Type::INT4 => Some(32),
        Type::INT8 => Some(64),
        Type::FLOAT4 => Some(24),
        Type::FLOAT8 => Some(53),
        _ => None,
    };
    let is_array = |column: &Column| matches!(column.sent.kind(), Kind::Array(_));
    Builder::new(columns)
        .texts(&["table_catalog"], Some(super::DATABASE))
        .text("table_schema", |(name, _)| Some(schema_name(name.schema)))
        .text("table_name", |(name, _)| Some(&name.name))
        .text("column_name", |(_, column)| Some(&column.name))
        .int4("ordinal_position", |(_, column)| Some(i32::from(column.number)))
        .texts(&["column_default"], None)
        .text("is_nullable", |(_, column)| Some(if column.nullable { "YES" } else { "NO" }))
        .text("data_type", |(_, column)| {
            Some(if is_array(column) { "ARRAY".to_owned() } else { type_name(&column.sent) })
        })
        .int4s(&["character_maximum_length", "character_octet_length"], None)
        .int4("numeric_precision", |(_, column)| is_number(column))
        .int4("numeric_precision_radix", |(_, column)| is_number(column).map(|_| 2))
        .int4("numeric_scale", |(_, column)| {
            is_number(column).filter(|_| !matches!(column.sent, Type::FLOAT4 | Type::FLOAT8)).map(|_| 0)
        })
        .int4("datetime_precision", |(_, column)| {
            matches!(column.sent, Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME).then_some(6)
        })
        .texts(&["interval_type", "character_set_name", "collation_name", "domain_name"], None)
        .texts(&["udt_catalog"], Some(super::DATABASE))
        .texts(&["udt_schema"], Some("pg_catalog"))
        .text("udt_name", |(_, column)| Some(column.sent.name().to_owned()))
        .texts(&["is_identity", "is_updatable"], Some("NO"))
        .texts(&["is_generated"], Some("NEVER"))
        .texts(&["identity_generation", "generation_expression"], None)
        .text("description", |(_, column)| column.doc)
        .build()
}

/// There are no constraints.
fn constraints(more: &[&str]) -> Result<Arc<dyn TableProvider>> {
    const KEY: &[&str] =
        &["constraint_catalog", "constraint_schema", "constraint_name", "table_catalog", "table_schema", "table_name"];
    Builder::<()>::new(&[]).texts(KEY, None).texts(more, None).build()
}
