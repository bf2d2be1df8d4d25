//! Our own reader of `/proc`.
//!
//! A reading of a tracked process costs two pread(2), on files that stay open:
//! `statm` for its memory (`rss` in `stat` lags behind by tens of pages) and
//! `stat` for everything else. An open file also pins the identity: after the
//! process has ended, reading fails even if another process has the pid.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::births::{Births, Since, descendants};
use super::files::{STAT_BYTES, STATM_BYTES, STATUS_BYTES, classify, malformed, read_open, read_path};
use super::listing::Listing;
use super::sockets::Sockets;
use super::table::{Procfs, Table};
use super::{details, parse};
use crate::sampler::process::{
    Clock, CpuTime, Details, MachineMemory, Newborns, ProcessFacts, ProcessId, ProcessInfo, ProcessSource,
    Proportional, Question, ReadError, Reading, Wanted,
};

/// Reads processes from `/proc`.
pub struct LinuxSource {
    facts: Facts,
    listing: Listing,
    table: Table,
    births: Births,
    /// The births since the last refresh of the table, which has other intervals.
    unlisted: Births,
    sockets: Sockets,
    kept: HashMap<ProcessId, Kept>,
    /// The number of processes whose files stay open; the files of others are opened each time.
    most_kept: usize,
    meminfo: File,
    /// The kernel was built with `/proc/PID/task/TID/children`.
    lists_children: bool,
    /// The size of `/proc/PID/fd` is the number of its entries (since Linux 6.2).
    counts_fds: bool,
}

/// The facts of the machine that turn figures of `/proc` into units.
#[derive(Debug, Clone, Copy)]
struct Facts {
    page_bytes: u64,
    ticks_per_second: f64,
}

/// The open files of one tracked process.
struct Kept {
    stat: File,
    statm: File,
    /// Opened when first needed, while a task is in flight.
    status: Option<File>,
}

impl Facts {
    fn clock(self) -> Clock {
        let seconds = |id| {
            let time = clock_gettime(id);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        let up = seconds(ClockId::Boottime);
        Clock {
            booted_at_s: seconds(ClockId::Realtime) - up,
            ticks_per_second: self.ticks_per_second,
            now_ticks: up * self.ticks_per_second,
        }
    }
}

impl LinuxSource {
    /// Opens `/proc`.
    ///
    /// # Errors
    /// If `/proc` is missing or not readable.
    pub fn new() -> io::Result<LinuxSource> {
        let facts = Facts {
            page_bytes: rustix::param::page_size() as u64,
            ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
        };
        let own = std::process::id();
        fs::read(format!("/proc/{own}/stat"))?;
        Ok(LinuxSource {
            facts,
            listing: Listing::open()?,
            table: Table::default(),
            births: Births::open(),
            unlisted: Births::open(),
            sockets: Sockets::default(),
            kept: HashMap::new(),
            most_kept: descriptors_to_keep() / FILES_PER_PROCESS,
            meminfo: File::open("/proc/meminfo")?,
            lists_children: fs::exists(format!("/proc/{own}/task/{own}/children")).unwrap_or(false),
            // This process has open descriptors, so a size of 0 means an older kernel.
            counts_fds: fs::metadata("/proc/self/fd").is_ok_and(|directory| directory.len() > 0),
        })
    }

    /// Memory alone, from the content of `statm`.
    fn memory(&self, statm: &[u8]) -> Result<Reading, ReadError> {
        let (resident, shared) = parse::resident_and_shared(statm).ok_or_else(|| malformed("statm"))?;
        if resident == 0 {
            return Err(ReadError::Exiting);
        }
        Ok(Reading {
            rss_bytes: resident * self.facts.page_bytes,
            private_bytes: Some(resident.saturating_sub(shared) * self.facts.page_bytes),
            cpu: None,
            threads: None,
            peak_bytes: None,
        })
    }

    /// Memory, CPU time and threads.
    fn measure(&self, id: ProcessId, kept: Option<&Kept>) -> Result<Reading, ReadError> {
        let mut buffer = [0; STAT_BYTES];
        let bytes = match kept {
            Some(kept) => read_open(&kept.stat, &mut buffer)?,
            None => read_path(id.pid, "stat", &mut buffer)?,
        };
        let stat = parse::stat(bytes).ok_or_else(|| malformed("stat"))?;
        if stat.has_ended() || stat.start_ticks != id.start_ticks {
            return Err(ReadError::Gone);
        }
        let seconds = |ticks: u64| ticks as f64 / self.facts.ticks_per_second;
        let cpu = CpuTime { own_s: seconds(stat.cpu_ticks), reaped_s: seconds(stat.reaped_ticks) };
        let threads = stat.threads;
        let bytes = match kept {
            Some(kept) => read_open(&kept.statm, &mut buffer)?,
            None => read_path(id.pid, "statm", &mut buffer)?,
        };
        Ok(Reading { cpu: Some(cpu), threads: Some(threads), ..self.memory(bytes)? })
    }

