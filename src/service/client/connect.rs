//! Opens connections, plain or over TLS.

use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::origin::{Addresses, Origin};
use super::tls::Tls;
use super::wire::Wire;
use crate::error::Result;
use crate::service::{Cause, Stage, TaskError};

/// The number of connections that are opened at a time. More could overflow the queue in which the
/// service's kernel keeps connections that are not accepted yet (often 128 to 4096). A connection
/// dropped there is retried only a second later.
const OPENING: usize = 512;

/// Opens connections to one origin.
pub(super) struct Connector {
    pub(super) origin: Origin,
    addresses: Addresses,
    tls: Option<Tls>,
    opening: Semaphore,
}

impl Connector {
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the host of an `https` service has no valid name, or the
    /// certificates of the system or of `ca_file` (empty for none) cannot be used.
    pub(super) fn new(origin: Origin, ca_file: &str) -> Result<Connector> {
        let tls = if origin.secure { Some(Tls::new(&origin, ca_file)?) } else { None };
        Ok(Connector { origin, addresses: Addresses::default(), tls, opening: Semaphore::new(OPENING) })
    }

    /// A new connection to the origin.
    pub(super) async fn open(&self) -> Result<Box<dyn Wire>, TaskError> {
        // The semaphore is never closed, and a connection could be opened without it.
        let _turn = self.opening.acquire().await.ok();
        let tcp = self.tcp().await?;
        match &self.tls {
            None => Ok(Box::new(tcp)),
            Some(tls) => tls.secure(tcp).await,
        }
    }

    async fn tcp(&self) -> Result<TcpStream, TaskError> {
        let addresses = self.addresses.of(&self.origin).await.map_err(|error| {
            let message = format!("cannot find `{}`: {error}", self.origin.host);
            // A name may not be found for want of a descriptor to ask with.
            let cause = Some(Cause::of(&error)).filter(|cause| *cause == Cause::Local).unwrap_or(Cause::Name);
            TaskError::transport(Stage::Connect, cause, message)
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
