//! `tracewell runs`: `list`, `show` and `diff`.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use clap::{Args, Subcommand};
use tracewell_blocks::tidy;
use tracewell_runs::render::{Block, Detail, count, duration, story};
use tracewell_runs::{Filter, RunRow, RunScore, RunsError, diff};

use super::source::Asked;
use super::when;
use crate::output::{self, Form, Format, Shown};

#[derive(Debug, Args)]
pub(crate) struct Runs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The newest runs that fit.
    #[command(
        after_help = "Examples:\n  tracewell runs list --service support-bot --status error --since 2d\n  tracewell runs list --prompt seed-helper@2 --model gpt-4.1-mini --min-duration 2s\n  tracewell runs list --since 1d --min-cost 0.05 --costs\n  tracewell runs list --score \"correctness<0.5\" --scores\n  tracewell runs list --format csv --limit 1000 > runs.csv"
    )]
    List(Box<List>),
    /// All that is known of one run: a record with its texts, and what it lacks.
    #[command(
        after_help = "Examples:\n  tracewell runs show 4f2a91\n  tracewell runs show 4f2a91 --format html > run.html\n  tracewell runs show 4f2a91 --format json | jq .completeness"
    )]
    Show(Show),
    /// What differs between two runs: texts, models, parameters, tools, tokens, outcome.
    #[command(
        after_help = "Examples:\n  tracewell runs diff 4f2a91 77c01e\n  tracewell runs diff 4f2a91 77c01e --format md"
    )]
    Diff(Diff),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asked: Asked,
    /// Runs that began then or later: 2026-11-20, 2026-11-20T14:00:00Z, or how long ago: 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Option<String>,
    /// Runs that began earlier
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    until: Option<String>,
    /// Of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// In this deployment environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Of this release
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// Of this team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Of this end user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Of this session, thread or conversation
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// That used this prompt, in any version or in this one
    #[arg(long, value_name = "NAME[@VERSION]")]
    prompt: Option<String>,
    /// That this model answered
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// That executed this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// That ended so
    #[arg(long, value_name = "STATUS", value_parser = ["ok", "error", "unset"])]
    status: Option<String>,
    /// Whose root is of this kind: agent, workflow, chat, …
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Whose root's name holds this
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// That took this long at least: 500ms, 2s
    #[arg(long, value_name = "DURATION")]
    min_duration: Option<String>,
    /// That cost this much at least, in US dollars: 0.05
    #[arg(long, value_name = "USD")]
    min_cost: Option<String>,
    /// Of which, or of a span of which, this was last said: a score's name, alone or compared
    #[arg(long, value_name = "NAME[<0.5|=LABEL]")]
    score: Option<String>,
    /// What each run cost, too
    #[arg(long)]
    costs: bool,
    /// The scores of each run, too
    #[arg(long)]
    scores: bool,
    /// Runs of a page
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// The next page: what the page before says at its end
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    asked: Asked,
    /// The run's id, or its first digits where no other id begins so
    #[arg(value_name = "ID")]
    id: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Whole texts and all spans; otherwise long ones are cut on a terminal
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Args)]
struct Diff {
    #[command(flatten)]
    asked: Asked,
    /// One run's id, or its first digits
    #[arg(value_name = "A")]
    a: String,
    /// The other's
    #[arg(value_name = "B")]
    b: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

impl Runs {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::List(list) => list.run().await,
            What::Show(show) => show.run().await,
            What::Diff(diff) => diff.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let format = self.shown.format();
        let source = self.asked.open().await?;
        let (costs, scores) = (self.costs, self.scores);
        let page = tracewell_runs::list(&source, &self.filter(), crate::clock::now() / 1_000).await.map_err(misread)?;
        let written = match format {
            Format::Table => output::page(Form::Text, "runs", &[table(&page.runs, costs, scores)], &()),
            _ => {
                let rows = rows(&page.runs, costs, scores)?;
                output::write(&mut std::io::stdout().lock(), format, &rows.schema(), &[rows])
            }
        };
        output::until_broken(written)?;
        match &page.next {
            Some(next) => writeln!(std::io::stderr(), "more: --before {next}")?,
            None if page.runs.is_empty() => writeln!(std::io::stderr(), "no run fits")?,
            None => {}
        }
        Ok(())
    }

