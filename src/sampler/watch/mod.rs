//! The sampler's knowledge of its processes: who is tracked, in which role,
//! what they measured last.
//!
//! It knows no thread, no channel and no clock: the moment is handed in, and
//! what happened lies in [`Watch::take_events`].

mod adopt;
mod search;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::adopt::Adoption;
use self::search::Search;
use super::event::{EventKind, ProcessEvent};
use super::find::Found;
use super::process::{Machine, ProcessId, ProcessInfo, ProcessSource, ReadError, Reading};
use super::series::Series;
use super::snapshot::{ProcessReading, RoleReading};
use super::summary::{RoleSummary, Tallies};
use crate::plan::ProcessPlan;
use crate::record::ExitKind;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) timestamp: jiff::Timestamp,
}

impl Moment {
    /// Now.
    pub(crate) fn now() -> Moment {
        Moment { at: Instant::now(), timestamp: jiff::Timestamp::now() }
    }
}

/// What a look is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// A row of the CSV: CPU use counts from one of these to the next.
    Tick,
    /// Anything in between.
    Between,
}

/// What a look saw.
pub(crate) struct Looked {
    /// Every role, also one that nobody plays.
    pub(crate) roles: BTreeMap<String, RoleReading>,
    /// Processes that have ended without our having been told yet: the caller
    /// finds out how, and calls [`Watch::ended`].
    pub(crate) gone: Vec<ProcessId>,
}

/// The processes of all roles.
pub(crate) struct Watch {
    source: Box<dyn ProcessSource>,
    own_pid: u32,
    roles: BTreeMap<String, Role>,
    tracked: BTreeMap<ProcessId, Tracked>,
    series: Arc<Mutex<Series>>,
    tallies: Tallies,
    adoption: Adoption,
    search: Search,
    events: Vec<ProcessEvent>,
    fresh: Vec<ProcessId>,
    failed_reads: u64,
    /// Processes whose failure to be read has been told.
    told: HashSet<ProcessId>,
}

struct Role {
    plan: ProcessPlan,
    summary: RoleSummary,
}

struct Tracked {
    role: String,
    info: ProcessInfo,
    is_root: bool,
    /// When it was last measured at a tick, with its CPU time then.
    mark: Option<(Instant, f64)>,
}

/// CPU time comes in steps of 10 ms: over less than that, a share says nothing.
const SHORTEST_CPU_SPAN_S: f64 = 0.009;

impl Watch {
    /// Tracks what `found` holds, and its descendants.
    pub(crate) fn new(
        source: Box<dyn ProcessSource>,
        found: &Found,
        series: Arc<Mutex<Series>>,
        own_pid: u32,
        moment: Moment,
    ) -> Watch {
        let role = |plan: &ProcessPlan| Role { plan: plan.clone(), summary: RoleSummary::default() };
        let mut watch = Watch {
            source,
            own_pid,
            roles: found.roles.iter().map(|(name, found)| (name.clone(), role(&found.plan))).collect(),
            tracked: BTreeMap::new(),
            series,
            tallies: Tallies::default(),
            adoption: Adoption::default(),
            search: Search::new(moment.at),
            events: Vec::new(),
            fresh: Vec::new(),
            failed_reads: 0,
            told: HashSet::new(),
        };
        for (role, found) in &found.roles {
            for root in &found.roots {
                watch.track(role, root.clone(), true);
            }
        }
        watch.adopt(moment, false);
        watch
    }

    /// Measures every process of every role, newcomers among them.
    pub(crate) fn look(&mut self, moment: Moment, look: Look) -> Looked {
        self.adopt(moment, true);
        let mut readings: BTreeMap<&str, Vec<ProcessReading>> = BTreeMap::new();
        let mut gone = Vec::new();
        let series = Arc::clone(&self.series);
        let mut series = lock(&series);
        for (&id, tracked) in &mut self.tracked {
            match self.source.read(id) {
                Ok(reading) => {
                    let cpu_percent = tracked.cpu_percent(moment.at, &reading, look);
                    let who = (tracked.role.as_str(), tracked.info.name.as_str(), id, tracked.is_root);
                    let at_tick = (look == Look::Tick).then_some(cpu_percent);
                    self.tallies.add(who, moment.at, &reading, at_tick);
                    series.push_process(id, moment.at, reading.rss_bytes);
                    readings.entry(&tracked.role).or_default().push(tracked.reading(&reading, cpu_percent));
                }
                Err(ReadError::Gone) => gone.push(id),
                // The end that follows will be told, or seen at the next look.
                Err(ReadError::Exiting) => {}
                Err(error) => {
                    self.failed_reads += 1;
                    if self.told.insert(id) {
                        tracing::warn!(
                            pid = id.pid,
                            role = tracked.role,
                            "cannot measure a process: {error}"
                        );
                    }
                }
            }
        }
        let mut roles = BTreeMap::new();
        for (name, role) in &mut self.roles {
            let reading = RoleReading::new(readings.remove(name.as_str()).unwrap_or_default());
            series.push_role(name, moment.at, reading.rss_bytes);
            role.summary.rss_max_bytes = role.summary.rss_max_bytes.max(reading.rss_bytes);
            roles.insert(name.clone(), reading);
        }
        Looked { roles, gone }
    }

