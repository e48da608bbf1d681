//! What a plan reads, and with what.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use tracewell_lake::scan::Store;
use tracewell_model::schema::{LOGS, SPANS};

use crate::contexts;
use crate::parts::{Known, Seen};
use crate::tables::view::{ReadView, TableView};

/// The tables of one query, where their files are, and the memory to read them with.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) view: Arc<ReadView>,
    pub(crate) store: Store,
    pub(crate) environment: Arc<RuntimeEnv>,
    /// The parts that were looked for already.
    pub(crate) known: Arc<Known>,
    /// What other queries know of files.
    pub(crate) seen: Arc<Seen>,
}

impl Source {
    pub(crate) fn new(view: ReadView, store: Store, environment: Arc<RuntimeEnv>, seen: Arc<Seen>) -> Self {
        Self { view: Arc::new(view), store, environment, known: Arc::default(), seen }
    }

    /// A context with the tables of facts as `part` of them leaves them.
    pub(crate) fn facts(&self, threads: usize, part: impl Fn(&TableView) -> TableView) -> Result<SessionContext> {
        self.tables(threads, |_, facts| Some(part(facts)))
    }

    /// A context with the tables that traces are looked up in, without those that are empty.
    pub(crate) fn lookups(&self) -> Result<SessionContext> {
        let is_one = |name, facts: &TableView| [SPANS.name, LOGS.name].contains(&name) && !facts.is_empty();
        self.tables(2, |name, facts| is_one(name, facts).then(|| facts.clone()))
    }

    fn tables(
        &self,
        threads: usize,
        part: impl Fn(&'static str, &TableView) -> Option<TableView>,
    ) -> Result<SessionContext> {
        let context = contexts::session(threads, &self.environment, "UTC")?;
        for (name, facts) in self.view.facts() {
            if let Some(part) = part(name, facts) {
                contexts::register_facts(&context, name, part, &self.store)?;
            }
        }
        Ok(context)
    }
}
