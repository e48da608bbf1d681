//! Where the server listens.

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::config::{Address, Effective, Listening, Source};

/// A listener for each protocol; none for those of SQL that are off, or whose address nobody asked for and another has.
pub(super) struct Listeners {
    pub(super) grpc: TcpListener,
    pub(super) http: TcpListener,
    pub(super) api: TcpListener,
    pub(super) postgres: Option<TcpListener>,
    pub(super) flight: Option<TcpListener>,
}

impl Listeners {
    pub(super) async fn bind(effective: &Effective) -> anyhow::Result<Self> {
        let settings = &effective.config;
        let listen = &settings.listen;
        let grpc = bind(&listen.otlp_grpc, "OTLP/gRPC").await?;
        let http = bind(&listen.otlp_http, "OTLP/HTTP").await?;
        let api = match effective.source("listen.http") {
            Source::Default => bind_api(&listen.http).await?,
            _ => bind(&listen.http, "HTTP").await?,
        };
        let source = effective.source("listen.postgres");
        let password = !settings.postgres.password.is_empty();
        let postgres = bind_sql(&listen.postgres, "postgres", source, password).await?;
        let source = effective.source("listen.flight");
        let password = !settings.flight.password.is_empty();
        let flight = bind_sql(&listen.flight, "flight", source, password).await?;
        Ok(Self { grpc, http, api, postgres, flight })
    }
}

/// The default address, or a free port when another server has it: nobody asked for that address.
async fn bind_api(address: &Address) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address.as_str()).await {
        Ok(listener) => Ok(listener),
        Err(_) => bind(&address.with_any_port(), "HTTP").await,
    }
}

async fn bind(address: &Address, what: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address.as_str())
        .await
        .with_context(|| format!("cannot listen on {address} for {what}; is another collector running?"))
}

/// Listens at an address for one of the protocols of SQL, if any is set. When nobody asked for that address and it is
/// taken, the server goes on without. Without a password other machines may not reach it.
async fn bind_sql(
    listening: &Listening,
    protocol: &str,
    source: &Source,
    password: bool,
) -> anyhow::Result<Option<TcpListener>> {
    let Listening::At(address) = listening else { return Ok(None) };
    let listener = match TcpListener::bind(address.as_str()).await {
        Ok(listener) => listener,
        Err(error) if *source == Source::Default => {
            tracing::warn!(
                "{address} cannot be listened on ({error}), perhaps because another server runs there: there is no SQL \
                 by the protocol {protocol}; give it another address with --{protocol}"
            );
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot listen on {address} (listen.{protocol})")),
    };
    if !listener.local_addr()?.ip().is_loopback() && !password {
        bail!("listen.{protocol} is {address}, which other machines reach: set {protocol}.password, or use 127.0.0.1");
    }
    Ok(Some(listener))
}
