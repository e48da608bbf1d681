//! OTLP over gRPC, on raw bytes: no message is decoded into structs on the way in.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tower::Service;

use super::answer::Failure;
use super::collector::{Collector, Export};

/// The three OTLP services behind one tower service; route all their paths to it.
#[derive(Clone, Debug)]
pub struct OtlpGrpc {
    collector: Collector,
}

impl OtlpGrpc {
    /// The services over `collector`.
    #[must_use]
    pub fn new(collector: Collector) -> Self {
        Self { collector }
    }

    /// The paths to route here.
    pub const PATHS: [&'static str; 3] = [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ];
}

impl NamedService for OtlpGrpc {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl Service<http::Request<Body>> for OtlpGrpc {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let collector = self.collector.clone();
        Box::pin(async move {
            let export = match Self::PATHS.iter().position(|path| *path == request.uri().path()) {
                Some(0) => Export::Traces,
                Some(1) => Export::Logs,
                Some(2) => Export::Metrics,
                _ => return Ok(Status::unimplemented("no such method").into_http()),
            };
            // Refuse before reading: what does not fit is not even received.
            if let Err(refused) = collector.ingest.check_room() {
                return Ok(collector.refused(refused.into()).grpc_status().into_http());
            }
            let limit = collector.limits.request_bytes;
            let mut grpc = Grpc::new(RawCodec)
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd)
                .max_decoding_message_size(limit);
            Ok(grpc.unary(Unary { collector, export }, request).await)
        })
    }
}

struct Unary {
    collector: Collector,
    export: Export,
}

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (collector, export) = (self.collector.clone(), self.export);
        Box::pin(async move {
            let body = request.into_inner();
            let mut admitted = collector.admission.enter();
            if !admitted.grow(body.len()) {
                let message = "the collector is overloaded: too many bytes in flight; send again after a pause";
                return Err(collector.refused(Failure::Overloaded(message.into())).grpc_status());
            }
            match collector.export(export, body, admitted).await {
                Ok(answer) => Ok(Response::new(answer.into())),
                Err(failure) => Err(failure.grpc_status()),
            }
        })
    }
}

/// Messages as the bytes they are.
#[derive(Clone, Copy, Debug, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
