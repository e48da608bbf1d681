//! `tracewell check`: every byte of the log and of the tables' files is read.

use std::path::Path;
use std::sync::Arc;

use anyhow::{bail, ensure};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use tracewell_blocks::counted;
use tracewell_lake::{DataFile, FactTable, Lake, schema};
use tracewell_model::schema::{FACT_TABLES, every_table};

use super::{Place, say};

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Place,
}

impl Check {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        let location = config.location()?;
        ensure!(
            location.folder().is_none_or(|folder| folder.is_dir()),
            "`{}` is not there; name the data with --data",
            config.data
        );
        let mut wrong = 0;
        match config.wal_folder(&location) {
            Ok(wal) if wal.is_dir() => wrong += check_log(&wal),
            Ok(wal) => say!("write-ahead log: none at `{}`", wal.display()),
            Err(_) => say!("write-ahead log: not looked at; name its folder with --wal"),
        }
        let lake = match Lake::open(location, &every_table(), false).await {
            Ok(lake) => lake,
            Err(error) => {
                say!("tables: {error}");
                bail!("the tables cannot be opened");
            }
        };
        ensure!(lake.tables().next().is_some(), "`{}` holds no tables; name the data with --data", config.data);
        for table in every_table() {
            match lake.table(table.name) {
                Some(open) => wrong += check_table(open).await,
                None if FACT_TABLES.iter().any(|facts| facts.name == table.name) => {
                    say!("{}: the table is missing; restore its folder from a copy", table.name);
                    wrong += 1;
                }
                None => say!("{}: no such table", table.name),
            }
        }
        if wrong > 0 {
            bail!("{} wrong", counted(wrong as u64, "thing is", "things are"));
        }
        say!("all is well");
        Ok(())
    }
}

/// How many things are wrong with the log.
fn check_log(wal: &Path) -> usize {
    match tracewell_wal::verify(wal) {
        Err(error) => {
            say!("write-ahead log: {error}");
            1
        }
        Ok(report) => {
            let records: u64 = report.segments.iter().map(|segment| segment.records).sum();
            let bytes: u64 = report.segments.iter().map(|segment| segment.bytes).sum();
            say!("write-ahead log: {} segments, {records} records, {bytes} bytes", report.segments.len());
            for finding in &report.findings {
                say!("  {finding}");
            }
            report.findings.iter().filter(|finding| !finding.problem.is_harmless()).count()
        }
    }
}

/// How many files of a table are wrong.
async fn check_table(table: &FactTable) -> usize {
    let snapshot = table.snapshot();
    let rows: u64 = snapshot.files.iter().map(|file| file.rows).sum();
    let bytes: u64 = snapshot.files.iter().map(|file| file.size).sum();
    say!(
        "{}: version {}, {} files, {rows} rows, {bytes} bytes",
        table.table().name,
        snapshot.version(),
        snapshot.files.len()
    );
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}")
        .expect("the template is valid");
    // Hidden by itself where standard error is no terminal.
    let bar = ProgressBar::new(bytes).with_style(style).with_message(table.table().name);
    let mut wrong = 0;
    for file in &snapshot.files {
        if let Err(reason) = check_file(table, file).await {
            let advice = "restore it from a copy, or take it out with another Delta tool";
            bar.suspend(|| say!("  `{}`: {reason}; {advice}", file.path));
            wrong += 1;
        }
        bar.inc(file.size);
    }
    bar.finish_and_clear();
    wrong
}

async fn check_file(table: &FactTable, file: &DataFile) -> Result<(), String> {
    let found =
        table.location().store().get(&file.path).await.map_err(|error| format!("it cannot be read: {error}"))?;
    let bytes = found.bytes().await.map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 != file.size {
        return Err(format!("it has {} bytes, the log says {}", bytes.len(), file.size));
    }
    if file.is_intact(&bytes) == Some(false) {
        return Err("its bytes are not those that were written".into());
    }
    // A thread of its own: a decoder may panic over what no writer writes.
    let (metadata, rows) = tokio::task::spawn_blocking(move || decode(bytes))
        .await
        .map_err(|_| "it is damaged: it cannot be decoded".to_owned())?
        .map_err(|error| format!("it is damaged: {error}"))?;
    if rows != file.rows {
        return Err(format!("it has {rows} rows, the log says {}", file.rows));
    }
    let stored = parquet::arrow::parquet_to_arrow_schema(metadata.file_metadata().schema_descr(), None)
        .map_err(|error| format!("its schema cannot be read: {error}"))?;
    for field in schema::file_schema(table.table()).fields() {
        let found =
            stored.field_with_name(field.name()).map_err(|_| format!("column `{}` is missing", field.name()))?;
        if !same_shape(found.data_type(), field.data_type()) {
            return Err(format!(
                "column `{}` is {}, it should be {}",
                field.name(),
                found.data_type(),
                field.data_type()
            ));
        }
    }
    Ok(())
}

/// Reads every page of a file; what its footer says, and its rows.
fn decode(file: bytes::Bytes) -> Result<(Arc<ParquetMetaData>, u64), ArrowError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let metadata = Arc::clone(reader.metadata());
    let rows = reader.build()?.map(|batch| Ok(batch?.num_rows() as u64)).sum::<Result<u64, ArrowError>>()?;
    Ok((metadata, rows))
}

/// Whether two types are the same but for the names inside them.
fn same_shape(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) => same_shape(a.data_type(), b.data_type()),
        (DataType::Map(a, _), DataType::Map(b, _)) => same_shape(a.data_type(), b.data_type()),
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a.data_type(), b.data_type()))
        }
        (a, b) => a == b,
    }
}
