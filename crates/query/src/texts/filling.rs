//! How rows get their texts: a window of rows is kept by hash, and the texts of its dates stream past it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, ByteView, RecordBatch, UInt64Array, new_null_array};
use datafusion::arrow::compute::{concat_batches, take, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{col, in_list, lit};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::StreamExt;
use tokio::sync::mpsc::Sender;
use tracewell_lake::scan::ScanRequest;

use super::window::{Contents, Named, Window};
use super::{CONTENT, DATE, HASH, TENANT};
use crate::limits::stop;
use crate::plans::compact::compact;
use crate::tables::provider::FactProvider;

/// Rows of the first window, so that few rows get their texts at once, and of the largest.
const FIRST_ROWS: usize = 8 << 10;
const MOST_ROWS: usize = 512 << 10;
/// How many times larger the next window is.
const TIMES: usize = 8;
/// About what a row's place in a window takes.
const ROW_BYTES: usize = 64;
/// A window that names no more texts than this looks for them; else all of its dates are read.
const MOST_LOOKED_UP: usize = 50_000;
/// Rows that go on together, and about how much text.
const BATCH_ROWS: usize = 8 << 10;
const BATCH_BYTES: usize = 4 << 20;

/// What a row's text is found by.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) tenant: Arc<dyn PhysicalExpr>,
    pub(super) date: Arc<dyn PhysicalExpr>,
    pub(super) hash: Arc<dyn PhysicalExpr>,
}

/// The rows of a plan, each with the text that it names as the last column.
#[derive(Clone, Debug)]
pub(super) struct Filling {
    input: Arc<dyn ExecutionPlan>,
    keys: Keys,
    /// Over the text alone.
    filter: Option<Arc<dyn PhysicalExpr>>,
    contents: FactProvider,
    properties: Arc<PlanProperties>,
}

impl Filling {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        keys: Keys,
        filter: Option<Arc<dyn PhysicalExpr>>,
        contents: FactProvider,
        content: &Arc<Field>,
    ) -> Self {
        let rows = input.schema();
        let columns = rows.fields().iter().cloned().chain([Arc::clone(content)]);
        let schema = Schema::new_with_metadata(columns.collect::<Vec<_>>(), rows.metadata().clone());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, keys, filter, contents, properties: Arc::new(properties) }
    }
}

impl DisplayAs for Filling {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Keys { tenant, date, hash } = &self.keys;
        write!(f, "Texts: tenant={tenant}, date={date}, hash={hash}")?;
        self.filter.iter().try_for_each(|filter| write!(f, ", {filter}"))
    }
}

impl ExecutionPlan for Filling {
    fn name(&self) -> &str {
        "Texts"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        each: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        // The filter is over no column of the input.
        let Keys { tenant, date, hash } = &self.keys;
        for key in [tenant, date, hash] {
            if each(key)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, ..Self::clone(&self) })),
            _ => internal_err!("texts stand beside one plan"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, Arc::clone(&context))?;
        let mut filled = RecordBatchReceiverStreamBuilder::new(self.schema(), 2);
        let output = Output { schema: self.schema(), sender: filled.tx() };
        filled.spawn(self.clone().fill(rows, output, context));
        Ok(filled.build())
    }
}

impl Filling {
    async fn fill(self, mut rows: SendableRecordBatchStream, output: Output, context: Arc<TaskContext>) -> Result<()> {
        let memory = MemoryConsumer::new("Texts").register(context.memory_pool());
        let (mut size, mut ended) = (FIRST_ROWS, false);
        while !ended {
            let (mut window, mut count) = (Vec::new(), 0);
            while count < size {
                let Some(batch) = rows.next().await.transpose()? else {
                    ended = true;
                    break;
                };
                let batch = compact(batch);
                count += batch.num_rows();
                let taken = memory.try_grow(batch.get_array_memory_size() + batch.num_rows() * ROW_BYTES);
                window.push(batch);
                match taken {
                    // A smaller window has the dates read more often.
                    Err(_) if count >= FIRST_ROWS => break,
                    taken => taken?,
                }
            }
            if window.is_empty() {
                break;
            }
            let window = Window::new(concat_batches(&self.input.schema(), &window)?, &self.keys)?;
            if self.fill_window(window, &output, &context).await?.is_break() {
                break;
            }
            memory.free();
            size = (size * TIMES).min(MOST_ROWS);
        }
        Ok(())
    }

