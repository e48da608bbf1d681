//! `tracewell examples`: from traffic to a dataset.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use tracewell_blocks::{count, counted};
use tracewell_ledger::capture::Catch;
use tracewell_ledger::datasets;
use tracewell_regression::capture::{Chosen, Why};
use tracewell_regression::dataset::{At, Pin};

use super::author::Author;
use super::query::{catalogue, parameter};
use super::source::Asked;
use super::when;
use crate::capture::{Choice, GROUP, edits, rule, rules};
use crate::output::{self, Shown};

#[derive(Debug, Args)]
pub(crate) struct Examples {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Take calls that a rule catches into a dataset: without duplicates, and as many as asked for.
    #[command(
        after_help = "A rule is a named query of the group `capture`, or an .sql file, whose rows have `trace_id` and may have `span_id`, `reason`, `stratum`, `expected`. The same calls and the same --seed give the same examples.\n\nExamples:\n  tracewell examples capture thumbs_down --dataset refunds --since 7d --dry-run\n  tracewell examples capture bad_score -p score=faithfulness -p below=0.4 --dataset refunds\n  tracewell examples capture ./rules/late_refunds.sql --dataset refunds --split test"
    )]
    Capture(Box<Capture>),
    /// The rules there are.
    #[command(after_help = "Example:\n  tracewell examples rules")]
    Rules(Rules),
}

#[derive(Debug, Args)]
struct Rules {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Capture {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// A rule by its name, or an .sql file
    #[arg(value_name = "RULE")]
    rule: String,
    /// Into this dataset; it begins to be with its first example
    #[arg(long, value_name = "NAME")]
    dataset: String,
    /// Show what would be taken, and take nothing
    #[arg(long)]
    dry_run: bool,
    /// What happened since: 2026-11-20, 2026-11-20T14:00:00Z, or how long ago: 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Option<String>,
    /// Value of a parameter of the rule; may be given several times
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Examples at most; the kinds of cases that the rule tells apart take turns
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Examples of one prompt version at most, with those that the dataset has
    #[arg(long, value_name = "N")]
    per_prompt_version: Option<usize>,
    /// Another number makes another choice
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// From which measure on cases are nearly the same, and the later one is left out; 1 keeps all but the same
    #[arg(long, value_name = "0..1", default_value_t = 0.8)]
    near: f64,
    /// Split of the new examples
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Tag of the new examples; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Examples {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Capture(capture) => capture.run().await,
            What::Rules(rules) => rules.run(),
        }
    }
}

impl Rules {
    fn run(&self) -> anyhow::Result<()> {
        let catalogue = catalogue(&self.asked.config()?.query.folder)?;
        let rows = output::table(&["rule", "question", "parameters"], rules(&catalogue), |rule| {
            let parameters: Vec<&str> = rule.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            [Some(rule.name.clone()), Some(rule.question.clone()), Some(parameters.join(", "))]
        })?;
        output::print(self.shown.format(), &rows)
    }
}

impl Capture {
    async fn run(self) -> anyhow::Result<()> {
        anyhow::ensure!(self.near > 0.0 && self.near <= 1.0, "--near is above 0 and up to 1, such as 0.8");
        let rule = self.rule()?;
        let pin = Pin { dataset: self.dataset.clone(), at: At::Latest };
        self.dataset.parse::<Pin>()?;
        let choice = Choice {
            limit: self.limit,
            per_prompt_version: self.per_prompt_version,
            seed: self.seed,
            near: self.near,
            split: self.split.clone(),
            tags: self.tags.clone(),
        };
        if self.dry_run {
            let source = self.asked.open().await?;
            let catch = choice.catch(&source, &self.dataset, &rule).await?;
            tell(&catch);
            let chosen = choice.choose(&datasets::at(&source, &pin).await?, &catch)?;
            self.show(&chosen)?;
            let count = chosen.examples.len();
            eprintln!("{} would be taken; nothing was", counted(count as u64, "example", "examples"));
            return Ok(());
        }
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        let catch = choice.catch(&ledger.source, &self.dataset, &rule).await?;
        tell(&catch);
        let mut chosen = Chosen::default();
        let changed = ledger
            .change(&self.dataset, &signed, |dataset| {
                chosen = choice.choose(dataset, &catch)?;
                Ok(edits(&chosen))
            })
            .await?;
        self.show(&chosen)?;
        let count = changed.rows.len();
        match count {
            0 => eprintln!("no example was taken; `{}` stays at v{}", self.dataset, changed.version),
            1 => eprintln!("1 example was taken: `{}@v{}`", self.dataset, changed.version),
            _ => eprintln!("{count} examples were taken: `{}@v{}`", self.dataset, changed.version),
        }
        Ok(())
    }

