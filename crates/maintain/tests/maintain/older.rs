//! Tables that an older version made.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Array;
use tracewell_lake::parquet::{Effort, encode, sort};
use tracewell_lake::{FactTable, Lake, Location, Transaction};
use tracewell_maintain::Options;
use tracewell_model::schema::{Column, LOGS, Table};

use crate::fixture::{DAY, Row, START, batch, clock, compact, ints, read};

/// Columns that came with a later version of the schema.
const LATER: &[&str] = &["record_id", "input_tokens", "usage_reported"];

/// `logs` before that.
fn older() -> &'static Table {
    let columns: Vec<Column> = LOGS.columns.iter().filter(|column| !LATER.contains(&column.name)).copied().collect();
    Box::leak(Box::new(Table { columns: Vec::leak(columns), ..LOGS }))
}

async fn open(folder: &std::path::Path, table: &'static Table, create: bool) -> Lake {
    let location = Location::parse(folder.to_str().unwrap(), &HashMap::new()).unwrap();
    Lake::open(location, &[table], create).await.unwrap()
}

fn logs(lake: &Lake) -> Arc<FactTable> {
    Arc::clone(lake.table("logs").unwrap())
}

async fn append(lake: &Lake, seq: i64, tokens: i64) {
    let row = Row::from([
        ("tenant", "default".into()),
        ("time_unix_nano", START.into()),
        ("time", (START / 1_000).into()),
        ("input_tokens", tokens.into()),
        ("seq", seq.into()),
    ]);
    let table = logs(lake);
    let rows = sort(table.table(), &batch(table.table(), &[row])).unwrap();
    let file = encode(table.table(), &rows, Effort::Fresh).unwrap();
    let file = table.put(DAY, file, clock() / 1_000_000, true).await.unwrap();
    let transaction = Transaction { app: "writer/0".into(), version: seq };
    table.commit(vec![file], &transaction, clock() / 1_000_000).await.unwrap();
}

/// How many rows do not know a column.
async fn unknown(lake: &Lake, column: &str) -> usize {
    read(&logs(lake)).await.iter().map(|rows| rows.column_by_name(column).unwrap().null_count()).sum()
}

#[tokio::test]
async fn a_column_that_came_later_is_null_in_older_rows_and_a_writer_adds_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = open(folder.path(), older(), true).await;
    append(&old, 1, 0).await;

    let reader = open(folder.path(), &LOGS, false).await;
    assert_eq!(logs(&reader).snapshot().version(), 1, "who reads changes nothing");
    for column in LATER {
        assert_eq!(unknown(&reader, column).await, 1, "{column}");
    }
    assert_eq!(ints(&logs(&reader), "seq").await, [1]);

    let writer = open(folder.path(), &LOGS, true).await;
    assert_eq!(logs(&writer).snapshot().version(), 2, "one commit adds what is lacking");
    append(&writer, 2, 7).await;
    assert_eq!(unknown(&writer, "input_tokens").await, 1);
    assert_eq!(ints(&logs(&writer), "seq").await, [1, 2]);
    let again = open(folder.path(), &LOGS, true).await;
    assert_eq!(logs(&again).snapshot().version(), 3, "nothing is lacking any more");

    // An older process still reads it, and both kinds of files merge.
    assert_eq!(ints(&logs(&open(folder.path(), older(), true).await), "seq").await, [1, 2]);
    assert_eq!(compact(&writer, "logs", Options::default(), true).await.len(), 1);
    assert_eq!(logs(&writer).refresh().await.unwrap().files.len(), 1);
    let rows = read(&logs(&writer)).await;
    let tokens = rows[0].column_by_name("input_tokens").unwrap();
    assert_eq!((tokens.len(), tokens.null_count()), (2, 1));
}

#[tokio::test]
async fn a_table_without_a_column_that_must_hold_something_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let columns: Vec<Column> = LOGS.columns.iter().filter(|column| column.name != "tenant").copied().collect();
    let other: &'static Table = Box::leak(Box::new(Table { columns: Vec::leak(columns), ..LOGS }));
    open(folder.path(), other, true).await;
    let location = Location::parse(folder.path().to_str().unwrap(), &HashMap::new()).unwrap();
    let error = Lake::open(location, &[&LOGS], true).await.unwrap_err();
    assert!(error.to_string().contains("`tenant`"), "{error}");
}
