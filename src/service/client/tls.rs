//! TLS with the certificates that the system or the plan trusts.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::{BuilderVerifierExt, Verifier};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::origin::Origin;
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Result};
use crate::service::{Cause, Stage, TaskError};

/// The TLS configuration for one origin.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// # Errors
    /// [`ErrorKind::Config`] if the host has no valid name, or the certificates of
    /// the system or of `ca_file` (empty for none) cannot be used.
    pub(super) fn new(origin: &Origin, ca_file: &str) -> Result<Tls> {
        secured(origin, ca_file)
    }

    /// Establishes TLS over `tcp`.
    pub(super) async fn secure(&self, tcp: TcpStream) -> Result<Box<dyn Wire>, TaskError> {
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
        Ok(Box::new(self.connector.connect(self.name.clone(), tcp).await.map_err(failed)?))
    }
}

/// Advice for a certificate that is not trusted.
fn advice(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            " (it is signed by no authority that this machine trusts: name a file with the certificate of its authority with `target.ca_file`)"
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

fn secured(origin: &Origin, ca_file: &str) -> Result<Tls> {
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
    Ok(Tls { connector: TlsConnector::from(Arc::new(builder.with_no_client_auth())), name })
}
