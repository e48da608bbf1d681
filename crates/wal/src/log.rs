//! The writing end of one shard.

use std::fs::{self, File};
use std::io::{IoSlice, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::disk;
use crate::error::{Doing, WalError};
use crate::options::Options;
use crate::reader::Reader;
use crate::record::{self, END, Entry, HEAD_LEN, Head, KIND_LOST, KIND_PREAMBLE, MAX_LEN};
use crate::segment::SegmentId;

/// Emptied segments that a shard keeps to write over.
const SPARES: usize = 4;

/// Bytes of all segments of all shards, against `max_total_bytes`.
#[derive(Debug, Default)]
pub(crate) struct Usage(AtomicU64);

impl Usage {
    fn reserve(&self, wanted: u64, limit: u64) -> Result<(), WalError> {
        let fits = |used: u64| Some(used + wanted).filter(|&sum| sum <= limit);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(used) => Err(WalError::Limit { used, wanted, limit }),
        }
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn release(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One segment of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The sequence number of its first record, also when it has none yet.
    pub first_seq: u64,
    /// Its size.
    pub bytes: u64,
}

/// What a log needs to know of its surroundings.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: Uuid,
    pub(crate) shard: u32,
    pub(crate) shard_dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) usage: Arc<Usage>,
    /// Keeps the directory locked for as long as any log writes to it.
    pub(crate) _lock: Arc<File>,
}

/// The log of one shard, open for appends. Dropping it does no work: what was not synced may be lost.
#[derive(Debug)]
pub struct Log {
    place: Place,
    /// Rising; the last one is active, the one appended to.
    segments: Vec<Segment>,
    /// The active segment, standing at its end.
    file: File,
    path: PathBuf,
    seed: u32,
    /// Whether the file of the active segment goes on with what it held before.
    reused: bool,
    /// Files that were segments once.
    spares: Vec<PathBuf>,
    /// How much of the active segment is synced.
    synced: u64,
    next_seq: u64,
    durable_seq: u64,
    /// Bytes and records of the last append, as long as it can be taken back.
    last: (u64, u64),
    poisoned: bool,
    /// Heads and tenants of the group being written.
    heads: Vec<u8>,
}

impl Log {
    /// Goes on behind the last record of segments that are whole and synced.
    pub(crate) fn open(place: Place, segments: Vec<Segment>, next_seq: u64) -> Result<Self, WalError> {
        let active = *segments.last().expect("a recovered shard has a segment");
        let id = SegmentId { dir: place.dir, shard: place.shard, first_seq: active.first_seq };
        let path = id.path(&place.shard_dir);
        let mut file = File::options().write(true).open(&path).doing("open", &path)?;
        file.seek(SeekFrom::Start(active.bytes)).doing("open", &path)?;
        let reused = file.metadata().doing("open", &path)?.len() > active.bytes;
        Ok(Self {
            place,
            segments,
            file,
            path,
            seed: id.seed(),
            reused,
            spares: Vec::new(),
            synced: active.bytes,
            next_seq,
            durable_seq: next_seq - 1,
            last: (0, 0),
            poisoned: false,
            heads: Vec::new(),
        })
    }

    /// Writes one record, not yet durable, and returns its sequence number.
    ///
    /// # Errors
    /// As [`append_many`](Self::append_many).
    pub fn append(&mut self, entry: &Entry<'_>) -> Result<u64, WalError> {
        self.append_many(std::slice::from_ref(entry))
    }

