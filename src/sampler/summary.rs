//! Summaries of what the sampler measured.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::process::{ProcessId, ProcessInfo};
use super::tally::{CpuUse, Extent, Listed};
use crate::record::{ExitKind, RoleSampling};

/// The sampler's work from its start to its stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplerSummary {
    /// Time between two ticks, in seconds.
    pub interval_s: f64,
    /// From start to stop, in seconds.
    pub elapsed_s: f64,
    /// Ticks done.
    pub ticks: u64,
    /// Ticks that were skipped because the tick before came too late.
    pub missed_ticks: u64,
    /// The most of them in a row.
    #[serde(default)]
    pub missed_in_a_row: u64,
    /// Those that were missed while the sampler's own thread was at work.
    #[serde(default)]
    pub overrun_ticks: u64,
    /// Rows in the CSV.
    pub csv_rows: u64,
    /// Ticks whose rows could not be written.
    pub csv_failed_writes: u64,
    /// Why the first of those writes failed.
    pub csv_first_error: Option<String>,
    /// Readings of a live process that failed.
    pub failed_reads: u64,
    /// The roles, each as a whole tree.
    pub roles: BTreeMap<String, RoleSummary>,
    /// The processes, in the order in which they were first measured.
    pub processes: Vec<ProcessSummary>,
    /// The number of ended descendants that are not in `processes`, which is bounded.
    pub unlisted_processes: u64,
}

/// One role as a whole tree.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RoleSummary {
    /// The highest memory of the tree, in bytes; `None` if the role never had a process.
    pub rss_max_bytes: Option<u64>,
    /// Roots that appeared after the start.
    pub roots_appeared: u64,
    /// Roots that ended.
    pub roots_exited: u64,
    /// How many ticks saw it.
    #[serde(default)]
    pub sampling: RoleSampling,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessSummary {
    /// Its role.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: ProcessId,
    /// True if it matches the role itself, false for a descendant.
    pub is_root: bool,
    /// How often it was measured, at ticks and in between.
    pub samples: u64,
    /// The lowest memory, in bytes.
    pub rss_min_bytes: u64,
    /// The highest memory, in bytes.
    pub rss_max_bytes: u64,
    /// The memory at the last measurement, in bytes.
    pub rss_last_bytes: u64,
    /// CPU time from first to last sample over the time between them, in
    /// percent of one core; 0 if there was one sample only.
    pub cpu_mean_percent: f64,
    /// The highest CPU use from one tick to the next, in percent of one core.
    pub cpu_max_percent: f64,
    /// The pid of its parent when it was first seen.
    #[serde(default)]
    pub parent: u32,
    /// Its command line when it was first seen.
    #[serde(default)]
    pub command: String,
    /// Its age when it ended or the sampler stopped, in seconds. Where the system does not
    /// report start times, the age counts from when it was first seen.
    #[serde(default)]
    pub age_s: f64,
    /// How it ended, if it did.
    #[serde(default)]
    pub end: Option<ExitKind>,
}

/// Collects the summaries of processes, a bounded number of them.
#[derive(Default)]
pub(crate) struct Tallies {
    tallies: Listed<Tally>,
    /// The facts about each process other than its readings.
    lives: HashMap<ProcessId, Life>,
}

struct Tally {
    role: String,
    name: String,
    id: ProcessId,
    is_root: bool,
    /// When it was first measured.
    since: Instant,
    rss_bytes: Option<Extent>,
    cpu: Option<CpuUse>,
    cpu_max_percent: f64,
}

struct Life {
    parent: u32,
    command: String,
    /// When it was first seen, and how old it was then, in seconds.
    seen: Instant,
    age_s: f64,
    /// When and how it ended.
    end: Option<(Instant, ExitKind)>,
}

impl Tallies {
    /// Counts a reading; for a moment the process had `excess_bytes` more. `cpu` is its CPU
    /// time in seconds, if that was read, and its CPU use in percent, at ticks.
    pub(crate) fn add(
        &mut self,
        who: (&str, &str, ProcessId, bool),
        at: Instant,
        rss_bytes: u64,
        excess_bytes: u64,
        cpu: Option<(f64, Option<f64>)>,
    ) {
        let (role, name, id, is_root) = who;
        let tally = self.tallies.entry(id, || Tally {
            role: role.to_string(),
            name: name.to_string(),
            id,
            is_root,
            since: at,
            rss_bytes: None,
            cpu: None,
            cpu_max_percent: 0.0,
        });
        Extent::add(&mut tally.rss_bytes, rss_bytes as f64);
        if let Some(extent) = &mut tally.rss_bytes {
            extent.peak((rss_bytes + excess_bytes) as f64);
        }
        let Some((cpu_s, cpu_percent)) = cpu else { return };
        let at_s = (at - tally.since).as_secs_f64();
        match &mut tally.cpu {
            None => tally.cpu = Some(CpuUse::new(at_s, cpu_s)),
            Some(cpu) => drop(cpu.read(at_s, cpu_s)),
        }
        tally.cpu_max_percent = tally.cpu_max_percent.max(cpu_percent.unwrap_or(0.0));
    }

