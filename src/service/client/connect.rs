//! Opens connections, plain or over TLS.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::{BuilderVerifierExt, Verifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::origin::{Addresses, Origin};
use crate::error::{Error, ErrorKind, Result};
use crate::service::{Cause, Stage, TaskError};

/// The number of connections that are opened at a time. More could overflow the queue in which the
/// service's kernel keeps connections that are not accepted yet (often 128 to 4096). A connection
/// dropped there is retried only a second later.
const OPENING: usize = 512;

/// The byte stream of a connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Opens connections to one origin.
pub(super) struct Connector {
    pub(super) origin: Origin,
    addresses: Addresses,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    opening: Semaphore,
}

impl Connector {
    /// # Errors
    /// [`ErrorKind::Config`] if the host of an `https` service has no valid name, or the
    /// certificates of the system or of `ca_file` (empty for none) cannot be used.
    pub(super) fn new(origin: Origin, ca_file: &str) -> Result<Connector> {
        let tls = if origin.secure { Some(secured(&origin, ca_file)?) } else { None };
        Ok(Connector { origin, addresses: Addresses::default(), tls, opening: Semaphore::new(OPENING) })
    }

    /// A new connection to the origin.
    pub(super) async fn open(&self) -> Result<Box<dyn Wire>, TaskError> {
        // The semaphore is never closed, and a connection could be opened without it.
        let _turn = self.opening.acquire().await.ok();
        let tcp = self.tcp().await?;
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(tcp)) };
        let failed = |error: io::Error| {
            let cause = match Cause::of(&error) {
                Cause::Other => Cause::Tls,
                known => known,
            };
            TaskError::transport(
                Stage::Connect,
                cause,
                format!("cannot secure the connection: {error}{}", advice(&error)),
            )
        };
        Ok(Box::new(tls.connect(name.clone(), tcp).await.map_err(failed)?))
    }

    async fn tcp(&self) -> Result<TcpStream, TaskError> {
        let addresses = self.addresses.of(&self.origin).await.map_err(|error| {
            let message = format!("cannot find `{}`: {error}", self.origin.host);
            TaskError::transport(Stage::Connect, Cause::Name, message)
        })?;
        let mut failure = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Otherwise a small request may wait until the one before is acknowledged.
                    drop(stream.set_nodelay(true));
                    return Ok(stream);
                }
                Err(error) => failure = Some((address, error)),
            }
        }
        Err(match failure {
            Some((address, error)) => {
                let message = format!("cannot connect: {error} ({address})");
                TaskError::transport(Stage::Connect, Cause::of(&error), message)
            }
            None => TaskError::transport(Stage::Connect, Cause::Name, "the host has no address"),
        })
    }
}

/// What to do about a certificate that is not trusted.
fn advice(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            " (nobody that is trusted here has signed the certificate: name a file with its authority's with `target.ca_file`)"
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => " (the certificate is for another name: use in `target.url` the one that it is for)",
        _ => "",
    }
}

/// The certificates of a PEM file.
fn authorities(ca_file: &str) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |what: String| {
        Error::new(ErrorKind::Config, format!("`target.ca_file`: {what} `{ca_file}`")).hint(
            "name a PEM file: lines between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`",
        )
    };
    let found: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(ca_file).and_then(Iterator::collect);
    let found = found.map_err(|error| wrong(format!("cannot read certificates ({error}) from")))?;
    if found.is_empty() { Err(wrong("no certificate in".to_string())) } else { Ok(found) }
}

fn secured(origin: &Origin, ca_file: &str) -> Result<(TlsConnector, ServerName<'static>)> {
    let name = ServerName::try_from(origin.host.clone()).map_err(|error| {
        let message = format!("`{}` cannot be the name of a secured service", origin.host);
        Error::new(ErrorKind::Config, message).source(error)
    })?;
    let unusable = |error: rustls::Error| {
        Error::new(ErrorKind::Config, "cannot use the system's certificates")
            .source(error)
            .hint("install the package `ca-certificates`, or name a file of them with `SSL_CERT_FILE`")
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = if ca_file.is_empty() {
        builder.with_platform_verifier().map_err(unusable)?
    } else {
        let verifier = Verifier::new_with_extra_roots(authorities(ca_file)?, provider).map_err(unusable)?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    };
    Ok((TlsConnector::from(Arc::new(builder.with_no_client_auth())), name))
}