    /// Sends on the rows of a window with their texts; breaks off when nobody takes them.
    async fn fill_window(
        &self,
        mut window: Window,
        output: &Output,
        context: &Arc<TaskContext>,
    ) -> Result<ControlFlow<()>> {
        let options = context.session_config().options();
        if let Some(plan) = self.texts_of(&window, context).await? {
            let mut texts = CoalescePartitionsExec::new(plan).execute(0, Arc::clone(context))?;
            while let Some(texts) = texts.next().await.transpose()? {
                stop::check(options)?;
                let texts = Contents::of(&texts)?;
                let mut named = window.named_by(&texts);
                if let Some(filter) = &self.filter {
                    named = named.filter(filter, &texts.content, options)?;
                }
                if output.send(&window.rows, &named, &texts.content).await?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        let none = new_null_array(&DataType::Utf8View, 1);
        let mut without = window.without();
        if let Some(filter) = &self.filter {
            without = without.filter(filter, &none, options)?;
        }
        output.send(&window.rows, &without, &none).await
    }

    /// What there is of the texts that a window may name; `None` where it names none.
    async fn texts_of(&self, window: &Window, context: &TaskContext) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if window.first.is_empty() {
            return Ok(None);
        }
        let schema = self.contents.schema();
        let looked_up = window.first.len() <= MOST_LOOKED_UP;
        let hashes = || window.first.keys().map(|hash| lit(ScalarValue::Utf8View(Some(format!("{hash:032x}")))));
        let predicate = looked_up.then(|| in_list(col(HASH, &schema)?, hashes().collect(), &false, &schema));
        let columns = [TENANT, DATE, HASH, CONTENT].into_iter().map(|name| schema.index_of(name));
        let request = ScanRequest {
            projection: Some(columns.collect::<Result<_, _>>()?),
            predicate: predicate.transpose()?,
            limit: None,
            partitions: context.session_config().target_partitions(),
            pushdown: looked_up,
        };
        self.contents.of(&window.days()).plan(&request).await.map(Some)
    }
}

/// Where filled rows go.
struct Output {
    schema: SchemaRef,
    sender: Sender<Result<RecordBatch>>,
}

impl Output {
    /// Sends `rows` on with their `texts`; breaks off when nobody takes them.
    async fn send(&self, rows: &RecordBatch, named: &Named, texts: &ArrayRef) -> Result<ControlFlow<()>> {
        let mut rest = (&named.rows[..], &named.texts[..]);
        while !rest.0.is_empty() {
            let mut bytes = 0;
            let more = |text: &&u64| {
                let before = bytes;
                bytes += length(texts, **text);
                before < BATCH_BYTES
            };
            let count = rest.1.iter().take(BATCH_ROWS).take_while(more).count();
            let (these, of) = (rest.0.split_at(count), rest.1.split_at(count));
            let positions = |list: &[u64]| UInt64Array::from(list.to_vec());
            let mut columns = take_record_batch(rows, &positions(these.0))?.columns().to_vec();
            columns.push(take(texts, &positions(of.0), None)?);
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
            if self.sender.send(Ok(batch)).await.is_err() {
                return Ok(ControlFlow::Break(()));
            }
            rest = (these.1, of.1);
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn length(texts: &ArrayRef, position: u64) -> usize {
    let views = texts.as_string_view().views();
    usize::try_from(position)
        .ok()
        .and_then(|position| views.get(position))
        .map_or(0, |view| ByteView::from(*view).length as usize)
}
