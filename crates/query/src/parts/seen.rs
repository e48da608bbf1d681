//! What the calls of files are like, as far as it says how far apart traces may be that are tied.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::AsArray;
use datafusion::common::Result;
use object_store::path::Path;
use tracewell_model::schema::SPANS;
use tracewell_model::time::Day;

use super::ties::{CALLS, LOGFIRE, number};
use crate::contexts;
use crate::tables::source::Source;
use crate::tables::view::TableView;

/// The calls of some files, or of rows that are not yet in one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    /// The longest takes so many nanoseconds.
    pub(super) longest: i64,
    /// Logfire writes two spans for what is streamed.
    pub(super) has_streams: bool,
}

/// Those of files that were looked through already: a file never changes.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<Path, Calls>>);

/// Files that are remembered, at some 200 bytes each.
const MOST: usize = 1 << 17;

impl Calls {
    /// All calls of `days`.
    pub(super) async fn of(days: &BTreeSet<Day>, source: &Source) -> Result<Self> {
        let mut all = Self::default();
        for spans in source.view.facts().filter(|(name, _)| *name == SPANS.name).map(|(_, spans)| spans.of(days)) {
            let mut unknown = Vec::new();
            for file in &spans.files {
                match source.seen.get(&file.path) {
                    Some(calls) => all = all.and(calls),
                    None => unknown.push(Arc::clone(file)),
                }
            }
            unknown.sort_by_key(|file| file.day);
            // Whoever asks about one file of a day asks about all: one look tells what the longest call of any is.
            for files in unknown.chunk_by(|one, other| one.day == other.day) {
                let of_day = TableView { table: Arc::clone(&spans.table), files: files.to_vec(), fresh: Vec::new() };
                let calls = Self::look(of_day, source).await?;
                files.iter().for_each(|file| source.seen.keep(&file.path, calls));
                all = all.and(calls);
            }
            if !spans.fresh.is_empty() {
                all = all.and(Self::look(TableView { files: Vec::new(), ..spans }, source).await?);
            }
        }
        Ok(all)
    }

    fn and(self, other: Self) -> Self {
        Self { longest: self.longest.max(other.longest), has_streams: self.has_streams || other.has_streams }
    }

    async fn look(spans: TableView, source: &Source) -> Result<Self> {
        let context = contexts::session(2, &source.environment, "UTC")?;
        contexts::register_facts(&context, SPANS.name, spans, &source.store)?;
        let calls = format!("SELECT max(duration_ns), bool_or({LOGFIRE}) FROM spans WHERE kind IN ({CALLS})");
        let mut all = Self::default();
        for batch in context.sql(&calls).await?.collect().await? {
            let longest = number(batch.column(0))?.iter().flatten().fold(0, i64::max);
            let has_streams = batch.column(1).as_boolean().iter().flatten().any(|is_logfire| is_logfire);
            all = all.and(Self { longest, has_streams });
        }
        Ok(all)
    }
}

impl Seen {
    fn get(&self, file: &Path) -> Option<Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(file).copied()
    }

    fn keep(&self, file: &Path, calls: Calls) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(file.clone(), calls);
    }
}
