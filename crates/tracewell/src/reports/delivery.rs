//! When a delivery is tried, and tried again.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Happened;

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
/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Done,
    /// The attempt to make now.
    Next(i64),
    Waiting,
    GivenUp,
}

/// How far a delivery has come, by its rows.
pub(super) fn delivery<'a>(rows: impl Iterator<Item = &'a Happened>, now: DateTime<Utc>) -> Delivery {
    let mut attempts = BTreeMap::<i64, (DateTime<Utc>, bool)>::new();
    for row in rows {
        let number = row.attempt.unwrap_or_default();
        match row.event.as_str() {
            "delivered" => return Delivery::Done,
            "attempt" => drop(attempts.entry(number).or_insert((row.recorded_at, false))),
            "failed" => drop(attempts.insert(number, (row.recorded_at, true))),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &str, attempt: i64, at: DateTime<Utc>) -> Happened {
        let (event, destination) = (event.to_owned(), Some("leads".to_owned()));
        Happened {
            event,
            period: "2026-W46".into(),
            recorded_at: at,
            due_at: None,
            destination,
            attempt: Some(attempt),
        }
    }

    #[test]
    fn a_delivery_is_tried_again_after_a_pause_until_it_is_done_or_given_up() {
        let at: DateTime<Utc> = "2026-11-16T07:00:00Z".parse().unwrap();
        let state = |rows: &[Happened], later: TimeDelta| delivery(rows.iter(), at + later);
        assert_eq!(state(&[], TimeDelta::zero()), Delivery::Next(1));
        let begun = [row("attempt", 1, at)];
        assert_eq!(state(&begun, TimeDelta::minutes(9)), Delivery::Waiting, "another process may be at it");
        assert_eq!(state(&begun, TimeDelta::minutes(10)), Delivery::Next(2));
        let failed = [row("attempt", 1, at), row("failed", 1, at)];
        assert_eq!(state(&failed, TimeDelta::seconds(9)), Delivery::Waiting);
        assert_eq!(state(&failed, TimeDelta::seconds(10)), Delivery::Next(2));
        let done = [row("attempt", 1, at), row("failed", 1, at), row("attempt", 2, at), row("delivered", 2, at)];
        assert_eq!(state(&done, TimeDelta::days(9)), Delivery::Done);
        assert_eq!(state(&[row("failed", 9, at)], TimeDelta::days(9)), Delivery::GivenUp);
    }
}