    /// A process has ended.
    pub(crate) fn ended(&mut self, id: ProcessId, how: ExitKind, moment: Moment) {
        let Some(tracked) = self.tracked.remove(&id) else { return };
        self.source.untrack(id);
        self.told.remove(&id);
        self.tallies.ended(id, tracked.is_root);
        lock(&self.series).ended(id);
        if tracked.is_root {
            self.search.root_ended(moment.at);
            if let Some(role) = self.roles.get_mut(&tracked.role) {
                role.summary.roots_exited += 1;
            }
        }
        self.events.push(tracked.event(moment, EventKind::Exited { how }));
    }

    /// Starts tracking; false if the process was gone before that.
    fn track(&mut self, role: &str, info: ProcessInfo, is_root: bool) -> bool {
        let id = info.id;
        match self.source.track(id) {
            Ok(()) => {}
            Err(ReadError::Gone | ReadError::Exiting) => return false,
            Err(error) => tracing::warn!(pid = id.pid, role, "cannot measure a process: {error}"),
        }
        self.fresh.push(id);
        self.tracked.insert(id, Tracked { role: role.to_string(), info, is_root, mark: None });
        true
    }

    fn appeared(&mut self, id: ProcessId, moment: Moment) {
        let Some(tracked) = self.tracked.get(&id) else { return };
        let cmdline = tracked.info.command_line();
        self.events.push(tracked.event(moment, EventKind::Appeared { cmdline }));
    }

    /// What has happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<ProcessEvent> {
        std::mem::take(&mut self.events)
    }

    /// The processes that are tracked since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<ProcessId> {
        std::mem::take(&mut self.fresh)
    }

    /// The memory of the machine.
    pub(crate) fn machine(&mut self) -> std::io::Result<Machine> {
        self.source.machine()
    }

    /// Role summaries, the tallies of the processes, and the failed readings.
    pub(crate) fn totals(&self) -> (BTreeMap<String, RoleSummary>, &Tallies, u64) {
        let roles = self.roles.iter().map(|(name, role)| (name.clone(), role.summary.clone())).collect();
        (roles, &self.tallies, self.failed_reads)
    }
}

impl Tracked {
    /// CPU use since the last tick, in percent of one core.
    fn cpu_percent(&mut self, at: Instant, reading: &Reading, look: Look) -> f64 {
        let percent = match self.mark {
            None => 0.0,
            Some((then, cpu_seconds)) => {
                let elapsed = (at - then).as_secs_f64();
                if elapsed < SHORTEST_CPU_SPAN_S {
                    return 0.0;
                }
                (reading.cpu_seconds - cpu_seconds).max(0.0) / elapsed * 100.0
            }
        };
        if look == Look::Tick || self.mark.is_none() {
            self.mark = Some((at, reading.cpu_seconds));
        }
        percent
    }

    fn reading(&self, reading: &Reading, cpu_percent: f64) -> ProcessReading {
        ProcessReading {
            id: self.info.id,
            name: self.info.name.clone(),
            is_root: self.is_root,
            rss_bytes: reading.rss_bytes,
            cpu_seconds: reading.cpu_seconds,
            cpu_percent,
            threads: reading.threads,
        }
    }

    fn event(&self, moment: Moment, kind: EventKind) -> ProcessEvent {
        ProcessEvent {
            at: moment.timestamp,
            role: self.role.clone(),
            id: self.info.id,
            name: self.info.name.clone(),
            is_root: self.is_root,
            kind,
        }
    }
}

/// A thread that panicked while it held the series leaves them readable.
pub(crate) fn lock(series: &Mutex<Series>) -> MutexGuard<'_, Series> {
    series.lock().unwrap_or_else(PoisonError::into_inner)
}
