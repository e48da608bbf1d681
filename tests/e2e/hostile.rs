//! Requests made to hurt: each gets the right answer, in bounded memory, and the server goes on.

use std::io::Write;

use bytes::{Buf, BufMut};
use futures::StreamExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

use crate::server::{PROTOBUF, Server, client};
use crate::spans::{field, now, request, span, text};

const JSON: &str = "application/json";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const MIB: u64 = 1 << 20;

/// gRPC messages as the bytes they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

type Grpc = tonic::client::Grpc<tonic::transport::Channel>;

async fn grpc(server: &Server) -> Grpc {
    let channel = tonic::transport::Endpoint::from_shared(server.grpc.clone()).unwrap().connect().await.unwrap();
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    grpc
}

/// Exports the bytes as one message of traces over gRPC.
async fn call(mut grpc: Grpc, message: Vec<u8>) -> Result<Vec<u8>, Status> {
    grpc.ready().await.unwrap();
    let answer = grpc.unary(tonic::Request::new(message), http_path(TRACES), Raw).await;
    answer.map(tonic::Response::into_inner)
}

fn http_path(path: &'static str) -> axum::http::uri::PathAndQuery {
    axum::http::uri::PathAndQuery::from_static(path)
}

fn gzip_of(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn post(server: &Server, path: &str, encoding: &str, body: Vec<u8>) -> reqwest::Response {
    let request = client().post(format!("{}{path}", server.http)).header("content-type", PROTOBUF);
    request.header("content-encoding", encoding).body(body).send().await.unwrap()
}

/// `google.rpc.Status`, without its details.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The status in the answer to a refused request, which is in the request's own encoding.
async fn refusal(answer: reqwest::Response, expected: u16) -> RpcStatus {
    assert_eq!(answer.status().as_u16(), expected);
    let json = answer.headers()["content-type"] == JSON;
    let body = answer.bytes().await.unwrap();
    let status = if json {
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        RpcStatus { code: body["code"].as_i64().unwrap() as i32, message: body["message"].as_str().unwrap().into() }
    } else {
        RpcStatus::decode(body).unwrap()
    };
    assert!(!status.message.is_empty());
    status
}

async fn rejected(answer: reqwest::Response) -> (i64, String) {
    assert_eq!(answer.status(), 200);
    let answer = ExportTraceServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    answer.partial_success.map(|partial| (partial.rejected_spans, partial.error_message)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_16_mib_survives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let message = |seed: u32| {
        // Text that does not repeat, two and four bytes a character among it.
        let mut state = seed;
        let mut content = String::new();
        while content.len() < 16 << 20 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            content.push_str(&format!("{state:08x} \"é🌱\\\n"));
        }
        json!({ "role": "user", "parts": [{ "type": "text", "content": content }] }).to_string()
    };
    let body = |id: u64, message: &str| {
        let mut span = span(1, id, "chat");
        span.attributes =
            vec![text("gen_ai.operation.name", "chat"), text("gen_ai.input.messages", &format!("[{message}]"))];
        request(vec![span])
    };
    let messages = [message(1), message(2)];
    call(grpc(&server).await, body(1, &messages[0])).await.unwrap();
    server.takes("/v1/traces", body(2, &messages[1])).await;
    let found = server.sql("SELECT content, bytes FROM messages ORDER BY span_id");
    assert_eq!(found.len(), 2);
    for (row, message) in found.iter().zip(&messages) {
        assert!(row["content"] == message.as_str(), "{} bytes came back as others", message.len());
        assert_eq!(row["bytes"], message.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_attributes_cost_their_own_span_and_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    // Ten million empty attributes, and beside them a span as any.
    let mut many = span(1, 1, "many").encode_to_vec();
    many.extend_from_slice(&[0x4a, 0].repeat(10_000_000));
    let spans = [field(2, &many), field(2, &span(1, 2, "other").encode_to_vec())].concat();
    let (count, message) = rejected(post(&server, "/v1/traces", "identity", field(1, &field(2, &spans))).await).await;
    assert_eq!(count, 1);
    assert!(message.contains("more than 16384 attributes"), "{message}");
    // As many as a span may have, all of one key: the last counts.
    let mut repeated = span(1, 3, "repeated");
    repeated.attributes = (0..16_384).map(|n| text("key", &n.to_string())).collect();
    assert_eq!(rejected(post(&server, "/v1/traces", "identity", request(vec![repeated])).await).await.0, 0);
    let rows =
        server.sql("SELECT name, attributes['key'] AS key, cardinality(attributes) AS keys FROM spans ORDER BY name");
    assert_eq!(
        serde_json::Value::from(rows),
        json!([{ "name": "other", "key": null, "keys": 2 }, { "name": "repeated", "key": "16383", "keys": 1 }])
    );
    assert!(server.peak_memory() < 300 * MIB, "{} MiB", server.peak_memory() / MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_become_too_many_rows_is_refused_before_it_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]).await;
    // Ten megabytes of resource, which each of 250 spans would repeat.
    let resource = field(1, &field(1, &text("key", &"x".repeat(10 << 20)).encode_to_vec()));
    let spans: Vec<u8> = (1..=250).flat_map(|id| field(2, &span(1, id, "small").encode_to_vec())).collect();
    let wide = field(1, &[resource, field(2, &spans)].concat());
    // Thirty million log records that say nothing.
    let empty = field(1, &field(2, &[0x12, 0].repeat(30_000_000)));
    for (path, body) in [("/v1/traces", &wide), ("/v1/logs", &empty)] {
        let status = refusal(post(&server, path, "gzip", gzip_of(body)).await, 413).await;
        assert_eq!(status.code, Code::InvalidArgument as i32);
        assert!(status.message.contains(&(256 * MIB).to_string()), "{}", status.message);
    }
    let status = call(grpc(&server).await, wide).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(server.peak_memory() < 600 * MIB, "{} MiB", server.peak_memory() / MIB);
    // Nothing of it is found again after a crash.
    server.kill();
    let server = Server::start(&data, &[]).await;
    call(grpc(&server).await, request(vec![span(1, 1, "still alive")])).await.unwrap();
    assert_eq!(server.sql("SELECT name FROM spans").len(), 1);
}

/// `count` spans, each a day before the one before it.
fn days_apart(count: u64) -> Vec<Span> {
    let a_day = 86_400_000_000_000;
    let apart = |day| {
        let mut span = span(1, day + 1, "apart");
        span.start_time_unix_nano -= day * a_day;
        span.end_time_unix_nano -= day * a_day;
        span
    };
    (0..count).map(apart).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_a_thousand_days_take_memory_for_their_bytes() {
    // All the days that are believed, from 2015-01-01 on; so many files take long, so these are not committed.
    let all = (now() / 86_400_000_000_000) - 16_437;
    // Committed while they are replayed, they take more the slower the disk is: up to 404 MiB beside other tests.
    for (days, commit, limit) in [(365, true, 600 * MIB), (all, false, 700 * MIB)] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let server = Server::start(&data, &["--commit-interval", "1h", "--no-maintenance"]).await;
        let body = request(days_apart(days));
        assert_eq!(rejected(post(&server, "/v1/traces", "identity", body).await).await.0, 0);
        let received = server.peak_memory();
        server.kill();
        let interval = if commit { "10ms" } else { "1h" };
        let server = Server::start(&data, &["--commit-interval", interval, "--no-maintenance"]).await;
        while commit && std::fs::read_dir(data.join("spans")).unwrap().count() as u64 <= days {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let replayed = server.peak_memory();
        assert!(received.max(replayed) < limit, "{days} days: {} and {} MiB", received / MIB, replayed / MIB);
        let rows = server.sql("SELECT count(DISTINCT date) AS days FROM spans");
        assert_eq!(rows[0]["days"], days);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_with_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let zeros = vec![0; 65 << 20];
    let limit = (64 * MIB).to_string();
    let alive = request(vec![span(1, 1, "still alive")]);
    for (encoding, bomb) in [("gzip", gzip_of(&zeros)), ("zstd", zstd::encode_all(&zeros[..], 3).unwrap())] {
        assert!(bomb.len() < 1 << 20);
        let status = refusal(post(&server, "/v1/traces", encoding, bomb).await, 413).await;
        assert_eq!(status.code, Code::InvalidArgument as i32);
        assert!(status.message.contains(&limit), "{}", status.message);
    }
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let grpc = grpc(&server).await.send_compressed(encoding);
        let status = call(grpc.clone(), zeros.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(&limit), "{}", status.message());
        call(grpc, alive.clone()).await.unwrap();
    }
    // Without compression it is refused while it comes.
    let status = call(grpc(&server).await, zeros).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains(&limit), "{}", status.message());
    assert_eq!(server.sql("SELECT name FROM spans").len(), 1);
    assert!(server.peak_memory() < 500 * MIB, "{} MiB", server.peak_memory() / MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_all_before_it_listens_reads_why_it_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let small = [("TRACEWELL_INGEST_REQUEST_SIZE", "1MiB")];
    let data = folder.path().join("data");
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &small).await;
    let address = server.http.strip_prefix("http://").unwrap();
    let ask = |head: &str, body: &[u8]| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = format!("POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{head}\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = [0; 4096];
        let read = std::io::Read::read(&mut stream, &mut answer).unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    let body = vec![7; 12 << 20];
    let kept = ask("content-type: application/json\r\n", &body);
    assert!(kept.starts_with("HTTP/1.1 413 ") && kept.contains("larger than 1048576 bytes"), "{kept}");
    assert!(!kept.contains("connection: close"), "{kept}");
    let kept = ask("content-type: text/plain\r\n", &body);
    assert!(kept.starts_with("HTTP/1.1 415 "), "{kept}");
    // Who asks first is told at once, and is not asked to send.
    let refused = ask("content-type: text/plain\r\nexpect: 100-continue\r\n", &[]);
    assert!(refused.starts_with("HTTP/1.1 415 ") && refused.contains("connection: close"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_never_end_hold_no_more_than_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let limit = [("TRACEWELL_INGEST_IN_FLIGHT", "32MiB")];
    let server = Server::start_at(data.to_str().unwrap(), &data, &[], &limit).await;
    let before = server.peak_memory();
    // Sixty streams of four connections send 4 MiB each and stay open: seven fit.
    let mut streams = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let grpc = grpc(&server).await;
        for _ in 0..15 {
            let mut grpc = grpc.clone();
            streams.spawn(async move {
                let message = field(15, &vec![7; 4 << 20]);
                let unending = futures::stream::iter([message]).chain(futures::stream::pending());
                grpc.ready().await.unwrap();
                grpc.client_streaming(tonic::Request::new(unending), http_path(METRICS), Raw).await.unwrap_err()
            });
        }
    }
    for _ in 0..53 {
        let status = streams.join_next().await.unwrap().unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let details = String::from_utf8_lossy(status.details());
        assert!(details.contains("google.rpc.RetryInfo"), "{details}");
    }
    let grown = server.peak_memory() - before;
    assert!(grown < 160 * MIB, "{} MiB", grown / MIB);
    // Those who go away give back what they held.
    streams.shutdown().await;
    let mut refused = 0;
    while let Err(status) = call(grpc(&server).await, request(vec![span(1, 1, "still alive")])).await {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        refused += 1;
        assert!(refused < 1_000);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let large = field(15, &vec![7; 30 << 20]);
    call(grpc(&server).await, large).await.unwrap();
    assert_eq!(server.sql("SELECT name FROM spans").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_requests_get_a_status_in_their_own_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let grpc = grpc(&server).await;
    let whole = request(vec![span(1, 1, "whole")]);
    let groups = [vec![0x7b; 100_000], vec![0x7c; 100_000]].concat();
    let malformed: [(&str, Vec<u8>); 5] = [
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("a resource that is a number", vec![0x08, 1]),
        ("a length beyond the end", vec![0x0a, 0xff, 0xff, 0xff, 0x7f]),
        ("tag 0", vec![0x00, 0x01]),
        ("groups in groups", groups),
    ];
    for (what, body) in malformed {
        let answer = server.post("/v1/traces", PROTOBUF, body.clone()).await.unwrap();
        assert_eq!(answer.headers()["content-type"], PROTOBUF, "{what}");
        assert_eq!(refusal(answer, 400).await.code, Code::InvalidArgument as i32, "{what}");
        assert_eq!(call(grpc.clone(), body).await.unwrap_err().code(), Code::InvalidArgument, "{what}");
    }
    let deep = |levels: usize| format!("{}1{}", r#"{"arrayValue":{"values":["#.repeat(levels), "]}}".repeat(levels));
    let malformed: [(&str, Vec<u8>); 6] = [
        ("nothing", vec![]),
        ("cut", br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"#.to_vec()),
        ("a number for a list", br#"{"resourceSpans":5}"#.to_vec()),
        ("not utf-8", b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}".to_vec()),
        (
            "an int that is none",
            br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"intValue":"x"}}]}}]}"#.to_vec(),
        ),
        (
            "values in values",
            format!(
                r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{}}}]}}}}]}}"#,
                deep(100_000)
            )
            .into_bytes(),
        ),
    ];
    for (what, body) in malformed {
        let answer = server.post("/v1/traces", JSON, body).await.unwrap();
        assert_eq!(answer.headers()["content-type"], JSON, "{what}");
        assert_eq!(refusal(answer, 400).await.code, Code::InvalidArgument as i32, "{what}");
    }
    assert!(call(grpc.clone(), vec![]).await.unwrap().is_empty());

    // What is wrong within a span costs that span.
    let mut nested = span(1, 2, "nested");
    nested.attributes[0].value = (0..90).fold(None, |inner, _| {
        let values = inner.into_iter().collect();
        Some(AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) })
    });
    let mut spans = field(2, &[span(1, 3, "").encode_to_vec(), field(5, b"\xff")].concat());
    spans.extend(field(2, &nested.encode_to_vec()));
    spans.extend(field(2, &span(1, 4, "good").encode_to_vec()));
    let answer = server.post("/v1/traces", PROTOBUF, field(1, &field(2, &spans))).await.unwrap();
    let (count, message) = rejected(answer).await;
    assert_eq!(count, 2);
    assert!(message.contains("not valid utf-8") && message.contains("nested too deep"), "{message}");

    // Whatever bit is wrong, the answer is one of two, over both transports.
    for bit in (0..whole.len() * 8).step_by(7) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let status = server.post("/v1/traces", PROTOBUF, flipped.clone()).await.unwrap().status().as_u16();
        let code = call(grpc.clone(), flipped).await.err().map_or(Code::Ok, |status| status.code());
        assert!(matches!((status, code), (200, Code::Ok) | (400, Code::InvalidArgument)), "bit {bit}: {status} {code}");
    }
    call(grpc, request(vec![span(2, 1, "still alive")])).await.unwrap();
    assert_eq!(server.sql("SELECT name FROM spans WHERE name IN ('good', 'still alive')").len(), 2);
}
