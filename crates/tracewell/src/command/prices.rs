//! `tracewell prices`.

use anyhow::ensure;
use chrono::{NaiveDateTime, SecondsFormat};
use clap::{Args, Subcommand};
use tracewell_pricing::catalogue::Rule;
use tracewell_pricing::{Catalogue, Rate, Unit, UnixNanos, moment_text};
use tracewell_query::prices::recorded;

use super::Place;
use crate::output::{self, Shown};
use crate::prices;

mod diff;
mod import;
mod test;

#[derive(Debug, Args)]
pub(crate) struct Prices {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the rules in force, the first to price first.
    #[command(
        after_help = "Examples:\n  tracewell prices list --source operator\n  tracewell prices list --provider anthropic --format csv"
    )]
    List(List),
    /// Show every price that the rules for a model have.
    #[command(
        after_help = "Examples:\n  tracewell prices show gpt-5-mini\n  tracewell prices show llama-self-hosted --format json"
    )]
    Show(Show),
    /// Price one call, and say by which rule. Ends with 1 where it has no price.
    #[command(
        after_help = "Examples:\n  tracewell prices test gpt-4.1-mini --input 2000 --cache-read 500 --output 40\n  tracewell prices test claude-sonnet-4-5 --at 2026-11-16 --input 5000 --output 300"
    )]
    Test(Box<test::Test>),
    /// Check a price file and put it where the server reads it: rules of your own in TOML or CSV, LiteLLM's
    /// model_prices_and_context_window.json, or the prices.json of a genai-prices release.
    #[command(
        after_help = "A running server takes the prices over within seconds; the past is priced by them too. A list of the same kind or a file of the same name takes the place of the one before.\n\nExamples:\n  tracewell prices import negotiated.toml\n  tracewell prices import model_prices_and_context_window.json --from 2026-11-01\n  tracewell prices import negotiated.toml --dry-run"
    )]
    Import(import::Import),
    /// List the prices that were in force since the server began to keep them: `--prices VERSION` of other commands asks
    /// what things cost by them.
    #[command(after_help = "Example:\n  tracewell prices versions")]
    Versions(Versions),
    /// What some prices have other than others: files, `built-in`, or versions that were in force.
    #[command(
        after_help = "A version is one that `tracewell prices versions` lists: of all prices that were in force together, or of one catalogue among them.\n\nExamples:\n  tracewell prices diff built-in prices.json\n  tracewell prices diff old.toml new.toml --format json\n  tracewell prices diff 4e1d2c7a90b35f68 c09b7716a2e4d853"
    )]
    Diff(diff::Diff),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// Only rules for this provider
    #[arg(long)]
    provider: Option<String>,
    /// Only rules from here: operator, litellm or catalogue
    #[arg(long, value_parser = ["operator", "litellm", "catalogue"])]
    source: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
    /// The model
    model: String,
}

#[derive(Debug, Args)]
struct Versions {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

impl Versions {
    async fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        let kept = recorded(&config.location()?).await?;
        let rows = output::table(&["since", "version", "catalogue_versions"], kept, |kept| {
            [Some(time(kept.since)), Some(kept.version), Some(kept.catalogues.join(", "))]
        })?;
        output::print(self.shown.format(), &rows)
    }
}

