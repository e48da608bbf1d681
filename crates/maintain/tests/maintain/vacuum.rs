//! Vacuum frees what nothing needs, and nothing else.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tracewell_maintain::{Options, vacuum};

use crate::fixture::{Fixture, clock, compact, multiset, span};

const HOUR: u64 = 3600;

fn files(fixture: &Fixture) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(fixture.folder.path().join("spans")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.file_name().unwrap().to_str().unwrap().starts_with("date=") {
            found.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

async fn compacted() -> Fixture {
    let mut fixture = Fixture::new().await;
    for file in 0..4 {
        fixture.append("spans", &[span(file, file, 1, file)]).await;
    }
    compact(&fixture.lake, "spans", Options::default(), false).await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_files_stay_readable_for_as_long_as_they_are_to_be_retained() {
    let fixture = compacted().await;
    let open = fixture.table("spans");
    let before = multiset(&open).await;
    // The files were removed when the fixture's clock stood.
    let removed_ms = clock() / 1_000_000;
    let retain = Duration::from_secs(24 * HOUR);
    let kept = vacuum(&open, retain, false, removed_ms + 23 * 3_600_000).await.unwrap();
    assert_eq!((kept.deleted, kept.kept, kept.live), (0, 4, 1));
    assert_eq!(files(&fixture).len(), 5);
    let counted = vacuum(&open, retain, true, removed_ms + 24 * 3_600_000).await.unwrap();
    assert_eq!((counted.deleted, files(&fixture).len()), (4, 5), "a dry run only counts");
    let deleted = vacuum(&open, retain, false, removed_ms + 24 * 3_600_000).await.unwrap();
    assert_eq!((deleted.deleted, deleted.kept, files(&fixture).len()), (4, 0, 1));
    assert_eq!(before, multiset(&open).await);
    assert_eq!(before, multiset(fixture.other().await.table("spans").unwrap()).await, "and to those who open it anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_of_nothing_deletes_no_live_file_and_none_being_committed() {
    let fixture = compacted().await;
    let open = fixture.table("spans");
    let before = multiset(&open).await;
    let folder = files(&fixture)[0].parent().unwrap().to_owned();
    let (fresh, old) = (folder.join("part-fresh.parquet"), folder.join("part-old.parquet"));
    let elsewhere = fixture.folder.path().join("spans/notes.txt");
    let hours_ago = SystemTime::now() - Duration::from_secs(2 * HOUR);
    for (path, age) in [(&fresh, None), (&old, Some(hours_ago)), (&elsewhere, Some(hours_ago))] {
        let file = std::fs::File::create(path).unwrap();
        age.map_or(Ok(()), |age| file.set_modified(age)).unwrap();
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
    let done = vacuum(&open, Duration::ZERO, false, now).await.unwrap();
    assert_eq!((done.deleted, done.kept), (5, 1));
    assert!(fresh.exists() && !old.exists() && elsewhere.exists());
    assert_eq!(before, multiset(&open).await);
    // What a writer in another process has seen of the table is not needed for its next commit.
    let mut fixture = fixture;
    fixture.append("spans", &[span(50, 1, 1, 1)]).await;
    assert_eq!(multiset(&open).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_knows_what_others_committed_meanwhile() {
    let fixture = compacted().await;
    let other = fixture.other().await;
    // Stale in this process: it has not seen what the other one does now.
    let stale = fixture.table("spans");
    let mut grown = fixture;
    grown.lake = other;
    for file in 10..14 {
        grown.append("spans", &[span(file, file, 1, file)]).await;
    }
    compact(&grown.lake, "spans", Options::default(), true).await;
    let before = multiset(&grown.table("spans")).await;
    let far = clock() / 1_000_000 + 1_000 * 24 * 3_600_000;
    vacuum(&stale, Duration::ZERO, false, far).await.unwrap();
    assert_eq!(before, multiset(&grown.table("spans")).await);
}
