//! The few file system steps that have to be durable, each with its sync.

use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::path::Path;

use crate::error::{Doing, WalError};

/// Makes the names in a directory durable: a synced file whose name is not on disk is gone after a power cut.
pub(crate) fn sync_dir(path: &Path) -> Result<(), WalError> {
    // Elsewhere directories cannot be opened as files and need no sync.
    if cfg!(unix) {
        File::open(path)
            .and_then(|dir| dir.sync_all())
            .map_err(|source| WalError::SyncFailed { path: path.to_path_buf(), source })?;
    }
    Ok(())
}

/// Replaces or creates a file as a whole: after a crash there is the old one, the new one or none, never a part.
pub(crate) fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<File>) -> Result<(), WalError>,
) -> Result<(), WalError> {
    let temporary = path.with_extension("tmp");
    let mut out = io::BufWriter::new(File::create(&temporary).doing("create", &temporary)?);
    write(&mut out)?;
    let file = out.into_inner().map_err(|error| WalError::write(&temporary, error.into_error()))?;
    file.sync_all().map_err(|source| WalError::SyncFailed { path: temporary.clone(), source })?;
    fs::rename(&temporary, path).doing("rename", &temporary)?;
    sync_dir(path.parent().expect("a file inside a log directory has a parent"))
}

/// Writes all slices, gathered into as few system calls as the system takes.
pub(crate) fn write_all_vectored(file: &mut impl Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0); // leading empty slices would look like a write of nothing
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
