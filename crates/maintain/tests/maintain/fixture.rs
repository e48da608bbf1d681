//! A lake in a temporary folder, and rows for it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::physical_plan::collect;
use tracewell_lake::parquet::{Effort, encode, sort};
use tracewell_lake::scan::{self, Store};
use tracewell_lake::schema::{file_schema, file_type};
use tracewell_lake::{FactTable, Lake, Location, Transaction};
use tracewell_maintain::{Compacted, Compactor, Options};
use tracewell_model::schema::{Column, ColumnType, FACT_TABLES, Table};
use tracewell_model::time::{Day, NANOS_PER_DAY};

/// The day of the rows.
pub(crate) const DAY: Day = Day(20_700);
/// Its first nanosecond.
pub(crate) const START: i64 = DAY.0 as i64 * NANOS_PER_DAY;

/// A clock that stands: two days behind the rows.
pub(crate) fn clock() -> i64 {
    START + 2 * NANOS_PER_DAY
}

pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) lake: Lake,
    appended: i64,
}

/// What a row says; the rest is NULL or empty.
pub(crate) type Row = HashMap<&'static str, Value>;

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

/// A span by number: its ids, its start (microseconds into the day), its duration and its place in the log.
pub(crate) fn span(id: i64, start_us: i64, duration: i64, seq: i64) -> Row {
    HashMap::from([
        ("trace_id", Value::Text(format!("{:032x}", id / 4))),
        ("span_id", Value::Text(format!("{id:016x}"))),
        ("tenant", "default".into()),
        ("start_unix_nano", (START + start_us * 1_000).into()),
        ("start_time", (START / 1_000 + start_us).into()),
        ("duration_ns", duration.into()),
        ("received_at", (START / 1_000 + start_us).into()),
        ("seq", seq.into()),
    ])
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = open(folder.path()).await;
        Self { folder, lake, appended: 0 }
    }

    /// The lake as another process sees it.
    pub(crate) async fn other(&self) -> Lake {
        open(self.folder.path()).await
    }

    pub(crate) fn table(&self, name: &str) -> Arc<FactTable> {
        Arc::clone(self.lake.table(name).unwrap())
    }

    /// Appends one sorted file, as ingest does.
    pub(crate) async fn append(&mut self, table: &str, rows: &[Row]) {
        let sorted = sort(self.table(table).table(), &batch(self.table(table).table(), rows)).unwrap();
        self.append_as_is(table, DAY, &sorted).await;
    }

    /// Appends one file of a day in the order given.
    pub(crate) async fn append_as_is(&mut self, table: &str, day: Day, rows: &RecordBatch) {
        self.appended += 1;
        let table = self.table(table);
        let file = encode(table.table(), rows, Effort::Fresh).unwrap();
        let file = table.put(day, file, clock() / 1_000_000, true).await.unwrap();
        let transaction = Transaction { app: "writer/0".into(), version: self.appended };
        table.commit(vec![file], &transaction, clock() / 1_000_000).await.unwrap();
    }
}

/// The lake in a folder, created where there is none.
pub(crate) async fn open(folder: &std::path::Path) -> Lake {
    let location = Location::parse(folder.to_str().unwrap(), &HashMap::new()).unwrap();
    Lake::open(location, FACT_TABLES, true).await.unwrap()
}

/// Rows in the table's file schema.
pub(crate) fn batch(table: &Table, rows: &[Row]) -> RecordBatch {
    let columns = table.columns[1..].iter().map(|column| array(column, rows));
    RecordBatch::try_new(file_schema(table), columns.collect()).unwrap()
}

fn array(column: &Column, rows: &[Row]) -> ArrayRef {
    let int = |row: &Row| match row.get(column.name) {
        Some(Value::Int(value)) => Some(*value),
        _ => (!column.nullable).then_some(0),
    };
    let text = |row: &Row| match row.get(column.name) {
        Some(Value::Text(value)) => Some(value.clone()),
        _ => (!column.nullable).then(String::new),
    };
    match column.kind {
        ColumnType::Int64 => Arc::new(rows.iter().map(int).collect::<Int64Array>()),
        ColumnType::Int32 => {
            Arc::new(rows.iter().map(|row| int(row).map(|value| value as i32)).collect::<Int32Array>())
        }
        ColumnType::Timestamp => {
            Arc::new(rows.iter().map(int).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        ColumnType::Text => Arc::new(rows.iter().map(text).collect::<StringArray>()),
        kind => new_null_array(&file_type(kind), rows.len()),
    }
}

/// Merges until nothing is left to merge.
pub(crate) async fn compact(lake: &Lake, table: &str, options: Options, force: bool) -> Vec<Compacted> {
    let compactor = Compactor::new(lake, options, clock).unwrap();
    let table = lake.table(table).unwrap();
    let mut done = Vec::new();
    while let Some(job) = compactor.plan(table, None, force).await.unwrap() {
        done.extend(compactor.run(table, &job).await.unwrap());
    }
    done
}

/// All rows of the newest version, file by file.
pub(crate) async fn read(table: &FactTable) -> Vec<RecordBatch> {
    let snapshot = table.refresh().await.unwrap();
    let mut batches = Vec::new();
    for file in &snapshot.files {
        let runtime = datafusion::execution::runtime_env::RuntimeEnvBuilder::new().build_arc().unwrap();
        let store = Store::known_to(&runtime, table.location()).unwrap();
        let context = datafusion::execution::TaskContext::default().with_runtime(runtime);
        let columns = (0..table.table().columns.len() - 1).collect();
        let plan = scan::files(table.table(), &[Arc::clone(file)], &store, columns, false).unwrap();
        let rows = collect(plan, Arc::new(context)).await.unwrap();
        batches.push(arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap());
    }
    batches
}

/// Every row as text, sorted: what two versions of a table have in common when they hold the same rows.
pub(crate) async fn multiset(table: &FactTable) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in read(table).await {
        let mut json = arrow::json::LineDelimitedWriter::new(Vec::new());
        json.write(&batch).unwrap();
        json.finish().unwrap();
        rows.extend(String::from_utf8(json.into_inner()).unwrap().lines().map(str::to_owned));
    }
    rows.sort();
    rows
}

/// One whole-number column of all rows.
pub(crate) async fn ints(table: &FactTable, column: &str) -> Vec<i64> {
    let batches = read(table).await;
    let column =
        |rows: &RecordBatch| arrow::compute::cast(rows.column_by_name(column).unwrap(), &DataType::Int64).unwrap();
    let mut values: Vec<i64> =
        batches.iter().flat_map(|rows| column(rows).as_primitive::<Int64Type>().values().to_vec()).collect();
    values.sort_unstable();
    values
}
