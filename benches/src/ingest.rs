//! The benchmark of ingest: both workloads at full load and at half load, and each stage alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use tracewell_model::schema::SPANS;

use crate::load::{self, Request, Workload};
use crate::memory::{self, Warm};
use crate::server::{self, Client, Sent, Server, Stored, Used};

mod report;
mod stages;
mod text;

use report::{Cpu, Load, Machine, Measured, Report, Storage};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A fifth of the load and of the time: to see that it works, not for figures to publish
    #[arg(long)]
    quick: bool,
    /// How the figures are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Measure this workload only
    #[arg(long, value_enum)]
    workload: Option<Workload>,
    /// Millions of bytes of OTLP sent at full load [default: 1500, quick: 300]
    #[arg(long, value_name = "MB")]
    megabytes: Option<u64>,
    /// Connections of the sender
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    connections: u64,
    /// Requests that a connection has under way at a time, at full load
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,
    /// Shards of the server [default: the server's own]
    #[arg(long)]
    shards: Option<usize>,
    /// Seed of the load
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where a folder for the server's data is made, on a disk [default: beside this program]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Leave the data of the full load there
    #[arg(long)]
    keep: bool,
    /// Keep memory pages ready for the server: on a virtual machine whose host takes free pages back
    #[arg(long)]
    warm: bool,
    /// Measure the stages alone, without a server
    #[arg(long)]
    stages_only: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// About how many bytes of OTLP a span takes.
fn span_bytes(workload: Workload) -> u64 {
    match workload {
        Workload::Small => 455,
        Workload::Agents => 8_000,
    }
}

/// Bytes of OTLP the stages are measured on.
const STAGE_BYTES: u64 = 100_000_000;

/// Runs the benchmark and prints its figures.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let binary = if arguments.stages_only { PathBuf::new() } else { server::binary()? };
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let beside = own.parent().context("this program is in no folder")?;
    let mut folder = tempfile::Builder::new()
        .prefix("tracewell-benches-")
        .tempdir_in(arguments.folder.as_deref().unwrap_or(beside))
        .context("cannot make a folder for the data")?;
    folder.disable_cleanup(arguments.keep);
    let workloads = arguments.workload.map_or_else(|| vec![Workload::Small, Workload::Agents], |one| vec![one]);
    let mut report = Report {
        machine: Machine::this(memory::first_touch()?),
        quick: arguments.quick,
        warm: arguments.warm,
        workloads: Vec::new(),
    };
    for workload in workloads {
        report.workloads.push(measure(arguments, workload, &binary, folder.path())?);
    }
    match arguments.format {
        Format::Text => print!("{}", text::render(&report)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    if arguments.keep {
        eprintln!("the data is in {}", folder.path().display());
    }
    Ok(())
}

fn measure(arguments: &Arguments, workload: Workload, binary: &Path, folder: &Path) -> anyhow::Result<Measured> {
    let megabytes = arguments.megabytes.unwrap_or(if arguments.quick { 300 } else { 1_500 });
    let spans = (megabytes * 1_000_000 / span_bytes(workload)).max(1_000);
    eprintln!("{workload:?}: making the load");
    let requests = load::make(workload, arguments.seed, spans);
    let mut measured = Measured {
        workload,
        load: Load::of(&requests),
        full: None,
        half: None,
        storage: None,
        stages: Vec::new(),
        compacted_sample: Vec::new(),
    };
    if !arguments.stages_only {
        let name = workload.to_possible_value().expect("every workload has a name").get_name().to_owned();
        let full = folder.join(format!("{name}-full"));
        eprintln!(
            "{workload:?}: full load, {} spans in {} MB",
            load::spans(&requests),
            load::bytes(&requests) / 1_000_000
        );
        let (sent, used) = serve(arguments, binary, &full, &requests, None)?;
        measured.storage = Some(storage(binary, &full, &sent)?);
        if !arguments.keep {
            std::fs::remove_dir_all(&full)?;
        }
        // Other bytes, or the server would take them for the same requests sent again.
        let rate = sent.acks.len() as f64 / sent.wall.as_secs_f64() / 2.0;
        let seconds = if arguments.quick { 5.0 } else { 20.0 };
        let part = (rate * seconds).min(sent.acks.len() as f64) / sent.acks.len() as f64;
        let other = load::make(workload, arguments.seed + 1, (sent.spans as f64 * part) as u64);
        let half = folder.join(format!("{name}-half"));
        settle();
        eprintln!("{workload:?}: half load, {rate:.0} requests a second");
        let (paced, paced_used) = serve(arguments, binary, &half, &other, Some(rate))?;
        std::fs::remove_dir_all(&half)?;
        measured.full = Some(Cpu::of(&sent, &used));
        measured.half = Some(Cpu::of(&paced, &paced_used));
    }
    eprintln!("{workload:?}: the stages alone");
    let seconds = if arguments.quick { 1.0 } else { 3.0 };
    let mut taken = 0;
    let sample = requests.partition_point(|request| {
        taken += request.body.len() as u64;
        taken <= STAGE_BYTES
    });
    let sample = &requests[..sample.max(1)];
    measured.stages = stages::measure(sample, folder, seconds)?;
    measured.compacted_sample = stages::compacted(sample)?;
    Ok(measured)
}

/// Sends `requests` to a server of their own, paced or as fast as it goes, until all is committed.
fn serve(
    arguments: &Arguments,
    binary: &Path,
    folder: &Path,
    requests: &[Request],
    per_second: Option<f64>,
) -> anyhow::Result<(Sent, Used)> {
    let _warm = if arguments.warm { Some(Warm::keep()?) } else { None };
    let server = Server::start(binary, folder, arguments.shards)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let address = server.grpc();
    let client = runtime.block_on(Client::connect(address, arguments.connections as usize))?;
    let watch = server.watch()?;
    let sent = runtime.block_on(async {
        match per_second {
            Some(rate) => client.send_paced(requests, rate).await,
            None => client.send_all(requests, arguments.in_flight as usize).await,
        }
    })?;
    drop(client);
    let used = server.stop(watch)?;
    let rows = Stored::read(&folder.join("data"))?.rows(SPANS.name);
    if rows != sent.spans {
        bail!("{} spans were acknowledged, but the table holds {rows}", sent.spans);
    }
    Ok((sent, used))
}

/// Waits until the disk has done what came before: the removal of gigabytes holds up the next sync of any file.
fn settle() {
    if let Err(error) = std::process::Command::new("sync").status() {
        eprintln!("cannot wait for the disk, so the next figures may hold earlier work: {error}");
    }
}

fn storage(binary: &Path, folder: &Path, sent: &Sent) -> anyhow::Result<Storage> {
    let data = folder.join("data");
    let committed = Stored::read(&data)?;
    let compacted = match server::tend(binary, folder, "compact")? {
        true => {
            // The derived tables, which are reported beside the facts.
            server::tend(binary, folder, "settle")?;
            Some(Stored::read(&data)?)
        }
        false => None,
    };
    Ok(Storage { otlp_bytes: sent.bytes, spans: sent.spans, committed, compacted })
}
