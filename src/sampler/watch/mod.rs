//! The sampler's knowledge of its processes: who is tracked, in which role,
//! what they measured last.
//!
//! It knows no thread, no channel and no clock: the moment is handed in, and
//! what happened lies in [`Watch::take_events`].

mod adopt;
mod boundary;
mod peaks;
mod search;
#[cfg(test)]
mod tests;
mod tracked;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::adopt::Adoption;
use self::boundary::PssCost;
use self::peaks::grows_fast;
use self::search::Search;
use self::tracked::Tracked;
use super::event::{EventKind, ProcessEvent};
use super::find::Found;
use super::find::gather::Gatherer;
use super::process::{MachineMemory, ProcessId, ProcessInfo, ProcessSource, ReadError, Wanted};
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
    /// Somebody asks what is now: all that a reading has, as fresh as can be.
    Asked,
    /// In between, for the memory alone.
    Between,
}

/// What a look saw.
pub(crate) struct Looked {
    /// Every role, also one that nobody plays.
    pub(crate) roles: BTreeMap<String, RoleReading>,
    /// Processes that have ended without our having been told yet: the caller
    /// finds out how, and calls [`Watch::ended`].
    pub(crate) gone: Vec<ProcessId>,
    /// The memory of a role is on its way up: the next look should be soon.
    pub(crate) rising: bool,
}

/// What a look saw of one role so far.
#[derive(Default)]
struct Seen {
    readings: Vec<ProcessReading>,
    unread: usize,
    /// CPU time that its processes have used.
    cpu_s: f64,
    /// By how much more one of its processes was for a moment, in bytes.
    excess: u64,
}

/// The processes of all roles.
pub(crate) struct Watch {
    source: Box<dyn ProcessSource>,
    own_pid: u32,
    began: Instant,
    roles: BTreeMap<String, Role>,
    tracked: BTreeMap<ProcessId, Tracked>,
    series: Arc<Mutex<Series>>,
    tallies: Tallies,
    adoption: Adoption,
    search: Search,
    gatherer: Gatherer,
    events: Vec<ProcessEvent>,
    fresh: Vec<ProcessId>,
    failed_reads: u64,
    pss_cost: PssCost,
    /// A task is in flight: peaks between the looks are asked for.
    busy: bool,
    /// Processes whose failure to be read has been told.
    told: HashSet<ProcessId>,
}

struct Role {
    plan: ProcessPlan,
    summary: RoleSummary,
    last_rss_bytes: Option<u64>,
    /// CPU time of processes that have ended, as far as no other one is charged with it.
    ended_cpu_s: f64,
}

impl Watch {
    /// Tracks what `found` holds, and its descendants.
    pub(crate) fn new(
        source: Box<dyn ProcessSource>,
        found: &Found,
        series: Arc<Mutex<Series>>,
        own_pid: u32,
        moment: Moment,
    ) -> Watch {
        let mut source = source;
        let tells_changes = matches!(source.changes(), Ok(Some(_)));
        let role = |plan: &ProcessPlan| Role {
            plan: plan.clone(),
            summary: RoleSummary::default(),
            last_rss_bytes: None,
            ended_cpu_s: 0.0,
        };
        let mut watch = Watch {
            source,
            own_pid,
            began: moment.at,
            roles: found.roles.iter().map(|(name, found)| (name.clone(), role(&found.plan))).collect(),
            tracked: BTreeMap::new(),
            series,
            tallies: Tallies::default(),
            adoption: Adoption::default(),
            search: Search::new(moment.at, tells_changes),
            gatherer: Gatherer::default(),
            events: Vec::new(),
            fresh: Vec::new(),
            failed_reads: 0,
            pss_cost: PssCost::default(),
            busy: false,
            told: HashSet::new(),
        };
        for (role, found) in &found.roles {
            for root in &found.roots {
                watch.track(role, root.clone(), true, moment.at);
            }
        }
        watch.adopt(moment, false);
        watch
    }

