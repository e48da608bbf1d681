//! The SQL surface over the known set, as sqllogictest files: `tests/queries/*.slt`.
//!
//! Expected rows were worked out by hand. Records without `onlyif tracewell` are asked of DuckDB too, over the same
//! Parquet files and by the same views.

use std::path::PathBuf;
use std::process::Command;

use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamReader;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Value, json};
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::fixtures::folder;
use crate::readers::{python, run, script};
use crate::server::{Server, client};
use crate::settled;

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder("tests/queries")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "slt")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Asks over HTTP. `SET TIME ZONE '…'` is kept for the queries after it.
struct Asked {
    url: String,
    time_zone: String,
}

#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Asked {
    async fn ask(&self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let body = json!({ "sql": sql, "time_zone": self.time_zone });
        let request = client().post(&self.url).header("accept", "application/vnd.apache.arrow.stream").json(&body);
        let answer = request.send().await.unwrap();
        if !answer.status().is_success() {
            let status = answer.status();
            let error: Value = answer.json().await.unwrap();
            return Err(Refused(format!("{status}: {}", error["error"].as_str().unwrap())));
        }
        let bytes = answer.bytes().await.unwrap();
        let rows = StreamReader::try_new(&bytes[..], None).unwrap();
        let types = vec![DefaultColumnType::Any; rows.schema().fields().len()];
        let rows = rows.flat_map(|batch| written(&batch.unwrap())).collect();
        Ok(DBOutput::Rows { types, rows })
    }
}

impl DB for Asked {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        if let Some(zone) = sql.strip_prefix("SET TIME ZONE ") {
            self.time_zone = zone.trim_matches(['\'', ';']).to_owned();
            return Ok(DBOutput::StatementComplete(0));
        }
        block_in_place(|| Handle::current().block_on(self.ask(sql)))
    }

    fn engine_name(&self) -> &str {
        "tracewell"
    }
}

/// Cells as text: `NULL`, and `(empty)` for text without letters.
fn written(batch: &arrow::array::RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::new().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let is_text = |column: usize| {
        matches!(batch.column(column).data_type(), DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
    };
    let cell = |row: usize, column: usize| {
        let cell = columns[column].value(row).to_string();
        if cell.is_empty() && is_text(column) { "(empty)".to_owned() } else { cell }
    };
    (0..batch.num_rows()).map(|row| (0..columns.len()).map(|column| cell(row, column)).collect()).collect()
}

fn known(temporary: &tempfile::TempDir) -> PathBuf {
    let data = temporary.path().join("data");
    settled::run(&data, &["import", folder("tests/queries").join("known.jsonl").to_str().unwrap()]);
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_answers_as_it_is_written_down() {
    let temporary = tempfile::tempdir().unwrap();
    let server = Server::start(&known(&temporary), &[]).await;
    for file in files() {
        let url = format!("{}/v1/sql", server.api);
        let mut runner = Runner::new(|| async { Ok(Asked { url: url.clone(), time_zone: "UTC".into() }) });
        runner.run_file_async(&file).await.unwrap_or_else(|error| panic!("{}", error.display(false)));
    }
}

#[test]
fn duckdb_answers_the_same() {
    let Some(python) = python("duckdb_answers_the_same") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let data = known(&temporary);
    settled::run(&data, &["settle"]);
    let output = run(Command::new(python).arg(script("sqllogic_duckdb.py")).arg(data).args(files()));
    println!("{output}");
    assert!(output.contains(" records agree"), "{output}");
}
