//! What was sent is put together again from the tables alone, by another program that follows the rule in
//! `docs/tables.md`.

use std::process::Command;

use crate::fixtures::{Capture, folder};
use crate::readers::{python, run, script};
use crate::server::Server;
use crate::settled;

#[tokio::test(flavor = "multi_thread")]
async fn every_capture_is_put_together_again_from_the_tables() {
    let Some(python) = python("every_capture_is_put_together_again_from_the_tables") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h", "--no-maintenance"]).await;
    for capture in Capture::all() {
        capture.over_http(&server).await;
    }
    server.stop();
    let rebuild = || run(Command::new(&python).arg(script("rebuild.py")).args([&data, &folder("tests/fixtures")]));
    let count: u64 = rebuild().trim().parse().unwrap();
    assert!(count > 650, "only {count} spans and records");
    settled::run(&data, &["compact"]);
    assert_eq!(rebuild().trim().parse::<u64>().unwrap(), count);
}
