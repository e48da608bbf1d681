//! Texts beside the rows that name them.
//!
//! Views join `texts` by hash. To the planner that is a join like others: it would sort or hash a day's texts, or the
//! rows with all their columns. But a hash names one text, so each row gets one: rows are taken a window at a time and
//! texts stream past them. Memory holds a window; and where few rows want texts, few are read.

mod filling;
mod window;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinType, Result, internal_err, plan_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, Extension, Join, LogicalPlan, LogicalPlanBuilder, Operator, UserDefinedLogicalNode,
    UserDefinedLogicalNodeCore,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use crate::tables::provider::FactProvider;
use filling::{Filling, Keys};

/// The view that has each text once.
pub(crate) const TEXTS: &str = "texts";
/// The columns that a text is found by, and the one that it stands in.
const TENANT: &str = "tenant";
const DATE: &str = "date";
const HASH: &str = "hash";
const CONTENT: &str = "content";

/// The rows of a plan, each with the text that it names beside its columns, or NULL.
#[derive(Clone, Debug)]
struct Texts {
    input: LogicalPlan,
    /// Tenant, date and hash of a row's text.
    keys: Vec<Expr>,
    /// What the text must satisfy.
    filter: Option<Expr>,
    /// The table of texts, in which a text may be more than once.
    contents: Arc<dyn TableProvider>,
    schema: DFSchemaRef,
}

/// `plan` itself, or its rows with their texts where it joins the view of `texts` to them.
///
/// # Errors
/// When it takes more of the view than the text.
pub(crate) fn beside(plan: LogicalPlan, contents: &Arc<dyn TableProvider>) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Left && is_texts(&join.right) => {
            let node = Arc::new(Texts::of(&join, contents)?);
            Ok(Transformed::yes(LogicalPlan::Extension(Extension { node })))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_texts(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => alias.alias.table() == TEXTS || is_texts(&alias.input),
        _ => false,
    }
}

impl Texts {
    fn of(join: &Join, contents: &Arc<dyn TableProvider>) -> Result<Self> {
        let filter: Vec<_> = join.filter.iter().flat_map(split_conjunction).collect();
        let equal = filter.iter().filter_map(|condition| match condition {
            Expr::BinaryExpr(equal) if equal.op == Operator::Eq => Some((equal.left.as_ref(), equal.right.as_ref())),
            _ => None,
        });
        let pairs: Vec<_> = join.on.iter().map(|(left, right)| (left, right)).chain(equal).collect();
        let texts = join.right.schema();
        let is_key = |side: &Expr, key: &str| matches!(side, Expr::Column(column) if column.name == key && texts.has_column(column));
        let named_by = |key: &str| {
            pairs.iter().find_map(|(one, other)| match (is_key(one, key), is_key(other, key)) {
                (true, _) => Some((*other).clone()),
                (_, true) => Some((*one).clone()),
                _ => None,
            })
        };
        let conditions = join.on.len() + filter.len();
        let (Some(tenant), Some(date), Some(hash), 3) = (named_by(TENANT), named_by(DATE), named_by(HASH), conditions)
        else {
            return plan_err!("texts are joined by tenant, date and hash");
        };
        let (qualifier, field) = texts.qualified_field_with_unqualified_name(CONTENT)?;
        let content = (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true)));
        let input = join.left.as_ref().clone();
        let schema = with_content(&input, content)?;
        Ok(Self { input, keys: vec![tenant, date, hash], filter: None, contents: Arc::clone(contents), schema })
    }

    /// The column of the text, which stands behind those of the input.
    fn content(&self) -> Column {
        Column::from(self.schema.qualified_field(self.schema.fields().len() - 1))
    }

    /// What it is compared by: the schema follows from the input.
    fn identity(&self) -> (&LogicalPlan, &[Expr], Option<&Expr>) {
        (&self.input, &self.keys, self.filter.as_ref())
    }
}

fn with_content(
    input: &LogicalPlan,
    content: (Option<datafusion::common::TableReference>, Arc<datafusion::arrow::datatypes::Field>),
) -> Result<DFSchemaRef> {
    let columns = input.schema().iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)));
    let schema = DFSchema::new_with_metadata(columns.chain([content]).collect(), input.schema().metadata().clone())?;
    Ok(Arc::new(schema))
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.contents, &other.contents) && self.identity() == other.identity()
    }
}

impl Eq for Texts {}

impl PartialOrd for Texts {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.identity().partial_cmp(&other.identity()).filter(|order| *order != Ordering::Equal || self == other)
    }
}

