//! OTLP/gRPC, with the health service beside it.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracewell_ingest::receive::{GRPC_SERVICE, grpc_router};
use tracewell_serve::{Records, ledger_services};

use super::connections;
use super::status::Status;

/// How often the gRPC health service is told how ingest is.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// Serves until `stop`; prompts and releases only where there are `records` of them.
pub(super) async fn serve(
    listener: TcpListener,
    status: Arc<Status>,
    records: Option<Records>,
    stop: CancellationToken,
) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let collector = status.collector.clone();
    tokio::spawn(tell_health(reporter, status, stop.clone()));
    let mut routes = tonic::service::Routes::from(grpc_router(collector)).add_service(health);
    if let Some(records) = records {
        let (prompts, releases) = ledger_services(records);
        routes = routes.add_service(prompts).add_service(releases);
    }
    let served = tonic::transport::Server::builder()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        // A request of many frames is put together from copies; most fit into one of this size.
        .max_frame_size(1 << 20)
        .max_concurrent_streams(128)
        .http2_keepalive_interval(Some(connections::PING_EVERY))
        .http2_keepalive_timeout(Some(connections::PING_PATIENCE))
        .tcp_nodelay(true)
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "OTLP/gRPC ended");
    }
}

/// Keeps the gRPC health service at what is true, until `stop`; from then on nothing is served.
async fn tell_health(reporter: HealthReporter, status: Arc<Status>, stop: CancellationToken) {
    loop {
        let serving = match status.ingest.trouble() {
            None => ServingStatus::Serving,
            Some(_) => ServingStatus::NotServing,
        };
        tell(&reporter, serving).await;
        if stop.run_until_cancelled(tokio::time::sleep(HEALTH_EVERY)).await.is_none() {
            return tell(&reporter, ServingStatus::NotServing).await;
        }
    }
}

async fn tell(reporter: &HealthReporter, serving: ServingStatus) {
    for service in ["", GRPC_SERVICE] {
        reporter.set_service_status(service, serving).await;
    }
}
