//! Everything that can go wrong, said so that an operator knows what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::finding::Finding;

/// Why the write-ahead log could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// Another process holds the lock.
    #[error("write-ahead log `{}` is in use by another process; stop it or choose another directory", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory's identity is missing or unreadable.
    #[error("cannot tell which log this is: `{}` {why}", path.display())]
    Id {
        /// The `ID` file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        why: &'static str,
    },
    /// What is on disk cannot be opened safely.
    #[error("{0}")]
    Refused(Box<Finding>),
    /// The shard does not exist here.
    #[error("`{}` has no shard `{shard}`; open it with more shards", dir.display())]
    NoShard {
        /// The directory.
        dir: PathBuf,
        /// The shard asked for.
        shard: usize,
    },
    /// The shard's log was handed out before, or the directory is open for reading only.
    #[error("the log of shard `{shard}` in `{}` cannot be opened for writing: {why}", dir.display())]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// The shard asked for.
        shard: usize,
        /// The reason.
        why: &'static str,
    },
    /// An entry's kind is reserved for the log itself.
    #[error("record kind `{0}` is reserved; use 1 to 254")]
    ReservedKind(u8),
    /// A record is beyond `max_record_bytes`, or its tenant beyond 65535 bytes.
    #[error("a record part of `{bytes}` bytes is larger than the limit of `{limit}`; send smaller requests")]
    TooLarge {
        /// Size asked for.
        bytes: u64,
        /// The limit that was hit.
        limit: u64,
    },
    /// The log has reached `max_total_bytes`. Nothing was written; refuse the request and go on.
    #[error(
        "the write-ahead log holds `{used}` bytes and `{wanted}` more would pass its limit of `{limit}`; \
         wait until data is sealed, or raise the limit"
    )]
    Limit {
        /// Bytes of all segments now.
        used: u64,
        /// Bytes of the refused records.
        wanted: u64,
        /// `max_total_bytes`.
        limit: u64,
    },
    /// The disk is full. What was half written is undone; refuse the request and go on.
    #[error("no space left to write `{}` ({source}); free disk space, nothing was stored", path.display())]
    Full {
        /// The segment.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A sync failed, so what was written since the last one may be gone. The process has to stop.
    #[error("cannot sync `{}` ({source}); stop the process: what was not acknowledged may be lost", path.display())]
    SyncFailed {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// An earlier failure left the end of the log unknown. The process has to stop.
    #[error("the log in `{}` failed before and takes no more calls; stop the process and start it again", dir.display())]
    Poisoned {
        /// The shard's directory.
        dir: PathBuf,
    },
    /// Any other failure of the file system.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl WalError {
    /// Whether what reached the disk is unknown from here on: the process has to stop.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::SyncFailed { .. } | Self::Poisoned { .. })
    }

    /// A failed write: a full disk is told apart, for the caller can outlive it.
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
        let path = path.to_path_buf();
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge | WriteZero => Self::Full { path, source },
            _ => Self::Io { doing: "write", path, source },
        }
    }
}

/// Says on which path an input/output error happened, and while doing what.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, WalError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, WalError> {
        self.map_err(|source| WalError::Io { doing, path: path.to_path_buf(), source })
    }
}