    /// The rule's SQL with its values.
    fn rule(&self) -> anyhow::Result<String> {
        let mut values: BTreeMap<String, String> = self.parameters.iter().cloned().collect();
        values.extend(self.since.clone().map(|since| ("since".to_owned(), since)));
        let mut catalogue = catalogue(&self.asked.config()?.query.folder)?;
        let path = Path::new(&self.rule);
        let name = match path.extension().is_some_and(|extension| extension == "sql") {
            true => catalogue.add_file(path, GROUP).with_context(|| format!("the rule `{}`", self.rule))?,
            false => self.rule.clone(),
        };
        rule(&catalogue, &name, &values)
    }

    fn show(&self, chosen: &Chosen) -> anyhow::Result<()> {
        let taken = chosen.examples.iter().map(|example| {
            let source = example.source.clone().unwrap_or_default();
            let why = example.reason.clone();
            [Some(example.id.clone()), Some("taken".to_owned()), why, None, None, source.trace_id, example.question()]
        });
        let left = chosen.left_out.iter().map(|out| {
            let (of, similarity) = match &out.why {
                Why::Misfit { .. } => (None, None),
                Why::Duplicate { of } => (Some(of.clone()), None),
                Why::NearDuplicate { of, similarity } => (Some(of.clone()), Some(format!("{similarity:.2}"))),
                Why::EnoughOfPromptVersion { version } => (Some(version.clone()), None),
                Why::NotSampled => (None, None),
            };
            let what = json!(out.why)["why"].as_str().map(str::to_owned);
            let reason = if let Why::Misfit { reason } = &out.why { Some(reason.clone()) } else { None };
            [Some(out.example.clone()), what, reason, of, similarity, None, None]
        });
        let names = ["example", "what", "reason", "of", "similarity", "trace_id", "question"];
        let rows = output::table(&names, taken.chain(left), |cells| cells)?;
        if chosen.cut_short > 0 {
            eprintln!(
                "{} texts were compared with too few others to be sure that they are not near duplicates",
                chosen.cut_short
            );
        }
        if chosen.examples.is_empty() && chosen.left_out.is_empty() {
            eprintln!("`{}` caught nothing; another --since looks further back", self.rule);
        }
        output::print(self.shown.format(), &rows)
    }
}

/// What was caught and is no example, and why.
fn tell(catch: &Catch) {
    if catch.cut {
        eprintln!("the rule catches more calls than may be caught at once; narrow it with --since");
    }
    if catch.left > 0 {
        let (looked, all) = (count(catch.looked_at as i64), count((catch.looked_at + catch.left) as i64));
        eprintln!("{looked} of {all} that the rule catches were looked at, which --seed chose");
    }
    for (count, words) in [
        (catch.without_texts.len(), "have no texts: they were not sent, or have expired"),
        (catch.without_calls.len(), "name no run with a chat or completion"),
        (catch.trials, "are trials of replays, and no traffic"),
    ] {
        if count > 0 {
            eprintln!("{count} of what was caught {words}");
        }
    }
}
