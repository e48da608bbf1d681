//! What was run, as a gate has to know it: the trials of a candidate, with their answers, times, costs and scores.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tracewell_model::role::last_answer;
use tracewell_model::time::Day;
use tracewell_pricing::Amount;
use tracewell_regression::Answer;
use tracewell_runs::cases::{self, Case, RunDay};
use tracewell_runs::{Ask, rows};

use crate::LedgerError;
use crate::capture;
use tracewell_runs::sql::{ids, quoted};

mod below;

use below::{Parents, parents};

/// The attributes that make a span a trial.
pub mod attributes {
    /// Id of the example; what makes the span a trial.
    pub const EXAMPLE: &str = "tracewell.example.id";
    /// Revision of the example.
    pub const REVISION: &str = "tracewell.example.revision";
    /// Dataset, with its version.
    pub const DATASET: &str = "tracewell.dataset";
    /// What is tried.
    pub const CANDIDATE: &str = "tracewell.candidate";
    /// Of a replay: what the candidate says, by [`Candidate::fingerprint`](tracewell_regression::candidate::Candidate).
    pub const CANDIDATE_HASH: &str = "tracewell.candidate.hash";
    /// Which time, counted from 1.
    pub const REPETITION: &str = "tracewell.repetition";
    /// Id of the replay that the trial is of.
    pub const REPLAY: &str = "tracewell.replay.id";
}

/// Whose trials are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Those of what calls itself so; of several replays the latest.
    Candidate(String),
    /// Those of one replay.
    Replay(String),
}

impl Who {
    /// What their trials are marked with, as far as it is known before they are found.
    pub(crate) fn version(&self) -> Option<String> {
        match self {
            Self::Candidate(version) => Some(version.clone()),
            Self::Replay(_) => None,
        }
    }
}

/// A trial, where it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[allow(missing_docs, reason = "columns of the view `trials`")]
pub struct Place {
    pub trace_id: String,
    pub span_id: String,
    pub day: i32,
    pub start_unix_nano: i64,
    pub duration_ns: i64,
    pub status: Option<String>,
    pub example: String,
    pub revision: Option<i64>,
    pub candidate: Option<String>,
    pub replay: Option<String>,
    pub repetition: i64,
    output_refs: Option<Vec<Reference>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Reference {
    hash: String,
    role: Option<String>,
}

/// The trials of one side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The replay they are of, where they are of one.
    pub replay: Option<String>,
    /// What they are marked with.
    pub version: Option<String>,
    /// The trials.
    pub trials: Vec<Place>,
}

/// A trial with what came of it.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Result {
    pub place: Place,
    pub answer: Option<Answer>,
    /// `None` where it failed.
    pub latency: Option<Duration>,
    /// `None` where a call of it is unpriced.
    pub cost: Option<Amount>,
    /// The last word of each name.
    pub recorded: BTreeMap<String, Recorded>,
}

/// A score that was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Recorded {
    pub value: Option<f64>,
    pub label: Option<String>,
}

/// From which day on a dataset can have been tried: the day before it began, as clocks differ.
///
/// # Errors
/// When there is no such dataset, or a query fails.
pub async fn first_day(source: &impl Ask, dataset: &str) -> std::result::Result<NaiveDate, LedgerError> {
    #[derive(Deserialize)]
    struct Row {
        day: Option<i32>,
    }
    let query = format!("SELECT CAST(min(date) AS int) - 1 AS day FROM examples WHERE dataset = {}", quoted(dataset));
    let day = rows::<Row>(source, &query).await?.into_iter().find_map(|row| row.day);
    let day = day.ok_or_else(|| LedgerError::NotFound(format!("there is no dataset `{dataset}`")))?;
    Day(day).to_string().parse().map_err(LedgerError::unreadable)
}

/// What holds of trials on examples of a dataset that were begun on the day `since` or later.
fn on(dataset: &str, since: NaiveDate) -> String {
    format!("date >= DATE '{since}' AND (dataset IS NULL OR split_part(dataset, '@', 1) = {})", quoted(dataset))
}

