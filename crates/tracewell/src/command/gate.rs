//! `tracewell gate`: may a candidate be released?

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tracewell_blocks::tidy;
use tracewell_ledger::verdicts::{self, Request, Said};
use tracewell_ledger::{prompts, releases};
use tracewell_regression::candidate::Candidate;
use tracewell_regression::gate::{Contender, Decision, Gate as Declared, Verdict, junit, page};
use tracewell_runs::Ask;
use tracewell_runs::render::{html, markdown};

use super::Ended;
use super::author::Author;
use super::masking::Masking;
use super::source::Asked;
use crate::output::{self, Form, Format};

/// What a gate ends with that could not be asked: that is no verdict.
pub(crate) const NOT_ASKED: u8 = 3;

#[derive(Debug, Args)]
pub(crate) struct Gate {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The gate's file
    #[arg(value_name = "FILE", required_unless_present = "list")]
    file: Option<PathBuf>,
    /// How the verdict is printed
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    format: Shape,
    /// Write the verdict to a file as well; may be given several times
    #[arg(long = "write", value_name = "FORMAT=FILE", value_parser = written)]
    write: Vec<(Shape, PathBuf)>,
    #[command(flatten)]
    masking: Masking,
    /// Look only at trials of this UTC day and later [default: the day before the dataset began]
    #[arg(long, value_name = "DAY")]
    since: Option<chrono::NaiveDate>,
    /// Decide, and keep no record of it
    #[arg(long)]
    dry_run: bool,
    /// List the latest verdicts instead
    #[arg(long)]
    list: bool,
}

/// How a verdict is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For a terminal.
    Text,
    /// With all there is.
    Json,
    /// JUnit XML, which CI systems show.
    Junit,
    /// Markdown, for a pull request.
    Md,
    /// One page of HTML that needs nothing else.
    Html,
}

fn written(text: &str) -> Result<(Shape, PathBuf), String> {
    let (shape, path) = text.split_once('=').ok_or("give it as FORMAT=FILE, such as junit=gate.xml")?;
    Ok((Shape::from_str(shape, true)?, PathBuf::from(path)))
}

impl Gate {
    /// Ends with 0, 1 or 2: pass, fail, not enough evidence. What keeps the gate from being asked says nothing of the
    /// candidate: 3.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let code = if self.list {
            output::until_broken(self.list().await).map(|()| 0)
        } else {
            self.decide().await.map(Decision::exit_code)
        };
        match code {
            Ok(0) => Ok(()),
            Ok(code) => Err(Ended(code).into()),
            Err(error) => {
                eprintln!("tracewell: {}", tidy(&output::told(&error)));
                Err(Ended(NOT_ASKED).into())
            }
        }
    }

    async fn list(&self) -> anyhow::Result<()> {
        let is_listed = matches!(self.format, Shape::Text | Shape::Json);
        anyhow::ensure!(is_listed, "verdicts are listed as text or JSON; give --format text or json");
        let (schema, rows) = self.asked.open().await?.sql(&verdicts::list(None, 50)).await?;
        let format = if self.format == Shape::Text { Format::Table } else { Format::Json };
        output::write(&mut std::io::stdout().lock(), format, &schema, &rows)
    }

    async fn decide(&self) -> anyhow::Result<Decision> {
        let path = self.file.as_deref().unwrap_or(Path::new(""));
        let file = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let gate = Declared::parse(&file).with_context(|| format!("`{}` is no gate", path.display()))?;
        let author = self.author.name()?;
        // Before anything is worked out, whether it can be shown and kept.
        let mut masker = self.masking.masker()?;
        let ledger = if self.dry_run { None } else { Some(self.asked.ledger().await?) };
        let source = &self.asked.open().await?;
        let candidate = Named::new(source, &gate.candidate).await?;
        let who = releases::who(source, &gate.candidate, &candidate.name).await?;
        let (mut baseline, mut with) = (Said::default(), None);
        if let Some(contender) = &gate.baseline {
            let named = Named::new(source, contender).await?;
            // What is live is asked of the candidate's prompt.
            let name = if matches!(contender, Contender::Live(_)) { &candidate.name } else { &named.name };
            with = Some(releases::who(source, contender, name).await?);
            baseline = named.said;
        }
        let request = Request {
            gate: &gate,
            file: &file,
            author: &author,
            sides: [with.as_ref(), Some(&who)],
            said: [&baseline, &candidate.said],
            today: chrono::DateTime::from_timestamp_nanos(crate::clock::now()).date_naive(),
            since: self.since,
        };
        let mut reached = verdicts::reach(source, &request).await?;
        if let Some(ledger) = &ledger {
            ledger.keep(&reached).await?;
            reached.verdict.verdict = Some(reached.id.clone());
        }
        let shown = masker.as_mut().map_or_else(|| reached.verdict.clone(), |masker| reached.verdict.masked(masker));
        for (shape, path) in &self.write {
            let text = shaped(*shape, &shown)?;
            std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        // Whoever stops reading gets the decision all the same.
        output::until_broken(self.print(&shown))?;
        eprintln!("{}", self.masking.told(masker.as_ref())?);
        Ok(reached.verdict.decision)
    }

    fn print(&self, verdict: &Verdict) -> anyhow::Result<()> {
        match self.format {
            Shape::Text => output::page(Form::Text, &verdict.gate, &page(verdict), verdict),
            shape => {
                super::say!("{}", shaped(shape, verdict)?.trim_end());
                Ok(())
            }
        }
    }
}

fn shaped(shape: Shape, verdict: &Verdict) -> anyhow::Result<String> {
    Ok(match shape {
        Shape::Text => output::plain(&page(verdict)),
        Shape::Json => serde_json::to_string_pretty(verdict)? + "\n",
        Shape::Junit => junit(verdict)?,
        Shape::Md => markdown(&page(verdict)),
        Shape::Html => html(&format!("Gate {}", verdict.gate), &page(verdict)),
    })
}

/// A contender, as far as the gate's file tells.
struct Named {
    /// What its trials are marked with.
    name: String,
    said: Said,
}

impl Named {
    async fn new(source: &impl Ask, contender: &Contender) -> anyhow::Result<Self> {
        let mut said = Said::default();
        let name = match contender {
            Contender::File(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?;
                let candidate = Candidate::parse(&text).with_context(|| format!("`{path}` is no candidate"))?;
                said.file = Some(text);
                candidate.name.unwrap_or_else(|| contender.to_string())
            }
            Contender::Prompt(prompt) => {
                let prompt = said.prompt.insert(prompts::get(source, prompt).await?);
                format!("{}@{}", prompt.name, prompt.version)
            }
            Contender::Version(version) => {
                said.prompt = prompts::of_version(source, version).await?;
                version.clone()
            }
            other => other.to_string(),
        };
        Ok(Self { name, said })
    }
}
