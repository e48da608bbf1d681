//! What reading may cost in memory.

/// Runs `work` on an input of `input` bytes; it may hold `factor` times as much at once, and allocate twice that over
/// its whole run, which also bounds how often anything is copied.
pub(crate) fn bounded<T>(input: usize, factor: usize, work: impl FnOnce() -> T) -> T {
    /// What does not depend on the input.
    const FIXED: usize = 64 << 10;
    let mut result = None;
    let used = allocation_counter::measure(|| result = Some(work()));
    let limit = (factor * input + FIXED) as u64;
    assert!(used.bytes_max <= limit, "{input} bytes of input hold {} bytes, {limit} at most expected", used.bytes_max);
    assert!(
        used.bytes_total <= limit * 2,
        "{input} bytes of input allocate {} bytes, {} at most expected",
        used.bytes_total,
        limit * 2
    );
    result.expect("the work was done")
}
