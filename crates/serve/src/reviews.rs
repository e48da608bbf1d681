//! Review over HTTP: `/v1/reviews`. As with the command, an item is open for one reviewer at a time, and in a blind queue
//! nobody sees what others said before they answer themselves.
//!
//! A queue is made by putting examples into it. As with prompts, who reviews is whom the request names as `author`.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tracewell_ledger::reviews::{self, Filling, Judgement, Remark};
use tracewell_ledger::{Ledger, LedgerError};
use tracewell_query::Engine;
use tracewell_regression::Answer;
use tracewell_regression::dataset::{Pin, PinError, Signed, check_name};
use tracewell_regression::review::{About, Item, Outcome, Question, Queue};

use crate::ledger::{answer, refuse};
use crate::refusal::unread;
use crate::sql::failure;

/// Keeps what reviewers say of spans.
pub trait Remarks: Clone + Send + Sync + 'static {
    /// Keeps it as a score; the error says why it cannot be.
    fn keep(&self, remark: Remark) -> impl Future<Output = Result<(), String>> + Send;
}

#[derive(Clone)]
struct Desk<R> {
    ledger: Arc<Ledger<Arc<Engine>>>,
    remarks: R,
}

/// Queues: list them, fill one, look at one, take the next item, judge it.
pub fn reviews_router<R: Remarks>(ledger: Ledger<Arc<Engine>>, remarks: R) -> Router {
    Router::new()
        .route("/v1/reviews", get(queues::<R>))
        .route("/v1/reviews/{*queue}", get(items::<R>).post(step::<R>))
        .with_state(Desk { ledger: Arc::new(ledger), remarks })
}

