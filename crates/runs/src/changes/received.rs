//! Which instructions the model received on a date.

use serde::{Deserialize, Serialize};

use super::Question;
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
    let condition = question.condition(now)?;
    let query = format!(
        "WITH told AS (
            SELECT tenant, date, trace_id, span_id, first_value(CASE WHEN system_ref IS NOT NULL THEN system_ref['hash'] END ORDER BY time_unix_nano) AS hash
            FROM logs WHERE date = DATE '{day}' AND system_ref IS NOT NULL AND trace_id IS NOT NULL GROUP BY tenant, date, trace_id, span_id
        ),
        received AS (
            SELECT c.tenant, c.date, coalesce(CASE WHEN c.system_ref IS NOT NULL THEN c.system_ref['hash'] END, told.hash) AS hash, c.prompt_version, c.prompt_label,
                coalesce(c.response_model, c.request_model) AS model, c.start_time, c.trace_id
            FROM (SELECT * FROM llm_calls WHERE {condition}) AS c
            LEFT JOIN told ON told.tenant = c.tenant AND told.trace_id = c.trace_id AND told.span_id = c.span_id
            WHERE c.date = DATE '{day}' AND c.kind IN ('chat', 'completion')
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
        GROUP BY r.tenant, r.hash ORDER BY first_time"
    );
    rows(source, &query).await
}
