//! A fresh measurement of every role.

use std::collections::BTreeMap;
use std::time::Instant;

use super::process::ProcessId;

/// Every role, measured at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When, on the clock that durations are taken from.
    pub at: Instant,
    /// When, on the calendar.
    pub timestamp: jiff::Timestamp,
    /// Every role of the sampler, also one that nobody plays at the moment.
    pub roles: BTreeMap<String, RoleReading>,
    /// What the machine has left without swapping, in bytes.
    pub available_memory_bytes: u64,
    /// All memory of the machine, in bytes.
    pub total_memory_bytes: u64,
}

/// The tree of one role.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoleReading {
    /// Resident memory of all its processes, in bytes; `None` if none is
    /// alive. Pages that two processes share count in both.
    pub rss_bytes: Option<u64>,
    /// Its processes that are alive, roots first, by pid.
    pub processes: Vec<ProcessReading>,
}

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessReading {
    /// Which.
    pub id: ProcessId,
    /// Its name.
    pub name: String,
    /// True if it matches the role itself, false for a descendant.
    pub is_root: bool,
    /// Resident memory, in bytes; never 0.
    pub rss_bytes: u64,
    /// CPU time so far, user and system, in seconds.
    pub cpu_seconds: f64,
    /// CPU use since its sample at the last tick, in percent of one core.
    pub cpu_percent: f64,
    /// Number of threads, where known.
    pub threads: Option<u32>,
}

impl RoleReading {
    /// A role's reading from those of its processes.
    pub(crate) fn new(mut processes: Vec<ProcessReading>) -> RoleReading {
        processes.sort_by_key(|process| (!process.is_root, process.id));
        let rss_bytes = processes.iter().map(|process| process.rss_bytes).reduce(|sum, rss| sum + rss);
        RoleReading { rss_bytes, processes }
    }
}
