//! The sampler's view of a process, and the trait that reads processes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::record::ExitKind;

/// A process: pid and start time, since a pid alone can be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// When it started. Clock ticks since boot on Linux (`starttime` of
    /// proc_pid_stat(5)); elsewhere any number that differs between two
    /// processes that had the same pid. Only for comparing, never for calculating.
    pub start_ticks: u64,
}

impl ProcessId {
    /// The first number that Linux gives to no process (`PID_MAX_LIMIT`): from here on they stand for processes of which
    /// only figures are known.
    pub const FIRST_ELSEWHERE: u32 = crate::record::FIRST_ELSEWHERE;

    /// True for a process whose figures do not come from this machine's `/proc`; its pid is a number of highwater's.
    pub fn is_elsewhere(self) -> bool {
        self.pid >= ProcessId::FIRST_ELSEWHERE
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)
    }
}

/// A process as the search sees it: its identity and its arguments, not its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its identity.
    pub id: ProcessId,
    /// The pid of its parent; 0 if it has none.
    pub parent: u32,
    /// Its name as psutil's `name()` gives it: `comm`, or the whole base name of
    /// the program if `comm` is that name cut off at 15 bytes.
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
    /// The unit of [`ProcessId::start_ticks`], in ticks per second.
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

/// The figures that a reading should have besides memory, which every reading has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// CPU time and threads. They triple the cost of a reading of memory alone.
    pub cpu: bool,
    /// The highest RSS so far.
    pub peak: bool,
}

impl Wanted {
    /// Memory, CPU time and threads.
    pub const CPU: Wanted = Wanted { cpu: true, peak: false };
    /// Memory alone.
    pub const MEMORY: Wanted = Wanted { cpu: false, peak: false };
}

/// One measurement of one process. A source may give more figures than were wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Resident memory in bytes, shared pages included. Never 0: a process
    /// without memory is [`ReadError::Exiting`].
    pub rss_bytes: u64,
    /// Resident memory that is neither backed by a file nor shared by design
    /// (`resident` − `shared` of statm on Linux), in bytes, without swapped pages.
    /// `None` where the system does not report it cheaply.
    pub private_bytes: Option<u64>,
    /// CPU time; present if [`Wanted::cpu`] was set and the source knows it.
    pub cpu: Option<CpuTime>,
    /// Number of threads, where the system reports it cheaply.
    pub threads: Option<u32>,
    /// The highest RSS since the program began, in bytes. It also covers peaks between two
    /// readings. `None` where the system has no such figure or it could not be read.
    pub peak_bytes: Option<u64>,
}

/// CPU time of a process, user and system, in seconds. On Linux in steps of a clock tick (10 ms).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CpuTime {
    /// Used by all its threads so far.
    pub own_s: f64,
    /// Used by children that have ended and that it has waited for, and by theirs;
    /// 0 where the system does not report it.
    pub reaped_s: f64,
}

/// The processes that were born since they were last asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Newborns {
    /// These, each after its parent.
    Known(Vec<ProcessInfo>),
    /// Too many to look at one by one, or this is the first time:
    /// [`ProcessSource::children`] finds them.
    Many,
    /// This source cannot tell; [`ProcessSource::children`] finds them.
    Unknown,
}

/// A search's question about processes, beyond the list of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// Ask for the executable of each process.
    pub exe: bool,
    /// Ask for the control group of each process.
    pub cgroup: bool,
    /// Ask which processes listen on these TCP ports.
    pub ports: &'a [u16],
}

/// The answers to a [`Question`], by pid and by port.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessFacts {
    /// Executable files; a process whose executable may not be read is absent.
    pub exe: HashMap<u32, String>,
    /// Control groups, as paths from the root of their hierarchy.
    pub cgroup: HashMap<u32, String>,
    /// The processes that hold a socket listening on a port, or why none is known.
    pub listeners: BTreeMap<u16, Result<Vec<u32>, String>>,
    /// The processes of the roles whose figures come from elsewhere, by role, or why there is none. Given unasked.
    pub elsewhere: BTreeMap<String, Result<Vec<u32>, String>>,
}

/// Figures that are read only at the boundaries of tasks, since they cost
/// more than a [`Reading`]. A figure that cannot be read is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Details {
    /// Private memory that is swapped out, in bytes.
    pub swap_bytes: Option<u64>,
    /// Mapped shared memory: segments, memfds, files in a tmpfs (RssShmem), in bytes.
    pub shmem_bytes: Option<u64>,
    /// The highest RSS since the program began (VmHWM), in bytes.
    pub peak_bytes: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// Ended children that it has not waited for.
    pub zombies: Option<u64>,
}

/// The resident memory of a process with shared pages counted in proportion: a page
/// that n processes share counts 1/n in each of them, so that the sums over a tree
/// count it once. In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proportional {
    /// All of it (`Pss`).
    pub pss_bytes: u64,
    /// The part that is not backed by a file, swapped or not (`Pss_Anon` + `SwapPss`). Its
    /// shared pages date from before a fork, and neither side has written to them since.
    /// `None` where the system does not report it separately (Linux before 5.9).
    pub anon_bytes: Option<u64>,
    /// Shared memory of it: segments, memfds, files in a tmpfs (`Pss_Shmem`).
    pub shmem_bytes: Option<u64>,
}

