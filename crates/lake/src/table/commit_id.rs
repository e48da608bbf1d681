//! Whose commit it is where an answer was lost: each carries an id of its own, which the log tells.

use deltalake_core::kernel::Transaction as DeltaTransaction;
use deltalake_core::kernel::transaction::CommitProperties;
use uuid::Uuid;

use super::{FactTable, Transaction};
use crate::LakeError;
use crate::snapshot::Snapshot;

/// Where a commit has it.
const KEY: &str = "commitId";

/// What tells a commit from all others.
pub(super) struct CommitId(String);

impl CommitId {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// Of the commit under `transactions`.
    pub(super) fn properties(&self, transactions: &[Transaction], now_ms: i64) -> CommitProperties {
        let of = |one: &Transaction| DeltaTransaction::new_with_last_update(&one.app, one.version, Some(now_ms));
        CommitProperties::default()
            .with_application_transactions(transactions.iter().map(of).collect())
            .with_metadata([(KEY.to_owned(), self.0.as_str().into())])
    }

    fn stands_in(&self, entry: &[u8]) -> bool {
        entry.windows(self.0.len()).any(|part| part == self.0.as_bytes())
    }
}

impl FactTable {
    /// Whether one of the commits from `before` to `after` is that of `id`.
    pub(super) async fn has_landed(
        &self,
        id: &CommitId,
        before: &Snapshot,
        after: &Snapshot,
    ) -> Result<bool, LakeError> {
        for version in before.state.version() + 1..=after.state.version() {
            let entry = self.log_store.read_commit_entry(version).await.map_err(LakeError::delta(self.table.name))?;
            if entry.is_some_and(|entry| id.stands_in(&entry)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
