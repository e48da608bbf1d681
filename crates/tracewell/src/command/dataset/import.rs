//! `tracewell dataset import`: what a file says of examples.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use tracewell_blocks::{counted, tidy};
use tracewell_ledger::LedgerError;
use tracewell_regression::dataset::{Edit, Pin};
use tracewell_regression::exchange::{self, ImportError, Imported, Wrong};

use super::super::author::Author;
use super::super::source::Asked;

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The dataset
    #[arg(value_name = "NAME")]
    name: String,
    /// The file, or a folder of Parquet files as `export` writes it; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is [default: by the end of its name]
    #[arg(long, value_name = "FORMAT", value_parser = ["jsonl", "csv", "promptfoo", "parquet"])]
    from: Option<String>,
    /// Import nothing where a line is wrong
    #[arg(long)]
    strict: bool,
    /// Take placeholders of what was masked as they are
    #[arg(long)]
    masked: bool,
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.name.parse::<Pin>()?;
        let imported = self.read()?;
        self.tell(&imported.wrong);
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        let mut refused = Vec::new();
        let changed = ledger
            .change(&self.name, &signed, |dataset| {
                let (taken, wrong) = imported.onto(dataset, self.masked).map_err(LedgerError::Refused)?;
                refused = wrong;
                if self.strict && !refused.is_empty() {
                    return Err(LedgerError::Refused(ImportError(refused.clone()).to_string()));
                }
                Ok(taken.into_iter().map(|example| Edit::Put(Box::new(example))).collect())
            })
            .await?;
        self.tell(&refused);
        let wrong = imported.wrong.len() + refused.len();
        let told = counted(wrong as u64, "entry is wrong", "entries are wrong");
        eprintln!(
            "{} read, {} changed something, {told}: `{}@v{}`",
            counted((imported.entries.len() - refused.len()) as u64, "example was", "examples were"),
            changed.rows.len(),
            self.name,
            changed.version
        );
        anyhow::ensure!(wrong == 0, "{told}; the others are imported");
        Ok(())
    }

    fn tell(&self, wrong: &[Wrong]) {
        for wrong in wrong {
            eprintln!("tracewell: `{}`, {}", self.file.display(), tidy(&wrong.to_string()));
        }
    }

    fn read(&self) -> anyhow::Result<Imported> {
        if self.file.is_dir() {
            return super::parquet::read_folder(&self.file, self.strict);
        }
        let shown = self.file.display().to_string();
        let mut bytes = Vec::new();
        match shown.as_str() {
            "-" => std::io::stdin().read_to_end(&mut bytes).map(drop),
            _ => std::fs::read(&self.file).map(|read| bytes = read),
        }
        .with_context(|| format!("cannot read `{shown}`"))?;
        let ending = self.file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let source = match self.from.as_deref().unwrap_or(ending) {
            "parquet" => return super::parquet::read(bytes, self.strict),
            "csv" => exchange::Source::Csv,
            "promptfoo" | "yaml" | "yml" => exchange::Source::Promptfoo,
            "jsonl" | "ndjson" => exchange::Source::Jsonl,
            _ => bail!("what is in `{shown}`? Say it: --from jsonl, csv, promptfoo or parquet"),
        };
        Ok(exchange::import(source, &bytes, self.strict)?)
    }
}
