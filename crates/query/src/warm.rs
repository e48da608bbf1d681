//! New files are warm before anybody asks: their footers and bloom filters are read as soon as they are in a table.

use std::collections::HashSet;
use std::time::Duration;

use object_store::path::Path;
use tracewell_lake::scan::Store;
use tracewell_lake::{FactTable, Lake};
use tracewell_model::schema::{DERIVED_TABLES, FACT_TABLES};

/// Dates whose files are read at the start; older ones are read when they are asked for.
const NEWEST: usize = 2;

/// Reads what is new in the tables of `lake` each time that `every` has passed. It has no end.
pub(crate) async fn keep(lake: Lake, store: Store, every: Duration) {
    let mut known: HashSet<Path> = HashSet::new();
    let mut is_start = true;
    loop {
        let mut now = HashSet::new();
        for table in FACT_TABLES.iter().chain(DERIVED_TABLES).filter_map(|table| lake.table(table.name)) {
            look_at(table, &store, &known, is_start, &mut now).await;
        }
        (known, is_start) = (now, false);
        tokio::time::sleep(every).await;
    }
}

/// Reads those files of `table` that are not `known`, and adds all to `now`.
async fn look_at(table: &FactTable, store: &Store, known: &HashSet<Path>, is_start: bool, now: &mut HashSet<Path>) {
    let files = table.snapshot().files.clone();
    let mut days: Vec<_> = files.iter().map(|file| file.day).collect();
    days.sort_unstable();
    days.dedup();
    let first = days.len().checked_sub(NEWEST).and_then(|at| days.get(at).copied());
    for file in files {
        let is_wanted = !is_start || first.is_none_or(|first| file.day >= first);
        if is_wanted && !known.contains(&file.path) {
            // Whoever asks is told what is wrong with a file; here it is only not warm.
            let _ = store.warm(table.table(), &file).await;
        }
        now.insert(file.path.clone());
    }
}
