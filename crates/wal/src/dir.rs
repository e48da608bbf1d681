//! The directory: its lock, its identity, its shards.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::disk;
use crate::error::{Doing, WalError};
use crate::finding::Finding;
use crate::inspect::{inspect, judge};
use crate::log::{Log, Place, Segment, Usage};
use crate::options::Options;
use crate::reader::Reader;
use crate::recover::recover;
use crate::segment::{self, SegmentId};

/// A write-ahead log directory with one log for each shard.
#[derive(Debug)]
pub struct WalDir {
    path: PathBuf,
    id: Uuid,
    shards: Vec<usize>,
    findings: Vec<Finding>,
    /// What only a directory that is open for writing has.
    writable: Option<Writable>,
}

#[derive(Debug)]
struct Writable {
    lock: Arc<File>,
    options: Options,
    usage: Arc<Usage>,
    /// The segments of each shard whose log was not handed out yet.
    ready: BTreeMap<usize, Vec<Segment>>,
    /// The next sequence number of each shard when it was opened.
    next_seq: BTreeMap<usize, u64>,
}

impl WalDir {
    /// Locks the directory, creating it if need be, and makes every shard on disk and every shard below `shards`
    /// ready. Reads all segments once. Shards on disk beyond `shards` are no longer configured, but their records
    /// are to be replayed all the same.
    ///
    /// # Errors
    /// [`WalError::Locked`] if another process has it, [`WalError::Refused`] if opening might lose records.
    pub fn open(dir: impl Into<PathBuf>, shards: usize, options: Options) -> Result<Self, WalError> {
        let path = dir.into();
        create_dir(&path)?;
        let lock = lock(&path)?;
        let id = match read_id(&path)? {
            Some(id) => id,
            None => mint_id(&path)?,
        };
        for shard in 0..shards {
            if !shard_dir(&path, shard).exists() {
                create_shard(&path, id, shard)?;
            }
        }
        let shards = list_shards(&path)?;
        let usage = Arc::new(Usage::default());
        let (mut ready, mut next_seq, mut findings) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for &shard in &shards {
            let recovered = recover(&path, &shard_dir(&path, shard), id, shard as u32, options.quarantine)?;
            let last = recovered.scans.last().expect("a recovered shard has a segment");
            next_seq.insert(shard, last.next_seq);
            let segments = recovered.scans.iter().map(|scan| Segment { first_seq: scan.id.first_seq, bytes: scan.len });
            ready.insert(shard, segments.inspect(|segment| usage.add(segment.bytes)).collect());
            findings.extend(recovered.findings);
        }
        let writable = Some(Writable { lock: Arc::new(lock), options, usage, ready, next_seq });
        Ok(Self { path, id, shards, findings, writable })
    }

    /// Opens the directory for reading only: takes no lock, writes nothing, repairs nothing. For tools that look at
    /// the log of a server that does not run.
    ///
    /// # Errors
    /// [`WalError::Id`] if this is not a write-ahead log directory.
    pub fn open_read_only(dir: impl Into<PathBuf>) -> Result<Self, WalError> {
        let path = dir.into();
        let missing = || WalError::Id { path: path.join("ID"), why: "does not exist; give the directory of a log" };
        let id = read_id(&path)?.ok_or_else(missing)?;
        let shards = list_shards(&path)?;
        Ok(Self { path, id, shards, findings: Vec::new(), writable: None })
    }