    /// Measures every process of every role, newcomers among them.
    pub(crate) fn look(&mut self, moment: Moment, look: Look) -> Looked {
        self.adopt(moment, true);
        let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
        let mut gone = Vec::new();
        let series = Arc::clone(&self.series);
        let mut series = lock(&series);
        for (&id, tracked) in &mut self.tracked {
            let fresh = tracked.wants_all(moment.at, look);
            match tracked.read(&mut *self.source, Wanted { cpu: fresh, peak: self.busy }) {
                Ok(reading) => {
                    let cpu_percent = tracked.cpu_percent(moment.at, fresh, look);
                    let excess = match self.busy {
                        true => tracked.high.excess(reading.peak_bytes, reading.rss_bytes),
                        false => 0,
                    };
                    let who = (tracked.role.as_str(), tracked.info.name.as_str(), id, tracked.is_root);
                    let at_tick = (look == Look::Tick).then_some(cpu_percent);
                    let cpu = fresh.then_some((tracked.cpu_seconds(), at_tick));
                    self.tallies.add(who, moment.at, reading.rss_bytes, excess, cpu);
                    series.push_process(id, moment.at, reading.rss_bytes, excess);
                    let seen = seen.entry(&tracked.role).or_default();
                    seen.excess = excess.max(seen.excess);
                    seen.readings.push(tracked.reading(&reading, cpu_percent));
                }
                Err(ReadError::Gone) => gone.push(id),
                // The end that follows will be told, or seen at the next look.
                Err(ReadError::Exiting) => {}
                Err(error) => {
                    self.failed_reads += 1;
                    seen.entry(&tracked.role).or_default().unread += 1;
                    if self.told.insert(id) {
                        tracing::warn!(
                            pid = id.pid,
                            role = tracked.role,
                            "cannot measure a process: {error}"
                        );
                    }
                }
            }
            seen.entry(&tracked.role).or_default().cpu_s += tracked.used_s();
        }
        let mut roles = BTreeMap::new();
        let mut rising = false;
        for (name, role) in &mut self.roles {
            let Seen { readings, unread, cpu_s, excess } = seen.remove(name.as_str()).unwrap_or_default();
            let reading = RoleReading::new(readings, unread, role.ended_cpu_s + cpu_s);
            series.push_role(name, moment.at, reading.rss_bytes, excess);
            let highest = reading.rss_bytes.map(|rss| rss + excess);
            role.summary.rss_max_bytes = role.summary.rss_max_bytes.max(highest);
            rising |= grows_fast(role.last_rss_bytes, reading.rss_bytes);
            role.last_rss_bytes = reading.rss_bytes;
            roles.insert(name.clone(), reading);
        }
        Looked { roles, gone, rising }
    }

    /// A process has ended.
    pub(crate) fn ended(&mut self, id: ProcessId, how: ExitKind, moment: Moment) {
        let Some(tracked) = self.tracked.remove(&id) else { return };
        self.source.untrack(id);
        self.told.remove(&id);
        self.tallies.died(id, how, moment.at);
        self.tallies.ended(id, tracked.is_root);
        lock(&self.series).ended(id);
        if let Some(role) = self.roles.get_mut(&tracked.role) {
            // A parent that waits for its child is charged with all that the child used.
            let reaped = self.tracked.keys().any(|other| other.pid == tracked.info.parent);
            role.ended_cpu_s += if reaped { -tracked.used_before_s() } else { tracked.used_s() };
        }
        if tracked.is_root {
            self.search.root_ended(moment.at);
            if let Some(role) = self.roles.get_mut(&tracked.role) {
                role.summary.roots_exited += 1;
            }
        }
        self.events.push(tracked.event(moment, EventKind::Exited { how }));
    }

    /// Starts tracking; false if the process was gone before that.
    fn track(&mut self, role: &str, info: ProcessInfo, is_root: bool, seen: Instant) -> bool {
        let id = info.id;
        match self.source.track(id) {
            Ok(()) => {}
            Err(ReadError::Gone | ReadError::Exiting) => return false,
            Err(error) => tracing::warn!(pid = id.pid, role, "cannot measure a process: {error}"),
        }
        let age_s = self.source.clock().map_or(0.0, |clock| clock.age_s(id));
        self.tallies.met(&info, seen, age_s);
        self.fresh.push(id);
        let is_new = self.source.clock().is_some() && age_s < (seen - self.began).as_secs_f64();
        self.tracked.insert(id, Tracked::new(role, info, is_root, is_new));
        true
    }

    fn appeared(&mut self, id: ProcessId, moment: Moment) {
        let Some(tracked) = self.tracked.get(&id) else { return };
        let (cmdline, parent) = (tracked.info.command_line(), tracked.info.parent);
        self.events.push(tracked.event(moment, EventKind::Appeared { cmdline, parent }));
    }

    /// The processes that are tracked because an ancestor is, by role.
    pub(crate) fn descendants(&self) -> BTreeMap<String, Vec<ProcessInfo>> {
        let mut found: BTreeMap<String, Vec<ProcessInfo>> = BTreeMap::new();
        for tracked in self.tracked.values().filter(|tracked| !tracked.is_root) {
            found.entry(tracked.role.clone()).or_default().push(tracked.info.clone());
        }
        found
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
    pub(crate) fn machine(&mut self) -> std::io::Result<MachineMemory> {
        self.source.machine()
    }

    /// Role summaries, the tallies of the processes, and the failed readings.
    pub(crate) fn totals(&self) -> (BTreeMap<String, RoleSummary>, &Tallies, u64) {
        let roles = self.roles.iter().map(|(name, role)| (name.clone(), role.summary.clone())).collect();
        (roles, &self.tallies, self.failed_reads)
    }
}

/// A thread that panicked while it held the series leaves them readable.
pub(crate) fn lock(series: &Mutex<Series>) -> MutexGuard<'_, Series> {
    series.lock().unwrap_or_else(PoisonError::into_inner)
}
