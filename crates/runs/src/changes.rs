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
use crate::sql::quoted;

mod measured;
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
    /// What its calls cost in US dollars, exact, as far as they have a price.
    pub cost_usd: Option<String>,
    /// Calls without a price in US dollars, which the costs leave out.
    pub unpriced_calls: i64,
    /// What a call with a price cost on average, rounded to 10⁻⁹ US dollars.
    pub mean_cost_usd: Option<String>,
    /// Mean and number of the last numeric scores of its calls, their runs, responses and sessions, by name.
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
    /// The condition that a row of `llm_calls` is meant. Trials of replays and test harnesses are no traffic.
    fn condition(&self, now: i64) -> Result<String, RunsError> {
        let name = quoted(&self.prompt);
        let mut conditions = vec![format!(
            "is_trial IS NOT TRUE
                AND (prompt_name = {name} OR (prompt_name IS NULL AND (prompt_shape = {name} OR prompt_hash = {name})))"
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

    /// The condition that a row of `logs` may be of such a call: none is written before it began.
    fn logged(&self, now: i64) -> Result<String, RunsError> {
        let Some(since) = &self.since else { return Ok("true".to_owned()) };
        let time = rfc3339(parse_moment(since, now)?);
        Ok(format!("date >= DATE '{}'", time.get(..10).unwrap_or_default()))
    }
}

/// The calls that a question is about.
struct Calls {
    /// The condition on rows of `llm_calls` and `span_costs`.
    condition: String,
    /// The rows as SQL, a table in brackets.
    rows: String,
}

impl Calls {
    /// The calls of `condition`. Those that send no instructions have those that the first log record within their span
    /// told on one of `dates`, a condition on rows of `logs`: as `instructions`, and where there is no other content
    /// also in the place of its fingerprint.
    fn of(condition: String, dates: &str) -> Self {
        let rows = format!(
            "(SELECT c.tenant, c.date, c.trace_id, c.span_id, c.start_time, c.kind, c.status, c.duration_ns,
                c.input_tokens, c.output_tokens, c.prompt_version, c.prompt_label, c.request_model, c.response_model,
                c.response_id, c.conversation_id, coalesce(c.content_hash, told.hash) AS content_hash, c.routing_hash,
                c.policy_hash,
                coalesce(CASE WHEN c.system_ref IS NOT NULL THEN c.system_ref['hash'] END, told.hash) AS instructions
            FROM (SELECT * FROM llm_calls WHERE {condition}) AS c
            LEFT JOIN (
                SELECT tenant, trace_id, span_id,
                    first_value(CASE WHEN system_ref IS NOT NULL THEN system_ref['hash'] END ORDER BY time_unix_nano) AS hash
                FROM logs WHERE {dates} AND system_ref IS NOT NULL AND trace_id IS NOT NULL
                GROUP BY tenant, trace_id, span_id
            ) AS told ON told.tenant = c.tenant AND told.trace_id = c.trace_id AND told.span_id = c.span_id)"
        );
        Self { condition, rows }
    }
}

/// The episodes of a prompt, in the order of their start.
///
/// # Errors
/// When a time cannot be read or a query fails.
pub async fn changes(source: &impl Ask, question: &Question, now: i64) -> Result<Vec<Episode>, RunsError> {
    let calls = Calls::of(question.condition(now)?, &question.logged(now)?);
    let query = format!(
        "SELECT CAST(start_time AS bigint) / {MICROS_PER_HOUR} AS hour, min(CAST(start_time AS bigint)) AS first,
            max(CAST(start_time AS bigint)) AS last, content_hash, routing_hash, policy_hash
        FROM {} AS calls GROUP BY 1, content_hash, routing_hash, policy_hash",
        calls.rows
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
        measured::measure(source, &calls, &spans, &mut episodes).await?;
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
