//! What can go wrong in maintenance. Nothing of it harms the tables: a step lands as a whole or not at all.

use datafusion::error::DataFusionError;
use tracewell_lake::LakeError;

/// An error of maintenance.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// The tables or their store.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Reading or merging files.
    #[error("cannot merge files: {}", .0.strip_backtrace())]
    Merge(#[from] DataFusionError),
    /// A file does not hold what the log says.
    #[error("the log promises {promised} rows of `{table}` {day}, but its files hold {found}; they are left alone")]
    Rows {
        /// The table.
        table: &'static str,
        /// The day of the files.
        day: tracewell_model::time::Day,
        /// Rows by the log.
        promised: u64,
        /// Rows read.
        found: u64,
    },
    /// Others commit so often that no replacement finds its files still there.
    #[error("other maintainers of `{table}` were always first; run one at a time")]
    Crowded {
        /// The table.
        table: &'static str,
    },
    /// The system refused a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl From<arrow::error::ArrowError> for MaintainError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Merge(error.into())
    }
}

impl MaintainError {
    /// Whether memory was too small for the way in which it was tried.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self, Self::Merge(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)))
    }
}
