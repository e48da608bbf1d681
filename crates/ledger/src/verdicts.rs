//! Running a gate over what was run, and keeping its verdict.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::json;
use tracewell_regression::Example;
use tracewell_regression::candidate::Candidate;
use tracewell_regression::dataset::{Dataset, Pin};
use tracewell_regression::gate::{Case, Contender, Evidence, Gate, Scored, Side, Source, Trial, Verdict};
use tracewell_regression::prompt::Prompt;
use tracewell_regression::scorers::{Score, Scorer, Subject};
use tracewell_runs::Ask;
use tracewell_runs::sql::quoted;

use crate::trials::{self, Found, Who};
use crate::{Ledger, LedgerError, datasets};

/// What a gate is run with.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The gate.
    pub gate: &'a Gate,
    /// Its file, to be kept with the verdict.
    pub file: &'a str,
    /// Who runs it.
    pub author: &'a str,
    /// Whose trials are those of the baseline, if there is one, and of the candidate.
    pub sides: [Option<&'a Who>; 2],
    /// What baseline and candidate say.
    pub said: [&'a Said; 2],
    /// For the dates of flaky cases.
    pub today: NaiveDate,
    /// Trials of before this day are not looked at; those of before the dataset began where it is not given.
    pub since: Option<NaiveDate>,
}

/// What a contender says, as far as the gate's file or the record tells.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Its file, where it is not on record.
    pub file: Option<String>,
    /// Its revision on record.
    pub prompt: Option<Prompt>,
}

impl Said {
    /// What replays of it are marked with; `None` where that is not known.
    fn hash(&self) -> Option<String> {
        let candidate = match (&self.prompt, &self.file) {
            (Some(prompt), _) => Candidate::of_prompt(prompt),
            (None, file) => Candidate::parse(file.as_deref()?),
        };
        Some(candidate.ok()?.fingerprint())
    }
}

/// A verdict with the data it was reached by.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Reached {
    pub id: String,
    pub verdict: Verdict,
    pub dataset: Dataset,
    row: Row,
}

/// A row of the table `verdicts`.
#[derive(Clone, Debug, Serialize)]
struct Row {
    verdict: String,
    gate: String,
    decision: String,
    dataset: String,
    dataset_version: i64,
    baseline: Option<String>,
    baseline_version: Option<String>,
    baseline_replay: Option<String>,
    baseline_file: Option<String>,
    candidate: String,
    candidate_version: Option<String>,
    candidate_replay: Option<String>,
    candidate_file: Option<String>,
    prompt: Option<String>,
    prompt_revision: Option<i64>,
    examples: i64,
    repetitions: i64,
    author: String,
    file: String,
    findings: String,
    changes: String,
    report: String,
    trials: String,
}

/// SQL that lists the latest verdicts, of all gates or of one.
#[must_use]
pub fn list(gate: Option<&str>, limit: usize) -> String {
    let of_gate = gate.map_or_else(String::new, |gate| format!("WHERE gate = {}", quoted(gate)));
    format!(
        "SELECT recorded_at, verdict, gate, decision, dataset, dataset_version, baseline, baseline_version, candidate,
            candidate_version, prompt, prompt_revision, author
        FROM verdicts {of_gate} ORDER BY recorded_at DESC LIMIT {limit}"
    )
}

