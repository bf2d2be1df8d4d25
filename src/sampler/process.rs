//! What a process is to the sampler, and the trait that reads one.

use std::collections::BTreeMap;
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

/// Relates the start times of processes to the calendar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// When the machine started, in seconds since 1970.
    pub booted_at_s: f64,
    /// Ticks of [`ProcessId::start_ticks`] in a second.
    pub ticks_per_second: f64,
    /// Now, in ticks since the machine started.
    pub now_ticks: f64,
}

impl Clock {
    /// How long ago the process started, in seconds.
    pub fn age_s(&self, id: ProcessId) -> f64 {
        ((self.now_ticks - id.start_ticks as f64) / self.ticks_per_second).max(0.0)
    }

    /// When the process started, in seconds since 1970.
    pub fn started_at_s(&self, id: ProcessId) -> f64 {
        self.booted_at_s + id.start_ticks as f64 / self.ticks_per_second
    }
}

/// One measurement of one process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Resident memory in bytes, shared pages included. Never 0: a process
    /// without memory is [`ReadError::Exiting`].
    pub rss_bytes: u64,
    /// Resident memory that no file stands behind and that nobody shares by design
    /// (`resident` − `shared` of statm on Linux), in bytes; what is swapped out is
    /// not in it. `None` where the system does not tell it cheaply.
    pub private_bytes: Option<u64>,
    /// CPU time so far, user and system, all threads, in seconds. On Linux in
    /// steps of a clock tick (10 ms).
    pub cpu_seconds: f64,
    /// CPU time of its children that have ended and that it has waited for, with that of theirs, in
    /// seconds; 0 where the system does not tell.
    pub reaped_cpu_seconds: f64,
    /// Number of threads, where the system tells it cheaply.
    pub threads: Option<u32>,
}

/// The memory of one process: the part of a [`Reading`] that moves from one moment
/// to the next, and costs a third of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// As [`Reading::rss_bytes`].
    pub rss_bytes: u64,
    /// As [`Reading::private_bytes`].
    pub private_bytes: Option<u64>,
}

impl From<Reading> for Memory {
    fn from(reading: Reading) -> Memory {
        Memory { rss_bytes: reading.rss_bytes, private_bytes: reading.private_bytes }
    }
}

/// A process that was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newborn {
    /// Its pid.
    pub pid: u32,
    /// The pid of its parent.
    pub parent: u32,
}

/// What is read of a process at the boundaries of tasks only, since it costs
/// more than a [`Reading`]. A figure that cannot be had is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Details {
    /// Private memory that is swapped out, in bytes.
    pub swap_bytes: Option<u64>,
    /// The highest RSS since the program began (VmHWM), in bytes.
    pub peak_bytes: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// Children that have ended and that it has not waited for.
    pub zombies: Option<u64>,
}

/// The resident memory of a process with shared pages counted in proportion: a page
/// that n processes share counts 1/n in each of them, so that the sums over a tree
/// count it once. In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proportional {
    /// All of it (`Pss`).
    pub pss_bytes: u64,
    /// What no file stands behind, swapped or not (`Pss_Anon` + `SwapPss`): shared
    /// are the pages from before a fork that neither side has written to since.
    /// `None` where the system does not tell it apart (Linux before 5.9).
    pub anon_bytes: Option<u64>,
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
    /// All processes that are alive; zombies are left out. A source that
    /// remembers may list one that has ended since it was read:
    /// [`ProcessSource::read`] tells, and the next scan knows.
    ///
    /// # Errors
    /// If the list of processes cannot be read at all. A process that ends
    /// during the scan, or that may not be read, is left out silently.
    fn scan(&mut self) -> io::Result<Vec<ProcessInfo>>;

    /// The processes that are new, or have become another program or title,
    /// since the last call of this or of [`ProcessSource::scan`]; `None` from a
    /// source that cannot tell, which costs a scan then.
    ///
    /// # Errors
    /// As [`ProcessSource::scan`].
    fn news(&mut self) -> io::Result<Option<Vec<ProcessInfo>>> {
        Ok(None)
    }

    /// The executable file of `id`; `None` if it may not be read.
    fn exe(&mut self, _id: ProcessId) -> Option<String> {
        None
    }

    /// The control group of `id`, as a path from the root of its hierarchy.
    fn cgroup(&mut self, _id: ProcessId) -> Option<String> {
        None
    }

    /// For each of `ports`, the processes that hold a TCP socket which listens
    /// on it, or why none is known.
    fn listeners(&mut self, ports: &[u16]) -> BTreeMap<u16, Result<Vec<u32>, String>> {
        let unknown = || Err("this system does not tell which process listens on a port".to_string());
        ports.iter().map(|&port| (port, unknown())).collect()
    }

    /// The clock that start times are on; `None` if it is not known.
    fn clock(&mut self) -> Option<Clock> {
        None
    }

    /// The direct children, alive, of any of `parents`.
    fn children(&mut self, parents: &[ProcessId]) -> Vec<ProcessInfo>;

    /// A number that has changed if a process was born anywhere since the last
    /// call; `None` where the system has no such number. It saves looking for
    /// children where there can be no new ones.
    fn births(&mut self) -> Option<u64>;

    /// The processes born since the last call that are alive; `None` if that cannot be
    /// told, or is too much to tell: [`ProcessSource::children`] finds them then.
    fn newborns(&mut self) -> Option<Vec<Newborn>> {
        None
    }

    /// Who has this pid now; `None` for nobody, or where [`ProcessSource::newborns`] is.
    fn identify(&mut self, _pid: u32) -> Option<ProcessInfo> {
        None
    }

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

    /// The memory alone of `id`, tracked or not; cheaper where the system allows it.
    ///
    /// # Errors
    /// As [`ProcessSource::read`]; one that has just ended may be
    /// [`ReadError::Exiting`] until its end is told.
    fn memory(&mut self, id: ProcessId) -> Result<Memory, ReadError> {
        self.read(id).map(Memory::from)
    }

    /// What costs more than a reading. Nothing is known where this is not overridden.
    ///
    /// # Errors
    /// [`ReadError::Gone`] if the process has ended; a single figure that cannot
    /// be had is `None` in the answer.
    fn details(&mut self, _id: ProcessId) -> Result<Details, ReadError> {
        Ok(Details::default())
    }

    /// The highest RSS of `id` since its program began, in bytes: it rises also for
    /// peaks between two readings. Cheap enough for a look while a task is in
    /// flight; `None` where the system has no such figure.
    ///
    /// # Errors
    /// See [`ReadError`].
    fn peak(&mut self, _id: ProcessId) -> Result<Option<u64>, ReadError> {
        Ok(None)
    }

    /// The proportional set size of `id`. `None` where the system has no such figure.
    ///
    /// Reading it walks the page tables of the process, which stands still for
    /// as long (7 to 8 ms per GB on Linux): never to be read on a tick.
    ///
    /// # Errors
    /// See [`ReadError`].
    fn pss(&mut self, _id: ProcessId) -> Result<Option<Proportional>, ReadError> {
        Ok(None)
    }

    /// The memory of the machine now.
    ///
    /// # Errors
    /// If the system does not tell.
    fn machine(&mut self) -> io::Result<Machine>;
}
