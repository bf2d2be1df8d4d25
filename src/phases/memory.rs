//! Reads the memory of the worker, of the other roles and of the machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::late::LateFrees;
use super::recorder::Recorder;
use super::settle::{Settle, Settled};
use super::stop::Stop;
use crate::analysis::WORKER;
use crate::collect::Collector;
use crate::error::Result;
use crate::plan::{Plan, SettlePlan};
use crate::record::{CutShort, Event, Footprint, GpuUnread, Warning};
use crate::sampler::{ProcessReading, Pss, SamplerClient, Snapshot};
use crate::units::{round, to_mb};

/// The longest time between two readings while waiting for quiet memory.
const LOOK: Duration = Duration::from_millis(50);

/// Readings in the time for which memory has to be quiet, where that is short.
const LOOKS_WHILE_QUIET: f64 = 4.0;

/// Reads memory through the sampler.
pub(super) struct MemoryReader {
    sampler: SamplerClient,
    settle: SettlePlan,
    /// How long reading the PSS may stall the worker; `None` not to read it.
    pss_budget: Option<Duration>,
    min_available_percent: f64,
    /// The oldest that a reading of the worker may be, in seconds: a later one is waited for.
    oldest_s: f64,
    /// Every role except the worker's.
    other_roles: Vec<String>,
    /// Whether the run has been warned that PSS is not read.
    pss_warned: AtomicBool,
    /// Whether the run has been warned that GPU memory is not read.
    gpu_warned: AtomicBool,
    recorder: Arc<Recorder>,
    stop: Stop,
    /// Finds memory that a task releases late.
    pub(super) late_frees: LateFrees,
    collection: Collection,
    /// The last reading while tasks overlapped, and when it was asked for.
    last: Mutex<Option<(Instant, Option<Footprint>)>>,
}

/// A reading of tasks that overlap is used again up to this age.
const FRESH: Duration = Duration::from_millis(20);

/// The collection before a reading (`settle.collect`).
struct Collection {
    collector: Option<Collector>,
    /// Whether tasks ran since the last one.
    due: AtomicBool,
    /// Heap in use after the last one, in MB.
    left: Mutex<Option<f64>>,
    /// Whether the event that collections take place has been recorded: once a run is enough.
    told: AtomicBool,
    /// Whether the warning that it failed has been given: once a run is enough.
    warned: AtomicBool,
}

impl Collection {
    fn of(collector: Option<Collector>) -> Collection {
        let (told, warned) = (AtomicBool::new(false), AtomicBool::new(false));
        Collection { collector, due: AtomicBool::new(true), left: Mutex::default(), told, warned }
    }
}

impl MemoryReader {
    pub(super) fn new(
        sampler: SamplerClient,
        plan: &Plan,
        recorder: Arc<Recorder>,
        stop: Stop,
        collector: Option<Collector>,
    ) -> MemoryReader {
        let budget_s = plan.sampler.pss_budget_s;
        MemoryReader {
            sampler,
            settle: plan.settle.clone(),
            pss_budget: (budget_s > 0.0).then(|| Duration::from_secs_f64(budget_s)),
            min_available_percent: plan.guard.min_available_percent,
            oldest_s: plan.processes.get(WORKER).map_or(0.0, crate::plan::ProcessPlan::oldest_s),
            other_roles: plan.processes.keys().filter(|role| *role != WORKER).cloned().collect(),
            pss_warned: AtomicBool::new(false),
            gpu_warned: AtomicBool::new(false),
            recorder,
            stop,
            late_frees: LateFrees::new(plan.settle.quiet_mb),
            collection: Collection::of(collector),
            last: Mutex::new(None),
        }
    }

    /// Makes the service's runtime collect, if that is asked for and tasks ran since the last time. A failure does
    /// not fail the task: the reading is taken without a collection.
    async fn collect(&self) -> Result<()> {
        let Collection { collector, due, left, told, warned } = &self.collection;
        let Some(collector) = collector else { return Ok(()) };
        // An automatic collection that failed is not tried again: each attempt waits, and may print a thread dump.
        let given_up = !collector.is_asked_for() && warned.load(Ordering::Relaxed);
        if given_up || !due.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let worker = self.snapshot().await?.roles.remove(WORKER).unwrap_or_default();
        let pids: Vec<u32> = worker.processes.iter().map(|process| process.id.pid).collect();
        // The figure of an earlier collection must not pass for the next reading's.
        *left.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match collector.collect(&pids).await {
            Ok(None) => Ok(()),
            Ok(Some(collected)) => {
                *left.lock().unwrap_or_else(PoisonError::into_inner) = collected.heap_mb;
                if told.swap(true, Ordering::Relaxed) {
                    return Ok(());
                }
                self.recorder.event(Event::Collects {}).await
            }
            Err(_) if warned.swap(true, Ordering::Relaxed) => Ok(()),
            Err(problem) => {
                let message = Warning::NotCollected { problem };
                self.recorder.event(Event::Warning { message }).await
            }
        }
    }

