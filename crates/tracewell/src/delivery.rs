//! When a delivery is tried, and tried again; files as what is delivered.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tracewell_lake::Location;

/// An attempt of which nothing is heard for so long has failed.
const LOST: TimeDelta = TimeDelta::minutes(10);
/// Pauses before the next attempts; behind the last one it is given up.
const PAUSES: [TimeDelta; 8] = [
    TimeDelta::seconds(10),
    TimeDelta::minutes(2),
    TimeDelta::minutes(10),
    TimeDelta::minutes(30),
    TimeDelta::hours(1),
    TimeDelta::hours(3),
    TimeDelta::hours(6),
    TimeDelta::hours(12),
];

/// What is kept of a delivery: a row `attempt`, `delivered` or `failed`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) event: &'a str,
    /// The how manieth attempt it is of, from 1.
    pub(crate) attempt: i64,
    pub(crate) at: DateTime<Utc>,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Done,
    /// The attempt to make now.
    Next(i64),
    Waiting,
    GivenUp,
}

/// How far a delivery has come, by what is kept of it.
pub(crate) fn delivery<'a>(steps: impl Iterator<Item = Step<'a>>, now: DateTime<Utc>) -> Delivery {
    let mut attempts = BTreeMap::<i64, (DateTime<Utc>, bool)>::new();
    for Step { event, attempt, at } in steps {
        match event {
            "delivered" => return Delivery::Done,
            "attempt" => drop(attempts.entry(attempt).or_insert((at, false))),
            "failed" => drop(attempts.insert(attempt, (at, true))),
            _ => {}
        }
    }
    let Some((last, (at, failed))) = attempts.last_key_value() else { return Delivery::Next(1) };
    let Some(pause) = usize::try_from(last - 1).ok().and_then(|position| PAUSES.get(position)) else {
        return Delivery::GivenUp;
    };
    let ready = if *failed { *at + *pause } else { *at + LOST };
    if now >= ready { Delivery::Next(last + 1) } else { Delivery::Waiting }
}

/// Writes a file into a folder beside the tables, which may be several deep: `published/reports`.
pub(crate) async fn put(location: &Location, folder: &str, below: &[&str], text: String) -> anyhow::Result<()> {
    let mut parts = folder.split('/').filter(|part| !part.is_empty()).chain(below.iter().copied());
    let first = location.table_path(parts.next().context("the folder has no name")?);
    let path: Path = parts.fold(first, |path, part| path.join(part));
    let put = location.store().put(&path, PutPayload::from(text.into_bytes())).await;
    put.with_context(|| format!("cannot write {path}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(event: &str, attempt: i64, at: DateTime<Utc>) -> Step<'_> {
        Step { event, attempt, at }
    }

    #[test]
    fn a_delivery_is_tried_again_after_a_pause_until_it_is_done_or_given_up() {
        let at: DateTime<Utc> = "2026-11-16T07:00:00Z".parse().unwrap();
        let state = |steps: &[Step<'_>], later: TimeDelta| delivery(steps.iter().copied(), at + later);
        assert_eq!(state(&[], TimeDelta::zero()), Delivery::Next(1));
        let begun = [step("attempt", 1, at)];
        assert_eq!(state(&begun, TimeDelta::minutes(9)), Delivery::Waiting, "another process may be at it");
        assert_eq!(state(&begun, TimeDelta::minutes(10)), Delivery::Next(2));
        let failed = [step("attempt", 1, at), step("failed", 1, at)];
        assert_eq!(state(&failed, TimeDelta::seconds(9)), Delivery::Waiting);
        assert_eq!(state(&failed, TimeDelta::seconds(10)), Delivery::Next(2));
        let done = [step("attempt", 1, at), step("failed", 1, at), step("attempt", 2, at), step("delivered", 2, at)];
        assert_eq!(state(&done, TimeDelta::days(9)), Delivery::Done);
        assert_eq!(state(&[step("failed", 9, at)], TimeDelta::days(9)), Delivery::GivenUp);
    }
}
