//! Several sorted files to one, in bounded memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::TryStreamExt;
use tracewell_lake::DataFile;
use tracewell_lake::parquet::{Effort, Encoded, Writer};
use tracewell_lake::scan::{self, Store};
use tracewell_model::schema::{SPANS, Table};

use crate::MaintainError;
use crate::repeats::{Repeats, Rule, Survey, Versions};

/// Files are sorted ascending, and NULLs come first.
const ORDER: SortOptions = SortOptions { descending: false, nulls_first: true };
/// Batches being merged take about this much together.
const BATCH_BYTES: u64 = 64 << 20;
/// Rows in memory take about so many times their bytes in a file.
const INFLATION: u64 = 10;
/// Rows of a batch at most.
const BATCH_ROWS: u64 = 8192;
/// Rows that a survey remembers at a time: 32 bytes each, twice as many while their list grows.
const SURVEY_ROWS: u64 = 1 << 20;
/// Rows of a batch at most where a merge found them larger than thought.
const CAREFUL_ROWS: u64 = 256;

/// What merging needs.
pub(crate) struct Merge<'a> {
    pub(crate) table: &'static Table,
    pub(crate) files: &'a [Arc<DataFile>],
    pub(crate) store: &'a Store,
    pub(crate) runtime: &'a Arc<RuntimeEnv>,
}

/// The merged file.
pub(crate) struct Merged {
    pub(crate) file: Encoded,
    /// Rows that went in.
    pub(crate) rows_read: u64,
}

/// How the inputs come into order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// They are sorted: a merge that holds a batch of each.
    Merge,
    /// They are not, or a merge needs too much memory: a sort that spills to disk.
    Sort,
}

