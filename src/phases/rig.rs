//! What the phases work with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::late::Last;
use super::recorder::Recorder;
use super::workers::Workers;
use crate::analysis::WORKER;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{AudioKind, Plan};
use crate::record::{Event, Footprint};
use crate::sampler::{Pss, SamplerClient, Snapshot};
use crate::service::{AnyTarget, Input};

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
    /// What the service is to fail on (`leak.bad_input`).
    pub(crate) bad_input: Option<Input>,
    pub(crate) sampler: SamplerClient,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) workers: Workers,
    pub(crate) stop: CancellationToken,
    /// That the PSS is not read is told once.
    pub(crate) pss_told: AtomicBool,
    /// The last quiet reading: what comes down from it is a late free.
    pub(crate) last: Last,
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

    /// All that the worker role's tree holds now; absent if no worker is alive.
    ///
    /// With `pss` also its PSS, where that can be read within its budget: only
    /// where no task is in flight, since the workers stand still meanwhile.
    pub(super) async fn footprint(&self, pss: bool) -> Result<Option<Footprint>> {
        let budget_s = self.plan.sampler.pss_budget_s;
        let budget = (pss && budget_s > 0.0).then(|| Duration::from_secs_f64(budget_s));
        let boundary = self.sampler.boundaries(&[WORKER], budget).await?.remove(WORKER);
        let Some(boundary) = boundary.filter(|found| found.footprint != Footprint::default()) else {
            return Ok(None);
        };
        if let Pss::TooDear { estimate_s } = boundary.pss
            && !self.pss_told.swap(true, Ordering::Relaxed)
        {
            let message = format!(
                "PSS of the worker's processes was not read: it would stall them for about {:.0} ms \
                 (`sampler.pss_budget_s` allows {:.0} ms); the sum of their private memory is told instead",
                estimate_s * 1000.0,
                budget_s * 1000.0
            );
            self.recorder.event(Event::Warning { message }).await?;
        }
        Ok(Some(boundary.footprint))
    }

    /// Records what the other roles hold after the task `test_id`: they may leak, too.
    pub(super) async fn record_other_roles(&self, test_id: &str) -> Result<()> {
        let others: Vec<&str> =
            self.plan.processes.keys().map(String::as_str).filter(|role| *role != WORKER).collect();
        if others.is_empty() {
            return Ok(());
        }
        let boundaries = self.sampler.boundaries(&others, None).await?.into_iter();
        let roles: BTreeMap<String, Footprint> = boundaries
            .map(|(role, boundary)| (role, boundary.footprint))
            .filter(|(_, footprint)| *footprint != Footprint::default())
            .collect();
        if roles.is_empty() {
            return Ok(());
        }
        self.recorder.event(Event::RolesAfter { test_id: test_id.to_string(), roles }).await
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
