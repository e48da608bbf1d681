//! What can go wrong with the tables.

use deltalake_core::DeltaTableError;

/// An error of the lake. Every message names the table or path, and what to do where something can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The location of the tables cannot be understood.
    #[error(
        "`{location}` is not a place for tables: {reason}; give a folder, or a URL with file://, s3://, gs:// or az://"
    )]
    Location {
        /// As given.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The object store refused or failed.
    #[error("the object store failed: {0}")]
    Store(#[from] object_store::Error),
    /// The Delta log could not be read or written.
    #[error("table `{table}`: {source}")]
    Delta {
        /// The table.
        table: &'static str,
        /// What delta-rs says.
        source: Box<DeltaTableError>,
    },
    /// The stored table has features this program does not read.
    #[error("table `{table}` uses {feature}, which would be misread; it was not written by Tracewell")]
    Unsupported {
        /// The table.
        table: &'static str,
        /// The feature.
        feature: String,
    },
    /// The stored schema is not one this program can read or add to.
    #[error("table `{table}` as stored has another schema: {reason}")]
    Schema {
        /// The table.
        table: &'static str,
        /// The first difference.
        reason: String,
    },
    /// Encoding or decoding Parquet failed.
    #[error("parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// Arrow refused.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The local disk failed.
    #[error("`{path}`: {source}")]
    Disk {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl LakeError {
    pub(crate) fn delta(table: &'static str) -> impl Fn(DeltaTableError) -> Self {
        move |source| Self::Delta { table, source: Box::new(source) }
    }
}