    /// Writes a group of records, not yet durable, and returns the last sequence number. They are numbered in
    /// order, without gaps.
    ///
    /// # Errors
    /// Either all records are written or none. After [`WalError::Full`], [`WalError::Limit`],
    /// [`WalError::TooLarge`] and [`WalError::ReservedKind`] the log is as it was before and takes further calls.
    pub fn append_many(&mut self, entries: &[Entry<'_>]) -> Result<u64, WalError> {
        self.check_alive()?;
        let mut wanted = 0;
        for entry in entries {
            self.check(entry)?;
            wanted += record::disk_len(entry.len());
        }
        self.place.usage.reserve(wanted, self.place.options.max_total_bytes)?;
        let end = self.active().bytes + wanted;

        self.heads.clear();
        for (entry, seq) in entries.iter().zip(self.next_seq..) {
            self.heads.extend(Head::new(entry, seq, self.synced).to_bytes(self.seed));
            self.heads.extend(entry.tenant.as_bytes());
        }
        let mut heads = &self.heads[..];
        let mut slices = Vec::with_capacity(entries.len() * 3 + 1);
        for entry in entries {
            let (head, rest) = heads.split_at(HEAD_LEN + entry.tenant.len());
            heads = rest;
            slices.extend([head, entry.body, record::padding(entry.len())].map(IoSlice::new));
        }
        if self.reused {
            slices.push(IoSlice::new(&END));
        }
        let mut written = disk::write_all_vectored(&mut self.file, &mut slices);
        if self.reused {
            written = written.and_then(|()| self.file.seek(SeekFrom::Start(end)).map(|_| ()));
        }
        if let Err(error) = written {
            self.place.usage.release(wanted);
            self.undo();
            return Err(WalError::write(&self.path, error));
        }
        self.active().bytes = end;
        self.next_seq += entries.len() as u64;
        self.last = (wanted, entries.len() as u64);
        Ok(self.last_seq())
    }

    /// Takes back what the last append wrote, unless it is synced: then it stays. Its numbers are given again.
    ///
    /// # Errors
    /// When the file cannot be cut; the log takes no more calls then.
    pub fn take_back(&mut self) -> Result<(), WalError> {
        self.check_alive()?;
        let (bytes, records) = std::mem::take(&mut self.last);
        if records > 0 {
            self.active().bytes -= bytes;
            self.next_seq -= records;
            self.place.usage.release(bytes);
            self.undo();
        }
        self.check_alive()
    }

    /// Reads what was written beyond the sequence number `after`, synced or not.
    pub fn reader(&self, after: u64) -> Reader {
        let Place { dir, shard, ref shard_dir, .. } = self.place;
        let ids = self.segments.iter().map(|segment| SegmentId { dir, shard, first_seq: segment.first_seq });
        Reader::new(ids.map(|id| (id, id.path(shard_dir))).collect(), after, self.next_seq, false)
    }

    /// Makes all records written so far durable and returns the last sequence number among them.
    ///
    /// # Errors
    /// After any failure the log takes no more calls: the kernel may have dropped the pages it could not write
    /// and would call the next sync a success.
    pub fn sync(&mut self) -> Result<u64, WalError> {
        self.check_alive()?;
        self.last = (0, 0);
        let end = self.active().bytes;
        if self.synced < end {
            if let Err(source) = self.file.sync_data() {
                self.poisoned = true;
                return Err(WalError::SyncFailed { path: self.path.clone(), source });
            }
            self.synced = end;
            self.durable_seq = self.last_seq();
        }
        Ok(self.durable_seq)
    }

    /// Whether the active segment has reached its size.
    pub fn should_rotate(&self) -> bool {
        self.segments.last().is_some_and(|active| active.bytes >= self.place.options.segment_bytes)
            && self.active_has_records()
    }

    /// Syncs, then begins a new segment with `preamble` as its first record, so that older ones can be released.
    /// A preamble is not empty; without one the segment gets none. While the active segment holds no record this
    /// does nothing: its own preamble says as much.
    ///
    /// # Errors
    /// After [`WalError::Full`] the log goes on in the old segment.
    pub fn rotate(&mut self, preamble: &[u8]) -> Result<(), WalError> {
        self.sync()?;
        let limit = self.place.options.max_record_bytes.min(MAX_LEN);
        if preamble.len() as u64 > limit {
            return Err(WalError::TooLarge { bytes: preamble.len() as u64, limit });
        }
        if !self.active_has_records() {
            return Ok(());
        }
        let id = SegmentId { dir: self.place.dir, shard: self.place.shard, first_seq: self.next_seq };
        let spare = self.spares.pop();
        let created = match &spare {
            Some(spare) => id.reuse(spare, &self.place.shard_dir, preamble),
            None => id.create(&self.place.shard_dir, preamble),
        };
        self.poisoned = matches!(created, Err(WalError::SyncFailed { .. }));
        let (file, bytes) = created?;
        self.reused = spare.is_some();
        // Not held against the limit: a full log must rotate to be able to release anything.
        self.place.usage.add(bytes);
        self.segments.push(Segment { first_seq: self.next_seq, bytes });
        (self.file, self.path, self.seed, self.synced) = (file, id.path(&self.place.shard_dir), id.seed(), bytes);
        Ok(())
    }

    /// Deletes each segment whose records are all at or below `seq`, but never the active one. The files of some are
    /// kept to be written over.
    ///
    /// # Errors
    /// What could not be deleted stays part of the log and is tried again by the next call.
    pub fn release_through(&mut self, seq: u64) -> Result<(), WalError> {
        self.check_alive()?;
        while let [oldest, next, ..] = self.segments[..]
            && next.first_seq - 1 <= seq
        {
            let id = SegmentId { dir: self.place.dir, shard: self.place.shard, first_seq: oldest.first_seq };
            let path = id.path(&self.place.shard_dir);
            let spare = id.spare(&self.place.shard_dir);
            if self.spares.len() < SPARES {
                fs::rename(&path, &spare).doing("rename", &path)?;
                self.spares.push(spare);
            } else {
                fs::remove_file(&path).doing("remove", &path)?;
            }
            self.segments.remove(0);
            self.place.usage.release(oldest.bytes);
            // One by one, oldest first: a power cut must not bring back a segment without its successor.
            if let Err(error) = disk::sync_dir(&self.place.shard_dir) {
                self.poisoned = true;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Gives back the disk space of files kept for reuse. What fails is left for the next open, which does the same.
    pub fn remove_spares(&mut self) {
        for spare in self.spares.drain(..) {
            let _ = fs::remove_file(spare);
        }
    }

    /// Keeps the body of a record in the directory `quarantine`, durable, in a file whose name ends with `ending`.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set_aside(&self, seq: u64, body: &[u8], ending: &str) -> Result<PathBuf, WalError> {
        let quarantine = self.place.shard_dir.with_file_name("quarantine");
        fs::create_dir_all(&quarantine).doing("create", &quarantine)?;
        disk::sync_dir(self.place.shard_dir.parent().unwrap_or(&self.place.shard_dir))?;
        let path = quarantine.join(format!("shard-{}-{seq:020}.{ending}", self.place.shard));
        disk::write_atomic(&path, |out| out.write_all(body).map_err(|error| WalError::write(&path, error)))?;
        Ok(path)
    }

    /// The shard this log belongs to.
    pub fn shard(&self) -> usize {
        self.place.shard as usize
    }

    /// The sequence number of the last record written, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// The sequence number up to which all records are durable.
    pub fn durable_seq(&self) -> u64 {
        self.durable_seq
    }

    /// The segments on disk, rising; the last one is active.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Size of this shard's segments in bytes.
    pub fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The shard's directory.
    pub fn path(&self) -> &Path {
        &self.place.shard_dir
    }

    fn active(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("the active segment is never released")
    }

    fn active_has_records(&self) -> bool {
        self.segments.last().is_some_and(|active| active.first_seq < self.next_seq)
    }

    fn check_alive(&self) -> Result<(), WalError> {
        match self.poisoned {
            true => Err(WalError::Poisoned { dir: self.place.shard_dir.clone() }),
            false => Ok(()),
        }
    }

    fn check(&self, entry: &Entry<'_>) -> Result<(), WalError> {
        let limit = self.place.options.max_record_bytes.min(MAX_LEN);
        if matches!(entry.kind, KIND_PREAMBLE | KIND_LOST) {
            return Err(WalError::ReservedKind(entry.kind));
        }
        if entry.tenant.len() > usize::from(u16::MAX) {
            return Err(WalError::TooLarge { bytes: entry.tenant.len() as u64, limit: u16::MAX.into() });
        }
        if entry.len() > limit {
            return Err(WalError::TooLarge { bytes: entry.len(), limit });
        }
        Ok(())
    }

    /// Cuts what a failed write left, for nothing half written may stand in front of later records.
    fn undo(&mut self) {
        let end = self.active().bytes;
        let cut = self.file.set_len(end).and_then(|()| self.file.seek(SeekFrom::Start(end)));
        self.reused = false;
        self.poisoned = cut.is_err();
        // Whatever was wrong, room may help.
        self.remove_spares();
    }
}

#[cfg(test)]
mod tests;
