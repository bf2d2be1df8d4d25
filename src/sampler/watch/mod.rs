//! The processes that the sampler tracks: their roles and their last measurements.
//!
//! No thread, no channel and no clock here: the caller passes the moment in, and
//! fetches what happened with [`Watch::take_events`].

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
use super::series::MemorySeries;
use super::snapshot::{ProcessReading, RoleReading};
use super::summary::{RoleSummary, Tallies};
use crate::plan::ProcessPlan;
use crate::record::ExitKind;

/// A moment, on the monotonic clock and in the calendar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timepoint {
    pub(crate) at: Instant,
    pub(crate) timestamp: jiff::Timestamp,
}

impl Timepoint {
    /// Now.
    pub(crate) fn now() -> Timepoint {
        Timepoint { at: Instant::now(), timestamp: jiff::Timestamp::now() }
    }
}

/// The purpose of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// A row of the CSV: CPU use counts from one of these to the next.
    Tick,
    /// A client asks for the present: all figures, freshly read.
    Asked,
    /// A look between ticks, for memory alone.
    Between,
}

/// The result of a look.
pub(crate) struct Looked {
    /// Every role, including one without a live process.
    pub(crate) roles: BTreeMap<String, RoleReading>,
    /// Processes that have ended before their end was reported: the caller finds out how
    /// they ended, and calls [`Watch::ended`].
    pub(crate) gone: Vec<ProcessId>,
    /// The memory of a role is rising fast: the next look should come soon.
    pub(crate) rising: bool,
}

/// The part of a look that belongs to one role.
#[derive(Default)]
struct Seen {
    readings: Vec<ProcessReading>,
    unread: usize,
    /// CPU time used by its processes.
    cpu_s: f64,
    /// How far one of its processes rose above its reading for a moment, in bytes.
    excess: u64,
    /// The age of its oldest reading.
    age_s: f64,
}

/// The processes of all roles.
pub(crate) struct Watch {
    source: Box<dyn ProcessSource>,
    own_pid: u32,
    began: Instant,
    roles: BTreeMap<String, Role>,
    tracked: BTreeMap<ProcessId, Tracked>,
    series: Arc<Mutex<MemorySeries>>,
    tallies: Tallies,
    adoption: Adoption,
    search: Search,
    gatherer: Gatherer,
    events: Vec<ProcessEvent>,
    fresh: Vec<ProcessId>,
    failed_reads: u64,
    pss_cost: PssCost,
    /// A task is in flight: peaks between looks count.
    busy: bool,
    /// Unreadable processes that have been warned about.
    warned: HashSet<ProcessId>,
}

struct Role {
    plan: ProcessPlan,
    summary: RoleSummary,
    last_rss_bytes: Option<u64>,
    /// The current number of ticks in a row at which a live process of the role could not be read.
    unread_in_a_row: u64,
    /// CPU time of ended processes that is not included in the time of a live parent.
    ended_cpu_s: f64,
}

impl Watch {
    /// Tracks the processes in `found`, and their descendants.
    pub(crate) fn new(
        source: Box<dyn ProcessSource>,
        found: &Found,
        series: Arc<Mutex<MemorySeries>>,
        own_pid: u32,
        moment: Timepoint,
    ) -> Watch {
        let mut source = source;
        let tells_changes = matches!(source.changes(), Ok(Some(_)));
        let role = |plan: &ProcessPlan| Role {
            plan: plan.clone(),
            summary: RoleSummary::default(),
            last_rss_bytes: None,
            unread_in_a_row: 0,
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
            warned: HashSet::new(),
        };
        for (role, found) in &found.roles {
            for root in &found.roots {
                watch.track(role, root.clone(), true, moment.at);
            }
        }
        watch.adopt(moment, false);
        watch
    }

