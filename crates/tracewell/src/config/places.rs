//! Where the data is.

use std::path::PathBuf;

use tracewell_lake::Location;

use super::Config;

impl Config {
    /// Where the tables are.
    pub(crate) fn location(&self) -> anyhow::Result<Location> {
        Ok(Location::parse(&self.data, &self.storage.clone().into_iter().collect())?)
    }

    /// The folder of the write-ahead log: as given, or within the local data at `location`.
    pub(crate) fn wal_folder(&self, location: &Location) -> anyhow::Result<PathBuf> {
        match location.folder() {
            _ if !self.wal.as_os_str().is_empty() => Ok(self.wal.clone()),
            Some(folder) => Ok(folder.join("wal")),
            None => {
                anyhow::bail!(
                    "--wal DIR is required when --data is a URL: acknowledged data needs a disk of this machine"
                )
            }
        }
    }
}
