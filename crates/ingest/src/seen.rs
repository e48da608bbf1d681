//! Which contents the table holds already, as far as one shard knows.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tracewell_model::id::ContentHash;
use tracewell_model::time::{Day, NANOS_PER_DAY};

/// Hashes remembered at most. Forgetting is harmless: a content is then stored twice, and compaction drops one.
const MOST: usize = 1 << 20;

/// The contents stored so far, day by day.
#[derive(Debug)]
pub(crate) struct SeenContents {
    days: HashMap<Day, HashSet<ContentHash>>,
    /// Contents of a day may be gone so many nanoseconds after its end.
    retention: Option<i64>,
}

impl SeenContents {
    /// Nothing seen yet; contents expire after `retention`, never when `None`.
    pub(crate) fn new(retention: Option<Duration>) -> Self {
        let retention = retention.and_then(|retention| retention.as_nanos().try_into().ok());
        Self { days: HashMap::new(), retention }
    }

    /// What `day` is known to hold, for a row received at `received_at`.
    ///
    /// Of a day past the retention nothing is known: another process may expire its contents (`tracewell expire`)
    /// and nobody tells this one. The row's receipt counts as now, so that a replay of the log decides as the first
    /// reading did.
    pub(crate) fn of(&mut self, day: Day, received_at: i64) -> &mut HashSet<ContentHash> {
        let end = (i64::from(day.0) + 1).saturating_mul(NANOS_PER_DAY);
        if self.retention.is_some_and(|retention| end.saturating_add(retention) <= received_at) {
            self.days.remove(&day);
        }
        if self.days.values().map(HashSet::len).sum::<usize>() >= MOST {
            self.days.clear();
        }
        self.days.entry(day).or_default()
    }

    /// Forgets `day`: it loses contents.
    pub(crate) fn forget(&mut self, day: Day) {
        self.days.remove(&day);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_of_a_day_past_its_retention() {
        let mut seen = SeenContents::new(Some(Duration::from_secs(3 * 24 * 3600)));
        let hash = || ContentHash([7; 16]);
        let day = Day(100);
        assert!(seen.of(day, 100 * NANOS_PER_DAY).insert(hash()));
        assert!(!seen.of(day, 104 * NANOS_PER_DAY - 1).insert(hash()), "it is there still");
        assert!(seen.of(day, 104 * NANOS_PER_DAY).insert(hash()), "it may be gone");
        assert!(seen.of(day, 104 * NANOS_PER_DAY + 1).insert(hash()), "and stays unknown");
        let mut seen = SeenContents::new(None);
        assert!(seen.of(day, i64::MAX).insert(hash()));
        assert!(!seen.of(day, i64::MAX).insert(hash()));
        seen.forget(day);
        assert!(seen.of(day, i64::MAX).insert(hash()));
    }
}
