//! `tracewell release`: what of a prompt is live where, since when, by whom and why.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;
use tracewell_ledger::releases::{self, Request};
use tracewell_regression::release::{Entry, Step};

use super::author::Author;
use super::source::Asked;
use super::when;
use crate::output::{self, Shown};

mod import;

#[derive(Debug, Args)]
pub(crate) struct Release {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put a revision on record as a draft.
    #[command(after_help = "Example:\n  tracewell release draft refund-helper@13 --in staging")]
    Draft(Taken),
    /// Ask for the review of a revision.
    #[command(
        after_help = "The gate prints the id of its verdict; `tracewell gate --list` lists those before.\n\nExample:\n  tracewell release propose refund-helper@13 --verdict 019f2c41-8a07 --note \"asks first\""
    )]
    Propose(Taken),
    /// Approve what somebody else proposed.
    #[command(after_help = "Example:\n  tracewell release approve refund-helper@13 --author bob")]
    Approve(Taken),
    /// Send a proposal back.
    #[command(after_help = "Example:\n  tracewell release reject refund-helper@13 --note \"still promises refunds\"")]
    Reject(Taken),
    /// Say that a revision is ready where it is to be live.
    #[command(after_help = "Example:\n  tracewell release stage refund-helper@13")]
    Stage(Taken),
    /// Say that a revision is live: it needs its approvals, and a gate's verdict that passed.
    #[command(
        after_help = "What was live before there was a record comes first, so that one can go back to it.\n\nExamples:\n  tracewell release live refund-helper@12 --force --note \"live before\" --at 2026-11-01\n  tracewell release live refund-helper@13"
    )]
    Live(Taken),
    /// Go back to what was live before: prints that revision, and tells a webhook.
    #[command(
        after_help = "The webhook gets a POST with JSON: prompt, environment, author, why, `rolled_back` and `live`, the latter whole.\n\nExamples:\n  tracewell release rollback refund-helper --note \"refunds above the limit\"\n  tracewell release rollback refund-helper --webhook https://deploy.example/prompts"
    )]
    Rollback(Rollback),
    /// What is live where, by the ledger and by the traffic.
    #[command(
        after_help = "Examples:\n  tracewell release status\n  tracewell release status refund-helper --since 7d"
    )]
    Status(Status),
    /// Every step: who, when, why.
    #[command(after_help = "Example:\n  tracewell release log refund-helper")]
    Log(Log),
    /// Record what was live before there was a record, as a git history tells it.
    #[command(
        after_help = "The prompts have to be on record, by `tracewell prompt sync FOLDER --history`. What goes live this way is forced: no approvals and no verdicts are known of it. The same command goes on with what came since.\n\nExamples:\n  tracewell release import prompts\n  tracewell release import prompts --tags 'v*' --in staging"
    )]
    Import(import::Import),
}

#[derive(Debug, Args)]
struct Taken {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The prompt, in its latest revision or in this one
    #[arg(value_name = "NAME[@REVISION]")]
    prompt: String,
    /// The environment
    #[arg(long = "in", value_name = "ENVIRONMENT", default_value = "production")]
    environment: String,
    /// The id of the gate's verdict that it rests on, or its first characters
    #[arg(long, value_name = "ID")]
    verdict: Option<String>,
    /// Since when it holds, where it is recorded afterwards: 2026-11-20T14:00:00Z, 2026-11-20, or how long ago: 2h
    #[arg(long, value_name = "TIME", value_parser = when::point)]
    at: Option<DateTime<Utc>>,
    /// Without the approvals and the verdict that it needs; --note has to say why
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Rollback {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The prompt
    #[arg(value_name = "NAME")]
    prompt: String,
    /// The environment
    #[arg(long = "in", value_name = "ENVIRONMENT", default_value = "production")]
    environment: String,
    /// Told of it; `release.webhook` of the configuration by default
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Status {
    #[command(flatten)]
    asked: Asked,
    /// Only this prompt
    #[arg(value_name = "NAME")]
    prompt: Option<String>,
    /// How far back the traffic is looked at
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = humantime::parse_duration)]
    since: Duration,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Log {
    #[command(flatten)]
    asked: Asked,
    /// Only this prompt
    #[arg(value_name = "NAME")]
    prompt: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Release {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Draft(taken) => taken.run(Step::Draft).await,
            What::Propose(taken) => taken.run(Step::Propose).await,
            What::Approve(taken) => taken.run(Step::Approve).await,
            What::Reject(taken) => taken.run(Step::Reject).await,
            What::Stage(taken) => taken.run(Step::Stage).await,
            What::Live(taken) => taken.run(Step::Live).await,
            What::Rollback(rollback) => rollback.run().await,
            What::Status(status) => status.run().await,
            What::Import(import) => import.run().await,
            What::Log(log) => {
                let rows = log.asked.open().await?.sql(&releases::log(log.prompt.as_deref())).await?;
                output::print_or_say(log.shown.format(), &rows, "no step is on record")
            }
        }
    }
}

