//! Running queries: read-only, bounded, on a runtime of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracewell_lake::scan::Store;
use tracewell_lake::{Fresh, Lake};
use tracewell_model::schema::{KEPT_TABLES, PRICES};

use crate::contexts::{register_facts, session};
use crate::error::QueryError;
use crate::limits::Limits;
use crate::limits::{length, memory, stop};
use crate::parts::Seen;
use crate::prices::{self, PriceBooks, Prices};
use crate::running::{Clock, Places, Rows, Running, Sent, stopping};
use crate::session::{Dialect, Session, Settings};
use crate::tables::dated::DatedProvider;
use crate::tables::derived::DerivedProvider;
use crate::tables::relation::{self, Relation};
use crate::tables::source::Source;
use crate::tables::view::ReadView;
use crate::tables::{described, warm};
use crate::{ahead, functions, newest, views, zone};

/// Footers of files with their page indexes, and bloom filters and small ranges of files, that are kept at hand.
const FOOTERS_BYTES: usize = 128 << 20;
const RANGES_BYTES: usize = 96 << 20;

/// New files are looked for so often.
const WARM_EVERY: Duration = Duration::from_secs(1);

/// Prices of before that are kept at hand.
const MOST_EARLIER: usize = 16;

/// Answers SQL over a lake and the rows not yet in it.
#[derive(Debug)]
pub struct Engine {
    lake: Lake,
    fresh: Arc<dyn Fresh>,
    limits: Limits,
    environment: Arc<RuntimeEnv>,
    store: Store,
    places: Arc<Places>,
    seen: Arc<Seen>,
    prices: RwLock<Arc<Prices>>,
    /// Prices of before that were asked for, by version.
    earlier: Mutex<HashMap<String, Arc<Prices>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Engine {
    /// An engine with a runtime of its own.
    ///
    /// # Errors
    /// When the runtime or the spill folder cannot be set up.
    pub fn new(lake: Lake, fresh: Arc<dyn Fresh>, limits: Limits) -> Result<Self, QueryError> {
        let disk = match &limits.spill {
            Some(folder) => DiskManagerBuilder::default()
                .with_mode(DiskManagerMode::Directories(vec![folder.clone()]))
                .with_max_temp_directory_size(limits.spill_bytes),
            None => DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
        };
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes)))
            .with_metadata_cache_limit(FOOTERS_BYTES)
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let store = Store::kept_by(&environment, lake.location(), RANGES_BYTES)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.threads)
            .thread_name("query")
            .on_thread_start(tracewell_lake::step_back)
            .thread_stack_size(length::STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| QueryError::Failed(format!("cannot start the query threads: {error}")))?;
        let places = Arc::new(Places::new(&limits));
        let (seen, prices, earlier) = Default::default();
        Ok(Self { lake, fresh, limits, environment, store, places, seen, prices, earlier, runtime: Some(runtime) })
    }

    /// The tables.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// What queries may take.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The prices in force; the built-in ones until others are set.
    #[must_use]
    pub fn prices(&self) -> Arc<Prices> {
        Arc::clone(&self.prices.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the prices of the queries that begin from now on.
    pub fn set_prices(&self, prices: Arc<Prices>) {
        *self.prices.write().unwrap_or_else(PoisonError::into_inner) = prices;
    }

    async fn prices_as_of(&self, version: Option<&str>) -> Result<Arc<Prices>, QueryError> {
        let in_force = self.prices();
        let Some(version) = version.filter(|version| *version != in_force.version()) else { return Ok(in_force) };
        let known = || self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prices) = known().get(version) {
            return Ok(Arc::clone(prices));
        }
        let prices = Arc::new(prices::read(self.lake.location(), version).await?);
        // Which are the last ones with some catalogue can change.
        if prices.version() == version {
            let mut known = known();
            if known.len() >= MOST_EARLIER {
                known.clear();
            }
            known.insert(version.to_owned(), Arc::clone(&prices));
        }
        Ok(prices)
    }

    /// Reads footers and bloom filters of new files as they come, before anybody asks; until the engine is dropped.
    pub fn keep_warm(&self) {
        self.runtime().spawn(warm::keep(self.lake.clone(), self.store.clone(), WARM_EVERY));
    }

    /// Queries of one client.
    #[must_use]
    pub fn session(self: &Arc<Self>, settings: Settings) -> Session {
        Session::new(Arc::clone(self), settings)
    }

    /// Starts a query. It stops when its [`Rows`] are dropped.
    ///
    /// # Errors
    /// When the SQL is wrong or not allowed. What fails while it runs comes with the rows.
    pub async fn sql(self: &Arc<Self>, sql: &str) -> Result<Rows, QueryError> {
        self.session(Settings::default()).sql(sql).await
    }

    /// The tables and views that can be asked.
    ///
    /// # Errors
    /// When the views cannot be planned.
    pub async fn relations(self: &Arc<Self>) -> Result<Vec<Relation>, QueryError> {
        let engine = Arc::clone(self);
        let look = async move {
            let context = engine.context("information_schema", &Settings::default(), None).await?;
            Ok(relation::all(&context).await?)
        };
        self.work(self.limits.timeout, look).await
    }

    /// The context of one query over the rows of this moment.
    pub(crate) async fn context(
        &self,
        sql: &str,
        settings: &Settings,
        dialect: Option<&dyn Dialect>,
    ) -> Result<SessionContext, QueryError> {
        let time_zone = settings.time_zone.as_str();
        self.refresh_kept(sql).await?;
        let view = ReadView::take(&self.lake, self.fresh.as_ref())?;
        let environment = memory::of_query(&self.environment, self.limits.memory_per_query)?;
        let context = session(self.limits.threads, &environment, time_zone)?;
        if views::may_price(sql) {
            // Parts of a price move towards the tables one by one, and each then works the price out anew.
            context.state_ref().write().config_mut().options_mut().optimizer.enable_leaf_expression_pushdown = false;
        }
        memory::fit(&context, self.limits.memory_per_query);
        let prices = self.prices_as_of(settings.prices.as_deref()).await?;
        functions::register_prices(&context, &prices);
        for (name, facts) in view.facts() {
            register_facts(&context, name, facts.clone(), &self.store)?;
        }
        for table in KEPT_TABLES {
            match view.kept().iter().find(|kept| kept.table.table().name == table.name) {
                Some(kept) => register_facts(&context, table.name, kept.clone(), &self.store)?,
                None => {
                    let empty = EmptyTable::new(tracewell_lake::schema::table_schema(table));
                    context.register_table(table.name, Arc::new(empty))?;
                }
            }
        }
        context.register_table(PRICES.name, Arc::new(PriceBooks::new(self.lake.location().clone())))?;
        let source = Source::new(view, self.store.clone(), environment, Arc::clone(&self.seen));
        let derived = |table| -> Arc<dyn TableProvider> { Arc::new(DerivedProvider::new(table, source.clone())) };
        let dated = |view, reach, columns: &Schema| -> Arc<dyn TableProvider> {
            Arc::new(DatedProvider::new(view, reach, columns, source.clone(), Arc::clone(&prices)))
        };
        // What a protocol adds holds its own lists of tables.
        views::register(&context, sql, dialect.is_none(), derived, dated).await?;
        if !zone::is_utc(time_zone) {
            zone::show_times_in(&context, time_zone).await?;
        }
        match dialect {
            Some(dialect) => dialect.extend(&context)?,
            None if views::lists_all(sql) => described::register(&context).await?,
            None => {}
        }
        Ok(context)
    }

    /// Reads what was added meanwhile to the tables that people keep and `sql` reads: nothing tells of it otherwise.
    async fn refresh_kept(&self, sql: &str) -> Result<(), QueryError> {
        for table in KEPT_TABLES.iter().filter_map(|table| self.lake.table(table.name)) {
            if views::may_read(sql, table.table()) {
                table.refresh().await?;
            }
        }
        Ok(())
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().expect("the runtime lives as long as the engine")
    }

    /// Does short work on the runtime of queries. It stops when the future is dropped.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        let cancel = CancellationToken::new();
        let _guard = cancel.clone().drop_guard();
        let task = self.runtime().spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => Err(stopping()),
                done = tokio::time::timeout(deadline, work) => done.unwrap_or(Err(QueryError::Timeout(deadline))),
            }
        });
        task.await.unwrap_or_else(|error| Err(QueryError::Failed(error.to_string())))
    }

    /// Runs what `plan` gives. It stops when the rows are dropped.
    pub(crate) async fn stream(
        &self,
        deadline: Duration,
        plan: impl Future<Output = Result<(SessionContext, LogicalPlan), QueryError>> + Send + 'static,
    ) -> Result<Rows, QueryError> {
        let (cancel, stop) = (CancellationToken::new(), CancellationToken::new());
        let clock = Clock::new(deadline, &cancel, &stop);
        let (batches, receiver) = mpsc::channel(1);
        let (started, schema) = tokio::sync::oneshot::channel();
        let (places, limits, pool) =
            (Arc::clone(&self.places), self.limits.clone(), Arc::clone(&self.environment.memory_pool));
        let mut rows = Rows::new(receiver, cancel.clone().drop_guard());
        self.runtime().spawn(async move {
            let work = async {
                let mut running = Running::begin(&places, &limits, pool, clock).await?;
                let begin = async {
                    let (context, plan) = plan.await?;
                    stop::watch(&context, &stop);
                    let plan = ahead::answer(&context, plan).await?;
                    let plan = newest::answer(&context, &plan).await?.unwrap_or(plan);
                    Ok::<_, QueryError>(context.execute_logical_plan(plan).await?.execute_stream().await?)
                };
                let rows = running.at_work(begin).await??;
                let _ = started.send(rows.schema());
                running.send(rows, &batches).await
            };
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => Err(QueryError::Timeout(deadline)),
                ended = work => ended,
            };
            if cancel.is_cancelled() {
                return;
            }
            // What a function says that was stopped is no better than why.
            let ended = if stop.is_cancelled() { Err(QueryError::Timeout(deadline)) } else { ended };
            let _ = batches.send(ended.map(|()| Sent::All)).await;
        });
        match schema.await {
            Ok(schema) => {
                rows.schema = schema;
                Ok(rows)
            }
            Err(_) => match rows.next().await {
                Some(Err(error)) => Err(error),
                _ => Err(stopping()),
            },
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime must not be dropped where it would block another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
