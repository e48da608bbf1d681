//! Which instructions the model received on a date.

use serde::{Deserialize, Serialize};

use super::{Calls, Question};
use crate::ask::{Ask, RunsError, rows};
use crate::moment::{parse_moment, rfc3339};

/// Instructions that calls of a prompt received on a date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "columns of the published schema, counted")]
pub struct Received {
    /// Absent where the calls did not send them.
    pub hash: Option<String>,
    /// Absent where it has expired.
    pub text: Option<String>,
    pub versions: Vec<String>,
    pub labels: Vec<String>,
    pub models: Vec<String>,
    pub calls: i64,
    pub first_time: String,
    pub last_time: String,
    pub trace_id: Option<String>,
}

/// Which instructions the model received on `date`, a UTC day: the texts of the traffic itself.
///
/// # Errors
/// When the date cannot be read or a query fails.
pub async fn received(
    source: &impl Ask,
    question: &Question,
    date: &str,
    now: i64,
) -> Result<Vec<Received>, RunsError> {
    let day = rfc3339(parse_moment(date, now)?);
    let day = day.get(..10).unwrap_or_default();
    let calls = Calls::of(question.condition(now)?, &format!("date = DATE '{day}'"));
    let query = format!(
        "WITH received AS (
            SELECT tenant, date, instructions AS hash, prompt_version, prompt_label,
                coalesce(response_model, request_model) AS model, start_time, trace_id
            FROM {} AS calls
            WHERE date = DATE '{day}' AND kind IN ('chat', 'completion')
        )
        SELECT r.hash, max(x.content) AS text, max(calls) AS calls, max(first_time) AS first_time,
            max(last_time) AS last_time, max(trace_id) AS trace_id,
            first_value(versions) AS versions, first_value(labels) AS labels, first_value(models) AS models
        FROM (
            SELECT tenant, date, hash, count(*) AS calls, min(start_time) AS first_time, max(start_time) AS last_time,
                max(trace_id) AS trace_id,
                array_sort(array_agg(DISTINCT prompt_version) FILTER (WHERE prompt_version IS NOT NULL)) AS versions,
                array_sort(array_agg(DISTINCT prompt_label) FILTER (WHERE prompt_label IS NOT NULL)) AS labels,
                array_sort(array_agg(DISTINCT model) FILTER (WHERE model IS NOT NULL)) AS models
            FROM received GROUP BY tenant, date, hash
        ) AS r
        LEFT JOIN contents AS x ON x.tenant = r.tenant AND x.date = r.date AND x.hash = r.hash
        GROUP BY r.tenant, r.hash ORDER BY first_time",
        calls.rows
    );
    rows(source, &query).await
}