    /// The highest RSS of a process whose files are kept open; one of too many to keep has none.
    fn peak(&mut self, id: ProcessId) -> Option<u64> {
        let mut buffer = [0; STATUS_BYTES];
        let kept = self.kept.get_mut(&id)?;
        if kept.status.is_none() {
            kept.status = File::open(format!("/proc/{}/status", id.pid)).ok();
        }
        // A process that ends just now has given its last reading.
        parse::kilobytes(read_open(kept.status.as_ref()?, &mut buffer).ok()?, b"VmHWM:")
    }

    /// The executable of `id`; `None` if it may not be read.
    fn exe(&mut self, id: ProcessId) -> Option<String> {
        self.table.exe(id.pid, || {
            let path = fs::read_link(format!("/proc/{}/exe", id.pid)).ok()?;
            let path = path.to_string_lossy().into_owned();
            // The file was replaced by a newer one after the program was started.
            Some(path.strip_suffix(" (deleted)").map_or(path.clone(), str::to_string))
        })
    }

    fn cgroup(&mut self, id: ProcessId) -> Option<String> {
        self.table
            .cgroup(id.pid, || parse::control_group(&fs::read(format!("/proc/{}/cgroup", id.pid)).ok()?))
    }

    /// Brings the table up to date; with `all`, drops every exited process.
    fn refresh(&mut self, all: bool) -> io::Result<()> {
        let now = Instant::now();
        let mut procfs = Proc { clock: self.facts.clock(), listing: &mut self.listing };
        // Read before the list, so that a process born in between is not missed.
        let born: Option<Vec<u32>> = match self.unlisted.since_last(now) {
            Since::Born(born) => Some(born.iter().map(|birth| birth.pid).collect()),
            Since::Many | Since::Unknown => None,
        };
        self.table.refresh(&mut procfs, born.as_deref().filter(|_| !all), now)
    }

    /// The children of `parent`, from the lists that the kernel keeps for each of its threads.
    fn listed_children(&self, parent: ProcessId, found: &mut Vec<ProcessInfo>) {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", parent.pid)) else { return };
        for thread in threads.flatten() {
            let Ok(list) = fs::read(thread.path().join("children")) else { continue };
            let children = parse::pids(&list).filter_map(|pid| info(pid).ok());
            // The list may be out of date by the time a pid of it is read.
            found.extend(children.filter(|child| child.parent == parent.pid));
        }
    }
}

impl ProcessSource for LinuxSource {
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>> {
        self.refresh(true)?;
        // The list holds every change.
        self.table.take_changes();
        Ok(self.table.all().cloned().collect())
    }

    fn changes(&mut self) -> io::Result<Option<Vec<ProcessInfo>>> {
        self.refresh(false)?;
        Ok(Some(self.table.take_changes()))
    }

    fn facts(&mut self, processes: &[ProcessInfo], question: Question<'_>) -> ProcessFacts {
        let mut facts = ProcessFacts::default();
        if question.exe {
            let exe = |process: &ProcessInfo| Some((process.id.pid, self.exe(process.id)?));
            facts.exe = processes.iter().filter_map(exe).collect();
        }
        if question.cgroup {
            let cgroup = |process: &ProcessInfo| Some((process.id.pid, self.cgroup(process.id)?));
            facts.cgroup = processes.iter().filter_map(cgroup).collect();
        }
        if !question.ports.is_empty() {
            let alive: Vec<ProcessId> = processes.iter().map(|process| process.id).collect();
            facts.listeners = self.sockets.listeners(question.ports, &alive);
        }
        facts
    }

    fn clock(&mut self) -> Option<Clock> {
        Some(self.facts.clock())
    }

    fn children(&mut self, parents: &[ProcessId]) -> Vec<ProcessInfo> {
        let mut found = Vec::new();
        if self.lists_children && parents.len() * LIST_COST < self.table.len().max(LIST_COST * 4) {
            for &parent in parents {
                self.listed_children(parent, &mut found);
            }
        } else if self.refresh(true).is_ok() {
            let parents: HashSet<u32> = parents.iter().map(|id| id.pid).collect();
            found.extend(self.table.all().filter(|process| parents.contains(&process.parent)).cloned());
        }
        found
    }

    fn newborns(&mut self, is_parent: &dyn Fn(u32) -> bool) -> Newborns {
        match self.births.since_last(Instant::now()) {
            Since::Born(born) => Newborns::Known(descendants(born, is_parent, |pid| info(pid).ok())),
            Since::Many => Newborns::Many,
            Since::Unknown => Newborns::Unknown,
        }
    }

