//! A write-ahead log that something damaged: nothing of it is given up in silence.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::server::{BINARY, Server, client};
use crate::spans::{request, span};

/// Runs a command over `data`, for half a minute at most.
fn tracewell(data: &Path, arguments: &[&str]) -> Output {
    Command::new("timeout").args(["30", BINARY]).args(arguments).arg("--data").arg(data).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_refused_and_what_quarantine_gives_up_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["--commit-interval", "1h", "--shards", "1"];
    let server = Server::start(&data, &arguments).await;
    for id in 1..=3 {
        let body = request(vec![span(1, id, "one")]);
        server.takes("/v1/traces", body).await;
    }
    server.kill();
    let segment = data.join("wal/shard-0/00000000000000000001.wal");
    let mut bytes = std::fs::read(&segment).unwrap();
    // Within the first record: behind the segment's header of 48 bytes and the record's of 56.
    bytes[48 + 56 + 20] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let check = tracewell(&data, &["check"]);
    assert!(!check.status.success() && told(&check).contains("damage to synced bytes, record `1`"), "{}", told(&check));
    let refused = tracewell(&data, &["serve", "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
    assert!(told(&refused).contains("open with quarantine"), "{}", told(&refused));

    let server = Server::start(&data, &[&arguments[..], &["--quarantine"]].concat()).await;
    assert_eq!(
        server.sql("SELECT span_id FROM spans ORDER BY 1"),
        [json!({ "span_id": "0000000000000002" }), json!({ "span_id": "0000000000000003" })]
    );
    let metrics = client().get(format!("{}/metrics", server.http)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\ntracewell_wal_lost_requests 1\n"), "{metrics}");
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("damage to synced bytes, record `1`"), "{log}");
    assert!(log.contains("acknowledged requests are lost to damage of the write-ahead log: 1"), "{log}");
    server.kill();
    // It stays told for as long as the log holds the place.
    let check = tracewell(&data, &["check"]);
    assert!(check.status.success(), "{}", told(&check));
    assert!(told(&check).contains("record `1` given up when damage was quarantined"), "{}", told(&check));
}
