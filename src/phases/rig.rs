//! What the phases work with.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;
use super::workers::Workers;
use crate::analysis::WORKER;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{AudioKind, Plan};
use crate::sampler::{SamplerClient, Snapshot};
use crate::target::{AnyTarget, Input};

/// What the tasks send.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The short input.
    pub short: Input,
    /// The long one; absent for services to which length means nothing.
    pub long: Option<Input>,
}

impl Inputs {
    /// One input that is not audio: `bytes`, called `name` in the data files.
    pub fn one(name: impl Into<String>, bytes: impl Into<Bytes>) -> Inputs {
        let name = name.into();
        let short =
            Input { kind: AudioKind::Short, stem: name.clone(), name, bytes: bytes.into(), seconds: None };
        Inputs { short, long: None }
    }

    /// The input of `kind`; the short one where there is no long one.
    pub fn get(&self, kind: AudioKind) -> &Input {
        match kind {
            AudioKind::Short => &self.short,
            AudioKind::Long => self.long.as_ref().unwrap_or(&self.short),
        }
    }

    /// All of them, the short one first.
    pub fn all(&self) -> impl Iterator<Item = &Input> {
        std::iter::once(&self.short).chain(&self.long)
    }
}

/// Target, sampler and recorder, joined.
pub struct Rig {
    pub(crate) plan: Plan,
    pub(crate) target: Arc<dyn AnyTarget>,
    pub(crate) inputs: Inputs,
    pub(crate) sampler: SamplerClient,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) workers: Workers,
    pub(crate) stop: CancellationToken,
}

impl Rig {
    /// Fails once somebody has asked the run to stop.
    pub(super) fn check_stop(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(interrupted()) } else { Ok(()) }
    }

    /// RSS of the worker role now, in bytes; absent if no worker is alive.
    pub(super) async fn worker_rss(&self) -> Result<Option<u64>> {
        Ok(worker_rss(&self.sampler.observe().await?))
    }

    /// Why no more tasks should be sent for the sake of the machine, if so.
    pub(super) async fn memory_is_short(&self) -> Result<Option<String>> {
        let snapshot = self.sampler.observe().await?;
        let share =
            100.0 * snapshot.available_memory_bytes as f64 / snapshot.total_memory_bytes.max(1) as f64;
        let limit = self.plan.guard.min_available_percent;
        Ok((share < limit).then(|| {
            format!("only {share:.1} % of the machine's memory is available (`guard.min_available_percent` is {limit})")
        }))
    }
}

pub(crate) fn worker_rss(snapshot: &Snapshot) -> Option<u64> {
    snapshot.roles.get(WORKER).and_then(|role| role.rss_bytes)
}

pub(super) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted")
}
