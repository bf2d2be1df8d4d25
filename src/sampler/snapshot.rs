//! A fresh measurement of every role.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::process::{Details, ProcessId};
use crate::record::Footprint;

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
    /// alive, or if one that is could not be read. Pages that two processes
    /// share count in both.
    pub rss_bytes: Option<u64>,
    /// Processes that are alive and could not be read: no sum leaves them out.
    pub unread: usize,
    /// CPU time, user and system, that its processes used since the sampler
    /// started, in seconds; what its children used that have ended among it.
    pub cpu_seconds: f64,
    /// Its processes that are alive, roots first, by pid.
    pub processes: Vec<ProcessReading>,
}

/// What the tree of one role holds at the boundary of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// Its sums; figures that could not be read are absent.
    pub footprint: Footprint,
    /// The highest RSS that any one of its processes ever had, in bytes, where known.
    pub peak_bytes: Option<u64>,
    /// Whether the PSS was read.
    pub pss: Pss,
    /// Its processes that are alive, roots first, each with what it holds.
    pub processes: Vec<(ProcessReading, Details)>,
}

/// Whether the PSS of a tree was read, and why not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pss {
    /// It was.
    Read,
    /// It was not asked for, nobody is alive, or the system does not tell.
    Unread,
    /// Reading it would have stalled the processes for longer than the budget.
    TooDear {
        /// For how long, in seconds, by estimate.
        estimate_s: f64,
    },
}

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessReading {
    /// Which.
    pub id: ProcessId,
    /// Its name.
    pub name: Arc<str>,
    /// True if it matches the role itself, false for a descendant.
    pub is_root: bool,
    /// Resident memory, in bytes; never 0.
    pub rss_bytes: u64,
    /// Private resident memory, in bytes, where known.
    pub private_bytes: Option<u64>,
    /// CPU time so far, user and system, in seconds.
    pub cpu_seconds: f64,
    /// CPU use since its sample at the last tick, in percent of one core; where ticks
    /// follow in less than 0.1 s, since the last of them that is so long ago.
    pub cpu_percent: f64,
    /// Number of threads, where known.
    pub threads: Option<u32>,
}

impl RoleReading {
    /// A role's reading from those of its processes, the number of those
    /// that could not be read, and what all of them have used.
    pub(crate) fn new(mut processes: Vec<ProcessReading>, unread: usize, cpu_seconds: f64) -> RoleReading {
        processes.sort_by_key(|process| (!process.is_root, process.id));
        let sum = processes.iter().map(|process| process.rss_bytes).reduce(|sum, rss| sum + rss);
        RoleReading { rss_bytes: sum.filter(|_| unread == 0), unread, cpu_seconds, processes }
    }
}
