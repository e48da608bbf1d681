//! What time it is.

/// Nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Now, to the second: a query that names it can be read.
pub(crate) fn moment() -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(now() / 1_000_000_000, 0).unwrap_or_default()
}
