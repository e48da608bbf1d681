//! The PostgreSQL protocol as a part of `tracewell serve`.

use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracewell_query::Engine;
use tracewell_serve::{Postgres, PostgresOptions, Tls};

use super::connections::most_files;
use crate::config::Config;

/// Connections at the same time, if the system allows so many files.
const MOST_CONNECTIONS: usize = 2000;

/// Answers there until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    engine: &Arc<Engine>,
    settings: &Config,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let settings = &settings.postgres;
    let tls = match (settings.tls_certificate.as_os_str().is_empty(), settings.tls_key.as_os_str().is_empty()) {
        (true, true) => None,
        (false, false) => Some(
            Tls::read(&settings.tls_certificate, &settings.tls_key)
                .context("cannot use postgres.tls_certificate with postgres.tls_key")?,
        ),
        _ => bail!("postgres.tls_certificate and postgres.tls_key go together"),
    };
    let options = PostgresOptions {
        password: Some(settings.password.clone()).filter(|password| !password.is_empty()),
        tls,
        connections: if settings.connections == 0 { connections() } else { settings.connections },
    };
    let server = Postgres::new(Arc::clone(engine), options).await?;
    tracing::info!(address = %listener.local_addr()?, "answering SQL by the PostgreSQL protocol");
    Ok(tokio::spawn(server.serve(listener, stop)))
}

/// How many connections there may be, so that half of the files that the process may open stay free for the rest.
fn connections() -> usize {
    most_files().map_or(MOST_CONNECTIONS, |files| (files / 2).min(MOST_CONNECTIONS))
}
