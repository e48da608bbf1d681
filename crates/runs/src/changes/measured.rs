//! The figures of episodes.

use serde::Deserialize;
use tracewell_pricing::Amount;

use super::{Calls, Episode, MeanScore, Span};
use crate::ask::{Ask, RunsError, rows};
use crate::sql::is_hex;

/// The unit that a mean cost is rounded to, in 10⁻²⁴ US dollars.
const MEAN_UNITS: i128 = 10_i128.pow(Amount::SCALE - 9);

/// Which episode a call is of, as SQL.
fn episode_of(spans: &[Span]) -> String {
    let is = |column: &str, hash: &Option<String>| match hash {
        Some(hash) if is_hex(hash) => format!("{column} = '{hash}'"),
        _ => format!("{column} IS NULL"),
    };
    let cases = spans.iter().enumerate().map(|(place, span)| {
        let [content, routing, policy] = &span.variant;
        format!(
            "WHEN {} AND {} AND {} AND CAST(start_time AS bigint) BETWEEN {} AND {} THEN {place}",
            is("content_hash", content),
            is("routing_hash", routing),
            is("policy_hash", policy),
            span.first,
            span.last
        )
    });
    format!("CASE {} END", cases.collect::<Vec<_>>().join(" "))
}

/// Works out the figures of `episodes` of `calls`, which `spans` are.
pub(super) async fn measure(
    source: &impl Ask,
    calls: &Calls,
    spans: &[Span],
    episodes: &mut [Episode],
) -> Result<(), RunsError> {
    let of = episode_of(spans);
    count(source, calls, &of, episodes).await?;
    cost(source, calls, &of, episodes).await?;
    score(source, calls, &of, episodes).await
}

async fn count(source: &impl Ask, calls: &Calls, of: &str, episodes: &mut [Episode]) -> Result<(), RunsError> {
    let query = format!(
        "SELECT episode, count(*) AS calls, count(*) FILTER (WHERE status = 'error') AS errors,
            count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL) AS calls_without_usage,
            avg(input_tokens) AS mean_input_tokens, avg(output_tokens) AS mean_output_tokens,
            CAST(approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns) AS double) AS p50_ns,
            CAST(approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns) AS double) AS p95_ns,
            array_sort(array_agg(DISTINCT prompt_version) FILTER (WHERE prompt_version IS NOT NULL)) AS versions,
            array_sort(array_agg(DISTINCT prompt_label) FILTER (WHERE prompt_label IS NOT NULL)) AS labels,
            array_sort(array_agg(DISTINCT coalesce(response_model, request_model))
                FILTER (WHERE coalesce(response_model, request_model) IS NOT NULL)) AS models,
            max(trace_id) AS trace_id
        FROM (SELECT *, {of} AS episode FROM {} AS calls) AS told
        WHERE episode IS NOT NULL GROUP BY episode",
        calls.rows
    );
    #[derive(Deserialize)]
    struct Figures {
        episode: usize,
        #[serde(flatten)]
        figures: Episode,
    }
    for Figures { episode, figures } in rows::<Figures>(source, &query).await? {
        let Some(known) = episodes.get_mut(episode) else { continue };
        *known = Episode {
            error_rate: (figures.calls > 0).then(|| figures.errors as f64 / figures.calls as f64),
            first_time: std::mem::take(&mut known.first_time),
            last_time: std::mem::take(&mut known.last_time),
            content_hash: known.content_hash.take(),
            routing_hash: known.routing_hash.take(),
            policy_hash: known.policy_hash.take(),
            changed: std::mem::take(&mut known.changed),
            returned: known.returned,
            ..figures
        };
    }
    Ok(())
}

