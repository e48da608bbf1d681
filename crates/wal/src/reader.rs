//! The reading end of one shard.

use std::collections::VecDeque;
use std::iter::FusedIterator;
use std::ops::Range;
use std::path::PathBuf;

use crate::error::{Doing, WalError};
use crate::finding::{Finding, Problem};
use crate::record::Record;
use crate::scan::{Scanner, Step};
use crate::segment::{Header, SegmentId};

/// What a log holds, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The caller's bytes from the start of a segment.
    Preamble(Vec<u8>),
    /// A record.
    Record(Record),
    /// Sequence numbers (the end not part of them) of records that damage or a power cut took.
    Lost(Range<u64>),
}

/// Streams a shard's records, one in memory at a time, up to where the log ended when each segment was opened.
/// Ends after the first error.
#[derive(Debug)]
pub struct Reader {
    /// Still to be opened, each with where the next one begins.
    segments: VecDeque<(SegmentId, PathBuf, Option<u64>)>,
    open: Option<Open>,
    first_seq: u64,
    after: u64,
    /// What the log was found to hold before; ending sooner is damage, not a clean end.
    must_reach: u64,
    /// Whether the last segment was judged before and what is torn in it is to be passed over.
    tolerant: bool,
    done: bool,
}

#[derive(Debug)]
struct Open {
    scanner: Scanner,
    path: PathBuf,
    is_last: bool,
}

impl Reader {
    pub(crate) fn new(segments: Vec<(SegmentId, PathBuf)>, after: u64, must_reach: u64, tolerant: bool) -> Self {
        let first_seq = segments.first().map_or(1, |(id, _)| id.first_seq);
        let nexts = segments.iter().skip(1).map(|(id, _)| Some(id.first_seq)).chain([None]).collect::<Vec<_>>();
        let mut segments: VecDeque<_> =
            segments.into_iter().zip(nexts).map(|((id, path), next)| (id, path, next)).collect();
        while let Some((_, _, Some(next))) = segments.front()
            && next - 1 <= after
        {
            segments.pop_front();
        }
        Self { segments, open: None, first_seq, after, must_reach, tolerant, done: false }
    }

    /// The first sequence number still on disk. Records are missing if the caller needs any before it.
    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    fn advance(&mut self) -> Result<Option<Item>, WalError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some((id, path, next)) = self.segments.pop_front() else { return Ok(None) };
                let scanner = Scanner::open(&path, id, next).doing("read", &path)?;
                let open = Open { scanner, path, is_last: next.is_none() };
                if !open.is_last && open.scanner.header() != Header::Good {
                    return Err(open.damage(0, id.first_seq..id.first_seq));
                }
                self.open = Some(open);
                continue;
            };
            let at = open.scanner.pos();
            match open.scanner.step().doing("read", &open.path)? {
                Some(Step::Preamble(body)) => return Ok(Some(Item::Preamble(body))),
                Some(Step::Record(record)) if record.seq > self.after => return Ok(Some(Item::Record(record))),
                Some(Step::Record(_)) => {}
                Some(Step::Lost(lost)) => {
                    if let Some(item) = self.lost(lost) {
                        return Ok(Some(item));
                    }
                }
                Some(Step::Bad { followed: false, .. }) if open.is_last => {}
                Some(Step::Bad { lost, .. }) if open.is_last && self.tolerant => {
                    if let Some(item) = self.lost(lost) {
                        return Ok(Some(item));
                    }
                }
                Some(Step::Bad { lost, .. }) => return Err(open.damage(at, lost)),
                None if open.is_last && open.scanner.next_seq() < self.must_reach => {
                    return Err(open.damage(at, open.scanner.next_seq()..self.must_reach));
                }
                None => self.open = None,
            }
        }
    }

    fn lost(&self, lost: Range<u64>) -> Option<Item> {
        let lost = lost.start.max(self.after + 1)..lost.end;
        (!lost.is_empty()).then_some(Item::Lost(lost))
    }
}

impl Open {
    fn damage(&self, offset: u64, lost: Range<u64>) -> WalError {
        WalError::Refused(Box::new(Finding { path: self.path.clone(), offset, problem: Problem::Damage { lost } }))
    }
}

impl Iterator for Reader {
    type Item = Result<Item, WalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl FusedIterator for Reader {}
