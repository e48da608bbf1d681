//! OTLP over gRPC, on raw bytes: no message is decoded into structs on the way in.
//!
//! The three methods are unary, so a request is one frame (<https://grpc.io/docs/guides/wire/>): a flag that says
//! whether it is compressed, its length in four bytes, and the message. It is read here, not by a gRPC library, so
//! that every byte is admitted as it comes, inflated ones included.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};

use super::answer::Failure;
use super::body;
use super::collector::{Collector, Export};

/// The service that stands for this server in the gRPC health service.
pub const GRPC_SERVICE: &str = "opentelemetry.proto.collector.trace.v1.TraceService";

/// The flag and the length before a message.
const PREFIX: usize = 5;

/// The three OTLP services, and that of scores.
pub fn grpc_router(collector: Collector) -> Router {
    Router::new()
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(traces))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(logs))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(metrics))
        .route("/tracewell.v1.Scores/Add", post(scores))
        .with_state(collector)
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

async fn answer(collector: &Collector, export: Export, request: Request<Body>) -> Response {
    match take(collector, export, request).await {
        Ok(message) => succeeded(&message),
        Err(failure) => failed(&failure),
    }
}

async fn take(collector: &Collector, export: Export, request: Request<Body>) -> Result<Vec<u8>, Failure> {
    // Refuse before reading: what does not fit is not even received.
    collector.ingest.check_room().map_err(|refused| collector.refused(refused.into()))?;
    let limit = collector.limits.of(export);
    let mut admitted = collector.admission.enter();
    let (head, body) = request.into_parts();
    let message = async {
        let compression = body::compression("grpc-encoding", &head.headers)?;
        let frame = body::read(body, limit + PREFIX, &mut admitted).await.map_err(|failure| match failure {
            // The limit is the message's.
            Failure::TooLarge(_) => Failure::TooLarge(limit),
            other => other,
        });
        let (compressed, message) = message(frame?)?;
        let message = body::inflate(compression.filter(|_| compressed), message, limit, &mut admitted)?;
        Collector::admit_reading(export, message.len(), &mut admitted)?;
        collector.message(export, message.clone()).map(|request| request.keyed(&head.headers, &message))
    }
    .await
    .map_err(|failure| collector.refused(failure))?;
    collector.export(export, message, admitted).await
}

/// The message of a frame, and whether it is compressed.
fn message(mut frame: Bytes) -> Result<(bool, Bytes), Failure> {
    let malformed = |what: &str| Failure::Malformed(format!("the request is not one gRPC message: {what}"));
    let Some((&[flag, a, b, c, d], rest)) = frame.split_first_chunk() else {
        return Err(malformed("it ends before the message starts"));
    };
    if flag > 1 {
        return Err(malformed("its first byte is neither 0 nor 1"));
    }
    if u32::from_be_bytes([a, b, c, d]) as usize != rest.len() {
        return Err(malformed("its length is not what it says"));
    }
    Ok((flag == 1, frame.split_off(PREFIX)))
}

fn succeeded(message: &[u8]) -> Response {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    let trailers = HeaderMap::from_iter([(tonic::Status::GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

fn failed(failure: &Failure) -> Response {
    let mut response: Response = failure.grpc_status().into_http();
    if matches!(failure, Failure::Unsupported(_)) {
        response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,zstd"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_exactly_one_message() {
        assert_eq!(message(Bytes::from_static(&[1, 0, 0, 0, 2, 7, 8])), Ok((true, Bytes::from_static(&[7, 8]))));
        assert_eq!(message(Bytes::from_static(&[0, 0, 0, 0, 0])), Ok((false, Bytes::new())));
        let malformed: [&[u8]; 5] =
            [&[], &[0, 0, 0, 0], &[2, 0, 0, 0, 1, 7], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0]];
        for frame in malformed {
            assert!(matches!(message(Bytes::from_static(frame)), Err(Failure::Malformed(_))), "{frame:?}");
        }
    }
}
