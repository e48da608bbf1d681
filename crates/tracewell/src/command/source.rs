//! Where questions go: to the server that writes to the data, or to the tables and the log themselves.

use std::sync::{Arc, Once};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use futures::TryStreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tracewell_ingest::{ReplayedLog, read_log};
use tracewell_lake::{Fresh, Lake, Location, NoFresh, without_keys};
use tracewell_ledger::Ledger;
use tracewell_model::schema::{SPANS, every_table};
use tracewell_query::{Engine, Limits, QueryError, Session, Settings, known_zone};
use tracewell_runs::Ask;

use super::Place;
use super::endpoint::ENDPOINT_FILE;
use crate::config::Config;
use crate::prices;

/// Whom to ask.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    place: Place,
    /// Ask this server instead of looking for one beside the write-ahead log.
    #[arg(long, value_name = "URL", env = "TRACEWELL_SERVER", value_parser = server)]
    server: Option<String>,
    /// Work costs out by the prices of this version, or those that this version of a catalogue was among.
    #[arg(long, value_name = "VERSION")]
    prices: Option<String>,
    #[arg(skip)]
    time_zone: Option<String>,
}

/// Where clocks are.
#[derive(Debug, Args)]
pub(crate) struct TimeZone {
    /// Time zone that times without one are of and that times are shown in, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    tz: Option<String>,
}

fn time_zone(text: &str) -> Result<String, String> {
    known_zone(text).map(str::to_owned)
}

fn server(text: &str) -> Result<String, String> {
    match text.starts_with("http://") || text.starts_with("https://") {
        true => Ok(text.to_owned()),
        false => Err(format!("write http://{text}, or https://")),
    }
}

/// What answers SQL.
pub(crate) enum Source {
    /// A server, by its address.
    Server(String, reqwest::Client, Settings),
    /// The tables and the log, read here.
    Local(Session),
}

impl Asked {
    /// Looks for the server; without one, opens the tables.
    pub(crate) async fn open(&self) -> anyhow::Result<Source> {
        let mut settings = Settings { prices: self.prices.clone(), ..Settings::default() };
        if let Some(zone) = &self.time_zone {
            settings.time_zone.clone_from(zone);
        }
        match self.find_server().await? {
            Some(server) => Ok(Source::Server(server, client_with(&self.config()?.http.password)?, settings)),
            None => Ok(Source::Local(Arc::new(self.read().await?).session(settings))),
        }
    }

    /// Asks in this time zone, if any.
    pub(crate) fn within(&mut self, zone: &TimeZone) {
        self.time_zone.clone_from(&zone.tz);
    }

    /// Where the data is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the server that is named answers from the data that is named: what is read there is written here.
    ///
    /// # Errors
    /// When it does not, or it cannot be asked.
    pub(crate) async fn check_server(&self) -> anyhow::Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        let config = self.config()?;
        let location = config.location()?;
        let here = match location.folder() {
            Some(folder) if !folder.is_dir() => None,
            _ => Lake::open(location, &[&SPANS], false).await?.table(SPANS.name).map(|spans| spans.id()),
        };
        let shown = without_keys(server);
        let url = format!("{}/healthz", server.trim_end_matches('/'));
        let answer = client()?.get(url).timeout(Duration::from_secs(5)).send().await;
        let answer = answer.with_context(|| format!("cannot reach the server at {shown}"))?;
        let there = answer.headers().get(tracewell_serve::DATA).and_then(|id| id.to_str().ok());
        ensure!(
            here.is_some() && here.as_deref() == there,
            "this command would read from the server {shown} and write to `{}`, which is other data; name the server's \
             data with --data, or leave out --server (and the variable TRACEWELL_SERVER)",
            config.data
        );
        Ok(())
    }

    /// What reads and writes what people keep.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Ledger<Source>> {
        self.check_server().await?;
        let config = self.config()?;
        let lake = Lake::open(config.location()?, &every_table(), true).await?;
        Ok(Ledger::new(self.open().await?, lake, crate::clock::now))
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Ok(self.place.load(Vec::new())?.config)
    }

    /// The server named, or the one that writes to this data.
    async fn find_server(&self) -> anyhow::Result<Option<String>> {
        if let Some(server) = &self.server {
            return Ok(Some(server.clone()));
        }
        let config = self.place.load(Vec::new())?.config;
        let endpoints = endpoints(&config, &config.location()?).await?;
        Ok(endpoints.and_then(|endpoints| endpoints.lines().next().map(str::to_owned)))
    }

    /// The tables, and the log as far as it is at hand.
    async fn read(&self) -> anyhow::Result<Engine> {
        let config = self.place.load(Vec::new())?.config;
        let location = config.location()?;
        if location.folder().is_some_and(|folder| !folder.is_dir()) {
            bail!("`{}` is not there; start `tracewell serve --data {0}`, or name other data with --data", config.data);
        }
        let lake = Lake::open(location.clone(), &every_table(), false).await?;
        if lake.tables().next().is_none() {
            bail!("`{}` holds no tables; start `tracewell serve --data {0}` and send it spans", config.data);
        }
        let engine = Engine::new(lake.clone(), log(&config, &location, &lake).await?, Limits::default())?;
        engine.set_prices(Arc::new(prices::read(&config)?));
        Ok(engine)
    }
}

