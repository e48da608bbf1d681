//! One record and its layout.
//!
//! ```text
//!  0        4        8        12       16       20       24
//!  +--------+--------+-----------------+-----------------+
//!  | len    | crc    | seq             | received_at     |
//!  +--------+--------+-----------------+-----------------+
//!  24                                  40                48   49    50     52       56
//!  +-----------------------------------+-----------------+----+-----+------+--------+
//!  | hash                              | durable         |kind|flags| tlen | headcrc|
//!  +-----------------------------------+-----------------+----+-----+------+--------+
//!  56            56+tlen                       56+len
//!  +-------------+-----------------------------+---------------------+
//!  | tenant      | body                        | zeros up to 8 bytes |
//!  +-------------+-----------------------------+---------------------+
//! ```
//!
//! Integers are little-endian. `len` counts tenant and body, `tlen` the tenant alone. `crc` covers tenant, body
//! and zeros; `headcrc` covers the 52 bytes before it, seeded with the segment's checksum. Two checksums let the
//! search for the next good record pass over bad bytes once, instead of once for each length it meets there.
//!
//! `durable` is how many bytes of the segment were known to be synced when this record was written. It is what
//! tells damage to acknowledged records from a group that a power cut tore before its sync.
//!
//! Two kinds belong to the log: a preamble, first in its segment, whose `seq` is that of the record to follow;
//! and a mark of lost records, whose `seq` is the first lost one and whose body is the last, as u64.

use crc32fast::Hasher;

/// The kind of a preamble: the caller's bytes at the start of a segment.
pub const KIND_PREAMBLE: u8 = 0;
/// The kind of a mark that stands for records lost to damage.
pub const KIND_LOST: u8 = 255;

pub(crate) const HEAD_LEN: usize = 56;
/// What stands behind the last record where the file goes on with what it held before.
pub(crate) const END: [u8; HEAD_LEN] = [0; HEAD_LEN];
const ALIGN: u64 = 8;
/// Largest `len`: head and padding still fit into 32 bits.
pub(crate) const MAX_LEN: u64 = u32::MAX as u64 - 64;

/// What the caller appends.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When the request arrived, in nanoseconds since 1970.
    pub received_at: i64,
    /// The caller's kind of record, 1 to 254.
    pub kind: u8,
    /// The caller's flags.
    pub flags: u8,
    /// Whom the body belongs to.
    pub tenant: &'a str,
    /// The caller's hash of the body.
    pub hash: u128,
    /// The bytes to keep.
    pub body: &'a [u8],
}

impl Entry<'_> {
    pub(crate) fn len(&self) -> u64 {
        (self.tenant.len() + self.body.len()) as u64
    }
}

/// What is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The position in the shard's log; without gaps but for [`Item::Lost`](crate::Item::Lost).
    pub seq: u64,
    /// See [`Entry::received_at`].
    pub received_at: i64,
    /// See [`Entry::kind`].
    pub kind: u8,
    /// See [`Entry::flags`].
    pub flags: u8,
    /// See [`Entry::tenant`].
    pub tenant: String,
    /// See [`Entry::hash`].
    pub hash: u128,
    /// See [`Entry::body`].
    pub body: Vec<u8>,
}

impl Record {
    pub(crate) fn entry(&self) -> Entry<'_> {
        let Self { received_at, kind, flags, hash, .. } = *self;
        Entry { received_at, kind, flags, tenant: &self.tenant, hash, body: &self.body }
    }
}

/// The fixed part of a record on disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) len: u32,
    pub(crate) crc: u32,
    pub(crate) seq: u64,
    pub(crate) received_at: i64,
    pub(crate) hash: u128,
    pub(crate) durable: u64,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) tenant_len: u16,
}

impl Head {
    /// The head of `entry`, whose lengths the caller has checked.
    pub(crate) fn new(entry: &Entry<'_>, seq: u64, durable: u64) -> Self {
        let mut crc = Hasher::new();
        crc.update(entry.tenant.as_bytes());
        crc.update(entry.body);
        crc.update(padding(entry.len()));
        let Entry { received_at, kind, flags, hash, .. } = *entry;
        let len = u32::try_from(entry.len()).expect("the record's length was checked before");
        let tenant_len = u16::try_from(entry.tenant.len()).expect("the tenant's length was checked before");
        Self { len, crc: crc.finalize(), seq, received_at, hash, durable, kind, flags, tenant_len }
    }

    pub(crate) fn to_bytes(self, seed: u32) -> [u8; HEAD_LEN] {
        let mut bytes = [0; HEAD_LEN];
        bytes[0..4].copy_from_slice(&self.len.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.crc.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.received_at.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.hash.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.durable.to_le_bytes());
        bytes[48] = self.kind;
        bytes[49] = self.flags;
        bytes[50..52].copy_from_slice(&self.tenant_len.to_le_bytes());
        let crc = head_crc(&bytes, seed);
        bytes[52..56].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The head in `bytes`, if it is one of the segment that `seed` stands for.
    pub(crate) fn from_bytes(bytes: &[u8; HEAD_LEN], seed: u32) -> Option<Self> {
        if head_crc(bytes, seed) != u32::from_le_bytes(part(bytes, 52)) {
            return None;
        }
        let head = Self {
            len: u32::from_le_bytes(part(bytes, 0)),
            crc: u32::from_le_bytes(part(bytes, 4)),
            seq: u64::from_le_bytes(part(bytes, 8)),
            received_at: i64::from_le_bytes(part(bytes, 16)),
            hash: u128::from_le_bytes(part(bytes, 24)),
            durable: u64::from_le_bytes(part(bytes, 40)),
            kind: bytes[48],
            flags: bytes[49],
            tenant_len: u16::from_le_bytes(part(bytes, 50)),
        };
        (u64::from(head.len) <= MAX_LEN && u32::from(head.tenant_len) <= head.len).then_some(head)
    }
}

/// The whole record as bytes, for the few that are not written from the caller's own slices.
pub(crate) fn to_vec(entry: &Entry<'_>, seq: u64, durable: u64, seed: u32) -> Vec<u8> {
    let head = Head::new(entry, seq, durable).to_bytes(seed);
    [&head, entry.tenant.as_bytes(), entry.body, padding(entry.len())].concat()
}

/// The entry of a record the log writes for itself.
pub(crate) fn own_entry(kind: u8, body: &[u8]) -> Entry<'_> {
    Entry { received_at: 0, kind, flags: 0, tenant: "", hash: 0, body }
}

/// The bytes a record with tenant and body of `len` takes on disk.
pub(crate) fn disk_len(len: u64) -> u64 {
    HEAD_LEN as u64 + len.next_multiple_of(ALIGN)
}

/// The zeros behind a tenant and body of `len`.
pub(crate) fn padding(len: u64) -> &'static [u8] {
    &[0; ALIGN as usize][..(len.next_multiple_of(ALIGN) - len) as usize]
}

/// Where the search for a record looks next.
pub(crate) const STEP: usize = ALIGN as usize;

fn head_crc(bytes: &[u8; HEAD_LEN], seed: u32) -> u32 {
    let mut crc = Hasher::new_with_initial(seed);
    crc.update(&bytes[..52]);
    crc.finalize()
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the layout's offsets lie inside the head")
}
