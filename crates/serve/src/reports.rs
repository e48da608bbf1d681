//! `GET /v1/reports`, `GET /v1/reports/REPORT?period=…` and `GET /v1/reports/NAME/PERIOD`, with `?tz=…` where it was
//! published in several time zones.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use chrono::Utc;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tracewell_query::{Engine, QueryError};
use tracewell_report::{
    Budget, Dimension, GoodOutcome, NoAnswer, Page, Period, Report, ReportError, Request, Row, RowSource, produce,
    render, zone,
};
use tracewell_runs::render::markdown;

use crate::refusal::unread;
use crate::runs::{Form, MARKDOWN, json, page, text};
use crate::sql::{by_prices, failure, status};

/// What reports are made by where nothing else is asked for.
#[derive(Clone, Debug, Default)]
pub struct Usual {
    /// The time zone of periods.
    pub time_zone: String,
    /// What calls may cost.
    pub budgets: Vec<Budget>,
    /// What a good outcome is.
    pub good: GoodOutcome,
    /// What links to runs begin with.
    pub links: String,
}

#[derive(Clone)]
struct Reports {
    engine: Arc<Engine>,
    usual: Arc<Usual>,
}

/// Reports over `engine`.
pub fn reports_router(engine: Arc<Engine>, usual: Usual) -> Router {
    Router::new()
        .route("/v1/reports", get(list))
        .route("/v1/reports/{report}", get(fresh))
        .route("/v1/reports/{name}/{period}", get(published))
        .with_state(Reports { engine, usual: Arc::new(usual) })
}

async fn list(State(Reports { engine, .. }): State<Reports>) -> Response {
    let sql = "SELECT name, report, period, time_zone, recorded_at, calls, unpriced_calls, cost_usd
        FROM reports WHERE event = 'published' ORDER BY recorded_at DESC LIMIT 1000";
    match Answers(engine).rows(sql).await {
        Ok(rows) => json(&rows),
        Err(reason) => failure(unanswered(&*reason), &reason.to_string()),
    }
}

/// What `POST /v1/sql` answers where a query fails; but the SQL is ours, so that no mistake in it is the client's.
fn unanswered(reason: &(dyn Error + Send + Sync + 'static)) -> StatusCode {
    match reason.downcast_ref::<QueryError>() {
        None | Some(QueryError::Sql(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        Some(error) => status(error),
    }
}

fn refuse(error: &ReportError) -> Response {
    let status = match error {
        ReportError::Asked(_) => StatusCode::BAD_REQUEST,
        ReportError::Query { reason, .. } => unanswered(&**reason),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    failure(status, &error.to_string())
}

/// What a report is to be over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    period: Option<String>,
    tz: Option<String>,
    by: Option<String>,
}

async fn fresh(
    State(Reports { engine, usual }): State<Reports>,
    Path(report): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Some(form) = Form::wanted(&headers) else { return Form::refused() };
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(error) => return unread(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let report = match report.parse::<Report>() {
        Ok(report) => report,
        Err(error) => return failure(StatusCode::NOT_FOUND, &error.to_string()),
    };
    let request = match request(report, &asked, &usual) {
        Ok(request) => request,
        Err(error) => return refuse(&error),
    };
    let session = by_prices(&engine, &headers);
    // Prices that nobody knows are told as what they are: a wrong question.
    if let Err(error) = session.prepare("SELECT 1", &[]).await {
        return failure(status(&error), &error.to_string());
    }
    match produce(&Answers(session), &request).await {
        Ok(page) => shown(&page, form),
        Err(error) => refuse(&error),
    }
}

fn request(report: Report, asked: &Asked, usual: &Usual) -> Result<Request, ReportError> {
    let now = Utc::now();
    let zone = zone(asked.tz.as_deref().unwrap_or(&usual.time_zone))?;
    let by = asked.by.as_deref().unwrap_or("team,prompt,model");
    Ok(Request {
        report,
        period: Period::parse(asked.period.as_deref().unwrap_or("last-week"), zone, now)?,
        now,
        by: Dimension::all_named(&by.split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>())?,
        budgets: usual.budgets.clone(),
        good: usual.good.clone(),
        links: usual.links.clone(),
    })
}

/// Which of several published reports is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Within {
    tz: Option<String>,
}

async fn published(
    State(Reports { engine, .. }): State<Reports>,
    Path((name, period)): Path<(String, String)>,
    asked: Result<Query<Within>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Some(form) = Form::wanted(&headers) else { return Form::refused() };
    let tz = match asked {
        Ok(Query(Within { tz })) => tz,
        Err(error) => return unread(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let window =
        tz.map(|tz| Ok::<_, ReportError>(Period::parse(&period, zone(&tz)?, Utc::now())?.window())).transpose();
    let window = match window {
        Ok(window) => window,
        Err(error) => return refuse(&error),
    };
    match tracewell_report::published_page(&Answers(engine), &name, &period, window).await {
        Ok(Some(page)) => shown(&page, form),
        Ok(None) => failure(
            StatusCode::NOT_FOUND,
            &format!("nothing was published of `{period}` as `{name}`; GET /v1/reports lists what was"),
        ),
        Err(error) => refuse(&error),
    }
}

fn shown(report: &Page, form: Form) -> Response {
    match form {
        Form::Html => match render::html(report) {
            Ok(html) => page(html),
            Err(error) => refuse(&error),
        },
        Form::Markdown => text(MARKDOWN, markdown(&render::blocks(report)), &[]),
        Form::Json => json(report),
    }
}

/// Answers as reports want them: rows whose decimals are text, so that they stay exact.
#[derive(Debug)]
pub struct Answers<A>(pub A);

impl<A: tracewell_runs::Ask> tracewell_report::RowSource for Answers<A> {
    async fn rows(&self, sql: &str) -> Result<Vec<Row>, NoAnswer> {
        let batches = self.0.ask(sql).await?;
        let exact = batches.iter().map(with_decimals_as_text).collect::<Result<Vec<_>, _>>()?;
        let mut lines = LineDelimitedWriter::new(Vec::new());
        lines.write_batches(&exact.iter().collect::<Vec<_>>())?;
        lines.finish()?;
        let lines = lines.into_inner();
        Ok(serde_json::Deserializer::from_slice(&lines).into_iter().collect::<Result<Vec<Row>, _>>()?)
    }
}

fn with_decimals_as_text(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column: ArrayRef = match field.data_type() {
            DataType::Decimal128(..) | DataType::Decimal256(..) => cast(column, &DataType::Utf8)?,
            _ => column.clone(),
        };
        Ok((field.name(), column))
    });
    RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}
