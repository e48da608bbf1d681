//! The PostgreSQL protocol: what analysts' tools speak.
//!
//! ```text
//!   accept ── startup (TLS, password, settings) ── connection ── command   BEGIN, SET, DECLARE, …
//!              └ cancel                                 │     └─ statement, cursor ── Session ── rows
//!                                                       └─ catalog  pg_catalog, information_schema, functions
//! ```
//!
//! What must hold:
//! - A query stops when its client cancels it, leaves, or has waited longer than it wanted.
//! - Nothing that a client sends makes the server panic, or hold more memory than one message may have.
//! - Nothing is changed: what asks for a change is refused before it is planned, and again by its plan.

use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracewell_query::{Engine, QueryError};
use tracewell_requests::Failure;

use self::cancel::Cancels;
use self::catalog::Catalog;
use self::connection::Connection;
use self::wire::{Broken, Wire};

mod cancel;
mod catalog;
mod client;
mod connection;
mod cursor;
mod failure;
mod rows;
mod startup;
mod statement;
mod tls;
mod types;
mod wire;

pub use tls::Tls;

/// A client has so long to say who it is.
const STARTUP: Duration = Duration::from_secs(10);
/// A client that has no place is listened to for so long.
const REFUSAL: Duration = Duration::from_secs(1);
/// Connections have so long to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Whether a silent client's machine is still there is asked after so long, and so often.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));

/// How clients are let in.
#[derive(Clone, Default)]
pub struct PostgresOptions {
    /// The password of all users; `None` lets everybody in.
    pub password: Option<String>,
    /// Encryption, which is then required.
    pub tls: Option<Tls>,
    /// Connections at the same time; more are refused.
    pub connections: usize,
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// A server of the protocol.
#[derive(Clone)]
pub struct Postgres {
    shared: Arc<Shared>,
    connections: Arc<Semaphore>,
    most: usize,
}

/// What all connections share.
struct Shared {
    engine: Arc<Engine>,
    catalog: Arc<Catalog>,
    cancels: Cancels,
    password: Option<String>,
    tls: Option<Tls>,
}

impl Postgres {
    /// A server over `engine`.
    ///
    /// # Errors
    /// When the catalogue cannot be made.
    pub async fn new(engine: Arc<Engine>, options: PostgresOptions) -> Result<Self, QueryError> {
        let catalog = Arc::new(Catalog::new(&engine.relations().await?).await?);
        let PostgresOptions { password, tls, connections } = options;
        let shared = Arc::new(Shared { engine, catalog, cancels: Cancels::default(), password, tls });
        Ok(Self { shared, connections: Arc::new(Semaphore::new(connections)), most: connections })
    }

    /// Answers clients until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a PostgreSQL connection could not be accepted");
                        // Without files left, trying at once would only burn time.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            tokio::spawn(self.clone().connect(stream, stop.clone()));
        }
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(FAREWELL, self.connections.acquire_many(all)).await;
    }

    async fn connect(self, stream: TcpStream, stop: CancellationToken) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        // A client whose machine went away says nothing: it must not keep its place for ever.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
        let mut wire = Wire::new(stream);
        let Ok(_permit) = self.connections.try_acquire() else {
            let failure = Failure::new("53300", format!("sorry, too many clients already: {} may connect", self.most))
                .hint("Close connections that are not needed, or raise postgres.connections of the server.");
            // A connection that is closed before it was listened to may lose what it was told.
            let _ = tokio::time::timeout(REFUSAL, startup::hear(&mut wire)).await;
            let _ = tokio::time::timeout(REFUSAL, startup::refuse(&mut wire, failure)).await;
            return;
        };
        let ended = match tokio::time::timeout(STARTUP, startup::start(&mut wire, &self.shared)).await {
            Err(_) => return tracing::debug!("a PostgreSQL client did not say who it is"),
            Ok(Ok(Some(started))) => Connection::new(wire, started, Arc::clone(&self.shared)).run(&stop).await,
            Ok(Ok(None)) => Ok(()),
            Ok(Err(Broken::Malformed(why))) => {
                let failure = Failure::new("08P01", why.to_string());
                let _ = tokio::time::timeout(STARTUP, startup::refuse(&mut wire, failure)).await;
                return;
            }
            Ok(Err(broken)) => Err(broken),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a PostgreSQL connection broke");
        }
    }
}
