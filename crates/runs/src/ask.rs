//! Whom the questions go to, and answers as typed rows.

use std::future::Future;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::json::LineDelimitedWriter;
use futures::TryStreamExt;
use serde::de::DeserializeOwned;
use tracewell_query::{Engine, QueryError, Session};

/// Answers SQL: an engine in this process, or a server elsewhere.
pub trait Ask: Sync {
    /// All rows of the answer.
    fn ask(&self, sql: &str) -> impl Future<Output = Result<Vec<RecordBatch>, QueryError>> + Send;
}

impl Ask for Arc<Engine> {
    async fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
        self.sql(sql).await?.try_collect().await
    }
}

/// With what the client has set: by other prices than those in force, for instance.
impl Ask for Session {
    async fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
        self.sql(sql).await?.try_collect().await
    }
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// What was given as an id is none.
    #[error("`{0}` is no run id: an id is 32 hexadecimal digits, and its first digits name it where they are unique")]
    NoId(String),
    /// No run has this id.
    #[error("no run's id is or begins with `{0}`; `tracewell runs list` shows the newest")]
    NotFound(String),
    /// Several ids begin so.
    #[error("several runs' ids begin with `{prefix}`: {}; give more digits", .ids.join(", "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// Some of the ids.
        ids: Vec<String>,
    },
    /// A point in time that cannot be read.
    #[error("{0}")]
    Moment(String),
    /// A filter or cursor that cannot be read.
    #[error("{0}")]
    Filter(String),
    /// There is nothing to look at.
    #[error("no spans are stored yet; start `tracewell serve` and send it some, or try `tracewell serve --demo`")]
    Empty,
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// An answer has not the form it should have.
    #[error("an answer could not be read: {0}")]
    Answer(String),
}

/// The rows of an answer, by the names of their columns. A value that is NULL is absent.
///
/// # Errors
/// When the query fails, or its columns do not fit `T`.
pub async fn rows<T: DeserializeOwned>(source: &impl Ask, sql: &str) -> Result<Vec<T>, RunsError> {
    let batches = source.ask(sql).await?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    let unreadable = |error: &dyn std::fmt::Display| RunsError::Answer(error.to_string());
    lines.write_batches(&batches.iter().collect::<Vec<_>>()).map_err(|error| unreadable(&error))?;
    lines.finish().map_err(|error| unreadable(&error))?;
    let text = lines.into_inner();
    let rows = serde_json::Deserializer::from_slice(&text).into_iter();
    rows.collect::<Result<_, _>>().map_err(|error| unreadable(&error))
}