    /// Measures every role now.
    ///
    /// # Errors
    /// Those of [`SamplerClient::observe`].
    pub(super) async fn snapshot(&self) -> Result<Snapshot> {
        self.sampler.observe().await
    }

    /// The processes of the worker role now.
    ///
    /// # Errors
    /// Those of the sampler.
    pub(super) async fn workers(&self) -> Result<Vec<ProcessReading>> {
        Ok(self.snapshot().await?.roles.remove(WORKER).unwrap_or_default().processes)
    }

    /// The footprint of the worker role's tree now; absent if no worker is alive.
    ///
    /// With `pss` also its PSS, if that can be read within its budget. Ask for it only while no
    /// task is in flight: reading it stalls the workers.
    pub(super) async fn footprint(&self, pss: bool) -> Result<Option<Footprint>> {
        let budget = self.pss_budget.filter(|_| pss);
        let boundary = self.sampler.boundaries(&[WORKER], budget).await?.remove(WORKER);
        let Some(boundary) = boundary.filter(|found| found.footprint != Footprint::default()) else {
            return Ok(None);
        };
        if let (Pss::TooExpensive { estimate_s }, Some(budget)) = (boundary.pss, budget)
            && !self.pss_warned.swap(true, Ordering::Relaxed)
        {
            let message = Warning::PssUnread { stall_s: estimate_s, budget_s: budget.as_secs_f64() };
            self.recorder.event(Event::Warning { message }).await?;
        }
        self.warn_of_gpu(boundary.gpu_unread).await?;
        Ok(Some(boundary.footprint))
    }

    /// Says once a run that a driver gives no figures.
    async fn warn_of_gpu(&self, unread: Option<GpuUnread>) -> Result<()> {
        match unread {
            Some(unread) if !self.gpu_warned.swap(true, Ordering::Relaxed) => {
                self.recorder.event(Event::Warning { message: Warning::GpuUnread(unread) }).await
            }
            _ => Ok(()),
        }
    }

    /// The worker's memory at this moment, quiet or not, without PSS: reading that would stall
    /// tasks in flight. Where tasks are `overlapping`, a reading is of all of them, and one that is a moment old will do.
    ///
    /// # Errors
    /// Those of the sampler.
    pub(super) async fn now(&self, overlapping: bool) -> Result<Settled> {
        let footprint = self.lately(overlapping).await?;
        let rss_mb = footprint.and_then(|footprint| footprint.rss_mb);
        Ok(Settled { rss_mb, footprint, ..Settled::nothing() })
    }