/// The trials of `who` on examples of a dataset, begun on the day `since` or later. A version that a trial names is not
/// looked at: what counts is the revision of its example.
///
/// # Errors
/// When a query fails.
pub async fn find(
    source: &impl Ask,
    dataset: &str,
    who: &Who,
    since: NaiveDate,
) -> std::result::Result<Found, LedgerError> {
    let whose = match who {
        Who::Candidate(name) => format!("candidate = {}", quoted(name)),
        Who::Replay(id) => format!("replay = {}", quoted(id)),
    };
    let query = format!(
        "SELECT trace_id, span_id, CAST(date AS int) AS day, start_unix_nano, duration_ns, status, example, revision,
            candidate, replay, repetition, output_refs
        FROM trials WHERE {whose} AND {}
        ORDER BY start_unix_nano, trace_id, span_id",
        on(dataset, since)
    );
    let trials: Vec<Place> = rows(source, &query).await?;
    let (replay, version) = trials.last().map(|last| (last.replay.clone(), last.candidate.clone())).unwrap_or_default();
    let trials: Vec<Place> = trials.into_iter().filter(|trial| trial.replay == replay).collect();
    let trials = if replay.is_some() { without_failed_tries(trials) } else { trials };
    Ok(Found { replay, version, trials })
}

/// Whose trials there are on examples of a dataset, as [`find`] looks for them: candidates, or for a replay the ids of
/// replays; the latest first, and not more than anybody reads.
///
/// # Errors
/// When a query fails.
pub async fn known(
    source: &impl Ask,
    dataset: &str,
    like: &Who,
    since: NaiveDate,
) -> std::result::Result<Vec<String>, LedgerError> {
    #[derive(Deserialize)]
    struct Row {
        whose: String,
    }
    let column = match like {
        Who::Candidate(_) => "candidate",
        Who::Replay(_) => "replay",
    };
    let query = format!(
        "SELECT {column} AS whose, max(start_unix_nano) AS latest FROM trials
        WHERE {column} IS NOT NULL AND {}
        GROUP BY {column} ORDER BY latest DESC, whose LIMIT 20",
        on(dataset, since)
    );
    Ok(rows::<Row>(source, &query).await?.into_iter().map(|row| row.whose).collect())
}

/// What the candidate of a trial said, where a replay marked it.
pub(crate) async fn candidate_hash(
    source: &impl Ask,
    place: &Place,
) -> std::result::Result<Option<String>, LedgerError> {
    #[derive(Deserialize)]
    struct Row {
        hash: Option<String>,
    }
    let query = format!(
        "SELECT attributes['{}'] AS hash FROM spans WHERE date = DATE '{}' AND trace_id = {} AND span_id = {} LIMIT 1",
        attributes::CANDIDATE_HASH,
        Day(place.day),
        quoted(&place.trace_id),
        quoted(&place.span_id)
    );
    Ok(rows::<Row>(source, &query).await?.pop().and_then(|row| row.hash))
}

fn failed(trial: &Place) -> bool {
    trial.status.as_deref() == Some("error")
}

/// A replay that is gone on with tries again what failed: then what failed counts no more, and of several failures one.
fn without_failed_tries(trials: Vec<Place>) -> Vec<Place> {
    let key = |trial: &Place| (trial.example.clone(), trial.revision, trial.repetition);
    let mut seen: HashSet<_> = trials.iter().filter(|trial| !failed(trial)).map(key).collect();
    trials.into_iter().filter(|trial| !failed(trial) || seen.insert(key(trial))).collect()
}