/// What the server that writes to the data wrote of its addresses, when it runs.
async fn endpoints(config: &Config, location: &Location) -> anyhow::Result<Option<String>> {
    let Ok(wal) = config.wal_folder(location) else { return Ok(None) };
    let Ok(endpoints) = std::fs::read_to_string(wal.join(ENDPOINT_FILE)) else { return Ok(None) };
    let Some(server) = endpoints.lines().next() else { return Ok(None) };
    let Ok(owner) = std::fs::read_to_string(wal.join("ID")) else { return Ok(None) };
    // The file outlives a server that was killed, and its port may be another server's by now.
    let Ok(answer) = client()?.get(format!("{server}/healthz")).timeout(Duration::from_secs(5)).send().await else {
        return Ok(None);
    };
    let same =
        answer.headers().get(tracewell_serve::IDENTITY).is_some_and(|id| id.as_bytes() == owner.trim().as_bytes());
    Ok(same.then_some(endpoints))
}

/// Where the server that writes to the data receives OTLP/HTTP.
pub(super) async fn otlp_server(config: &Config, location: &Location) -> anyhow::Result<Option<String>> {
    let endpoints = endpoints(config, location).await?;
    Ok(endpoints
        .and_then(|endpoints| endpoints.lines().find_map(|line| line.strip_prefix("otlp_http ")).map(str::to_owned)))
}

/// Sends JSON to a server; what it refuses is the error.
pub(super) async fn send(server: &str, path: &str, body: Vec<u8>) -> anyhow::Result<()> {
    let url = format!("{server}{path}");
    let request = client()?.post(&url).header("content-type", "application/json").body(body);
    let answer = request.send().await.with_context(|| format!("cannot reach the server at {url}"))?;
    let status = answer.status();
    if !status.is_success() {
        let body = answer.text().await.unwrap_or_default();
        let said = serde_json::from_str::<serde_json::Value>(&body).ok();
        let said = said.and_then(|said| said["message"].as_str().map(str::to_owned)).unwrap_or(body);
        bail!("the server refused ({status}): {said}");
    }
    Ok(())
}

impl Source {
    /// All rows of an answer, and their schema.
    pub(crate) async fn sql(&self, query: &str) -> Result<(SchemaRef, Vec<RecordBatch>), QueryError> {
        match self {
            Self::Server(server, client, settings) => {
                let answer = ask(client, server, query, settings).await;
                answer.map_err(|error| QueryError::Failed(format!("{error:#}")))
            }
            Self::Local(session) => {
                let rows = session.sql(query).await?;
                let schema = rows.schema();
                Ok((schema, rows.try_collect().await?))
            }
        }
    }
}

impl Ask for Source {
    async fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, QueryError> {
        Ok(self.sql(sql).await?.1)
    }
}

/// The rows of the write-ahead log that no table has yet.
async fn log(config: &Config, location: &Location, lake: &Lake) -> anyhow::Result<Arc<dyn Fresh>> {
    let Ok(wal) = config.wal_folder(location) else {
        return Ok(unseen("no server was named with --server and no log with --wal"));
    };
    if !is_log(&wal) {
        let folder = wal.display();
        return Ok(unseen(&format!(
            "there is no write-ahead log at `{folder}`; if a server keeps it elsewhere, name it with --wal or --server"
        )));
    }
    let log: ReplayedLog = read_log(&wal, lake, &config.ingest.team_keys).await?;
    Ok(Arc::new(log))
}

/// No rows but those of the tables, which is said once.
fn unseen(why: &str) -> Arc<dyn Fresh> {
    static SAID: Once = Once::new();
    SAID.call_once(|| eprintln!("tracewell: {why}: rows that are not committed yet are not seen"));
    Arc::new(NoFresh)
}

/// Whether a folder holds more than the journals of replays, which are kept there where the tables are elsewhere.
fn is_log(wal: &std::path::Path) -> bool {
    let entries = std::fs::read_dir(wal).into_iter().flatten();
    entries.filter_map(Result::ok).any(|entry| entry.file_name() != super::paid::FOLDER)
}

fn client() -> anyhow::Result<reqwest::Client> {
    client_with("")
}

/// A client that shows a password, where there is one.
fn client_with(password: &str) -> anyhow::Result<reqwest::Client> {
    let mut shown = HeaderMap::new();
    if !password.is_empty() {
        let pair = BASE64_STANDARD.encode(format!("tracewell:{password}"));
        let mut pair = HeaderValue::try_from(format!("Basic {pair}"))?;
        pair.set_sensitive(true);
        shown.insert(AUTHORIZATION, pair);
    }
    let builder = reqwest::Client::builder().no_proxy().default_headers(shown);
    builder.build().context("cannot set up the HTTP client")
}

async fn ask(
    client: &reqwest::Client,
    server: &str,
    query: &str,
    settings: &Settings,
) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
    let url = format!("{}/v1/sql", server.trim_end_matches('/'));
    let answer = client
        .post(&url)
        .header("content-type", "text/plain")
        .header("accept", tracewell_serve::format::Format::Arrow.media())
        .header(tracewell_serve::PRICES, settings.prices.as_deref().unwrap_or_default())
        .header(tracewell_serve::TIME_ZONE, &settings.time_zone)
        .body(query.to_owned())
        .send()
        .await
        .with_context(|| format!("cannot reach the server at {}", without_keys(&url)))?;
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
