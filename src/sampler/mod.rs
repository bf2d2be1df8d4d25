//! The sampler: finds the processes of each role and measures them from outside.
//!
//! One std thread ([`Sampler`]) owns the [`ProcessSource`], writes the CSV at
//! each tick, keeps a bounded series in memory and learns of the end of a
//! process at once. The rest of highwater talks to it through a [`SamplerClient`].
//!
//! A role is a tree: its *roots* are the processes that match the role's
//! patterns (or its explicit pid), and every descendant of a root belongs to
//! it. A process is (pid, start time), see [`ProcessId`]. The end of a process is an
//! exit, and never a reading of 0 bytes.
//!
//! It is a thread and not a tokio task because a task dies with its runtime,
//! and each test has a runtime of its own.

mod allowance;
pub mod anatomy;
mod client;
mod counters;
mod cpu;
mod csv;
mod elsewhere;
#[cfg(all(test, feature = "cli", feature = "remote"))]
pub(crate) use elsewhere::read_exposition;
#[cfg(feature = "cli")]
pub(crate) use elsewhere::{Nearby, nearby_containers, nearby_metrics};
mod event;
mod find;
mod gpu;
mod lateness;
mod process;
mod run;
mod seen;
mod series;
mod snapshot;
pub mod source;
mod start;
mod summary;
pub(crate) mod tally;
mod ticker;
mod wait;
mod watch;

pub use client::SamplerClient;
pub(crate) use counters::Counters;
pub use csv::HEADER as CSV_HEADER;
pub use event::{EventKind, ProcessEvent};
pub(crate) use find::silent_redis;
pub use find::{Candidate, Found, NearMiss, RoleFound, RqWorker, SearchEvidence, find, find_processes};
pub use process::{
    Clock, CpuTime, Details, MachineMemory, Newborns, ProcessFacts, ProcessId, ProcessInfo, ProcessSource,
    Proportional, Question, ReadError, Reading, Wanted,
};
pub use snapshot::{Boundary, ProcessReading, Pss, RoleReading, Snapshot};
pub use source::default_source;
pub use start::{Sampler, SamplerOptions};
pub use summary::{ProcessSummary, RoleSummary, SamplerSummary};
pub use ticker::Ticker;

use std::collections::BTreeMap;

use crate::Result;
use crate::plan::ProcessPlan;

/// The source for these roles: that of this machine, and what has the figures of processes elsewhere.
///
/// # Errors
/// Those of [`default_source`]; [`crate::ErrorKind::Config`] for figures that cannot be asked for.
pub fn source_of(roles: &BTreeMap<String, ProcessPlan>) -> Result<Box<dyn ProcessSource>> {
    elsewhere::Elsewhere::over(default_source()?, roles)
}