    /// Tracking of a process began at `seen`, when it was `age_s` seconds old.
    pub(crate) fn tracked(&mut self, info: &ProcessInfo, seen: Instant, age_s: f64) {
        let life = Life { parent: info.parent, command: info.command_line(), seen, age_s, end: None };
        self.lives.insert(info.id, life);
    }

    /// A process ended in this way; the sampler learned of it at `at`.
    pub(crate) fn died(&mut self, id: ProcessId, how: ExitKind, at: Instant) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.end = Some((at, how));
        }
    }

    /// The process has ended.
    pub(crate) fn ended(&mut self, id: ProcessId, is_root: bool) {
        if !self.tallies.contains(id) {
            // It ended before it could be measured.
            self.lives.remove(&id);
        }
        if let Some(oldest) = self.tallies.ended(id, is_root) {
            self.lives.remove(&oldest);
        }
    }

    /// The process turned out to belong to another role than the one it was counted under.
    pub(crate) fn moved(&mut self, id: ProcessId, role: &str, is_root: bool) {
        if let Some(tally) = self.tallies.get_mut(id) {
            tally.role = role.to_string();
            tally.is_root = is_root;
        }
    }

    fn summary(&self, tally: &Tally, now: Instant) -> ProcessSummary {
        // A number of bytes is a whole number that a float holds exactly.
        let bytes = |of: fn(&Extent) -> f64| tally.rss_bytes.as_ref().map_or(0.0, of) as u64;
        let mut summary = ProcessSummary {
            role: tally.role.clone(),
            name: tally.name.clone(),
            id: tally.id,
            is_root: tally.is_root,
            samples: tally.rss_bytes.map_or(0, |extent| extent.count()),
            rss_min_bytes: bytes(|extent| extent.min),
            rss_max_bytes: bytes(|extent| extent.max),
            rss_last_bytes: bytes(|extent| extent.last),
            cpu_mean_percent: tally.cpu.and_then(|cpu| cpu.mean_percent).unwrap_or(0.0),
            cpu_max_percent: tally.cpu_max_percent,
            parent: 0,
            command: String::new(),
            age_s: 0.0,
            end: None,
        };
        if let Some(life) = self.lives.get(&summary.id) {
            summary.parent = life.parent;
            summary.command.clone_from(&life.command);
            let until = life.end.map_or(now, |(at, _)| at);
            summary.age_s = life.age_s + until.saturating_duration_since(life.seen).as_secs_f64();
            summary.end = life.end.map(|(_, how)| how);
        }
        summary
    }

    /// The summaries in the order of the first measurement, and the number left out.
    pub(crate) fn finish(&self, now: Instant) -> (Vec<ProcessSummary>, u64) {
        let all = self.tallies.in_order().map(|tally| self.summary(tally, now));
        (all.collect(), self.tallies.unlisted)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sampler::tally::LISTED_ENDED;

    #[test]
    fn a_process_is_summed_up() {
        let start = Instant::now();
        let id = ProcessId { pid: 7, start_ticks: 1 };
        let mut tallies = Tallies::default();
        for (second, rss, cpu, percent) in [
            (0, 200, 1.0, Some(0.0)),
            (1, 900, 2.0, Some(100.0)),
            (2, 100, 2.0, None),
            (4, 300, 3.0, Some(33.3)),
        ] {
            let at = start + Duration::from_secs(second);
            tallies.add(("worker", "python", id, true), at, rss, 0, Some((cpu, percent)));
        }
        let (all, unlisted) = tallies.finish(Instant::now());
        let summary = &all[0];
        assert_eq!((all.len(), unlisted, summary.samples), (1, 0, 4));
        assert_eq!((summary.rss_min_bytes, summary.rss_max_bytes, summary.rss_last_bytes), (100, 900, 300));
        assert_eq!((summary.cpu_mean_percent, summary.cpu_max_percent), (50.0, 100.0));
    }

    #[test]
    fn ended_descendants_are_listed_up_to_a_bound_and_roots_always() {
        let start = Instant::now();
        let mut tallies = Tallies::default();
        for pid in 0..1000 {
            let (id, is_root) = (ProcessId { pid, start_ticks: 1 }, pid < 10);
            tallies.add(("worker", "python", id, is_root), start, 1, 0, Some((0.0, None)));
            tallies.ended(id, is_root);
        }
        let (all, unlisted) = tallies.finish(Instant::now());
        assert_eq!((all.len(), unlisted), (10 + LISTED_ENDED, 990 - LISTED_ENDED as u64));
        assert!(all[..10].iter().all(|summary| summary.is_root));
    }
}
