//! Maintenance as a server runs it: in the background, one table at a time, for as long as the server lives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracewell_lake::{FactTable, Lake};
use tracewell_model::schema::{DERIVED_TABLES, TABLES};
use tracewell_model::time::Day;

use crate::{Compactor, MaintainError, Options, Retention, Settler, expire, expire_derived, vacuum};

/// When the background does what.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Between two looks at the tables.
    pub interval: Duration,
    /// How long rows stay.
    pub retention: Retention,
    /// Between two vacuums.
    pub vacuum_interval: Duration,
    /// Files taken out of a table stay in the store for so long.
    pub vacuum_retain: Duration,
    /// A date is settled when it is over and nothing has come for it for so long.
    pub settle_after: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            retention: Retention::new(),
            vacuum_interval: Duration::from_secs(3600),
            vacuum_retain: Duration::from_secs(7 * 24 * 3600),
            settle_after: Duration::from_secs(300),
        }
    }
}

/// The longest pause after errors.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Is told a day before contents of it expire.
pub type Forget = Arc<dyn Fn(Day) + Send + Sync>;

/// Maintains every table of a lake.
pub struct Maintainer {
    lake: Lake,
    compactor: Compactor,
    settler: Settler,
    schedule: Schedule,
    clock: fn() -> i64,
    forget: Forget,
    /// Per table: failures in a row, and when to try again.
    paused: HashMap<&'static str, (u32, Instant)>,
}

impl std::fmt::Debug for Maintainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maintainer").field("schedule", &self.schedule).finish_non_exhaustive()
    }
}

impl Maintainer {
    /// A maintainer with `clock` in nanoseconds since 1970. `forget` is told a day before contents of it expire.
    ///
    /// # Errors
    /// When the folder to spill to cannot be used.
    pub fn new(
        lake: Lake,
        options: Options,
        schedule: Schedule,
        clock: fn() -> i64,
        forget: Forget,
    ) -> Result<Self, MaintainError> {
        let compactor = Compactor::new(&lake, options, clock)?;
        let settler = Settler::new(&lake, compactor.runtime(), clock);
        Ok(Self { lake, compactor, settler, schedule, clock, forget, paused: HashMap::new() })
    }

    /// Starts a thread that maintains until `stop`. Merging is work for a processor: on a thread of its own it
    /// takes one core at most and no turn from those who answer requests.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn spawn(self, stop: CancellationToken) -> Result<std::thread::JoinHandle<()>, MaintainError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("maintain")
            .on_thread_start(tracewell_lake::step_back)
            .enable_all()
            .build()?;
        let work = async move {
            // What is cut off by a stop has not landed; the files it wrote are vacuum's.
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.run() => {}
            }
        };
        let thread = std::thread::Builder::new().name("maintenance".into());
        Ok(thread.spawn(move || {
            let _ = runtime.block_on(runtime.spawn(work));
            runtime.shutdown_background();
        })?)
    }

    async fn run(mut self) {
        let mut vacuumed = Instant::now();
        loop {
            tokio::time::sleep(self.schedule.interval).await;
            let vacuum = vacuumed.elapsed() >= self.schedule.vacuum_interval;
            if vacuum {
                vacuumed = Instant::now();
            }
            // Facts before what is derived from them.
            let tables: Vec<_> = TABLES.iter().filter_map(|table| self.lake.table(table.name).cloned()).collect();
            for table in tables {
                self.look_at(&table, vacuum).await;
            }
        }
    }

    async fn look_at(&mut self, table: &FactTable, vacuum: bool) {
        let name = table.table().name;
        let failures = match self.paused.get(name) {
            Some((_, until)) if Instant::now() < *until => return,
            Some((failures, _)) => *failures,
            None => 0,
        };
        match self.maintain(table, vacuum).await {
            Ok(()) => {
                self.paused.remove(name);
            }
            Err(error) => {
                let pause = (self.schedule.interval * 2u32.saturating_pow(failures)).min(LONGEST_PAUSE);
                tracing::warn!(table = name, %error, retry_in = ?pause, "maintenance failed; the table is as it was");
                self.paused.insert(name, (failures + 1, Instant::now() + pause));
            }
        }
    }

    async fn maintain(&self, table: &FactTable, with_vacuum: bool) -> Result<(), MaintainError> {
        let name = table.table().name;
        let derived = DERIVED_TABLES.iter().any(|table| table.name == name);
        if let Some(retention) = self.schedule.retention.get(name) {
            let now = (self.clock)();
            let expired = if derived {
                expire_derived(&self.lake, table, *retention, now).await?
            } else {
                expire(table, *retention, now, self.forget.as_ref()).await?
            };
            if expired.files > 0 {
                tracing::info!(
                    table = name,
                    files = expired.files,
                    bytes = expired.bytes,
                    rows = expired.rows,
                    "expired"
                );
            }
        }
        if derived {
            for day in self.settler.unsettled(table, Some(self.schedule.settle_after)).await? {
                if let Some(done) = self.settler.settle(table, day).await? {
                    tracing::info!(table = name, %day, rows = done.rows, bytes = done.bytes, "settled");
                }
            }
        }
        while let Some(job) = self.compactor.plan(table, None, false).await? {
            let Some(done) = self.compactor.run(table, &job).await? else { continue };
            tracing::info!(
                table = name, day = %done.day, files = done.files, bytes_before = done.bytes_before,
                bytes_after = done.bytes_after, rows = done.rows, repeated = done.repeated, "compacted"
            );
        }
        if with_vacuum {
            let done = vacuum(table, self.schedule.vacuum_retain, false, (self.clock)() / 1_000_000).await?;
            if done.deleted > 0 {
                tracing::info!(table = name, files = done.deleted, bytes = done.deleted_bytes, "vacuumed");
            }
        }
        Ok(())
    }
}
