//! Who may come in: bytes in flight are counted before they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The budget of bytes that requests may hold between the first byte read and the acknowledgement.
#[derive(Clone, Debug)]
pub struct Admission {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes admitted; they are given back when this is dropped.
#[derive(Debug)]
pub struct Admitted {
    used: Arc<AtomicUsize>,
    limit: usize,
    bytes: usize,
}

impl Admission {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { used: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// A request that has brought no byte yet.
    #[must_use]
    pub fn enter(&self) -> Admitted {
        Admitted { used: Arc::clone(&self.used), limit: self.limit, bytes: 0 }
    }

    /// Bytes in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Admitted {
    /// Takes `bytes` more; `false` when they do not fit.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_beyond_the_budget_are_refused_and_given_back() {
        let admission = Admission::new(10);
        let mut first = admission.enter();
        assert!(first.grow(6));
        let mut second = admission.enter();
        assert!(!second.grow(5));
        assert!(second.grow(4));
        drop(first);
        assert_eq!(admission.in_flight(), 4);
    }
}
