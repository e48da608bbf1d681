//! The services of our own, compiled from the files in `proto/`, which say what each message means.

#![forbid(unsafe_code)]

/// Package `tracewell.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("tracewell.v1");
}
