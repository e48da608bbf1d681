//! The plans of views, read from their SQL once: that takes longer than most lookups.
//!
//! A kept plan names its tables and holds none of their rows. A query binds it to the tables, and to the prices, that
//! it sees.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tracewell_lake::schema::table_schema;
use tracewell_model::schema::{CONTENTS, FACT_TABLES, KEPT_TABLES};

use crate::views::{CALL_SPANS, PRICED, VIEWS, View};
use crate::{contexts, functions, texts};

/// What a view is read over, besides the tables of facts and those that people keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    /// Derived tables, and the views that read only what lies near the dates asked for.
    Providers,
    /// Derived tables.
    Derived,
    /// The part that each span has in a call, as a table: so derived tables are worked out.
    Facts,
}

/// The plans over the tables of one [`Over`].
struct Kept {
    /// Tables without rows, and the views before.
    context: SessionContext,
    plans: HashMap<&'static str, LogicalPlan>,
}

static KEPT: [Mutex<Option<Kept>>; 3] = [const { Mutex::const_new(None) }; 3];

/// The plan of `view`, which is not derived in `over`, over the tables of `context`.
///
/// # Errors
/// When it cannot be planned.
pub(crate) async fn plan(context: &SessionContext, view: &View, over: Over) -> Result<LogicalPlan> {
    let plan = match kept(over).await?.prepare(view, over).await?.plans.get(view.name) {
        Some(plan) => plan.clone(),
        None => return internal_err!("`{}` is a table here", view.name),
    };
    bind(context, plan, view.name == PRICED || view.uses.contains(&PRICED)).await
}

/// The columns of `view` as queries see them: of the types that they have once its plan is analyzed where it reads only
/// what lies near the dates asked for.
///
/// # Errors
/// When it cannot be planned.
pub(crate) async fn columns(view: &View) -> Result<SchemaRef> {
    let mut kept = kept(Over::Providers).await?;
    Ok(kept.prepare(view, Over::Providers).await?.context.table_provider(view.name).await?.schema())
}

/// `columns`, any of which may be NULL as far as the planner knows.
pub(crate) fn nullable(columns: &Schema) -> SchemaRef {
    let fields = columns.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

async fn kept(over: Over) -> Result<MappedMutexGuard<'static, Kept>> {
    let mut kept = KEPT[over as usize].lock().await;
    if kept.is_none() {
        *kept = Some(Kept::new()?);
    }
    MutexGuard::try_map(kept, Option::as_mut).or_else(|_| internal_err!("plans are kept once they are begun"))
}

impl Kept {
    fn new() -> Result<Self> {
        let context = contexts::session(1, &Arc::new(RuntimeEnv::default()), "UTC")?;
        functions::register_prices(&context, &Arc::default());
        for table in FACT_TABLES.iter().chain(KEPT_TABLES) {
            context.register_table(table.name, Arc::new(EmptyTable::new(table_schema(table))))?;
        }
        Ok(Self { context, plans: HashMap::new() })
    }

    /// Itself, once it knows `view` and those that it uses.
    async fn prepare(&mut self, view: &View, over: Over) -> Result<&Self> {
        for view in VIEWS.iter().filter(|other| view.uses.contains(&other.name) || other.name == view.name) {
            if self.context.table_exist(view.name)? {
                continue;
            }
            let columns = match (view.derived, over) {
                (Some(table), Over::Providers | Over::Derived) => Some(table_schema(table)),
                _ => self.read(view, over).await?,
            };
            let table: Arc<dyn TableProvider> = match columns {
                Some(columns) => Arc::new(EmptyTable::new(nullable(&columns))),
                None => Arc::new(ViewTable::new(self.plans[view.name].clone(), None)),
            };
            self.context.register_table(view.name, table)?;
        }
        Ok(self)
    }

    /// Plans `view`; its columns, where others read it as a table.
    async fn read(&mut self, view: &'static View, over: Over) -> Result<Option<SchemaRef>> {
        let state = self.context.state();
        let plan = state.create_logical_plan(view.sql).await?;
        self.plans.insert(view.name, plan.clone());
        let is_table = match over {
            Over::Providers => view.reach.is_some(),
            Over::Derived => false,
            Over::Facts => view.name == CALL_SPANS,
        };
        if !is_table {
            return Ok(None);
        }
        let analyzed = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?;
        Ok(Some(Arc::clone(analyzed.schema().inner())))
    }
}

/// `plan` over the tables of `context`, and with its prices where it asks for them.
async fn bind(context: &SessionContext, plan: LogicalPlan, priced: bool) -> Result<LogicalPlan> {
    let mut tables = HashMap::new();
    plan.apply_with_subqueries(|node| {
        // What `WITH RECURSIVE` reads of itself is no table.
        if let LogicalPlan::TableScan(scan) = node
            && is_relation(scan.table_name.table())
        {
            tables.insert(scan.table_name.clone(), None);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for (name, table) in &mut tables {
        *table = Some(context.table_provider(name.clone()).await?);
    }
    let contents = tables.iter().find_map(|(name, table)| table.as_ref().filter(|_| name.table() == CONTENTS.name));
    let bound = plan.transform_up_with_subqueries(|node| match &node {
        LogicalPlan::TableScan(scan) => match tables.get(&scan.table_name) {
            Some(Some(table)) => {
                let scan =
                    LogicalPlanBuilder::scan(scan.table_name.clone(), provider_as_source(Arc::clone(table)), None)?;
                Ok(Transformed::yes(scan.build()?))
            }
            _ => Ok(Transformed::no(node)),
        },
        LogicalPlan::Join(_) if !priced => match contents {
            Some(contents) => texts::beside(node, contents),
            None => Ok(Transformed::no(node)),
        },
        _ if priced => node.map_expressions(|expression| {
            expression.transform_up(|part| match part {
                Expr::ScalarFunction(mut call) if functions::PRICING.contains(&call.func.name()) => {
                    call.func = context.udf(call.func.name())?;
                    Ok(Transformed::yes(Expr::ScalarFunction(call)))
                }
                other => Ok(Transformed::no(other)),
            })
        }),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(bound.data)
}

fn is_relation(name: &str) -> bool {
    let tables = FACT_TABLES.iter().chain(KEPT_TABLES).map(|table| table.name);
    tables.chain(VIEWS.iter().map(|view| view.name)).any(|relation| relation == name)
}
