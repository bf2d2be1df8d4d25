//! What a process is to the sampler, and the trait that reads one.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// A process: pid and start time, since a pid alone can be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// When it started. Clock ticks since boot on Linux (`starttime` of
    /// proc_pid_stat(5)); elsewhere any number that differs between two
    /// processes that had the same pid. Only compared, never calculated with.
    pub start_ticks: u64,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)
    }
}

/// A process as discovery sees it: who it is, not how big it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its identity.
    pub id: ProcessId,
    /// The pid of its parent; 0 if it has none.
    pub parent: u32,
    /// Its name as psutil's `name()` has it: `comm`, or the whole base name of
    /// the program where `comm` is that name cut off at 15 bytes.
    pub name: String,
    /// Its arguments, the program first. Empty for a kernel thread.
    pub argv: Vec<String>,
}

impl ProcessInfo {
    /// The arguments joined by spaces.
    pub fn command_line(&self) -> String {
        self.argv.join(" ")
    }
}

/// One measurement of one process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Resident memory in bytes, shared pages included. Never 0: a process
    /// without memory is [`ReadError::Exiting`].
    pub rss_bytes: u64,
    /// CPU time so far, user and system, all threads, in seconds. On Linux in
    /// steps of a clock tick (10 ms).
    pub cpu_seconds: f64,
    /// Number of threads, where the system tells it cheaply.
    pub threads: Option<u32>,
}

/// Why a process could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has ended: no such pid, a zombie, or another process has the pid now.
    #[error("the process has ended")]
    Gone,
    /// It has given its memory back and is about to end; the next look will
    /// find it [`ReadError::Gone`].
    #[error("the process is about to end")]
    Exiting,
    /// We may not look at it.
    #[error("not allowed to read the process")]
    Denied,
    /// Anything else, for example an answer that could not be parsed.
    #[error("cannot read the process: {0}")]
    Other(#[from] io::Error),
}

/// Memory of the whole machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// All of it, in bytes.
    pub total_memory_bytes: u64,
    /// What can be had without swapping, in bytes.
    pub available_memory_bytes: u64,
}

/// Where the sampler gets its facts: the one seam between it and the system.
///
/// Only the sampler's thread calls it, hence `Send` and `&mut self`.
pub trait ProcessSource: Send {
    /// All processes that are alive; zombies are left out.
    ///
    /// # Errors
    /// If the list of processes cannot be read at all. A process that ends
    /// during the scan, or that may not be read, is left out silently.
    fn scan(&mut self) -> io::Result<Vec<ProcessInfo>>;

    /// The direct children, alive, of any of `parents`.
    fn children(&mut self, parents: &[ProcessId]) -> Vec<ProcessInfo>;

    /// A number that has changed if a process was born anywhere since the last
    /// call; `None` where the system has no such number. It saves looking for
    /// children where there can be no new ones.
    fn births(&mut self) -> Option<u64>;

    /// Prepares for many readings of `id`, for example by keeping files open.
    ///
    /// # Errors
    /// [`ReadError::Gone`] if the process that has this pid is not `id`.
    fn track(&mut self, id: ProcessId) -> Result<(), ReadError>;

    /// Undoes [`ProcessSource::track`].
    fn untrack(&mut self, id: ProcessId);

    /// Measures `id` now, tracked or not.
    ///
    /// # Errors
    /// See [`ReadError`]; a process that is gone is always
    /// [`ReadError::Gone`], and never a reading of 0 bytes.
    fn read(&mut self, id: ProcessId) -> Result<Reading, ReadError>;

    /// The memory of the machine now.
    ///
    /// # Errors
    /// If the system does not tell.
    fn machine(&mut self) -> io::Result<Machine>;
}
