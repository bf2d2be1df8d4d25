//! The handle through which the rest of highwater talks to the sampler's thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, oneshot};

use super::event::ProcessEvent;
use super::process::ProcessId;
use super::run::Command;
use super::series::MemorySeries;
use super::snapshot::{Boundary, Snapshot};
use super::wait::Waker;
use super::watch::lock;
use crate::{Error, ErrorKind, Result};

/// A handle to a running [`Sampler`](super::Sampler). Cheap to clone; it does
/// not keep the sampler alive.
#[derive(Clone)]
pub struct SamplerClient {
    commands: Sender<Command>,
    waker: Waker,
    busy: Arc<AtomicBool>,
    series: Arc<Mutex<MemorySeries>>,
    events: broadcast::Sender<ProcessEvent>,
}

impl SamplerClient {
    pub(crate) fn new(
        commands: Sender<Command>,
        waker: Waker,
        busy: Arc<AtomicBool>,
        series: Arc<Mutex<MemorySeries>>,
        events: broadcast::Sender<ProcessEvent>,
    ) -> SamplerClient {
        SamplerClient { commands, waker, busy, series, events }
    }

    /// Measures every role now. The measurement goes into the series, and not
    /// into the CSV.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the sampler has stopped, or the machine's memory
    /// cannot be read.
    pub async fn observe(&self) -> Result<Snapshot> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Observe(Box::new(move |snapshot| {
            // The caller may have been cancelled since.
            let _ = reply.send(snapshot);
        })))?;
        answer.await.map_err(|_| stopped())?
    }

    /// As [`SamplerClient::observe`], for code that is not async: it blocks
    /// the calling thread for as long as a look takes.
    ///
    /// # Errors
    /// As [`SamplerClient::observe`].
    pub fn observe_blocking(&self) -> Result<Snapshot> {
        let (reply, answer) = mpsc::channel();
        self.send(Command::Observe(Box::new(move |snapshot| {
            let _ = reply.send(snapshot);
        })))?;
        answer.recv().map_err(|_| stopped())?
    }

    /// The footprints of the trees of `roles` (of all, if it is empty): a look like that of
    /// [`SamplerClient::observe`], and the figures that cost more than a look.
    /// With `pss_budget` also the PSS of each role, if it can be read in that time:
    /// reading it stalls the processes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the sampler has stopped.
    pub async fn boundaries(
        &self,
        roles: &[&str],
        pss_budget: Option<Duration>,
    ) -> Result<BTreeMap<String, Boundary>> {
        let (reply, answer) = oneshot::channel();
        let roles = roles.iter().map(ToString::to_string).collect();
        let reply = Box::new(move |boundaries| {
            // The caller may have been cancelled since.
            let _ = reply.send(boundaries);
        });
        self.send(Command::Boundaries { roles, pss_budget, reply })?;
        answer.await.map_err(|_| stopped())
    }

    /// The processes that appear or end from now on. A receiver that is more
    /// than 1024 events behind loses the oldest, and gets an error that says so.
    pub fn subscribe(&self) -> broadcast::Receiver<ProcessEvent> {
        self.events.subscribe()
    }

    /// Set it to true while a task is in flight: the sampler then looks more often than
    /// it ticks, so that it misses no short peak.
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
        self.waker.wake();
    }

    /// The highest memory of the role's tree, in bytes, that was sampled from
    /// `from` to `to`; `None` if there was no sample or no live process then.
    pub fn peak_between(&self, role: &str, from: Instant, to: Instant) -> Option<u64> {
        lock(&self.series).peak_between(role, from, to)
    }

    /// The lowest memory of the role's tree, in bytes, that was sampled from `from`
    /// to `to`; `None` as in [`SamplerClient::peak_between`].
    pub fn low_between(&self, role: &str, from: Instant, to: Instant) -> Option<u64> {
        lock(&self.series).low_between(role, from, to)
    }

    /// As [`SamplerClient::low_between`], with the moment at which it was seen.
    pub fn lowest_between(&self, role: &str, from: Instant, to: Instant) -> Option<(Instant, u64)> {
        lock(&self.series).lowest_between(role, from, to)
    }

    /// The memory of the role's tree, in bytes, at the last look before `at`.
    pub fn at(&self, role: &str, at: Instant) -> Option<u64> {
        lock(&self.series).at(role, at)
    }

    /// As [`SamplerClient::peak_between`], of one process.
    pub fn process_peak_between(&self, id: ProcessId, from: Instant, to: Instant) -> Option<u64> {
        lock(&self.series).process_peak_between(id, from, to)
    }

    /// As [`SamplerClient::at`], of one process.
    pub fn process_at(&self, id: ProcessId, at: Instant) -> Option<u64> {
        lock(&self.series).process_at(id, at)
    }

    pub(crate) fn stop(&self) {
        // If the thread has ended already there is nothing to stop.
        let _ = self.send(Command::Stop);
    }

    fn send(&self, command: Command) -> Result<()> {
        self.commands.send(command).map_err(|_| stopped())?;
        self.waker.wake();
        Ok(())
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Io, "the sampler has stopped")
}
