//! `tracewell dataset export`: masked, then written.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use tracewell_blocks::{counted, tidy};
use tracewell_ledger::datasets;
use tracewell_regression::Example;
use tracewell_regression::exchange::{self, Exported};

use super::{Choice, parquet};
use crate::command::masking::{Masking, mask};
use crate::command::source::Asked;

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    choice: Choice,
    /// For whom
    #[arg(long, value_enum)]
    to: Target,
    /// The file, or for Parquet the folder; standard output otherwise
    #[arg(long, short = 'o', value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    masking: Masking,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Lines of JSON with all there is.
    Jsonl,
    /// For spreadsheets.
    Csv,
    /// A folder that Hugging Face `datasets` opens.
    Parquet,
    /// Tests of promptfoo.
    PromptfooYaml,
    /// The same in JSON.
    PromptfooJson,
    /// OpenAI evals.
    OpenaiEvals,
    /// OpenAI's fine-tuning; beside the file stands FILE.ids.jsonl, which tells the example of each line.
    OpenaiFineTuning,
    /// Inspect AI.
    Inspect,
    /// Dataset items of Langfuse.
    Langfuse,
}

impl Target {
    fn format(self) -> Option<exchange::Format> {
        Some(match self {
            Self::Parquet => return None,
            Self::Jsonl => exchange::Format::Jsonl,
            Self::Csv => exchange::Format::Csv,
            Self::PromptfooYaml => exchange::Format::PromptfooYaml,
            Self::PromptfooJson => exchange::Format::PromptfooJson,
            Self::OpenaiEvals => exchange::Format::OpenaiEvals,
            Self::OpenaiFineTuning => exchange::Format::OpenaiFineTuning,
            Self::Inspect => exchange::Format::Inspect,
            Self::Langfuse => exchange::Format::Langfuse,
        })
    }
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let dataset = datasets::existing(&self.asked.open().await?, &self.choice.pin).await?;
        let examples = dataset.examples().filter(|example| self.choice.fits(example)).cloned();
        let mut masker = self.masking.masker()?;
        let masked = |example| match &mut masker {
            Some(masker) => mask(masker, example),
            None => Ok(example),
        };
        let examples: Vec<Example> = examples.map(masked).collect::<Result<_, _>>()?;
        // Tests that are none all pass, and a folder would lose what an earlier export left there.
        ensure!(!examples.is_empty(), "no example of `{}` is meant, so nothing is written", self.choice.pin);
        let masked = self.masking.told(masker.as_ref())?;
        let skipped = match (self.to.format(), &self.output) {
            (Some(format), output) => {
                let Exported { text, skipped } = exchange::export(format, &dataset.name, &examples);
                match output {
                    Some(path) => {
                        write(path, &text)?;
                        if self.to == Target::OpenaiFineTuning {
                            let pinned = format!("{}@v{}", dataset.name, dataset.version);
                            write(&beside(path), &origins(&pinned, &examples, &skipped))?;
                        }
                    }
                    None => std::io::stdout().write_all(text.as_bytes())?,
                }
                skipped
            }
            (None, Some(folder)) => {
                parquet::write(folder, &examples)?;
                Vec::new()
            }
            (None, None) => bail!("Parquet is a folder of files; name it with --output FOLDER"),
        };
        for (id, reason) in &skipped {
            eprintln!("tracewell: `{}` was left out: {reason}", tidy(id));
        }
        let unasserted = examples.iter().filter(|example| example.expected.is_none()).count();
        if unasserted > 0 && matches!(self.to, Target::PromptfooYaml | Target::PromptfooJson) {
            let they = counted(unasserted as u64, "test has", "tests have");
            eprintln!("{they} no expected answer to hold an output against");
        }
        let count = counted((examples.len() - skipped.len()) as u64, "example", "examples");
        eprintln!("{count} of `{}@v{}`; {masked}", dataset.name, dataset.version);
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The file beside one for fine-tuning that tells of which examples its lines are.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".ids.jsonl");
    PathBuf::from(name)
}

/// Of which example each line is: OpenAI refuses a file for fine-tuning whose lines have members that it does not know.
fn origins(pinned: &str, examples: &[Example], skipped: &[(String, String)]) -> String {
    let written = examples.iter().filter(|example| skipped.iter().all(|(id, _)| *id != example.id));
    let line = |(number, example): (usize, &Example)| {
        let source = example.source.clone().unwrap_or_default();
        let of = json!({ "line": number, "dataset": pinned, "example": example.id, "revision": example.revision,
            "trace_id": source.trace_id, "span_id": source.span_id, "content_hash": source.content_hash });
        format!("{of}\n")
    };
    (1..).zip(written).map(line).collect()
}
