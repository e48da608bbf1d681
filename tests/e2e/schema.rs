//! The schema is a contract: the page that is published, what queries see, and what every protocol says of it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::{Value, json};
use tracewell_lake::schema::scan_field;

use crate::postgres::{has, psql_prints};
use crate::server::{BINARY, Server, sql};

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_every_view_is_listed_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Server::start(&data, &[]).await.stop();
    let columns =
        sql(&data, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'");
    for view in tracewell_query::VIEWS {
        let own: Vec<&str> = columns
            .iter()
            .filter(|row| row["table_name"] == view.name)
            .map(|row| row["column_name"].as_str().unwrap())
            .collect();
        assert!(!own.is_empty(), "{}", view.name);
        for column in &own {
            assert!(
                view.column_doc(column).is_some_and(|doc| doc.ends_with('.') || doc.ends_with('…')),
                "{}.{column}",
                view.name
            );
        }
        for (column, _) in view.columns {
            assert!(own.contains(column), "{} has no column `{column}`", view.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_describes_the_schema_as_it_is_published() {
    type Columns = BTreeMap<String, String>;
    type Typed = BTreeMap<String, (String, String)>;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let page = String::from_utf8(Command::new(BINARY).arg("schema").output().unwrap().stdout).unwrap();
    let (mut published, mut views): (BTreeMap<String, Typed>, BTreeMap<String, Typed>) = Default::default();
    let (mut relation, mut is_view) = (String::new(), false);
    for line in page.lines() {
        if let Some((kind, name)) = line.strip_prefix("## ").and_then(|head| head.split_once('`')) {
            (relation, is_view) = (name.trim_end_matches('`').to_owned(), kind == "View ");
        }
        if let Some((name, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) {
            let (kind, doc) = rest.split_once(" | ").unwrap();
            let told = (kind.replace(", never NULL", ""), doc.trim_end_matches(" |").replace("\\|", "|"));
            let of = if is_view { &mut views } else { &mut published };
            of.entry(relation.clone()).or_default().insert(name.to_owned(), told);
        }
    }
    // Those are read through views of the same names or others, which stand beside them.
    tracewell_model::schema::DERIVED_TABLES.iter().for_each(|derived| drop(published.remove(derived.name)));
    assert!(published.len() >= 11 && published.contains_key("verdicts"), "{:?}", published.keys());

    let listed = |rows: Vec<Value>| {
        let mut listed: BTreeMap<String, Columns> = BTreeMap::new();
        for row in rows {
            let cell = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            listed.entry(cell("table_name")).or_default().insert(cell("column_name"), cell("description"));
        }
        listed
    };
    let columns = "SELECT table_name, column_name, description FROM information_schema.columns
        WHERE table_schema = 'public'";
    let seen = listed(server.sql(columns));
    // What is seen has the names, types and meanings that are on the page.
    let types = "SELECT table_name, column_name, data_type AS description FROM information_schema.columns
        WHERE table_schema = 'public'";
    let types = listed(server.sql(types));
    let mut schemas: Vec<(&Typed, &str, SchemaRef)> = Vec::new();
    for table in tracewell_model::schema::asked_tables() {
        let schema = Schema::new(table.columns.iter().map(scan_field).collect::<Vec<_>>());
        schemas.push((&published[table.name], table.name, Arc::new(schema)));
    }
    for view in tracewell_query::VIEWS {
        schemas.push((&views[view.name], view.name, tracewell_query::published::columns(view).await.unwrap()));
    }
    for (columns, name, schema) in &schemas {
        let docs: Columns = columns.iter().map(|(column, (_, doc))| (column.clone(), doc.clone())).collect();
        assert_eq!(seen.get(*name), Some(&docs), "{name}");
        assert_eq!(schema.fields().len(), columns.len(), "{name}");
        for column in schema.fields() {
            let kind = tracewell_query::published::type_name(column.data_type());
            assert_eq!(kind, columns[column.name()].0, "{name}.{}", column.name());
            assert_eq!(kind, types[*name][column.name()], "{name}.{}", column.name());
        }
    }
    assert_eq!((seen.len(), published.len()), (schemas.len(), schemas.len() - tracewell_query::VIEWS.len()));
    for (name, columns) in &seen {
        let mut rows = server.sql(&format!("DESCRIBE {name}"));
        rows.iter_mut().for_each(|row| row["table_name"] = name.as_str().into());
        assert_eq!(listed(rows).get(name), Some(columns), "DESCRIBE {name}");
    }
    let docs =
        server.sql("SELECT table_name, description FROM information_schema.tables WHERE table_schema = 'public'");
    assert_eq!(docs.len(), seen.len());
    assert!(docs.iter().all(|row| row["description"].as_str().is_some_and(|doc| !doc.is_empty())), "{docs:?}");

    if !has("psql", "every_protocol_describes_the_schema_as_it_is_published") {
        return;
    }
    for asked in [
        columns.to_owned(),
        "SELECT c.relname AS table_name, a.attname AS column_name, d.description FROM pg_catalog.pg_class AS c
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'public'
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
         JOIN pg_catalog.pg_description AS d ON d.objoid = c.oid AND d.objsubid = a.attnum"
            .to_owned(),
    ] {
        let printed = psql_prints(&server, &["--csv", "-t", "-c", &asked]);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(printed.as_bytes());
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            json!({"table_name": &row[0], "column_name": &row[1], "description": &row[2]})
        });
        assert_eq!(listed(rows.collect()), seen, "{asked}");
    }
}
