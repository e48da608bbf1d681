//! Prompts on record.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracewell_regression::dataset::{Signed, check_name};
use tracewell_regression::prompt::{Kind, Origin, Prompt, PromptFile};
use tracewell_runs::{Ask, rows};

use crate::ledger::MOST_TRIES;
use crate::{Ledger, LedgerError};
use tracewell_runs::sql::quoted;

const COLUMNS: &str = "name, revision, version, author, note, template, variables, parameters, routing, policy, owner,
    reviewers, approvals, purpose, thresholds, source, commit, content_hash, routing_hash, policy_hash, kind";

/// SQL that lists all prompts, with where their last revision is live.
pub const LIST: &str = "SELECT p.name, p.revision, p.version, p.owner, p.purpose, p.recorded_at, p.author,
        l.live, coalesce(p.kind, 'prompt') AS kind
    FROM (
        SELECT *, row_number() OVER (PARTITION BY name ORDER BY revision DESC) AS last FROM prompts
    ) AS p
    LEFT JOIN (
        SELECT prompt, string_agg(environment || ': ' || CAST(revision AS text), ', ' ORDER BY environment) AS live
        FROM live_releases WHERE live_until IS NULL GROUP BY prompt
    ) AS l ON l.prompt = p.name
    WHERE p.last = 1 ORDER BY p.name";

/// SQL that lists the prompts in traffic that nobody registered. Calls that name no prompt go by `prompt_shape`, the hash of
/// their instructions with dates, numbers and ids masked.
pub const UNREGISTERED: &str = "SELECT u.prompt_name, u.prompt_version, u.prompt_shape,
        string_agg(DISTINCT u.service, ', ' ORDER BY u.service) AS services, sum(u.call_count) AS calls,
        max(u.last_time) AS last_seen
    FROM prompt_usage AS u
    LEFT JOIN prompts AS p ON p.name = u.prompt_name AND (u.prompt_version IS NULL OR p.version = u.prompt_version)
    WHERE p.name IS NULL
    GROUP BY u.prompt_name, u.prompt_version, u.prompt_shape
    ORDER BY calls DESC, u.prompt_name, u.prompt_version, u.prompt_shape";

/// SQL that lists the revisions of a prompt, the latest first.
#[must_use]
pub fn history(name: &str) -> String {
    format!(
        "SELECT revision, version, recorded_at, author, note, source, commit FROM prompts WHERE name = {}
        ORDER BY revision DESC",
        quoted(name)
    )
}

/// A prompt in its latest revision.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns of `LIST`")]
pub struct Listed {
    pub name: String,
    pub revision: i64,
    pub version: String,
    pub owner: Option<String>,
    pub purpose: Option<String>,
    pub recorded_at: String,
    pub author: String,
    pub live: Option<String>,
    pub kind: Kind,
}

/// All prompts, with where their revisions are live.
///
/// # Errors
/// When a query fails.
pub async fn list(source: &impl Ask) -> Result<Vec<Listed>, LedgerError> {
    Ok(rows(source, LIST).await?)
}

/// A prompt in traffic that nobody registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns of `UNREGISTERED`")]
pub struct Unregistered {
    pub prompt_name: Option<String>,
    pub prompt_version: Option<String>,
    pub prompt_shape: Option<String>,
    pub services: Option<String>,
    pub calls: i64,
    pub last_seen: String,
}

/// The prompts in traffic that nobody registered.
///
/// # Errors
/// When a query fails.
pub async fn unregistered(source: &impl Ask) -> Result<Vec<Unregistered>, LedgerError> {
    Ok(rows(source, UNREGISTERED).await?)
}

/// All revisions of a prompt, the latest first.
///
/// # Errors
/// When there is none, or a query fails.
pub async fn revisions(source: &impl Ask, name: &str) -> Result<Vec<Prompt>, LedgerError> {
    let query = format!("SELECT {COLUMNS} FROM prompts WHERE name = {} ORDER BY revision DESC", quoted(name));
    let found = rows::<Prompt>(source, &query).await?;
    if found.is_empty() {
        return Err(LedgerError::NotFound(missing(source, name, None).await?));
    }
    Ok(found)
}

/// What differs between two revisions.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Difference {
    pub before: Prompt,
    pub after: Prompt,
    /// What calls depend on.
    pub changed: Vec<String>,
    /// What governs releases.
    pub governance: Vec<String>,
}

/// What differs between two revisions.
///
/// # Errors
/// When there is not one of each, or a query fails.
pub async fn difference(source: &impl Ask, before: &str, after: &str) -> Result<Difference, LedgerError> {
    let (before, after) = futures::try_join!(get(source, before), get(source, after))?;
    let (changed, governance) = (after.changes(Some(&before)), after.governance(&before));
    Ok(Difference { before, after, changed, governance })
}

/// A prompt as `NAME`, for its latest revision, `NAME@REVISION` or `NAME@VERSION`. Where that can mean several,
/// `NAME@revision:3` and `NAME@version:3` say which is meant.
///
/// # Errors
/// When there is none, or it cannot be told which is meant, or a query fails.
pub async fn get(source: &impl Ask, wanted: &str) -> Result<Prompt, LedgerError> {
    let (name, which) = match wanted.rsplit_once('@') {
        Some((name, which)) => (name, Some(which)),
        None => (wanted, None),
    };
    let restriction = match which.map(|which| (which, which.split_once(':'))) {
        None => " ORDER BY revision DESC LIMIT 1".to_owned(),
        Some((_, Some(("revision", number)))) => format!(" AND CAST(revision AS text) = {}", quoted(number)),
        Some((_, Some(("version", version)))) => format!(" AND version = {}", quoted(version)),
        Some((either, _)) => format!(" AND (CAST(revision AS text) = {0} OR version = {0})", quoted(either)),
    };
    let query = format!("SELECT {COLUMNS} FROM prompts WHERE name = {}{restriction}", quoted(name));
    let found = rows::<Prompt>(source, &query).await?;
    match meant(found, which.unwrap_or_default()).map_err(LedgerError::Refused)? {
        Some(prompt) => Ok(prompt),
        None => Err(LedgerError::NotFound(missing(source, name, which).await?)),
    }
}

