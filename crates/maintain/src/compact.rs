//! Compaction: many small files of a day to few large ones.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tracewell_lake::{DataFile, FactTable, Lake, Replaced, Transaction, scan};
use tracewell_model::time::Day;

use crate::merge::{Merge, Merged};
use crate::{MaintainError, fence, plan};

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
    store: ObjectStoreUrl,
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
    /// Files before; there is one after.
    pub files: usize,
    /// Their bytes.
    pub bytes_before: u64,
    /// Bytes of the new file.
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
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.memory_bytes)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
            .build_arc()?;
        let store = scan::store_url(lake.location())?;
        runtime.register_object_store(store.as_ref(), Arc::clone(lake.location().store()));
        Ok(Self { options, store, runtime, clock })
    }

    /// What merges run within.
    #[must_use]
    pub fn runtime(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.runtime)
    }

    /// The next files to merge, if merging pays; with `force` whenever two small files of a day can be one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn plan(&self, table: &FactTable, day: Option<Day>, force: bool) -> Result<Option<Job>, MaintainError> {
        let app = fence(table.table().name);
        let choose = |files: &[Arc<DataFile>]| plan::next_group(files, day, self.options.target_bytes, force);
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
        let merge = Merge { table: table.table(), files: &job.files, store: &self.store, runtime: &self.runtime };
        let Merged { file, rows_read } = merge.run().await?;
        let promised = job.files.iter().map(|file| file.rows).sum();
        if rows_read != promised {
            return Err(MaintainError::Rows { table: table.table().name, day: job.day, promised, found: rows_read });
        }
        let (rows, bytes_after) = (file.rows as u64, file.bytes.len() as u64);
        let repeated = rows_read - rows;
        let now_ms = (self.clock)() / 1_000_000;
        let lineage = job.files.iter().fold(0, |all, file| all ^ file.lineage());
        let added = table.put_marked(job.day, &format!("{lineage:016x}"), file, now_ms, repeated > 0).await?;
        match table.replace(vec![added], &job.files, repeated > 0, &job.transaction, now_ms).await? {
            Replaced::Conflict => Ok(None),
            Replaced::Landed(_) => Ok(Some(Compacted {
                day: job.day,
                files: job.files.len(),
                bytes_before: job.bytes(),
                bytes_after,
                rows,
                repeated,
            })),
        }
    }
}