/// What came of `trials`.
///
/// # Errors
/// When a query fails.
pub async fn results(source: &impl Ask, trials: Vec<Place>) -> std::result::Result<Vec<Result>, LedgerError> {
    let mut runs: Vec<RunDay> =
        trials.iter().map(|trial| RunDay { trace_id: trial.trace_id.clone(), day: trial.day }).collect();
    runs.sort();
    runs.dedup();
    let shared = runs.len() < trials.len();
    let (calls, scores, texts, parents) = futures::try_join!(
        async { Ok::<_, LedgerError>(cases::answers(source, &runs).await?) },
        scores(source, &runs),
        outputs(source, &trials),
        async { if shared { parents(source, &runs).await } else { Ok(Parents::new()) } },
    )?;
    let mut of_run: HashMap<&str, (Vec<&Case>, Vec<&Score>)> = HashMap::new();
    for call in &calls {
        of_run.entry(&call.trace_id).or_default().0.push(call);
    }
    for score in &scores {
        of_run.entry(&score.trace_id).or_default().1.push(score);
    }
    let mut alone: HashMap<&str, usize> = HashMap::new();
    for trial in &trials {
        *alone.entry(&trial.trace_id).or_default() += 1;
    }
    let result = |trial: &Place| {
        let is_alone = alone.get(trial.trace_id.as_str()) == Some(&1);
        let holds = |span: &str| is_alone || parents.is_below(&trial.trace_id, span, &trial.span_id);
        let (calls, scores) = of_run.get(trial.trace_id.as_str()).cloned().unwrap_or_default();
        let calls: Vec<&Case> = calls.into_iter().filter(|case| holds(&case.call.span_id)).collect();
        let cost = calls.iter().map(|case| case.cost_usd.as_deref()?.parse::<Amount>().ok());
        let recorded = scores.into_iter().filter(|score| score.span_id.as_deref().map_or(is_alone, holds));
        Result {
            answer: answer(trial, &calls, &texts),
            // How soon it failed says nothing of how long an answer takes.
            latency: u64::try_from(trial.duration_ns).ok().filter(|_| !failed(trial)).map(Duration::from_nanos),
            // A trial without a model call cost nothing that is known.
            cost: if calls.is_empty() { None } else { cost.sum() },
            recorded: recorded
                .map(|score| (score.name.clone(), Recorded { value: score.value, label: score.label.clone() }))
                .collect(),
            place: trial.clone(),
        }
    };
    Ok(trials.iter().map(result).collect())
}

/// What the marked span itself says came out, else what its last call answered; nothing where it failed.
fn answer(trial: &Place, calls: &[&Case], texts: &HashMap<String, String>) -> Option<Answer> {
    if failed(trial) {
        return None;
    }
    let own = trial.output_refs.iter().flatten();
    let own: Option<Vec<(&str, Option<&str>)>> =
        own.map(|output| Some((texts.get(&output.hash)?.as_str(), output.role.as_deref()))).collect();
    let own = own.filter(|own| !own.is_empty()).and_then(|own| {
        let last = last_answer(own.iter().map(|(_, role)| *role));
        capture::answer(last.map_or(&own[..], |last| &own[last..=last]).iter().copied())
    });
    own.or_else(|| capture::output(calls.iter().max_by_key(|case| case.call.offset_ns)?))
}

#[derive(Deserialize)]
struct Score {
    trace_id: String,
    span_id: Option<String>,
    name: String,
    value: Option<f64>,
    label: Option<String>,
}

/// What was said of the runs and their spans, in the order in which it was said; what was said of documents that they
/// found is of those. A score that names a response alone is of the span that got it, as in the view `runs`.
async fn scores(source: &impl Ask, runs: &[RunDay]) -> std::result::Result<Vec<Score>, LedgerError> {
    let mut scores = Vec::new();
    for some in runs.chunks(2_000) {
        let days = || some.iter().map(|run| run.day);
        let first = Day(days().min().unwrap_or_default());
        let said = format!("date >= DATE '{first}' AND target <> 'document'");
        let runs = ids(some.iter().map(|run| run.trace_id.as_str()));
        let query = format!(
            "SELECT trace_id, span_id, name, value, label
            FROM (
                SELECT trace_id, span_id, name, value, label, time_unix_nano, seq
                FROM evaluations
                WHERE {said} AND trace_id IN ({runs})
                UNION ALL
                SELECT c.trace_id, c.span_id, e.name, e.value, e.label, e.time_unix_nano, e.seq
                FROM (
                    SELECT tenant, response_id, name, value, label, time_unix_nano, seq
                    FROM evaluations
                    WHERE {said} AND trace_id IS NULL AND response_id IS NOT NULL
                ) AS e
                JOIN (
                    SELECT tenant, response_id, trace_id, span_id
                    FROM spans
                    WHERE date BETWEEN DATE '{first}' AND DATE '{last}' AND trace_id IN ({runs})
                ) AS c ON c.tenant = e.tenant AND c.response_id = e.response_id
            ) AS said
            ORDER BY time_unix_nano, seq",
            // A span may begin behind the midnight after its trial.
            last = Day(days().max().unwrap_or_default() + 1),
        );
        scores.extend(rows::<Score>(source, &query).await?);
    }
    Ok(scores)
}

