//! Looks at CPU, memory and descriptors of the processes once a second while someone is watching.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::sampler::{Boundary, SamplerClient, Snapshot};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Looks from one count of descriptors, which costs more, to the next.
const CLOSER: u32 = 5;

/// A thread that looks at the processes until it is dropped. The run's own thread is left alone.
pub struct Pulse {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Calls `seen` once a second with a snapshot of `sampler`, and every few seconds with boundary readings as well.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system gives no thread.
    pub fn start(
        sampler: SamplerClient,
        seen: impl Fn(&Snapshot, Option<&BTreeMap<String, Boundary>>) + Send + 'static,
    ) -> Result<Pulse> {
        let cannot =
            |error| Error::new(ErrorKind::Io, "cannot start the thread of the live figures").source(error);
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(cannot)?;
        let (stop, stopped) = channel();
        let look = move || {
            for look in 0_u32.. {
                // A sampler that has stopped has nothing more to show.
                let Ok(snapshot) = sampler.observe_blocking() else { return };
                let closer =
                    look.is_multiple_of(CLOSER).then(|| runtime.block_on(sampler.boundaries(&[], None)));
                seen(&snapshot, closer.and_then(Result::ok).as_ref());
                if stopped.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("highwater-live".to_string()).spawn(look).map_err(cannot)?;
        Ok(Pulse { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            drop(thread.join());
        }
    }
}
