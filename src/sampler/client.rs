//! How everyone else speaks to the sampler's thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, oneshot};

use super::event::ProcessEvent;
use super::process::ProcessId;
use super::run::Command;
use super::series::Series;
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
    series: Arc<Mutex<Series>>,
    events: broadcast::Sender<ProcessEvent>,
}

impl SamplerClient {
    pub(crate) fn new(
        commands: Sender<Command>,
        waker: Waker,
        busy: Arc<AtomicBool>,
        series: Arc<Mutex<Series>>,
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
            // Whoever asked may have been cancelled since.
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

    /// What the trees of `roles` (all, if it is empty) hold now: a look as
    /// [`SamplerClient::observe`] takes one, and what costs more than a look.
    /// With `pss_budget` also the PSS of each, if it can be read in that time:
    /// the processes stand still while it is read.
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
            // Whoever asked may have been cancelled since.
            let _ = reply.send(boundaries);
        });
        self.send(Command::Boundaries { roles, pss_budget, reply })?;
        answer.await.map_err(|_| stopped())
    }

    /// Every process that appears or ends from now on. A receiver that is more
    /// than 1024 events behind loses the oldest, and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<ProcessEvent> {
        self.events.subscribe()
    }

    /// True while a task is in flight: the sampler then looks more often than
    /// it ticks, so that short peaks are not missed.
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
        self.waker.wake();
    }

    /// The highest memory of the role's tree, in bytes, that was seen from
    /// `from` to `to`; `None` if nobody looked then or nobody played the role.
    pub fn peak_between(&self, role: &str, from: Instant, to: Instant) -> Option<u64> {
        lock(&self.series).peak_between(role, from, to)
    }

    /// The lowest memory of the role's tree, in bytes, that was seen from `from`
    /// to `to`; `None` as in [`SamplerClient::peak_between`].
    pub fn low_between(&self, role: &str, from: Instant, to: Instant) -> Option<u64> {
        lock(&self.series).low_between(role, from, to)
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
