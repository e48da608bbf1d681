//! `tracewell import`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tracewell_blocks::counted;
use tracewell_ingest::{Imported, Importer};
use tracewell_lake::Lake;
use tracewell_model::schema::TABLES;

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    place: Place,
    /// Files, or folders to search for .pb, .json and .jsonl files, as they are or with .gz or .zst.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Import nothing of a file in which a request cannot be read.
    #[arg(long)]
    strict: bool,
}

impl Import {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        let mut files = Vec::new();
        for path in &self.paths {
            collect(path, true, &mut files).with_context(|| format!("cannot read `{}`", path.display()))?;
        }
        anyhow::ensure!(!files.is_empty(), "no .pb, .json or .jsonl file was found");
        let lake = Lake::open(config.location()?, TABLES, true).await?;
        let importer = Importer::new(&lake, crate::clock::now).strict(self.strict).team_keys(&config.ingest.team_keys);
        let total = files.iter().map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum();
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}")
            .expect("the template is valid");
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::new(total).with_style(style);
        let (mut accepted, mut rejected, mut unreadable, mut known, mut failed) = (0, 0, 0, 0, 0);
        for file in &files {
            let before = bar.position();
            bar.set_message(file.display().to_string());
            match importer.file(file, &mut |bytes| bar.set_position(before + bytes)).await {
                Ok(imported) => {
                    accepted += imported.outcome.accepted;
                    rejected += imported.outcome.rejected;
                    unreadable += imported.unreadable;
                    known += u64::from(imported.known > 0);
                    bar.suspend(|| tell(file, &imported));
                }
                Err(error) => {
                    failed += 1;
                    bar.suspend(|| eprintln!("tracewell: {error}"));
                }
            }
        }
        bar.finish_and_clear();
        let all = counted(files.len() as u64, "file", "files");
        let unread = counted(unreadable, "request", "requests") + " could not be read";
        eprintln!(
            "{all}: {} read, {rejected} refused, {unread}, {} imported before, {} failed",
            counted(accepted, "span or log record", "spans and log records"),
            counted(known, "file was", "files were"),
            counted(failed, "file", "files"),
        );
        anyhow::ensure!(failed == 0, "{failed} of {all} could not be imported");
        anyhow::ensure!(unreadable == 0, "{unread}; the others are imported");
        Ok(())
    }
}

/// What of a file was not imported, and why.
fn tell(file: &Path, imported: &Imported) {
    let name = file.display();
    for reason in &imported.outcome.reasons {
        eprintln!("tracewell: `{name}`: refused {reason}");
    }
    for complaint in &imported.complaints {
        eprintln!("tracewell: `{name}`, {complaint}");
    }
    let more = imported.unreadable.saturating_sub(imported.complaints.len() as u64);
    if more > 0 {
        eprintln!("tracewell: `{name}`: {} could not be read", counted(more, "more request", "more requests"));
    }
    if imported.metric_points > 0 {
        let points = counted(imported.metric_points, "metric data point is", "metric data points are");
        eprintln!("tracewell: `{name}`: {points} not kept");
    }
}

/// A file as named, and below a folder every file that looks like OTLP, in order of names.
fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        entries.sort();
        for entry in entries {
            collect(&entry, false, files)?;
        }
        return Ok(());
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let bare = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(name);
    let looks = [".pb", ".json", ".jsonl"].iter().any(|ending| bare.ends_with(ending));
    if named && (path == Path::new("-") || !path.metadata()?.is_file()) {
        let why = "a file is read twice, so what comes through a pipe has to be written to one first";
        return Err(std::io::Error::other(why));
    }
    if named || (looks && !bare.ends_with(".metrics.pb")) {
        files.push(path.to_owned());
    }
    Ok(())
}
