//! `tracewell evaluate`.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::Args;
use tracewell_query::named::NamedQuery;

use super::query::{catalogue, parameter};
use super::source::Asked;
use super::when;
use crate::evaluate::{self, GROUP};
use crate::output::{self, Shown};

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    asked: Asked,
    /// Value of a parameter of the rules; may be given several times
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Judge what began here or later: 2026-11-20, a time with its offset, or how long ago [default: one day ago]
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Option<String>,
    /// Judge what began before this
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    until: Option<String>,
    /// Judge this part of the runs, always the same: 0.1 or 10%
    #[arg(long, value_name = "SHARE", default_value = "100%", value_parser = share)]
    sample: f64,
    /// Count what would be judged, and keep no scores
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shown: Shown,
    /// The rules. Without any: a list of all
    names: Vec<String>,
}

fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let share = number.trim().parse::<f64>().map(|number| number / unit);
    share.ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "give 0.1 or 10%".to_owned())
}

impl Evaluate {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let catalogue = catalogue(&self.asked.config()?.query.folder)?;
        let format = self.shown.format();
        let all: Vec<&NamedQuery> = catalogue.iter().filter(|query| query.group == GROUP).collect();
        if self.names.is_empty() {
            let rows = output::table(&["evaluator", "question"], all, |rule| {
                [Some(rule.name.clone()), Some(rule.question.clone())]
            })?;
            return output::print(format, &rows);
        }
        let mut rules = Vec::new();
        for name in &self.names {
            match all.iter().find(|rule| rule.name == *name) {
                Some(rule) => rules.push(*rule),
                None => bail!("there is no evaluator `{name}`; `tracewell evaluate` lists all"),
            }
        }
        let times = [("since", self.since), ("until", self.until)];
        let times = times.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let parameters: BTreeMap<String, String> = self.parameters.into_iter().chain(times).collect();
        let known = |name: &&String| rules.iter().any(|rule| rule.parameters.iter().any(|one| one.name == **name));
        if let Some(name) = parameters.keys().find(|name| !known(name)) {
            bail!("none of these evaluators has a parameter `{name}`; `tracewell query NAME --describe` lists them");
        }
        if !self.dry_run {
            self.asked.check_server().await?;
        }
        let source = self.asked.open().await?;
        let (mut told, mut scores) = (Vec::new(), Vec::new());
        for rule in rules {
            let asked = evaluate::Asked::new(rule, &parameters)?;
            let (schema, _) = source.sql(&asked.columns()).await?;
            let judged = asked.judge(&schema, self.sample, &source).await?;
            told.push((rule.name.clone(), judged.things, judged.scores.len()));
            scores.extend(judged.scores);
        }
        if !self.dry_run {
            super::score::keep(self.asked.place(), &scores).await?;
        }
        let kept = if self.dry_run { "would_keep" } else { "kept" };
        let rows = output::table(&["evaluator", "judged", kept], told, |(name, things, news)| {
            [Some(name), Some(things.to_string()), Some(news.to_string())]
        })?;
        output::print(format, &rows)
    }
}
