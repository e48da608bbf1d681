//! The command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::{self, Effective, Flag};

mod alerts;
mod answer;
mod author;
mod changes;
mod check;
mod configuration;
mod dataset;
mod endpoint;
mod evaluate;
mod examples;
mod gate;
mod git;
mod import;
mod judge;
mod maintain;
mod masking;
mod paid;
mod prices;
mod prompt;
mod query;
mod release;
mod replay;
mod report;
mod review;
mod runs;
mod schema;
mod score;
mod serve;
mod source;
mod sql;
mod when;

/// OpenTelemetry collector and SQL for applications built on language models.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive OTLP, keep it, answer SQL.
    #[command(
        after_help = "Examples:\n  tracewell serve\n  tracewell serve --data s3://bucket/traces --wal /var/lib/tracewell/wal"
    )]
    Serve(serve::Serve),
    /// Ask SQL.
    #[command(
        after_help = "Examples:\n  tracewell sql \"SELECT kind, count(*) FROM spans GROUP BY kind\"\n  tracewell sql --format csv \"SELECT * FROM spans\" > spans.csv"
    )]
    Sql(sql::Sql),
    /// List runs, and show all that is known of one.
    Runs(runs::Runs),
    /// Ask a named query: questions that people have, with parameters.
    #[command(
        after_help = "Queries of your own: put NAME.sql into the folder of the setting query.folder; `tracewell query NAME --sql` prints one as an example.\n\nExamples:\n  tracewell query\n  tracewell query tokens_by_team_prompt_model --param since=2026-11-16 --param team=retail\n  tracewell query tool_loops -p since=24h --format csv\n  tracewell query slowest_runs --sql"
    )]
    Query(query::Query),
    /// The prices in force: list them, try them, import price lists, compare catalogues.
    Prices(prices::Prices),
    /// Give scores, feedback and corrections: to spans, runs, sessions and retrieved documents.
    Score(score::Score),
    /// Judge runs and answers by rules, which are SQL, and keep what they say as scores.
    #[command(
        after_help = "A rule is a named query of the group `evaluators`; put rules of your own into the folder `evaluators` of the setting query.folder. What a rule said before and says again is not kept twice.\n\nExamples:\n  tracewell evaluate\n  tracewell evaluate not_refused valid_json --since 2026-11-16 --dry-run\n  tracewell evaluate grounding_overlap --since 7d --sample 10%\n  tracewell evaluate within_latency -p seconds=20"
    )]
    Evaluate(evaluate::Evaluate),
    /// Cost and quality over a period, as pages for people and rows for programs.
    Report(report::Reports),
    /// How alerts stand; ask their rules now; silence one.
    Alerts(alerts::Alerts),
    /// When a prompt changed in traffic, in what, and how errors, latency, tokens and scores moved with it.
    #[command(
        after_help = "Examples:\n  tracewell changes --prompt seed-helper --since 30d\n  tracewell changes --prompt seed-helper --on 2026-11-20"
    )]
    Changes(changes::Changes),
    /// Take failures and other cases from traffic into a dataset.
    Examples(examples::Examples),
    /// Datasets of examples: show, compare, import, export.
    Dataset(dataset::Dataset),
    /// People look at outputs: queues of examples, judged one after the other. Alone it asks about what waits in all of them.
    #[command(after_help = "Examples:\n  tracewell review --author ann\n  tracewell review next refunds")]
    Review(review::Review),
    /// The prompts on record: add, list, compare, take over from a folder.
    Prompt(prompt::Prompt),
    /// What of a prompt is live where, since when, by whom and why; propose, approve, go live, roll back.
    Release(release::Release),
    /// Try a candidate on every example of a dataset. What comes back is traffic, marked as trials.
    #[command(
        after_help = "A candidate is a TOML file:\n\n  name = \"refund-helper@13\"\n  model = \"gpt-4.1-mini\"\n  [endpoint]\n  kind = \"openai\"                  # or \"anthropic\"; also url, and key: the variable that holds it\n  [parameters]\n  temperature = 0\n  [[message]]\n  role = \"system\"\n  content = \"You help {{ metadata.customer }}.\"\n\nInstructions are followed by the example's conversation; {{ … }} may name question, variables, metadata, documents, tags and messages, and the variables themselves. Requests hold the examples as they are, unless --mask is given: they go to the endpoint that the candidate names. The same command goes on with a replay that was stopped.\n\nExamples:\n  tracewell replay --dataset refunds@v3 --candidate better.toml --max-cost 2.50\n  tracewell replay --dataset refunds --candidate better.toml --repetitions 3 --concurrency 20\n  tracewell replay --dataset refunds --candidate prompt:refund-helper@13 --judge polite.toml\n  tracewell replay --dataset refunds --candidate better.toml --dry-run"
    )]
    Replay(Box<replay::Replay>),
    /// Ask a model about answers by a rubric; what it says is kept as scores, which a gate can read.
    #[command(
        after_help = "A judge is a TOML file:\n\n  name = \"polite\"                # the score's\n  model = \"gpt-4.1\"\n  worst = 1                      # the scale; from 0 to 1 otherwise\n  best = 5\n  rubric = \"5: polite, and says what happens next. 1: rude.\"\n  [endpoint]                     # as that of a candidate\n  kind = \"anthropic\"\n\nRequests hold cases and answers as they are, unless --mask is given: they go to the endpoint that the judge names. An answer is judged once: the same command goes on with what is not judged yet.\n\nExamples:\n  tracewell judge polite.toml --dataset refunds@v3 --candidate refund-helper@13 --max-cost 1\n  tracewell replay --dataset refunds@v3 --candidate better.toml --judge polite.toml"
    )]
    Judge(judge::Judge),
    /// May a candidate be released? Ends with 0 (pass), 1 (fail), 2 (not enough evidence) or 3 (it could not be asked).
    #[command(
        after_help = "It ends with 3 where it cannot decide at all: wrong arguments, a file that is no gate, a dataset or prompt that is not there, tables that cannot be read or written.\n\nA gate is a TOML file: dataset and version, baseline and candidate, scorers with what has to hold, budgets.\nIt looks at trials: spans with the attribute `tracewell.example.id`, as `tracewell replay` and other harnesses write them, with `tracewell.candidate`, `tracewell.dataset`, `tracewell.repetition` and, if they like, `tracewell.replay.id`.\nPersonal data and secrets are masked in what is printed and written; the verdict on record has them.\n\nExamples:\n  tracewell gate refunds.toml\n  tracewell gate refunds.toml --format md --write junit=gate.xml --write html=gate.html\n  tracewell gate refunds.toml --format md --policy privacy.toml\n  tracewell gate --list"
    )]
    Gate(gate::Gate),
    /// Read files of OTLP into the tables: protobuf, JSON or JSON lines, as they are or gzip or zstd. Safe to repeat.
    #[command(
        after_help = "Examples:\n  tracewell import traces.pb\n  tracewell import --data s3://bucket/traces backup/*.jsonl.zst"
    )]
    Import(import::Import),
    /// Verify the write-ahead log and every file of the tables; says what is wrong.
    #[command(
        after_help = "Ends with 1 where something is wrong.\n\nExample:\n  tracewell check --data s3://bucket/traces"
    )]
    Check(check::Check),
    /// Merge small files of the tables into large sorted ones, and drop rows that were sent again.
    #[command(
        after_help = "Examples:\n  tracewell compact\n  tracewell compact --data s3://bucket/traces --table spans --date 2026-11-05"
    )]
    Compact(maintain::Compact),
    /// Work out the tables `calls` and `traces` where spans came since. A server does this by itself once a day is over.
    #[command(
        after_help = "Until a date is settled, each query works it out anew.\n\nExamples:\n  tracewell settle\n  tracewell settle --data s3://bucket/traces --date 2026-11-05"
    )]
    Settle(maintain::Settle),
    /// Take rows out of the tables that are past their retention. `vacuum` frees their space.
    #[command(
        after_help = "A file goes when its date and every receipt in it are further back than given.\n\nExamples:\n  tracewell expire --spans 90d --contents 30d --dry-run\n  tracewell expire --data s3://bucket/traces --logs 2weeks"
    )]
    Expire(maintain::Expire),
    /// Write a checkpoint of each table, so that readers need not go through every commit. Commits do so now and then.
    #[command(
        after_help = "Examples:\n  tracewell checkpoint\n  tracewell checkpoint --data s3://bucket/traces --table spans"
    )]
    Checkpoint(maintain::Checkpoint),
    /// Delete files from the store that left the tables, or never came into them.
    #[command(
        after_help = "Versions of the tables that are older than --retain can no longer be read afterwards.\n\nExamples:\n  tracewell vacuum --dry-run\n  tracewell vacuum --data s3://bucket/traces --retain 2days"
    )]
    Vacuum(maintain::Vacuum),
    /// Print the published schema: every column of every table with its meaning.
    #[command(after_help = "Example:\n  tracewell schema > schema.md")]
    Schema(schema::Schema),
    /// Show the configuration in force and where each value comes from.
    #[command(
        after_help = "Passwords are not shown. A file with a mistake is refused with the setting that is wrong.\n\nExample:\n  tracewell config --config tracewell.toml"
    )]
    Config(configuration::Configuration),
    /// Print what makes a shell complete these commands.
    #[command(
        after_help = "Examples:\n  tracewell completion bash > /etc/bash_completion.d/tracewell\n  tracewell completion fish > ~/.config/fish/completions/tracewell.fish"
    )]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// A command has said all there is to say, and ends with this code.