impl Hash for Texts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl UserDefinedLogicalNodeCore for Texts {
    fn name(&self) -> &str {
        "Texts"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.keys.clone()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        HashSet::from([CONTENT.to_owned()])
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let content = self.schema.fields().len() - 1;
        Some(vec![output_columns.iter().copied().filter(|position| *position != content).collect()])
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.filter.is_none()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tenant, date, hash] = &self.keys[..] else { return Err(fmt::Error) };
        write!(f, "Texts: tenant={tenant}, date={date}, hash={hash}")?;
        self.filter.iter().try_for_each(|filter| write!(f, ", {filter}"))
    }

    fn with_exprs_and_inputs(&self, keys: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else {
            return internal_err!("texts stand beside the rows of one plan");
        };
        let (qualifier, field) = self.schema.qualified_field(self.schema.fields().len() - 1);
        let schema = with_content(&input, (qualifier.cloned(), Arc::clone(field)))?;
        Ok(Self { input, keys, filter: self.filter.clone(), contents: Arc::clone(&self.contents), schema })
    }
}

/// Leaves out texts that nobody reads, and has those that are filtered filtered once, not beside each row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FewerTexts;

impl FewerTexts {
    /// The rules of DataFusion, and this one where filters have come down and where columns have gone.
    pub(crate) fn among_others() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
        let rule = || Arc::new(Self) as Arc<dyn OptimizerRule + Send + Sync>;
        let with = |other: Arc<dyn OptimizerRule + Send + Sync>| {
            let filters = other.name() == "push_down_filter";
            [Some(other), filters.then(rule)].into_iter().flatten()
        };
        Optimizer::new().rules.into_iter().flat_map(with).chain([rule()]).collect()
    }
}

impl OptimizerRule for FewerTexts {
    fn name(&self) -> &str {
        "fewer_texts"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let Some(texts) = plan.inputs().first().and_then(|input| texts(input)).cloned() else {
            return Ok(Transformed::no(plan));
        };
        let content = texts.content();
        match plan {
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => {
                let reads = plan.expressions().iter().any(|expression| expression.column_refs().contains(&content));
                if reads || texts.filter.is_some() {
                    return Ok(Transformed::no(plan));
                }
                Ok(Transformed::yes(plan.with_new_exprs(plan.expressions(), vec![texts.input])?))
            }
            LogicalPlan::Filter(filter) => {
                let of_text = |condition: &Expr| {
                    let columns = condition.column_refs();
                    !columns.is_empty() && columns.iter().all(|column| **column == content) && !condition.is_volatile()
                };
                let conditions = split_conjunction_owned(filter.predicate.clone());
                let (of_text, others): (Vec<_>, Vec<_>) = conditions.into_iter().partition(of_text);
                let Some(wanted) = conjunction(of_text) else {
                    return Ok(Transformed::no(LogicalPlan::Filter(filter)));
                };
                let wanted = texts.filter.iter().cloned().fold(wanted, Expr::and);
                let node = Arc::new(Texts { filter: Some(wanted), ..texts });
                let mut plan = LogicalPlanBuilder::from(LogicalPlan::Extension(Extension { node }));
                if let Some(others) = conjunction(others) {
                    plan = plan.filter(others)?;
                }
                Ok(Transformed::yes(plan.build()?))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

fn texts(plan: &LogicalPlan) -> Option<&Texts> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

/// Plans queries as DataFusion does, and texts besides.
#[derive(Debug)]
pub(crate) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Self)]);
        planner.create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for Planner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical: &[&LogicalPlan],
        physical: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(texts) = node.as_any().downcast_ref::<Texts>() else { return Ok(None) };
        let ([rows], [input]) = (logical, physical) else { return internal_err!("texts stand beside one plan") };
        let Some(contents) = texts.contents.downcast_ref::<FactProvider>() else {
            return internal_err!("texts are in a table");
        };
        let keys = texts.keys.iter().map(|key| planner.create_physical_expr(key, rows.schema(), session, context));
        let [tenant, date, hash] =
            keys.collect::<Result<Vec<_>>>()?.try_into().or_else(|_| internal_err!("a text has three keys"))?;
        let last = texts.schema.fields().len() - 1;
        let (qualifier, content) = texts.schema.qualified_field(last);
        let filter = texts.filter.as_ref().map(|filter| {
            let alone =
                DFSchema::new_with_metadata(vec![(qualifier.cloned(), Arc::clone(content))], Default::default())?;
            planner.create_physical_expr(filter, &alone, session, context)
        });
        let filling = Filling::new(
            Arc::clone(input),
            Keys { tenant, date, hash },
            filter.transpose()?,
            contents.clone(),
            content,
        );
        Ok(Some(Arc::new(filling)))
    }
}
