//! SQL over HTTP, as programs ask it.

use std::process::Command;

use serde_json::{Value, json};

use crate::server::{BINARY, Server, client};
use crate::spans::{request, span};
use crate::{postgres, readers};

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
        server.takes("/v1/traces", request(spans.to_vec())).await;
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

    let unnamed = "SELECT count(*), 1, 'x'::text, max(seq), max(name), max(seq)::int FROM spans";
    let answer = ask(&server, unnamed, &[("accept", "text/csv")]).await.text().await.unwrap();
    assert!(answer.starts_with("count,?column?,text,max(seq),max(name),max(seq)::INT\n"), "{answer}");

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
    for sql in [sum(20_000), any(20_000), union(3_000), casts(20_000)] {
        let begun = std::time::Instant::now();
        let answer = ask(&server, &sql, &[]).await;
        assert_eq!(answer.status(), 400);
        let text = answer.text().await.unwrap();
        assert!(text.contains("levels, which is the limit") || text.contains("UNIONs"), "{}: {text}", &sql[..60]);
        assert!(begun.elapsed().as_secs() < 5, "{}: {:?}", &sql[..60], begun.elapsed());
    }
    assert_eq!(ask(&server, "SELECT 1 AS n", &[]).await.json::<Value>().await.unwrap(), json!([{"n": 1}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_have_types_and_are_never_part_of_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    filled(&server, 3).await;
    let ask = async |body: Value| {
        let request = client().post(format!("{}/v1/sql", server.api)).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let name = |n: u64| format!("the name of span number {n}");
    let rows = |names: &[u64]| (200, names.iter().map(|n| json!({ "name": name(*n) })).collect::<Value>());
    let named = "SELECT name FROM spans WHERE name = ANY($names) AND start_time > $since ORDER BY name LIMIT $most";
    let of_names = json!({ "names": [name(1), name(3)], "since": "2020-01-01T00:00:00Z", "most": 5 });
    assert_eq!(ask(json!({ "sql": named, "parameters": of_names })).await, rows(&[1, 3]));
    let listed = "SELECT name FROM spans WHERE name = $1 OR span_id = $2";
    assert_eq!(ask(json!({ "sql": listed, "parameters": [name(2), null] })).await, rows(&[2]));
    let injected = json!([format!("{}' OR '1'='1", name(2)), "x"]);
    assert_eq!(ask(json!({ "sql": listed, "parameters": injected })).await, rows(&[]));
    let values = "SELECT $1 AS a, $2 AS b, $3 AS c, $4::numeric(9, 2) AS d, $5::date AS e";
    assert_eq!(
        ask(json!({ "sql": values, "parameters": [7, 0.5, true, "12.30", "2026-11-01"] })).await,
        (200, json!([{ "a": 7, "b": 0.5, "c": true, "d": 12.3, "e": "2026-11-01" }]))
    );
    // 01:30 in Berlin was 00:30 elsewhere.
    let zone = json!({ "sql": "SELECT TIMESTAMPTZ '2026-01-10 01:30:00' = $1 AS same", "parameters": ["2026-01-10T00:30:00Z"], "time_zone": "Europe/Berlin" });
    assert_eq!(ask(zone).await, (200, json!([{ "same": true }])));
    for (wrong, told) in [
        (json!({ "sql": listed, "parameters": ["x"] }), "`$2` has no value"),
        (json!({ "sql": listed, "parameters": ["x", "y", "z"] }), "no parameter `$3`"),
        (json!({ "sql": "SELECT 1", "parameters": { "a": 1 } }), "no parameter `$a`; it has none"),
        (json!({ "sql": "SELECT $1", "parameters": [{}] }), "`$1` is neither text"),
        (json!({ "sql": "SELECT $1::date", "parameters": ["soon"] }), "soon"),
        (json!({ "sql": "SELECT 1", "time_zone": "Mars/Olympus" }), "Mars/Olympus"),
        (json!({ "sql": "SELECT 1", "timeout_seconds": -1 }), "above 0"),
        (json!({ "query": "SELECT 1" }), "unknown field"),
    ] {
        let (status, error) = ask(wrong).await;
        assert!(status == 400 && error["error"].as_str().unwrap().contains(told), "{told}: {status} {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_what_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let get = async |path: &str| client().get(format!("{}{path}", server.api)).send().await.unwrap();
    let description: Value = get("/v1/openapi.json").await.json().await.unwrap();
    for (path, operations) in description["paths"].as_object().unwrap() {
        let answer = get(&path.replace("{name}", "nothing").replace("{id}", "nothing")).await;
        let unknown = answer.text().await.unwrap();
        let unanswered = unknown.is_empty() || unknown.contains("describes all there is");
        assert!(operations["get"].is_null() || !unanswered, "{path}");
    }
    if let Some(python) = readers::python("the_description_names_what_is_answered") {
        readers::run(Command::new(python).arg(readers::script("openapi.py")).arg(description.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_json_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let refused = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        let (status, allow) = (answer.status().as_u16(), answer.headers().get("allow").cloned());
        assert_eq!(answer.headers()["content-type"], "application/json", "{status}");
        let error: Value = answer.json().await.unwrap();
        (status, error["error"].as_str().unwrap().to_owned(), allow)
    };
    let path = |path: &str| format!("{}{path}", server.api);
    let (status, error, _) = refused(client().get(path("/v1/nosuch"))).await;
    assert!(status == 404 && error.contains("/v1/openapi.json"), "{status} {error}");
    let (status, error, allow) = refused(client().delete(path("/v1/runs"))).await;
    assert!(status == 405 && error.contains("DELETE") && allow.is_some(), "{status} {error} {allow:?}");
    for wrong in ["/v1/runs?x=1", "/v1/prompts?x=1", "/v1/releases?x=1", "/v1/releases/log?x=1", "/v1/reviews/q?x=1"] {
        let (status, error, _) = refused(client().get(path(wrong))).await;
        assert!(status == 400 && error.starts_with("x: unknown field `x`"), "{wrong}: {status} {error}");
    }
    let (status, error, _) = refused(client().post(path("/v1/releases")).json(&json!({}))).await;
    assert!(status == 422 && error.starts_with("the body: missing field"), "{status} {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_compared_and_json_is_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let rows = server.sql(
        r#"SELECT round(similarity('word', 'two words'), 3) AS near, similarity(NULL, 'x') AS unknown,
                  text_diff(E'Be kind.\nBe brief.\n', E'Be kind.\nBe exact.\n') AS changed,
                  json_get('{"a": {"b": 7}}', 'a.b') AS found, json_get('no json', 'a') AS nothing,
                  json_valid('{"a": [1]}') AS good, json_valid('{"a": [1}') AS bad"#,
    );
    let long = "SELECT text_diff(repeat('a', 20000000), 'a')";
    assert!(ask(&server, long, &[]).await.text().await.unwrap().contains("16777216 are allowed"));
    let far = "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))";
    assert!(ask(&server, far, &[]).await.text().await.unwrap().contains("2147483648 are allowed"));
    let changed = "@@ -1,2 +1,2 @@\n Be kind.\n-Be brief.\n+Be exact.\n";
    assert_eq!(
        rows,
        [
            json!({ "near": 0.364, "unknown": null, "changed": changed, "found": "7", "nothing": null, "good": true, "bad": false })
        ]
    );
}

/// What the machine fails at is told apart from mistakes, over each protocol.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_store_is_not_the_fault_of_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]).await;
    filled(&server, 10).await;
    server.stop();
    let files = std::fs::read_dir(data.join("spans")).unwrap().map(|entry| entry.unwrap().path());
    let partition = files.into_iter().find(|path| path.to_string_lossy().contains("date=")).unwrap();
    let file = std::fs::read_dir(partition).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let length = std::fs::metadata(&file).unwrap().len();

    let server = Server::start(&data, &[]).await;
    let check = async |sql: &str, status: u16, code: &str| {
        let answer = ask(&server, sql, &[]).await;
        assert_eq!(answer.status(), status, "{sql}: {}", answer.text().await.unwrap());
        if postgres::has("psql", "a_broken_store_is_not_the_fault_of_who_asks") {
            let refused = postgres::psql(&server, &["-c", sql]);
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(told.contains(code), "{sql}: {told}");
        }
    };
    // In this order, for what was read of a file once is kept.
    std::fs::remove_file(&file).unwrap();
    check("SELECT name FROM spans", 503, "58030").await;
    std::fs::write(&file, vec![7; usize::try_from(length).unwrap()]).unwrap();
    check("SELECT name FROM spans", 500, "XX000").await;
    check("SELECT 1 / 0", 400, "22012").await;
    check("SELECT nme FROM spans", 400, "42703").await;
    check("SELECT 'x'::int", 400, "22P02").await;
    check("SELECT length(repeat('x', 2000000000))", 422, "53200").await;
    assert_eq!(ask(&server, "SELECT 1", &[]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_guards_all_but_health_and_what_comes_in() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let secret = [("TRACEWELL_HTTP_PASSWORD", "pencil:7")];
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &secret).await;
    filled(&server, 1).await;
    let asked = [
        (client().post(format!("{}/v1/sql", server.api)).body("SELECT 1"), 200),
        (client().get(format!("{}/v1/runs", server.api)), 200),
        (client().get(format!("{}/v1/queries", server.api)), 200),
        (client().get(format!("{}/v1/queries/slowest_runs", server.api)), 200),
        (client().get(format!("{}/v1/reports", server.api)), 200),
        (client().post(format!("{}/v1/prompts", server.api)), 415),
        (client().get(format!("{}/v1/prompts/nobody@1", server.api)), 404),
        (client().get(format!("{}/v1/releases", server.api)), 200),
        (client().post(format!("{}/v1/releases", server.api)), 415),
    ];
    for (request, expected) in asked {
        let send = async |request: reqwest::RequestBuilder| request.send().await.unwrap();
        let copy = || request.try_clone().unwrap();
        let refused = send(copy()).await;
        assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"), "{refused:?}");
        assert_eq!(refused.status(), 401);
        assert!(refused.text().await.unwrap().contains("http.password"));
        for wrong in [
            copy().basic_auth("ada", Some("pencil")),
            copy().bearer_auth("pencil:"),
            copy().basic_auth("pencil:7", None::<&str>),
        ] {
            assert_eq!(send(wrong).await.status(), 401);
        }
        for right in [copy().basic_auth("ada", Some("pencil:7")), copy().bearer_auth("pencil:7")] {
            assert_eq!(send(right).await.status(), expected, "{request:?}");
        }
    }
    for open in ["healthz", "readyz", "metrics"] {
        assert_eq!(client().get(format!("{}/{open}", server.api)).send().await.unwrap().status(), 200);
    }
    let command = |password: &str| {
        let mut command = Command::new(BINARY);
        command.args(["sql", "--format", "json", "--data", data.to_str().unwrap(), "SELECT count(*) AS n FROM spans"]);
        command.env("TRACEWELL_HTTP_PASSWORD", password).output().unwrap()
    };
    assert_eq!(serde_json::from_slice::<Value>(&command("pencil:7").stdout).unwrap(), json!([{"n": 1}]));
    for (wrong, told) in [("", "http.password"), ("pen", "wrong")] {
        let refused = command(wrong);
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains(told), "{refused:?}");
    }
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(!log.contains("pencil"), "{log}");
}
