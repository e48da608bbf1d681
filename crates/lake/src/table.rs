//! A table: opening, committing, refreshing.

use std::collections::HashMap;
use std::slice;
use std::sync::Arc;

use arrow::datatypes::Schema;
use deltalake_core::checkpoints::create_checkpoint;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, FinalizedCommit, TableReference};
use deltalake_core::kernel::{Action, Add, StructType};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use futures::future::try_join_all;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::sync::Mutex;
use tracewell_model::schema::Table;
use tracewell_model::time::Day;
use uuid::Uuid;

use crate::parquet::Encoded;
use crate::snapshot::{Snapshot, checksum};
use crate::{LakeError, Location, older, schema};

mod commit_id;
mod replace;

use self::commit_id::CommitId;
pub use self::replace::Replaced;

/// A checkpoint of the log is written every so many commits.
const CHECKPOINT_INTERVAL: u64 = 50;
/// So many transactions are looked up at once: each reads the log again, which an object store is slow about.
const READINGS: usize = 16;

/// A writer's proof against committing twice: one number per writer that only rises.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The writer: never reused.
    pub app: String,
    /// The number.
    pub version: i64,
}

/// A file that is in the store and not yet in the table.
#[derive(Clone, Debug)]
pub struct NewFile {
    add: Add,
}

impl NewFile {
    /// When it was written, in milliseconds since 1970.
    #[must_use]
    pub fn written_ms(&self) -> i64 {
        self.add.modification_time
    }
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// It landed as this version of the table.
    Landed(i64),
    /// Its transaction is in the table already; nothing was written.
    AlreadyIn,
}

/// One Delta Lake table.
#[derive(Debug)]
pub struct FactTable {
    table: &'static Table,
    location: Location,
    log_store: LogStoreRef,
    scan_schema: Arc<Schema>,
    /// Held while a commit is under way: commits of one process to one table go one after the other.
    committing: Mutex<()>,
    current: std::sync::RwLock<Arc<Snapshot>>,
}

impl FactTable {
    pub(crate) async fn open(
        location: &Location,
        table: &'static Table,
        create: bool,
    ) -> Result<Option<Self>, LakeError> {
        let delta = LakeError::delta(table.name);
        let (root, url) = location.for_delta(table.name);
        let prefixed = PrefixStore::new(Arc::clone(location.store()), location.table_path(table.name));
        let log_store = default_logstore(Arc::new(prefixed), root, &url, &StorageConfig::default());
        let mut stored = DeltaTable::new(Arc::clone(&log_store));
        if !stored.verify_deltatable_existence().await.map_err(&delta)? {
            if !create {
                return Ok(None);
            }
            if let Err(error) = Self::create(table, Arc::clone(&log_store)).await {
                // Where another process was first, its table is as good.
                if !stored.verify_deltatable_existence().await.map_err(&delta)? {
                    return Err(delta(error));
                }
            }
        }
        stored.load().await.map_err(&delta)?;
        let lacking = older::lacking(table, stored.snapshot().map_err(&delta)?)?;
        if create && !lacking.is_empty() {
            older::add(table, &mut stored, &lacking).await?;
        }
        let state = stored.snapshot().map_err(&delta)?.clone();
        let scan_schema = schema::table_schema(table);
        let snapshot = Snapshot::new(state, &location.table_path(table.name), &scan_schema, HashMap::new(), None);
        Ok(Some(Self {
            table,
            location: location.clone(),
            log_store,
            scan_schema,
            committing: Mutex::new(()),
            current: std::sync::RwLock::new(Arc::new(snapshot)),
        }))
    }

    async fn create(table: &Table, log_store: LogStoreRef) -> Result<(), DeltaTableError> {
        let fields: StructType = (&schema::delta_schema(table)).try_into_kernel()?;
        let pruned: Vec<&str> =
            table.columns.iter().filter(|column| column.statistics).map(|column| column.name).collect();
        CreateBuilder::new()
            .with_log_store(log_store)
            .with_table_name(table.name)
            .with_comment(table.doc)
            .with_columns(fields.fields().cloned())
            .with_partition_columns(["date"])
            .with_configuration([
                ("delta.checkpointInterval".to_owned(), Some(CHECKPOINT_INTERVAL.to_string())),
                ("delta.dataSkippingStatsColumns".to_owned(), Some(pruned.join(","))),
            ])
            // Where another process was first, a further try would put a table of another id over its own.
            .with_commit_properties(CommitProperties::default().with_max_retries(0))
            .await
            .map(|_| ())
    }

