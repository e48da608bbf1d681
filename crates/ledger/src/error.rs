//! Why something cannot be read or kept.

use tracewell_lake::LakeError;
use tracewell_query::QueryError;
use tracewell_runs::RunsError;

/// Why something cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// It is not there.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be done as things are, or not by this person.
    #[error("{0}")]
    Refused(String),
    /// What follows from it could not be done, and so it was not done either.
    #[error("{0}")]
    Unkept(String),
    /// Others were first each time.
    #[error("{0} others wrote at the same time, and were first each time; try again")]
    Crowded(usize),
    /// A query failed, or its answer could not be read.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// The tables cannot be written.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

impl From<QueryError> for LedgerError {
    fn from(error: QueryError) -> Self {
        Self::Runs(error.into())
    }
}

impl LedgerError {
    pub(crate) fn refused(reason: impl ToString) -> Self {
        Self::Refused(reason.to_string())
    }

    pub(crate) fn unreadable(reason: impl ToString) -> Self {
        Self::Runs(RunsError::Answer(reason.to_string()))
    }
}
