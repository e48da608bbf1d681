//! The OTLP endpoints: gRPC and HTTP over one [`Collector`].

mod answer;
mod body;
mod collector;
mod grpc;
mod http;

pub use collector::{Collector, Counters, ReceiveLimits};
pub use grpc::OtlpGrpc;
pub use http::router;
