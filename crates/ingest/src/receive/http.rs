//! OTLP over HTTP, and the paths of Langfuse and LangSmith for those who only change the host.

use std::fmt;
use std::sync::Once;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use prost::Message;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use tracewell_otlp::json::Converted;
use tracewell_proto::v1::AddScoresResponse;

use super::answer::{Failure, RpcStatus};
use super::body;
use super::collector::{Collector, Export};
use crate::scores::{MOST_SCORES, Score, too_many};

/// What stands before `/v1/traces` and the other signals: nothing, or what it is with Langfuse, LangSmith and others,
/// for those who change the host alone.
const BASES: [&str; 4] = ["", "/api/public/otel", "/otel", "/api/v1/otlp"];

/// The OTLP/HTTP endpoints.
pub fn router(collector: Collector) -> Router {
    let mut router = Router::new();
    // Who writes a whole address may end it with a slash.
    for end in ["", "/"] {
        router = router.route(&format!("/v1/scores{end}"), post(scores));
        for base in BASES {
            router = router
                .route(&format!("{base}/v1/traces{end}"), post(traces))
                .route(&format!("{base}/v1/logs{end}"), post(logs))
                .route(&format!("{base}/v1/metrics{end}"), post(metrics));
        }
    }
    router
        .method_not_allowed_fallback(async |headers: HeaderMap| {
            let message = "an export is sent by POST";
            refusal(&headers, StatusCode::METHOD_NOT_ALLOWED, tonic::Code::Unimplemented, message)
        })
        .fallback(async |uri: Uri, headers: HeaderMap| {
            warn_of_other_requests(uri.path());
            let message = "no such path; OTLP/HTTP is at /v1/traces, /v1/logs and /v1/metrics, scores go to /v1/scores";
            refusal(&headers, StatusCode::NOT_FOUND, tonic::Code::NotFound, message)
        })
        .with_state(collector)
}

/// What Langfuse's SDKs send beside traces is lost, and their users are not told of it: the log says so once.
fn warn_of_other_requests(path: &str) {
    static SAID: Once = Once::new();
    if path.starts_with("/api/public/") {
        SAID.call_once(|| {
            tracing::warn!(path, "a Langfuse SDK sends more than traces, and that is refused; scores go to /v1/scores");
        });
    }
}

async fn traces(State(collector): State<Collector>, request: Request<Body>) -> Response {
    answer(&collector, Export::Traces, request).await
}

async fn logs(State(collector): State<Collector>, request: Request<Body>) -> Response {
    answer(&collector, Export::Logs, request).await
}

async fn metrics(State(collector): State<Collector>, request: Request<Body>) -> Response {
    answer(&collector, Export::Metrics, request).await
}

async fn scores(State(collector): State<Collector>, request: Request<Body>) -> Response {
    answer(&collector, Export::Scores, request).await
}

/// The media type of a request, and so of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
}

