//! Others are at work meanwhile: another maintainer, a writer, a death in between.

use std::time::Duration;

use tracewell_maintain::{Compactor, Options, expire};
use tracewell_model::time::Day;

use crate::fixture::{Fixture, clock, compact, multiset, open, span};

async fn four_files() -> Fixture {
    let mut fixture = Fixture::new().await;
    for file in 0..4 {
        fixture.append("spans", &[span(file, file, 1, file), span(file + 10, 10 - file, 1, file)]).await;
    }
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_compactors_one_wins_and_no_row_doubles() {
    let fixture = four_files().await;
    let before = multiset(&fixture.table("spans")).await;
    let other = fixture.other().await;
    let (one, two) = (fixture.table("spans"), other.table("spans").unwrap());
    let (first, second) = (
        Compactor::new(&fixture.lake, Options::default(), clock).unwrap(),
        Compactor::new(&other, Options::default(), clock).unwrap(),
    );
    let job = first.plan(&one, None, false).await.unwrap().unwrap();
    let same = second.plan(two, None, false).await.unwrap().unwrap();
    assert!(first.run(&one, &job).await.unwrap().is_some());
    assert!(second.run(two, &same).await.unwrap().is_none(), "the second finds its files gone");
    assert!(first.run(&one, &job).await.unwrap().is_none(), "and so does the first when it tries again");
    assert_eq!(before, multiset(&one).await);
    assert_eq!(before, multiset(two).await);
    assert_eq!(one.snapshot().files.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn compactors_that_race_keep_every_row() {
    let mut fixture = Fixture::new().await;
    for round in 0..6 {
        for file in 0..8 {
            let id = round * 1_000 + file * 10;
            fixture.append("spans", &[span(id, id, 1, id), span(id + 1, id, 1, id)]).await;
        }
        let (one, two) = (fixture.other().await, fixture.other().await);
        let (left, right) = tokio::join!(
            compact(&one, "spans", Options::default(), true),
            compact(&two, "spans", Options::default(), true)
        );
        assert!(!left.is_empty() || !right.is_empty());
    }
    let rows = multiset(&fixture.table("spans")).await;
    assert_eq!(rows.len(), 6 * 8 * 2);
    assert!(rows.is_sorted_by(|a, b| a < b), "a row is there twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_expire_the_same_files_one_says_that_it_did() {
    for _ in 0..8 {
        let fixture = four_files().await;
        let (one, two) = (fixture.other().await, fixture.other().await);
        let (one, two) = (one.table("spans").unwrap(), two.table("spans").unwrap());
        let nobody = |_: Day| {};
        let (first, second) =
            tokio::join!(expire(one, Duration::ZERO, clock(), &nobody), expire(two, Duration::ZERO, clock(), &nobody));
        assert_eq!(first.unwrap().files + second.unwrap().files, 4);
        assert!(multiset(one).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_create_a_table_one_does() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let (one, two, three) = tokio::join!(open(folder.path()), open(folder.path()), open(folder.path()));
        for table in one.tables() {
            assert_eq!(table.refresh().await.unwrap().version(), 0, "`{}` was created again", table.table().name);
            for other in [&two, &three] {
                assert_eq!(other.table(table.table().name).unwrap().id(), table.id());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_during_a_compaction_survives_it() {
    let mut fixture = four_files().await;
    let other = fixture.other().await;
    let two = other.table("spans").unwrap();
    let compactor = Compactor::new(&other, Options::default(), clock).unwrap();
    let job = compactor.plan(two, None, false).await.unwrap().unwrap();
    fixture.append("spans", &[span(100, 5, 1, 9)]).await;
    let before = multiset(&fixture.table("spans")).await;
    assert!(compactor.run(two, &job).await.unwrap().is_some(), "an append is no conflict");
    fixture.append("spans", &[span(101, 5, 1, 10)]).await;
    let after = multiset(&fixture.table("spans")).await;
    assert_eq!((before.len(), after.len()), (9, 10));
    assert_eq!(fixture.table("spans").snapshot().files.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_before_the_commit_changes_nothing() {
    let fixture = four_files().await;
    let open = fixture.table("spans");
    let before = multiset(&open).await;
    let rows = crate::fixture::read(&open).await.remove(0);
    let orphan =
        tracewell_lake::parquet::encode(open.table(), &rows, tracewell_lake::parquet::Effort::Compacted).unwrap();
    open.put(crate::fixture::DAY, orphan, 0, false).await.unwrap();
    assert_eq!(before, multiset(&open).await);
    compact(&fixture.lake, "spans", Options::default(), false).await;
    assert_eq!(before, multiset(&open).await);
}
