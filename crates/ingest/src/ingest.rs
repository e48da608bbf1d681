//! The whole of ingest: shards started from their logs, requests dealt out, an orderly end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tracewell_lake::{Fresh, FreshChunk, Lake};
use tracewell_model::time::Day;
use tracewell_otlp::Limits;
use tracewell_wal::{Options, WalDir};

use crate::admission::Admitted;
use crate::encoder::Encoder;
use crate::error::IngestError;
use crate::generation::Generation;
use crate::memory::Memory;
use crate::pace::Pace;
use crate::recent::Recent;
use crate::recover::{Recovered, committed, replay};
use crate::rows::{Outcome, Rows};
use crate::seal::Sealer;
use crate::shard::{Message, Refused, SealRule, Shard, ShardHandle, Submission};
use crate::signal::Signal;

/// How ingest is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of the write-ahead log.
    pub wal: PathBuf,
    /// Shards: independent logs, each with a thread.
    pub shards: usize,
    /// A shard seals when its rows take this much memory.
    pub seal_bytes: usize,
    /// A shard seals at least this often.
    pub seal_interval: Duration,
    /// Rows of all shards together take no more memory than this.
    pub memory_bytes: usize,
    /// The write-ahead log of all shards together takes no more disk than this.
    pub wal_bytes: u64,
    /// Move damaged parts of the log aside instead of refusing to start.
    pub quarantine: bool,
    /// Limits of one span.
    pub limits: Limits,
    /// Contents expire after this; never when `None`.
    pub contents_retention: Option<Duration>,
    /// Keys by which applications name their team, the preferred one first.
    pub team_keys: Vec<String>,
    /// Nanoseconds since 1970.
    pub clock: fn() -> i64,
}

struct Running {
    handle: ShardHandle,
    thread: JoinHandle<()>,
    sealer: tokio::task::JoinHandle<()>,
}

/// Takes requests in.
pub struct Ingest {
    shards: Vec<ShardHandle>,
    running: Mutex<Vec<Running>>,
    memory_bytes: usize,
    clock: fn() -> i64,
    /// What the start found.
    pub recovered: Recovered,
    wal: WalDir,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

/// Requests that may wait for a shard.
const QUEUE: usize = 512;

impl Ingest {
    /// Nanoseconds since 1970 by the clock it was given.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Opens the log, reads again what is not committed, and starts the shards. Sealing runs on the runtime this is
    /// called from.
    ///
    /// # Errors
    /// When the log is damaged, locked by another process or behind the tables, or the store cannot be reached.
    pub async fn start(config: &Config, lake: &Lake) -> Result<Self, IngestError> {
        let options =
            Options { max_total_bytes: config.wal_bytes, quarantine: config.quarantine, ..Options::default() };
        let mut wal = WalDir::open(&config.wal, config.shards.max(1), options)?;
        for finding in wal.findings() {
            tracing::warn!("the write-ahead log was not as it was left: {finding}");
        }
        let rule = SealRule { bytes: config.seal_bytes, interval: config.seal_interval };
        let mut recovered = Recovered::default();
        let mut running = Vec::new();
        let encoder = Encoder::start()?;
        for number in wal.shards().to_vec() {
            let app: Arc<str> = format!("{}/{number}", wal.id()).into();
            let (commits, mut generations) = tokio::sync::mpsc::unbounded_channel::<Arc<Generation>>();
            let (messages, inbox) = sync_channel(QUEUE);
            let log = wal.log(number)?;
            let logged = log.last_seq();
            let from = committed(lake, &app).await?;
            if from > logged as i64 {
                return Err(IngestError::LogBehindTable { shard: number, committed: from, logged });
            }
            let (limits, retention, team_keys) = (config.limits, config.contents_retention, config.team_keys.clone());
            let no_rows = move || Rows::new(limits).with_contents_retention(retention).with_team_keys(&team_keys);
            let handle = ShardHandle {
                messages,
                memory: Arc::new(Mutex::new(Memory::new(Arc::clone(&app), Box::new(no_rows), from as u64))),
                bytes: Arc::new(AtomicUsize::new(0)),
                pace: Arc::new(Pace::new(from as u64)),
            };
            let sealer = tokio::spawn({
                let (lake, app, clock) = (lake.clone(), Arc::clone(&app), config.clock);
                let pace = Arc::clone(&handle.pace);
                let sealer = Sealer { lake, app, encoder: encoder.clone(), pace, clock };
                // Only the rows: a sender kept here would keep the shard from seeing that everyone else has gone.
                let (memory, bytes) = (Arc::clone(&handle.memory), Arc::clone(&handle.bytes));
                async move {
                    while let Some(generation) = generations.recv().await {
                        sealer.seal(&generation).await;
                        // The rows are in the snapshot that readers get from here on.
                        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                        memory.forget(generation.seq);
                        bytes.store(memory.bytes(), Ordering::Relaxed);
                        sealer.pace.commit(generation.seq);
                    }
                }
            });
            let mut shard = Shard {
                log,
                recent: Recent::default(),
                memory: Arc::clone(&handle.memory),
                bytes: Arc::clone(&handle.bytes),
                rule,
                pace: Arc::clone(&handle.pace),
                released: 0,
                broken: BTreeSet::new(),
                sealer: commits,
            };
            let reader = wal.reader(number, 0)?;
            let (ready, started) = oneshot::channel();
            let thread = std::thread::Builder::new().name(format!("shard-{number}")).spawn(move || {
                let replayed = replay(&mut shard, reader, from as u64);
                let failed = replayed.is_err();
                let _ = ready.send(replayed);
                if !failed {
                    shard.run(&inbox);
                }
            })?;
            running.push(Running { handle, thread, sealer });
            let read = started.await.map_err(|_| std::io::Error::other("a shard ended while it read its log"))??;
            recovered.requests += read.requests;
            recovered.bytes += read.bytes;
            recovered.lost += read.lost;
            recovered.set_aside += read.set_aside;
        }
        // Shards beyond the configured number only finish what their logs hold.
        let shards = running.iter().take(config.shards.max(1)).map(|shard| shard.handle.clone()).collect();
        Ok(Self {
            shards,
            running: Mutex::new(running),
            memory_bytes: config.memory_bytes,
            clock: config.clock,
            recovered,
            wal,
        })
    }

