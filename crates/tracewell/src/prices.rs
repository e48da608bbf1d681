//! The price lists in force: the files of the setting `prices.files`, and those that were imported.
//!
//! An import of somebody else's list is kept as the rows of its catalogue, one JSON object a line, which are checked
//! against the catalogue's version when they are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use tracewell_pricing::catalogue::{PriceFile, operator};
use tracewell_pricing::{Catalogue, PriceRow};
use tracewell_query::Engine;
use tracewell_query::prices::{Prices, record};

use crate::config::Config;

/// What the names of files end in that hold the rows of a catalogue.
pub(crate) const ROWS: &str = "jsonl";
/// Between two looks whether a file changed.
const EVERY: Duration = Duration::from_secs(2);

/// Where imports are kept; nowhere when the tables are not on this machine and no folder is set.
pub(crate) fn folder(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    if !config.prices.folder.as_os_str().is_empty() {
        return Ok(Some(config.prices.folder.clone()));
    }
    Ok(config.location()?.folder().map(|data| data.join("price-lists")))
}

/// The files in force.
pub(crate) fn files(config: &Config) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = config.prices.files.clone();
    let Some(folder) = folder(config)?.filter(|folder| folder.is_dir()) else { return Ok(files) };
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut imported = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    imported.retain(|path| ["toml", "csv", ROWS].iter().any(|ending| has_ending(path, ending)));
    imported.sort();
    files.extend(imported);
    Ok(files)
}

pub(crate) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
}

/// The prices in force.
pub(crate) fn read(config: &Config) -> anyhow::Result<Prices> {
    Ok(Prices::new(catalogues(&files(config)?)?))
}

/// What the files hold.
pub(crate) fn catalogues(files: &[PathBuf]) -> anyhow::Result<Vec<Arc<Catalogue>>> {
    let (rows, own): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|path| has_ending(path, ROWS));
    let mut catalogues = Vec::new();
    if !own.is_empty() {
        let own = own.into_iter().map(|path| Ok(PriceFile { name: path.display().to_string(), text: text(path)? }));
        catalogues.push(Arc::new(of_operator(&own.collect::<anyhow::Result<Vec<_>>>()?)?));
    }
    for path in rows {
        catalogues.push(Arc::new(of_rows(path)?));
    }
    Ok(catalogues)
}

pub(crate) fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the prices in {}", path.display()))
}

/// The operator's rules of these files, which have to agree with one another.
pub(crate) fn of_operator(files: &[PriceFile]) -> anyhow::Result<Catalogue> {
    operator(files).map_err(|refusals| {
        let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the prices are refused:\n{}", lines.join("\n"))
    })
}

fn of_rows(path: &Path) -> anyhow::Result<Catalogue> {
    let read = || -> anyhow::Result<Catalogue> {
        let text = text(path)?;
        let row = |(line, text)| -> anyhow::Result<PriceRow> {
            serde_json::from_str(text).with_context(|| format!("line {line}"))
        };
        Ok(Catalogue::from_rows((1..).zip(text.lines()).map(row).collect::<anyhow::Result<_>>()?)?)
    };
    read().with_context(|| format!("{} is damaged; import the list again", path.display()))
}

/// A catalogue as [`catalogues`] reads it.
pub(crate) fn rows_text(catalogue: &Catalogue) -> anyhow::Result<String> {
    let mut text = String::new();
    for row in catalogue.rows() {
        text += &serde_json::to_string(&row)?;
        text.push('\n');
    }
    Ok(text)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Puts the prices of now in force, kept beside the tables first; their version.
pub(crate) async fn take(config: &Config, engine: &Engine) -> anyhow::Result<String> {
    let prices = Arc::new(read(config)?);
    record(engine.lake().location(), &prices, crate::clock::now()).await?;
    let version = prices.version().to_owned();
    engine.set_prices(prices);
    Ok(version)
}

/// Takes over prices that change, until `stop`. Where they cannot be taken, those before stay.
pub(crate) async fn watch(config: Config, engine: Arc<Engine>, stop: CancellationToken) {
    let mut seen = state(&config);
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let now = state(&config);
        if now == seen {
            continue;
        }
        seen = now;
        match take(&config, &engine).await {
            Ok(version) => tracing::info!(version, "the prices changed"),
            Err(error) => tracing::error!("the prices changed and stay as they were: {error:#}"),
        }
    }
}

/// What tells that a file changed.
fn state(config: &Config) -> Vec<(PathBuf, Option<(SystemTime, u64)>)> {
    let look = |path: PathBuf| {
        let about = std::fs::metadata(&path).and_then(|about| Ok((about.modified()?, about.len()))).ok();
        (path, about)
    };
    files(config).unwrap_or_default().into_iter().map(look).collect()
}

/// One catalogue by what people call it: a file, or `built-in`.
pub(crate) fn named(name: &str) -> anyhow::Result<Arc<Catalogue>> {
    if name == "built-in" {
        return Ok(Catalogue::built_in());
    }
    let path = PathBuf::from(name);
    if has_ending(&path, "json") {
        return Ok(Arc::new(foreign(&path, None)?.0));
    }
    match catalogues(std::slice::from_ref(&path))?.pop() {
        Some(catalogue) => Ok(catalogue),
        None => bail!("{name} holds no prices"),
    }
}

/// A list of LiteLLM or of genai-prices, and the prices of it that were left out, as model and key.
pub(crate) fn foreign(path: &Path, from: Option<i64>) -> anyhow::Result<(Catalogue, Vec<(String, String)>)> {
    let text = text(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let read = || -> anyhow::Result<(Catalogue, Vec<(String, String)>)> {
        if text.trim_start().starts_with('[') {
            if from.is_some() {
                bail!("prices of genai-prices have dates; --from is for lists of LiteLLM");
            }
            return Ok((tracewell_pricing::catalogue::genai_prices(&name, &text)?, Vec::new()));
        }
        let import = tracewell_pricing::catalogue::litellm(&name, &text, from)?;
        Ok((import.catalogue, import.left_out.into_iter().map(|left| (left.model, left.key)).collect()))
    };
    read().with_context(|| format!("the prices in {} are refused", path.display()))
}
