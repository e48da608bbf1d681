//! What is live where, by the ledger and by the traffic.

use serde::{Deserialize, Serialize};
use tracewell_regression::prompt::Kind;
use tracewell_runs::sql::quoted;
use tracewell_runs::{Ask, rows};

use crate::LedgerError;

/// What is live somewhere, by the ledger and by the traffic.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Status {
    pub kind: Kind,
    /// The name of the prompt or workflow.
    pub prompt: String,
    pub environment: String,
    /// By the ledger.
    pub live: Option<String>,
    pub since: Option<String>,
    /// Who made it live without the approvals or the verdict that it needs, and why; absent where nobody did.
    pub forced: Option<String>,
    /// By the traffic: the version of the last call.
    pub seen: Option<String>,
    pub last_seen: Option<String>,
    /// Calls in the time that was looked at, or runs of a workflow, of the version that is live and of others.
    pub calls: i64,
    pub other_calls: i64,
    /// Whether both say the same, and what does not fit.
    pub agreement: String,
}

#[derive(Deserialize)]
struct Seen {
    kind: Kind,
    prompt: String,
    environment: Option<String>,
    version: Option<String>,
    calls: i64,
    last_seen: String,
}

#[derive(Deserialize)]
struct Live {
    kind: Kind,
    prompt: String,
    environment: String,
    version: String,
    live_from: String,
    /// Who made it live without what it needs, and why.
    forced_by: Option<String>,
    forced_why: Option<String>,
}

impl Live {
    fn forced(&self) -> Option<String> {
        let why = self.forced_why.as_deref().unwrap_or("(no reason)");
        self.forced_by.as_ref().map(|author| format!("by {author}: {why}"))
    }
}

/// What is live where, by the ledger and by the traffic since `since` (SQL for a moment).
///
/// # Errors
/// When a query fails.
pub async fn status(source: &impl Ask, prompt: Option<&str>, since: &str) -> Result<Vec<Status>, LedgerError> {
    let of = |column: &str| prompt.map_or_else(String::new, |prompt| format!(" AND {column} = {}", quoted(prompt)));
    // What a rollback made live again has what it needs no more than when it went live the last time.
    let live = format!(
        "SELECT kind, prompt, environment, version, live_from, forced_by, forced_why
        FROM live_releases
        LEFT JOIN (
            SELECT of_prompt, of_environment, of_revision, forced_by, forced_why FROM (
                SELECT prompt AS of_prompt, environment AS of_environment, revision AS of_revision,
                    author AS forced_by, why AS forced_why, forced AS was_forced,
                    row_number() OVER (PARTITION BY prompt, environment, revision ORDER BY entry DESC) AS place
                FROM releases WHERE step = 'live'
            ) AS steps
            WHERE place = 1 AND was_forced
        ) AS forcing
        ON of_prompt = prompt AND of_environment = environment AND of_revision = revision
        WHERE live_until IS NULL{} ORDER BY prompt, environment",
        of("prompt")
    );
    // Trials are no traffic. Applications call much a workflow: those that are on record are looked at.
    let seen = format!(
        "SELECT * FROM (
            SELECT 'prompt' AS kind, prompt_name AS prompt, environment, prompt_version AS version, count(*) AS calls,
                max(start_time) AS last_seen
            FROM llm_calls
            WHERE date >= CAST({since} AS date) AND start_time >= {since} AND prompt_name IS NOT NULL
                AND is_trial IS NOT TRUE{}
            GROUP BY prompt_name, environment, prompt_version
            UNION ALL
            SELECT 'workflow', workflow_name, environment, workflow_version, count(*), max(start_time)
            FROM traces
            WHERE date >= CAST({since} AS date) AND start_time >= {since} AND is_trial IS NOT TRUE
                AND workflow_name IN (SELECT name FROM prompts WHERE kind = 'workflow'){}
            GROUP BY workflow_name, environment, workflow_version
        ) AS seen ORDER BY last_seen DESC",
        of("prompt_name"),
        of("workflow_name")
    );
    let (live, seen) = futures::try_join!(rows::<Live>(source, &live), rows::<Seen>(source, &seen))?;
    Ok(beside(&live, &seen))
}

/// Each release with its traffic, then the traffic that is of none.
fn beside(live: &[Live], seen: &[Seen]) -> Vec<Status> {
    // Traffic that does not say where it is, is of the only place where the prompt is live.
    let is_here = |seen: &Seen, one: &Live| match &seen.environment {
        _ if seen.kind != one.kind || seen.prompt != one.prompt => false,
        Some(environment) => *environment == one.environment,
        None => live.iter().filter(|other| other.prompt == one.prompt).count() == 1,
    };
    let of = |one: &Live| known(one, &seen.iter().filter(|seen| is_here(seen, one)).collect::<Vec<_>>());
    let mut all: Vec<Status> = live.iter().map(of).collect();
    let elsewhere = seen.iter().filter(|seen| !live.iter().any(|one| is_here(seen, one)));
    all.extend(elsewhere.map(|seen| unknown(seen, live)));
    all
}

