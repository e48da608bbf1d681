//! Acknowledged is stored, stored is stored once: whenever and however often the server dies.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::server::Server;
use crate::spans::{request, span};

/// Kills unless `TRACEWELL_KILLS` says how many.
const KILLS: u64 = 40;
const SENDERS: u64 = 4;

/// What the senders share.
#[derive(Default)]
struct Ledger {
    acked: Mutex<HashSet<u64>>,
    next: AtomicU64,
    stop: AtomicBool,
    address: Mutex<String>,
}

impl Ledger {
    /// Sends requests until told to stop, and each one again until it is acknowledged.
    async fn send(self: Arc<Self>) {
        let client = crate::server::client();
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(7, Ordering::Relaxed);
            let ids: Vec<u64> = (first..first + 1 + first % 7).collect();
            let body = request(ids.iter().map(|id| span(u128::from(*id / 50 + 1), *id, "work")).collect());
            loop {
                let url = format!("{}/v1/traces", self.address.lock().await);
                let sent =
                    client.post(url).header("content-type", "application/x-protobuf").body(body.clone()).send().await;
                if sent.is_ok_and(|answer| answer.status().is_success()) {
                    self.acked.lock().await.extend(&ids);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acked_spans_survive_kills_and_are_stored_once() {
    let kills = std::env::var("TRACEWELL_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Commits come so often that kills fall into every step of them.
    let arguments = ["--commit-interval", "50ms", "--shards", "2"];
    let ledger = Arc::new(Ledger { next: AtomicU64::new(1), ..Ledger::default() });
    let mut server = Server::start(&data, &arguments).await;
    *ledger.address.lock().await = server.http.clone();
    let senders: Vec<_> = (0..SENDERS).map(|_| tokio::spawn(Arc::clone(&ledger).send())).collect();

    let mut random = u64::from(std::process::id());
    for _ in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis((random >> 33) % 300)).await;
        server.kill();
        server = Server::start(&data, &arguments).await;
        *ledger.address.lock().await = server.http.clone();
    }
    ledger.stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }

    let acked = ledger.acked.lock().await.clone();
    assert!(acked.len() as u64 > kills, "hardly anything was sent: {}", acked.len());
    for (moment, rows) in [
        ("while it runs", server.sql("SELECT span_id FROM spans")),
        ("after an orderly stop", {
            server.stop();
            crate::server::sql(&data, "SELECT span_id FROM spans")
        }),
    ] {
        let stored: Vec<u64> =
            rows.iter().map(|row| u64::from_str_radix(row["span_id"].as_str().unwrap(), 16).unwrap()).collect();
        let distinct: HashSet<u64> = stored.iter().copied().collect();
        let lost: Vec<_> = acked.difference(&distinct).collect();
        assert!(lost.is_empty(), "{moment}: {} acknowledged spans are lost: {lost:?}", lost.len());
        assert_eq!(stored.len(), distinct.len(), "{moment}: spans are stored twice");
        println!("{moment}: {kills} kills, {} spans acknowledged, {} stored", acked.len(), stored.len());
    }
}
