//! `tracewell report`.

use std::io::Write;

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use tracewell_lake::Lake;
use tracewell_model::schema::KEPT_TABLES;
use tracewell_query::prices::record;
use tracewell_report::page::{Item, Section};
use tracewell_report::{
    Dimension, Page, Period, Report, ReportError, Request, cost, produce, published_page, quality, render, zone,
};
use tracewell_runs::render::{markdown, terminal};
use tracewell_serve::Answers;

use super::source::{Asked, Source};
use super::when;
use crate::output::{self, Format, Shown, look};
use crate::prices;
use crate::reports::Desk;

const NO_SCHEDULES: &str = "there are no schedules: report.schedules of the configuration has them (--config)";

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
    /// What was published, the newest first.
    #[command(after_help = "Example:\n  tracewell report list --format csv > published.csv")]
    List(List),
    /// A report as it was published.
    #[command(after_help = "Example:\n  tracewell report show weekly 2026-W46 --format html > week.html")]
    Show(Show),
    /// Produce and deliver what the schedules of the configuration say is due. Safe to repeat, and beside servers.
    #[command(
        after_help = "For CronJobs and systemd timers, where no server runs. Schedules and destinations are settings: report.schedules, report.destinations.\n\nExample:\n  tracewell report run --due --config tracewell.toml"
    )]
    Run(Run),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    asked: Asked,
    /// The name it was published under
    name: String,
    /// The period
    period: String,
    /// Of several time zones it was published in, this; else the first
    #[arg(long, value_name = "ZONE", value_parser = when::zone_name)]
    tz: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = output::Form::Text)]
    format: output::Form,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    asked: Asked,
    /// What is due now: all there is to run
    #[arg(long, required = true)]
    due: bool,
}

#[derive(Debug, Args)]
struct Make {
    #[command(flatten)]
    asked: Asked,
    /// Over what: 2026-11-20, 2026-W46, 2026-11, 2026-Q4, 2026, today, yesterday, this-week, last-month, …
    #[arg(long, value_name = "PERIOD", default_value = "last-week", value_parser = when::period)]
    period: String,
    /// Time zone whose midnights bound the period, by its name in the tz database [default: report.time_zone]
    #[arg(long, value_name = "ZONE", value_parser = when::zone_name)]
    tz: Option<String>,
    /// What costs are broken down by: team, prompt, prompt_version, model, provider, service, environment, release,
    /// agent, workflow, user, session, tenant
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = when::dimension)]
    #[arg(default_value = "team,prompt,model")]
    by: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Keep its totals as those published of the period, which has to be over
    #[arg(long)]
    publish: bool,
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

impl Form {
    /// The format of the report's table, where that is what is asked for.
    fn of_rows(self) -> Option<Format> {
        match self {
            Self::Csv => Some(Format::Csv),
            Self::Parquet => Some(Format::Parquet),
            _ => None,
        }
    }
}

impl Reports {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let written = match self.command {
            Command::Cost(make) => make.run(Report::Cost).await,
            Command::Quality(make) => make.run(Report::Quality).await,
            Command::Leadership(make) => make.run(Report::Leadership).await,
            Command::List(list) => list.run().await,
            Command::Show(show) => show.run().await,
            Command::Run(run) => run.run().await,
        };
        output::until_broken(written)
    }
}

impl Make {
    async fn run(&self, report: Report) -> anyhow::Result<()> {
        let settings = self.asked.config()?.report;
        let now = crate::clock::moment();
        let zone = zone(self.tz.as_deref().unwrap_or(&settings.time_zone))?;
        let request = Request {
            report,
            period: Period::parse(&self.period, zone, now)?,
            now,
            by: Dimension::all_named(&self.by)?,
            budgets: settings.budgets,
            good: settings.good_outcome,
            links: settings.links,
        };
        if self.publish && !request.is_over() {
            bail!("{} is not over; what is published stays, so only periods that are over are", request.period);
        }
        let answers = Answers(self.asked.open().await?);
        let format = self.format.of_rows();
        let sql = match (format, report) {
            (Some(_), Report::Cost) => Some(cost::table_sql(&request)),
            (Some(_), Report::Quality) => Some(quality::table_sql(&request)),
            _ => None,
        };
        let rows = match sql {
            Some(sql) => Some(answers.0.sql(&sql).await?),
            None => None,
        };
        if let (Some(format), Some(rows), false) = (format, &rows, self.publish) {
            return write_rows(format, rows);
        }
        let page = produce(&answers, &request).await?;
        if self.publish {
            let desk = desk(&self.asked, answers).await?;
            if !desk.publish(report.name(), &request, &page, None).await? {
                let (period, name) = (&request.period, report.name());
                eprintln!("tracewell: {period} was published before as `{name}`; that stays");
            }
        }
        match (format, rows) {
            (Some(format), Some(rows)) => write_rows(format, &rows),
            (Some(format), None) => {
                let rows = figures(&page)?;
                write_rows(format, &(rows.schema(), vec![rows]))
            }
            (None, _) => write(self.format, &page),
        }
    }
}

