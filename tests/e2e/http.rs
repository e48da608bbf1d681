//! SQL over HTTP, as programs ask it.

use serde_json::{Value, json};

use crate::server::{Server, client};
use crate::spans::{request, span};

async fn ask(server: &Server, sql: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = client().post(format!("{}/v1/sql", server.api)).body(sql.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// Spans that fill several batches of an answer.
async fn filled(server: &Server, of: u64) {
    let spans: Vec<_> =
        (1..=of).map(|id| span(u128::from(id) << 64, id, &format!("the name of span number {id}"))).collect();
    for spans in spans.chunks(5_000) {
        let answer = server.post("/v1/traces", "application/x-protobuf", request(spans.to_vec())).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_in_the_format_and_compression_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let sql = "SELECT 1 AS n, 'a,b' AS words";
    for (accept, media, body) in [
        ("*/*", "application/json", "[{\"n\":1,\"words\":\"a,b\"}]"),
        ("application/x-ndjson", "application/x-ndjson", "{\"n\":1,\"words\":\"a,b\"}\n"),
        ("text/csv", "text/csv", "n,words\n1,\"a,b\"\n"),
    ] {
        let answer = ask(&server, sql, &[("accept", accept)]).await;
        assert_eq!(answer.headers()["content-type"], media);
        assert_eq!(answer.text().await.unwrap(), body);
    }
    let parquet = ask(&server, sql, &[("accept", "application/vnd.apache.parquet")]).await.bytes().await.unwrap();
    assert_eq!((&parquet[..4], &parquet[parquet.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    assert_eq!(ask(&server, sql, &[("accept", "image/png")]).await.status(), 406);

    let gzip = ask(&server, sql, &[("accept", "text/csv"), ("accept-encoding", "gzip")]).await;
    assert_eq!(gzip.headers()["content-encoding"], "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gzip.bytes().await.unwrap()[..]), &mut text)
        .unwrap();
    assert_eq!(text, "n,words\n1,\"a,b\"\n");
    let zstd = ask(&server, sql, &[("accept", "text/csv"), ("accept-encoding", "zstd")]).await;
    assert_eq!(zstd::decode_all(&zstd.bytes().await.unwrap()[..]).unwrap(), b"n,words\n1,\"a,b\"\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_before_the_first_row_is_an_error_not_a_broken_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    filled(&server, 3).await;
    for sql in ["SELECT 1 / 0", "SELECT 1 / (seq - seq) FROM spans", "SELECT CAST(name AS int) FROM spans"] {
        let answer = ask(&server, sql, &[]).await;
        assert!(!answer.status().is_success(), "{sql}");
        let error: Value = answer.json().await.unwrap();
        assert!(error["error"].as_str().is_some_and(|error| !error.is_empty()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_order_are_not_sent_with_the_text_of_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    filled(&server, 40_000).await;
    let sql = "SELECT name, trace_id FROM spans ORDER BY name";
    let arrow = ask(&server, sql, &[("accept", "application/vnd.apache.arrow.stream")]).await.bytes().await.unwrap();
    // A row is some 60 bytes of text and two views of 16.
    assert!(arrow.len() < 40_000 * 250, "{} bytes", arrow.len());
    let rows = server.sql(&format!("SELECT count(*) AS rows, min(name) AS first FROM ({sql}) AS x"));
    assert_eq!(rows, [json!({"rows": 40_000, "first": "the name of span number 1"})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_too_long_to_plan_is_refused_and_the_server_lives() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let sum = |terms: usize| format!("SELECT {} AS n", vec!["1"; terms].join("+"));
    let any = |terms: usize| {
        let names = (0..terms).map(|n| format!("name = 'a{n}'")).collect::<Vec<_>>();
        format!("SELECT count(*) AS n FROM spans WHERE {}", names.join(" OR "))
    };
    let union =
        |terms: usize| format!("SELECT count(*) AS n FROM ({}) AS x", vec!["SELECT 1"; terms].join(" UNION ALL "));
    let casts = |terms: usize| format!("SELECT '1'{} AS n", "::int::text".repeat(terms));
    assert_eq!(ask(&server, &sum(3_000), &[]).await.json::<Value>().await.unwrap(), json!([{"n": 3_000}]));
    assert_eq!(ask(&server, &any(3_000), &[]).await.json::<Value>().await.unwrap(), json!([{"n": 0}]));
    for sql in [sum(400_000), any(40_000), union(45_000), casts(60_000)] {
        let answer = ask(&server, &sql, &[]).await;
        assert_eq!(answer.status(), 400);
        assert!(answer.text().await.unwrap().contains("100000 are allowed"), "{}", &sql[..60]);
    }
    assert_eq!(ask(&server, "SELECT 1 AS n", &[]).await.json::<Value>().await.unwrap(), json!([{"n": 1}]));
}
