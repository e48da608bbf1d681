//! Where a server is, for those who find it by its write-ahead log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The file in the write-ahead log's folder that tells where its server listens.
pub(super) const ENDPOINT_FILE: &str = "endpoint";

/// Tells `tracewell sql` where this server is, as long as it runs.
pub(super) struct Endpoint(PathBuf);

impl Endpoint {
    /// The first line is for `tracewell sql`, the others for whoever started the server on free ports.
    pub(super) fn write(
        wal: &Path,
        api: SocketAddr,
        grpc: SocketAddr,
        http: SocketAddr,
        others: &[(&str, Option<SocketAddr>)],
    ) -> anyhow::Result<Self> {
        let path = wal.join(ENDPOINT_FILE);
        let mut text = format!("http://{api}\notlp_grpc http://{grpc}\notlp_http http://{http}\n");
        for (protocol, address) in others {
            let scheme = if *protocol == "postgres" { "postgresql" } else { "grpc" };
            text.extend(address.map(|address| format!("{protocol} {scheme}://{address}\n")));
        }
        let unfinished = path.with_extension("new");
        std::fs::write(&unfinished, text)
            .and_then(|()| std::fs::rename(&unfinished, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
