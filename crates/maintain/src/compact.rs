//! Compaction: many small files of a day to few large ones, and no row twice.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tracewell_lake::scan::Store;
use tracewell_lake::{DataFile, FactTable, Lake, NewFile, Replaced, Transaction};
use tracewell_model::time::Day;

use crate::merge::{Merge, Merged};
use crate::{MaintainError, fence, plan};

/// A file that found no others to merge with for so long is rewritten alone.
const REST_MS: i64 = 3600 * 1000;

/// What compaction aims at and may take.
#[derive(Clone, Debug)]
pub struct Options {
    /// About how large a compacted file is. Files over half of it are left alone.
    pub target_bytes: u64,
    /// Memory of a merge's batches. The file being written comes on top.
    pub memory_bytes: usize,
    /// Where a sort spills to, for the rare inputs that are not sorted.
    pub spill: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self { target_bytes: 128 << 20, memory_bytes: 256 << 20, spill: std::env::temp_dir() }
    }
}

/// Compacts tables. The work of one step is done where it is awaited: give it a thread that nobody waits for.
#[derive(Debug)]
pub struct Compactor {
    options: Options,
    store: Store,
    runtime: Arc<RuntimeEnv>,
    clock: fn() -> i64,
}

/// Files to merge into one, as planned at one version of the table.
#[derive(Clone, Debug)]
pub struct Job {
    /// Their day.
    pub day: Day,
    /// The files.
    pub files: Vec<Arc<DataFile>>,
    transaction: Transaction,
}

impl Job {
    /// Their bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The day.
    pub day: Day,
    /// Files before.
    pub files: usize,
    /// Their bytes.
    pub bytes_before: u64,
    /// Bytes of what took their place.
    pub bytes_after: u64,
    /// Its rows.
    pub rows: u64,
    /// Rows dropped because they repeat another.
    pub repeated: u64,
}

impl Compactor {
    /// A compactor of the tables of `lake`, with `clock` in nanoseconds since 1970.
    ///
    /// # Errors
    /// When the folder to spill to cannot be used.
    pub fn new(lake: &Lake, options: Options, clock: fn() -> i64) -> Result<Self, MaintainError> {
        let disk = DiskManagerMode::Directories(vec![options.spill.clone()]);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
            .build_arc()?;
        let store = Store::known_to(&runtime, lake.location())?;
        Ok(Self { options, store, runtime, clock })
    }

    /// What merges run within.
    #[must_use]
    pub fn runtime(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.runtime)
    }

    /// The next files to merge, if merging pays; with `force` whenever two small files of a day can be one. A single
    /// file is one that may repeat rows within itself.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn plan(&self, table: &FactTable, day: Option<Day>, force: bool) -> Result<Option<Job>, MaintainError> {
        let app = fence(table.table().name);
        let rested = self.now_ms() - REST_MS;
        let choose = |files: &[Arc<DataFile>]| plan::next_group(files, day, self.options.target_bytes, force, rested);
        // The number comes from the log, and before the files: who replaces any of them from here on raises it.
        if choose(&table.refresh().await?.files).is_none() {
            return Ok(None);
        }
        let reached = table.watermark(&app).await?.unwrap_or(0);
        let group = choose(&table.snapshot().files);
        Ok(group.map(|files| Job { day: files[0].day, files, transaction: Transaction { app, version: reached + 1 } }))
    }

    /// Merges and commits; `None` when someone else replaced one of the files meanwhile: plan again.
    ///
    /// # Errors
    /// When the store fails, or a file cannot be read. The table is as before then.
    pub async fn run(&self, table: &FactTable, job: &Job) -> Result<Option<Compacted>, MaintainError> {
        let merged = self.merge(table, &job.files).run().await?;
        let mut done = Compacted { day: job.day, files: 0, bytes_before: 0, bytes_after: 0, rows: 0, repeated: 0 };
        let added = self.put(table, &job.files, merged, &mut done).await?;
        let landed = table.replace(vec![added], &job.files, done.repeated > 0, &job.transaction, self.now_ms()).await?;
        Ok(matches!(landed, Replaced::Landed(_)).then_some(done))
    }

    /// Drops the rows of `day` that repeat one of another file: those of files too large to merge. Files without
    /// such a row stay as they are. `None` when there is nothing to drop, or someone else was first.
    ///
    /// # Errors
    /// When the store fails, or a file cannot be read. The table is as before then.
    pub async fn drop_repeats(&self, table: &FactTable, day: Day) -> Result<Option<Compacted>, MaintainError> {
        let app = fence(table.table().name);
        let reached = table.watermark(&app).await?.unwrap_or(0);
        let files: Vec<_> = table.refresh().await?.files.iter().filter(|file| file.day == day).cloned().collect();
        if files.len() < 2 {
            return Ok(None);
        }
        let mut repeats = self.merge(table, &files).survey().await?;
        if repeats.is_empty() {
            return Ok(None);
        }
        let mut done = Compacted { day, files: 0, bytes_before: 0, bytes_after: 0, rows: 0, repeated: 0 };
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for file in files {
            let before = repeats.clone();
            let one = std::slice::from_ref(&file);
            if self.merge(table, one).holds_repeats(&mut repeats).await? {
                let merged = self.merge(table, one).run_without(&before).await?;
                added.push(self.put(table, one, merged, &mut done).await?);
                removed.push(file);
            }
        }
        if removed.is_empty() {
            return Ok(None);
        }
        let transaction = Transaction { app, version: reached + 1 };
        let landed = table.replace(added, &removed, true, &transaction, self.now_ms()).await?;
        Ok(matches!(landed, Replaced::Landed(_)).then_some(done))
    }

    /// The days of `table` with several files, where rows of one may repeat those of another.
    #[must_use]
    pub fn days_of_several_files(table: &FactTable) -> BTreeSet<Day> {
        let mut seen = BTreeSet::new();
        table.snapshot().files.iter().map(|file| file.day).filter(|day| !seen.insert(*day)).collect()
    }

    fn merge<'a>(&'a self, table: &FactTable, files: &'a [Arc<DataFile>]) -> Merge<'a> {
        Merge { table: table.table(), files, store: &self.store, runtime: &self.runtime }
    }

    /// Puts what takes the place of `files` into the store, and counts it.
    async fn put(
        &self,
        table: &FactTable,
        files: &[Arc<DataFile>],
        Merged { file, rows_read }: Merged,
        done: &mut Compacted,
    ) -> Result<NewFile, MaintainError> {
        let promised = files.iter().map(|file| file.rows).sum();
        if rows_read != promised {
            return Err(MaintainError::Rows { table: table.table().name, day: done.day, promised, found: rows_read });
        }
        let repeated = rows_read - file.rows as u64;
        done.files += files.len();
        done.bytes_before += files.iter().map(|file| file.size).sum::<u64>();
        done.bytes_after += file.bytes.len() as u64;
        done.rows += file.rows as u64;
        done.repeated += repeated;
        let lineage = files.iter().fold(0, |all, file| all ^ file.lineage());
        Ok(table.put_marked(done.day, &format!("{lineage:016x}"), file, self.now_ms(), repeated > 0).await?)
    }

    fn now_ms(&self) -> i64 {
        (self.clock)() / 1_000_000
    }
}
