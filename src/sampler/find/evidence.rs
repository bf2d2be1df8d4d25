//! The knowledge of a search in addition to the list of processes.
//!
//! Plain data: [`super::gather`] collects what the roles ask for, and tests write it down.

use std::collections::{BTreeMap, BTreeSet};

use super::rq::RqWorker;
use crate::sampler::process::{Clock, ProcessFacts};

/// Facts that the list of processes does not contain. Facts that no role asks for are empty.
#[derive(Debug, Clone, Default)]
pub struct SearchEvidence {
    /// Executables, control groups and listeners.
    pub facts: ProcessFacts,
    /// The pid in each pidfile, or why there is none.
    pub pidfiles: BTreeMap<String, Result<u32, String>>,
    /// The workers in RQ's registry by (URL, queue), or why it cannot be read.
    pub registries: BTreeMap<(String, String), Result<Vec<RqWorker>, String>>,
    /// The name of this machine.
    pub hostname: String,
    /// The programs that highwater has started to carry out tasks or to make load.
    pub started: BTreeSet<u32>,
    /// The clock that start times are on, if the system reports it.
    pub clock: Option<Clock>,
}
