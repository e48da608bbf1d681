//! The benchmark of queries: a month of agent runs is received, compacted and settled, then asked.
//!
//! The questions, and the same questions to DuckDB and chDB over the same Parquet files, are in
//! `benches/queries/compare.py`, because those two are Python packages.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use crate::load::Days;
use crate::server::{self, Client, Server};

/// The questions.
const COMPARE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/queries/compare.py");

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A hundredth of the spans: to see that it works, not for figures to publish
    #[arg(long)]
    quick: bool,
    /// Spans [default: 10,000,000, quick: 100,000]
    #[arg(long)]
    spans: Option<u64>,
    /// Days they are spread over
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    days: u64,
    /// Seed of the spans
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the data: made where it does not exist, asked again where it does
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// A Python with the packages of benches/queries/requirements.txt
    #[arg(long, env = "TRACEWELL_PYTHON", default_value = "python3")]
    python: PathBuf,
    /// Only the questions whose name holds this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Make the data and ask nothing
    #[arg(long)]
    make_only: bool,
}

/// Makes the data where there is none, and measures.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let binary = server::binary()?;
    // Made under another name, so that half a month is not taken for a month the next time but gone on with.
    if !arguments.data.exists() {
        let unfinished = arguments.data.with_extension("unfinished");
        make(arguments, &binary, &unfinished)?;
        std::fs::rename(&unfinished, &arguments.data).context("cannot put the data in its place")?;
    }
    if arguments.make_only {
        return Ok(());
    }
    let mut compare = Command::new(&arguments.python);
    compare.arg(COMPARE).arg(&binary).arg(arguments.data.join("data"));
    compare.args(arguments.only.iter().flat_map(|only| ["--only", only]));
    let status = compare
        .status()
        .with_context(|| format!("cannot run {}; name a Python with --python", arguments.python.display()))?;
    if !status.success() {
        bail!("{COMPARE} failed; its packages: pip install -r benches/queries/requirements.txt");
    }
    Ok(())
}

fn make(arguments: &Arguments, binary: &Path, folder: &Path) -> anyhow::Result<()> {
    let pieces = folder.join("pieces");
    let first = match std::fs::read_to_string(&pieces) {
        Ok(sent) => sent.trim().parse().with_context(|| format!("{} holds no number", pieces.display()))?,
        Err(_) if folder.exists() => bail!("{} is no month that was begun; remove it", folder.display()),
        Err(_) => 0,
    };
    let spans = arguments.spans.unwrap_or(if arguments.quick { 100_000 } else { 10_000_000 });
    let days = Days { seed: arguments.seed, days: arguments.days, spans };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let server = Server::start(binary, folder, None)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let client = runtime.block_on(Client::connect(server.grpc(), 4))?;
    let (start, mut sent, mut bytes, mut told) = (Instant::now(), 0, 0, 0);
    days.each(threads, first, |piece, requests| {
        let done = runtime.block_on(client.send_all(&requests, 4))?;
        sent += done.spans;
        bytes += done.bytes;
        // All of it is acknowledged, so it is stored. What was sent beyond the number when this was stopped is sent
        // again, and counts once.
        std::fs::write(&pieces, format!("{}\n", piece + 1))?;
        if sent * 20 / spans.max(1) > told {
            told = sent * 20 / spans.max(1);
            eprintln!("{sent} spans in {} MB sent, {:.0?}", bytes / 1_000_000, start.elapsed());
        }
        Ok(())
    })?;
    drop(client);
    let watch = server.watch()?;
    server.stop(watch)?;
    let data = folder.join("data");
    for step in [&["compact"][..], &["settle"], &["vacuum", "--retain", "0s"]] {
        let start = Instant::now();
        let arguments = step.iter().map(OsStr::new).chain([OsStr::new("--data"), data.as_os_str()]);
        let done = Command::new(binary).args(arguments).output().context("cannot run tracewell")?;
        if !done.status.success() {
            bail!("tracewell {} failed: {}", step[0], String::from_utf8_lossy(&done.stderr));
        }
        eprintln!("tracewell {}: {:.0?}", step[0], start.elapsed());
    }
    Ok(())
}