/// Reaches a verdict by what was run.
///
/// # Errors
/// When the dataset is not there, a rule of the gate cannot be used, or a query fails.
pub async fn reach(source: &impl Ask, request: &Request<'_>) -> Result<Reached, LedgerError> {
    let gate = request.gate;
    let pin: Pin = gate.dataset.to_string().parse().map_err(LedgerError::refused)?;
    let dataset = datasets::existing(source, &pin).await?;
    let scorers = scorers(gate, &dataset)?;
    let since = match request.since {
        Some(since) => since,
        None => trials::first_day(source, &dataset.name).await?,
    };
    let mut found = [Found::default(), Found::default()];
    let mut run = Run { dataset: &dataset, scorers: &scorers, trials: Vec::new(), told: Vec::new(), others: 0 };
    let mut notes = Vec::new();
    let sides = [Side::Baseline, Side::Candidate].into_iter().zip(request.sides).zip(request.said);
    for (((side, who), said), found) in sides.zip(&mut found) {
        let Some(who) = who else { continue };
        *found = trials::find(source, &dataset.name, who, since).await?;
        if is_of_another(source, found, said).await? {
            found.trials.clear();
            notes.push(another(gate, side));
        }
        run.read(source, side, found).await?;
    }
    let Run { trials, told, others, .. } = run;
    let cases: Vec<Case> =
        dataset.examples().map(|example| Case { id: example.id.clone(), tags: example.tags.clone() }).collect();
    let mut verdict = gate.decide(&Evidence { cases: &cases, trials: &trials, today: request.today });
    verdict.notes.extend(notes);
    if others > 0 {
        let words = if others == 1 { "1 result is" } else { &format!("{others} results are") };
        verdict.notes.push(format!("{words} of another revision of its example, and left out"));
    }
    verdict.notes.push(match request.since {
        Some(_) => format!("Trials of {since} and later were read, as asked for"),
        None => format!(
            "Trials of {since} and later were read, from the day before the dataset began; --since names another"
        ),
    });
    verdict.dataset = format!("{}@v{}", dataset.name, dataset.version);
    let id = uuid::Uuid::now_v7().to_string();
    let [baseline, candidate] = found;
    verdict.baseline_version = baseline.version.or_else(|| request.sides[0].and_then(Who::version));
    verdict.candidate_version = candidate.version.or_else(|| request.sides[1].and_then(Who::version));
    let [baseline_file, candidate_file] = request.said.map(|said| said.file.clone());
    let prompt = request.said[1].prompt.as_ref();
    let (prompt, prompt_revision) = prompt.map(|prompt| (prompt.name.clone(), prompt.revision)).unzip();
    let row = Row {
        verdict: id.clone(),
        gate: gate.name.clone(),
        decision: json!(verdict.decision).as_str().unwrap_or_default().to_owned(),
        dataset: dataset.name.clone(),
        dataset_version: dataset.version,
        baseline: verdict.baseline.clone(),
        baseline_version: verdict.baseline_version.clone(),
        baseline_replay: baseline.replay,
        baseline_file,
        candidate: verdict.candidate.clone(),
        candidate_version: verdict.candidate_version.clone(),
        candidate_replay: candidate.replay,
        candidate_file,
        prompt,
        prompt_revision,
        examples: i64::try_from(cases.len()).unwrap_or(i64::MAX),
        repetitions: i64::from(gate.repetitions),
        author: request.author.to_owned(),
        file: request.file.to_owned(),
        findings: json!(verdict.findings).to_string(),
        changes: json!(verdict.changes).to_string(),
        report: json!(verdict).to_string(),
        trials: json!(told).to_string(),
    };
    Ok(Reached { id, verdict, dataset, row })
}

/// What was run of both sides, as far as it counts.
struct Run<'a> {
    dataset: &'a Dataset,
    scorers: &'a Ready<'a>,
    trials: Vec<Trial>,
    /// The same as the verdict keeps them.
    told: Vec<serde_json::Value>,
    /// How many are of other revisions of their examples, and left out.
    others: usize,
}

impl Run<'_> {
    /// Reads what came of the trials that were `found` of a side.
    async fn read(&mut self, source: &impl Ask, side: Side, found: &mut Found) -> Result<(), LedgerError> {
        let before = found.trials.len();
        let holds = |trial: &trials::Place| match (trial.revision, self.dataset.get(&trial.example)) {
            (Some(revision), Some(example)) => revision == i64::from(example.revision),
            _ => true,
        };
        found.trials.retain(holds);
        self.others += before - found.trials.len();
        for result in trials::results(source, found.trials.clone()).await? {
            let trial = trial(&result, side, self.dataset, self.scorers);
            self.told.push(json!({
                "example": trial.example, "side": side, "repetition": trial.repetition,
                "trace_id": result.place.trace_id, "span_id": result.place.span_id,
                "latency_ns": result.place.duration_ns, "cost_usd": trial.cost.map(|cost| cost.to_string()),
                "scores": trial.scores.iter().map(|(name, score)| (name.clone(), score_json(score))).collect::<serde_json::Map<_, _>>(),
            }));
            self.trials.push(trial);
        }
        Ok(())
    }
}

