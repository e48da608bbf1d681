//! What one query sees: the rows of every table at one moment.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use tracewell_lake::{DataFile, FactTable, Fresh, Lake};
use tracewell_model::schema::{DERIVED_TABLES, FACT_TABLES, KEPT_TABLES, Table};
use tracewell_model::time::Day;

use crate::tables::settled::{Settled, Sources};

/// One table at one moment, or some days of it.
#[derive(Clone, Debug)]
pub(crate) struct TableView {
    pub(crate) table: Arc<FactTable>,
    pub(crate) files: Vec<Arc<DataFile>>,
    pub(crate) fresh: Vec<(Day, RecordBatch)>,
}

impl TableView {
    /// What there is of `days`.
    pub(crate) fn of(&self, days: &BTreeSet<Day>) -> Self {
        let files = self.files.iter().filter(|file| days.contains(&file.day)).cloned().collect();
        let fresh = self.fresh.iter().filter(|(day, _)| days.contains(day)).cloned().collect();
        Self { table: Arc::clone(&self.table), files, fresh }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.fresh.is_empty()
    }

    fn days(&self) -> impl Iterator<Item = Day> {
        self.files.iter().map(|file| file.day).chain(self.fresh.iter().map(|(day, _)| *day))
    }
}

/// Every table at one moment.
#[derive(Debug)]
pub struct ReadView {
    tables: HashMap<&'static str, TableView>,
    kept: Vec<TableView>,
    sources: Sources,
    /// Every date of which there is anything.
    days: BTreeSet<Day>,
}

impl ReadView {
    /// Looks at every table: `spans` first, because the tables it refers to are committed before it, so that
    /// whatever a span refers to is in the snapshots taken later.
    ///
    /// # Errors
    /// When fresh rows are not of their table.
    pub fn take(lake: &Lake, fresh: &dyn Fresh) -> Result<Self, ArrowError> {
        let mut tables = HashMap::new();
        for table in FACT_TABLES.iter().rev().chain(DERIVED_TABLES) {
            let Some(open) = lake.table(table.name) else { continue };
            // Memory before snapshot: rows that are committed between the two are in the snapshot.
            let chunks = fresh.chunks(table.name);
            let snapshot = open.snapshot();
            let beyond = chunks.into_iter().filter_map(|chunk| chunk.beyond(&snapshot).transpose());
            let fresh = beyond.map(|chunk| Ok(chunk?.days)).collect::<Result<Vec<_>, ArrowError>>()?;
            let (files, fresh) = (snapshot.files.clone(), fresh.into_iter().flatten().collect());
            tables.insert(table.name, TableView { table: Arc::clone(open), files, fresh });
        }
        let kept = KEPT_TABLES.iter().filter_map(|table| lake.table(table.name)).map(|table| {
            let files = table.snapshot().files.clone();
            TableView { table: Arc::clone(table), files, fresh: Vec::new() }
        });
        let (sources, days) = (Sources::of(&tables), tables.values().flat_map(TableView::days).collect());
        Ok(Self { tables, kept: kept.collect(), sources, days })
    }

    /// The facts that derived tables are worked out from.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// What is settled of a derived table.
    #[must_use]
    pub fn settled(&self, table: &Table) -> Settled {
        Settled::of(self.tables.get(table.name), &self.sources)
    }

    /// Every date of which there is anything.
    pub(crate) fn days(&self) -> &BTreeSet<Day> {
        &self.days
    }

    /// The tables of facts.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (&'static str, &TableView)> {
        FACT_TABLES.iter().filter_map(|table| Some((table.name, self.tables.get(table.name)?)))
    }

    /// The tables that people keep, as far as there are any.
    pub(crate) fn kept(&self) -> &[TableView] {
        &self.kept
    }
}
