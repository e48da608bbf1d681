//! Which files are worth merging.
//!
//! Seals come every few seconds, so a day gathers thousands of small files. Merging whatever there is each minute
//! would write the day's growing file again each minute; instead a merge takes only files that are small against
//! what they become, so that every row is written about log2(target / seal) times in all.
//!
//! A file as a seal left it may hold a row twice. One that found no others to merge with is rewritten alone, once: what
//! compaction wrote is known by the mark in its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracewell_lake::DataFile;
use tracewell_model::time::Day;
use tracewell_query::settled::begins_in_head;

/// Fewer small files than this are left to gather, unless forced.
const LEAST_FILES: usize = 4;
/// Files merged at once: each takes memory for its row group and the batch being merged.
const MOST_FILES: usize = 32;
/// Rows of a compacted file: the survey of repeated rows keeps some bytes for each.
const MOST_ROWS: u64 = 1 << 20;

/// The next files of one day to merge into one, if any; the earliest day first. When there are none, one file of those
/// written before `rested_ms`, or of all with `force`, which no compaction has seen.
pub(crate) fn next_group(
    files: &[Arc<DataFile>],
    day: Option<Day>,
    target: u64,
    force: bool,
    rested_ms: i64,
) -> Option<Vec<Arc<DataFile>>> {
    // The day before depends on the first files of a day, which are kept apart: else it were to be settled again.
    let mut days: BTreeMap<(Day, bool), Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in files {
        if day.is_none_or(|day| day == file.day) && file.size < target / 2 && file.rows < MOST_ROWS / 2 {
            days.entry((file.day, force || begins_in_head(file))).or_default().push(file);
        }
    }
    let merged = days.into_values().find_map(|small| group(small, target, force));
    merged.or_else(|| {
        let unseen = |file: &&Arc<DataFile>| {
            let wanted = day.is_none_or(|day| day == file.day) && (force || file.modified < rested_ms);
            wanted && file.rows > 1 && file.mark().is_none()
        };
        files.iter().filter(unseen).min_by_key(|file| (file.day, &file.path)).map(|file| vec![Arc::clone(file)])
    })
}

/// The smallest files, as many as fit into one output.
fn group(mut small: Vec<&Arc<DataFile>>, target: u64, force: bool) -> Option<Vec<Arc<DataFile>>> {
    small.sort_by_key(|file| (file.size, file.path.clone()));
    let (mut bytes, mut rows, mut fit, mut pays) = (0, 0, 0, 0);
    for file in small.iter().take(MOST_FILES) {
        if bytes + file.size > target || rows + file.rows > MOST_ROWS {
            break;
        }
        // The largest of a merge is no larger than the others together: what it becomes is at least twice its size.
        let grows = file.size <= bytes;
        bytes += file.size;
        rows += file.rows;
        fit += 1;
        if grows && fit >= LEAST_FILES {
            pays = fit;
        }
    }
    let count = if force { fit } else { pays };
    (count >= 2).then(|| small[..count].iter().map(|file| Arc::clone(file)).collect())
}
