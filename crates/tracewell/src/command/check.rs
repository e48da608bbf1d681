//! `tracewell check`.

use std::path::Path;

use anyhow::bail;
use arrow::datatypes::DataType;
use clap::Args;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tracewell_lake::{DataFile, FactTable, Lake, schema};
use tracewell_model::schema::TABLES;

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Place,
}

impl Check {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        let location = super::location(&config)?;
        let mut wrong = 0;
        match super::wal(&config, &location) {
            Ok(wal) if wal.is_dir() => wrong += check_log(&wal),
            Ok(wal) => println!("write-ahead log: none at `{}`", wal.display()),
            Err(_) => println!("write-ahead log: not looked at; name its folder with --wal"),
        }
        let lake = match Lake::open(location, TABLES, false).await {
            Ok(lake) => lake,
            Err(error) => {
                println!("tables: {error}");
                bail!("the tables cannot be opened");
            }
        };
        for table in TABLES {
            match lake.table(table.name) {
                Some(open) => wrong += check_table(open).await,
                None => println!("{}: no such table", table.name),
            }
        }
        if wrong > 0 {
            bail!("{wrong} {} wrong", if wrong == 1 { "thing is" } else { "things are" });
        }
        println!("all is well");
        Ok(())
    }
}

/// How many things are wrong with the log.
fn check_log(wal: &Path) -> usize {
    match tracewell_wal::verify(wal) {
        Err(error) => {
            println!("write-ahead log: {error}");
            1
        }
        Ok(report) => {
            let records: u64 = report.segments.iter().map(|segment| segment.records).sum();
            let bytes: u64 = report.segments.iter().map(|segment| segment.bytes).sum();
            println!("write-ahead log: {} segments, {records} records, {bytes} bytes", report.segments.len());
            for finding in &report.findings {
                println!("  {finding}");
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
    println!(
        "{}: version {}, {} files, {rows} rows, {bytes} bytes",
        table.table().name,
        snapshot.version(),
        snapshot.files.len()
    );
    let mut wrong = 0;
    for file in &snapshot.files {
        if let Err(reason) = check_file(table, file).await {
            println!("  `{}`: {reason}; restore it from a copy, or take it out with another Delta tool", file.path);
            wrong += 1;
        }
    }
    wrong
}

async fn check_file(table: &FactTable, file: &DataFile) -> Result<(), String> {
    let store = table.location().store();
    let meta = store.head(&file.path).await.map_err(|error| format!("it cannot be found: {error}"))?;
    if meta.size != file.size {
        return Err(format!("it has {} bytes, the log says {}", meta.size, file.size));
    }
    let metadata = footer(store.as_ref(), file).await?;
    let rows = metadata.file_metadata().num_rows();
    if rows != file.rows as i64 {
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

/// The footer of a Parquet file, from as few bytes at its end as hold it.
async fn footer(store: &dyn ObjectStore, file: &DataFile) -> Result<ParquetMetaData, String> {
    let mut wanted = 64 << 10;
    loop {
        let start = file.size.saturating_sub(wanted);
        let end = store
            .get_range(&file.path, start..file.size)
            .await
            .map_err(|error| format!("it cannot be read: {error}"))?;
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&end, file.size) {
            Ok(()) => return reader.finish().map_err(|error| error.to_string()),
            Err(ParquetError::NeedMoreData(bytes)) if start > 0 => wanted = (bytes as u64).max(wanted * 2),
            Err(error) => return Err(format!("it is not a whole Parquet file: {error}")),
        }
    }
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