/// What is live by the ledger, and what the traffic there says, the latest first.
fn known(one: &Live, here: &[&Seen]) -> Status {
    let is_live = |seen: &&&Seen| seen.version.as_deref() == Some(&one.version);
    let calls = here.iter().filter(is_live).map(|seen| seen.calls).sum();
    let all_calls: i64 = here.iter().map(|seen| seen.calls).sum();
    let last = here.first();
    let version = |seen: &&Seen| seen.version.clone().unwrap_or_else(|| "(unsaid)".to_owned());
    Status {
        kind: one.kind,
        prompt: one.prompt.clone(),
        environment: one.environment.clone(),
        live: Some(one.version.clone()),
        since: Some(one.live_from.clone()),
        forced: one.forced(),
        seen: last.map(version),
        last_seen: last.map(|last| last.last_seen.clone()),
        calls,
        other_calls: all_calls - calls,
        agreement: match last {
            None => "no traffic".to_owned(),
            Some(last) if last.version.as_deref() != Some(&one.version) => {
                format!("the traffic says {}", version(last))
            }
            Some(_) if all_calls > calls => "agrees by now; other versions were seen".to_owned(),
            Some(_) => "agrees".to_owned(),
        },
    }
}

/// What the traffic shows where nothing is live by the ledger.
fn unknown(seen: &Seen, live: &[Live]) -> Status {
    let places: Vec<&str> = live
        .iter()
        .filter(|one| one.kind == seen.kind && one.prompt == seen.prompt)
        .map(|one| one.environment.as_str())
        .collect();
    let agreement = match (&seen.environment, &places[..]) {
        (_, []) => "in traffic, and no release is recorded".to_owned(),
        (Some(_), places) => {
            format!("in traffic here, and no release is recorded but in {}", places.join(", "))
        }
        (None, places) => format!("the traffic does not say where it is; live in {}", places.join(", ")),
    };
    Status {
        kind: seen.kind,
        prompt: seen.prompt.clone(),
        environment: seen.environment.clone().unwrap_or_default(),
        seen: seen.version.clone(),
        last_seen: Some(seen.last_seen.clone()),
        other_calls: seen.calls,
        agreement,
        ..Status::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(environment: &str) -> Live {
        Live {
            kind: Kind::Prompt,
            prompt: "helper".to_owned(),
            environment: environment.to_owned(),
            version: "2".to_owned(),
            live_from: "2026-11-20T10:00:00Z".to_owned(),
            forced_by: None,
            forced_why: None,
        }
    }

    fn seen(environment: Option<&str>, version: &str, calls: i64) -> Seen {
        Seen {
            kind: Kind::Prompt,
            prompt: "helper".to_owned(),
            environment: environment.map(str::to_owned),
            version: Some(version.to_owned()),
            calls,
            last_seen: "2026-11-20T11:00:00Z".to_owned(),
        }
    }

    /// Environment, calls of what is live and of others, agreement.
    fn told(live: &[Live], seen: &[Seen]) -> Vec<(String, i64, i64, String)> {
        let all = beside(live, seen);
        all.into_iter().map(|one| (one.environment, one.calls, one.other_calls, one.agreement)).collect()
    }

    #[test]
    fn traffic_where_nothing_is_live_is_told() {
        let only = told(&[live("production")], &[seen(Some("staging"), "3", 7), seen(None, "2", 5)]);
        let here = "in traffic here, and no release is recorded but in production";
        assert_eq!(
            only,
            [("production".to_owned(), 5, 0, "agrees".to_owned()), ("staging".to_owned(), 0, 7, here.to_owned())]
        );
        let both = told(&[live("production"), live("staging")], &[seen(None, "2", 5), seen(Some("staging"), "3", 7)]);
        let unsaid = "the traffic does not say where it is; live in production, staging";
        assert_eq!(
            both,
            [
                ("production".to_owned(), 0, 0, "no traffic".to_owned()),
                ("staging".to_owned(), 0, 7, "the traffic says 3".to_owned()),
                (String::new(), 0, 5, unsaid.to_owned()),
            ]
        );
        let none = told(&[], &[seen(None, "2", 5)]);
        assert_eq!(none, [(String::new(), 0, 5, "in traffic, and no release is recorded".to_owned())]);
    }
}
