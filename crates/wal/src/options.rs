//! The limits of a log.

/// Limits of a write-ahead log directory.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size in bytes from which [`Log::should_rotate`](crate::Log::should_rotate) says yes.
    pub segment_bytes: u64,
    /// Largest tenant plus body of one record, in bytes; at most 4 GiB less 64 bytes.
    pub max_record_bytes: u64,
    /// Largest size in bytes of all segments of all shards together. Appends beyond it are refused. Beside them each
    /// shard keeps up to four files of segments that it no longer needs, to write over them.
    pub max_total_bytes: u64,
    /// Open in spite of damage: set damaged segments aside and keep their good records.
    pub quarantine: bool,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self { segment_bytes: 64 * MIB, max_record_bytes: 128 * MIB, max_total_bytes: 8192 * MIB, quarantine: false }
    }
}