impl Taken {
    async fn run(self, step: Step) -> anyhow::Result<()> {
        let ledger = self.asked.ledger().await?;
        let signed = self.author.signed()?;
        let request = Request {
            step,
            prompt: &self.prompt,
            environment: &self.environment,
            signed: &signed,
            at: self.at,
            verdict: self.verdict.as_deref(),
            forced: self.force,
        };
        let (entries, _) = ledger.step(&request).await?;
        entries.iter().for_each(tell);
        Ok(())
    }
}

/// Which revision an entry is of, and its version where that is another number.
fn named(entry: &Entry) -> String {
    let Entry { prompt, revision, version, .. } = entry;
    let version = if *version == revision.to_string() { String::new() } else { format!(" (version {version})") };
    format!("{prompt}@{revision}{version} in {}", entry.environment)
}

fn tell(entry: &Entry) {
    let state = json!(entry.state).as_str().unwrap_or_default().replace('_', " ");
    let change =
        if entry.change.is_empty() { String::new() } else { format!(" (changes {})", entry.change.join(", ")) };
    let forced = if entry.forced == Some(true) { ", forced" } else { "" };
    super::say!("{}: {state}{forced}{change}", named(entry));
}

impl Rollback {
    async fn run(self) -> anyhow::Result<()> {
        let ledger = self.asked.ledger().await?;
        let signed = self.author.signed()?;
        let request = Request {
            step: Step::Rollback,
            prompt: &self.prompt,
            environment: &self.environment,
            signed: &signed,
            at: None,
            verdict: None,
            forced: false,
        };
        let usual = self.asked.config()?.release.webhook;
        let webhook = self.webhook.unwrap_or(usual);
        let (entries, prompt) = ledger.step(&request).await?;
        let form = self.shown.form();
        // It is on record now: who stops reading keeps nobody from being told.
        let printed = output::page(form, &prompt.name, &super::prompt::story(&prompt), &prompt.whole());
        entries.iter().for_each(|entry| {
            let state = json!(entry.state).as_str().unwrap_or_default().replace('_', " ");
            eprintln!("{}: {state}", named(entry));
        });
        if let Some(event) = releases::rollback_event(&entries, &prompt).filter(|_| !webhook.is_empty()) {
            crate::webhook::tell(&webhook, &event).await?;
        }
        output::until_broken(printed)
    }
}

impl Status {
    async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let seconds = self.since.as_secs();
        let since = format!("(now() - INTERVAL '{seconds} seconds')");
        let found = releases::status(&source, self.prompt.as_deref(), &since).await?;
        let names = [
            "kind",
            "prompt",
            "environment",
            "live",
            "since",
            "forced",
            "seen",
            "last_seen",
            "calls",
            "other_calls",
            "agreement",
        ];
        let table = output::table(&names, found, |one| {
            [
                json!(one.kind).as_str().map(str::to_owned),
                Some(one.prompt),
                Some(one.environment),
                one.live,
                one.since,
                one.forced,
                one.seen,
                one.last_seen,
                Some(one.calls.to_string()),
                Some(one.other_calls.to_string()),
                Some(one.agreement),
            ]
        })?;
        output::print(self.shown.format(), &table)
    }
}

#[cfg(test)]
mod tests {
    use tracewell_regression::release::State;

    use super::*;

    #[test]
    fn a_revision_is_told_with_the_version_that_it_was_asked_for_by() {
        let entry = |version: &str| -> Entry {
            let entry = json!({
                "prompt": "helper", "entry": 1, "environment": "production", "revision": 2, "version": version,
                "step": Step::Live, "state": State::Live, "effective_at": "", "author": "ann"
            });
            serde_json::from_value(entry).unwrap()
        };
        assert_eq!(named(&entry("14")), "helper@2 (version 14) in production");
        assert_eq!(named(&entry("2")), "helper@2 in production");
    }
}
