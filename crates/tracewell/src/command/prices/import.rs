//! `tracewell prices import`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use tracewell_pricing::{Source, UnixNanos};

use crate::command::{Place, say};
use crate::prices::{self, ROWS};

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    place: Place,
    /// From when a list of LiteLLM holds, which has no dates; always where it is left out
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    from: Option<UnixNanos>,
    /// Only check it
    #[arg(long)]
    dry_run: bool,
    /// The file
    file: PathBuf,
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        let Some(folder) = prices::folder(&config)? else {
            bail!(
                "the tables are not on this machine; say where the server reads imports with the setting prices.folder"
            )
        };
        let (path, text) = self.checked(&folder)?;
        // Whole, with all files that stay: rules of one's own must not contradict one another.
        let staged = tempfile::tempdir()?;
        let copy = staged.path().join(path.file_name().unwrap_or_default());
        prices::write(&copy, &text)?;
        // Messages name the file as it was given.
        let copy = if prices::has_ending(&self.file, "json") { copy } else { self.file.clone() };
        let stay = prices::files(&config)?.into_iter().filter(|file| *file != path);
        prices::catalogues(&stay.chain([copy]).collect::<Vec<_>>())?;
        if self.dry_run {
            say!("{} can be taken", self.file.display());
            return Ok(());
        }
        prices::write(&path, &text)?;
        say!("{} is in force as {}", self.file.display(), path.display());
        Ok(())
    }

    /// Where the file is to be kept, and its text there.
    fn checked(&self, folder: &Path) -> anyhow::Result<(PathBuf, String)> {
        if ["toml", "csv"].iter().any(|ending| prices::has_ending(&self.file, ending)) {
            ensure!(self.from.is_none(), "rules of your own have dates of their own; --from is for lists of LiteLLM");
            let name = self.file.file_name().context("the file has no name")?;
            return Ok((folder.join(name), prices::text(&self.file)?));
        }
        ensure!(
            prices::has_ending(&self.file, "json"),
            "{} ends neither in .toml, .csv nor .json",
            self.file.display()
        );
        let (catalogue, left_out) = prices::foreign(&self.file, self.from)?;
        ensure!(!catalogue.rules().is_empty(), "{} holds no prices", self.file.display());
        say!("{} rules, version {}", catalogue.rules().len(), catalogue.version());
        if !left_out.is_empty() {
            say!("left out, because nothing here counts it or can say when it holds:");
        }
        let mut by_key = BTreeMap::<&str, Vec<&str>>::new();
        left_out.iter().for_each(|(model, key)| by_key.entry(key).or_default().push(model));
        for (key, models) in by_key {
            let more = if models.len() > 3 { format!(" and {} more", models.len() - 3) } else { String::new() };
            say!("  {key}: {}{more}", models[..models.len().min(3)].join(", "));
        }
        let name = match catalogue.source() {
            Source::Litellm => "litellm",
            _ => "genai-prices",
        };
        Ok((folder.join(format!("{name}.{ROWS}")), prices::rows_text(&catalogue)?))
    }
}
