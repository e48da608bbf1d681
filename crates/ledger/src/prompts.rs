//! Prompts on record.

use serde::Deserialize;
use tracewell_regression::dataset::{Signed, check_name};
use tracewell_regression::prompt::{Origin, Prompt, PromptFile};
use tracewell_runs::{Ask, rows};

use crate::ledger::MOST_TRIES;
use crate::{Ledger, LedgerError};
use tracewell_runs::sql::quoted;

const COLUMNS: &str = "name, revision, version, author, note, template, variables, parameters, routing, policy, owner,
    reviewers, approvals, purpose, thresholds, source, commit, content_hash, routing_hash, policy_hash";

/// SQL that lists all prompts, with where their last revision is live.
pub const LIST: &str = "SELECT p.name, p.revision, p.version, p.owner, p.purpose, p.recorded_at, p.author,
        l.live
    FROM (
        SELECT *, row_number() OVER (PARTITION BY name ORDER BY revision DESC) AS last FROM prompts
    ) AS p
    LEFT JOIN (
        SELECT prompt, string_agg(environment || ': ' || CAST(revision AS text), ', ' ORDER BY environment) AS live
        FROM live_releases WHERE live_until IS NULL GROUP BY prompt
    ) AS l ON l.prompt = p.name
    WHERE p.last = 1 ORDER BY p.name";

/// SQL that lists the prompts in traffic that nobody registered.
pub const UNREGISTERED: &str =
    "SELECT u.prompt_name, u.prompt_version, sum(u.call_count) AS calls, max(u.last_time) AS last_seen
    FROM prompt_usage AS u
    LEFT JOIN prompts AS p ON p.name = u.prompt_name AND (u.prompt_version IS NULL OR p.version = u.prompt_version)
    WHERE u.prompt_name IS NOT NULL AND p.name IS NULL
    GROUP BY u.prompt_name, u.prompt_version ORDER BY calls DESC, u.prompt_name, u.prompt_version";

/// SQL that lists the revisions of a prompt, the latest first.
#[must_use]
pub fn history(name: &str) -> String {
    format!(
        "SELECT revision, version, recorded_at, author, note, source, commit FROM prompts WHERE name = {}
        ORDER BY revision DESC",
        quoted(name)
    )
}

/// A prompt as `NAME`, for its latest revision, or `NAME@REVISION`, or `NAME@VERSION`.
///
/// # Errors
/// When there is none, or a query fails.
pub async fn get(source: &impl Ask, wanted: &str) -> Result<Prompt, LedgerError> {
    let (name, version) = match wanted.rsplit_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (wanted, None),
    };
    let which = version.map_or_else(String::new, |version| {
        format!(" AND (CAST(revision AS text) = {0} OR version = {0})", quoted(version))
    });
    let query =
        format!("SELECT {COLUMNS} FROM prompts WHERE name = {}{which} ORDER BY revision DESC LIMIT 1", quoted(name));
    let found = rows::<Prompt>(source, &query).await?.pop();
    match found {
        Some(prompt) => Ok(prompt),
        None => Err(LedgerError::NotFound(missing(source, name, version).await?)),
    }
}

/// A revision, and the commit that it was taken from.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "columns of the published schema")]
pub struct OfCommit {
    pub name: String,
    pub revision: i64,
    pub commit: String,
}

/// The revisions that were taken from commits, in their order.
///
/// # Errors
/// When a query fails.
pub async fn of_commits(source: &impl Ask) -> Result<Vec<OfCommit>, LedgerError> {
    let query = "SELECT name, revision, commit FROM prompts WHERE commit IS NOT NULL ORDER BY name, revision";
    Ok(rows(source, query).await?)
}

async fn missing(source: &impl Ask, name: &str, version: Option<&str>) -> Result<String, LedgerError> {
    #[derive(Deserialize)]
    struct Row {
        last: Option<i64>,
    }
    let query = format!("SELECT max(revision) AS last FROM prompts WHERE name = {}", quoted(name));
    let last = rows::<Row>(source, &query).await?.pop().and_then(|row| row.last);
    Ok(match (last, version) {
        (Some(last), Some(version)) => {
            format!("`{name}` has no revision or version `{version}`; its latest revision is {last}")
        }
        _ => format!("no prompt `{name}` is on record; `tracewell prompt list` shows those that are"),
    })
}

impl<A: Ask> Ledger<A> {
    /// Records a prompt; `None` where its last revision says the same.
    ///
    /// # Errors
    /// When the tables cannot be read or written.
    pub async fn add_prompt(
        &self,
        file: &PromptFile,
        signed: &Signed,
        origin: &Origin,
    ) -> Result<Option<Prompt>, LedgerError> {
        let name = file.name.clone().unwrap_or_default();
        check_name(&name).map_err(LedgerError::refused)?;
        for _ in 0..MOST_TRIES {
            let last = match get(&self.source, &name).await {
                Ok(last) => Some(last),
                Err(LedgerError::NotFound(_)) => None,
                Err(error) => return Err(error),
            };
            let Some(next) = file.next(last.as_ref(), signed, origin) else { return Ok(None) };
            let rows = std::slice::from_ref(&next);
            if self.append("prompts", rows, format!("prompt:{name}"), next.revision).await? {
                return Ok(Some(next));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }
}
