//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;

/// How the server is, as those who run it want to know.
pub trait Health: Send + Sync + 'static {
    /// Which write-ahead log this server owns: `/healthz` says it, so that nobody takes one server for another.
    fn identity(&self) -> String;
    /// Which data it answers from: the id of the table `spans`.
    fn data(&self) -> String;
    /// Why the server cannot take data now; `None` when it can.
    fn not_ready(&self) -> impl Future<Output = Option<String>> + Send;
    /// Metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// The endpoints of health.
pub fn health_router<H: Health>(health: Arc<H>) -> Router {
    Router::new()
        .route("/healthz", get(alive::<H>))
        .route("/readyz", get(ready::<H>))
        .route("/metrics", get(metrics::<H>))
        .with_state(health)
}

/// The header in which `/healthz` tells [`Health::identity`].
pub const IDENTITY: &str = "tracewell-wal";
/// The header in which `/healthz` tells [`Health::data`].
pub const DATA: &str = "tracewell-data";

async fn alive<H: Health>(State(health): State<Arc<H>>) -> impl IntoResponse {
    ([(IDENTITY, health.identity()), (DATA, health.data())], "ok\n")
}

async fn ready<H: Health>(State(health): State<Arc<H>>) -> impl IntoResponse {
    match health.not_ready().await {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn metrics<H: Health>(State(health): State<Arc<H>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], health.metrics())
}
