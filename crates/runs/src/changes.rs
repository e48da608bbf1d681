//! When a prompt changed in traffic, in what, and what moved with it.
//!
//! A **variant** is one combination of the three fingerprints: content (instructions and template), routing (provider,
//! model, parameters), policy (tools, guardrails, response format). Its calls are an **episode** for as long as they
//! keep coming: it ends where the prompt is called in several hours without it. So a canary is an episode beside
//! another, and a rollback a new episode of an old variant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ask::{Ask, RunsError, rows};
use crate::moment::{parse_moment, rfc3339};
use crate::sql::{is_hex, quoted};

mod page;
mod received;

pub use page::{changes_page, received_page};
pub use received::{Received, received};

const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// An episode ends after this many hours in which the prompt is called and its variant is not.
const QUIET_HOURS: usize = 3;
/// The newest episodes, of which figures are worked out.
const MOST_EPISODES: usize = 40;

/// Of which prompt, and when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Question {
    /// Its name; or `prompt_shape` or `prompt_hash`, where the application names none.
    pub prompt: String,
    pub since: Option<String>,
    pub until: Option<String>,
    pub service: Option<String>,
    pub environment: Option<String>,
}

/// The calls of one variant while they kept coming.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "columns of the published schema, counted")]
pub struct Episode {
    pub first_time: String,
    pub last_time: String,
    pub content_hash: Option<String>,
    pub routing_hash: Option<String>,
    pub policy_hash: Option<String>,
    /// In what it differs from the one that began before it: content, routing, policy.
    pub changed: Vec<String>,
    /// The variant was there before.
    pub returned: bool,
    pub versions: Vec<String>,
    pub labels: Vec<String>,
    pub models: Vec<String>,
    pub calls: i64,
    pub errors: i64,
    pub error_rate: Option<f64>,
    pub calls_without_usage: i64,
    pub mean_input_tokens: Option<f64>,
    pub mean_output_tokens: Option<f64>,
    pub p50_ns: Option<f64>,
    pub p95_ns: Option<f64>,
    /// Mean and number of the numeric scores of its calls and their runs, by name.
    pub scores: BTreeMap<String, MeanScore>,
    /// A call of it, as an example.
    pub trace_id: Option<String>,
}

/// A mean, and of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct MeanScore {
    pub mean: f64,
    pub count: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct Hour {
    hour: i64,
    first: i64,
    last: i64,
    content_hash: Option<String>,
    routing_hash: Option<String>,
    policy_hash: Option<String>,
}

type Variant = [Option<String>; 3];

impl Hour {
    fn variant(&self) -> Variant {
        [self.content_hash.clone(), self.routing_hash.clone(), self.policy_hash.clone()]
    }
}

/// An episode as its hours tell it.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    variant: Variant,
    first: i64,
    last: i64,
}

impl Question {
    /// The condition that a row of `llm_calls` is meant.
    fn condition(&self, now: i64) -> Result<String, RunsError> {
        let name = quoted(&self.prompt);
        let mut conditions = vec![format!(
            "(prompt_name = {name} OR (prompt_name IS NULL AND (prompt_shape = {name} OR prompt_hash = {name})))"
        )];
        for (of_date, of_time, moment) in [(">=", ">=", &self.since), ("<=", "<", &self.until)] {
            if let Some(moment) = moment {
                let micros = parse_moment(moment, now)?;
                let time = rfc3339(micros);
                let day = time.get(..10).unwrap_or_default();
                conditions
                    .push(format!("date {of_date} DATE '{day}' AND CAST(start_time AS bigint) {of_time} {micros}"));
            }
        }
        for (column, value) in [("service", &self.service), ("environment", &self.environment)] {
            if let Some(value) = value {
                conditions.push(format!("{column} = {}", quoted(value)));
            }
        }
        Ok(conditions.join(" AND "))
    }
}

