//! The request to stop a run.

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};

/// Whether the run has been asked to stop. Clones share the request.
#[derive(Debug, Clone)]
pub(super) struct Stop(CancellationToken);

impl Stop {
    pub(super) fn new(token: CancellationToken) -> Stop {
        Stop(token)
    }

    /// Fails once the run has been asked to stop.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`].
    pub(super) fn check(&self) -> Result<()> {
        if self.0.is_cancelled() { Err(interrupted()) } else { Ok(()) }
    }

    /// Resolves when the run is asked to stop, with the error that ends it.
    pub(super) async fn requested(&self) -> Error {
        self.0.cancelled().await;
        interrupted()
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted")
}
