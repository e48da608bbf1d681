//! Whose round it is: of several servers over the same tables one judges at a time.
//!
//! Rounds begin at the multiples of the interval. Who commits such a moment to the table of scores, as a transaction
//! without rows, has that round; the moments of a transaction only rise, whatever the interval is.

use std::collections::BTreeSet;
use std::slice;
use std::time::Duration;

use anyhow::Context;
use tracewell_lake::{Commit, Lake, Transaction};
use tracewell_model::schema::SCORES;

/// When the round of now began, in milliseconds since 1970.
pub(super) fn began(now: i64, interval: Duration) -> i64 {
    let interval = milliseconds(interval);
    now - now.rem_euclid(interval)
}

/// How long it is until the round behind that of `moment` begins.
pub(super) fn until_next(moment: i64, interval: Duration, now: i64) -> Duration {
    let next = moment.saturating_add(milliseconds(interval));
    Duration::from_millis(u64::try_from(next - now).unwrap_or_default())
}

fn milliseconds(interval: Duration) -> i64 {
    i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// Whether the round that began at `moment` is this server's. Then the tables are as all servers left them.
pub(super) async fn is_ours(
    lake: &Lake,
    rules: &BTreeSet<&str>,
    moment: i64,
    interval: Duration,
) -> anyhow::Result<bool> {
    let app = format!("evaluate:{}", rules.iter().copied().collect::<Vec<_>>().join(","));
    let scores = lake.table(SCORES.name).context("the lake has no table of scores")?;
    let once = Transaction { app, version: moment };
    if !matches!(scores.commit_once(Vec::new(), slice::from_ref(&once), moment).await?, Commit::Landed(_)) {
        let last = scores.watermark(&once.app).await?.unwrap_or(moment);
        if last <= moment.saturating_add(milliseconds(interval)) {
            return Ok(false);
        }
        tracing::warn!(
            ahead_ms = last - moment,
            "a server whose clock runs ahead has judged; other servers judge beside it until then"
        );
    }
    for table in lake.tables() {
        table.refresh().await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use tracewell_lake::Location;
    use tracewell_model::schema::every_table;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    async fn open(folder: &Path) -> Lake {
        let location = Location::parse(folder.to_str().unwrap(), &HashMap::new()).unwrap();
        Lake::open(location, &every_table(), true).await.unwrap()
    }

    #[tokio::test]
    async fn a_round_is_one_servers() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(folder.path()).await, open(folder.path()).await);
        let rules = BTreeSet::from(["a", "b"]);
        for moment in [600_000, 660_000] {
            let ours = tokio::join!(is_ours(&one, &rules, moment, MINUTE), is_ours(&other, &rules, moment, MINUTE));
            assert_eq!(i32::from(ours.0.unwrap()) + i32::from(ours.1.unwrap()), 1, "{moment}");
        }
        assert!(!is_ours(&one, &rules, 600_000, MINUTE).await.unwrap(), "that is over");
        assert!(is_ours(&other, &BTreeSet::from(["c"]), 600_000, MINUTE).await.unwrap(), "other rules");
        // Another interval goes on from there.
        let hour = 60 * MINUTE;
        assert!(!is_ours(&one, &rules, 0, hour).await.unwrap());
        assert!(is_ours(&one, &rules, 3_600_000, hour).await.unwrap());
        assert!(is_ours(&one, &rules, 3_660_000, MINUTE).await.unwrap());
        // Somebody's clock is a day ahead: that stops nobody.
        assert!(is_ours(&other, &rules, 90_000_000, MINUTE).await.unwrap());
        assert!(is_ours(&one, &rules, 3_720_000, MINUTE).await.unwrap());
    }

    #[test]
    fn rounds_begin_at_multiples_of_the_interval() {
        assert_eq!((began(125_000, MINUTE), began(120_000, MINUTE)), (120_000, 120_000));
        assert_eq!(until_next(120_000, MINUTE, 125_000), Duration::from_secs(55));
        assert_eq!(until_next(120_000, MINUTE, 200_000), Duration::ZERO, "a round may take longer");
    }
}