/// Exactly that revision of a prompt.
///
/// # Errors
/// When there is none, or a query fails.
pub async fn revision(source: &impl Ask, name: &str, number: i64) -> Result<Prompt, LedgerError> {
    get(source, &format!("{name}@revision:{number}")).await
}

/// The prompt on record of what trials are marked with, `NAME@VERSION`; `None` where there is none, or several differ.
///
/// # Errors
/// When a query fails.
pub async fn of_version(source: &impl Ask, marked: &str) -> Result<Option<Prompt>, LedgerError> {
    let Some((name, version)) = marked.rsplit_once('@') else { return Ok(None) };
    match get(source, &format!("{name}@version:{version}")).await {
        Ok(prompt) => Ok(Some(prompt)),
        Err(LedgerError::NotFound(_) | LedgerError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The latest of revisions that go by one version and send the same; an error where it is not certain that one of them is
/// meant.
fn meant(mut found: Vec<Prompt>, which: &str) -> Result<Option<Prompt>, String> {
    found.sort_by_key(|prompt| prompt.revision);
    let Some(last) = found.pop() else { return Ok(None) };
    let is_other = |prompt: &Prompt| prompt.revision.to_string() == which || !prompt.changes(Some(&last)).is_empty();
    if last.revision.to_string() == which && !found.is_empty() || found.iter().any(is_other) {
        let numbers: Vec<String> =
            found.iter().chain([&last]).map(|prompt| format!("{}@revision:{}", prompt.name, prompt.revision)).collect();
        return Err(format!("`{}@{which}` can mean several; write one of {}", last.name, numbers.join(", ")));
    }
    Ok(Some(last))
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
        file.check().map_err(LedgerError::Refused)?;
        for _ in 0..MOST_TRIES {
            let last = match get(&self.source, &name).await {
                Ok(last) => Some(last),
                Err(LedgerError::NotFound(_)) => None,
                Err(error) => return Err(error),
            };
            if let Some(last) = last.as_ref().filter(|last| last.kind != file.kind) {
                let (is, wanted) = (json!(last.kind), json!(file.kind));
                return Err(LedgerError::Refused(format!("`{name}` is on record as {is}, and cannot be {wanted}")));
            }
            let Some(next) = file.next(last.as_ref(), signed, origin) else { return Ok(None) };
            self.check_version(&next).await?;
            let rows = std::slice::from_ref(&next);
            if self.append("prompts", rows, format!("prompt:{name}"), next.revision).await? {
                return Ok(Some(next));
            }
        }
        Err(LedgerError::Crowded(MOST_TRIES))
    }

    /// What spans report tells one text from another: a version is not given to a second one.
    async fn check_version(&self, next: &Prompt) -> Result<(), LedgerError> {
        let query = format!(
            "SELECT {COLUMNS} FROM prompts WHERE name = {} AND version = {} ORDER BY revision",
            quoted(&next.name),
            quoted(&next.version)
        );
        let before = rows::<Prompt>(&self.source, &query).await?;
        match before.iter().find(|before| !next.changes(Some(before)).is_empty()) {
            None => Ok(()),
            Some(before) => Err(LedgerError::Refused(format!(
                "version `{}` of `{}` is on record as revision {}, with other {}; give this one a version of its own",
                next.version,
                next.name,
                before.revision,
                next.changes(Some(before)).join(", ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(revision: i64, version: &str, text: &str) -> Prompt {
        Prompt {
            name: "helper".to_owned(),
            revision,
            version: version.to_owned(),
            content_hash: text.to_owned(),
            ..Prompt::default()
        }
    }

    #[test]
    fn a_number_means_one_revision_or_nobody_can_tell() {
        let number = |found: Vec<Prompt>, which: &str| meant(found, which).map(|prompt| prompt.map(|one| one.revision));
        assert_eq!(number(vec![], "3"), Ok(None));
        assert_eq!(number(vec![prompt(3, "3", "a")], "3"), Ok(Some(3)));
        // The fourth only has another owner.
        assert_eq!(number(vec![prompt(4, "x", "a"), prompt(3, "x", "a")], "x"), Ok(Some(4)));
        let several = "`helper@3` can mean several; write one of helper@revision:3, helper@revision:7".to_owned();
        assert_eq!(number(vec![prompt(7, "3", "b"), prompt(3, "3", "a")], "3"), Err(several.clone()));
        // Even where both send the same: approvals are of one of them.
        assert_eq!(number(vec![prompt(7, "3", "a"), prompt(3, "3", "a")], "3"), Err(several));
        assert!(number(vec![prompt(3, "7", "a"), prompt(7, "8", "b")], "7").unwrap_err().contains("several"));
        assert!(number(vec![prompt(5, "x", "a"), prompt(6, "x", "b")], "version:x").unwrap_err().contains("several"));
    }
}
