//! Contexts to plan and run queries in: with our functions and rules, and no tables but those that are made known.

use std::sync::{Arc, OnceLock};

use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use tracewell_lake::scan::Store;

use crate::plans::compact::COMPACTING;
use crate::plans::pieces::IN_PIECES;
use crate::plans::yielding::YIELDING;
use crate::tables::provider::FactProvider;
use crate::tables::view::TableView;
use crate::texts::{FewerTexts, Planner};
use crate::{exact, functions};

/// Where the tables and views are.
pub(crate) const CATALOG: &str = "tracewell";
pub(crate) const SCHEMA: &str = "public";

/// A session with our functions and no tables.
pub(crate) fn session(
    threads: usize,
    environment: &Arc<RuntimeEnv>,
    time_zone: &str,
) -> Result<SessionContext, DataFusionError> {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_target_partitions(threads);
    let options = config.options_mut();
    options.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    options.sql_parser.collect_spans = true;
    options.sql_parser.parse_float_as_decimal = true;
    options.execution.time_zone = Some(time_zone.to_owned());
    let state = SessionStateBuilder::new_from_existing(common()?)
        .with_config(config)
        .with_runtime_env(Arc::clone(environment))
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// The rules and functions that all sessions have in common: putting them together takes longer than many a lookup,
/// which has several sessions.
fn common() -> Result<SessionState, DataFusionError> {
    static COMMON: OnceLock<SessionState> = OnceLock::new();
    if let Some(common) = COMMON.get() {
        return Ok(common.clone());
    }
    let mut rules = PhysicalOptimizer::new().rules;
    for rule in [YIELDING, IN_PIECES, COMPACTING] {
        rules.push(Arc::new(rule));
    }
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_optimizer_rules(FewerTexts::among_others())
        .with_query_planner(Arc::new(Planner))
        .with_physical_optimizer_rules(rules)
        .build();
    let context = SessionContext::new_with_state(state);
    functions::register(&context)?;
    exact::register(&context)?;
    Ok(COMMON.get_or_init(|| context.state()).clone())
}

/// Makes a table of facts known to `context`.
pub(crate) fn register_facts(
    context: &SessionContext,
    name: &'static str,
    facts: TableView,
    store: &Store,
) -> Result<(), DataFusionError> {
    context.register_table(name, Arc::new(FactProvider::new(facts, store.clone()))).map(|_| ())
}
