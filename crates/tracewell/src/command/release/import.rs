//! `tracewell release import`: what was live when, as a git history tells it.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::ensure;
use chrono::{DateTime, Utc};
use clap::Args;
use tracewell_blocks::counted;
use tracewell_ledger::prompts;
use tracewell_ledger::releases::{self, Request};
use tracewell_regression::dataset::Signed;
use tracewell_regression::release::Step;

use super::super::git;
use super::super::source::Asked;

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    asked: Asked,
    /// The folder of prompt files, in its git repository
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The environment that the history was live in
    #[arg(long = "in", value_name = "ENVIRONMENT", default_value = "production")]
    environment: String,
    /// What these tags hold was live, each from its date on; otherwise every commit, from when it was committed
    #[arg(long, value_name = "PATTERN")]
    tags: Option<String>,
}

/// A revision that went live.
struct Live {
    prompt: String,
    revision: i64,
    signed: Signed,
    at: DateTime<Utc>,
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let ledger = self.asked.ledger().await?;
        let all = self.live(&prompts::of_commits(&ledger.source).await?)?;
        ensure!(
            !all.is_empty(),
            "nothing of this history is on record; `tracewell prompt sync {} --history` records its prompts first",
            self.folder.display()
        );
        let (mut recorded, mut known) = (0, 0);
        for live in all {
            let releases_of = releases::of(&ledger.source, &live.prompt).await?;
            let before = releases_of.live(&self.environment);
            let is_later = releases_of.since(&self.environment).is_none_or(|since| live.at > since);
            // What is on record of that time and later holds.
            if !is_later || before.is_some_and(|before| before.revision == live.revision) {
                known += 1;
                continue;
            }
            let request = Request {
                step: Step::Live,
                prompt: &format!("{}@revision:{}", live.prompt, live.revision),
                environment: &self.environment,
                signed: &live.signed,
                at: Some(live.at),
                verdict: None,
                // No approvals and no verdicts are known of what was live before there was a record.
                forced: true,
            };
            let (entries, _) = ledger.step(&request).await?;
            entries.iter().for_each(super::tell);
            recorded += 1;
        }
        let told = counted(recorded, "release was", "releases were");
        eprintln!("{told} recorded; {known} were before, or are earlier than what is on record");
        Ok(())
    }

    /// What went live, the oldest first.
    fn live(&self, revisions: &[prompts::OfCommit]) -> anyhow::Result<Vec<Live>> {
        let commits = git::history(&self.folder)?;
        let of = |id: &str| revisions.iter().filter(move |revision| revision.commit == id).cloned().collect::<Vec<_>>();
        let mut live = Vec::new();
        let Some(pattern) = &self.tags else {
            for commit in commits {
                for revision in of(commit.id.as_deref().unwrap_or_default()) {
                    let signed = imported(&commit.signed);
                    live.push(Live { prompt: revision.name, revision: revision.revision, signed, at: commit.at });
                }
            }
            return Ok(live);
        };
        for tag in git::tags(&self.folder, pattern)? {
            let held = git::held(&self.folder, &tag.name)?;
            let mut last = HashMap::new();
            for commit in commits.iter().filter_map(|commit| commit.id.as_ref()).filter(|id| held.contains(id)) {
                last.extend(of(commit).into_iter().map(|revision| (revision.name, revision.revision)));
            }
            let mut last: Vec<(String, i64)> = last.into_iter().collect();
            last.sort();
            live.extend(last.into_iter().map(|(prompt, revision)| {
                let signed = imported(&tag.signed);
                Live { prompt, revision, signed, at: tag.at }
            }));
        }
        Ok(live)
    }
}

/// Says that it is a history's word.
fn imported(signed: &Signed) -> Signed {
    let note = signed.note.as_deref().unwrap_or_default();
    Signed { author: signed.author.clone(), note: Some(format!("{note} (from the git history)")) }
}