async fn queues<R: Remarks>(State(desk): State<Desk<R>>) -> Response {
    match tracewell_runs::rows::<Value>(&desk.ledger.source, reviews::LIST).await {
        Ok(queues) => answer(&queues),
        Err(error) => refuse(&error.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    author: Option<String>,
}

async fn items<R: Remarks>(
    State(desk): State<Desk<R>>,
    Path(queue): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let found = async {
        let queue = reviews::existing(&desk.ledger.source, &queue).await?;
        let examples = reviews::examples(&desk.ledger.source, &queue).await?;
        let items = queue.items.values();
        let items = items.map(|item| told(&queue, item, examples.contains_key(&item.id), asked.author.as_deref()));
        let on = queue.questions.iter().map(|question| (question.name.clone(), json!(queue.agreement_on(question))));
        Ok::<_, LedgerError>(json!({
            "queue": queue.name, "questions": queue.questions, "reviewers": queue.reviewers, "blind": queue.blind,
            "agreement": queue.agreement(), "agreement_on": on.collect::<serde_json::Map<_, _>>(),
            "items": items.collect::<Vec<_>>(),
        }))
    };
    match found.await {
        Ok(found) => answer(&found),
        Err(error) => refuse(&error),
    }
}

/// What is done with a queue and its items.
#[derive(Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
enum TakeStep {
    /// Puts examples of a dataset into the queue, which begins to be with them.
    Add {
        author: String,
        dataset: String,
        #[serde(default)]
        tags: Vec<String>,
        #[serde(default)]
        all: bool,
        questions: Option<Vec<Question>>,
        reviewers: Option<usize>,
        blind: Option<bool>,
    },
    /// Opens the next item for whoever asks, but for those they do not want now.
    Next {
        author: String,
        #[serde(default)]
        skip: Vec<String>,
    },
    /// Lets go of an item that is open.
    Release { author: String, item: String },
    /// Gives an item to a reviewer.
    Assign { author: String, item: String, to: String },
    /// Judges an item.
    Answer {
        author: String,
        item: String,
        outcome: Outcome,
        expected: Option<Expected>,
        #[serde(default)]
        answers: BTreeMap<String, Value>,
        note: Option<String>,
    },
}

/// What the output should have been: a text, or an answer with tool calls.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Text(String),
    Whole(Answer),
}

async fn step<R: Remarks>(
    State(desk): State<Desk<R>>,
    Path(queue): Path<String>,
    body: Result<Json<TakeStep>, JsonRejection>,
) -> Response {
    let asked = match body {
        Ok(Json(body)) => body,
        Err(error) => return unread(error.status(), &error.body_text()),
    };
    match desk.step(&queue, asked).await {
        Ok(Some(told)) => answer(&told),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(Refusal::Ledger(error)) => refuse(&error),
        Err(Refusal::Wrong(reason)) => failure(StatusCode::BAD_REQUEST, &reason),
    }
}

enum Refusal {
    Ledger(LedgerError),
    Wrong(String),
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl<R: Remarks> Desk<R> {
    /// Takes a step; `None` where nothing waits.
    async fn step(&self, name: &str, asked: TakeStep) -> Result<Option<Value>, Refusal> {
        let author = match &asked {
            TakeStep::Add { author, .. }
            | TakeStep::Next { author, .. }
            | TakeStep::Release { author, .. }
            | TakeStep::Assign { author, .. }
            | TakeStep::Answer { author, .. } => author,
        };
        let author = Signed::new(author, None).map_err(Refusal::Wrong)?.author;
        let (queue, item, example) = match asked {
            TakeStep::Add { dataset, tags, all, questions, reviewers, blind, .. } => {
                let wrong = |error: PinError| Refusal::Wrong(error.to_string());
                check_name(name).map_err(wrong)?;
                let dataset = dataset.parse::<Pin>().map_err(wrong)?;
                let about = About { questions, reviewers, blind };
                about.check().map_err(Refusal::Wrong)?;
                let filling = Filling { dataset, tags, all, about };
                return Ok(Some(json!(self.ledger.fill_queue(name, &author, &filling).await?)));
            }
            TakeStep::Next { skip, .. } => {
                reviews::existing(&self.ledger.source, name).await?;
                match self.ledger.open_next(name, &author, &skip).await? {
                    Some(open) => open,
                    None => return Ok(None),
                }
            }
            TakeStep::Release { item, .. } => {
                self.ledger.hand(name, &item, &author, None).await?;
                return Ok(None);
            }
            TakeStep::Assign { item, to, .. } => {
                self.ledger.hand(name, &item, &author, Some(&to)).await?;
                return Ok(None);
            }
            TakeStep::Answer { item, outcome, expected, answers, note, .. } => {
                let texts: Vec<(&str, String)> =
                    answers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
                let queue = reviews::existing(&self.ledger.source, name).await?;
                let answers = queue
                    .read_answers(texts.iter().map(|(name, text)| (*name, text.as_str())))
                    .map_err(Refusal::Wrong)?;
                let expected = expected.map(|expected| match expected {
                    Expected::Text(text) => Answer::of_text(text),
                    Expected::Whole(answer) => answer,
                });
                let judgement = Judgement { outcome, answers, expected, note: note.clone() };
                let signed = Signed::new(&author, note.as_deref()).map_err(Refusal::Wrong)?;
                self.ledger.review(name, &item, &signed, &judgement, |remark| self.remarks.keep(remark)).await?
            }
        };
        Ok(Some(json!({
            "queue": queue.name, "questions": queue.questions, "item": told(&queue, &item, true, Some(&author)),
            "example": example,
        })))
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn told(queue: &Queue, item: &Item, is_there: bool, author: Option<&str>) -> Value {
    let mut told = json!({
        "item": item.id, "dataset": item.dataset, "example": item.example, "trace_id": item.trace_id,
        "span_id": item.span_id, "state": queue.state(item, is_there), "answers": item.said.len(),
        "assigned": item.assigned,
        "open_by": item.open.as_ref().map(|(who, _)| who), "open_until": item.open.as_ref().map(|(_, until)| until),
    });
    if queue.shows(item, author) {
        let said = item.said.iter().map(|(reviewer, said)| {
            json!({
                "reviewer": reviewer, "outcome": said.outcome, "answers": said.answers, "expected": said.expected,
                "note": said.note,
            })
        });
        told["said"] = said.collect();
    }
    told
}