/// The episodes of a prompt, in the order of their start.
///
/// # Errors
/// When a time cannot be read or a query fails.
pub async fn changes(source: &impl Ask, question: &Question, now: i64) -> Result<Vec<Episode>, RunsError> {
    let condition = question.condition(now)?;
    let query = format!(
        "SELECT CAST(start_time AS bigint) / {MICROS_PER_HOUR} AS hour, min(CAST(start_time AS bigint)) AS first,
            max(CAST(start_time AS bigint)) AS last, content_hash, routing_hash, policy_hash
        FROM llm_calls WHERE {condition} GROUP BY 1, content_hash, routing_hash, policy_hash"
    );
    let mut spans = spans(rows::<Hour>(source, &query).await?);
    let earlier: Vec<Variant> = spans.iter().map(|span| span.variant.clone()).collect();
    let left_out = spans.len().saturating_sub(MOST_EPISODES);
    let mut episodes = Vec::new();
    for (place, span) in spans.iter().enumerate().skip(left_out) {
        let before = place.checked_sub(1).map(|before| &earlier[before]);
        let changed = ["content", "routing", "policy"]
            .iter()
            .zip(0..)
            .filter(|(_, part): &(_, usize)| before.is_some_and(|before| before[*part] != span.variant[*part]));
        let [content_hash, routing_hash, policy_hash] = span.variant.clone();
        episodes.push(Episode {
            first_time: rfc3339(span.first),
            last_time: rfc3339(span.last),
            content_hash,
            routing_hash,
            policy_hash,
            changed: changed.map(|(class, _)| (*class).to_owned()).collect(),
            returned: earlier[..place].contains(&span.variant),
            ..Episode::default()
        });
    }
    spans.drain(..left_out);
    if !spans.is_empty() {
        measure(source, &condition, &spans, &mut episodes).await?;
    }
    Ok(episodes)
}

/// The episodes that hours with calls make.
fn spans(mut hours: Vec<Hour>) -> Vec<Span> {
    hours.sort_by_key(|hour| (hour.hour, hour.first));
    let mut active: Vec<i64> = hours.iter().map(|hour| hour.hour).collect();
    active.dedup();
    let place = |hour: i64| active.binary_search(&hour).unwrap_or_default();
    let mut spans: Vec<(Span, usize)> = Vec::new();
    for hour in &hours {
        let variant = hour.variant();
        let here = place(hour.hour);
        match spans.iter_mut().rev().find(|(span, _)| span.variant == variant) {
            Some((span, seen)) if here - *seen <= QUIET_HOURS => {
                span.last = span.last.max(hour.last);
                *seen = here;
            }
            _ => spans.push((Span { variant, first: hour.first, last: hour.last }, here)),
        }
    }
    let mut spans: Vec<Span> = spans.into_iter().map(|(span, _)| span).collect();
    spans.sort_by_key(|span| span.first);
    spans
}

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

async fn measure(
    source: &impl Ask,
    condition: &str,
    spans: &[Span],
    episodes: &mut [Episode],
) -> Result<(), RunsError> {
    let of = episode_of(spans);
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
        FROM (SELECT *, {of} AS episode FROM llm_calls WHERE {condition}) AS told
        WHERE episode IS NOT NULL GROUP BY episode"
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
    let query = format!(
        "SELECT episode, name, avg(value) AS mean, count(*) AS count
        FROM (
            SELECT DISTINCT c.episode, s.name, s.value, s.trace_id, s.span_id, s.time_unix_nano
            FROM (SELECT tenant, trace_id, span_id, {of} AS episode FROM llm_calls WHERE {condition}) AS c
            JOIN scores AS s ON s.tenant = c.tenant AND s.trace_id = c.trace_id
            WHERE c.episode IS NOT NULL AND s.value IS NOT NULL AND (s.span_id IS NULL OR s.target = 'run' OR s.span_id = c.span_id)
        ) AS said
        GROUP BY episode, name"
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

    fn hours(list: &[(i64, &str)]) -> Vec<Hour> {
        let hour = |(hour, content): &(i64, &str)| Hour {
            hour: *hour,
            first: hour * 10,
            last: hour * 10 + 5,
            content_hash: Some((*content).to_owned()),
            routing_hash: None,
            policy_hash: None,
        };
        list.iter().map(hour).collect()
    }

    fn found(list: &[(i64, &str)]) -> Vec<(String, i64, i64)> {
        let name = |span: Span| (span.variant[0].clone().unwrap_or_default(), span.first, span.last);
        spans(hours(list)).into_iter().map(name).collect()
    }

    fn wanted(list: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
        list.iter().map(|(name, first, last)| ((*name).to_owned(), *first, *last)).collect()
    }

    #[test]
    fn a_rollback_is_a_new_episode_of_an_old_variant() {
        let traffic = [(0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "b"), (5, "b"), (6, "a")];
        assert_eq!(found(&traffic), wanted(&[("a", 0, 15), ("b", 20, 55), ("a", 60, 65)]));
    }

    #[test]
    fn a_canary_runs_beside_and_a_quiet_night_ends_nothing() {
        assert_eq!(found(&[(0, "a"), (1, "a"), (1, "b"), (2, "a"), (2, "b")]), wanted(&[("a", 0, 25), ("b", 10, 25)]));
        assert_eq!(found(&[(0, "a"), (100, "a")]), wanted(&[("a", 0, 1005)]));
    }
}
