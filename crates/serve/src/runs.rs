//! `GET /v1/runs` and `GET /v1/runs/ID`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tracewell_query::Engine;
use tracewell_runs::render::{Detail, html, markdown, story};
use tracewell_runs::{Filter, RunsError};

use crate::sql::{JSON, failure, header, status};

const HTML: &str = "text/html; charset=utf-8";
pub(crate) const MARKDOWN: &str = "text/markdown; charset=utf-8";

/// Runs over `engine`.
pub fn runs_router(engine: Arc<Engine>) -> Router {
    Router::new().route("/v1/runs", get(list)).route("/v1/runs/{id}", get(show)).with_state(engine)
}

async fn list(State(engine): State<Arc<Engine>>, filter: Result<Query<Filter>, QueryRejection>) -> Response {
    let filter = match filter {
        Ok(Query(filter)) => filter,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    match tracewell_runs::list(&engine, &filter, now()).await {
        Ok(page) => json(&page),
        Err(error) => refuse(&error),
    }
}

async fn show(State(engine): State<Arc<Engine>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let record = match tracewell_runs::open(&engine, &id).await {
        Ok(record) => record,
        Err(error) => return refuse(&error),
    };
    match wanted(&headers) {
        "text/html" => page(html(&format!("Run {}", record.trace_id), &story(&record, Detail::ALL))),
        "text/markdown" => text(MARKDOWN, markdown(&story(&record, Detail::ALL)), &[]),
        _ => json(&record),
    }
}

/// The form of a page that `Accept` asks for first.
pub(crate) fn wanted(headers: &HeaderMap) -> &str {
    let accept = header(headers, ACCEPT);
    let mut named = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
    named.find(|media| matches!(*media, JSON | "text/html" | "text/markdown" | "*/*")).unwrap_or_default()
}

/// A page in which stands what others wrote: nothing in it may run or be loaded.
pub(crate) fn page(html: String) -> Response {
    text(HTML, html, &[(CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")])
}

pub(crate) fn text(media: &'static str, body: String, more: &[(HeaderName, &'static str)]) -> Response {
    let own = [(CONTENT_TYPE, media), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (VARY, "accept")];
    let headers = own.into_iter().chain(more.iter().cloned());
    let headers: HeaderMap = headers.map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    (headers, body).into_response()
}

pub(crate) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(body) => text(JSON, body, &[]),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refuse(error: &RunsError) -> Response {
    let status = match error {
        RunsError::NoId(_) | RunsError::Moment(_) | RunsError::Filter(_) => StatusCode::BAD_REQUEST,
        RunsError::NotFound(_) | RunsError::Empty => StatusCode::NOT_FOUND,
        RunsError::Ambiguous { .. } => StatusCode::CONFLICT,
        RunsError::Query(error) => status(error),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    failure(status, &error.to_string())
}

/// Microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
