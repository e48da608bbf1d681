//! `tracewell serve`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::{from_fn, from_fn_with_state};
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracewell_ingest::receive::{Collector, ReceiveLimits, open_to_pages, router};
use tracewell_ingest::{Config, Ingest};
use tracewell_lake::Lake;
use tracewell_ledger::Ledger;
use tracewell_ledger::reviews::Remark;
use tracewell_model::schema::{CONTENTS, SPANS, every_table};
use tracewell_query::{Engine, Limits};
use tracewell_serve::guard::{ask_password, refuse_other_hosts, refuse_other_origins};
use tracewell_serve::{
    Answers, Records, Remarks, Usual, health_router, ledger_router, queries_router, refuse_as_json, reports_router,
    reviews_router, runs_router, sql_router,
};

use super::endpoint::Endpoint;
use super::{Place, maintain};
use crate::alerts::{self, Watch};
use crate::capture::Net;
use crate::config::{Config as Settings, Flag, QuerySettings};
use crate::evaluate::Judge;
use crate::output;
use crate::prices;
use crate::reports::{self, Desk};
use crate::webhook;

mod connections;
mod flight;
mod grpc;
mod listeners;
mod postgres;
mod status;

use self::listeners::Listeners;
use self::status::Status;

/// How long a stop waits for the store.
const PATIENCE: Duration = Duration::from_secs(24);

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    place: Place,
    /// Where OTLP/gRPC is received [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    otlp_grpc: Option<String>,
    /// Where OTLP/HTTP is received [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    otlp_http: Option<String>,
    /// Where SQL is answered over HTTP [default: 127.0.0.1:4320, or a free port when that is taken]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Where SQL is answered by the PostgreSQL protocol, or `off` [default: 127.0.0.1:5432, if that is free]
    #[arg(long, value_name = "ADDR")]
    postgres: Option<String>,
    /// Where SQL is answered by Arrow Flight, or `off` [default: 127.0.0.1:4321, if that is free]
    #[arg(long, value_name = "ADDR")]
    flight: Option<String>,
    /// Independent write-ahead logs, each with a thread [default: one per core]
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
    /// Commit at least this often [default: 5s]
    #[arg(long, value_name = "DURATION")]
    commit_interval: Option<String>,
    /// Look this often whether the tables need maintenance [default: 1m]
    #[arg(long, value_name = "DURATION")]
    maintenance_interval: Option<String>,
    /// Leave the tables as they are: compaction, retention and vacuum are done elsewhere.
    #[arg(long)]
    no_maintenance: bool,
    /// Fill empty tables with a week of demo data in many dialects.
    #[arg(long)]
    demo: bool,
    /// Move damaged parts of the write-ahead log aside instead of refusing to start.
    #[arg(long)]
    quarantine: bool,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        tell_on_stderr();
        let effective = self.place.load(self.flags())?;
        let settings = &effective.config;
        let location = settings.location()?;
        let wal = settings.wal_folder(&location)?;
        prices::read(settings)?;
        let lake = Lake::open(location.clone(), &every_table(), true).await?;
        let ingest = Arc::new(Ingest::start(&self.ingest(settings, &wal), &lake).await?);
        if ingest.recovered.requests > 0 {
            tracing::info!(
                requests = ingest.recovered.requests,
                bytes = ingest.recovered.bytes,
                "read again from the write-ahead log"
            );
        }
        let receive = ReceiveLimits {
            request_bytes: settings.ingest.request_size.usize(),
            in_flight_bytes: settings.ingest.in_flight.usize(),
        };
        let collector = Collector::new(Arc::clone(&ingest), receive);
        let engine = Arc::new(Engine::new(lake.clone(), ingest.clone(), query_limits(&settings.query))?);
        engine.keep_warm();
        prices::take(settings, &engine).await?;

        let catalogue = Arc::new(super::query::catalogue(&settings.query.folder)?);

        let judge = Judge::new(&settings.evaluate, &catalogue, &engine, &collector, &lake)?;
        let ledger = || Ledger::new(Arc::clone(&engine), lake.clone(), crate::clock::now);
        let net = Net::new(&settings.capture, &catalogue, ledger())?;
        let records = Records { ledger: Arc::new(ledger()), tell: webhook::teller(&settings.release.webhook) };

        let stop = CancellationToken::new();
        let Listeners { grpc, http, api, postgres: sql, flight: columns } = Listeners::bind(&effective).await?;
        let desk = Desk::new(Answers(Arc::clone(&engine)), lake.clone(), settings.report.clone())?;
        let rules = settings.alerts.clone();
        let watch = Watch::new(Answers(Arc::clone(&engine)), lake.clone(), rules, settings.report.clone())?;
        let status = Arc::new(Status {
            collector: collector.clone(),
            ingest: Arc::clone(&ingest),
            lake: lake.clone(),
            reports: Arc::clone(&desk.counters),
            alerts: Arc::clone(&watch.states),
        });
        tracing::info!(address = %grpc.local_addr()?, "receiving OTLP/gRPC");
        tracing::info!(address = %http.local_addr()?, "receiving OTLP/HTTP");
        tracing::info!(address = %api.local_addr()?, data = %location.url(), wal = %wal.display(), "answering SQL over HTTP");
        let sql_address = sql.as_ref().map(TcpListener::local_addr).transpose()?;
        let postgres = match sql {
            Some(listener) => postgres::serve(listener, &engine, settings, stop.clone()).await?,
            None => tokio::spawn(async {}),
        };
        let flight_address = columns.as_ref().map(TcpListener::local_addr).transpose()?;
        let flight = match columns {
            Some(listener) => flight::serve(listener, &engine, settings, stop.clone()).await?,
            None => tokio::spawn(async {}),
        };
        let others = [("postgres", sql_address), ("flight", flight_address)];
        let endpoint = Endpoint::write(&wal, api.local_addr()?, grpc.local_addr()?, http.local_addr()?, &others)?;

        let health = health_router(Arc::clone(&status));
        let questions = sql_router(Arc::clone(&engine))
            .merge(queries_router(Arc::clone(&engine), Arc::clone(&catalogue)))
            .merge(runs_router(Arc::clone(&engine)))
            .merge(reports_router(Arc::clone(&engine), usual(settings)))
            .merge(ledger_router(records.clone()))
            .merge(reviews_router(ledger(), Kept(collector.clone())));
        let loopback = api.local_addr()?.ip().is_loopback();
        let questions = guarded(questions, &settings.http.password, loopback);
        let questions = questions.merge(health.clone()).layer(from_fn(refuse_as_json));
        // Who may send spans may not say what is live.
        let may_record = settings.listen.grpc_records || grpc.local_addr()?.ip().is_loopback();
        let records = may_record.then_some(records);
        let receiver = open_to_pages(router(collector), &settings.ingest.origins).merge(health);
        let tasks = [
            tokio::spawn(grpc::serve(grpc, status, records, stop.clone())),
            tokio::spawn(connections::serve(http, receiver, stop.clone())),
            tokio::spawn(connections::serve(api, questions, stop.clone())),
            postgres,
            flight,
            tokio::spawn(prices::watch(settings.clone(), Arc::clone(&engine), stop.clone())),
            tokio::spawn(judge.watch(stop.clone())),
            tokio::spawn(net.watch(stop.clone())),
            tokio::spawn(alerts::watch(watch, stop.clone())),
            tokio::spawn(reports::watch(desk, stop.clone())),
        ];
        let maintenance = maintain::start(&settings.maintenance, &lake, &ingest, stop.clone())?;
        let mut signal = std::pin::pin!(signal()?);
        let filling = async {
            if self.demo {
                fill(&lake, &ingest, &wal).await?;
            }
            std::future::pending::<anyhow::Result<()>>().await
        };
        tokio::select! {
            filled = filling => filled?,
            () = signal.as_mut() => {}
        }
        tracing::info!("stopping: no new requests, what is in memory is committed");
        stop.cancel();
        // Requests under way are answered first; a client that keeps its connection open does not hold us up.
        let _ = tokio::time::timeout(Duration::from_secs(4), futures::future::join_all(tasks)).await;
        tokio::join!(ingest.stop(PATIENCE), ended(maintenance));
        drop(endpoint);
        Ok(())
    }

    fn ingest(&self, settings: &Settings, wal: &Path) -> Config {
        Config {
            wal: wal.to_owned(),
            shards: or_cores(settings.ingest.shards),
            seal_bytes: settings.ingest.commit_bytes.usize(),
            seal_interval: settings.ingest.commit_interval.get(),
            memory_bytes: settings.ingest.memory.usize(),
            wal_bytes: settings.ingest.wal_size.get(),
            quarantine: self.quarantine,
            limits: Default::default(),
            contents_retention: maintain::retention(&settings.maintenance).get(CONTENTS.name).copied(),
            team_keys: settings.ingest.team_keys.clone(),
            clock: crate::clock::now,
        }
    }

    fn flags(&self) -> Vec<Flag> {
        let flag = |key, name, value: Option<String>| value.map(|value| Flag { key, name, value });
        [
            flag("listen.otlp_grpc", "--otlp-grpc", self.otlp_grpc.clone()),
            flag("listen.otlp_http", "--otlp-http", self.otlp_http.clone()),
            flag("listen.http", "--http", self.http.clone()),
            flag("listen.postgres", "--postgres", self.postgres.clone()),
            flag("listen.flight", "--flight", self.flight.clone()),
            flag("ingest.shards", "--shards", self.shards.map(|shards| shards.to_string())),
            flag("ingest.commit_interval", "--commit-interval", self.commit_interval.clone()),
            flag("maintenance.interval", "--maintenance-interval", self.maintenance_interval.clone()),
            flag("maintenance.enabled", "--no-maintenance", self.no_maintenance.then(|| "false".into())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What the server does is told on standard error; `TRACEWELL_LOG` says how much of it.
fn tell_on_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TRACEWELL_LOG")
        .unwrap_or_else(|_| "info,deltalake_core=warn,delta_kernel=warn,buoyant_kernel=warn".into());
    let colors = output::has_colors(&std::io::stderr());
    // What cannot be written it would tell there again, and panic where that is closed or full.
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    subscriber.with_writer(std::io::stderr).with_ansi(colors).init();
}

/// Waits for the thread of maintenance, which may be in the middle of a merge.
async fn ended(maintenance: Option<std::thread::JoinHandle<()>>) {
    let Some(thread) = maintenance else { return };
    let joined = tokio::task::spawn_blocking(|| thread.join());
    if tokio::time::timeout(PATIENCE, joined).await.is_err() {
        tracing::warn!(
            "stopped in the middle of maintenance; what it wrote has not landed, and the tables are as they were"
        );
    }
}

/// Whoever asks has to know the password, where there is one; pages of other origins may not ask.
fn guarded(questions: axum::Router, password: &str, loopback: bool) -> axum::Router {
    let questions = match password {
        "" => questions,
        password => questions.layer(from_fn_with_state(Arc::<str>::from(password), ask_password)),
    };
    if loopback {
        return questions.layer(from_fn(refuse_other_hosts));
    }
    if password.is_empty() {
        tracing::warn!(
            "whoever reaches listen.http may read everything and record prompts and releases; set http.password, or put \
             a proxy that asks who they are before it"
        );
    }
    questions.layer(from_fn(refuse_other_origins))
}

fn usual(settings: &Settings) -> Usual {
    let report = settings.report.clone();
    Usual { time_zone: report.time_zone, budgets: report.budgets, good: report.good_outcome, links: report.links }
}

fn query_limits(settings: &QuerySettings) -> Limits {
    let memory = settings.memory.usize();
    let others = Limits::default();
    Limits {
        memory_bytes: memory,
        memory_per_query: match settings.memory_per_query.usize() {
            0 => memory / 4 * 3,
            bytes => bytes.min(memory),
        },
        timeout: settings.timeout.get(),
        concurrent: settings.concurrent,
        long: settings.long,
        rows: settings.rows,
        bytes: settings.bytes.get(),
        threads: or_cores(settings.threads),
        spill: if settings.spill.as_os_str().is_empty() { others.spill } else { Some(settings.spill.clone()) },
        spill_bytes: settings.spill_size.get(),
    }
}

/// A number of threads, where 0 means one per core.
fn or_cores(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        threads => threads,
    }
}

/// The file in the write-ahead log's folder that says when demo data was begun and not finished.
const DEMO_FILE: &str = "demo";

/// Demo data, where there is no other, or the rest of it: the same moment gives the same spans, of which those that
/// are there already count once.
async fn fill(lake: &Lake, ingest: &Ingest, wal: &Path) -> anyhow::Result<()> {
    let unfinished = wal.join(DEMO_FILE);
    let begun = std::fs::read_to_string(&unfinished).ok().and_then(|text| text.trim().parse().ok());
    let stored = lake.table(SPANS.name).is_some_and(|spans| !spans.snapshot().files.is_empty());
    if begun.is_none() && (stored || ingest.memory() > 0) {
        tracing::info!("the tables hold data already, so no demo data is added");
        return Ok(());
    }
    let now = begun.unwrap_or(u64::try_from(crate::clock::now()).unwrap_or_default());
    std::fs::write(&unfinished, now.to_string())?;
    let spans = crate::demo::fill(ingest, now).await?;
    std::fs::remove_file(&unfinished)?;
    tracing::info!(
        spans,
        "demo data is in; try: tracewell sql \"SELECT dialect, kind, count(*) FROM spans GROUP BY ALL\""
    );
    Ok(())
}

/// Ends when the process is asked to. From this call on nothing else happens then.
fn signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Keeps what reviewers say as scores, the way all scores go.
#[derive(Clone)]
struct Kept(Collector);

impl Remarks for Kept {
    async fn keep(&self, remark: Remark) -> Result<(), String> {
        self.0.keep(&[super::review::said(remark)]).await
    }
}
