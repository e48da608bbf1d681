//! Which contents the table holds already, as far as one shard knows.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tracewell_model::id::ContentHash;
use tracewell_model::time::{Day, NANOS_PER_DAY, NANOS_PER_SECOND};

/// Hashes remembered at most. Forgetting is harmless: a content is then stored twice, and compaction drops one.
const MOST: usize = 1 << 20;
/// Those that come for a day after its end are known for so long: what is not stored again expires by the receipt of
/// what is, so at most this much too soon.
const LATE_NANOS: i64 = 3600 * NANOS_PER_SECOND;

/// The contents stored so far, day by day.
#[derive(Debug)]
pub(crate) struct SeenContents {
    days: HashMap<Day, SeenDay>,
    /// Their numbers.
    tenants: HashMap<Box<str>, u32>,
    /// Contents of a day may be gone so many nanoseconds after its end.
    retention: Option<i64>,
}

#[derive(Debug)]
struct SeenDay {
    /// When the first of them came.
    since: i64,
    hashes: HashSet<(u32, ContentHash)>,
}

/// What a day is known to hold of one tenant: what another has stored is not there for it.
pub(crate) struct Seen<'a> {
    tenant: u32,
    hashes: &'a mut HashSet<(u32, ContentHash)>,
}

impl Seen<'_> {
    /// Whether the content was not known; now it is.
    pub(crate) fn insert(&mut self, hash: ContentHash) -> bool {
        self.hashes.insert((self.tenant, hash))
    }
}

impl SeenContents {
    /// Nothing seen yet; contents expire after `retention`, never when `None`.
    pub(crate) fn new(retention: Option<Duration>) -> Self {
        let retention = retention.and_then(|retention| retention.as_nanos().try_into().ok());
        Self { days: HashMap::new(), tenants: HashMap::new(), retention }
    }

    /// What `day` is known to hold of `tenant`, for a row received at `received_at`.
    ///
    /// Of a day past the retention nothing is known: another process may expire its contents (`tracewell expire`)
    /// and nobody tells this one. It may be told a shorter retention too, so of no day that is over is much known for
    /// long. The row's receipt counts as now, so that a replay of the log decides as the first reading did.
    pub(crate) fn of(&mut self, day: Day, tenant: &str, received_at: i64) -> Seen<'_> {
        let end = (i64::from(day.0) + 1).saturating_mul(NANOS_PER_DAY);
        let since = self.days.get(&day).map_or(end, |seen| seen.since.max(end));
        let is_past = self.retention.is_some_and(|retention| end.saturating_add(retention) <= received_at);
        if is_past || received_at.saturating_sub(since) > LATE_NANOS {
            self.days.remove(&day);
        }
        if self.days.values().map(|seen| seen.hashes.len()).sum::<usize>() >= MOST {
            self.days.clear();
        }
        let tenant = self.number(tenant);
        let seen = self.days.entry(day).or_insert_with(|| SeenDay { since: received_at, hashes: HashSet::new() });
        Seen { tenant, hashes: &mut seen.hashes }
    }

    fn number(&mut self, tenant: &str) -> u32 {
        if let Some(number) = self.tenants.get(tenant) {
            return *number;
        }
        let number = self.tenants.len() as u32;
        self.tenants.insert(tenant.into(), number);
        number
    }

    /// Forgets `day`: it loses contents.
    pub(crate) fn forget(&mut self, day: Day) {
        self.days.remove(&day);
    }

    /// Forgets every day.
    pub(crate) fn forget_all(&mut self) {
        self.days.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: ContentHash = ContentHash([7; 16]);
    const DAY: Day = Day(100);
    const END: i64 = 101 * NANOS_PER_DAY;

    /// Contents that expire after three days.
    fn expiring() -> SeenContents {
        SeenContents::new(Some(Duration::from_secs(3 * 24 * 3600)))
    }

    #[test]
    fn nothing_is_known_of_a_day_past_its_retention() {
        let mut seen = expiring();
        assert!(seen.of(DAY, "a", END + 3 * NANOS_PER_DAY - 2).insert(HASH));
        assert!(!seen.of(DAY, "a", END + 3 * NANOS_PER_DAY - 1).insert(HASH), "it is there still");
        assert!(seen.of(DAY, "a", END + 3 * NANOS_PER_DAY).insert(HASH), "it may be gone");
        assert!(seen.of(DAY, "a", END + 3 * NANOS_PER_DAY + 1).insert(HASH), "and stays unknown");
        let mut seen = SeenContents::new(None);
        assert!(seen.of(DAY, "a", i64::MAX).insert(HASH));
        assert!(!seen.of(DAY, "a", i64::MAX).insert(HASH));
        seen.forget(DAY);
        assert!(seen.of(DAY, "a", i64::MAX).insert(HASH));
    }

    #[test]
    fn what_comes_late_does_not_go_with_what_came_early() {
        let mut seen = expiring();
        assert!(seen.of(DAY, "a", END - NANOS_PER_DAY).insert(HASH));
        assert!(!seen.of(DAY, "a", END - 1).insert(HASH), "all of a day goes together");
        assert!(!seen.of(DAY, "a", END + LATE_NANOS).insert(HASH));
        assert!(seen.of(DAY, "a", END + LATE_NANOS + 1).insert(HASH), "it would go an hour too soon");
        assert!(!seen.of(DAY, "a", END + 2 * LATE_NANOS + 1).insert(HASH));
        assert!(seen.of(DAY, "a", END + 2 * LATE_NANOS + 2).insert(HASH));
    }

    #[test]
    fn another_process_may_let_contents_expire_that_are_kept_here() {
        let mut seen = SeenContents::new(None);
        assert!(seen.of(DAY, "a", END - NANOS_PER_DAY).insert(HASH));
        assert!(!seen.of(DAY, "a", END + LATE_NANOS).insert(HASH));
        assert!(seen.of(DAY, "a", END + LATE_NANOS + 1).insert(HASH), "it may be gone");
    }

    #[test]
    fn what_one_tenant_has_stored_another_has_not() {
        let mut seen = SeenContents::new(None);
        assert!(seen.of(DAY, "a", END).insert(HASH));
        assert!(seen.of(DAY, "b", END).insert(HASH));
        assert!(!seen.of(DAY, "a", END).insert(HASH));
    }
}
