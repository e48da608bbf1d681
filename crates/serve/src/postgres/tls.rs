//! Encryption of the PostgreSQL protocol.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certificate and its key.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// Reads both from files in PEM. The process needs a default provider of `rustls`.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> io::Result<Self> {
        let certificates =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key);
        Ok(Self(TlsAcceptor::from(Arc::new(config.map_err(io::Error::other)?))))
    }

    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        self.0.accept(stream).await
    }
}