async fn cost(source: &impl Ask, calls: &Calls, of: &str, episodes: &mut [Episode]) -> Result<(), RunsError> {
    let query = format!(
        "SELECT c.episode, CAST(sum(s.cost_usd) AS text) AS cost_usd, count(s.cost_usd) AS priced, count(*) AS calls
        FROM (SELECT tenant, trace_id, span_id, {of} AS episode FROM {rows} AS calls) AS c
        JOIN (SELECT tenant, trace_id, span_id, cost_usd FROM span_costs WHERE {condition}) AS s
            ON s.tenant = c.tenant AND s.span_id = c.span_id AND s.trace_id IS NOT DISTINCT FROM c.trace_id
        WHERE c.episode IS NOT NULL GROUP BY c.episode",
        rows = calls.rows,
        condition = calls.condition
    );
    #[derive(Deserialize)]
    struct Cost {
        episode: usize,
        cost_usd: Option<String>,
        priced: i64,
        calls: i64,
    }
    for Cost { episode, cost_usd, priced, calls } in rows::<Cost>(source, &query).await? {
        let Some(episode) = episodes.get_mut(episode) else { continue };
        let cost = cost_usd.and_then(|cost| cost.parse::<Amount>().ok());
        episode.cost_usd = cost.map(|cost| cost.to_string());
        episode.mean_cost_usd = cost.and_then(|cost| mean(cost, priced)).map(|mean| mean.to_string());
        episode.unpriced_calls = calls - priced;
    }
    Ok(())
}

/// What one of `calls` calls cost on average that cost `sum` together.
fn mean(sum: Amount, calls: i64) -> Option<Amount> {
    let parts = MEAN_UNITS.checked_mul(i128::from(calls)).filter(|parts| *parts > 0)?;
    Some(Amount::from_units((sum.units() + parts / 2).div_euclid(parts) * MEAN_UNITS))
}

/// The last words on calls, their runs, their responses and their sessions; each counts once in an episode.
async fn score(source: &impl Ask, calls: &Calls, of: &str, episodes: &mut [Episode]) -> Result<(), RunsError> {
    let query = format!(
        "SELECT episode, name, avg(value) AS mean, count(*) AS count
        FROM (
            SELECT DISTINCT c.episode, s.name, s.value, s.target, s.about, s.span_id, s.document_id, s.source, s.author,
                s.time_unix_nano
            FROM (
                SELECT tenant, span_id, episode, unnest(make_array('run ' || trace_id, 'response ' || response_id,
                    'session ' || conversation_id)) AS about
                FROM (SELECT tenant, trace_id, span_id, response_id, conversation_id, {of} AS episode
                    FROM {} AS calls) AS told
                WHERE episode IS NOT NULL
            ) AS c
            JOIN (
                SELECT *, CASE WHEN target = 'session' AND session_id IS NOT NULL THEN 'session ' || session_id
                    WHEN trace_id IS NOT NULL THEN 'run ' || trace_id ELSE 'response ' || response_id END AS about
                FROM evaluations
                WHERE superseded_at IS NULL AND value IS NOT NULL
            ) AS s ON s.tenant = c.tenant AND s.about = c.about
            WHERE s.span_id IS NULL OR s.trace_id IS NULL OR s.target IN ('run', 'session') OR s.span_id = c.span_id
        ) AS said
        GROUP BY episode, name",
        calls.rows
    );
    #[derive(Deserialize)]
    struct Scored {
        episode: usize,
        name: String,
        mean: f64,
        count: i64,
    }
    for Scored { episode, name, mean, count } in rows::<Scored>(source, &query).await? {
        if let Some(episode) = episodes.get_mut(episode) {
            episode.scores.insert(name, MeanScore { mean, count });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_cost_is_rounded_to_a_billionth() {
        let mean = |sum: &str, calls| mean(sum.parse().unwrap(), calls).map(|mean| mean.to_string());
        assert_eq!(mean("0.00001", 3).as_deref(), Some("0.000003333"));
        assert_eq!(mean("0.00002", 3).as_deref(), Some("0.000006667"));
        assert_eq!(mean("7", 1).as_deref(), Some("7"));
        assert_eq!(mean("0", 0), None);
    }
}
