//! `tracewell report`.

use std::io::Write;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use tracewell_report::{Dimension, Page, Period, Report, Request, cost, produce, render, zone};
use tracewell_runs::render::{markdown, terminal};
use tracewell_serve::Answers;

use super::source::{Asked, Source};
use crate::output::{self, Format, look};

#[derive(Debug, Args)]
pub(crate) struct Reports {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What was spent, on what, and why that changed.
    #[command(
        after_help = "Examples:\n  tracewell report cost --period 2026-W46 --tz Europe/Berlin --by team,prompt,model\n  tracewell report cost --period last-month --format html > cost.html"
    )]
    Cost(Make),
    /// How good and how reliable the answers are.
    #[command(after_help = "Example:\n  tracewell report quality --period last-week --tz Europe/Berlin")]
    Quality(Make),
    /// One page for those who decide: cost, budget, forecast, quality, reliability.
    #[command(
        after_help = "Example:\n  tracewell report leadership --period last-week --tz Europe/Berlin --format html > week.html"
    )]
    Leadership(Make),
}

#[derive(Debug, Args)]
struct Make {
    #[command(flatten)]
    asked: Asked,
    /// Over what: 2026-11-20, 2026-W46, 2026-11, 2026-Q4, 2026, today, yesterday, this-week, last-month, …
    #[arg(long, value_name = "PERIOD", default_value = "last-week")]
    period: String,
    /// Time zone whose midnights bound the period, by its name in the tz database
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    tz: String,
    /// What costs are broken down by: team, prompt, prompt_version, model, provider, service, environment, release,
    /// agent, workflow, user, session, tenant
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "team,prompt,model")]
    by: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For a terminal.
    Text,
    /// Markdown.
    Md,
    /// One page of HTML that needs nothing else.
    Html,
    /// All numbers, with the queries that give them and their rows.
    Json,
    /// The rows of the report's table.
    Csv,
    /// The rows of the report's table as a Parquet file.
    Parquet,
}

impl Reports {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let written = match self.command {
            Command::Cost(make) => make.run(Report::Cost).await,
            Command::Quality(make) => make.run(Report::Quality).await,
            Command::Leadership(make) => make.run(Report::Leadership).await,
        };
        output::until_broken(written)
    }
}

impl Make {
    async fn run(&self, report: Report) -> anyhow::Result<()> {
        let now = DateTime::<Utc>::from_timestamp_nanos(super::now());
        let request = Request {
            report,
            period: Period::parse(&self.period, zone(&self.tz)?, now)?,
            now,
            by: self.by.iter().map(|name| Dimension::named(name)).collect::<Result<_, _>>()?,
            budgets: Vec::new(),
            links: String::new(),
        };
        let source = self.asked.open().await?;
        match self.format {
            Form::Csv => rows(&source, &request, Format::Csv).await,
            Form::Parquet => rows(&source, &request, Format::Parquet).await,
            form => write(form, &produce(&Answers(source), &request).await?),
        }
    }
}

fn write(form: Form, page: &Page) -> anyhow::Result<()> {
    let text = match form {
        Form::Text => terminal(&render::blocks(page), look()),
        Form::Md => markdown(&render::blocks(page)),
        Form::Html => render::html(page)?,
        _ => serde_json::to_string_pretty(page).context("cannot write the report as JSON")? + "\n",
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

async fn rows(source: &Source, request: &Request, format: Format) -> anyhow::Result<()> {
    let (schema, rows) = source.sql(&cost::table_sql(request)).await?;
    output::write(&mut std::io::stdout().lock(), format, &schema, &rows)
}
