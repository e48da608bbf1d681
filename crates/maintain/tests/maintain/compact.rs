//! Compaction keeps the rows, sorts them, and drops those that repeat.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::util::display::array_value_to_string;
use tracewell_lake::parquet::{Effort, encode};
use tracewell_maintain::{Compactor, Options};
use tracewell_model::schema::{FACT_TABLES, SPANS};

use crate::fixture::{DAY, Fixture, Row, START, Value, batch, clock, compact, ints, multiset, read, span};

/// Numbers that look random and are the same each time.
fn scatter(value: i64) -> i64 {
    (value * 7_919) % 100_003
}

fn row(table: &str, id: i64) -> Row {
    let mut row = span(id, scatter(id), id, id);
    let time = row["start_unix_nano"].clone();
    match table {
        "contents" => {
            row.insert("hash", Value::Text(format!("{:032x}", scatter(id))));
            row.insert("content", Value::Text(format!("content {id}")));
        }
        "spans" => {
            row.insert("name", Value::Text(format!("step {}", id % 7)));
        }
        _ => {
            row.insert("time_unix_nano", time);
        }
    }
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_keeps_its_rows_and_comes_out_sorted() {
    for table in FACT_TABLES {
        let mut fixture = Fixture::new().await;
        for file in 0..6 {
            let rows: Vec<Row> = (0..300).map(|id| row(table.name, file * 300 + id)).collect();
            fixture.append(table.name, &rows).await;
        }
        let open = fixture.table(table.name);
        let before = multiset(&open).await;
        let done = compact(&fixture.lake, table.name, Options::default(), false).await;
        assert_eq!(done.len(), 1, "{}", table.name);
        assert_eq!((done[0].files, done[0].rows, done[0].repeated), (6, 1800, 0), "{}", table.name);
        assert!(before == multiset(&open).await, "the rows of `{}` differ", table.name);
        let files = read(&open).await;
        assert_eq!(files.len(), 1);
        let sorted = tracewell_lake::parquet::sort(table, &files[0]).unwrap();
        for key in table.sort {
            assert_eq!(sorted.column_by_name(key), files[0].column_by_name(key), "`{}` is not sorted", table.name);
        }
        assert_eq!(open.snapshot().files[0].rows, 1800);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resent_span_stays_once_as_its_longest_version() {
    let mut fixture = Fixture::new().await;
    // Span 1 four times with other durations, once with another start, which is that of its run and stays; span 2
    // twice, equal but for the sequence.
    fixture.append("spans", &[span(1, 10, 5, 1), span(2, 20, 7, 1), span(3, 5, 1, 1)]).await;
    fixture.append("spans", &[span(1, 10, 9, 2), span(2, 20, 7, 4)]).await;
    fixture.append("spans", &[span(1, 8, 7, 3), span(1, 10, 6, 3), span(4, 1, -1, 3)]).await;
    // Another tenant's span of the same ids is another span; the same row twice in one request is one.
    let mut foreign = span(1, 10, 1, 5);
    foreign.insert("tenant", "other".into());
    fixture.append("spans", &[foreign, span(5, 1, 1, 5), span(5, 1, 1, 5)]).await;
    let done = compact(&fixture.lake, "spans", Options::default(), false).await;
    assert_eq!((done[0].rows, done[0].repeated), (7, 4));
    let open = fixture.table("spans");
    let rows = read(&open).await.remove(0);
    let column = |name: &str| {
        arrow::compute::cast(rows.column_by_name(name).unwrap(), &arrow::datatypes::DataType::Utf8).unwrap()
    };
    let (tenant, id, duration, seq) = (column("tenant"), column("span_id"), column("duration_ns"), column("seq"));
    let text = |array: &arrow::array::ArrayRef, row| array.as_string::<i32>().value(row).to_owned();
    let mut kept: Vec<_> = (0..rows.num_rows())
        .map(|row| (text(&tenant, row), text(&id, row)[15..].to_owned(), text(&duration, row), text(&seq, row)))
        .collect();
    kept.sort();
    let expected = [
        ("default", "1", "7", "3"),
        ("default", "1", "9", "2"),
        ("default", "2", "7", "1"),
        ("default", "3", "1", "1"),
        ("default", "4", "-1", "3"),
        ("default", "5", "1", "5"),
        ("other", "1", "1", "5"),
    ];
    assert_eq!(kept, expected.map(|(a, b, c, d)| (a.into(), b.into(), c.into(), d.into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_a_span_stays_while_it_has_a_field_that_no_longer_one_has_however_they_came() {
    let versions: [(i64, &[(&'static str, &str)]); 6] = [
        (9, &[("release", "r")]),
        (9, &[("status_message", "s")]),
        (7, &[("response_model", "m")]),
        (7, &[("response_model", "m")]),
        (5, &[("response_model", "n"), ("status_message", "t")]),
        (5, &[("user_id", "u")]),
    ];
    for (order, staged) in [
        ([0, 1, 2, 3, 4, 5], false),
        ([5, 4, 3, 2, 1, 0], false),
        ([4, 2, 5, 0, 3, 1], true),
        ([3, 0, 1, 5, 4, 2], true),
    ] {
        let mut fixture = Fixture::new().await;
        for (seq, at) in order.into_iter().enumerate() {
            let (duration, fields) = versions[at];
            let mut row = span(1, 10, duration, seq as i64);
            row.extend(fields.iter().map(|(name, value)| (*name, Value::from(*value))));
            fixture.append("spans", &[row]).await;
            if staged && seq == 2 {
                compact(&fixture.lake, "spans", Options::default(), true).await;
            }
        }
        compact(&fixture.lake, "spans", Options::default(), true).await;
        let rows = read(&fixture.table("spans")).await.remove(0);
        let value = |row, name| array_value_to_string(rows.column_by_name(name).unwrap(), row).unwrap();
        let told = ["duration_ns", "release", "status_message", "response_model", "user_id"];
        let mut kept: Vec<_> = (0..rows.num_rows()).map(|row| told.map(|name| value(row, name)).join(",")).collect();
        kept.sort();
        assert_eq!(kept, ["5,,,,u", "7,,,m,", "9,,s,,", "9,r,,,"], "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_a_span_stays_while_it_differs_from_longer_ones_in_what_views_take_from_every_version() {
    let version = |duration, start, status: &str, service: &str, parent: Option<&str>| {
        let mut row = span(1, start, duration, duration);
        row.extend([("status", status.into()), ("service", service.into())]);
        row.extend(parent.map(|parent| ("parent_span_id", Value::from(parent))));
        row
    };
    let mut fixture = Fixture::new().await;
    for versions in [
        [version(9, 10, "ok", "shop", Some("p")), version(8, 10, "error", "shop", Some("p"))],
        [version(7, 10, "ok", "shop", None), version(6, 10, "ok", "cart", Some("p"))],
        // Each of these has what some longer one has.
        [version(5, 10, "ok", "shop", Some("p")), version(4, 10, "error", "cart", None)],
        [version(3, 11, "ok", "shop", Some("p")), version(2, 11, "error", "shop", None)],
    ] {
        fixture.append("spans", &versions).await;
    }
    compact(&fixture.lake, "spans", Options::default(), true).await;
    assert_eq!(ints(&fixture.table("spans"), "duration_ns").await, [3, 6, 7, 8, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_repeated_within_one_file_go_and_the_file_is_rewritten_only_once() {
    let mut fixture = Fixture::new().await;
    let again = |seq| span(1, 10, 5, seq);
    fixture.append("spans", &[again(1), again(1), again(2), span(2, 20, 7, 1), span(2, 20, 7, 2)]).await;
    let mut score = span(1, 0, 0, 1);
    score.extend([("name", "Relevance".into()), ("label", "good".into())]);
    let mut later = score.clone();
    later.extend([("seq", 9.into()), ("received_at", (START / 1_000 + 5).into())]);
    fixture.append("scores", &[later, score]).await;
    for (table, kept, dropped) in [("spans", vec![1, 1], 3), ("scores", vec![1], 1)] {
        assert!(compact(&fixture.lake, table, Options::default(), false).await.is_empty(), "others may come to merge");
        let done = compact(&fixture.lake, table, Options::default(), true).await;
        assert_eq!(done.iter().map(|done| done.repeated).collect::<Vec<_>>(), [dropped], "{table}");
        assert_eq!(ints(&fixture.table(table), "seq").await, kept);
        assert!(compact(&fixture.lake, table, Options::default(), true).await.is_empty(), "`{table}` twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_rested_for_an_hour_is_rewritten_without_being_asked_for() {
    let mut fixture = Fixture::new().await;
    fixture.append("spans", &[span(1, 10, 5, 1), span(1, 10, 5, 2)]).await;
    fn later() -> i64 {
        clock() + 7_200_000_000_000
    }
    let table = fixture.table("spans");
    let compactor = Compactor::new(&fixture.lake, Options::default(), later).unwrap();
    let job = compactor.plan(&table, None, false).await.unwrap().unwrap();
    assert_eq!(compactor.run(&table, &job).await.unwrap().unwrap().repeated, 1);
    assert!(compactor.plan(&table, None, false).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_repeat_those_of_another_large_file_go_and_other_files_stay_as_they_are() {
    let mut fixture = Fixture::new().await;
    let rows = |ids: std::ops::Range<i64>, duration| ids.map(|id| span(id, id, duration, id)).collect::<Vec<Row>>();
    fixture.append("spans", &rows(0..10, 5)).await;
    // Longer, the same, and shorter than what the first file holds.
    fixture.append("spans", &[rows(0..3, 6), rows(3..6, 5), rows(6..8, 1), rows(20..22, 1)].concat()).await;
    fixture.append("spans", &rows(30..40, 1)).await;
    let options = Options { target_bytes: 1, ..Options::default() };
    assert_eq!(compact(&fixture.lake, "spans", options.clone(), true).await.len(), 3);
    let table = fixture.table("spans");
    let before: Vec<_> = table.snapshot().files.iter().map(|file| (file.path.clone(), file.lineage())).collect();
    let compactor = Compactor::new(&fixture.lake, options, clock).unwrap();
    assert_eq!(Compactor::days_of_several_files(&table), [DAY].into());
    let done = compactor.drop_repeats(&table, DAY).await.unwrap().unwrap();
    assert_eq!((done.files, done.rows, done.repeated), (2, 12, 8));
    let mut expected = [vec![6; 3], vec![5; 7], vec![1; 12]].concat();
    expected.sort_unstable();
    assert_eq!(ints(&table, "duration_ns").await, expected);
    let files = &table.snapshot().files;
    assert_eq!(files.iter().filter(|file| before.iter().any(|(path, _)| *path == file.path)).count(), 1);
    // Who settled by these files need not do so again.
    let lineages = |all: Vec<u64>| all.into_iter().fold(0, |all, one| all ^ one);
    let after = lineages(files.iter().map(|file| file.lineage()).collect());
    assert_eq!(after, lineages(before.into_iter().map(|(_, lineage)| lineage).collect()));
    assert!(compactor.drop_repeats(&table, DAY).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_stays_once_as_it_last_came_and_logs_only_lose_exact_copies() {
    let mut fixture = Fixture::new().await;
    for (received, tenant) in [(30, "a"), (10, "a"), (20, "a"), (5, "b")] {
        let mut row = span(1, received, 0, received);
        row.extend([("hash", "abc".into()), ("tenant", tenant.into())]);
        fixture.append("contents", &[row]).await;
    }
    compact(&fixture.lake, "contents", Options::default(), false).await;
    assert_eq!(ints(&fixture.table("contents"), "seq").await, [5, 30], "it may be needed as long as its last receipt");

    // A copy differs in its receipt alone; one that differs in its body is another record.
    for (seq, body) in [(1, "x"), (2, "x"), (3, "y"), (4, "x")] {
        let mut row = span(1, 0, 0, seq);
        row.extend([("time_unix_nano", 7.into()), ("body", body.into()), ("received_at", seq.into())]);
        fixture.append("logs", &[row]).await;
    }
    compact(&fixture.lake, "logs", Options::default(), false).await;
    assert_eq!(ints(&fixture.table("logs"), "seq").await, [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_sorted_are_sorted() {
    let mut fixture = Fixture::new().await;
    for file in 0..4 {
        let rows: Vec<Row> = (0..100).map(|id| span(file * 100 + id, 1_000 - id, 1, 1)).collect();
        let unsorted = batch(&SPANS, &rows);
        fixture.append_as_is("spans", DAY, &unsorted).await;
    }
    let open = fixture.table("spans");
    let before = multiset(&open).await;
    compact(&fixture.lake, "spans", Options::default(), false).await;
    assert!(before == multiset(&open).await);
    let starts = read(&open).await.remove(0);
    let starts =
        starts.column_by_name("start_unix_nano").unwrap().as_primitive::<arrow::datatypes::Int64Type>().values();
    assert!(starts.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_cover_every_row_of_the_merged_file() {
    let mut fixture = Fixture::new().await;
    for file in 0..4 {
        let mut rows: Vec<Row> = (0..50).map(|id| span(file * 50 + id, scatter(file * 50 + id), 1, 1)).collect();
        rows[0].insert("service", Value::Text(format!("service {file}")));
        fixture.append("spans", &rows).await;
    }
    compact(&fixture.lake, "spans", Options::default(), false).await;
    let open = fixture.table("spans");
    let rows = read(&open).await.remove(0);
    let of_one = encode(&SPANS, &rows, Effort::Compacted).unwrap().statistics;
    let log = fixture.folder.path().join("spans/_delta_log");
    let newest = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let commit = std::fs::read_to_string(newest).unwrap();
    let quoted = format!("{of_one:?}");
    assert!(commit.contains(&quoted), "{quoted}\n{commit}");
    assert!(commit.contains("\"dataChange\":false") && !commit.contains("\"dataChange\":true"), "{commit}");
    assert!(commit.contains("maintenance:spans"), "{commit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn merging_waits_until_it_pays_and_leaves_large_files_alone() {
    let mut fixture = Fixture::new().await;
    let file = |from: i64, rows: i64| (from..from + rows).map(|id| span(id, scatter(id), id, id)).collect::<Vec<Row>>();
    for number in 0..3 {
        fixture.append("spans", &file(number * 100, 100)).await;
    }
    assert!(compact(&fixture.lake, "spans", Options::default(), false).await.is_empty(), "three files can wait");
    assert_eq!(compact(&fixture.lake, "spans", Options::default(), true).await.len(), 1, "unless forced");
    // One large file among small ones is not written again for them.
    fixture.append("spans", &file(1_000, 60_000)).await;
    assert_eq!(compact(&fixture.lake, "spans", Options { target_bytes: 1, ..Options::default() }, true).await.len(), 1);
    let large = fixture.table("spans").snapshot().files.iter().max_by_key(|file| file.size).map(Arc::clone).unwrap();
    for number in 0..4 {
        fixture.append("spans", &file(70_000 + number * 10, 10)).await;
    }
    compact(&fixture.lake, "spans", Options::default(), false).await;
    let open = fixture.table("spans");
    assert!(open.snapshot().files.iter().any(|file| file.path == large.path));
    // With a target below twice its size it is left alone even when forced.
    let options = Options { target_bytes: large.size, ..Options::default() };
    fixture.append("spans", &file(80_000, 10)).await;
    assert_eq!(compact(&fixture.lake, "spans", options, true).await.len(), 1);
    assert_eq!(open.snapshot().files.len(), 2);
    assert!(open.snapshot().files.iter().any(|file| file.path == large.path));
    assert_eq!(ints(&open, "seq").await.len(), 300 + 60_000 + 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_beyond_its_memory_sorts_on_disk() {
    let mut fixture = Fixture::new().await;
    for file in 0..4 {
        let rows: Vec<Row> = (0..2_000)
            .map(|id| {
                let mut row = span(file * 2_000 + id, scatter(id), 1, id);
                // Compresses to nothing, so that the plan takes the rows for small.
                row.insert("input_preview", Value::Text("x".repeat(8_000)));
                row
            })
            .collect();
        fixture.append("spans", &rows).await;
    }
    let options = Options { memory_bytes: 64 << 20, ..Options::default() };
    let done = compact(&fixture.lake, "spans", options, false).await;
    assert_eq!(done[0].rows, 8_000);
}
