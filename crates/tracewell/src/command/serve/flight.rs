//! Arrow Flight SQL as a part of `tracewell serve`.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tracewell_query::Engine;
use tracewell_serve::Flight;

use super::connections::{PING_EVERY, PING_PATIENCE};
use crate::config::Config;

/// Answers there until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    engine: &Arc<Engine>,
    settings: &Config,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let password = Some(settings.flight.password.clone()).filter(|password| !password.is_empty());
    let service = Flight::new(Arc::clone(engine), password).await?.service();
    tracing::info!(address = %listener.local_addr()?, "answering SQL by Arrow Flight");
    let server = tonic::transport::Server::builder()
        .max_concurrent_streams(128)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_PATIENCE))
        .tcp_nodelay(true)
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned());
    Ok(tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "Arrow Flight ended");
        }
    }))
}
