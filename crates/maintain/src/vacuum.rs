//! Vacuum: files in the store that no table needs any more.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectMeta};
use tracewell_lake::{FactTable, LakeError};

use crate::MaintainError;

/// A file that no log knows may be one that a writer is about to commit, for so long after it was written.
pub const VACUUM_ORPHAN_AGE: Duration = Duration::from_secs(3600);

/// What vacuum found or did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Files of the current version.
    pub live: usize,
    /// Their bytes.
    pub live_bytes: u64,
    /// Files deleted, or that would be.
    pub deleted: usize,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Files that are not needed now and kept for `retain`.
    pub kept: usize,
    /// Their bytes.
    pub kept_bytes: u64,
}

/// Deletes the data files under the table's folder that its current version does not hold: those taken out of the
/// table longer ago than `retain`, and those never in it (left by a writer that died) that are older than `retain`
/// and [`VACUUM_ORPHAN_AGE`]. Versions within `retain` stay readable. `dry_run` only counts.
///
/// The log's own folder is not touched: delta-rs drops old log entries when it writes a checkpoint.
///
/// # Errors
/// When the store fails. What was deleted until then was rightly deleted.
pub async fn vacuum(
    table: &FactTable,
    retain: Duration,
    dry_run: bool,
    now_ms: i64,
) -> Result<Vacuumed, MaintainError> {
    // The version before the listing: a file committed in between is younger than any orphan that may go.
    let snapshot = table.refresh().await?;
    let live: HashSet<&Path> = snapshot.files.iter().map(|file| &file.path).collect();
    let removed = table.removed(&snapshot).await?;
    let before = |age: Duration| now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let (removed_before, written_before) = (before(retain), before(retain.max(VACUUM_ORPHAN_AGE)));

    let mut counted = Vacuumed {
        live: live.len(),
        live_bytes: snapshot.files.iter().map(|file| file.size).sum(),
        ..Vacuumed::default()
    };
    let mut doomed = Vec::new();
    let store = table.location().store();
    let folder = table.location().table_path(table.table().name);
    let mut listing = store.list(Some(&folder));
    while let Some(file) = listing.try_next().await.map_err(LakeError::from)? {
        if live.contains(&file.location) || !is_data(&folder, &file) {
            continue;
        }
        let goes = match removed.get(&file.location) {
            Some(at) => *at <= removed_before,
            None => file.last_modified.timestamp_millis() <= written_before,
        };
        if goes {
            counted.deleted += 1;
            counted.deleted_bytes += file.size;
            doomed.push(file.location);
        } else {
            counted.kept += 1;
            counted.kept_bytes += file.size;
        }
    }
    if !dry_run {
        let mut deleted = store.delete_stream(futures::stream::iter(doomed.into_iter().map(Ok)).boxed());
        while let Some(outcome) = deleted.next().await {
            match outcome {
                // Someone else vacuums too.
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(LakeError::from(error).into()),
            }
        }
    }
    Ok(counted)
}

/// Whether the file lies in the folder of a date, where alone data files are.
fn is_data(folder: &Path, file: &ObjectMeta) -> bool {
    let inside = file.location.prefix_match(folder).and_then(|mut parts| parts.next());
    inside.is_some_and(|part| part.as_ref().starts_with("date="))
}