    /// The identity of the directory, minted when it was created and never reused.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// All shards, rising: configured ones and ones found on disk.
    pub fn shards(&self) -> &[usize] {
        &self.shards
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the open found and repaired, and what was given up earlier, for the caller to report.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Size in bytes of all segments of all shards, also while logs write to them; 0 when read-only.
    pub fn disk_bytes(&self) -> u64 {
        self.writable.as_ref().map_or(0, |writable| writable.usage.get())
    }

    /// The writing end of a shard. Each can be had once.
    ///
    /// # Errors
    /// [`WalError::NotWritable`] the second time and for a directory open for reading only.
    pub fn log(&mut self, shard: usize) -> Result<Log, WalError> {
        self.check_shard(shard)?;
        let refused = |why| WalError::NotWritable { dir: self.path.clone(), shard, why };
        let writable = self.writable.as_mut().ok_or_else(|| refused("the directory is open for reading only"))?;
        let segments = writable.ready.remove(&shard).ok_or_else(|| refused("it was opened before"))?;
        let place = Place {
            dir: self.id,
            shard: shard as u32,
            shard_dir: shard_dir(&self.path, shard),
            options: writable.options.clone(),
            usage: writable.usage.clone(),
            _lock: writable.lock.clone(),
        };
        Log::open(place, segments, writable.next_seq[&shard])
    }

    /// Reads a shard's records beyond the sequence number `after`, and the preambles of the segments they are in.
    /// With 0 it gives everything on disk, which is more than the unsealed records: also what retried requests
    /// are recognised by.
    ///
    /// # Errors
    /// When read-only, [`WalError::Refused`] for damage; a torn end is passed over.
    pub fn reader(&self, shard: usize, after: u64) -> Result<Reader, WalError> {
        self.check_shard(shard)?;
        let shard_dir = shard_dir(&self.path, shard);
        if let Some(writable) = &self.writable {
            let firsts = segment::list(&shard_dir)?;
            let id = |first_seq| SegmentId { dir: self.id, shard: shard as u32, first_seq };
            let segments = firsts.into_iter().map(id).map(|id| (id, id.path(&shard_dir))).collect();
            return Ok(Reader::new(segments, after, writable.next_seq[&shard], false));
        }
        let scans = inspect(&shard_dir, self.id, shard as u32)?;
        if let Some(finding) = judge(&shard_dir, &scans).into_iter().find(|found| !found.problem.is_harmless()) {
            return Err(WalError::Refused(Box::new(finding)));
        }
        let next_seq = scans.last().map_or(0, |scan| scan.next_seq);
        let segments = scans.into_iter().map(|scan| (scan.id, scan.path)).collect();
        Ok(Reader::new(segments, after, next_seq, true))
    }

    fn check_shard(&self, shard: usize) -> Result<(), WalError> {
        match self.shards.contains(&shard) {
            true => Ok(()),
            false => Err(WalError::NoShard { dir: self.path.clone(), shard }),
        }
    }
}

pub(crate) fn shard_dir(dir: &Path, shard: usize) -> PathBuf {
    dir.join(format!("shard-{shard}"))
}

/// The shards on disk, rising.
pub(crate) fn list_shards(dir: &Path) -> Result<Vec<usize>, WalError> {
    let mut shards = Vec::new();
    for entry in fs::read_dir(dir).doing("list", dir)? {
        let name = entry.doing("list", dir)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("shard-")).and_then(|n| n.parse::<u32>().ok());
        // Only a name as it is written here: `shard-01` is not shard 1.
        shards.extend(number.map(|n| n as usize).filter(|&n| shard_dir(dir, n).file_name() == Some(&name)));
    }
    shards.sort_unstable();
    Ok(shards)
}

/// The directory's identity, `None` if it has none yet.
pub(crate) fn read_id(dir: &Path) -> Result<Option<Uuid>, WalError> {
    let path = dir.join("ID");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim_end().parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(WalError::Id { path, why: "does not hold a UUID; restore it" }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WalError::Io { doing: "read", path, source }),
    }
}

fn mint_id(dir: &Path) -> Result<Uuid, WalError> {
    let path = dir.join("ID");
    if !list_shards(dir)?.is_empty() {
        return Err(WalError::Id { path, why: "is missing beside shards that hold records; restore it" });
    }
    let id = Uuid::new_v4();
    disk::write_atomic(&path, |out| writeln!(out, "{id}").map_err(|error| WalError::write(&path, error)))?;
    Ok(id)
}

fn lock(dir: &Path) -> Result<File, WalError> {
    let path = dir.join("LOCK");
    let file = File::options().create(true).truncate(false).write(true).open(&path).doing("open", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(WalError::Locked { dir: dir.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(WalError::Io { doing: "lock", path, source }),
    }
}

/// Creates a directory and makes its name durable.
fn create_dir(path: &Path) -> Result<(), WalError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_dir(parent)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        result => result.doing("create", path)?,
    }
    disk::sync_dir(parent)
}

/// Creates a shard's directory together with its first segment: one without any segment is always damage, because
/// its sequence numbers would begin again.
fn create_shard(dir: &Path, id: Uuid, shard: usize) -> Result<(), WalError> {
    let temporary = dir.join(format!("shard-{shard}.tmp"));
    if temporary.exists() {
        fs::remove_dir_all(&temporary).doing("remove", &temporary)?;
    }
    fs::create_dir(&temporary).doing("create", &temporary)?;
    SegmentId { dir: id, shard: shard as u32, first_seq: 1 }.create(&temporary, b"")?;
    fs::rename(&temporary, shard_dir(dir, shard)).doing("rename", &temporary)?;
    disk::sync_dir(dir)
}