impl List {
    async fn run(&self) -> anyhow::Result<()> {
        let sql = "SELECT name, report, period, time_zone, recorded_at, calls, unpriced_calls, cost_usd
            FROM reports WHERE event = 'published' ORDER BY recorded_at DESC";
        let rows = self.asked.open().await?.sql(sql).await?;
        let why =
            "nothing is published yet: what report.schedules of the configuration name, and reports with --publish";
        output::print_or_say(self.shown.format(), &rows, why)
    }
}

impl Show {
    async fn run(&self) -> anyhow::Result<()> {
        let source = Answers(self.asked.open().await?);
        let window = |tz: &String| {
            Ok::<_, ReportError>(Period::parse(&self.period, zone(tz)?, crate::clock::moment())?.window())
        };
        let window = self.tz.as_ref().map(window).transpose()?;
        let Some(page) = published_page(&source, &self.name, &self.period, window).await? else {
            let within = self.tz.as_ref().map_or_else(String::new, |tz| format!(" in {tz}"));
            bail!(
                "nothing was published of `{}` as `{}`{within}; `tracewell report list` shows what was",
                self.period,
                self.name
            );
        };
        write(self.format.into(), &page)
    }
}

impl Run {
    async fn run(&self) -> anyhow::Result<()> {
        let answers = Answers(self.asked.open().await?);
        let mut failed = 0;
        let told = desk(&self.asked, answers).await?.run_due(crate::clock::moment()).await;
        if told.is_empty() {
            let scheduled = !self.asked.config()?.report.schedules.is_empty();
            eprintln!("{}", if scheduled { "nothing is due" } else { NO_SCHEDULES });
        }
        for told in told {
            match told {
                Ok(told) => super::say!("{told}"),
                Err(error) => {
                    failed += 1;
                    eprintln!("tracewell: {error:#}");
                }
            }
        }
        if failed > 0 {
            bail!("{failed} of what was due failed; it is tried again when this is run again");
        }
        Ok(())
    }
}

/// What publishes. The prices that it publishes by are kept, as a server does, so that they can be asked for later.
async fn desk(asked: &Asked, source: Answers<Source>) -> anyhow::Result<Desk<Answers<Source>>> {
    let config = asked.config()?;
    let location = config.location()?;
    if matches!(source.0, Source::Local(_)) {
        record(&location, &prices::read(&config)?, crate::clock::now()).await?;
    }
    let lake = Lake::open(location, KEPT_TABLES, true).await?;
    Desk::new(source, lake, config.report)
}

/// The single numbers of a page, a row each.
fn figures(page: &Page) -> anyhow::Result<RecordBatch> {
    let of_section = |section: &'_ Section| {
        let title = section.title.to_string();
        let tiles =
            section.items.iter().filter_map(|item| if let Item::Tiles(tiles) = item { Some(tiles) } else { None });
        tiles.flatten().map(move |tile| (title.clone(), tile.clone())).collect::<Vec<_>>()
    };
    let rows = page.sections.iter().flat_map(of_section);
    output::table(&["period", "section", "figure", "value", "text", "note"], rows, |(section, tile)| {
        let value = match tile.value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        [Some(page.period.clone()), Some(section), Some(tile.label), value, Some(tile.text), Some(tile.note)]
    })
}

impl From<output::Form> for Form {
    fn from(form: output::Form) -> Self {
        match form {
            output::Form::Text => Self::Text,
            output::Form::Json => Self::Json,
            output::Form::Md => Self::Md,
            output::Form::Html => Self::Html,
        }
    }
}

fn write_rows(format: Format, (schema, rows): &(SchemaRef, Vec<RecordBatch>)) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if format != Format::Csv {
        return output::write(&mut out, format, schema, rows);
    }
    let rows = rows.iter().map(output::for_spreadsheets).collect::<Result<Vec<_>, _>>()?;
    let schema = rows.first().map_or_else(|| schema.clone(), RecordBatch::schema);
    output::write(&mut out, format, &schema, &rows)
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
