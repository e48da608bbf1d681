//! What the receivers answer besides success, read over the wire: refusals, warnings, health and metrics.

use std::path::Path;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::server::{PROTOBUF, Server, client};
use crate::spans::{field, now, request, span};

const JSON: &str = "application/json";
/// `grpc.health.v1.HealthCheckResponse.ServingStatus`.
const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

async fn metrics(server: &Server) -> String {
    client().get(format!("{}/metrics", server.http)).send().await.unwrap().text().await.unwrap()
}

/// The value of a metric.
async fn metric(server: &Server, name: &str) -> u64 {
    let text = metrics(server).await;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not there:\n{text}")).parse().unwrap()
}

async fn health(server: &Server, service: &str) -> i32 {
    let channel = tonic::transport::Endpoint::from_shared(server.grpc.clone()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    health.check(HealthCheckRequest { service: service.into() }).await.unwrap().into_inner().status
}

/// How ready it is: the status of `/readyz`, and that of the gRPC health service once it is what is `wanted`.
async fn readiness(server: &Server, wanted: i32) -> (u16, i32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while health(server, "").await != wanted && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ready = client().get(format!("{}/readyz", server.http)).send().await.unwrap();
    (ready.status().as_u16(), health(server, "").await)
}

/// Data points by the reference decoder.
fn points(body: &[u8]) -> usize {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    let of = |data: &Data| match data {
        Data::Gauge(data) => data.data_points.len(),
        Data::Sum(data) => data.data_points.len(),
        Data::Histogram(data) => data.data_points.len(),
        Data::ExponentialHistogram(data) => data.data_points.len(),
        Data::Summary(data) => data.data_points.len(),
    };
    metrics.filter_map(|metric| metric.data.as_ref()).map(of).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_real_sdks_are_counted_and_the_exporter_is_told_that_they_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let folders = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let captures: Vec<_> = files.filter(|file| file.to_string_lossy().ends_with(".metrics.pb")).collect();
    assert!(captures.len() > 5, "{captures:?}");
    let mut grpc = MetricsServiceClient::connect(server.grpc.clone()).await.unwrap();
    let mut sent = 0;
    for capture in captures {
        let body = std::fs::read(&capture).unwrap();
        sent += 2 * points(&body);
        let answer = server.post("/v1/metrics", PROTOBUF, body.clone()).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", capture.display());
        let by_http = ExportMetricsServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
        let export = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
        assert_eq!(grpc.export(export).await.unwrap().into_inner(), by_http);
        let told = by_http.partial_success.unwrap();
        assert_eq!(told.rejected_data_points, 0, "nothing that the exporter would count as an error");
        assert!(told.error_message.contains("not kept"), "{}", told.error_message);
    }
    let body = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
        { "name": "m", "gauge": { "dataPoints": [{ "asInt": "1" }, { "asDouble": 2.5 }] } }
    ] }] }] });
    let answer = server.post("/v1/metrics", JSON, body.to_string().into()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, JSON));
    let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(told["partialSuccess"]["rejectedDataPoints"], "0");
    assert!(told["partialSuccess"]["errorMessage"].as_str().unwrap().contains("not kept"), "{told}");
    assert_eq!(metric(&server, "tracewell_metric_points_total").await, sent as u64 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_records_that_can_never_be_accepted_are_counted_apart_and_hostile_logs_hurt_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let record = LogRecord { time_unix_nano: now(), severity_text: "INFO".into(), ..LogRecord::default() };
    let records = [field(2, &field(3, b"\xff")), field(2, &record.encode_to_vec())].concat();
    let body = field(1, &field(2, &records));
    let answer = server.post("/v1/logs", PROTOBUF, body.clone()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let told = ExportLogsServiceResponse::decode(answer.bytes().await.unwrap()).unwrap().partial_success.unwrap();
    assert_eq!(told.rejected_log_records, 1);
    assert!(told.error_message.contains("number 0: `LogRecord.severity_text` is not valid utf-8"), "{told:?}");
    let time = (now() + 1).to_string();
    let body = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
        { "timeUnixNano": time, "traceId": "not hex" },
        { "timeUnixNano": time, "severityText": "WARN" },
    ] }] }] });
    let answer = server.post("/v1/logs", JSON, body.to_string().into()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(told["partialSuccess"]["rejectedLogRecords"], "1", "{told}");
    assert!(told["partialSuccess"]["errorMessage"].as_str().unwrap().contains("number 0"), "{told}");

    let bomb = zstd::encode_all(&vec![0; 65 << 20][..], 3).unwrap();
    let deep = [vec![0x7b; 100_000], vec![0x7c; 100_000]].concat();
    let values = format!("{}1{}", r#"{"arrayValue":{"values":["#.repeat(100_000), "]}}".repeat(100_000));
    let nested = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{values}}}]}}]}}]}}"#);
    for (what, media, encoding, body, status) in [
        ("cut", PROTOBUF, "identity", field(1, &field(2, &records))[..20].to_vec(), 400),
        ("groups in groups", PROTOBUF, "identity", deep, 400),
        ("a bomb", PROTOBUF, "zstd", bomb, 413),
        ("no zstd", PROTOBUF, "zstd", b"never".to_vec(), 400),
        // Of values in values the record is refused, not the request.
        ("values in values", JSON, "identity", nested.into_bytes(), 200),
        ("another encoding", PROTOBUF, "br", vec![], 415),
    ] {
        let request = client().post(format!("{}/v1/logs", server.http)).header("content-type", media);
        let answer = request.header("content-encoding", encoding).body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{what}");
    }
    let rows = server.sql("SELECT severity FROM logs ORDER BY severity");
    assert_eq!(rows, [json!({ "severity": "INFO" }), json!({ "severity": "WARN" })]);
    assert_eq!(metric(&server, "tracewell_log_records_total").await, 2);
    assert_eq!(metric(&server, "tracewell_rejected_total{reason=\"invalid_utf8\"}").await, 1);
    assert_eq!(metric(&server, "tracewell_malformed_requests_total").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_spans_are_all_told_by_their_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let zero = (1..=6).map(|id| span(0, id, "no trace"));
    let whole = (1..=3).map(|id| span(1, id, "whole"));
    let nameless = (1..=2).map(|_| span(1, 0, "no id"));
    let body = request(zero.chain(whole).chain(nameless).collect());
    let compressed = zstd::encode_all(&body[..], 3).unwrap();
    let request = client().post(format!("{}/api/v1/otlp/v1/traces", server.http)).header("content-type", PROTOBUF);
    let answer = request.header("content-encoding", "zstd").body(compressed).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse::decode(
        answer.bytes().await.unwrap(),
    );
    let told = answer.unwrap().partial_success.unwrap();
    assert_eq!(told.rejected_spans, 8);
    assert!(told.error_message.contains("number 4: trace_id is all zeros"), "{}", told.error_message);
    assert!(told.error_message.ends_with("in all 2 zero_span_id, 6 zero_trace_id"), "{}", told.error_message);
    assert_eq!(metric(&server, "tracewell_rejected_total{reason=\"zero_trace_id\"}").await, 6);
    assert_eq!(metric(&server, "tracewell_rejected_total{reason=\"zero_span_id\"}").await, 2);
    assert_eq!(metric(&server, "tracewell_spans_total").await, 3);
    assert_eq!(metric(&server, "tracewell_requests_total").await, 1);
    assert_eq!(metric(&server, "tracewell_request_bytes_total").await, body.len() as u64, "inflated");
    assert!(metric(&server, "tracewell_wal_bytes").await > body.len() as u64);
    assert_eq!(metric(&server, "tracewell_commit_failures_total").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_lands_where_other_backends_take_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let points = json!({ "gauge": { "dataPoints": [{ "asInt": "1" }] } });
    let metrics = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [points] }] }] });
    let paths = ["/api/public/otel/v1", "/otel/v1", "/api/v1/otlp/v1", "/v1"];
    for (id, base) in (1..).zip(paths) {
        let answer = server.post(&format!("{base}/traces/"), PROTOBUF, request(vec![span(1, id, base)])).await.unwrap();
        assert_eq!(answer.status(), 200, "{base}");
        let record = json!({ "body": { "stringValue": base } });
        let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] });
        for (signal, body) in [("logs", &logs), ("metrics", &metrics)] {
            let answer = server.post(&format!("{base}/{signal}"), JSON, body.to_string().into()).await.unwrap();
            assert_eq!(answer.status(), 200, "{base}/{signal}");
        }
    }
    let names = server.sql("SELECT count(DISTINCT name) AS spans FROM spans");
    assert_eq!(names, [json!({ "spans": 4 })]);
    assert_eq!(metric(&server, "tracewell_metric_points_total").await, 4);
    assert_eq!(metric(&server, "tracewell_log_records_total").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_send_where_their_origin_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("tracewell.toml");
    std::fs::write(&settings, "[ingest]\norigins = ['https://app.example']\n").unwrap();
    let server = Server::start(&folder.path().join("data"), &["--config", settings.to_str().unwrap()]).await;
    let send = async |method: Method, origin: &str, content_type: &str| {
        let asking = client().request(method, format!("{}/v1/traces", server.http));
        let asking = asking.header("origin", origin).header("content-type", content_type);
        let asking = asking.header("access-control-request-method", "POST");
        let asking = asking.header("access-control-request-headers", "content-type,x-key");
        let answer = asking.body(request(vec![span(1, 1, "page")])).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), header("access-control-allow-origin"), header("access-control-allow-headers"))
    };
    let (page, headers) = ("https://app.example", Some("content-type,x-key".to_owned()));
    let named = Some(page.to_owned());
    assert_eq!(send(Method::OPTIONS, page, PROTOBUF).await, (204, named.clone(), headers));
    assert_eq!(send(Method::POST, page, PROTOBUF).await, (200, named.clone(), None));
    assert_eq!(send(Method::POST, page, "text/plain").await, (415, named, None), "a page may read why");
    assert_eq!(send(Method::OPTIONS, "https://other.example", PROTOBUF).await, (405, None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_says_when_to_come_again_in_every_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let limit = [("TRACEWELL_INGEST_IN_FLIGHT", "1MiB")];
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &limit).await;
    let body = field(15, &vec![7; 2 << 20]);
    for media in [PROTOBUF, JSON] {
        let answer = server.post("/v1/traces", media, body.clone()).await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["content-type"], media);
        let body = answer.bytes().await.unwrap();
        if media == JSON {
            let status: Value = serde_json::from_slice(&body).unwrap();
            let info = json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s" }]);
            assert_eq!((&status["code"], &status["details"]), (&json!(8), &info));
        } else {
            assert!(String::from_utf8_lossy(&body).contains("type.googleapis.com/google.rpc.RetryInfo"));
        }
    }
    assert_eq!(metric(&server, "tracewell_overloaded_requests_total").await, 2);
}