    /// The identity of the write-ahead log.
    #[must_use]
    pub fn id(&self) -> uuid::Uuid {
        self.wal.id()
    }

    /// Bytes of the write-ahead log on disk.
    #[must_use]
    pub fn wal_bytes(&self) -> u64 {
        self.wal.disk_bytes()
    }

    /// Memory that rows not yet committed take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.shards.iter().map(|shard| shard.bytes.load(Ordering::Relaxed)).sum()
    }

    /// Whether a request that comes now would be taken.
    ///
    /// # Errors
    /// When memory is full: [`Refused::Unavailable`] while the store takes nothing, else [`Refused::Overloaded`].
    pub fn check_room(&self) -> Result<(), Refused> {
        if self.memory() < self.memory_bytes {
            return Ok(());
        }
        if self.shards.iter().any(|shard| shard.pace.in_trouble()) {
            return Err(Refused::Unavailable(
                "the store takes nothing, and memory is full of what waits for it".into(),
            ));
        }
        Err(Refused::Overloaded("rows wait for the store"))
    }

    /// Tries to commit that failed since the start.
    #[must_use]
    pub fn commit_failures(&self) -> u64 {
        self.shards.iter().map(|shard| shard.pace.failures()).sum()
    }

    /// Takes in a request whose framing has been checked, and answers once it is durable.
    ///
    /// # Errors
    /// When it was not stored and should be sent again.
    pub async fn submit(
        &self,
        signal: Signal,
        tenant: &Arc<str>,
        body: Bytes,
        admitted: Admitted,
    ) -> Result<Outcome, Refused> {
        let identity = body.clone();
        self.submit_known_by(&identity, signal, tenant, body, admitted).await
    }

    /// The same, where `identity` tells a client's retry in place of the body.
    pub(crate) async fn submit_known_by(
        &self,
        identity: &[u8],
        signal: Signal,
        tenant: &Arc<str>,
        body: Bytes,
        admitted: Admitted,
    ) -> Result<Outcome, Refused> {
        self.check_room()?;
        let hash = request_hash(signal, tenant, identity);
        let shard = &self.shards[(hash % self.shards.len() as u128) as usize];
        let (reply, answer) = oneshot::channel();
        let received_at = (self.clock)();
        let submission = Submission { signal, tenant: Arc::clone(tenant), received_at, hash, body, reply, admitted };
        match shard.messages.try_send(Message::Submit(Box::new(submission))) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Refused::Overloaded("the queue of a shard is full")),
            Err(TrySendError::Disconnected(_)) => return Err(Refused::Unavailable("the shard has stopped".into())),
        }
        answer.await.unwrap_or_else(|_| Err(Refused::Unavailable("the shard has stopped".into())))
    }

    /// Why requests are not taken in; `None` when they are, if perhaps not this moment.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.iter().any(|shard| shard.thread.is_finished() || shard.sealer.is_finished()) {
            return Some("a shard has stopped".into());
        }
        match self.check_room() {
            Err(refused @ Refused::Unavailable(_)) => Some(refused.to_string()),
            _ => None,
        }
    }

    /// Forgets which contents `day` holds. To be called before the day loses some.
    pub fn forget_contents(&self, day: Day) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().for_each(|shard| shard.handle.lock().forget_contents(day));
    }

    /// Asks every shard to seal what it has.
    pub fn seal(&self) {
        for shard in &self.shards {
            let _ = shard.messages.try_send(Message::Seal);
        }
    }

    /// Stops: what is in memory is sealed, and committed if the store takes it within `patience`. What is not
    /// committed stays in the log.
    pub async fn stop(&self, patience: Duration) {
        let running = self.running.lock().map(|mut running| std::mem::take(&mut *running)).unwrap_or_default();
        let drained = async {
            for shard in running {
                let messages = shard.handle.messages.clone();
                let _ = tokio::task::spawn_blocking(move || {
                    let _ = messages.send(Message::Stop);
                    shard.thread.join()
                })
                .await;
                let _ = shard.sealer.await;
            }
        };
        if tokio::time::timeout(patience, drained).await.is_err() {
            tracing::warn!("stopped before the store took everything; the write-ahead log keeps the rest");
        }
    }
}

fn request_hash(signal: Signal, tenant: &str, identity: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[signal as u8]);
    hasher.update(&(tenant.len() as u64).to_le_bytes());
    hasher.update(tenant.as_bytes());
    hasher.update(identity);
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(short)
}

impl Fresh for Ingest {
    fn chunks(&self, table: &str) -> Vec<FreshChunk> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().flat_map(|shard| shard.handle.lock().chunks(table)).collect()
    }
}