    async fn lately(&self, overlapping: bool) -> Result<Option<Footprint>> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, footprint)) = last.filter(|(at, _)| overlapping && at.elapsed() < FRESH) {
            tracing::trace!(age = ?at.elapsed(), "a reading is used again");
            return Ok(footprint);
        }
        let at = Instant::now();
        let footprint = self.footprint(false).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, footprint));
        Ok(footprint)
    }

    /// Waits until the worker's memory is quiet, and reads it. If memory is quiet but above
    /// `high_mb`, waits up to `settle.late_free_s` for it to come down.
    ///
    /// # Errors
    /// Those of the sampler; [`crate::ErrorKind::Interrupted`] if the run is to stop.
    pub(super) async fn settled(&self, high_mb: Option<f64>) -> Result<Settled> {
        self.settled_by(&self.settle, high_mb).await
    }

    /// As [`MemoryReader::settled`], but the reading is taken after `most_s` at the latest, and no sooner than quiet
    /// can be seen.
    ///
    /// # Errors
    /// As [`MemoryReader::settled`].
    pub(super) async fn settled_within(&self, most_s: f64) -> Result<Settled> {
        let plan = &self.settle;
        let max_s = most_s.clamp(plan.quiet_s, plan.max_s.max(plan.quiet_s));
        self.settled_by(&SettlePlan { max_s, ..plan.clone() }, None).await
    }

    async fn settled_by(&self, plan: &SettlePlan, high_mb: Option<f64>) -> Result<Settled> {
        self.collect().await?;
        let started = Instant::now();
        let mut state = Settle::new(plan, high_mb);
        let look = LOOK.min(Duration::from_secs_f64(plan.quiet_s / LOOKS_WHILE_QUIET));
        loop {
            self.stop.check()?;
            let worker = self.snapshot().await?.roles.remove(WORKER).unwrap_or_default();
            let seconds = started.elapsed().as_secs_f64();
            // A reading from before the wait says nothing of its end, and one that failed may succeed in a moment.
            if worker.unread > 0 && seconds < plan.max_s
                || worker.age_s > seconds && seconds < plan.max_s.max(self.oldest_s)
            {
                tokio::time::sleep(look).await;
                continue;
            }
            let rss_mb = worker.rss_bytes.map(to_mb).filter(|_| worker.age_s <= seconds);
            let Some(rss_mb) = rss_mb else {
                return Ok(Settled { seconds: round(seconds, 2), ..Settled::nothing() });
            };
            if let Some(quiet) = state.reading(seconds, rss_mb) {
                let heap_mb = *self.collection.left.lock().unwrap_or_else(PoisonError::into_inner);
                let footprint = self.footprint(true).await?.map(|held| Footprint { heap_mb, ..held });
                return Ok(Settled {
                    rss_mb: Some(rss_mb),
                    footprint,
                    seconds: round(seconds, 2),
                    quiet,
                    late_free_mb: state.came_down_mb(rss_mb),
                });
            }
            tokio::time::sleep(look).await;
        }
    }

    /// Waits this many seconds while nothing is sent.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`] if the run is to stop.
    pub(super) async fn wait(&self, seconds: f64) -> Result<()> {
        tokio::select! {
            error = self.stop.requested() => Err(error),
            () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => Ok(()),
        }
    }

    /// The footprints of the roles other than the worker's: they may leak, too.
    ///
    /// # Errors
    /// Those of the sampler.
    pub(super) async fn other_roles(&self) -> Result<BTreeMap<String, Footprint>> {
        if self.other_roles.is_empty() {
            return Ok(BTreeMap::new());
        }
        let roles: Vec<&str> = self.other_roles.iter().map(String::as_str).collect();
        let boundaries = self.sampler.boundaries(&roles, None).await?;
        let unread = boundaries.values().find_map(|boundary| boundary.gpu_unread.clone());
        self.warn_of_gpu(unread).await?;
        Ok(boundaries
            .into_iter()
            .map(|(role, boundary)| (role, boundary.footprint))
            .filter(|(_, footprint)| *footprint != Footprint::default())
            .collect())
    }

    /// The highest memory of `role` that was sampled from `from` to `until`, in MB.
    pub(super) fn peak_mb(&self, role: &str, from: Instant, until: Instant) -> Option<f64> {
        self.sampler.peak_between(role, from, until).map(to_mb)
    }

    /// The lowest memory of the worker that was sampled since `from`, in MB.
    pub(super) fn lowest_mb(&self, from: Instant) -> Option<f64> {
        self.sampler.low_between(WORKER, from, Instant::now()).map(to_mb)
    }

    /// The lowest memory of the worker that was sampled from `from` to `until`, in MB, and when.
    pub(super) fn lowest_between(&self, from: Instant, until: Instant) -> Option<(Instant, f64)> {
        self.sampler.lowest_between(WORKER, from, until).map(|(at, bytes)| (at, to_mb(bytes)))
    }

    /// Marks tasks as in flight until the guard is dropped. The sampler looks more often
    /// meanwhile, so that it misses no short peak.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.collection.due.store(true, Ordering::Relaxed);
        self.sampler.set_busy(true);
        Busy(&self.sampler)
    }

    /// Memory of the machine that is available, in MB.
    ///
    /// # Errors
    /// Those of the sampler.
    pub(super) async fn available_mb(&self) -> Result<f64> {
        Ok(to_mb(self.snapshot().await?.available_memory_bytes))
    }

    /// Why no more tasks should be sent, if the machine's memory is short.
    ///
    /// # Errors
    /// Those of the sampler.
    pub(super) async fn shortage(&self) -> Result<Option<CutShort>> {
        let snapshot = self.snapshot().await?;
        let share =
            100.0 * snapshot.available_memory_bytes as f64 / snapshot.total_memory_bytes.max(1) as f64;
        let limit = self.min_available_percent;
        Ok((share < limit)
            .then_some(CutShort::MemoryShort { available_percent: share, least_percent: limit }))
    }
}

/// Marks tasks as in flight as long as it exists.
#[must_use]
pub(super) struct Busy<'a>(&'a SamplerClient);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}
