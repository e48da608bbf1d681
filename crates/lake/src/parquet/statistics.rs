//! A file's statistics for the Delta log, gathered batch by batch
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics>).

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use serde_json::{Map, Value, json};
use tracewell_model::schema::{Column, ColumnType, Table};

use super::plain;
use crate::LakeError;

/// Texts beyond this length are left out: a cut maximum would have to be rounded up.
const LONGEST_TEXT: usize = 64;

/// What a column holds at least and at most.
enum Bounds {
    Int(i64, i64),
    Text(String, String),
}

/// One column that the log tells about.
struct Gathered {
    column: &'static Column,
    nulls: usize,
    bounds: Option<Bounds>,
}

/// The statistics of a file under construction.
pub(super) struct Statistics {
    rows: usize,
    columns: Vec<Gathered>,
}

impl Statistics {
    pub(super) fn new(table: &'static Table) -> Self {
        let told = table.columns[1..].iter().filter(|column| column.statistics);
        Self { rows: 0, columns: told.map(|column| Gathered { column, nulls: 0, bounds: None }).collect() }
    }

    pub(super) fn add(&mut self, rows: &RecordBatch) -> Result<(), LakeError> {
        self.rows += rows.num_rows();
        for gathered in &mut self.columns {
            let array = rows.column(rows.schema_ref().index_of(gathered.column.name)?);
            gathered.nulls += array.logical_null_count();
            gathered.bounds = match (gathered.bounds.take(), bounds(gathered.column, array)?) {
                (Some(before), Some(these)) => Some(before.with(these)),
                (before, these) => before.or(these),
            };
        }
        Ok(())
    }

    pub(super) fn to_json(&self) -> String {
        let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
        for Gathered { column, nulls: count, bounds } in &self.columns {
            nulls.insert(column.name.to_owned(), (*count).into());
            if let Some((low, high)) = bounds.as_ref().and_then(|bounds| bounds.to_json(column.kind)) {
                min.insert(column.name.to_owned(), low);
                max.insert(column.name.to_owned(), high);
            }
        }
        json!({ "numRecords": self.rows, "minValues": min, "maxValues": max, "nullCount": nulls }).to_string()
    }
}

impl Bounds {
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(low, high), Self::Int(l, h)) => Self::Int(low.min(l), high.max(h)),
            (Self::Text(low, high), Self::Text(l, h)) => Self::Text(low.min(l), high.max(h)),
            // A column has one type.
            (before, _) => before,
        }
    }

    fn to_json(&self, kind: ColumnType) -> Option<(Value, Value)> {
        let time = |micros: i64| {
            let time = chrono::DateTime::from_timestamp_micros(micros)?;
            Some(Value::from(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()))
        };
        match self {
            Self::Int(low, high) if kind == ColumnType::Timestamp => time(*low).zip(time(*high)),
            Self::Int(low, high) => Some(((*low).into(), (*high).into())),
            Self::Text(low, high) if low.len().max(high.len()) > LONGEST_TEXT => None,
            Self::Text(low, high) => Some((low.as_str().into(), high.as_str().into())),
        }
    }
}

fn bounds(column: &Column, array: &ArrayRef) -> Result<Option<Bounds>, LakeError> {
    Ok(match column.kind {
        _ if *array.data_type() == DataType::Null => None,
        ColumnType::Timestamp => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            arrow::compute::min(values).zip(arrow::compute::max(values)).map(|(low, high)| Bounds::Int(low, high))
        }
        ColumnType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            arrow::compute::min(values).zip(arrow::compute::max(values)).map(|(low, high)| Bounds::Int(low, high))
        }
        ColumnType::Text => {
            let plain = plain(array)?;
            let values = plain.as_string::<i32>();
            arrow::compute::min_string(values)
                .zip(arrow::compute::max_string(values))
                .map(|(low, high)| Bounds::Text(low.to_owned(), high.to_owned()))
        }
        _ => None,
    })
}