/// The texts of what marked spans say came out.
async fn outputs(source: &impl Ask, trials: &[Place]) -> std::result::Result<HashMap<String, String>, LedgerError> {
    #[derive(Deserialize)]
    struct Text {
        hash: String,
        content: String,
    }
    let (first, last) = (trials.iter().map(|trial| trial.day).min(), trials.iter().map(|trial| trial.day).max());
    let mut hashes: Vec<&str> =
        trials.iter().flat_map(|trial| trial.output_refs.iter().flatten()).map(|output| output.hash.as_str()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let mut texts = HashMap::new();
    for some in hashes.chunks(4_000) {
        let query = format!(
            "SELECT hash, content FROM contents WHERE date BETWEEN DATE '{}' AND DATE '{}' AND hash IN ({})",
            Day(first.unwrap_or_default()),
            Day(last.unwrap_or_default()),
            ids(some.iter().copied())
        );
        texts.extend(rows::<Text>(source, &query).await?.into_iter().map(|text| (text.hash, text.content)));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(example: &str, repetition: i64, status: Option<&str>) -> Place {
        Place {
            trace_id: String::new(),
            span_id: String::new(),
            day: 0,
            start_unix_nano: 0,
            duration_ns: 0,
            status: status.map(str::to_owned),
            example: example.to_owned(),
            revision: Some(1),
            candidate: None,
            replay: Some("r".to_owned()),
            repetition,
            output_refs: None,
        }
    }

    #[test]
    fn the_answer_of_a_conversation_is_its_last() {
        let said = [
            ("asked", "user", r#"{"role":"user","content":"Where?"}"#),
            ("called", "assistant", r#"{"role":"assistant","content":"Let me look."}"#),
            ("found", "tool", r#"{"role":"tool","content":"42"}"#),
            ("told", "assistant", r#"{"role":"assistant","content":"Shelf 7."}"#),
        ];
        let texts = said.map(|(hash, _, text)| (hash.to_owned(), text.to_owned())).into();
        let text = |hashes: &[&str]| {
            let refs = said.iter().filter(|(hash, ..)| hashes.contains(hash));
            let refs = refs.map(|(hash, role, _)| Reference { hash: (*hash).into(), role: Some((*role).into()) });
            let trial = Place { output_refs: Some(refs.collect()), ..place("a", 1, None) };
            answer(&trial, &[], &texts).and_then(|answer| answer.text)
        };
        assert_eq!(text(&["asked", "called", "found", "told"]).as_deref(), Some("Shelf 7."));
        assert_eq!(text(&["called", "told"]).as_deref(), Some("Let me look.\nShelf 7."), "one answer in two parts");
        assert_eq!(text(&["asked"]).as_deref(), Some("Where?"), "nobody else speaks");
    }

    #[test]
    fn a_failure_counts_once_and_only_while_there_is_no_answer() {
        let failed = Some("error");
        let left = without_failed_tries(vec![
            place("a", 1, failed),
            place("a", 1, None),
            place("a", 2, failed),
            place("b", 1, failed),
            place("b", 1, failed),
            place("c", 1, None),
            place("c", 1, None),
        ]);
        let told: Vec<(&str, i64, bool)> =
            left.iter().map(|one| (one.example.as_str(), one.repetition, one.status.is_some())).collect();
        // Two answers to one question are for the gate to wonder about.
        assert_eq!(told, [("a", 1, false), ("a", 2, true), ("b", 1, true), ("c", 1, false), ("c", 1, false)]);
    }
}