impl Merge<'_> {
    /// The rows of the files, none twice.
    pub(crate) async fn run(&self) -> Result<Merged, MaintainError> {
        self.run_without(&self.survey().await?).await
    }

    /// The rows of the files but those that `repeats` says to drop.
    pub(crate) async fn run_without(&self, repeats: &Repeats) -> Result<Merged, MaintainError> {
        match self.write(Way::Merge, repeats.clone()).await {
            Ok(Some(merged)) => Ok(merged),
            Ok(None) => self.sort("a file is not sorted by the table's key", repeats).await,
            Err(error) if error.is_memory() => self.sort("a merge does not fit into memory", repeats).await,
            Err(error) => Err(error),
        }
    }

    async fn sort(&self, reason: &str, repeats: &Repeats) -> Result<Merged, MaintainError> {
        tracing::warn!(table = self.table.name, day = %self.files[0].day, reason, "sorting instead of merging");
        let sorted = self.write(Way::Sort, repeats.clone()).await?;
        sorted.ok_or_else(|| DataFusionError::Internal("sorted rows are not in order".into()).into())
    }

    /// Writes the merged file; `None` when the rows do not come in order.
    async fn write(&self, way: Way, mut repeats: Repeats) -> Result<Option<Merged>, MaintainError> {
        let plan = self.plan(way)?;
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let mut order = OrderCheck::new(self.table, &plan.schema())?;
        let mut writer = Writer::new(self.table, &plan.schema(), rows as usize, Effort::Compacted)?;
        let context = match way {
            Way::Merge => self.context(self.files.len(), BATCH_ROWS),
            Way::Sort => self.context(1, CAREFUL_ROWS),
        };
        let mut stream = execute_stream(plan, context)?;
        let mut rows_read = 0;
        while let Some(batch) = stream.try_next().await? {
            if !order.holds(&batch)? {
                return Ok(None);
            }
            rows_read += batch.num_rows() as u64;
            writer.write(&repeats.drop_from(batch)?)?;
        }
        Ok(Some(Merged { file: writer.finish()?, rows_read }))
    }

    /// Finds the rows that repeat another.
    pub(crate) async fn survey(&self) -> Result<Repeats, MaintainError> {
        if self.table.name != SPANS.name {
            return self.survey_by(Rule::of(self.table)).await;
        }
        let resent = self.survey_by(Rule::ids()).await?;
        if resent.is_empty() {
            return Ok(resent);
        }
        let rule = Rule::of(self.table);
        let mut versions = Versions::new(resent, &self.read(&rule)?.schema())?;
        while !versions.is_done() {
            let mut stream = execute_stream(self.read(&rule)?, self.context(1, BATCH_ROWS))?;
            while let Some(batch) = stream.try_next().await? {
                versions.add(&batch)?;
            }
            versions.end_pass();
        }
        Ok(versions.finish())
    }

    /// Where there are too many rows to remember, in several passes.
    async fn survey_by(&self, rule: Rule) -> Result<Repeats, MaintainError> {
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let passes = rows.div_ceil(SURVEY_ROWS).max(1);
        let mut survey = Survey::new(rule.clone(), &self.read(&rule)?.schema(), passes)?;
        for _ in 0..passes {
            let mut stream = execute_stream(self.read(&rule)?, self.context(1, BATCH_ROWS))?;
            while let Some(batch) = stream.try_next().await? {
                survey.add(&batch)?;
            }
            survey.end_pass();
        }
        Ok(survey.finish())
    }

    /// Whether a row of the files is one to drop; `repeats` knows of all of them from here on.
    pub(crate) async fn holds_repeats(&self, repeats: &mut Repeats) -> Result<bool, MaintainError> {
        let mut stream = execute_stream(self.read(&Rule::of(self.table))?, self.context(1, BATCH_ROWS))?;
        let mut dropped = false;
        while let Some(batch) = stream.try_next().await? {
            let rows = batch.num_rows();
            dropped |= repeats.drop_from(batch)?.num_rows() < rows;
        }
        Ok(dropped)
    }

    /// The columns of a rule.
    fn read(&self, rule: &Rule) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        // Positions behind the partition, which stands first in the table's columns and last in a scan.
        let columns = rule.columns().iter().map(|name| self.table.index(name) - 1).collect();
        scan::files(self.table, self.files, self.store, columns, false)
    }

    fn plan(&self, way: Way) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let columns = (0..self.table.columns.len() - 1).collect();
        let input = scan::files(self.table, self.files, self.store, columns, way == Way::Merge)?;
        let keys = self.table.sort.iter().map(|key| Ok(PhysicalSortExpr::new(col(key, &input.schema())?, ORDER)));
        let ordering = LexOrdering::new(keys.collect::<Result<Vec<_>, DataFusionError>>()?);
        let ordering = ordering.expect("every table has a sort key");
        Ok(match way {
            Way::Merge => Arc::new(SortPreservingMergeExec::new(ordering, input)),
            Way::Sort => Arc::new(SortExec::new(ordering, input)),
        })
    }

    /// Batches are small where rows are large: `inputs` of them are in memory at once.
    fn context(&self, inputs: usize, most_rows: u64) -> Arc<TaskContext> {
        let bytes: u64 = self.files.iter().map(|file| file.size).sum();
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let row = (bytes * INFLATION / rows.max(1)).max(1);
        let batch = (BATCH_BYTES / inputs as u64 / row).clamp(1, most_rows) as usize;
        let config = SessionConfig::new().with_batch_size(batch);
        Arc::new(TaskContext::default().with_session_config(config).with_runtime(Arc::clone(self.runtime)))
    }
}

/// Checks that rows come by the table's sort key.
struct OrderCheck {
    converter: RowConverter,
    keys: Vec<usize>,
    last: Option<OwnedRow>,
}

impl OrderCheck {
    fn new(table: &Table, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let keys = table.sort.iter().map(|key| schema.index_of(key)).collect::<Result<Vec<_>, _>>()?;
        let fields = keys.iter().map(|&key| SortField::new_with_options(schema.field(key).data_type().clone(), ORDER));
        Ok(Self { converter: RowConverter::new(fields.collect())?, keys, last: None })
    }

    fn holds(&mut self, batch: &RecordBatch) -> Result<bool, ArrowError> {
        let keys: Vec<_> = self.keys.iter().map(|&key| Arc::clone(batch.column(key))).collect();
        let rows = self.converter.convert_columns(&keys)?;
        let follows = match (&self.last, rows.num_rows()) {
            (_, 0) => return Ok(true),
            (Some(last), _) => last.row() <= rows.row(0),
            (None, _) => true,
        };
        self.last = Some(rows.row(rows.num_rows() - 1).owned());
        Ok(follows && (1..rows.num_rows()).all(|at| rows.row(at - 1) <= rows.row(at)))
    }
}
