//! What one query sees: the rows of every table at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use tracewell_lake::{FactTable, Fresh, FreshChunk, Lake, Snapshot};
use tracewell_model::schema::FACT_TABLES;

/// One table at one moment.
#[derive(Clone, Debug)]
pub(crate) struct TableView {
    pub(crate) table: Arc<FactTable>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) fresh: Vec<FreshChunk>,
}

/// Every table at one moment.
#[derive(Clone, Debug)]
pub struct ReadView {
    tables: HashMap<&'static str, TableView>,
}

impl ReadView {
    /// Looks at every table: `spans` first, because the tables it refers to are committed before it, so that
    /// whatever a span refers to is in the snapshots taken later.
    #[must_use]
    pub fn take(lake: &Lake, fresh: &dyn Fresh) -> Self {
        let tables = FACT_TABLES.iter().rev().filter_map(|table| {
            let open = lake.table(table.name)?;
            // Memory before snapshot: rows that are committed between the two are in the snapshot.
            let mut chunks = fresh.chunks(table.name);
            let snapshot = open.snapshot();
            chunks.retain(|chunk| !snapshot.holds(&chunk.app, chunk.seq));
            Some((table.name, TableView { table: Arc::clone(open), snapshot, fresh: chunks }))
        });
        Self { tables: tables.collect() }
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (&&'static str, &TableView)> {
        self.tables.iter()
    }
}
