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
use tokio::sync::Mutex;
use tracewell_lake::schema::table_schema;
use tracewell_model::schema::{FACT_TABLES, KEPT_TABLES};

use crate::views::{VIEWS, View};
use crate::{engine, functions};

/// What a view is read over, besides the tables of facts and those that people keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    /// Derived tables, and the views that read only what lies near the dates asked for.
    Providers,
    /// Derived tables.
    Derived,
    /// Nothing else: so derived tables are worked out.
    Facts,
}

/// The view that asks what calls cost.
const PRICED: &str = "span_costs";

/// The plans over the tables of one [`Over`].
struct Kept {
    /// Tables without rows, and the views before.
    context: SessionContext,
    views: HashMap<&'static str, Prepared>,
}

#[derive(Clone)]
struct Prepared {
    plan: LogicalPlan,
    columns: SchemaRef,
}

static KEPT: [Mutex<Option<Kept>>; 3] = [const { Mutex::const_new(None) }; 3];

/// The plan of `view`, which is not derived in `over`, over the tables of `context`.
///
/// # Errors
/// When it cannot be planned.
pub(crate) async fn plan(context: &SessionContext, view: &View, over: Over) -> Result<LogicalPlan> {
    bind(context, prepared(view, over).await?.plan, view.name == PRICED || view.uses.contains(&PRICED)).await
}

/// The columns of `view`, which is not derived, of the types that they have once its plan is analyzed.
///
/// # Errors
/// When it cannot be planned.
pub(crate) async fn columns(view: &View) -> Result<SchemaRef> {
    Ok(prepared(view, Over::Providers).await?.columns)
}

/// `columns`, any of which may be NULL as far as the planner knows.
pub(crate) fn nullable(columns: &Schema) -> SchemaRef {
    let fields = columns.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

async fn prepared(view: &View, over: Over) -> Result<Prepared> {
    let mut kept = KEPT[over as usize].lock().await;
    if kept.is_none() {
        *kept = Some(Kept::new()?);
    }
    match kept.as_mut() {
        Some(kept) => kept.prepare(view, over).await,
        None => internal_err!("plans are kept once they are begun"),
    }
}

impl Kept {
    fn new() -> Result<Self> {
        let context = engine::session(1, &Arc::new(RuntimeEnv::default()), "UTC")?;
        functions::register_prices(&context, &Arc::default());
        for table in FACT_TABLES.iter().chain(KEPT_TABLES) {
            context.register_table(table.name, Arc::new(EmptyTable::new(table_schema(table))))?;
        }
        Ok(Self { context, views: HashMap::new() })
    }

    /// The plan of `view`, once those that it uses stand.
    async fn prepare(&mut self, view: &View, over: Over) -> Result<Prepared> {
        for view in VIEWS.iter().filter(|other| view.uses.contains(&other.name) || other.name == view.name) {
            if self.context.table_exist(view.name)? {
                continue;
            }
            let table: Arc<dyn TableProvider> = match (view.derived, over) {
                (Some(table), Over::Providers | Over::Derived) => {
                    Arc::new(EmptyTable::new(nullable(&table_schema(table))))
                }
                _ => {
                    let Prepared { plan, columns } = self.read(view).await?;
                    match (view.reach, over) {
                        (Some(_), Over::Providers) => Arc::new(EmptyTable::new(nullable(&columns))),
                        _ => Arc::new(ViewTable::new(plan, None)),
                    }
                }
            };
            self.context.register_table(view.name, table)?;
        }
        match self.views.get(view.name) {
            Some(prepared) => Ok(prepared.clone()),
            None => internal_err!("`{}` is a table here", view.name),
        }
    }

    async fn read(&mut self, view: &View) -> Result<Prepared> {
        let state = self.context.state();
        let plan = state.create_logical_plan(view.sql).await?;
        let analyzed = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
        let prepared = Prepared { plan, columns: Arc::clone(analyzed.schema().inner()) };
        self.views.insert(view.name, prepared.clone());
        Ok(prepared)
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
    let bound = plan.transform_up_with_subqueries(|node| match &node {
        LogicalPlan::TableScan(scan) => match tables.get(&scan.table_name) {
            Some(Some(table)) => {
                let scan =
                    LogicalPlanBuilder::scan(scan.table_name.clone(), provider_as_source(Arc::clone(table)), None)?;
                Ok(Transformed::yes(scan.build()?))
            }
            _ => Ok(Transformed::no(node)),
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
