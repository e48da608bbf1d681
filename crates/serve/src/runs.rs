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

use crate::refusal::unread;
use crate::sql::{JSON, by_prices, failure, header, status};

const HTML: &str = "text/html; charset=utf-8";
pub(crate) const MARKDOWN: &str = "text/markdown; charset=utf-8";

/// Runs over `engine`.
pub fn runs_router(engine: Arc<Engine>) -> Router {
    Router::new().route("/v1/runs", get(list)).route("/v1/runs/{id}", get(show)).with_state(engine)
}

async fn list(
    State(engine): State<Arc<Engine>>,
    headers: HeaderMap,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let filter = match filter {
        Ok(Query(filter)) => filter,
        Err(error) => return unread(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    match tracewell_runs::list(&by_prices(&engine, &headers), &filter, now()).await {
        Ok(page) => json(&page),
        Err(error) => refuse(&error),
    }
}

async fn show(State(engine): State<Arc<Engine>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some(form) = Form::wanted(&headers) else { return Form::refused() };
    let record = match tracewell_runs::open(&by_prices(&engine, &headers), &id).await {
        Ok(record) => record,
        Err(error) => return refuse(&error),
    };
    match form {
        Form::Html => page(html(&format!("Run {}", record.trace_id), &story(&record, Detail::ALL))),
        Form::Markdown => text(MARKDOWN, markdown(&story(&record, Detail::ALL)), &[]),
        Form::Json => json(&record),
    }
}

/// A form that pages come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Html,
    Markdown,
}

impl Form {
    /// The form that `Accept` names first; JSON where it names none, `None` where it names only what there is not.
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let accept = header(headers, ACCEPT);
        if accept.trim().is_empty() {
            return Some(Self::Json);
        }
        accept.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            let form = match parts.next()? {
                JSON | "application/*" | "*/*" => Self::Json,
                "text/html" | "text/*" => Self::Html,
                "text/markdown" => Self::Markdown,
                _ => return None,
            };
            let is_refused = |part: &str| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
            (!parts.any(is_refused)).then_some(form)
        })
    }

    /// The answer to whom none of them will do.
    pub(crate) fn refused() -> Response {
        let told = "this comes as application/json, text/html or text/markdown; `Accept` names none of them";
        failure(StatusCode::NOT_ACCEPTABLE, told)
    }
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
