//! What a search knows beside the list of processes.
//!
//! Plain data: it is gathered in [`super::gather`], only as far as the roles
//! ask for it, and written down in tests.

use std::collections::{BTreeMap, HashMap};

use super::rq::RqWorker;
use crate::sampler::process::Clock;

/// Facts that the list of processes does not hold. What no role asks for is empty.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The executable of each process, where it may be read.
    pub exe: HashMap<u32, String>,
    /// The control group of each process, as in `/proc/PID/cgroup`.
    pub cgroup: HashMap<u32, String>,
    /// The processes that hold a socket which listens on a port, or why there is none.
    pub listeners: BTreeMap<u16, Result<Vec<u32>, String>>,
    /// The pid in each pidfile, or why it cannot be had.
    pub pidfiles: BTreeMap<String, Result<u32, String>>,
    /// The workers in RQ's registry by (URL, queue), or why it cannot be read.
    pub registries: BTreeMap<(String, String), Result<Vec<RqWorker>, String>>,
    /// What this machine calls itself.
    pub hostname: String,
    /// The clock that start times are on, where the system tells.
    pub clock: Option<Clock>,
}
