//! Clients that mean no good, or are broken: the server goes on, and works for nobody who is gone.

use std::time::{Duration, Instant};

use super::{QUESTION, Raw, started};
use crate::server::Server;

/// Nobody waits for its end.
pub(super) const ENDLESS: &[u8] =
    b"SELECT sum(a.value + b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b\0";

/// Asks something simple over a connection of its own.
pub(super) fn still_answers(server: &Server) {
    let mut client = Raw::connect(server);
    client.start();
    client.message(Some(b'Q'), b"SELECT 42\0");
    let mut answers = std::iter::from_fn(|| Some(client.receive()));
    assert!(answers.any(|(kind, body)| kind == b'D' && body.ends_with(b"42")));
}

/// Waits until the server does nothing any more.
pub(super) async fn falls_silent(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        let before = server.processor_ticks();
        tokio::time::sleep(Duration::from_secs(1)).await;
        // A hundred ticks are a second of one processor.
        if server.processor_ticks() - before < 20 {
            return;
        }
        assert!(Instant::now() < deadline, "the server still works for nobody");
    }
}

/// Waits until the server works.
pub(super) async fn works(server: &Server) {
    let before = server.processor_ticks();
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.processor_ticks() - before < 50 {
        assert!(Instant::now() < deadline, "the query does not begin");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_only_its_own_connection() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let peak = server.peak_memory();
    let before_start: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\x04",
        b"\x7f\xff\xff\xff\0\x03\0\0",
        b"\0\0\0\x09\0\x02\0\0\0",
        b"\0\0\0\x10\0\x03\0\0user\0ada",
    ];
    for bytes in before_start {
        let mut client = Raw::connect(&server);
        client.send(bytes);
        client.0.shutdown(std::net::Shutdown::Write).unwrap();
        client.rest();
    }
    let after_start: [(u8, &[u8]); 12] = [
        (b'Q', b"\xff\xff\xff\xffSELECT 1\0"),
        (b'Q', b"\0\0\0\x00"),
        (b'P', b"\x7f\xff\xff\xf0\0"),
        (b'Q', b"\0\0\0\x0cSELECT 1"),
        (b'Q', b"\0\0\0\x07\xff\xfe\0"),
        (b'P', b"\0\0\0\x08\0\0\xff\xff"),
        (b'B', b"\0\0\0\x0a\0\0\xff\xff\0\0"),
        (b'B', b"\0\0\0\x10\0\0\0\0\0\x01\x7f\xff\xff\xff"),
        (b'D', b"\0\0\0\x04"),
        (b'E', b"\0\0\0\x04"),
        (b'z', b"\0\0\0\x04"),
        (b'F', b"\0\0\0\x04"),
    ];
    for (kind, bytes) in after_start {
        let mut client = Raw::connect(&server);
        client.start();
        client.send(&[kind]);
        client.send(bytes);
        client.0.shutdown(std::net::Shutdown::Write).unwrap();
        client.rest();
    }
    still_answers(&server);
    let log = std::fs::read_to_string(server.data.with_extension("log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
    assert!(server.peak_memory() < peak + (64 << 20), "garbage took memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_announced_too_large_is_refused_before_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let mut client = Raw::connect(&server);
    client.start();
    client.send(b"Q\x3f\xff\xff\xff");
    let (kind, body) = client.receive();
    assert!(kind == b'E' && body.windows(5).any(|code| code == b"08P01"), "{}", String::from_utf8_lossy(&body));
    assert!(client.rest().is_empty());
    still_answers(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_say_who_it_is_is_sent_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let silent = Raw::connect(&server);
    let mut half = Raw::connect(&server);
    half.send(b"\0\0\0\x20\0\x03\0\0us");
    // Both are closed after a while; they hold nobody up meanwhile.
    still_answers(&server);
    assert!(silent.rest().is_empty());
    assert!(half.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_hurt_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let mut idle = Vec::new();
    for _ in 0..1000 {
        let mut client = Raw::connect(&server);
        client.start();
        idle.push(client);
    }
    still_answers(&server);
    assert_eq!(server.sql(QUESTION).len(), 2);
    server.takes("/v1/traces", crate::spans::request(super::calls())).await;
    // They are as good as new.
    let mut last = idle.pop().unwrap();
    last.message(Some(b'Q'), b"SELECT 7\0");
    assert_eq!(last.receive().0, b'T');
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_stops_when_its_client_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let mut client = Raw::connect(&server);
    client.start();
    client.message(Some(b'Q'), ENDLESS);
    works(&server).await;
    drop(client);
    falls_silent(&server).await;
    still_answers(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_key_cancels() {
    let folder = tempfile::tempdir().unwrap();
    let server = started(&folder, &[]).await;
    let mut client = Raw::connect(&server);
    let key = client.start();
    let cancel = |key: &[u8]| {
        let mut request = Raw::connect(&server);
        request.message(None, &[&[0x04, 0xd2, 0x16, 0x2e], key].concat());
        let answer = request.rest();
        assert!(key.len() != 8 || answer.is_empty(), "a cancel request has no answer");
    };
    client.message(Some(b'Q'), ENDLESS);
    works(&server).await;
    let mut wrong = key.clone();
    wrong[7] ^= 1;
    cancel(&wrong);
    cancel(&key[..4]);
    cancel(&[]);
    works(&server).await;
    cancel(&key);
    assert_eq!(client.receive().0, b'T');
    let (kind, body) = client.receive();
    assert!(kind == b'E' && body.windows(5).any(|code| code == b"57014"), "{}", String::from_utf8_lossy(&body));
    assert_eq!(client.receive().0, b'Z');
    falls_silent(&server).await;
    client.message(Some(b'Q'), b"SELECT 1\0");
    assert_eq!(client.receive().0, b'T');
}
