//! Reading one segment: good records one by one, and what lies between them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crc32fast::Hasher;

use crate::record::{END, HEAD_LEN, Head, KIND_LOST, KIND_PREAMBLE, Record, STEP, disk_len, padding};
use crate::segment::{HEADER_LEN, Header, SegmentId};

/// What comes next in a segment.
#[derive(Debug)]
pub(crate) enum Step {
    Preamble(Vec<u8>),
    Record(Record),
    /// A mark of records lost before.
    Lost(Range<u64>),
    /// Bytes, possibly none, where the records `lost` should have been. `followed` says that a good record is next.
    Bad {
        bytes: Range<u64>,
        lost: Range<u64>,
        followed: bool,
    },
}

/// A pass over one segment, holding one record at a time.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: BufReader<File>,
    /// Where `file` stands.
    at: u64,
    /// The file's length when it was opened, or where the segment was found to end in it; what is appended later is
    /// not seen.
    len: u64,
    seed: u32,
    first_seq: u64,
    /// No record of this segment is at or beyond this: there the next segment begins.
    seq_limit: u64,
    header: Header,
    pos: u64,
    next_seq: u64,
    durable: u64,
}

impl Scanner {
    pub(crate) fn open(path: &Path, id: SegmentId, next_segment: Option<u64>) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(64 << 10, File::open(path)?);
        let len = file.get_ref().metadata()?.len();
        let mut header = Vec::new();
        file.by_ref().take(HEADER_LEN).read_to_end(&mut header)?;
        let at = header.len() as u64;
        let header = id.check(&header);
        let readable = matches!(header, Header::Good | Header::Bad) && len >= HEADER_LEN;
        Ok(Self {
            file,
            at,
            len,
            seed: id.seed(),
            first_seq: id.first_seq,
            seq_limit: next_segment.unwrap_or(u64::MAX),
            header,
            pos: if readable { HEADER_LEN } else { len },
            next_seq: id.first_seq,
            durable: 0,
        })
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// Length of the file, or at the end of the segment that.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Where the next step begins.
    pub(crate) fn pos(&self) -> u64 {
        self.pos
    }

    /// The sequence number the next record should have.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// How many bytes of this segment the records read so far prove to have been synced once.
    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// The next step, or `None` at the end.
    pub(crate) fn step(&mut self) -> io::Result<Option<Step>> {
        if self.pos == self.len {
            return Ok(None);
        }
        let pos = self.pos;
        if let Some(good) = self.good()? {
            return Ok(Some(good));
        }
        let found = self.search()?;
        if found.is_none() && self.ends_at(pos)? {
            self.len = pos;
            return Ok(None);
        }
        // Where a server writes over what was here, it may have come this far meanwhile.
        if let Some(good) = self.good()? {
            return Ok(Some(good));
        }
        let first_lost = self.next_seq;
        (self.pos, self.next_seq) = found.unwrap_or((self.len, first_lost));
        Ok(Some(Step::Bad { bytes: pos..self.pos, lost: first_lost..self.next_seq, followed: found.is_some() }))
    }

    /// Takes the record at `pos`, if it is good and the next one.
    fn good(&mut self) -> io::Result<Option<Step>> {
        let Some((head, step)) = self.read_at(self.pos)?.filter(|(head, _)| head.seq == self.next_seq) else {
            return Ok(None);
        };
        self.pos += disk_len(head.len.into());
        self.durable = self.durable.max(head.durable);
        match &step {
            Step::Record(_) => self.next_seq += 1,
            Step::Lost(lost) => self.next_seq = lost.end,
            Step::Preamble(_) | Step::Bad { .. } => {}
        }
        Ok(Some(step))
    }

    /// Whether the mark of the end stands at `pos`, cut short where the file ends.
    fn ends_at(&mut self, pos: u64) -> io::Result<bool> {
        self.goto(pos)?;
        let mut bytes = [0; HEAD_LEN];
        let filled = self.fill(&mut bytes)?;
        Ok(bytes[..filled] == END[..filled])
    }

    /// The place and sequence number of the next good record, from `pos` on.
    fn search(&mut self) -> io::Result<Option<(u64, u64)>> {
        let mut window = Vec::new();
        let mut start = self.pos;
        while self.len.saturating_sub(start) >= HEAD_LEN as u64 {
            self.goto(start)?;
            window.clear();
            self.at += self.file.by_ref().take(64 << 10).read_to_end(&mut window)? as u64;
            let heads =
                window.windows(HEAD_LEN).step_by(STEP).map(|bytes| bytes.first_chunk().expect("a head's length"));
            let mut looked_at = 0;
            for bytes in heads {
                if Head::from_bytes(bytes, self.seed).is_some()
                    && let Some((head, step)) = self.read_at(start + looked_at)?
                    && !matches!(step, Step::Preamble(_))
                {
                    return Ok(Some((start + looked_at, head.seq)));
                }
                looked_at += STEP as u64;
            }
            if looked_at == 0 {
                break; // the file became shorter while being read
            }
            start += looked_at;
        }
        Ok(None)
    }

    /// The record at `pos`, if all of it is good and it may stand there; sequence numbers may have been skipped.
    fn read_at(&mut self, pos: u64) -> io::Result<Option<(Head, Step)>> {
        self.goto(pos)?;
        let mut bytes = [0; HEAD_LEN];
        if self.len - pos < HEAD_LEN as u64 || self.fill(&mut bytes)? < HEAD_LEN {
            return Ok(None);
        }
        let Some(head) = Head::from_bytes(&bytes, self.seed) else { return Ok(None) };
        let in_order = (self.next_seq..self.seq_limit).contains(&head.seq)
            || (head.kind == KIND_PREAMBLE && head.seq == self.first_seq);
        // Checked before anything of that length is allocated.
        if !in_order || disk_len(head.len.into()) > self.len - pos {
            return Ok(None);
        }
        let tenant = self.take(head.tenant_len.into())?;
        let body = self.take(u64::from(head.len) - u64::from(head.tenant_len))?;
        let zeros = self.take(padding(head.len.into()).len() as u64)?;
        let mut crc = Hasher::new();
        for part in [&tenant, &body, &zeros] {
            crc.update(part);
        }
        if crc.finalize() != head.crc {
            return Ok(None);
        }
        let Ok(tenant) = String::from_utf8(tenant) else { return Ok(None) };
        let Head { seq, received_at, kind, flags, hash, .. } = head;
        let step = match kind {
            KIND_PREAMBLE if pos == HEADER_LEN => Step::Preamble(body),
            KIND_PREAMBLE => return Ok(None),
            KIND_LOST => match <[u8; 8]>::try_from(body).map(u64::from_le_bytes) {
                Ok(last) if last >= seq && last < self.seq_limit => Step::Lost(seq..last + 1),
                _ => return Ok(None),
            },
            _ => Step::Record(Record { seq, received_at, kind, flags, tenant, hash, body }),
        };
        Ok(Some((head, step)))
    }

    fn take(&mut self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len as usize);
        self.at += self.file.by_ref().take(len).read_to_end(&mut bytes)? as u64;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    fn goto(&mut self, pos: u64) -> io::Result<()> {
        if self.at != pos {
            self.at = self.file.seek(SeekFrom::Start(pos))?;
        }
        Ok(())
    }
}
