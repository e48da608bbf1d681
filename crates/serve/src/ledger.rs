//! What people keep, over HTTP: `/v1/prompts` and `/v1/releases`. The commands do the same.
//!
//! A password, where there is one, lets everybody in alike: who writes is whom the request names as `author`, as with the
//! command. A proxy that knows its people can set it.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracewell_ledger::releases::{self, Request};
use tracewell_ledger::{Ledger, LedgerError, prompts};
use tracewell_query::Engine;
use tracewell_regression::dataset::{Signed, check_name};
use tracewell_regression::prompt::{Origin, Prompt, PromptFile};
use tracewell_regression::release::{Entry, Step};
use tracewell_runs::RunsError;

use crate::refusal::unread;
use crate::sql::{JSON, failure, status};

mod grpc;

pub use grpc::{LedgerService, ledger_services};

/// Since when traffic is looked at.
const TRAFFIC: &str = "(now() - INTERVAL '1 day')";

/// Tells a webhook of a rollback; fails with why it could not.
pub type Tell = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What people keep, and who is told of rollbacks.
#[derive(Clone)]
pub struct Records {
    /// What is kept.
    pub ledger: Arc<Ledger<Arc<Engine>>>,
    /// Who is told, if anybody is.
    pub tell: Option<Tell>,
}

impl Records {
    /// Takes a step. With the answer comes what came of telling the webhook, where one is to be told.
    async fn step(&self, request: &Request<'_>) -> Result<(Vec<Entry>, Prompt, Option<String>), LedgerError> {
        let (entries, prompt) = self.ledger.step(request).await?;
        let told = match (&self.tell, releases::rollback_event(&entries, &prompt)) {
            (Some(tell), Some(event)) => Some(tell(event).await.map_or_else(|why| why, |()| "told".to_owned())),
            _ => None,
        };
        Ok((entries, prompt, told))
    }
}

/// Prompts and releases.
pub fn ledger_router(records: Records) -> Router {
    Router::new()
        .route("/v1/prompts", get(list_prompts).post(add_prompt))
        .route("/v1/prompts/{*name}", get(show_prompt))
        .route("/v1/releases", get(release_status).post(step))
        .route("/v1/releases/log", get(release_log))
        .with_state(records)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListPrompts {
    #[serde(default)]
    unregistered: bool,
}

async fn list_prompts(State(records): State<Records>, Query(asked): Query<ListPrompts>) -> Response {
    let source = &records.ledger.source;
    if asked.unregistered {
        return found(prompts::unregistered(source).await);
    }
    found(prompts::list(source).await)
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

async fn add_prompt(State(records): State<Records>, body: Result<Json<AddPrompt>, JsonRejection>) -> Response {
    let AddPrompt { author, note, source, commit, prompt } = match body {
        Ok(Json(body)) => body,
        Err(error) => return unread(error.status(), &error.body_text()),
    };
    let signed = match Signed::new(&author, note.as_deref()) {
        Ok(signed) => signed,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error),
    };
    let name = prompt.name.clone().unwrap_or_default();
    if let Err(error) = check_name(&name) {
        return failure(StatusCode::BAD_REQUEST, &format!("`prompt.name`: {error}"));
    }
    if let Err(error) = prompt.check() {
        return failure(StatusCode::BAD_REQUEST, &format!("`prompt`: {error}"));
    }
    match records.ledger.add_prompt(&prompt, &signed, &Origin { source, commit }).await {
        Ok(Some(added)) => (StatusCode::CREATED, answer(&added)).into_response(),
        // It says what is on record.
        Ok(None) => found(prompts::get(&records.ledger.source, &name).await),
        Err(error) => refuse(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowPrompt {
    /// All revisions.
    #[serde(default)]
    history: bool,
    /// What differs from this one.
    against: Option<String>,
}

async fn show_prompt(
    State(records): State<Records>,
    Path(name): Path<String>,
    Query(asked): Query<ShowPrompt>,
) -> Response {
    let source = &records.ledger.source;
    match (asked.history, asked.against) {
        (false, None) => found(prompts::get(source, &name).await),
        (true, None) => found(prompts::revisions(source, &name).await),
        (false, Some(before)) => found(prompts::difference(source, &before, &name).await),
        (true, Some(_)) => failure(StatusCode::BAD_REQUEST, "give `history` or `against`, and not both"),
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

async fn step(State(records): State<Records>, body: Result<Json<TakeStep>, JsonRejection>) -> Response {
    let asked = match body {
        Ok(Json(body)) => body,
        Err(error) => return unread(error.status(), &error.body_text()),
    };
    let signed = match Signed::new(&asked.author, asked.why.as_deref()) {
        Ok(signed) => signed,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error),
    };
    let request = Request {
        step: asked.step,
        prompt: &asked.prompt,
        environment: &asked.environment,
        signed: &signed,
        at: asked.at,
        verdict: asked.verdict.as_deref(),
        forced: asked.force,
    };
    match records.step(&request).await {
        Ok((entries, prompt, webhook)) => {
            answer(&json!({ "entries": entries, "prompt": prompt.whole(), "webhook": webhook }))
        }
        Err(error) => refuse(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    prompt: Option<String>,
}

async fn release_status(State(records): State<Records>, Query(asked): Query<Asked>) -> Response {
    found(releases::status(&records.ledger.source, asked.prompt.as_deref(), TRAFFIC).await)
}

async fn release_log(State(records): State<Records>, Query(asked): Query<Asked>) -> Response {
    found(releases::entries(&records.ledger.source, asked.prompt.as_deref()).await)
}

fn found(value: Result<impl Serialize, LedgerError>) -> Response {
    match value {
        Ok(value) => answer(&value),
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
