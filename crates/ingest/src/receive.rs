//! The OTLP endpoints: gRPC and HTTP over one [`Collector`].

mod answer;
mod body;
mod collector;
mod grpc;
mod http;
mod pages;

pub use collector::{Collector, Counters, ReceiveLimits};
pub use grpc::{GRPC_SERVICE, grpc_router};
pub use http::router;
pub use pages::open_to_pages;