impl Media {
    fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let value = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
        match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            other => Err(Failure::Unsupported(format!(
                "content-type `{other}` is not OTLP's; send application/x-protobuf or application/json"
            ))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// An answer that says what is wrong.
    fn status(self, http: StatusCode, status: &RpcStatus) -> Response {
        let body = match self {
            Self::Protobuf => status.encode_to_vec(),
            Self::Json => status.to_json().to_string().into_bytes(),
        };
        (http, [(CONTENT_TYPE, self.name())], body).into_response()
    }
}

async fn answer(collector: &Collector, export: Export, request: Request<Body>) -> Response {
    let (head, mut body) = request.into_parts();
    let media = Media::of(&head.headers);
    let result = match media {
        Ok(media) => take(collector, export, media, &head.headers, &mut body).await,
        Err(ref failure) => Err(collector.refused(failure.clone())),
    };
    let media = media.unwrap_or(Media::Protobuf);
    match result {
        Ok(body) => (StatusCode::OK, [(CONTENT_TYPE, media.name())], body).into_response(),
        Err(failure) => {
            let mut response = media.status(failure.http_status(), &failure.rpc_status());
            if let Some(seconds) = failure.retry_after() {
                response.headers_mut().insert(RETRY_AFTER, seconds.into());
            }
            // Who waits for a word before sending has sent nothing yet.
            let sent_all = !head.headers.contains_key(EXPECT) && body::drain(body).await;
            if !sent_all && head.version < http::Version::HTTP_2 {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
}

/// The answer to what is no export, in JSON unless the request was protobuf.
fn refusal(headers: &HeaderMap, status: StatusCode, code: tonic::Code, message: &str) -> Response {
    let media = Media::of(headers).unwrap_or(Media::Json);
    media.status(status, &RpcStatus { code: code as i32, message: message.into(), details: Vec::new() })
}

async fn take(
    collector: &Collector,
    export: Export,
    media: Media,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<Vec<u8>, Failure> {
    let limit = collector.limits.of(export);
    let compression =
        body::compression(CONTENT_ENCODING.as_str(), headers).map_err(|failure| collector.refused(failure))?;
    // Refuse before reading: what does not fit is not even received.
    collector.ingest.check_room().map_err(|refused| collector.refused(refused.into()))?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(collector.refused(Failure::TooLarge(limit)));
    }
    let mut admitted = collector.admission.enter();
    let read = async {
        let raw = body::read(body, limit, &mut admitted).await?;
        let inflated = body::inflate(compression, raw, limit, &mut admitted)?;
        Collector::admit_reading(export, inflated.len(), &mut admitted)?;
        let request = match media {
            Media::Protobuf => collector.message(export, inflated.clone()),
            Media::Json => from_json(collector, export, &inflated),
        };
        request.map(|request| request.keyed(headers, &inflated))
    }
    .await
    .map_err(|failure| collector.refused(failure))?;
    let answer = collector.export(export, read, admitted).await?;
    match media {
        Media::Protobuf => Ok(answer),
        Media::Json => Ok(to_json(export, &answer)),
    }
}

fn from_json(collector: &Collector, export: Export, json: &[u8]) -> Result<super::collector::Request, Failure> {
    let converted = match export {
        Export::Traces => tracewell_otlp::json::convert_traces(json),
        Export::Logs => tracewell_otlp::json::convert_logs(json),
        Export::Scores => return collector.scores(&scores_of_json(json)?),
        Export::Metrics => {
            tracewell_otlp::json::metrics_json_to_protobuf(json).map(|body| Converted { body, ..Converted::default() })
        }
    };
    converted
        .map(Into::into)
        .map_err(|error| Failure::Malformed(format!("the request is not valid OTLP/JSON: {error}")))
}

/// One score, or a list of them.
fn scores_of_json(json: &[u8]) -> Result<Vec<Score>, Failure> {
    let is_list = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let scores = if is_list {
        serde_json::from_slice(json).map(|List(scores)| scores)
    } else {
        serde_json::from_slice(json).map(|one| vec![one])
    };
    scores.map_err(|error| Failure::Malformed(format!("the request is no score, and no list of scores: {error}")))
}

/// Scores that are counted while they are read.
struct List(Vec<Score>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_seq(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of scores")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Self, A::Error> {
        while let Some(score) = elements.next_element()? {
            if self.0.len() == MOST_SCORES {
                return Err(A::Error::custom(too_many()));
            }
            self.0.push(score);
        }
        Ok(self)
    }
}

/// The answer's protobuf as JSON, with the names OTLP/JSON prescribes.
fn to_json(export: Export, answer: &[u8]) -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
    let partial = match export {
        Export::Scores => {
            let accepted = AddScoresResponse::decode(answer).map_or(0, |response| response.accepted);
            return serde_json::json!({ "accepted": accepted }).to_string().into_bytes();
        }
        Export::Traces => trace::v1::ExportTraceServiceResponse::decode(answer)
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| ("rejectedSpans", partial.rejected_spans, partial.error_message)),
        Export::Logs => logs::v1::ExportLogsServiceResponse::decode(answer)
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| ("rejectedLogRecords", partial.rejected_log_records, partial.error_message)),
        Export::Metrics => metrics::v1::ExportMetricsServiceResponse::decode(answer)
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| ("rejectedDataPoints", partial.rejected_data_points, partial.error_message)),
    };
    let json = match partial {
        None => serde_json::json!({}),
        // int64 is text in JSON (https://protobuf.dev/programming-guides/json/).
        Some((key, rejected, message)) => {
            serde_json::json!({ "partialSuccess": { key: rejected.to_string(), "errorMessage": message } })
        }
    };
    json.to_string().into_bytes()
}
