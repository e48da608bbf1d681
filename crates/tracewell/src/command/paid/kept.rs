//! Files of what was paid for, a line each.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use tracewell_lake::Location;

use crate::config::Config;

/// The folder of such files, beside the tables or the write-ahead log.
pub(crate) const FOLDER: &str = "replays";

/// A file of lines that is only added to, by one command at a time.
pub(crate) struct Kept {
    path: PathBuf,
    file: File,
}

impl Kept {
    /// Opens the file of that name beside the tables, or beside the write-ahead log where the tables are elsewhere; with
    /// its lines. A line that was cut is cut off.
    ///
    /// # Errors
    /// When another command has it open: both would pay for the same.
    pub(crate) fn open(config: &Config, location: &Location, name: &str) -> anyhow::Result<(Self, Vec<u8>)> {
        let folder = match (location.folder(), config.wal_folder(location)) {
            (Some(data), _) => data.join(FOLDER),
            (None, Ok(wal)) => wal.join(FOLDER),
            (None, Err(_)) => PathBuf::from("tracewell-replays"),
        };
        let path = folder.join(name);
        let what = || format!("the journal `{}`", path.display());
        std::fs::create_dir_all(&folder).with_context(what)?;
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path).with_context(what)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                bail!("another command goes on with the same, and has {} open; let it end", what())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(what),
            Ok(()) => {}
        }
        let mut text = std::fs::read(&path).with_context(what)?;
        text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        file.set_len(text.len() as u64).with_context(what)?;
        Ok((Self { path, file }, text))
    }

    /// Adds a line. What is paid for is not lost with the machine.
    pub(crate) fn add(&mut self, line: &str, is_paid_for: bool) -> anyhow::Result<()> {
        let kept = self.file.write_all(format!("{line}\n").as_bytes());
        let kept = if is_paid_for { kept.and_then(|()| self.file.sync_data()) } else { kept };
        kept.with_context(|| format!("the journal `{}`", self.path.display()))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }
}
