//! Why there is no report.

/// Why there is no answer, as whoever answers tells it.
pub type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// What was asked for cannot be read.
    #[error("{0}")]
    Asked(String),
    /// A query failed.
    #[error("the query `{query}` failed: {reason}")]
    Query {
        /// What it is to find out.
        query: String,
        /// What the engine says.
        reason: NoAnswer,
    },
    /// An answer has not the form it should have.
    #[error("the answer to `{query}` could not be read: {reason}")]
    Answer {
        /// What it is to find out.
        query: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The page could not be written.
    #[error("the page could not be written: {0}")]
    Page(String),
}
