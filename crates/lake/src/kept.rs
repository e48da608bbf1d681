//! Rows that people keep: few at a time, each addition a commit of its own.
//!
//! Transactions say what rows are the only ones of: revision 4 of a prompt, the published figures of a week. Who is
//! second finds it [`AlreadyIn`](Commit::AlreadyIn), whichever process or machine was first.

use arrow::json::ReaderBuilder;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::{Map, Value};
use tracewell_model::schema::Table;
use tracewell_model::time::Day;

use crate::parquet::{self, Effort};
use crate::schema::file_schema;
use crate::{Commit, FactTable, LakeError, Transaction};

/// Adds rows to a table, whose `date` and `recorded_at` are `now` (nanoseconds since 1970). The fields of a row are the
/// other columns: times as RFC 3339, lists as arrays. A column that a row lacks is NULL.
///
/// # Errors
/// When a row is not of the table's schema, or the store fails. Then nothing was added.
pub async fn keep<T: Serialize>(
    table: &FactTable,
    rows: &[T],
    once: &[Transaction],
    now: i64,
) -> Result<Commit, LakeError> {
    let described = table.table();
    let recorded_at = DateTime::from_timestamp_nanos(now).to_rfc3339_opts(SecondsFormat::Micros, true);
    let rows = rows.iter().map(|row| stamped(row, &recorded_at)).collect::<Result<Vec<_>, _>>();
    let wrong = |reason: String| LakeError::Schema { table: described.name, reason };
    let rows = rows.map_err(wrong)?;
    if let Some(unknown) = rows.iter().flat_map(Map::keys).find(|key| !has(described, key)) {
        return Err(wrong(format!("there is no column `{unknown}`")));
    }
    let schema = file_schema(described);
    let mut decoder = ReaderBuilder::new(schema).with_batch_size(rows.len().max(1)).build_decoder()?;
    decoder.serialize(&rows)?;
    let Some(batch) = decoder.flush()? else { return Err(wrong("there are no rows to add".to_owned())) };
    let file = parquet::encode(described, &parquet::sort(described, &batch)?, Effort::Compacted)?;
    let now_ms = now / 1_000_000;
    let file = table.put(Day::of(now), file, now_ms, true).await?;
    table.commit_once(vec![file], once, now_ms).await
}

fn stamped<T: Serialize>(row: &T, recorded_at: &str) -> Result<Map<String, Value>, String> {
    match serde_json::to_value(row).map_err(|error| error.to_string())? {
        Value::Object(mut row) => {
            row.insert("recorded_at".to_owned(), Value::from(recorded_at));
            Ok(row)
        }
        other => Err(format!("a row is an object, not {other}")),
    }
}

fn has(table: &Table, name: &str) -> bool {
    table.columns[1..].iter().any(|column| column.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use serde_json::json;
    use tracewell_model::schema::{Column, ColumnType};

    use super::*;
    use crate::{Lake, Location};

    const fn column(name: &'static str, kind: ColumnType, nullable: bool) -> Column {
        let (statistics, dictionary, bloom, random) = (false, false, false, false);
        Column { name, kind, nullable, statistics, dictionary, bloom, random, doc: "For tests." }
    }

    const DECISIONS: Table = Table {
        name: "decisions",
        doc: "For tests.",
        sort: &["recorded_at"],
        columns: &[
            column("date", ColumnType::Date, false),
            column("recorded_at", ColumnType::Timestamp, false),
            column("name", ColumnType::Text, false),
            column("revision", ColumnType::Int64, true),
            column("tags", ColumnType::TextList, true),
        ],
    };

    const NOW: i64 = 1_795_000_000_000_000_000;

    async fn open(folder: &tempfile::TempDir) -> Arc<FactTable> {
        let location = Location::parse(&folder.path().display().to_string(), &HashMap::new()).unwrap();
        let lake = Lake::open(location, &[&DECISIONS], true).await.unwrap();
        Arc::clone(lake.table(DECISIONS.name).unwrap())
    }

    fn revision(version: i64) -> Transaction {
        Transaction { app: "decisions:a".to_owned(), version }
    }

    #[tokio::test]
    async fn one_of_many_writers_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut tables = Vec::new();
        for _ in 0..4 {
            tables.push(open(&folder).await);
        }
        for version in 1..=3 {
            let row = [json!({"name": "a", "revision": version, "tags": ["x", "y"]})];
            let (row, once) = (&row, &[revision(version)]);
            let tries = tables.iter().map(|table| keep(table, row, once, NOW));
            let outcomes = futures::future::join_all(tries).await;
            let landed = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Commit::Landed(_)))).count();
            let late = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Commit::AlreadyIn))).count();
            assert_eq!((landed, late), (1, 3), "{outcomes:?}");
        }
        let seen = tables[0].refresh().await.unwrap();
        assert_eq!(seen.files.iter().map(|file| file.rows).sum::<u64>(), 3);
    }

    #[tokio::test]
    async fn of_several_transactions_all_land_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (open(&folder).await, open(&folder).await);
        let of = |name: &str, version| Transaction { app: format!("decisions:{name}"), version };
        let row = |name: &str| json!({"name": name, "revision": 1});
        let both = keep(&ours, &[row("a"), row("b")], &[of("a", 1), of("b", 1)], NOW).await.unwrap();
        assert!(matches!(both, Commit::Landed(_)), "{both:?}");
        // Somebody was first with the second of them, so the first is still to be had.
        let late = keep(&theirs, &[row("c"), row("b")], &[of("c", 1), of("b", 1)], NOW).await.unwrap();
        assert_eq!(late, Commit::AlreadyIn);
        let again = keep(&theirs, &[row("c"), row("b")], &[of("c", 1), of("b", 2)], NOW).await.unwrap();
        assert!(matches!(again, Commit::Landed(_)), "{again:?}");
        // Of two at once that have one of them in common, one lands.
        let (one, other) = ([of("b", 3), of("d", 1)], [of("e", 1), of("b", 3)]);
        let (row_d, row_e) = ([row("d")], [row("e")]);
        let (one, other) = tokio::join!(keep(&ours, &row_d, &one, NOW), keep(&theirs, &row_e, &other, NOW));
        let outcomes = [one.unwrap(), other.unwrap()];
        assert!(outcomes.contains(&Commit::AlreadyIn) && outcomes[0] != outcomes[1], "{outcomes:?}");
        let seen = ours.refresh().await.unwrap();
        assert_eq!(seen.files.iter().map(|file| file.rows).sum::<u64>(), 5);
    }

    #[tokio::test]
    async fn a_row_that_does_not_fit_adds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let table = open(&folder).await;
        let mut once = 0;
        for (row, reason) in [
            (json!({"name": "a", "verdict": "pass"}), "there is no column `verdict`"),
            (json!({"name": "a", "revision": "many"}), "many"),
            (json!({"revision": 1}), "name"),
            (json!("a"), "a row is an object"),
        ] {
            once += 1;
            let error = keep(&table, &[row], &[revision(once)], NOW).await.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(keep::<Value>(&table, &[], &[revision(9)], NOW).await.is_err());
        assert!(table.refresh().await.unwrap().files.is_empty());
    }
}