/// Why a process could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has ended: there is no such pid, it is a zombie, or another process has the pid now.
    #[error("the process has ended")]
    Gone,
    /// It has freed its memory and is about to end; the next look will
    /// find it [`ReadError::Gone`].
    #[error("the process is about to end")]
    Exiting,
    /// We lack the permission to read it.
    #[error("not allowed to read the process")]
    Denied,
    /// Anything else, for example an answer that could not be parsed.
    #[error("cannot read the process: {0}")]
    Other(#[from] io::Error),
}

/// Memory of the whole machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineMemory {
    /// The total, in bytes.
    pub total_memory_bytes: u64,
    /// The memory that is available without swapping, in bytes.
    pub available_memory_bytes: u64,
}

/// Where the sampler gets its facts: the only interface between it and the system.
///
/// A source must list and read processes. The other methods have defaults for a source that
/// knows no cheaper way. Only the sampler's thread calls a source, hence `Send` and `&mut self`.
pub trait ProcessSource: Send {
    /// All live processes; zombies are left out.
    ///
    /// A source that remembers may list a process that has ended since it was read. Reading that
    /// process fails, and the next list is right.
    ///
    /// # Errors
    /// If the list of processes cannot be read at all. A process that ends
    /// while the list is read, or that may not be read, is left out silently.
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>>;

    /// Measures `id` now, tracked or not.
    ///
    /// # Errors
    /// See [`ReadError`]. A process that has ended is never a reading of 0 bytes; if only its
    /// memory was wanted, it may be [`ReadError::Exiting`] before it is [`ReadError::Gone`].
    fn read(&mut self, id: ProcessId, wanted: Wanted) -> Result<Reading, ReadError>;

    /// How the process `id`, which a reading has found [`ReadError::Gone`], came to its end; `None` if the source does not
    /// know.
    fn how_ended(&mut self, _id: ProcessId) -> Option<ExitKind> {
        None
    }

    /// How old the latest reading of `id` is, in seconds: more than 0 where a source passes on what another has read.
    fn age_s(&mut self, _id: ProcessId) -> f64 {
        0.0
    }

    /// The machine's memory now.
    ///
    /// # Errors
    /// If the system does not report it.
    fn machine(&mut self) -> io::Result<MachineMemory>;

    /// The processes that are new, or run another program or carry another title,
    /// since the last call of this or of [`ProcessSource::list`]. `None` from a
    /// source that cannot tell and has to list everything.
    ///
    /// # Errors
    /// As [`ProcessSource::list`].
    fn changes(&mut self) -> io::Result<Option<Vec<ProcessInfo>>> {
        Ok(None)
    }

    /// The live processes born since the last call that descend from a process whose pid
    /// satisfies `is_parent`.
    fn newborns(&mut self, _is_parent: &dyn Fn(u32) -> bool) -> Newborns {
        Newborns::Unknown
    }

    /// The live direct children of any of `parents`.
    fn children(&mut self, parents: &[ProcessId]) -> Vec<ProcessInfo> {
        let mut all = self.list().unwrap_or_default();
        all.retain(|process| parents.iter().any(|parent| parent.pid == process.parent));
        all
    }

    /// Answers `question` about `processes`, which were just listed.
    fn facts(&mut self, _processes: &[ProcessInfo], question: Question<'_>) -> ProcessFacts {
        let unknown = || Err("this system does not tell which process listens on a port".to_string());
        let listeners = question.ports.iter().map(|&port| (port, unknown())).collect();
        ProcessFacts { listeners, ..ProcessFacts::default() }
    }

    /// The clock that start times are on; `None` if it is not known.
    fn clock(&mut self) -> Option<Clock> {
        None
    }

    /// Prepares for many readings of `id`, for example by keeping files open.
    ///
    /// # Errors
    /// [`ReadError::Gone`] if the process that has this pid is not `id`.
    fn track(&mut self, id: ProcessId) -> Result<(), ReadError> {
        match self.read(id, Wanted::CPU) {
            Ok(_) | Err(ReadError::Exiting) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Undoes [`ProcessSource::track`].
    fn untrack(&mut self, _id: ProcessId) {}

    /// Reads what costs more than a reading. By default nothing is known.
    ///
    /// # Errors
    /// [`ReadError::Gone`] if the process has ended; a single figure that cannot
    /// be read is `None` in the answer.
    fn details(&mut self, _id: ProcessId) -> Result<Details, ReadError> {
        Ok(Details::default())
    }

    /// The proportional set size of `id`. `None` where the system has no such figure.
    ///
    /// Reading it walks the page tables of the process and stalls the process meanwhile
    /// (7 to 8 ms per GB on Linux): never read it on a tick.
    ///
    /// # Errors
    /// See [`ReadError`].
    fn pss(&mut self, _id: ProcessId) -> Result<Option<Proportional>, ReadError> {
        Ok(None)
    }
}
