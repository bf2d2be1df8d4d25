//! A fresh measurement of every role.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::process::{Details, ProcessId};
use crate::record::{Footprint, GpuUnread};

/// Every role, measured at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When, on the clock that durations are taken from.
    pub at: Instant,
    /// When, on the calendar.
    pub timestamp: jiff::Timestamp,
    /// Every role of the sampler, including one without a live process.
    pub roles: BTreeMap<String, RoleReading>,
    /// The memory that the machine can give without swapping, in bytes.
    pub available_memory_bytes: u64,
    /// All memory of the machine, in bytes.
    pub total_memory_bytes: u64,
}

/// The tree of one role.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoleReading {
    /// Resident memory of all its processes, in bytes; `None` if none is
    /// alive, or if a live one could not be read. A page that two processes
    /// share counts in both.
    pub rss_bytes: Option<u64>,
    /// The number of live processes that could not be read. If there are any, there is no sum.
    pub unread: usize,
    /// CPU time, user and system, that its processes have used since the sampler
    /// started, in seconds, including processes that have ended.
    pub cpu_seconds: f64,
    /// Its live processes, roots first, by pid.
    pub processes: Vec<ProcessReading>,
    /// How old the oldest of the readings is, in seconds: more than 0 where a source passes on what another has read.
    pub age_s: f64,
}

/// The footprint of one role's tree at the boundary of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// Its sums; figures that could not be read are absent.
    pub footprint: Footprint,
    /// The highest RSS that any one of its processes ever had, in bytes, where known.
    pub peak_bytes: Option<u64>,
    /// Whether the PSS was read.
    pub pss: Pss,
    /// Why its GPU memory is unknown, if it is.
    pub gpu_unread: Option<GpuUnread>,
    /// Its live processes, roots first, each with its details.
    pub processes: Vec<(ProcessReading, Details)>,
}

/// Whether the PSS of a tree was read, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pss {
    /// It was read.
    Read,
    /// It was not asked for, no process is alive, or the system does not report it.
    Unread,
    /// Reading it would have stalled the processes for longer than the budget.
    TooExpensive {
        /// The estimated stall, in seconds.
        estimate_s: f64,
    },
}

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessReading {
    /// Its identity.
    pub id: ProcessId,
    /// Its name.
    pub name: Arc<str>,
    /// True if it matches the role itself, false for a descendant.
    pub is_root: bool,
    /// Resident memory, in bytes; never 0.
    pub rss_bytes: u64,
    /// Private resident memory, in bytes, where known.
    pub private_bytes: Option<u64>,
    /// CPU time so far, user and system, in seconds; 0 where it is not known.
    pub cpu_seconds: f64,
    /// False where the source does not know CPU time.
    pub knows_cpu: bool,
    /// CPU use since the last tick, in percent of one core; if ticks are less than 0.1 s apart,
    /// since the last tick that is at least 0.1 s ago.
    pub cpu_percent: f64,
    /// Number of threads, where known.
    pub threads: Option<u32>,
}

impl RoleReading {
    /// A role's reading from the readings of its processes, the number of processes
    /// that could not be read, and the CPU time of all of them.
    pub(crate) fn new(mut processes: Vec<ProcessReading>, unread: usize, cpu_seconds: f64) -> RoleReading {
        processes.sort_by_key(|process| (!process.is_root, process.id));
        let sum = processes.iter().map(|process| process.rss_bytes).reduce(|sum, rss| sum + rss);
        RoleReading { rss_bytes: sum.filter(|_| unread == 0), unread, cpu_seconds, processes, age_s: 0.0 }
    }
}
