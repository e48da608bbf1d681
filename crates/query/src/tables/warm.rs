//! New files are warm before anybody asks: their footers and bloom filters are read as soon as they are in a table.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use object_store::path::Path;
use tracewell_lake::scan::Store;
use tracewell_lake::{FactTable, Lake};
use tracewell_model::schema::{DERIVED_TABLES, FACT_TABLES};

/// Dates whose files are read at the start; older ones are read when they are asked for.
const NEWEST: usize = 2;

/// A table as it was when it was looked at.
struct Looked {
    version: i64,
    files: HashSet<Path>,
}

/// Reads what is new in the tables of `lake` each time that `every` has passed. It has no end.
pub(crate) async fn keep(lake: Lake, store: Store, every: Duration) {
    let mut looked: HashMap<&str, Looked> = HashMap::new();
    loop {
        for table in FACT_TABLES.iter().chain(DERIVED_TABLES).filter_map(|table| lake.table(table.name)) {
            let name = table.table().name;
            let now = look_at(table, &store, looked.get(name)).await;
            looked.extend(now.map(|now| (name, now)));
        }
        tokio::time::sleep(every).await;
    }
}

/// Reads those files of `table` that were not there `before`; `None` where nothing has changed.
async fn look_at(table: &FactTable, store: &Store, before: Option<&Looked>) -> Option<Looked> {
    let (version, files) = {
        let snapshot = table.snapshot();
        if before.is_some_and(|before| before.version == snapshot.version()) {
            return None;
        }
        (snapshot.version(), snapshot.files.clone())
    };
    let mut days: Vec<_> = files.iter().map(|file| file.day).collect();
    days.sort_unstable();
    days.dedup();
    let first = days.len().checked_sub(NEWEST).and_then(|at| days.get(at).copied());
    for file in &files {
        let is_wanted = match before {
            Some(before) => !before.files.contains(&file.path),
            None => first.is_none_or(|first| file.day >= first),
        };
        if is_wanted {
            // Whoever asks is told what is wrong with a file; here it is only not warm.
            let _ = store.warm(table.table(), file).await;
        }
    }
    Some(Looked { version, files: files.iter().map(|file| file.path.clone()).collect() })
}
