//! What a search knows beside the list of processes.
//!
//! Plain data: it is gathered in [`super::gather`], only as far as the roles
//! ask for it, and written down in tests.

use std::collections::BTreeMap;

use super::rq::RqWorker;
use crate::sampler::process::{Clock, ProcessFacts};

/// Facts that the list of processes does not hold. What no role asks for is empty.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Executables, control groups and listeners.
    pub facts: ProcessFacts,
    /// The pid in each pidfile, or why it cannot be had.
    pub pidfiles: BTreeMap<String, Result<u32, String>>,
    /// The workers in RQ's registry by (URL, queue), or why it cannot be read.
    pub registries: BTreeMap<(String, String), Result<Vec<RqWorker>, String>>,
    /// What this machine calls itself.
    pub hostname: String,
    /// The clock that start times are on, where the system tells.
    pub clock: Option<Clock>,
}
