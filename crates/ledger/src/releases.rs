//! The ledger of releases, beside what the traffic shows.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tracewell_regression::candidate::Candidate;
use tracewell_regression::dataset::{Signed, check_name};
use tracewell_regression::gate::{Contender, Finding};
use tracewell_regression::prompt::Prompt;
use tracewell_regression::release::{self, Entry, Evidence, Move, State, Step};
use tracewell_runs::{Ask, rows};

mod status;

pub use status::{Status, status};

use crate::ledger::MOST_TRIES;
use crate::trials::Who;
use crate::{Ledger, LedgerError, prompts};
use tracewell_runs::sql::quoted;

/// SQL that lists every step, the latest first.
#[must_use]
pub fn log(prompt: Option<&str>) -> String {
    let of_prompt = prompt.map_or_else(String::new, |prompt| format!("WHERE prompt = {}", quoted(prompt)));
    format!(
        "SELECT effective_at, prompt, environment, revision, version, step, state, author, why, replaces, change, verdict,
            decision, forced, recorded_at, coalesce(kind, 'prompt') AS kind
        FROM releases {of_prompt} ORDER BY recorded_at DESC, prompt, entry DESC, state"
    )
}

const ENTRIES: &str = "SELECT prompt, entry, environment, revision, version, step, state,
        effective_at, author, why, replaces, change, verdict, decision, approvals, forced, kind
    FROM releases";

/// The ledger of one prompt.
///
/// # Errors
/// When a query fails.
pub async fn of(source: &impl Ask, prompt: &str) -> Result<release::Ledger, LedgerError> {
    let query = format!("{ENTRIES} WHERE prompt = {}", quoted(prompt));
    Ok(release::Ledger::new(rows::<Entry>(source, &query).await?))
}

/// The revision of a prompt that is live in an environment.
///
/// # Errors
/// When none is, or a query fails.
pub async fn live(source: &impl Ask, prompt: &str, environment: &str) -> Result<Prompt, LedgerError> {
    match of(source, prompt).await?.live(environment) {
        Some(live) => prompts::revision(source, prompt, live.revision).await,
        None => Err(LedgerError::NotFound(format!("nothing of `{prompt}` is live in {environment}"))),
    }
}

/// Every step, of one prompt or of all, the latest first.
///
/// # Errors
/// When a query fails.
pub async fn entries(source: &impl Ask, prompt: Option<&str>) -> Result<Vec<Entry>, LedgerError> {
    let of_prompt = prompt.map_or_else(String::new, |prompt| format!("WHERE prompt = {}", quoted(prompt)));
    let query = format!("{ENTRIES} {of_prompt} ORDER BY recorded_at DESC, prompt, entry DESC, state");
    Ok(rows(source, &query).await?)
}

/// What a webhook is told of a rollback: what was rolled back, and what is live again, whole.
#[must_use]
pub fn rollback_event(entries: &[Entry], live: &Prompt) -> Option<Value> {
    let ended = entries.iter().find(|entry| entry.state == State::RolledBack)?;
    Some(json!({
        "event": "rollback", "prompt": live.name, "environment": ended.environment, "author": ended.author,
        "why": ended.why, "at": ended.effective_at,
        "rolled_back": { "revision": ended.revision, "version": ended.version }, "live": live.whole(),
    }))
}

/// A verdict as it is kept.
#[derive(Deserialize)]
struct Kept {
    verdict: String,
    decision: String,
    candidate: String,
    candidate_version: Option<String>,
    candidate_file: Option<String>,
    prompt: Option<String>,
    prompt_revision: Option<i64>,
    reached_at: String,
    findings: String,
}

/// The prompt on record that a verdict is on. A version is looked up by its name: it may have been recorded after it was
/// tried, and verdicts of before took its number for a revision's.
async fn tried(source: &impl Ask, kept: &Kept) -> Result<Option<Prompt>, LedgerError> {
    if let (true, Some(prompt), Some(revision)) =
        (kept.candidate.starts_with("prompt:"), &kept.prompt, kept.prompt_revision)
    {
        return Ok(Some(prompts::revision(source, prompt, revision).await?));
    }
    let Some(version) = kept.candidate_version.as_deref().or(kept.candidate.strip_prefix("version:")) else {
        return Ok(None);
    };
    let prompt = prompts::of_version(source, version).await?;
    // A file that calls itself so, and says something else, is something else.
    Ok(prompt.filter(|prompt| kept.candidate_file.as_deref().is_none_or(|file| is_of_file(prompt, file))))
}

fn is_of_file(prompt: &Prompt, file: &str) -> bool {
    let (Ok(recorded), Ok(tried)) = (Candidate::of_prompt(prompt), Candidate::parse(file)) else { return false };
    recorded.fingerprint() == tried.fingerprint()
}

/// A verdict by its id or the beginning of it.
///
/// # Errors
/// When there is none, or several, or a query fails.
pub async fn evidence(source: &impl Ask, id: &str) -> Result<Evidence, LedgerError> {
    if id.trim().is_empty() {
        return Err(LedgerError::Refused("a verdict is named by its id, or the beginning of it".to_owned()));
    }
    let query = format!(
        "SELECT verdict, decision, candidate, candidate_version, candidate_file, prompt, prompt_revision,
            recorded_at AS reached_at, findings
        FROM verdicts WHERE starts_with(verdict, {}) ORDER BY verdict LIMIT 2",
        quoted(id)
    );
    let mut found: Vec<Kept> = rows(source, &query).await?;
    let row = match (found.pop(), found.pop()) {
        (Some(row), None) => row,
        (None, _) => {
            return Err(LedgerError::NotFound(format!(
                "there is no verdict `{id}`; `tracewell gate --list` shows them"
            )));
        }
        _ => return Err(LedgerError::Refused(format!("several verdicts begin with `{id}`; give more of it"))),
    };
    let tried = tried(source, &row).await?;
    let findings: Vec<Finding> = serde_json::from_str(&row.findings).map_err(LedgerError::unreadable)?;
    let Kept { verdict, decision, candidate, reached_at, .. } = row;
    Ok(Evidence { verdict, decision, candidate, tried, reached_at, measured: release::measured(&findings) })
}

