//! `tracewell sql`.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::Args;
use futures::TryStreamExt;
use tracewell_ingest::{ReplayedLog, read_log};
use tracewell_lake::NoFresh;
use tracewell_lake::{Fresh, Lake, Location};
use tracewell_model::schema::TABLES;
use tracewell_query::{Engine, Limits};

use super::Place;
use super::serve::ENDPOINT_FILE;
use crate::config::Config;
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Sql {
    #[command(flatten)]
    place: Place,
    /// Ask this server instead of looking for one beside the write-ahead log.
    #[arg(long, value_name = "URL", env = "TRACEWELL_SERVER")]
    server: Option<String>,
    /// Format of the rows; a table on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The query. Without it: a prompt, or what comes on standard input.
    query: Option<String>,
}

impl Sql {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let format = self.format.unwrap_or(if std::io::stdout().is_terminal() { Format::Table } else { Format::Json });
        match &self.query {
            Some(query) => self.answer(query, format).await,
            None if std::io::stdin().is_terminal() => {
                crate::repl::read(async |statement| {
                    if let Err(error) = self.answer(statement, format).await {
                        eprintln!("tracewell: {error:#}");
                    }
                })
                .await
            }
            None => self.answer(&std::io::read_to_string(std::io::stdin())?, format).await,
        }
    }

    async fn answer(&self, query: &str, format: Format) -> anyhow::Result<()> {
        let (schema, rows) = match self.find_server().await? {
            Some(server) => ask(&server, query).await?,
            None => self.read(query).await?,
        };
        match output::write(&mut std::io::stdout().lock(), format, &schema, &rows) {
            // Whoever reads has seen enough, as with `| head`.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            other => other,
        }
    }

    /// The server named, or the one that writes to this data.
    async fn find_server(&self) -> anyhow::Result<Option<String>> {
        if let Some(server) = &self.server {
            return Ok(Some(server.clone()));
        }
        let config = self.place.load(Vec::new())?.config;
        let location = super::location(&config)?;
        let Ok(wal) = super::wal(&config, &location) else { return Ok(None) };
        let Ok(server) = std::fs::read_to_string(wal.join(ENDPOINT_FILE)) else { return Ok(None) };
        let Some(server) = server.lines().next().map(str::to_owned) else { return Ok(None) };
        let Ok(owner) = std::fs::read_to_string(wal.join("ID")) else { return Ok(None) };
        // The file outlives a server that was killed, and its port may be another server's by now.
        let Ok(answer) = client()?.get(format!("{server}/healthz")).timeout(Duration::from_secs(5)).send().await else {
            return Ok(None);
        };
        let same =
            answer.headers().get(tracewell_serve::IDENTITY).is_some_and(|id| id.as_bytes() == owner.trim().as_bytes());
        Ok(same.then_some(server))
    }

    /// Reads the tables, and the log as far as it is at hand.
    async fn read(&self, query: &str) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
        let config = self.place.load(Vec::new())?.config;
        let location = super::location(&config)?;
        if location.folder().is_some_and(|folder| !folder.is_dir()) {
            bail!("`{}` is not there; start `tracewell serve --data {0}`, or name other data with --data", config.data);
        }
        let lake = Lake::open(location.clone(), TABLES, false).await?;
        if lake.tables().next().is_none() {
            bail!("`{}` holds no tables; start `tracewell serve --data {0}` and send it spans", config.data);
        }
        let engine = Engine::new(lake.clone(), log(&config, &location, &lake).await?, Limits::default())?;
        let rows = Arc::new(engine).sql(query).await?;
        let schema = rows.schema();
        Ok((schema, rows.try_collect().await?))
    }
}

/// The rows of the write-ahead log that no table has yet.
async fn log(config: &Config, location: &Location, lake: &Lake) -> anyhow::Result<Arc<dyn Fresh>> {
    let Ok(wal) = super::wal(config, location) else {
        eprintln!(
            "tracewell: no server was named with --server and no log with --wal: rows that are not committed yet are not seen"
        );
        return Ok(Arc::new(NoFresh));
    };
    if !wal.is_dir() {
        return Ok(Arc::new(NoFresh));
    }
    let log: ReplayedLog = read_log(&wal, lake).await?;
    Ok(Arc::new(log))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build().context("cannot set up the HTTP client")
}

async fn ask(server: &str, query: &str) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
    let url = format!("{}/v1/sql", server.trim_end_matches('/'));
    let answer = client()?
        .post(&url)
        .header("content-type", "text/plain")
        .header("accept", tracewell_serve::format::Format::Arrow.media())
        .body(query.to_owned())
        .send()
        .await
        .with_context(|| format!("cannot reach the server at {url}"))?;
    let status = answer.status();
    let bytes = answer.bytes().await.context("the answer broke off; the query failed while it ran")?;
    if !status.is_success() {
        let error = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|body| body["error"].as_str().map(str::to_owned))
            .unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
        bail!("{error}");
    }
    let reader = arrow::ipc::reader::StreamReader::try_new(std::io::Cursor::new(bytes), None)?;
    let schema = reader.schema();
    Ok((schema, reader.collect::<Result<_, _>>()?))
}
