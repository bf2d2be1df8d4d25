//! https: a certificate of an authority of one's own, and the message about an unsigned one.

use std::io::Write as _;
use std::sync::Arc;

use highwater::plan::TargetPlan;
use highwater::service::{Cause, Stage, TaskError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{http, perform_http};

/// A secured service with a certificate for `localhost`, and the file of the authority that signed it.
struct Secured {
    port: u16,
    authority: tempfile::NamedTempFile,
    serving: JoinHandle<()>,
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Secured {
    async fn start() -> Secured {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_string()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(authority.pem().as_bytes()).unwrap();

        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust the certificate closes the connection.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut left = 300_000;
                    let mut buffer = vec![0; 65_536];
                    while left > 0 {
                        match stream.read(&mut buffer).await {
                            Ok(read) if read > 0 => left -= read.min(left),
                            _ => return,
                        }
                    }
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await);
                    drop(stream.shutdown().await);
                });
            }
        });
        Secured { port, authority: file, serving }
    }

    fn plan(&self, host: &str) -> TargetPlan {
        http(&format!("https://{host}:{}", self.port))
    }
}

fn refused(error: TaskError) -> String {
    match error {
        TaskError::Transport { stage: Stage::Connect, cause: Cause::Tls, message, .. } => message,
        other => panic!("expected a certificate that is not trusted, got {other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority_and_its_name() {
    let service = Secured::start().await;
    let ca_file = service.authority.path().to_string_lossy().into_owned();
    let mut plan = service.plan("localhost");
    plan.ca_file.clone_from(&ca_file);
    perform_http(&plan, 300_000).await.unwrap();

    let untrusted = refused(perform_http(&service.plan("localhost"), 10).await.unwrap_err());
    assert!(
        untrusted.contains("name a file with the certificate of its authority with `target.ca_file`"),
        "{untrusted}"
    );
    let mut plan = service.plan("127.0.0.1");
    plan.ca_file = ca_file;
    let misnamed = refused(perform_http(&plan, 10).await.unwrap_err());
    assert!(misnamed.contains("the certificate is for another name"), "{misnamed}");
}

#[tokio::test]
async fn a_file_without_a_certificate_is_an_error_of_the_plan() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for (file, words) in
        [(empty.path(), "no certificate in"), (std::path::Path::new("/no/such.pem"), "cannot read")]
    {
        let mut plan = http("https://localhost:1");
        plan.ca_file = file.to_string_lossy().into_owned();
        let error = highwater::service::HttpTarget::of_plan(&plan).unwrap_err();
        assert_eq!(error.kind(), highwater::ErrorKind::Config);
        assert!(error.to_string().contains(words) && error.hint_text().is_some(), "{error}");
    }
}