/// Whether what was tried is not what its side says now.
async fn is_of_another(source: &impl Ask, found: &Found, said: &Said) -> Result<bool, LedgerError> {
    let (Some(hash), Some(trial)) = (said.hash(), found.trials.last()) else { return Ok(false) };
    Ok(trials::candidate_hash(source, trial).await?.is_some_and(|tried| tried != hash))
}

/// Tells that it was not, and what to do.
fn another(gate: &Gate, side: Side) -> String {
    let (side, contender) = match side {
        Side::Baseline => ("baseline", gate.baseline.as_ref()),
        Side::Candidate => ("candidate", Some(&gate.candidate)),
    };
    match contender {
        Some(Contender::Version(version)) => format!(
            "What was tried as the {side} is not what is on record as `{version}`, and is left out; give it a version \
             of its own"
        ),
        _ => format!("What was tried as the {side} is not what it says now, and is left out; replay it again"),
    }
}

/// A scorer by its name, made ready.
type Ready<'a> = BTreeMap<&'a str, (&'a Scored, Option<Scorer>)>;

fn scorers<'g>(gate: &'g Gate, dataset: &Dataset) -> Result<Ready<'g>, LedgerError> {
    let mut ready = Ready::new();
    for scored in &gate.scorers {
        let scorer = match &scored.source {
            Source::Rule(rule) => {
                let wrong = |reason: String| LedgerError::Refused(format!("scorer `{}`: {reason}", scored.name));
                let scorer = Scorer::new(rule.clone()).map_err(|error| wrong(error.to_string()))?;
                let is_wanted = |example: &&Example| {
                    scored.tags.is_empty() || example.tags.iter().any(|tag| scored.tags.contains(tag))
                };
                let expected = dataset.examples().filter(is_wanted).filter_map(|example| example.expected.as_ref());
                if let Some(absent) = scorer.absent(&expected.collect::<Vec<_>>()).first() {
                    let reason = format!("no expected answer has `{absent}`, so that every answer would be as good");
                    return Err(wrong(reason));
                }
                Some(scorer)
            }
            Source::Recorded(_) => None,
        };
        ready.insert(&scored.name, (scored, scorer));
    }
    Ok(ready)
}

fn trial(result: &trials::Result, side: Side, dataset: &Dataset, scorers: &Ready<'_>) -> Trial {
    let expected = dataset.get(&result.place.example).and_then(|example| example.expected.as_ref());
    let subject = Subject { answer: result.answer.as_ref(), expected, latency: result.latency, cost: result.cost };
    let score = |(scored, scorer): &(&Scored, Option<Scorer>)| match (scorer, &scored.source) {
        (Some(scorer), _) => scorer.score(&subject),
        (None, Source::Recorded(scale)) => match result.recorded.get(&scale.score).map(|score| score.value) {
            Some(Some(value)) => scale.read(value),
            Some(None) => Score::Unknown { reason: format!("`{}` was recorded without a number", scale.score) },
            None => Score::Unknown { reason: format!("no score `{}` was recorded", scale.score) },
        },
        (None, Source::Rule(_)) => Score::Unknown { reason: "the rule is not ready".to_owned() },
    };
    Trial {
        example: result.place.example.clone(),
        side,
        repetition: u32::try_from(result.place.repetition).unwrap_or_default(),
        answer: result.answer.clone(),
        latency: result.latency,
        cost: result.cost,
        scores: scorers.iter().map(|(name, ready)| ((*name).to_owned(), score(ready))).collect(),
    }
}

fn score_json(score: &Score) -> serde_json::Value {
    match score {
        Score::Known { value, passed, explanation } => {
            json!({ "value": value, "passed": passed, "explanation": explanation })
        }
        Score::Unknown { reason } => json!({ "unknown": reason }),
    }
}

impl<A: Ask> Ledger<A> {
    /// Keeps a verdict.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn keep(&self, reached: &Reached) -> Result<(), LedgerError> {
        let rows = std::slice::from_ref(&reached.row);
        self.append("verdicts", rows, format!("verdict:{}", reached.id), 1).await?;
        Ok(())
    }
}
