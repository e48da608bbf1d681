//! One place that maps what went wrong to gRPC and HTTP answers.
//!
//! OTLP clients retry `RESOURCE_EXHAUSTED` only when the status carries a `RetryInfo`
//! (<https://opentelemetry.io/docs/specs/otlp/#failures>), and 429 and 503 with `Retry-After`.

use prost::Message;
use serde_json::json;

use crate::shard::Refused;

/// Why a request gets no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The bytes cannot be read; sending them again cannot help.
    Malformed(String),
    /// The media type or encoding is not one of OTLP's.
    Unsupported(String),
    /// More bytes than one request may have.
    TooLarge(usize),
    /// More rows than one request may become.
    TooManyRows { items: u64, rows: u64, limit: usize },
    /// No room now.
    Overloaded(String),
    /// Nothing can be stored now.
    Unavailable(String),
    /// A fault of this program.
    Internal(String),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Overloaded(_) => Self::Overloaded(refused.to_string()),
            Refused::Unavailable(_) => Self::Unavailable(refused.to_string()),
            Refused::Broken(_) => Self::Internal(refused.to_string()),
        }
    }
}

/// Seconds after which a refused client should come again.
const RETRY_OVERLOADED: u64 = 1;
const RETRY_UNAVAILABLE: u64 = 5;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`, with its `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl RpcStatus {
    /// As protobuf's messages are written in JSON (<https://protobuf.dev/programming-guides/json/>): each detail with
    /// its type, a duration as text.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let details = self.details.iter().filter_map(|detail| {
            let delay = RetryInfo::decode(detail.value.as_slice()).ok()?.retry_delay?;
            Some(json!({ "@type": detail.type_url, "retryDelay": format!("{}s", delay.seconds) }))
        });
        json!({ "code": self.code, "message": self.message, "details": details.collect::<Vec<_>>() })
    }
}

impl Failure {
    pub(super) fn message(&self) -> String {
        match self {
            Self::Malformed(message) | Self::Unsupported(message) => message.clone(),
            Self::Overloaded(message) | Self::Unavailable(message) | Self::Internal(message) => message.clone(),
            Self::TooLarge(limit) => {
                format!(
                    "the request is larger than {limit} bytes, the most that one request may have; send smaller batches"
                )
            }
            Self::TooManyRows { items, rows, limit } => {
                format!(
                    "the request's {items} spans or records, each with its resource and scope, come to {rows} bytes of \
                     rows, {limit} bytes at most can be taken in at once; send smaller batches"
                )
            }
        }
    }

    fn code(&self) -> tonic::Code {
        match self {
            Self::Malformed(_) => tonic::Code::InvalidArgument,
            Self::Unsupported(_) => tonic::Code::Unimplemented,
            // Not RESOURCE_EXHAUSTED: the same request will never fit.
            Self::TooLarge(_) | Self::TooManyRows { .. } => tonic::Code::InvalidArgument,
            Self::Overloaded(_) => tonic::Code::ResourceExhausted,
            Self::Unavailable(_) => tonic::Code::Unavailable,
            // Exporters do not send it again.
            Self::Internal(_) => tonic::Code::Internal,
        }
    }

    pub(super) fn http_status(&self) -> http::StatusCode {
        match self {
            Self::Malformed(_) => http::StatusCode::BAD_REQUEST,
            Self::Unsupported(_) => http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) | Self::TooManyRows { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded(_) => http::StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// After how many seconds the client should come again.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Overloaded(_) => Some(RETRY_OVERLOADED),
            Self::Unavailable(_) => Some(RETRY_UNAVAILABLE),
            _ => None,
        }
    }

    pub(super) fn rpc_status(&self) -> RpcStatus {
        let details = self.retry_after().map(|seconds| Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: RetryInfo { retry_delay: Some(Duration { seconds: seconds as i64, nanos: 0 }) }.encode_to_vec(),
        });
        RpcStatus { code: self.code() as i32, message: self.message(), details: details.into_iter().collect() }
    }

    pub(super) fn grpc_status(&self) -> tonic::Status {
        tonic::Status::with_details(self.code(), self.message(), self.rpc_status().encode_to_vec().into())
    }
}
