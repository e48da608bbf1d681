//! `POST /v1/sql`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, WriterBuilder};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tracewell_query::{Engine, QueryError, Rows};

/// The media type of an Arrow IPC stream.
pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";
const JSON: &str = "application/json";
/// Longer queries are refused.
const MOST_SQL: usize = 1 << 20;

/// `POST /v1/sql` over `engine`.
pub fn sql_router(engine: Arc<Engine>) -> Router {
    Router::new().route("/v1/sql", post(sql)).layer(DefaultBodyLimit::max(MOST_SQL)).with_state(engine)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    sql: String,
}

async fn sql(State(engine): State<Arc<Engine>>, headers: HeaderMap, body: Bytes) -> Response {
    let is = |name, wanted: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(wanted))
    };
    let text = if is(CONTENT_TYPE, JSON) {
        match serde_json::from_slice::<Query>(&body) {
            Ok(query) => query.sql,
            Err(error) => {
                return failure(StatusCode::BAD_REQUEST, &format!("the body is not {{\"sql\": \"…\"}}: {error}"));
            }
        }
    } else {
        match String::from_utf8(body.into()) {
            Ok(text) => text,
            Err(_) => return failure(StatusCode::BAD_REQUEST, "the query is not UTF-8"),
        }
    };
    match engine.sql(&text).await {
        Ok(rows) if is(ACCEPT, JSON) => stream(rows, JSON, JsonEncoder::new),
        Ok(rows) => stream(rows, ARROW_STREAM, ArrowEncoder::new),
        Err(error) => failure(status(&error), &error.to_string()),
    }
}

fn status(error: &QueryError) -> StatusCode {
    match error {
        QueryError::Sql(_) => StatusCode::BAD_REQUEST,
        QueryError::Timeout(_) | QueryError::Memory(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn failure(status: StatusCode, message: &str) -> Response {
    (status, [(CONTENT_TYPE, JSON)], serde_json::json!({ "error": message }).to_string()).into_response()
}

/// Turns batches into bytes of one answer.
trait Encoder: Send + 'static {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError>;
    fn end(&mut self) -> Result<Bytes, ArrowError>;
}

/// An answer that is sent while the query runs. A failure after it began breaks it off, so that no reader takes a
/// part for the whole.
fn stream<E: Encoder>(
    rows: Rows,
    media: &'static str,
    encoder: impl FnOnce(SchemaRef) -> Result<E, ArrowError>,
) -> Response {
    let encoder = match encoder(rows.schema()) {
        Ok(encoder) => encoder,
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    ([(CONTENT_TYPE, media)], Body::from_stream(encode(rows, encoder))).into_response()
}

fn encode<E: Encoder>(
    rows: Rows,
    encoder: E,
) -> impl Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> {
    futures::stream::try_unfold(Some((rows, encoder)), |state| async move {
        let Some((mut rows, mut encoder)) = state else { return Ok(None) };
        Ok(match rows.next().await {
            Some(batch) => Some((encoder.batch(&batch?)?, Some((rows, encoder)))),
            None => Some((encoder.end()?, None)),
        })
    })
}

struct ArrowEncoder(StreamWriter<Vec<u8>>);

impl ArrowEncoder {
    fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        StreamWriter::try_new(Vec::new(), &schema).map(Self)
    }
}

impl Encoder for ArrowEncoder {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        self.0.write(batch)?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }
    fn end(&mut self) -> Result<Bytes, ArrowError> {
        self.0.finish()?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }
}

struct JsonEncoder(arrow::json::writer::Writer<Vec<u8>, JsonArray>);

impl JsonEncoder {
    #[expect(clippy::unnecessary_wraps, reason = "encoders share a signature")]
    fn new(_schema: SchemaRef) -> Result<Self, ArrowError> {
        Ok(Self(WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new())))
    }
}

impl Encoder for JsonEncoder {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        self.0.write(batch)?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }
    fn end(&mut self) -> Result<Bytes, ArrowError> {
        self.0.finish()?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }
}