    /// What the table is.
    #[must_use]
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What tells it from all other tables, wherever it is reached: the id that it was created with.
    #[must_use]
    pub fn id(&self) -> String {
        self.snapshot().state.metadata().id().to_owned()
    }

    /// The newest snapshot this process knows.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Reads what other processes committed meanwhile.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, LakeError> {
        let _guard = self.committing.lock().await;
        self.refresh_locked().await
    }

    async fn refresh_locked(&self) -> Result<Arc<Snapshot>, LakeError> {
        let before = self.snapshot();
        let mut state = before.state.clone();
        state.update(self.log_store.as_ref(), None).await.map_err(LakeError::delta(self.table.name))?;
        if state.version() == before.state.version() {
            return Ok(before);
        }
        let mut watermarks = HashMap::new();
        for app in before.watermarks.keys() {
            if let Some(version) = self.read_watermark(&state, app).await? {
                watermarks.insert(app.clone(), version);
            }
        }
        Ok(self.install(state, watermarks, &before))
    }

    async fn read_watermark(&self, state: &DeltaTableState, app: &str) -> Result<Option<i64>, LakeError> {
        state.transaction_version(self.log_store.as_ref(), app).await.map_err(LakeError::delta(self.table.name))
    }

    fn install(&self, state: DeltaTableState, watermarks: HashMap<String, i64>, before: &Snapshot) -> Arc<Snapshot> {
        let path = self.location.table_path(self.table.name);
        let snapshot = Arc::new(Snapshot::new(state, &path, &self.scan_schema, watermarks, Some(before)));
        *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::clone(&snapshot);
        snapshot
    }

    /// The last transaction version of `app` in the table, from the log; from here on every snapshot knows it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn watermark(&self, app: &str) -> Result<Option<i64>, LakeError> {
        let _guard = self.committing.lock().await;
        let snapshot = self.adopt(app).await?;
        Ok(snapshot.watermarks.get(app).copied().filter(|version| *version != i64::MIN))
    }

    /// Puts an encoded file of `day` into the store. It is not in the table until it is committed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put(&self, day: Day, file: Encoded, now_ms: i64, data_change: bool) -> Result<NewFile, LakeError> {
        self.put_named(format!("part-{}", Uuid::now_v7()), day, file, now_ms, data_change).await
    }

    /// The same with `mark` in the file's name, where readers of the log find it:
    /// [`DataFile::mark`](crate::DataFile::mark).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put_marked(
        &self,
        day: Day,
        mark: &str,
        file: Encoded,
        now_ms: i64,
        data_change: bool,
    ) -> Result<NewFile, LakeError> {
        self.put_named(format!("part-{}-{mark}", Uuid::now_v7()), day, file, now_ms, data_change).await
    }

    async fn put_named(
        &self,
        name: String,
        day: Day,
        file: Encoded,
        now_ms: i64,
        data_change: bool,
    ) -> Result<NewFile, LakeError> {
        // Parquet as written here has no checksums, and zstd takes most flipped bits for data.
        let name = format!("date={day}/{name}.{}.parquet", checksum(&file.bytes));
        let path = self.store_path(&name);
        let size = file.bytes.len() as i64;
        self.location.store().put(&path, PutPayload::from_bytes(file.bytes)).await?;
        let add = Add {
            path: name,
            partition_values: HashMap::from([("date".to_owned(), Some(day.to_string()))]),
            size,
            modification_time: now_ms,
            data_change,
            stats: Some(file.statistics),
            ..Add::default()
        };
        Ok(NewFile { add })
    }

    /// Commits new files under a transaction that is this writer's alone.
    ///
    /// A transaction version that the table has reached already is not committed again; after an answer that leaves
    /// the outcome open the log is read and decides.
    ///
    /// # Errors
    /// When the store fails, or another process holds the same transaction app and was first.
    pub async fn commit(
        &self,
        files: Vec<NewFile>,
        transaction: &Transaction,
        now_ms: i64,
    ) -> Result<Commit, LakeError> {
        let _guard = self.committing.lock().await;
        let before = match self.snapshot() {
            known if known.watermarks.contains_key(&transaction.app) => known,
            _ => self.adopt(&transaction.app).await?,
        };
        if before.holds(&transaction.app, transaction.version) {
            return Ok(Commit::AlreadyIn);
        }
        match self.append(files, &before, slice::from_ref(transaction), &CommitId::new(), now_ms).await {
            Ok(landed) => {
                let mut watermarks = before.watermarks.clone();
                watermarks.insert(transaction.app.clone(), transaction.version);
                self.install(landed.snapshot(), watermarks, &before);
                Ok(Commit::Landed(landed.version() as i64))
            }
            Err(error) => {
                // It may have landed all the same (the answer was lost), or meet its own earlier try.
                let after = self.refresh_locked().await?;
                if after.holds(&transaction.app, transaction.version) {
                    Ok(Commit::Landed(after.version()))
                } else {
                    Err(LakeError::delta(self.table.name)(error))
                }
            }
        }
    }

    /// Commits new files under transactions that anyone may be after: one of them lands, the others find it in. Of several
    /// transactions, which are of an app each, all are committed or none. Without files only they are.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn commit_once(
        &self,
        files: Vec<NewFile>,
        transactions: &[Transaction],
        now_ms: i64,
    ) -> Result<Commit, LakeError> {
        let _guard = self.committing.lock().await;
        let before = self.refresh_locked().await?;
        if self.has_reached(&before.state, transactions).await? {
            return Ok(Commit::AlreadyIn);
        }
        let id = CommitId::new();
        match self.append(files, &before, transactions, &id, now_ms).await {
            Ok(landed) => {
                self.install(landed.snapshot(), before.watermarks.clone(), &before);
                Ok(Commit::Landed(landed.version() as i64))
            }
            Err(error) => {
                // Somebody was first, or the answer to our own commit was lost.
                let after = self.refresh_locked().await?;
                if !self.has_reached(&after.state, transactions).await? {
                    return Err(LakeError::delta(self.table.name)(error));
                }
                let landed = self.has_landed(&id, &before, &after).await?;
                Ok(if landed { Commit::Landed(after.version()) } else { Commit::AlreadyIn })
            }
        }
    }

    /// Whether one of `transactions` is in the table already.
    async fn has_reached(&self, state: &DeltaTableState, transactions: &[Transaction]) -> Result<bool, LakeError> {
        for some in transactions.chunks(READINGS) {
            let reached = try_join_all(some.iter().map(|one| self.read_watermark(state, &one.app))).await?;
            if some.iter().zip(reached).any(|(one, reached)| reached.is_some_and(|reached| reached >= one.version)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn append(
        &self,
        files: Vec<NewFile>,
        base: &Snapshot,
        transactions: &[Transaction],
        id: &CommitId,
        now_ms: i64,
    ) -> Result<FinalizedCommit, DeltaTableError> {
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec!["date".to_owned()]),
            predicate: None,
        };
        CommitBuilder::from(id.properties(transactions, now_ms).with_max_retries(20))
            .with_actions(files.into_iter().map(|file| Action::Add(file.add)).collect())
            .build(Some(&base.state as &dyn TableReference), Arc::clone(&self.log_store), operation)
            .await
    }

    /// Writes a checkpoint of the newest version, so that readers need no commit before it; commits do so by themselves
    /// now and then. Gives that version.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn checkpoint(&self) -> Result<i64, LakeError> {
        let delta = LakeError::delta(self.table.name);
        let mut stored = DeltaTable::new(Arc::clone(&self.log_store));
        stored.load().await.map_err(&delta)?;
        create_checkpoint(&stored, None).await.map_err(&delta)?;
        Ok(stored.snapshot().map_err(&delta)?.version() as i64)
    }

    /// The files that the log still remembers as removed, with the time of their removal in milliseconds since 1970.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn removed(&self, snapshot: &Snapshot) -> Result<HashMap<Path, i64>, LakeError> {
        let tombstones = snapshot.state.all_tombstones(self.log_store.as_ref());
        tombstones
            .map_ok(|tombstone| (self.store_path(&tombstone.path()), tombstone.deletion_timestamp().unwrap_or(0)))
            .try_collect()
            .await
            .map_err(LakeError::delta(self.table.name))
    }

    /// The path in the store of a path in the log.
    fn store_path(&self, path: &str) -> Path {
        path.split('/').fold(self.location.table_path(self.table.name), |path, part| path.join(part))
    }

    async fn adopt(&self, app: &str) -> Result<Arc<Snapshot>, LakeError> {
        let before = self.refresh_locked().await?;
        let version = self.read_watermark(&before.state, app).await?;
        let mut watermarks = before.watermarks.clone();
        // An app without a commit yet is known from now on too, so that a refresh looks for it.
        watermarks.insert(app.to_owned(), version.unwrap_or(i64::MIN));
        Ok(self.install(before.state.clone(), watermarks, &before))
    }
}
