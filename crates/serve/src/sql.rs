//! `POST /v1/sql`, and the description of all that is answered.

use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use tracewell_query::{Engine, QueryError, Rows, Session, Settings};
use tracewell_requests::body::Asked;

use crate::asked::{Refused, run};
use crate::format::{Encoder, Format, Squeeze, Squeezed};

pub(crate) const JSON: &str = "application/json";
/// Longer queries are refused.
const MOST_SQL: usize = 1 << 20;

/// `POST /v1/sql` over `engine`, and `GET /v1/openapi.json`.
pub fn sql_router(engine: Arc<Engine>) -> Router {
    let description = get(async || ([(CONTENT_TYPE, JSON)], include_str!("openapi.json")));
    let asked = post(sql).layer(DefaultBodyLimit::max(MOST_SQL));
    Router::new().route("/v1/sql", asked).route("/v1/openapi.json", description).with_state(engine)
}

async fn sql(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Bytes) -> Response {
    match Asked::read(&body, header(&headers, CONTENT_TYPE).contains(JSON)) {
        Ok(asked) => answer(&engine, asked, &headers).await,
        Err(message) => failure(StatusCode::BAD_REQUEST, &message),
    }
}

/// Runs a query, and answers in the format that `headers` ask for.
pub(crate) async fn answer(engine: &Arc<Engine>, mut asked: Asked, headers: &HeaderMap) -> Response {
    let Some(format) = format(header(headers, ACCEPT)) else {
        let known = Format::ALL.map(Format::media).join(", ");
        return failure(StatusCode::NOT_ACCEPTABLE, &format!("`accept` names none of {known}"));
    };
    let prices = header(headers, PRICES);
    if !prices.is_empty() {
        asked.prices = Some(prices.to_owned());
    }
    let zone = header(headers, TIME_ZONE);
    if !zone.is_empty() {
        asked.time_zone = Some(zone.to_owned());
    }
    match run(asked, engine).await {
        Ok(rows) => stream(rows, format, Squeeze::wanted(header(headers, ACCEPT_ENCODING))).await,
        Err(Refused::Query(error)) => failure(status(&error), &error.to_string()),
        Err(Refused::Wrong(message)) => failure(StatusCode::BAD_REQUEST, &message),
    }
}

/// The header that names the version of the prices by which costs are worked out.
pub const PRICES: HeaderName = HeaderName::from_static("tracewell-prices");

/// Asks `engine` by the prices that `headers` name, else by those in force.
pub(crate) fn by_prices(engine: &Arc<Engine>, headers: &HeaderMap) -> Session {
    let prices = Some(header(headers, PRICES)).filter(|version| !version.is_empty()).map(str::to_owned);
    engine.session(Settings { prices, ..Settings::default() })
}

/// The header that names the time zone that times are of and shown in.
pub const TIME_ZONE: HeaderName = HeaderName::from_static("tracewell-time-zone");

pub(crate) fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The first format that `accept` names; JSON for whoever takes anything.
fn format(accept: &str) -> Option<Format> {
    let mut named = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
    if accept.trim().is_empty() {
        return Some(Format::Json);
    }
    named.find_map(|media| match media {
        "*/*" | "application/*" => Some(Format::Json),
        "text/*" => Some(Format::Csv),
        "application/jsonl" | "application/ndjson" => Some(Format::Ndjson),
        _ => Format::ALL.into_iter().find(|format| format.media().eq_ignore_ascii_case(media)),
    })
}

pub(crate) fn status(error: &QueryError) -> StatusCode {
    match error {
        QueryError::Sql(_) => StatusCode::BAD_REQUEST,
        QueryError::Timeout(_) | QueryError::Memory(_) | QueryError::TooLarge(_) => StatusCode::UNPROCESSABLE_ENTITY,
        QueryError::Storage(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(crate) fn failure(status: StatusCode, message: &str) -> Response {
    (status, [(CONTENT_TYPE, JSON)], serde_json::json!({ "error": message }).to_string()).into_response()
}

/// An answer that is sent while the query runs. It begins with the first rows, so that what fails before is told as an
/// error; a failure later breaks it off, so that no reader takes a part for the whole.
async fn stream(mut rows: Rows, format: Format, squeeze: Option<Squeeze>) -> Response {
    let first = match rows.next().await.transpose() {
        Ok(first) => first,
        Err(error) => return failure(status(&error), &error.to_string()),
    };
    let encoder = format.encoder(&rows.schema()).and_then(|encoder| match squeeze {
        Some(squeeze) => Ok(Box::new(Squeezed::new(squeeze, encoder)?) as Box<dyn Encoder>),
        None => Ok(encoder),
    });
    let encoder = match encoder {
        Ok(encoder) => encoder,
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let mut response =
        ([(CONTENT_TYPE, format.media())], Body::from_stream(encode(first, rows, encoder))).into_response();
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(squeeze) = squeeze {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(squeeze.name()));
    }
    response
}

fn encode(
    first: Option<RecordBatch>,
    rows: Rows,
    encoder: Box<dyn Encoder>,
) -> impl Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> {
    let batches = futures::stream::iter(first.map(Ok)).chain(rows);
    futures::stream::try_unfold(Some((batches, encoder)), |state| async move {
        let Some((mut batches, mut encoder)) = state else { return Ok(None) };
        Ok(match batches.next().await {
            Some(Ok(batch)) => Some((Bytes::from(encoder.batch(&batch)?), Some((batches, encoder)))),
            Some(Err(error)) => {
                tracing::warn!(%error, "an answer was broken off");
                return Err(error.into());
            }
            None => Some((encoder.end()?.into(), None)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_format_that_is_known_is_sent() {
        assert_eq!(format(""), Some(Format::Json));
        assert_eq!(format("*/*"), Some(Format::Json));
        assert_eq!(format("text/html, text/csv;q=0.9, */*"), Some(Format::Csv));
        assert_eq!(format("application/vnd.apache.arrow.stream"), Some(Format::Arrow));
        assert_eq!(format("image/png"), None);
    }
}
