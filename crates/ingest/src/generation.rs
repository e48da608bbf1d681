//! The rows of a shard that go to the tables together, and the transaction that tells that they are there.

use std::sync::Arc;

use tracewell_model::MAPPING_VERSION;
use tracewell_model::schema::CONTENTS;

use crate::rows::TakenRows;

/// The rows of a shard between two seals.
#[derive(Debug)]
pub(crate) struct Generation {
    /// The sequence number of its last record: its transaction version.
    pub(crate) seq: u64,
    /// Its rows, in the batches they were taken out in.
    pub(crate) rows: TakenRows,
    /// About how much memory they take.
    pub(crate) bytes: usize,
}

/// The transaction id of the log `app` in `table`.
///
/// That of `contents` names the mapping too. After a crash between the commits of a seal `contents` is ahead of
/// `spans`; another version cuts other pieces out of the records that it reads again, and none may pass for stored.
pub(crate) fn transaction_id(app: &str, table: &str) -> Arc<str> {
    if table == CONTENTS.name { format!("{app}#{MAPPING_VERSION}").into() } else { app.into() }
}