/// A time as files are named by it, as everywhere else.
fn time(name: String) -> String {
    let read = NaiveDateTime::parse_from_str(&name, "%Y%m%dT%H%M%SZ");
    read.map_or(name, |time| time.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn moment(text: &str) -> Result<UnixNanos, String> {
    super::when::point(text)?.timestamp_nanos_opt().ok_or_else(|| format!("`{text}` is too far away"))
}

impl Prices {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List(list) => list.run(),
            Command::Show(show) => show.run(),
            Command::Test(test) => test.run(),
            Command::Import(import) => import.run(),
            Command::Diff(diff) => diff.run().await,
            Command::Versions(versions) => versions.run().await,
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let in_force = prices::read(&self.place.load(Vec::new())?.config)?;
        let catalogues = in_force.pricer().catalogues();
        let rules = catalogues
            .filter(|catalogue| self.source.as_deref().is_none_or(|source| catalogue.source().name() == source))
            .flat_map(|catalogue| catalogue.rules().iter().map(move |rule| (catalogue, rule)))
            .filter(|(_, rule)| self.provider.is_none() || rule.provider == self.provider);
        let names = [
            "source",
            "catalogue",
            "version",
            "provider",
            "model",
            "for",
            "tier",
            "valid_from",
            "valid_to",
            "hours",
            "currency",
            "prices",
        ];
        let rows = output::table(&names, rules, |(catalogue, rule)| {
            let [provider, model, whom, tier, from, to, hours, currency] = described(rule);
            [
                Some(catalogue.source().name().to_owned()),
                Some(catalogue.name().to_owned()),
                Some(catalogue.version().to_owned()),
                provider,
                model,
                whom,
                tier,
                from,
                to,
                hours,
                currency,
                Some(rates(rule)),
            ]
        })?;
        output::print(self.shown.format(), &rows)
    }
}

/// Provider, model, whom it is for, tier, beginning, end, hours, currency.
fn described(rule: &Rule) -> [Option<String>; 8] {
    let whom: Vec<String> =
        [("tenant", &rule.tenant), ("environment", &rule.environment), ("condition", &rule.condition)]
            .iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}")))
            .collect();
    let tier = rule.service_tier.clone().unwrap_or_else(|| "standard".to_owned());
    let tier = if rule.batch == Some(true) { format!("{tier}, batch") } else { tier };
    [
        rule.provider.clone(),
        Some(rule.model.clone()),
        Some(whom.join(", ")).filter(|whom| !whom.is_empty()),
        Some(tier),
        rule.period.from.map(moment_text),
        rule.period.to.map(moment_text),
        rule.period.hours_text(),
        Some(rule.currency.clone()),
    ]
}

/// All rates of a rule on one line.
fn rates(rule: &Rule) -> String {
    let tiers = rule.tiers.iter().map(|tier| {
        let rates: Vec<String> = tier.rates.iter().map(|(unit, rate)| format!("{} {rate}", unit.name())).collect();
        let rates = if rates.is_empty() { "none known".to_owned() } else { rates.join(", ") };
        if tier.over > 0 { format!("over {} input tokens: {rates}", tier.over) } else { rates }
    });
    tiers.collect::<Vec<_>>().join("; ")
}

impl Show {
    fn run(self) -> anyhow::Result<()> {
        let in_force = prices::read(&self.place.load(Vec::new())?.config)?;
        let name = self.model.trim().to_lowercase();
        let all = in_force
            .pricer()
            .catalogues()
            .flat_map(|catalogue| catalogue.rules().iter().map(move |rule| (catalogue, rule)));
        let rules: Vec<_> =
            all.filter(|(_, rule)| rule.matches.holds(&name) || rule.model.to_lowercase() == name).collect();
        ensure!(!rules.is_empty(), "no rule is for the model `{}`; `tracewell prices list` shows all", self.model);
        let rates = rules.into_iter().flat_map(|(catalogue, rule)| {
            let tiers = rule.tiers.iter();
            tiers.flat_map(move |tier| {
                tier.rates.iter().map(move |(unit, rate)| (catalogue, rule, tier.over, *unit, *rate))
            })
        });
        let names = [
            "source",
            "rule",
            "provider",
            "model",
            "for",
            "tier",
            "valid_from",
            "valid_to",
            "hours",
            "context_over",
            "unit",
            "price",
            "per",
            "currency",
        ];
        let rows = output::table(
            &names,
            rates,
            |(catalogue, rule, over, unit, rate): (&Catalogue, &Rule, i64, Unit, Rate)| {
                let [provider, model, whom, tier, from, to, hours, currency] = described(rule);
                [
                    Some(catalogue.source().name().to_owned()),
                    Some(rule.id.clone()),
                    provider,
                    model,
                    whom,
                    tier,
                    from,
                    to,
                    hours,
                    Some(over.to_string()),
                    Some(unit.name().to_owned()),
                    Some(rate.price.to_string()),
                    Some(rate.per.to_string()),
                    currency,
                ]
            },
        )?;
        output::print(self.shown.format(), &rows)
    }
}
