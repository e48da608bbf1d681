//! Making a shard ready for appends: refuse, or repair what a crash left behind.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::disk;
use crate::error::{Doing, WalError};
use crate::finding::{Finding, Problem};
use crate::inspect::{Scan, inspect, judge};
use crate::record::{self, KIND_LOST, KIND_PREAMBLE};
use crate::scan::{Scanner, Step};
use crate::segment::{HEADER_LEN, SPARE, SegmentId};

/// A shard that is ready: its segments, all good, and what had to be done for that.
pub(crate) struct Recovered {
    pub(crate) scans: Vec<Scan>,
    pub(crate) findings: Vec<Finding>,
}

/// Checks all segments of a shard and repairs them, or changes nothing and says why.
pub(crate) fn recover(
    dir: &Path,
    shard_dir: &Path,
    id: Uuid,
    shard: u32,
    quarantine: bool,
) -> Result<Recovered, WalError> {
    remove_temporary(shard_dir)?;
    let mut scans = inspect(shard_dir, id, shard)?;
    let findings = judge(shard_dir, &scans);
    let may = |problem: &Problem| problem.is_harmless() || (quarantine && problem.can_quarantine());
    refuse_unless(&findings, may)?;
    if findings.iter().any(|finding| !matches!(finding.problem, Problem::Lost { .. })) {
        for (i, scan) in scans.iter().enumerate() {
            let of_scan = findings.iter().filter(|finding| finding.path == scan.path).map(|finding| &finding.problem);
            let next = scans.get(i + 1).map(|next| next.id.first_seq);
            repair(dir, shard_dir, scan, i == 0, next, of_scan)?;
        }
        scans = inspect(shard_dir, id, shard)?;
        refuse_unless(&judge(shard_dir, &scans), |problem| matches!(problem, Problem::Lost { .. }))?;
    }
    // What a killed process had written but not synced is about to be replayed: make it as durable as it looks.
    let last = &scans.last().expect("a shard without segments was refused").path;
    File::options().write(true).open(last).and_then(|file| file.sync_all()).doing("sync", last)?;
    disk::sync_dir(shard_dir)?;
    Ok(Recovered { scans, findings })
}

fn refuse_unless(findings: &[Finding], may: impl Fn(&Problem) -> bool) -> Result<(), WalError> {
    match findings.iter().find(|finding| !may(&finding.problem)) {
        Some(finding) => Err(WalError::Refused(Box::new(finding.clone()))),
        None => Ok(()),
    }
}

/// Removes what an interrupted repair left, and files kept for reuse; they are not part of the log.
fn remove_temporary(shard_dir: &Path) -> Result<(), WalError> {
    for file in fs::read_dir(shard_dir).doing("list", shard_dir)? {
        let path = file.doing("list", shard_dir)?.path();
        if path.extension().is_some_and(|extension| extension == "tmp" || extension == SPARE) {
            fs::remove_file(&path).doing("remove", &path)?;
        }
    }
    Ok(())
}

fn repair<'a>(
    dir: &Path,
    shard_dir: &Path,
    scan: &Scan,
    is_first: bool,
    next: Option<u64>,
    problems: impl Iterator<Item = &'a Problem>,
) -> Result<(), WalError> {
    let problems: Vec<&Problem> = problems.collect();
    let any = |wanted: fn(&Problem) -> bool| problems.iter().any(|problem| wanted(problem));
    let path = &scan.path;
    if any(|problem| matches!(problem, Problem::Damage { .. } | Problem::Missing { .. } | Problem::TornGroup { .. })) {
        set_aside(dir, scan)?;
        rewrite(scan, next)?;
    } else if any(|problem| matches!(problem, Problem::TornRotation)) && !is_first {
        fs::remove_file(path).doing("remove", path)?;
        disk::sync_dir(shard_dir)?;
    } else if any(|problem| matches!(problem, Problem::TornRotation)) {
        disk::write_atomic(path, |out| out.write_all(&scan.id.header()).map_err(|error| WalError::write(path, error)))?;
    } else if any(|problem| matches!(problem, Problem::TornTail { .. })) {
        let file = File::options().write(true).open(path).doing("open", path)?;
        file.set_len(scan.end).and_then(|()| file.sync_all()).doing("cut the torn end of", path)?;
    }
    Ok(())
}

/// Copies a segment as it is into the quarantine directory, under a name that is free.
fn set_aside(dir: &Path, scan: &Scan) -> Result<(), WalError> {
    let quarantine = dir.join("quarantine");
    fs::create_dir_all(&quarantine).doing("create", &quarantine)?;
    disk::sync_dir(dir)?;
    let name = |copy: u32| quarantine.join(format!("shard-{}-{:020}.{copy}.wal", scan.id.shard, scan.id.first_seq));
    let copy: PathBuf = (1..).map(name).find(|path| !path.exists()).expect("there are more numbers than files");
    fs::copy(&scan.path, &copy).map_err(|error| WalError::write(&copy, error))?;
    File::open(&copy).and_then(|file| file.sync_all()).doing("sync", &copy)?;
    disk::sync_dir(&quarantine)
}

/// Replaces a segment by its good records, with a mark for each range that is gone up to the next segment.
fn rewrite(scan: &Scan, next: Option<u64>) -> Result<(), WalError> {
    let path = &scan.path;
    let mut scanner = Scanner::open(path, scan.id, next).doing("read", path)?;
    disk::write_atomic(path, |out| {
        let mut out = Rewrite { out, path, id: scan.id, at: 0 };
        out.put(&scan.id.header())?;
        while let Some(step) = scanner.step().doing("read", path)? {
            match step {
                Step::Preamble(body) => out.put_record(&record::own_entry(KIND_PREAMBLE, &body), scan.id.first_seq)?,
                Step::Record(record) => out.put_record(&record.entry(), record.seq)?,
                Step::Lost(lost) | Step::Bad { lost, .. } => out.put_lost(lost.start, lost.end)?,
            }
        }
        out.put_lost(scanner.next_seq(), next.unwrap_or(0))
    })
}

/// The writing side of a repaired segment.
struct Rewrite<'a, W> {
    out: &'a mut W,
    path: &'a Path,
    id: SegmentId,
    at: u64,
}

impl<W: Write> Rewrite<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), WalError> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|error| WalError::write(self.path, error))
    }

    fn put_record(&mut self, entry: &record::Entry<'_>, seq: u64) -> Result<(), WalError> {
        // The file is synced as a whole before it gets its name, so all that precedes a record is durable.
        self.put(&record::to_vec(entry, seq, self.at.max(HEADER_LEN), self.id.seed()))
    }

    fn put_lost(&mut self, first: u64, end: u64) -> Result<(), WalError> {
        if first >= end {
            return Ok(());
        }
        self.put_record(&record::own_entry(KIND_LOST, &(end - 1).to_le_bytes()), first)
    }
}
