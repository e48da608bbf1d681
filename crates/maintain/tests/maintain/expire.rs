//! Rows leave only when both their date and their receipt are past the retention.

use std::sync::Mutex;
use std::time::Duration;

use tracewell_maintain::{expire, expiring};
use tracewell_model::schema::{CONTENTS, SPANS};
use tracewell_model::time::{Day, NANOS_PER_DAY};

use crate::fixture::{DAY, Fixture, START, batch, compact, ints, span};

const DAYS: u64 = 24 * 3600;

fn received(id: i64, day: i64) -> crate::fixture::Row {
    let mut row = span(id, 0, 1, id);
    row.extend([("received_at", (START / 1_000 + day * NANOS_PER_DAY / 1_000).into()), ("hash", "abc".into())]);
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_when_its_date_and_every_receipt_are_past() {
    let mut fixture = Fixture::new().await;
    fixture.append("spans", &[received(1, 0)]).await;
    // Received five days late.
    fixture.append("spans", &[received(2, 0), received(3, 5)]).await;
    let of_next_day = batch(&SPANS, &[received(4, 0)]);
    fixture.append_as_is("spans", Day(DAY.0 + 1), &of_next_day).await;
    let open = fixture.table("spans");
    let at = |days: i64| START + days * NANOS_PER_DAY;
    let ten = Duration::from_secs(10 * DAYS);
    let none = expire(&open, ten, at(11) - 1, &|_| {}).await.unwrap();
    assert_eq!((none.files, none.files_left), (0, 3), "the day ended less than ten days ago");
    let foretold = expiring(&open, ten, at(11));
    assert_eq!(ints(&open, "seq").await, [1, 2, 3, 4], "asking takes nothing");
    let one = expire(&open, ten, at(11), &|_| {}).await.unwrap();
    assert_eq!(foretold, one);
    assert_eq!((one.files, one.rows, one.days.into_iter().collect::<Vec<_>>()), (1, 1, vec![DAY]));
    assert_eq!(ints(&open, "seq").await, [2, 3, 4]);
    expire(&open, ten, at(12), &|_| {}).await.unwrap();
    assert_eq!(ints(&open, "seq").await, [2, 3], "the late row keeps its file");
    expire(&open, ten, at(15) + 1, &|_| {}).await.unwrap();
    assert!(ints(&open, "seq").await.is_empty());
    // Writers go on.
    fixture.append("spans", &[received(9, 20)]).await;
    assert_eq!(ints(&open, "seq").await, [9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_survive_a_compaction_and_contents_are_forgotten_before_they_go() {
    let mut fixture = Fixture::new().await;
    for day in 0..4 {
        let mut row = received(day, day);
        row.insert("hash", crate::fixture::Value::Text(format!("{day:032x}")));
        fixture.append("contents", &[row]).await;
    }
    compact(&fixture.lake, CONTENTS.name, tracewell_maintain::Options::default(), false).await;
    let open = fixture.table("contents");
    let told = Mutex::new(Vec::new());
    let version = open.snapshot().version();
    let forget = |day| told.lock().unwrap().push((day, open.snapshot().version()));
    let week = Duration::from_secs(7 * DAYS);
    let none = expire(&open, week, START + 9 * NANOS_PER_DAY, &forget).await.unwrap();
    assert_eq!(none.files, 0);
    let all = expire(&open, week, START + 10 * NANOS_PER_DAY, &forget).await.unwrap();
    assert_eq!((all.files, all.rows), (1, 4));
    assert_eq!(*told.lock().unwrap(), [(DAY, version)]);
}