    fn track(&mut self, id: ProcessId) -> Result<(), ReadError> {
        if self.kept.len() < self.most_kept {
            let open = |file| File::open(format!("/proc/{}/{file}", id.pid)).map_err(classify);
            self.kept.insert(id, Kept { stat: open("stat")?, statm: open("statm")?, status: None });
        }
        match self.read(id, Wanted::CPU) {
            Ok(_) | Err(ReadError::Exiting) => Ok(()),
            Err(error) => {
                self.kept.remove(&id);
                Err(error)
            }
        }
    }

    fn untrack(&mut self, id: ProcessId) {
        self.kept.remove(&id);
    }

    fn read(&mut self, id: ProcessId, wanted: Wanted) -> Result<Reading, ReadError> {
        let reading = match self.kept.get(&id) {
            // An open file cannot be of another process; without one, only `stat` proves the identity.
            Some(kept) if !wanted.cpu => {
                let mut buffer = [0; STATM_BYTES];
                read_open(&kept.statm, &mut buffer).and_then(|statm| self.memory(statm))
            }
            kept => self.measure(id, kept),
        };
        if matches!(reading, Err(ReadError::Gone)) {
            self.table.forget(id.pid);
        }
        let peak_bytes = if wanted.peak && reading.is_ok() { self.peak(id) } else { None };
        reading.map(|reading| Reading { peak_bytes, ..reading })
    }

    fn details(&mut self, id: ProcessId) -> Result<Details, ReadError> {
        details::read(id, self.lists_children, self.counts_fds)
    }

    fn pss(&mut self, id: ProcessId) -> Result<Option<Proportional>, ReadError> {
        details::pss(id)
    }

    fn machine(&mut self) -> io::Result<MachineMemory> {
        let mut buffer = [0; 4096];
        let length = rustix::io::pread(&self.meminfo, &mut buffer, 0)?;
        let (total_memory_bytes, available_memory_bytes) = parse::memory(&buffer[..length])
            .ok_or_else(|| io::Error::other("cannot parse `/proc/meminfo`"))?;
        Ok(MachineMemory { total_memory_bytes, available_memory_bytes })
    }
}

/// The real `/proc`, with the machine's clock.
struct Proc<'a> {
    clock: Clock,
    listing: &'a mut Listing,
}

impl Procfs for Proc<'_> {
    fn pids(&mut self) -> io::Result<Vec<u32>> {
        self.listing.pids()
    }

    fn info(&mut self, pid: u32) -> Option<ProcessInfo> {
        info(pid).ok()
    }

    fn age(&self, process: &ProcessInfo) -> Duration {
        Duration::from_secs_f64(self.clock.age_s(process.id))
    }
}

/// Reading the lists of children of one process costs about as much as listing this
/// many processes.
const LIST_COST: usize = 30;

fn info(pid: u32) -> Result<ProcessInfo, ReadError> {
    let mut buffer = [0; STAT_BYTES];
    let bytes = read_path(pid, "stat", &mut buffer)?;
    let stat = parse::stat(bytes).ok_or_else(|| malformed("stat"))?;
    if stat.has_ended() {
        return Err(ReadError::Gone);
    }
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).map_err(classify)?;
    let argv = parse::arguments(&cmdline);
    Ok(ProcessInfo {
        id: ProcessId { pid, start_ticks: stat.start_ticks },
        parent: stat.parent,
        name: parse::display_name(stat.comm, &argv),
        argv,
    })
}

/// `stat`, `statm`, `status`, and the pidfd that reports the end.
pub(crate) const FILES_PER_PROCESS: usize = 4;

/// How many descriptors the sampler may keep open: half of the process's limit. The other
/// half is for the connections of a ramp.
pub(crate) fn descriptors_to_keep() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)) / 2
}

/// The exit status of the zombie `id`, as wait(2) gives it, and the
/// user that owned it; `None` if `id` is not a zombie, or its pid has another owner.
pub(crate) fn zombie_status(id: ProcessId) -> Option<(i32, u32)> {
    let mut buffer = [0; STAT_BYTES];
    let bytes = read_path(id.pid, "stat", &mut buffer).ok()?;
    let stat = parse::stat(bytes)?;
    if !stat.has_ended() || stat.start_ticks != id.start_ticks {
        return None;
    }
    let status = parse::exit_status(bytes)?;
    // The directory belongs to the user of the process, even for a zombie.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{}", id.pid)).ok()?);
    Some((status, owner))
}

/// True if the pid of `id` still belongs to `id`, ended or not.
pub(crate) fn is_same(id: ProcessId) -> bool {
    let mut buffer = [0; STAT_BYTES];
    let Ok(bytes) = read_path(id.pid, "stat", &mut buffer) else { return false };
    parse::stat(bytes).is_some_and(|stat| stat.start_ticks == id.start_ticks)
}
