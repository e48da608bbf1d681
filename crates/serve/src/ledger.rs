//! What people keep, over HTTP: `/v1/prompts` and `/v1/releases`. The commands do the same.
//!
//! A password, where there is one, lets everybody in alike: who writes is whom the request names as `author`, as with the
//! command. A proxy that knows its people can set it.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracewell_ledger::releases::{self, Request};
use tracewell_ledger::{Ledger, LedgerError, prompts};
use tracewell_query::Engine;
use tracewell_regression::dataset::{Signed, check_name};
use tracewell_regression::prompt::{Origin, PromptFile};
use tracewell_regression::release::Step;
use tracewell_runs::RunsError;

use crate::sql::{JSON, failure, status};

mod grpc;

pub use grpc::{LedgerService, ledger_services};

/// Since when traffic is looked at.
const TRAFFIC: &str = "(now() - INTERVAL '1 day')";

type Shared = Arc<Ledger<Arc<Engine>>>;

/// Prompts and releases.
pub fn ledger_router(ledger: Ledger<Arc<Engine>>) -> Router {
    Router::new()
        .route("/v1/prompts", post(add_prompt))
        .route("/v1/prompts/{*name}", get(show_prompt))
        .route("/v1/releases", get(release_status).post(step))
        .with_state(Arc::new(ledger))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddPrompt {
    author: String,
    note: Option<String>,
    source: Option<String>,
    commit: Option<String>,
    prompt: PromptFile,
}

async fn add_prompt(State(ledger): State<Shared>, body: Result<Json<AddPrompt>, JsonRejection>) -> Response {
    let AddPrompt { author, note, source, commit, prompt } = match body {
        Ok(Json(body)) => body,
        Err(error) => return failure(error.status(), &error.body_text()),
    };
    let name = prompt.name.clone().unwrap_or_default();
    if let Err(error) = check_name(&name) {
        return failure(StatusCode::BAD_REQUEST, &format!("`prompt.name`: {error}"));
    }
    if prompt.messages.is_empty() {
        return failure(StatusCode::BAD_REQUEST, "`prompt.message` has no messages");
    }
    match ledger.add_prompt(&prompt, &Signed { author, note }, &Origin { source, commit }).await {
        Ok(Some(added)) => (StatusCode::CREATED, answer(&added)).into_response(),
        // It says what is on record.
        Ok(None) => show(&ledger, &name).await,
        Err(error) => refuse(&error),
    }
}

async fn show_prompt(State(ledger): State<Shared>, Path(name): Path<String>) -> Response {
    show(&ledger, &name).await
}

async fn show(ledger: &Shared, name: &str) -> Response {
    match prompts::get(&ledger.source, name).await {
        Ok(prompt) => answer(&prompt),
        Err(error) => refuse(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TakeStep {
    step: Step,
    prompt: String,
    #[serde(default = "production")]
    environment: String,
    author: String,
    why: Option<String>,
    verdict: Option<String>,
    at: Option<DateTime<Utc>>,
    #[serde(default)]
    force: bool,
}

fn production() -> String {
    "production".to_owned()
}

async fn step(State(ledger): State<Shared>, body: Result<Json<TakeStep>, JsonRejection>) -> Response {
    let asked = match body {
        Ok(Json(body)) => body,
        Err(error) => return failure(error.status(), &error.body_text()),
    };
    let at = asked.at.unwrap_or_else(|| DateTime::from_timestamp_nanos(ledger.now()));
    let request = Request {
        step: asked.step,
        prompt: &asked.prompt,
        environment: &asked.environment,
        signed: &Signed { author: asked.author, note: asked.why },
        effective_at: &at.to_rfc3339_opts(SecondsFormat::Micros, true),
        verdict: asked.verdict.as_deref(),
        forced: asked.force,
    };
    match ledger.step(&request).await {
        Ok((entries, prompt)) => answer(&json!({ "entries": entries, "prompt": prompt.whole() })),
        Err(error) => refuse(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    prompt: Option<String>,
}

async fn release_status(State(ledger): State<Shared>, Query(asked): Query<Asked>) -> Response {
    match releases::status(&ledger.source, asked.prompt.as_deref(), TRAFFIC).await {
        Ok(found) => answer(&found),
        Err(error) => refuse(&error),
    }
}

pub(crate) fn answer(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(body) => ([(CONTENT_TYPE, JSON)], body).into_response(),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

pub(crate) fn refuse(error: &LedgerError) -> Response {
    let status = match error {
        LedgerError::NotFound(_) => StatusCode::NOT_FOUND,
        LedgerError::Refused(_) | LedgerError::Crowded(_) => StatusCode::CONFLICT,
        LedgerError::Unkept(_) => StatusCode::SERVICE_UNAVAILABLE,
        LedgerError::Runs(RunsError::Query(error)) => status(error),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    failure(status, &error.to_string())
}
