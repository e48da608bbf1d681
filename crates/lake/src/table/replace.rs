//! Files in the place of others: how maintenance commits.

use std::slice;
use std::sync::Arc;

use datafusion::common::HashSet;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{CommitBuilder, TableReference};
use deltalake_core::kernel::{Action, Add};
use deltalake_core::protocol::DeltaOperation;
use object_store::path::Path;

use super::{CommitId, FactTable, NewFile, Transaction};
use crate::LakeError;
use crate::snapshot::{DataFile, Snapshot};

/// How a replacement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It landed as this version of the table.
    Landed(i64),
    /// Someone else was first, or a file that was to go is gone already; nothing was changed.
    Conflict,
}

/// Other commits that a replacement lets pass before it gives up.
const REPLACE_TRIES: usize = 50;

impl FactTable {
    /// Puts `added` in the place of `removed` in one commit under a transaction that all who replace files share.
    /// `data_change` says whether the rows differ, for those who read the log as a feed of changes.
    ///
    /// delta-rs lets two commits remove the same file when neither changes data, and every row is there twice from
    /// then on. So its own reconciliation is not used: the commit lands as the version right behind a snapshot that
    /// was just found to hold every file that goes, and no other replacement since the caller looked; or it does
    /// not land.
    ///
    /// # Errors
    /// When the store fails, or other commits leave no gap.
    pub async fn replace(
        &self,
        added: Vec<NewFile>,
        removed: &[Arc<DataFile>],
        data_change: bool,
        transaction: &Transaction,
        now_ms: i64,
    ) -> Result<Replaced, LakeError> {
        let _guard = self.committing.lock().await;
        let id = CommitId::new();
        let mut failed: Option<(Arc<Snapshot>, DeltaTableError)> = None;
        for _ in 0..REPLACE_TRIES {
            let base = self.refresh_locked().await?;
            let live: HashSet<&Path> = base.files.iter().map(|file| &file.path).collect();
            let reached = self.read_watermark(&base.state, &transaction.app).await?.unwrap_or(i64::MIN);
            if reached >= transaction.version || !removed.iter().all(|file| live.contains(&file.path)) {
                // The answer to our own commit may have been lost.
                let landed = match &failed {
                    Some((before, _)) => self.has_landed(&id, before, &base).await?,
                    None => false,
                };
                return Ok(if landed { Replaced::Landed(base.version()) } else { Replaced::Conflict });
            }
            match failed.take() {
                Some((before, error)) if before.version() == base.version() => {
                    return Err(LakeError::delta(self.table.name)(error));
                }
                _ => {}
            }
            let operation = if added.is_empty() {
                DeltaOperation::Delete { predicate: None }
            } else {
                DeltaOperation::Optimize { predicate: None, target_size: 0 }
            };
            let removes = removed.iter().map(|file| Action::Remove(file.remove(now_ms, data_change)));
            let adds = added.iter().map(|file| Action::Add(Add { data_change, ..file.add.clone() }));
            let outcome = CommitBuilder::from(id.properties(slice::from_ref(transaction), now_ms).with_max_retries(0))
                .with_actions(removes.chain(adds).collect())
                .build(Some(&base.state as &dyn TableReference), Arc::clone(&self.log_store), operation)
                .await;
            match outcome {
                Ok(landed) => {
                    let mut watermarks = base.watermarks.clone();
                    watermarks.insert(transaction.app.clone(), transaction.version);
                    self.install(landed.snapshot(), watermarks, &base);
                    return Ok(Replaced::Landed(landed.version() as i64));
                }
                Err(error) => failed = Some((Arc::clone(&base), error)),
            }
        }
        match failed {
            Some((_, error)) => Err(LakeError::delta(self.table.name)(error)),
            None => Ok(Replaced::Conflict),
        }
    }
}
