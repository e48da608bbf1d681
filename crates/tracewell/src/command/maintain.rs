//! `tracewell compact`, `settle`, `expire`, `checkpoint` and `vacuum`, and the same in the background of a server.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, ensure};
use clap::Args;
use tokio_util::sync::CancellationToken;
use tracewell_blocks::counted;
use tracewell_ingest::Ingest;
use tracewell_lake::{FactTable, Lake};
use tracewell_maintain::{
    Compactor, Maintainer, Options, Retention, Schedule, Settler, derived, expire, expire_derived, expiring, vacuum,
};
use tracewell_model::schema::{CALLS, CONTENTS, DERIVED_TABLES, LOGS, SCORES, SPANS, TABLES, TRACES};
use tracewell_model::time::Day;

use super::{Place, say};
use crate::config::{Config, Flag, MaintenanceSettings, TimeSpan, written};

#[derive(Debug, Args)]
pub(crate) struct Compact {
    #[command(flatten)]
    place: Place,
    /// Only this table
    #[arg(long, value_name = "NAME", value_parser = TABLES.iter().map(|table| table.name).collect::<Vec<_>>())]
    table: Option<String>,
    /// Only this date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
}

#[derive(Debug, Args)]
pub(crate) struct Settle {
    #[command(flatten)]
    place: Place,
    /// Only this date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<Day>,
}

#[derive(Debug, Args)]
pub(crate) struct Expire {
    #[command(flatten)]
    place: Place,
    /// Keep spans this long; 0s: for ever [default: maintenance.keep_spans]
    #[arg(long, value_name = "DURATION")]
    spans: Option<String>,
    /// Keep log records this long
    #[arg(long, value_name = "DURATION")]
    logs: Option<String>,
    /// Keep contents (messages and payloads) this long
    #[arg(long, value_name = "DURATION")]
    contents: Option<String>,
    /// Keep scores this long
    #[arg(long, value_name = "DURATION")]
    scores: Option<String>,
    /// Only say what would expire
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    #[command(flatten)]
    place: Place,
    /// Only this table
    #[arg(long, value_name = "NAME", value_parser = TABLES.iter().map(|table| table.name).collect::<Vec<_>>())]
    table: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Vacuum {
    #[command(flatten)]
    place: Place,
    /// Keep files that left a table for this long [default: 7d]
    #[arg(long, value_name = "DURATION")]
    retain: Option<String>,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

impl Compact {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        let lake = open(&config).await?;
        let compactor = Compactor::new(&lake, options(&config.maintenance), crate::clock::now)?;
        for table in tables(&lake).filter(|table| self.table.as_deref().is_none_or(|name| name == table.table().name)) {
            let name = table.table().name;
            let before = size_of(&table, self.date);
            let (mut merged, mut repeated) = (0, 0);
            while let Some(job) = compactor.plan(&table, self.date, true).await? {
                eprintln!("{name} {}: merging {}", job.day, sized(job.files.len(), job.bytes()));
                if let Some(done) = compactor.run(&table, &job).await? {
                    merged += done.files;
                    repeated += done.repeated;
                }
            }
            for day in Compactor::days_of_several_files(&table) {
                if self.date.is_none_or(|date| date == day) {
                    eprintln!("{name} {day}: looking for rows that were sent again");
                    if let Some(done) = compactor.drop_repeats(&table, day).await? {
                        merged += done.files;
                        repeated += done.repeated;
                    }
                }
            }
            if merged == 0 {
                say!("{name}: nothing to merge, {before}");
            } else {
                say!("{name}: {before} before, {} after; {}", size_of(&table, self.date), dropped(repeated));
            }
        }
        Ok(())
    }
}

impl Settle {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        // The derived tables may not be there yet.
        let lake = open(&config).await?;
        let lake = Lake::open(lake.location().clone(), TABLES, true).await?;
        let compactor = Compactor::new(&lake, options(&config.maintenance), crate::clock::now)?;
        let settler = Settler::new(&lake, compactor.runtime(), crate::clock::now);
        for table in derived(&lake) {
            let name = table.table().name;
            let mut settled = 0;
            for day in settler.unsettled(&table, None).await? {
                if self.date.is_none_or(|date| date == day) {
                    eprintln!("{name} {day}: settling");
                    if let Some(done) = settler.settle(&table, day).await? {
                        settled += 1;
                        say!("{name} {day}: {} in {}", counted(done.rows, "row", "rows"), human(done.bytes));
                    }
                }
            }
            if settled == 0 {
                say!("{name}: nothing to settle, {}", size_of(&table, self.date));
            }
        }
        Ok(())
    }
}

impl Expire {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let given = [
            ("maintenance.keep_spans", "--spans", &self.spans),
            ("maintenance.keep_logs", "--logs", &self.logs),
            ("maintenance.keep_contents", "--contents", &self.contents),
            ("maintenance.keep_scores", "--scores", &self.scores),
        ];
        let flags = given.iter().filter_map(|(key, name, value)| Some(Flag { key, name, value: (*value).clone()? }));
        let config = self.place.load(flags.collect())?.config;
        let retention = retention(&config.maintenance);
        let lake = open(&config).await?;
        for table in tables(&lake) {
            let name = table.table().name;
            let Some(keep) = retention.get(name) else {
                say!("{name}: kept for ever");
                continue;
            };
            eprintln!("{name}: looking for rows older than {}", written(*keep));
            let is_derived = DERIVED_TABLES.iter().any(|table| table.name == name);
            let done = match (is_derived, self.dry_run) {
                (true, true) => {
                    say!("{name}: leaves with what it was worked out from");
                    continue;
                }
                (true, false) => expire_derived(&lake, &table, *keep, crate::clock::now()).await?,
                (false, true) => expiring(&table, *keep, crate::clock::now()),
                (false, false) => expire(&table, *keep, crate::clock::now(), &|_| {}).await?,
            };
            let left = sized(done.files_left, done.bytes_left);
            let days = match (done.days.first(), done.days.last()) {
                (Some(first), Some(last)) if first == last => first.to_string(),
                (Some(first), Some(last)) => format!("{first} to {last}"),
                _ => {
                    say!("{name}: nothing to expire, {left}");
                    continue;
                }
            };
            let gone = sized(done.files, done.bytes);
            let expired = if self.dry_run { "would expire" } else { "expired" };
            say!("{name}: {gone} with {} of {days} {expired}; {left} left", counted(done.rows, "row", "rows"));
        }
        Ok(())
    }
}