/// Takes the log of `spans` away, so that nothing can be written where it was.
fn take_store_away(data: &Path) {
    let log = data.join("spans/_delta_log");
    std::fs::rename(&log, data.join("spans/away")).unwrap();
    std::fs::write(&log, "").unwrap();
}

fn bring_store_back(data: &Path) {
    let log = data.join("spans/_delta_log");
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(data.join("spans/away"), &log).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_within_half_a_minute_with_the_store_gone_and_a_client_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["--commit-interval", "50ms", "--maintenance-interval", "50ms"];
    let server = Server::start(&data, &arguments).await;
    take_store_away(&data);
    let stays = tokio::net::TcpStream::connect(server.http.strip_prefix("http://").unwrap()).await.unwrap();
    // Long enough for several commits to be due.
    for id in 1..=20 {
        let answer = server.post("/v1/traces", PROTOBUF, request(vec![span(1, id, "stays in the log")])).await.unwrap();
        assert_eq!(answer.status(), 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let began = Instant::now();
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(stays);
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("the write-ahead log keeps the rest"), "{log}");

    bring_store_back(&data);
    let server = Server::start(&data, &arguments).await;
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let query = "SELECT count(*) AS stored, count(DISTINCT span_id) AS different FROM spans";
    assert_eq!(crate::server::sql(&data, query), [json!({ "stored": 20, "different": 20 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_is_told_by_every_protocol_and_what_was_acknowledged_is_there_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let small = [("TRACEWELL_INGEST_MEMORY", "1MiB")];
    let arguments = ["--commit-interval", "50ms", "--shards", "1", "--no-maintenance"];
    let server = Server::start_at(data.to_str().unwrap(), &data, &arguments, &small).await;
    assert_eq!(readiness(&server, SERVING).await, (200, SERVING));
    let service = "opentelemetry.proto.collector.trace.v1.TraceService";
    assert_eq!(health(&server, service).await, SERVING);
    take_store_away(&data);

    let mut acked = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    let refused = loop {
        assert!(Instant::now() < deadline, "nothing is refused: {acked} spans are acknowledged");
        let body = request((acked + 1..=acked + 100).map(|id| span(1, id, "while it is gone")).collect());
        let answer = server.post("/v1/traces", PROTOBUF, body);
        let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an answer, not a wait");
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            200 => acked += 100,
            503 => break answer,
            // Memory may be full before the first commit has failed.
            status => assert_eq!(status, 429),
        }
    };
    assert!(acked > 0);
    assert_eq!(refused.headers()["retry-after"], "5");
    let told = String::from_utf8_lossy(&refused.bytes().await.unwrap()).into_owned();
    assert!(told.contains("the store takes nothing"), "{told}");
    let mut grpc = TraceServiceClient::connect(server.grpc.clone()).await.unwrap();
    let export = ExportTraceServiceRequest::decode(request(vec![span(1, 1, "refused")]).as_slice()).unwrap();
    let status = grpc.export(export).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(String::from_utf8_lossy(status.details()).contains("google.rpc.RetryInfo"), "{status:?}");
    assert_eq!(readiness(&server, NOT_SERVING).await, (503, NOT_SERVING));
    assert_eq!(health(&server, service).await, NOT_SERVING);
    assert!(metric(&server, "tracewell_commit_failures_total").await > 0);
    assert!(metric(&server, "tracewell_unavailable_requests_total").await >= 2);

    bring_store_back(&data);
    let body = request(vec![span(1, acked + 1, "when it is back")]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.post("/v1/traces", PROTOBUF, body.clone()).await.unwrap().status() != 200 {
        assert!(Instant::now() < deadline, "it takes nothing though the store is back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(readiness(&server, SERVING).await, (200, SERVING));
    server.stop();
    let query = "SELECT count(*) AS stored, count(DISTINCT span_id) AS different FROM spans";
    let wanted = [json!({ "stored": acked + 1, "different": acked + 1 })];
    assert_eq!(crate::server::sql(&data, query), wanted);
}
