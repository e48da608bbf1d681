//! `tracewell alerts`.

use anyhow::{Context, bail};
use chrono::{SecondsFormat, TimeDelta};
use clap::{Args, Subcommand};
use tracewell_blocks::counted;
use tracewell_lake::Lake;
use tracewell_model::schema::KEPT_TABLES;
use tracewell_serve::Answers;

use super::author::Who;
use super::source::Asked;
use crate::alerts::{Watch, silence};
use crate::output::{self, Shown};

const NO_RULES: &str = "there are no rules: alerts.rules of the configuration has them (--config)";

#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How each alert stands that ever fired or was silenced.
    #[command(after_help = "Example:\n  tracewell alerts list --config tracewell.toml")]
    List(List),
    /// Ask every rule of the configuration now, keep and send what changed. For CronJobs, where no server runs.
    #[command(after_help = "Example:\n  tracewell alerts check --config tracewell.toml")]
    Check(List),
    /// Keep a rule's changes without sending them, for a while.
    #[command(
        after_help = "Example:\n  tracewell alerts silence error-rate --for 2h --why \"the provider is down, they know\""
    )]
    Silence(Silence),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Silence {
    #[command(flatten)]
    asked: Asked,
    /// Name of the rule
    rule: String,
    /// For how long, from now; 0s ends a silence
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    length: std::time::Duration,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    who: Who,
}

impl Alerts {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List(list) => output::until_broken(list.list().await),
            Command::Check(check) => output::until_broken(check.check().await),
            Command::Silence(silence) => silence.run().await,
        }
    }
}

impl List {
    async fn list(&self) -> anyhow::Result<()> {
        let sql = "SELECT
                rule,
                last_value(event ORDER BY number NULLS FIRST, recorded_at) FILTER (WHERE event IN ('firing', 'still_firing', 'resolved')) AS last_event,
                last_value(recorded_at ORDER BY number NULLS FIRST, recorded_at) FILTER (WHERE event IN ('firing', 'still_firing', 'resolved')) AS recorded_at,
                last_value(value ORDER BY number NULLS FIRST, recorded_at) FILTER (WHERE event IN ('firing', 'still_firing', 'resolved')) AS value,
                last_value(threshold ORDER BY number NULLS FIRST, recorded_at) FILTER (WHERE event IN ('firing', 'still_firing', 'resolved')) AS threshold,
                last_value(until ORDER BY number NULLS FIRST, recorded_at) FILTER (WHERE event = 'silenced') AS silenced_until
            FROM alerts
            GROUP BY rule
            ORDER BY rule";
        let rows = self.asked.open().await?.sql(sql).await?;
        let why = match self.asked.config()?.alerts.rules.len() {
            0 => NO_RULES.to_owned(),
            rules => format!("no alert of {} ever fired or was silenced", counted(rules as u64, "rule", "rules")),
        };
        output::print_or_say(self.shown.format(), &rows, &why)
    }

    async fn check(&self) -> anyhow::Result<()> {
        let config = self.asked.config()?;
        if config.alerts.rules.is_empty() {
            eprintln!("{NO_RULES}");
        }
        let lake = lake(&self.asked).await?;
        let watch = Watch::new(Answers(self.asked.open().await?), lake, config.alerts, config.report)?;
        let (mut found, mut failed) = (Vec::new(), 0);
        for checked in watch.check(crate::clock::moment()).await {
            match checked {
                Ok(checked) => found.push(checked),
                Err(error) => {
                    failed += 1;
                    eprintln!("tracewell: {error:#}");
                }
            }
        }
        let rows =
            output::table(&["rule", "state", "event", "value", "threshold", "samples", "runs"], found, |checked| {
                [
                    Some(checked.rule),
                    checked.state.map(str::to_owned),
                    checked.event.map(str::to_owned),
                    checked.value.map(|value| value.to_string()),
                    Some(checked.threshold.to_string()),
                    checked.samples.map(|samples| samples.to_string()),
                    Some(checked.runs.join(" ")).filter(|runs| !runs.is_empty()),
                ]
            })?;
        output::print(self.shown.format(), &rows)?;
        if failed > 0 {
            bail!("{failed} of the rules could not be asked, or of their changes not be sent");
        }
        Ok(())
    }
}

impl Silence {
    async fn run(&self) -> anyhow::Result<()> {
        let rules = self.asked.config()?.alerts.rules;
        if !rules.iter().any(|rule| rule.name == self.rule) {
            let known: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            bail!("there is no rule `{}` in alerts.rules of the configuration; there is {known}", self.rule);
        }
        let length = TimeDelta::from_std(self.length).context("that is too long")?;
        let until = crate::clock::moment().checked_add_signed(length).context("that is too long")?;
        let author = self.who.known()?;
        silence(&lake(&self.asked).await?, &self.rule, until, &author, &self.why).await?;
        super::say!("{} is silenced until {}", self.rule, until.to_rfc3339_opts(SecondsFormat::Secs, true));
        Ok(())
    }
}

async fn lake(asked: &Asked) -> anyhow::Result<Lake> {
    Ok(Lake::open(asked.config()?.location()?, KEPT_TABLES, true).await?)
}
