//! One version of a table, as readers see it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics, stats::Precision};
use deltalake_core::kernel::Remove;
use deltalake_core::table::state::DeltaTableState;
use object_store::path::Path;
use serde_json::Value;
use tracewell_model::time::Day;

/// One file of a snapshot.
#[derive(Debug)]
pub struct DataFile {
    /// Its path in the store.
    pub path: Path,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified: i64,
    /// The day of all its rows.
    pub day: Day,
    /// Its number of rows.
    pub rows: u64,
    /// What its columns hold at least and at most, as far as the log tells.
    pub bounds: HashMap<String, (ScalarValue, ScalarValue)>,
    remove: Remove,
}

impl DataFile {
    /// A number for the rows of the file. The numbers of merged files, by exclusive or, are that of the file which
    /// takes their place: it tells whether rows came or went, and not how they are spread over files.
    #[must_use]
    pub fn lineage(&self) -> u64 {
        let merged = self.mark().filter(|mark| mark.len() == 16).and_then(|mark| u64::from_str_radix(mark, 16).ok());
        merged.unwrap_or_else(|| {
            let mut short = [0; 8];
            short.copy_from_slice(&blake3::hash(self.path.as_ref().as_bytes()).as_bytes()[..8]);
            u64::from_le_bytes(short)
        })
    }

    /// What the writer put behind the file's id, see [`FactTable::put_marked`](crate::FactTable::put_marked).
    #[must_use]
    pub fn mark(&self) -> Option<&str> {
        let name = self.path.filename()?.strip_prefix("part-")?.split('.').next()?;
        name.get(uuid::fmt::Hyphenated::LENGTH..)?.strip_prefix('-')
    }

    /// Whether `bytes` are those that were written under the file's name; `None` where the name does not tell.
    #[must_use]
    pub fn is_intact(&self, bytes: &[u8]) -> Option<bool> {
        let (_, written) = self.path.filename()?.strip_suffix(".parquet")?.split_once('.')?;
        Some(written == checksum(bytes))
    }

    /// The log's action that takes the file out of the table.
    #[must_use]
    pub fn remove(&self, now_ms: i64, data_change: bool) -> Remove {
        Remove { data_change, deletion_timestamp: Some(now_ms), ..self.remove.clone() }
    }

    /// The statistics in DataFusion's form, over `schema` (the file's columns, then the partition).
    #[must_use]
    pub fn statistics(&self, schema: &Schema) -> Statistics {
        let column_statistics = schema
            .fields()
            .iter()
            .map(|field| match self.bounds.get(field.name()) {
                Some((low, high)) => ColumnStatistics {
                    min_value: Precision::Exact(low.clone()),
                    max_value: Precision::Exact(high.clone()),
                    ..ColumnStatistics::new_unknown()
                },
                None => ColumnStatistics::new_unknown(),
            })
            .collect();
        Statistics {
            num_rows: Precision::Exact(self.rows as usize),
            total_byte_size: Precision::Absent,
            column_statistics,
        }
    }
}

/// One version of a table: its files, and how far each writer's transactions have come.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) state: DeltaTableState,
    /// The files, in no particular order.
    pub files: Vec<Arc<DataFile>>,
    /// Per transaction app id, the last version that is in this snapshot.
    pub watermarks: HashMap<String, i64>,
}

impl Snapshot {
    /// The version of the table.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.state.version() as i64
    }

    /// Whether the rows of `app` up to `seq` are in this snapshot.
    #[must_use]
    pub fn holds(&self, app: &str, seq: i64) -> bool {
        self.watermarks.get(app).is_some_and(|reached| *reached >= seq)
    }

    /// Reads a state; files already known from `before` are not parsed again.
    pub(crate) fn new(
        state: DeltaTableState,
        table_path: &Path,
        schema: &Schema,
        watermarks: HashMap<String, i64>,
        before: Option<&Self>,
    ) -> Self {
        let known: HashMap<&Path, &Arc<DataFile>> =
            before.map(|snapshot| snapshot.files.iter().map(|file| (&file.path, file)).collect()).unwrap_or_default();
        let files = state
            .log_data()
            .iter()
            .map(|view| {
                let path = table_path.parts().chain(view.object_store_path().parts()).collect::<Path>();
                if let Some(file) = known.get(&path) {
                    return Arc::clone(file);
                }
                let statistics =
                    view.stats().and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default();
                Arc::new(DataFile {
                    path,
                    size: view.size() as u64,
                    modified: view.modification_time(),
                    day: view
                        .partition_values_map()
                        .get("date")
                        .and_then(|day| parse_day(day.as_deref()?))
                        .unwrap_or(Day(0)),
                    rows: statistics["numRecords"].as_u64().unwrap_or(0),
                    bounds: bounds(&statistics, schema),
                    remove: view.remove_action(true),
                })
            })
            .collect();
        Self { state, files, watermarks }
    }
}

/// What tells in a file's name which bytes it was written with.
pub(crate) fn checksum(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

fn parse_day(text: &str) -> Option<Day> {
    let date: chrono::NaiveDate = text.parse().ok()?;
    Some(Day(date.signed_duration_since(chrono::NaiveDate::default()).num_days() as i32))
}

fn bounds(statistics: &Value, schema: &Schema) -> HashMap<String, (ScalarValue, ScalarValue)> {
    let (Some(min), Some(max)) = (statistics["minValues"].as_object(), statistics["maxValues"].as_object()) else {
        return HashMap::new();
    };
    min.iter()
        .filter_map(|(name, low)| {
            let data_type = schema.field_with_name(name).ok()?.data_type();
            Some((name.clone(), (scalar(low, data_type)?, scalar(max.get(name)?, data_type)?)))
        })
        .collect()
}

fn scalar(value: &Value, data_type: &DataType) -> Option<ScalarValue> {
    Some(match data_type {
        DataType::Utf8View => ScalarValue::Utf8View(Some(value.as_str()?.to_owned())),
        DataType::Int64 => ScalarValue::Int64(Some(value.as_i64()?)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            ScalarValue::TimestampMicrosecond(Some(time.timestamp_micros()), zone.clone())
        }
        _ => return None,
    })
}