/// Whose trials stand for what is live, or for another contender. `name` is what its own trials are marked with; for what
/// is live those of the candidate, which tell the prompt that is meant.
///
/// # Errors
/// When nothing is live, or it cannot be told of which prompt, or a query fails.
pub async fn who(source: &impl Ask, contender: &Contender, name: &str) -> Result<Who, LedgerError> {
    let environment = match contender {
        Contender::Run(replay) => return Ok(Who::Replay(replay.clone())),
        Contender::Version(version) => return Ok(Who::Candidate(version.clone())),
        Contender::Prompt(_) | Contender::File(_) => return Ok(Who::Candidate(name.to_owned())),
        Contender::Live(environment) => environment,
    };
    let Some((prompt, _)) = name.rsplit_once('@') else {
        return Err(LedgerError::Refused(format!(
            "which prompt is live is asked of the candidate, and `{name}` names none; call it NAME@VERSION"
        )));
    };
    let ledger = of(source, prompt).await?;
    let environments: Vec<&str> = match environment {
        Some(environment) => vec![environment],
        None => ledger.environments().into_iter().filter(|one| ledger.live(one).is_some()).collect(),
    };
    match environments[..] {
        [environment] => match ledger.live(environment) {
            Some(live) => Ok(Who::Candidate(format!("{prompt}@{}", live.version))),
            None => Err(LedgerError::NotFound(format!("nothing of `{prompt}` is live in {environment}"))),
        },
        [] => Err(LedgerError::NotFound(format!("nothing of `{prompt}` is live anywhere"))),
        _ => Err(LedgerError::Refused(format!(
            "`{prompt}` is live in several environments; write live:NAME with one of {}",
            environments.join(", ")
        ))),
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "as in `release::Move`")]
pub struct Request<'a> {
    pub step: Step,
    /// `NAME@REVISION`; for a rollback the name is enough, and a revision has to be the one that is live.
    pub prompt: &'a str,
    pub environment: &'a str,
    pub signed: &'a Signed,
    /// Since when it holds; now by default.
    pub at: Option<DateTime<Utc>>,
    /// The id of a verdict.
    pub verdict: Option<&'a str>,
    pub forced: bool,
}

impl<A: Ask> Ledger<A> {
    /// Takes a step, and gives its entries and the prompt that they lead to.
    ///
    /// # Errors
    /// When it may not be taken, or the tables cannot be read or written.
    pub async fn step(&self, request: &Request<'_>) -> Result<(Vec<Entry>, Prompt), LedgerError> {
        check_name(request.environment).map_err(|error| LedgerError::Refused(format!("environment: {error}")))?;
        let now = DateTime::from_timestamp_nanos(self.now());
        if let Some(at) = request.at.filter(|at| *at > now) {
            let reason = format!("{at} is yet to come; the record says what happened, so record it when it has");
            return Err(LedgerError::Refused(reason));
        }
        let prompt = prompts::get(&self.source, request.prompt).await?;
        let known = prompts::revisions(&self.source, &prompt.name).await?;
        for _ in 0..MOST_TRIES {
            let ledger = of(&self.source, &prompt.name).await?;
            if let (Step::Rollback, true, Some(live)) =
                (request.step, request.prompt.contains('@'), ledger.live(request.environment))
                && live.revision != prompt.revision
            {
                return Err(LedgerError::Refused(format!(
                    "`{0}@{1}` is not live in {2}, but `{0}@{3}` is",
                    prompt.name, prompt.revision, request.environment, live.revision
                )));
            }
            let evidence = match (request.step, request.verdict, ledger.named(request.environment, prompt.revision)) {
                (Step::Rollback, ..) | (_, None, None) => None,
                (_, Some(id), _) => Some(evidence(&self.source, id).await?),
                // Ledgers of before took verdicts on anything.
                (_, None, Some(id)) => {
                    Some(evidence(&self.source, id).await?).filter(|named| named.is_of(&prompt).is_ok())
                }
            };
            let live = match ledger.live(request.environment) {
                Some(live) => Some(prompts::revision(&self.source, &prompt.name, live.revision).await?),
                None => None,
            };
            // Where the clock of whoever wrote last is ahead, now is no earlier than that.
            let since = ledger.since(request.environment).map(|since| since.to_utc());
            let at = request.at.unwrap_or_else(|| since.map_or(now, |since| since.max(now)));
            let asked = Move {
                step: request.step,
                prompt: &prompt,
                live: live.as_ref(),
                known: &known,
                environment: request.environment,
                signed: request.signed,
                effective_at: &at.to_rfc3339_opts(SecondsFormat::Micros, true),
                evidence: evidence.as_ref(),
                forced: request.forced,
            };
            let mut entries = ledger.step(&asked).map_err(LedgerError::Refused)?;
            let leads_to = match entries.last() {
                Some(last) if last.revision != prompt.revision => {
                    prompts::revision(&self.source, &prompt.name, last.revision).await?
                }
                _ => prompt.clone(),
            };
            let change = leads_to.changes(live.as_ref());
            entries.iter_mut().for_each(|entry| entry.change.clone_from(&change));
            let app = format!("release:{}", prompt.name);
            if self.append("releases", &entries, app, ledger.next_number()).await? {
                return Ok((entries, leads_to));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }
}