    /// Measures every process of every role, after adopting new descendants.
    pub(crate) fn look(&mut self, moment: Timepoint, look: Look) -> Looked {
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
                    if id.is_elsewhere() {
                        seen.age_s = self.source.age_s(id).max(seen.age_s);
                    }
                    seen.readings.push(tracked.reading(&reading, cpu_percent));
                }
                Err(ReadError::Gone) => gone.push(id),
                // Its end will be reported, or seen at the next look.
                Err(ReadError::Exiting) => {}
                Err(error) => {
                    self.failed_reads += 1;
                    seen.entry(&tracked.role).or_default().unread += 1;
                    if self.warned.insert(id) {
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
            let Seen { readings, unread, cpu_s, excess, age_s } =
                seen.remove(name.as_str()).unwrap_or_default();
            if look == Look::Tick {
                let alive = readings.len() + unread;
                role.summary.sampling.count(alive, unread, &mut role.unread_in_a_row);
            }
            let reading =
                RoleReading { age_s, ..RoleReading::new(readings, unread, role.ended_cpu_s + cpu_s) };
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
    pub(crate) fn ended(&mut self, id: ProcessId, how: ExitKind, moment: Timepoint) {
        let Some(tracked) = self.tracked.remove(&id) else { return };
        let how = match how {
            ExitKind::Unknown => self.source.how_ended(id).unwrap_or(how),
            how => how,
        };
        self.source.untrack(id);
        self.warned.remove(&id);
        self.tallies.died(id, how, moment.at);
        self.tallies.ended(id, tracked.is_root);
        lock(&self.series).ended(id);
        if let Some(role) = self.roles.get_mut(&tracked.role) {
            // A parent that reaps its child is charged with all of the child's CPU time.
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

    /// Starts tracking; false if the process has ended.
    fn track(&mut self, role: &str, info: ProcessInfo, is_root: bool, seen: Instant) -> bool {
        let id = info.id;
        match self.source.track(id) {
            Ok(()) => {}
            Err(ReadError::Gone | ReadError::Exiting) => return false,
            Err(error) => tracing::warn!(pid = id.pid, role, "cannot measure a process: {error}"),
        }
        // The start of a process elsewhere is on another clock.
        let clock = self.source.clock().filter(|_| !id.is_elsewhere());
        let age_s = clock.map_or(0.0, |clock| clock.age_s(id));
        self.tallies.tracked(&info, seen, age_s);
        self.fresh.push(id);
        let is_new = match id.is_elsewhere() {
            true => seen > self.began,
            false => clock.is_some() && age_s < (seen - self.began).as_secs_f64(),
        };
        self.tracked.insert(id, Tracked::new(role, info, is_root, is_new));
        true
    }

    fn appeared(&mut self, id: ProcessId, moment: Timepoint) {
        let Some(tracked) = self.tracked.get(&id) else { return };
        let (cmdline, parent) = (tracked.info.command_line(), tracked.info.parent);
        self.events.push(tracked.event(moment, EventKind::Appeared { cmdline, parent }));
    }

    /// The processes that are tracked because an ancestor of theirs is, by role.
    pub(crate) fn descendants(&self) -> BTreeMap<String, Vec<ProcessInfo>> {
        let mut found: BTreeMap<String, Vec<ProcessInfo>> = BTreeMap::new();
        for tracked in self.tracked.values().filter(|tracked| !tracked.is_root) {
            found.entry(tracked.role.clone()).or_default().push(tracked.info.clone());
        }
        found
    }

    /// The events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<ProcessEvent> {
        std::mem::take(&mut self.events)
    }

    /// The processes whose tracking began since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<ProcessId> {
        std::mem::take(&mut self.fresh)
    }

    /// The machine's memory.
    pub(crate) fn machine(&mut self) -> std::io::Result<MachineMemory> {
        self.source.machine()
    }

    /// The summaries of the roles, the tallies of the processes, and the number of failed readings.
    pub(crate) fn totals(&self) -> (BTreeMap<String, RoleSummary>, &Tallies, u64) {
        let roles = self.roles.iter().map(|(name, role)| (name.clone(), role.summary.clone())).collect();
        (roles, &self.tallies, self.failed_reads)
    }
}

/// Locks the series, which stay readable after a thread panicked with the lock.
pub(crate) fn lock(series: &Mutex<MemorySeries>) -> MutexGuard<'_, MemorySeries> {
    series.lock().unwrap_or_else(PoisonError::into_inner)
}
