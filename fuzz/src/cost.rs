//! What reading may cost in memory.

use allocation_counter::{AllocationInfo, measure};

/// What does not depend on the input.
const FIXED: usize = 64 << 10;

/// Runs `work` on an input of `input` bytes; it may hold `factor` times as much at once, and allocate twice that over
/// its whole run, which also bounds how often anything is copied.
pub(crate) fn bounded<T>(input: usize, factor: usize, work: impl FnOnce() -> T) -> T {
    let (result, used) = measured(work);
    let limit = (factor * input + FIXED) as u64;
    check("hold", input, used.bytes_max, limit);
    check("allocate", input, used.bytes_total, limit * 2);
    result
}

/// The same for what reads through buffers of its own, `buffers` bytes at a time.
pub(crate) fn bounded_with_buffers<T>(input: usize, factor: usize, buffers: usize, work: impl FnOnce() -> T) -> T {
    let (result, used) = measured(work);
    check("hold", input, used.bytes_max, (factor * input + buffers + FIXED) as u64);
    result
}

fn measured<T>(work: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut result = None;
    let used = measure(|| result = Some(work()));
    (result.expect("the work was done"), used)
}

fn check(what: &str, input: usize, used: u64, limit: u64) {
    assert!(used <= limit, "{input} bytes of input {what} {used} bytes, {limit} at most expected");
}
