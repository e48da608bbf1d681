//! HTTP connections: how many there may be, and how long one may take to say what it wants.
//!
//! `axum::serve` waits for ever: connections that send nothing, or half a header, would use up the process's files.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt, service_fn};

/// How long a connection may take to say what it wants.
#[derive(Clone, Copy)]
struct Patience {
    /// First.
    first: Duration,
    /// And next.
    next: Duration,
}

/// The second is longer than exporters pause between two exports.
const PATIENCE: Patience = Patience { first: Duration::from_secs(10), next: Duration::from_secs(75) };
/// Whether the other side of an HTTP/2 connection is there is asked this often, and waited for this long.
pub(super) const PING_EVERY: Duration = Duration::from_secs(20);
pub(super) const PING_PATIENCE: Duration = Duration::from_secs(20);
/// Connections where the system does not say how many files may be open.
const CONNECTIONS: usize = 256;

/// Serves `routes` until `stop`; then requests under way are answered.
pub(super) async fn serve(listener: TcpListener, routes: axum::Router, stop: CancellationToken) {
    serve_within(PATIENCE, listener, routes, stop).await;
}

async fn serve_within(patience: Patience, listener: TcpListener, routes: axum::Router, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(most_connections()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &room) => match accepted {
                Ok((stream, permit)) => {
                    let (routes, stop) = (routes.clone(), stop.clone());
                    connections.spawn(async move {
                        connection(patience, stream, routes, stop).await;
                        drop(permit);
                    });
                }
                // Out of files, mostly: those open now end some time.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    if room.available_permits() == 0 {
        tracing::warn!("as many HTTP connections are open as may be; others wait");
    }
    Ok((stream, permit))
}

/// An eighth of the files that the process may have open: there are two such listeners, and PostgreSQL's, which may have
/// half of them. A quarter is for the log and the tables.
fn most_connections() -> usize {
    most_files().map_or(CONNECTIONS, |files| (files / 8).clamp(1, Semaphore::MAX_PERMITS))
}

/// How many files the process may have open; `None` where the system does not say.
pub(super) fn most_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next())?.parse().ok()
}

async fn connection(patience: Patience, stream: TcpStream, routes: axum::Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let service = TowerToHyperService::new(noting(routes, Arc::clone(&asked)));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.next);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_EVERY).keep_alive_timeout(PING_PATIENCE);
    let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let silent = async {
        tokio::time::sleep(patience.first).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        // How a connection ends is its client's matter.
        _ = served.as_mut() => {}
        () = silent => {}
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

/// `routes`, which note that they were asked.
fn noting<B>(
    routes: axum::Router,
    asked: Arc<AtomicBool>,
) -> impl Service<Request<B>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    service_fn(move |request: Request<B>| {
        asked.store(true, Ordering::Relaxed);
        routes.clone().oneshot(request)
    })
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What the server answers to `sent` until it closes the connection.
    async fn answer(sent: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "late"
        };
        let routes = axum::Router::new().route("/", get(async || "here")).route("/slow", get(slow));
        let patience = Patience { first: Duration::from_millis(100), next: Duration::from_millis(200) };
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve_within(patience, listener, routes, stop.clone()));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        stop.cancel();
        server.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_more_is_closed() {
        // Nothing, what may be the start of HTTP/2 as well, and half a header.
        for silent in ["", "P", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            assert_eq!(answer(silent).await, "", "{silent}");
        }
        let answered = answer("GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /").await;
        assert!(answered.starts_with("HTTP/1.1 200 OK") && answered.ends_with("here"), "{answered}");
        // An answer may take longer than a question.
        let answered = answer("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answered.ends_with("late"), "{answered}");
    }

    #[tokio::test]
    async fn requests_under_way_are_answered_when_it_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let routes = axum::Router::new().route(
            "/",
            get(async move || {
                stopping.cancel();
                tokio::time::sleep(Duration::from_millis(50)).await;
                "here"
            }),
        );
        let server = tokio::spawn(serve(listener, routes, stop));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        server.await.unwrap();
    }
}
