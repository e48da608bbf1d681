//! Running queries: read-only, bounded, on a runtime of their own.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{Stream, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracewell_lake::{Fresh, Lake};

use crate::compact::compact;
use crate::dated::DatedProvider;
use crate::derived::DerivedProvider;
use crate::provider::FactProvider;
use crate::view::{ReadView, TableView};
use crate::{functions, length, views};

/// What queries may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Memory of all queries together; sorts and aggregates beyond it spill to disk.
    pub memory_bytes: usize,
    /// A query that runs longer is stopped.
    pub timeout: Duration,
    /// Queries that run at the same time; more wait.
    pub concurrent: usize,
    /// Threads that queries run on, apart from the network's.
    pub threads: usize,
    /// Where sorts and aggregates spill to; nowhere when `None`.
    pub spill: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            timeout: Duration::from_secs(300),
            concurrent: 16,
            threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            spill: Some(std::env::temp_dir()),
        }
    }
}

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The SQL is wrong, or asks for what is not allowed.
    #[error("{0}")]
    Sql(String),
    /// It ran too long.
    #[error("the query ran longer than {}s and was stopped; narrow it, for instance by `date`, or raise query.timeout", .0.as_secs())]
    Timeout(Duration),
    /// It needed more memory than all queries may take.
    #[error("{0}; narrow the query, or raise query.memory_bytes")]
    Memory(String),
    /// Something failed while it ran.
    #[error("{0}")]
    Failed(String),
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(message) => Self::Memory(message.clone()),
            DataFusionError::SQL(..) | DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => {
                Self::Sql(error.strip_backtrace())
            }
            DataFusionError::NotImplemented(_)
            | DataFusionError::Diagnostic(..)
            | DataFusionError::Configuration(_) => Self::Sql(error.strip_backtrace()),
            _ => Self::Failed(error.strip_backtrace()),
        }
    }
}

/// Answers SQL over a lake and the rows not yet in it.
#[derive(Debug)]
pub struct Engine {
    lake: Lake,
    fresh: Arc<dyn Fresh>,
    limits: Limits,
    environment: Arc<RuntimeEnv>,
    store: ObjectStoreUrl,
    running: Arc<Semaphore>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Engine {
    /// An engine with a runtime of its own.
    ///
    /// # Errors
    /// When the runtime or the spill folder cannot be set up.
    pub fn new(lake: Lake, fresh: Arc<dyn Fresh>, limits: Limits) -> Result<Self, QueryError> {
        let pool = TrackConsumersPool::new(
            FairSpillPool::new(limits.memory_bytes),
            std::num::NonZero::new(3).expect("three is not zero"),
        );
        let disk = match &limits.spill {
            Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
            None => DiskManagerMode::Disabled,
        };
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
            .build_arc()?;
        let store = tracewell_lake::scan::store_url(lake.location())?;
        environment.register_object_store(store.as_ref(), Arc::clone(lake.location().store()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.threads)
            .thread_name("query")
            .on_thread_start(tracewell_lake::step_back)
            .thread_stack_size(length::STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| QueryError::Failed(format!("cannot start the query threads: {error}")))?;
        let running = Arc::new(Semaphore::new(limits.concurrent));
        Ok(Self { lake, fresh, limits, environment, store, running, runtime: Some(runtime) })
    }

    /// The tables.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    async fn context(&self, view: &Arc<ReadView>, sql: &str) -> Result<SessionContext, DataFusionError> {
        let context = session(self.limits.threads, &self.environment);
        for (name, facts) in view.facts() {
            register_facts(&context, name, facts.clone(), &self.store)?;
        }
        let parts = || (Arc::clone(view), self.store.clone(), Arc::clone(&self.environment));
        let derived = |table| -> Arc<dyn TableProvider> {
            let (view, store, environment) = parts();
            Arc::new(DerivedProvider::new(table, view, store, environment))
        };
        let dated = |of, reach, columns: &Schema| -> Arc<dyn TableProvider> {
            let (view, store, environment) = parts();
            Arc::new(DatedProvider::new(of, reach, columns, view, store, environment))
        };
        views::register(&context, sql, derived, dated).await?;
        Ok(context)
    }

    /// Starts a query. It stops when its [`Rows`] are dropped.
    ///
    /// # Errors
    /// When the SQL is wrong or not allowed. What fails while it runs comes with the rows.
    pub async fn sql(self: &Arc<Self>, sql: &str) -> Result<Rows, QueryError> {
        let cancel = CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        let (batches, receiver) = mpsc::channel(4);
        let (started, schema) = tokio::sync::oneshot::channel();
        let engine = Arc::clone(self);
        let text = sql.to_owned();
        let runtime = self.runtime.as_ref().expect("the runtime lives as long as the engine");
        runtime.spawn(async move {
            let deadline = engine.limits.timeout;
            let work = engine.run(&text, started, &batches);
            let ended = tokio::select! {
                () = cancel.cancelled() => return,
                ended = tokio::time::timeout(deadline, work) => ended.unwrap_or(Err(QueryError::Timeout(deadline))),
            };
            if let Err(error) = ended {
                let _ = batches.send(Err(error)).await;
            }
        });
        match schema.await {
            Ok(schema) => Ok(Rows { schema, receiver, _guard: guard }),
            Err(_) => {
                let mut rows = Rows {
                    schema: SchemaRef::new(datafusion::arrow::datatypes::Schema::empty()),
                    receiver,
                    _guard: guard,
                };
                match rows.next().await {
                    Some(Err(error)) => Err(error),
                    _ => Err(QueryError::Failed("the query ended before it began".into())),
                }
            }
        }
    }

    async fn run(
        &self,
        sql: &str,
        started: tokio::sync::oneshot::Sender<SchemaRef>,
        batches: &mpsc::Sender<Result<RecordBatch, QueryError>>,
    ) -> Result<(), QueryError> {
        length::check(sql).map_err(QueryError::Sql)?;
        let _permit = self.running.acquire().await.map_err(|_| QueryError::Failed("the server is stopping".into()))?;
        let view = ReadView::take(&self.lake, self.fresh.as_ref()).map_err(DataFusionError::from)?;
        let context = self.context(&Arc::new(view), sql).await?;
        let plan = context.state().create_logical_plan(sql).await?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        let frame = context.execute_logical_plan(plan).await?;
        let mut stream: SendableRecordBatchStream = frame.execute_stream().await?;
        let _ = started.send(stream.schema());
        while let Some(batch) = stream.next().await {
            if batches.send(Ok(compact(batch?))).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// A session with our functions and no tables.
pub(crate) fn session(threads: usize, environment: &Arc<RuntimeEnv>) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_default_catalog_and_schema("tracewell", "public")
        .with_target_partitions(threads);
    config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(environment))
        .with_default_features()
        .build();
    let context = SessionContext::new_with_state(state);
    functions::register(&context);
    context
}

/// Makes a table of facts known to `context`.
pub(crate) fn register_facts(
    context: &SessionContext,
    name: &'static str,
    facts: TableView,
    store: &ObjectStoreUrl,
) -> Result<(), DataFusionError> {
    context.register_table(name, Arc::new(FactProvider::new(facts, store.clone()))).map(|_| ())
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime must not be dropped where it would block another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The rows of a running query.
#[derive(Debug)]
pub struct Rows {
    schema: SchemaRef,
    receiver: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    _guard: DropGuard,
}

impl Rows {
    /// The schema of the rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}