#[derive(Debug)]
pub(crate) struct Ended(pub(crate) u8);

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ended with {}", self.0)
    }
}

impl std::error::Error for Ended {}

/// Says what is wrong with the arguments, or what was asked about them, and gives the code to end with: 2, but for a
/// gate, of which that is an answer.
pub(crate) fn misused(error: &clap::Error) -> ExitCode {
    // Nobody may read it any more.
    let _ = error.print();
    let is_gate = std::env::args_os().nth(1).is_some_and(|command| command == "gate");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if is_gate => ExitCode::from(gate::NOT_ASKED),
        code => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
    }
}

/// A line for whoever reads standard output. When nobody does any more, as behind `| head`, the work goes on.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}
use say;

/// Where the data is.
#[derive(Clone, Debug, Args)]
struct Place {
    /// Folder or URL (file://, s3://, gs://, az://) of the tables [default: ./tracewell-data]
    #[arg(long, value_name = "DIR|URL")]
    data: Option<String>,
    /// Folder of the write-ahead log, on this machine; within a local --data by default
    #[arg(long, value_name = "DIR")]
    wal: Option<PathBuf>,
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "TRACEWELL_CONFIG")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration in force with these flags and those of the command.
    fn load(&self, flags: Vec<Flag>) -> anyhow::Result<Effective> {
        let own = [
            self.data.clone().map(|value| Flag { key: "data", name: "--data", value }),
            self.wal.as_ref().map(|folder| Flag { key: "wal", name: "--wal", value: folder.display().to_string() }),
        ];
        let flags: Vec<Flag> = own.into_iter().flatten().chain(flags).collect();
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        config::load(self.config.as_deref(), variables, &flags)
    }
}

pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    match cli.command {
        Command::Serve(serve) => {
            let ended = runtime.block_on(serve.run());
            // It has waited for what it waits for.
            runtime.shutdown_background();
            ended
        }
        Command::Sql(sql) => runtime.block_on(sql.run()),
        Command::Runs(runs) => runtime.block_on(runs.run()),
        Command::Query(query) => runtime.block_on(query.run()),
        Command::Prices(prices) => runtime.block_on(prices.run()),
        Command::Score(score) => runtime.block_on(score.run()),
        Command::Evaluate(evaluate) => runtime.block_on(evaluate.run()),
        Command::Report(reports) => runtime.block_on(reports.run()),
        Command::Alerts(alerts) => runtime.block_on(alerts.run()),
        Command::Changes(changes) => runtime.block_on(changes.run()),
        Command::Examples(examples) => runtime.block_on(examples.run()),
        Command::Dataset(dataset) => runtime.block_on(dataset.run()),
        Command::Review(review) => runtime.block_on(review.run()),
        Command::Prompt(prompt) => runtime.block_on(prompt.run()),
        Command::Release(release) => runtime.block_on(release.run()),
        Command::Replay(replay) => runtime.block_on(replay.run()),
        Command::Judge(judge) => runtime.block_on(judge.run()),
        Command::Gate(gate) => runtime.block_on(gate.run()),
        Command::Import(import) => runtime.block_on(import.run()),
        Command::Check(check) => runtime.block_on(check.run()),
        Command::Compact(compact) => runtime.block_on(compact.run()),
        Command::Settle(settle) => runtime.block_on(settle.run()),
        Command::Expire(expire) => runtime.block_on(expire.run()),
        Command::Checkpoint(checkpoint) => runtime.block_on(checkpoint.run()),
        Command::Vacuum(vacuum) => runtime.block_on(vacuum.run()),
        Command::Schema(schema) => runtime.block_on(schema.run()),
        Command::Config(configuration) => configuration.run(),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tracewell", &mut script);
            Ok(std::io::stdout().write_all(&script)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns that help is written for where no terminal says how many it has.
    const COLUMNS: usize = 100;

    fn look(command: &clap::Command, path: &str, wrong: &mut Vec<String>) {
        for one in command.get_subcommands() {
            let path = format!("{path} {}", one.get_name());
            look(one, &path, wrong);
            let help = one.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> = help.lines().filter(|line| line.trim_start().starts_with(&path)).collect();
            if examples.is_empty() && !one.has_subcommands() {
                wrong.push(format!("`{path}` shows no example"));
            }
            let long = examples.iter().filter(|line| line.chars().count() > COLUMNS);
            wrong.extend(long.map(|line| format!("this would be broken, and cannot be copied: {line}")));
        }
    }

    #[test]
    fn every_command_shows_examples_that_can_be_copied() {
        let mut wrong = Vec::new();
        look(&Cli::command(), "tracewell", &mut wrong);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
