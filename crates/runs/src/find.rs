//! From an id, or the first digits of one, to a run.

use serde::Deserialize;
use tracewell_model::time::Day;

use crate::ask::{Ask, RunsError, rows};
use crate::sql::{Days, is_hex, quoted};

const ID_DIGITS: usize = 32;

/// Where the rows of a run are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) trace_id: String,
    pub(crate) tenant: String,
    pub(crate) days: Days,
    /// From the first start to the last end, in nanoseconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Place {
    /// The condition that a row is of this run. Log records may be of a day beside its spans.
    pub(crate) fn condition(&self) -> String {
        format!("{} AND trace_id = '{}' AND {}", self.of_tenant(), self.trace_id, self.days.beside().condition())
    }

    /// The condition that a row is of the run's tenant.
    pub(crate) fn of_tenant(&self) -> String {
        format!("tenant = {}", quoted(&self.tenant))
    }
}

#[derive(Deserialize)]
struct Found {
    trace_id: String,
    tenant: String,
    first: i32,
    last: i32,
    start_ns: i64,
    end_ns: i64,
}

/// The id of the one run whose id begins with `prefix`.
///
/// # Errors
/// When there is none, or more than one.
pub async fn find(source: &impl Ask, prefix: &str) -> Result<String, RunsError> {
    Ok(place(source, prefix).await?.trace_id)
}

pub(crate) async fn place(source: &impl Ask, prefix: &str) -> Result<Place, RunsError> {
    let digits = prefix.trim().to_ascii_lowercase();
    if !is_hex(&digits) || digits.len() > ID_DIGITS {
        return Err(RunsError::NoId(prefix.to_owned()));
    }
    let condition = match digits.len() {
        ID_DIGITS => format!("trace_id = '{digits}'"),
        // `g` follows every hexadecimal digit.
        _ => format!("trace_id >= '{digits}' AND trace_id < '{digits}g'"),
    };
    let mut found = Vec::new();
    for (table, start, end) in [
        ("spans", "start_unix_nano", "start_unix_nano + duration_ns"),
        // A run of which only log records tell.
        ("logs", "time_unix_nano - coalesce(duration_ns, 0)", "time_unix_nano"),
    ] {
        let query = format!(
            "SELECT tenant, trace_id, CAST(min(date) AS int) AS first, CAST(max(date) AS int) AS last,
                min({start}) AS start_ns, max({end}) AS end_ns
            FROM {table} WHERE {condition} GROUP BY tenant, trace_id ORDER BY trace_id, tenant LIMIT 6"
        );
        found = rows::<Found>(source, &query).await?;
        if !found.is_empty() {
            break;
        }
    }
    match found.len() {
        0 => Err(nothing(source, prefix).await?),
        1 => {
            let Found { trace_id, tenant, first, last, start_ns, end_ns } = found.remove(0);
            let days = Days { first: Day(first), last: Day(last) };
            Ok(Place { trace_id, tenant, days, start: start_ns, end: end_ns.max(start_ns) })
        }
        _ => {
            let ids = found.into_iter().map(|found| found.trace_id).collect();
            Err(RunsError::Ambiguous { prefix: prefix.to_owned(), ids })
        }
    }
}

async fn nothing(source: &impl Ask, prefix: &str) -> Result<RunsError, RunsError> {
    Ok(if is_empty(source).await? { RunsError::Empty } else { RunsError::NotFound(prefix.to_owned()) })
}

/// Whether no span has come yet.
pub(crate) async fn is_empty(source: &impl Ask) -> Result<bool, RunsError> {
    #[derive(Deserialize)]
    struct One {}
    Ok(rows::<One>(source, "SELECT 1 AS one FROM spans LIMIT 1").await?.is_empty())
}