    fn filter(self) -> Filter {
        Filter {
            since: self.since,
            until: self.until,
            service: self.service,
            environment: self.environment,
            release: self.release,
            team: self.team,
            user: self.user,
            session: self.session,
            workflow: self.workflow,
            prompt: self.prompt,
            model: self.model,
            tool: self.tool,
            status: self.status,
            kind: self.kind,
            name: self.name,
            min_duration: self.min_duration,
            min_cost: self.min_cost,
            score: self.score,
            costs: self.costs,
            scores: self.scores,
            limit: Some(self.limit),
            before: self.before,
        }
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let record = tracewell_runs::open(&source, &self.id).await.map_err(misread)?;
        let short = self.format == Form::Text && !self.full;
        let blocks = story(&record, if short { Detail::SHORT } else { Detail::ALL });
        let title = format!("Run {}", record.trace_id);
        output::page(self.format, &title, &blocks, &record)
    }
}

impl Diff {
    async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let a = tracewell_runs::open(&source, &self.a).await.map_err(misread)?;
        let b = tracewell_runs::open(&source, &self.b).await.map_err(misread)?;
        let found = diff::diff(&a, &b);
        let title = format!("Runs {} and {}", found.a, found.b);
        output::until_broken(output::page(self.format, &title, &diff::story(&found), &found))
    }
}

/// An argument that cannot be read ends with 2, as those do that are told before anything is asked.
fn misread(error: RunsError) -> anyhow::Error {
    if !matches!(error, RunsError::NoId(_) | RunsError::Moment(_) | RunsError::Filter(_)) {
        return error.into();
    }
    eprintln!("tracewell: {}", tidy(&error.to_string()));
    super::Ended(2).into()
}

fn table(runs: &[RunRow], costs: bool, scores: bool) -> Block {
    let mut heads = vec!["started", "run", "name", "status", "took", "calls", "tools", "in", "out", "models", "user"];
    heads.extend(costs.then_some("USD"));
    heads.extend(costs.then_some("unpriced"));
    heads.extend(scores.then_some("scores"));
    let row = |run: &RunRow| {
        let number = |number: Option<i64>| number.map(count).unwrap_or_default();
        let mut row = vec![
            run.start_time.get(..16).unwrap_or(&run.start_time).replace('T', " "),
            run.trace_id.get(..12).unwrap_or(&run.trace_id).to_owned(),
            run.root_name.clone().unwrap_or_else(|| "(root missing)".to_owned()),
            run.status.clone().unwrap_or_default(),
            duration(run.duration_ns),
            count(run.call_count),
            count(run.tool_count),
            number(run.input_tokens),
            number(run.output_tokens),
            run.models.join(", "),
            run.user_id.clone().unwrap_or_default(),
        ];
        row.extend(costs.then(|| run.cost_usd.clone().unwrap_or_default()));
        row.extend(costs.then(|| number(run.unpriced_calls)));
        row.extend(scores.then(|| run.scores.iter().flatten().map(score).collect::<Vec<_>>().join(", ")));
        row
    };
    Block::table(heads, runs.iter().map(row).collect())
}

/// A score in a few words.
fn score(RunScore { name, value, label, .. }: &RunScore) -> String {
    let value = value.map(|value| value.to_string());
    [Some(name), value.as_ref(), label.as_ref()].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
}

/// The runs as rows for formats that other programs read.
fn rows(runs: &[RunRow], costs: bool, scores: bool) -> anyhow::Result<RecordBatch> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let list = |name: &str| Field::new(name, DataType::new_list(DataType::Utf8, true), true);
    let mut fields = vec![
        text("trace_id"),
        Field::new("start_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        number("duration_ns"),
        text("root_name"),
        text("root_kind"),
        Field::new("missing_root", DataType::Boolean, true),
        text("status"),
        text("service"),
        text("environment"),
        text("release"),
        text("team"),
        text("conversation_id"),
        text("user_id"),
        text("workflow_name"),
        list("models"),
        list("prompts"),
        list("tools"),
        number("span_count"),
        number("error_count"),
        number("call_count"),
        number("tool_count"),
        number("input_tokens"),
        number("output_tokens"),
        text("input_preview"),
        text("output_preview"),
    ];
    if costs {
        // As text: JSON numbers go through binary floats.
        fields.extend([text("cost_usd"), number("unpriced_calls")]);
    }
    if scores {
        let value = Field::new("value", DataType::Float64, true);
        let score = vec![text("name"), value, text("label"), text("source"), text("span_id")];
        fields.push(Field::new("scores", DataType::new_list(DataType::Struct(score.into()), true), true));
    }
    let schema = Arc::new(Schema::new(fields));
    let mut decoder =
        arrow::json::ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(runs.len().max(1)).build_decoder()?;
    decoder.serialize(runs)?;
    Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}