impl Checkpoint {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.load(Vec::new())?.config;
        let lake = open(&config).await?;
        for table in tables(&lake).filter(|table| self.table.as_deref().is_none_or(|name| name == table.table().name)) {
            let version = table.checkpoint().await?;
            say!("{}: checkpoint of version {version}", table.table().name);
        }
        Ok(())
    }
}

impl Vacuum {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let retain = self.retain.map(|value| Flag { key: "maintenance.retain", name: "--retain", value });
        let config = self.place.load(retain.into_iter().collect())?.config;
        let retain = config.maintenance.retain.get();
        let lake = open(&config).await?;
        if retain.is_zero() && !self.dry_run {
            eprintln!(
                "tracewell: warning: with --retain 0s, queries under way elsewhere fail when their files go, \
                 and older versions of the tables can no longer be read"
            );
        }
        for table in tables(&lake) {
            let name = table.table().name;
            eprintln!("{name}: listing files");
            let done = vacuum(&table, retain, self.dry_run, crate::clock::now() / 1_000_000).await?;
            say!(
                "{name}: {} {}; {} in use, {} waiting until unused for {}",
                sized(done.deleted, done.deleted_bytes),
                if self.dry_run { "would be deleted" } else { "deleted" },
                sized(done.live, done.live_bytes),
                sized(done.kept, done.kept_bytes),
                written(retain),
            );
        }
        Ok(())
    }
}

/// Maintenance in the background of a server, unless it is switched off.
pub(super) fn start(
    settings: &MaintenanceSettings,
    lake: &Lake,
    ingest: &Arc<Ingest>,
    stop: CancellationToken,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    if !settings.enabled {
        return Ok(None);
    }
    let schedule = Schedule {
        interval: settings.interval.get(),
        retention: retention(settings),
        vacuum_retain: settings.retain.get(),
        settle_after: settings.settle_after.get(),
        ..Schedule::default()
    };
    let ingest = Arc::clone(ingest);
    let forget = Arc::new(move |day| ingest.forget_contents(day));
    let maintainer = Maintainer::new(lake.clone(), options(settings), schedule, crate::clock::now, forget)?;
    Ok(Some(maintainer.spawn(stop)?))
}

/// How long the rows of each table stay.
pub(super) fn retention(settings: &MaintenanceSettings) -> Retention {
    let never = TimeSpan::seconds(0);
    // What was worked out leaves with what leaves first; a date whose other facts stay is worked out again.
    let facts = [settings.keep_spans, settings.keep_logs].into_iter().filter(|keep| *keep != never);
    let derived = facts.min_by_key(|keep| keep.get()).unwrap_or(never);
    let tables = [
        (&SPANS, settings.keep_spans),
        (&LOGS, settings.keep_logs),
        (&CONTENTS, settings.keep_contents),
        (&SCORES, settings.keep_scores),
        (&CALLS, derived),
        (&TRACES, derived),
    ];
    let limited = tables.into_iter().filter(|(_, keep)| *keep != never);
    limited.map(|(table, keep)| (table.name, keep.get())).collect()
}

fn options(settings: &MaintenanceSettings) -> Options {
    Options { target_bytes: settings.file_size.get(), memory_bytes: settings.memory.usize(), ..Options::default() }
}

async fn open(config: &Config) -> anyhow::Result<Lake> {
    let lake = Lake::open(config.location()?, TABLES, false).await?;
    ensure!(lake.tables().next().is_some(), "there are no tables at `{}`; name their place with --data", config.data);
    Ok(lake)
}

fn tables(lake: &Lake) -> impl Iterator<Item = Arc<FactTable>> {
    TABLES.iter().filter_map(|table| lake.table(table.name).cloned())
}

fn day(text: &str) -> anyhow::Result<Day> {
    let date: chrono::NaiveDate = text.parse().context("a date is needed, such as 2026-11-05")?;
    Ok(Day::of(
        date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_nanos_opt().context("the date is too far away")?,
    ))
}

/// The files of a table, or of one day of it.
fn size_of(table: &FactTable, day: Option<Day>) -> String {
    let snapshot = table.snapshot();
    let files = snapshot.files.iter().filter(|file| day.is_none_or(|day| day == file.day));
    let (count, bytes) = files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.size));
    sized(count, bytes)
}

fn sized(files: usize, bytes: u64) -> String {
    format!("{} ({})", counted(files as u64, "file", "files"), human(bytes))
}

fn dropped(rows: u64) -> String {
    match rows {
        0 => "no row repeated another".into(),
        1 => "1 row repeated another and was dropped".into(),
        rows => format!("{rows} rows repeated others and were dropped"),
    }
}

fn human(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}
