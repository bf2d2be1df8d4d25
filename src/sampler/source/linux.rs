//! Our own reader of `/proc`.
//!
//! A tracked process costs two pread(2) a reading, on files that stay open:
//! `statm` for its memory (`rss` in `stat` lags behind by tens of pages) and
//! `stat` for everything else. An open file also pins the identity: once the
//! process is gone, reading it fails, whoever has the pid by then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::births::Births;
use super::listing::Listing;
use super::sockets::Sockets;
use super::table::{Procfs, Table};
use super::{details, parse};
use crate::sampler::process::{
    Clock, Details, Machine, Memory, Newborn, ProcessId, ProcessInfo, ProcessSource, Proportional, ReadError,
    Reading,
};

/// Reads processes from `/proc`.
pub struct LinuxSource {
    facts: Facts,
    listing: Listing,
    table: Table,
    births: Births,
    /// Those of the table, which is brought up to date at other times.
    unlisted: Births,
    sockets: Sockets,
    kept: HashMap<ProcessId, Kept>,
    /// Processes whose files may be kept open; the rest is opened each time.
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
    /// Opened when it is first needed: while a task is in flight.
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
    /// If `/proc` is not there or not readable.
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
            // We have descriptors open: a size of 0 is that of an older kernel.
            counts_fds: fs::metadata("/proc/self/fd").is_ok_and(|directory| directory.len() > 0),
        })
    }

    fn memory_of(&self, statm: &[u8]) -> Result<Memory, ReadError> {
        let (resident, shared) = parse::resident_and_shared(statm).ok_or_else(|| malformed("statm"))?;
        if resident == 0 {
            return Err(ReadError::Exiting);
        }
        Ok(Memory {
            rss_bytes: resident * self.facts.page_bytes,
            private_bytes: Some(resident.saturating_sub(shared) * self.facts.page_bytes),
        })
    }

    fn measure(&self, id: ProcessId) -> Result<Reading, ReadError> {
        let mut buffer = [0; STAT_BYTES];
        let kept = self.kept.get(&id);
        let bytes = match kept {
            Some(kept) => read_open(&kept.stat, &mut buffer)?,
            None => read_path(id.pid, "stat", &mut buffer)?,
        };
        let stat = parse::stat(bytes).ok_or_else(|| malformed("stat"))?;
        if stat.has_ended() || stat.start_ticks != id.start_ticks {
            return Err(ReadError::Gone);
        }
        let (cpu_ticks, reaped_ticks, threads) = (stat.cpu_ticks, stat.reaped_ticks, stat.threads);
        let bytes = match kept {
            Some(kept) => read_open(&kept.statm, &mut buffer)?,
            None => read_path(id.pid, "statm", &mut buffer)?,
        };
        let memory = self.memory_of(bytes)?;
        Ok(Reading {
            rss_bytes: memory.rss_bytes,
            private_bytes: memory.private_bytes,
            cpu_seconds: cpu_ticks as f64 / self.facts.ticks_per_second,
            reaped_cpu_seconds: reaped_ticks as f64 / self.facts.ticks_per_second,
            threads: Some(threads),
        })
    }

    /// Brings the table up to date; with `all`, nobody stands in it who has gone.
    fn refresh(&mut self, all: bool) -> io::Result<()> {
        let now = Instant::now();
        let mut procfs = Proc { clock: self.facts.clock(), listing: &mut self.listing };
        // Before the list, so that nobody is missed who is born meanwhile.
        let born = self.unlisted.since_last(now);
        let born: Option<Vec<u32>> = born.map(|born| born.iter().map(|one| one.pid).collect());
        self.table.refresh(&mut procfs, born.as_deref().filter(|_| !all), now)
    }

    /// The children of `parent` by the lists that each of its threads keeps.
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
    fn scan(&mut self) -> io::Result<Vec<ProcessInfo>> {
        self.refresh(true)?;
        // Whoever is given all has no need to be told what is new.
        self.table.take_news();
        Ok(self.table.all().cloned().collect())
    }

    fn news(&mut self) -> io::Result<Option<Vec<ProcessInfo>>> {
        self.refresh(false)?;
        Ok(Some(self.table.take_news()))
    }

    fn exe(&mut self, id: ProcessId) -> Option<String> {
        self.table.exe(id.pid, || {
            let path = fs::read_link(format!("/proc/{}/exe", id.pid)).ok()?;
            let path = path.to_string_lossy().into_owned();
            // A program that was replaced by a newer one since it was started.
            Some(path.strip_suffix(" (deleted)").map_or(path.clone(), str::to_string))
        })
    }

    fn cgroup(&mut self, id: ProcessId) -> Option<String> {
        self.table
            .cgroup(id.pid, || parse::control_group(&fs::read(format!("/proc/{}/cgroup", id.pid)).ok()?))
    }

    fn listeners(&mut self, ports: &[u16]) -> BTreeMap<u16, Result<Vec<u32>, String>> {
        let alive: Vec<ProcessId> = self.table.all().map(|process| process.id).collect();
        self.sockets.listeners(ports, &alive)
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

    fn births(&mut self) -> Option<u64> {
        self.births.last_pid()
    }

    fn newborns(&mut self) -> Option<Vec<Newborn>> {
        self.births.since_last(Instant::now())
    }

    fn identify(&mut self, pid: u32) -> Option<ProcessInfo> {
        info(pid).ok()
    }

    fn track(&mut self, id: ProcessId) -> Result<(), ReadError> {
        if self.kept.len() < self.most_kept {
            let open = |file| File::open(format!("/proc/{}/{file}", id.pid)).map_err(classify);
            self.kept.insert(id, Kept { stat: open("stat")?, statm: open("statm")?, status: None });
        }
        let read = self.read(id);
        match read {
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

    fn read(&mut self, id: ProcessId) -> Result<Reading, ReadError> {
        let reading = self.measure(id);
        if matches!(reading, Err(ReadError::Gone)) {
            self.table.forget(id.pid);
        }
        reading
    }

    fn memory(&mut self, id: ProcessId) -> Result<Memory, ReadError> {
        // An open file is of this process or of none; without one, only `stat` tells who it is.
        let Some(kept) = self.kept.get(&id) else { return self.read(id).map(Memory::from) };
        let mut buffer = [0; STATM_BYTES];
        self.memory_of(read_open(&kept.statm, &mut buffer)?)
    }

    fn details(&mut self, id: ProcessId) -> Result<Details, ReadError> {
        details::read(id, self.lists_children, self.counts_fds)
    }

    fn peak(&mut self, id: ProcessId) -> Result<Option<u64>, ReadError> {
        let mut buffer = [0; STATUS_BYTES];
        let Some(kept) = self.kept.get_mut(&id) else {
            // Not kept open, so many processes there are: its readings have to do.
            return Ok(None);
        };
        if kept.status.is_none() {
            kept.status = Some(File::open(format!("/proc/{}/status", id.pid)).map_err(classify)?);
        }
        let Some(status) = &kept.status else { return Ok(None) };
        Ok(parse::kilobytes(read_open(status, &mut buffer)?, b"VmHWM:"))
    }

    fn pss(&mut self, id: ProcessId) -> Result<Option<Proportional>, ReadError> {
        details::pss(id)
    }

    fn machine(&mut self) -> io::Result<Machine> {
        let mut buffer = [0; 4096];
        let length = rustix::io::pread(&self.meminfo, &mut buffer, 0)?;
        let (total_memory_bytes, available_memory_bytes) = parse::memory(&buffer[..length])
            .ok_or_else(|| io::Error::other("cannot parse `/proc/meminfo`"))?;
        Ok(Machine { total_memory_bytes, available_memory_bytes })
    }
}

/// The machine's own processes, with the ticks since it started.
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

/// To read the lists of children of one process costs as much as to list so
/// many processes, about.
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

/// `status` is some sixty lines; those that may be long (`Groups`, the masks of
/// large machines) stand behind what is read of it.
pub(super) const STATUS_BYTES: usize = 4096;

/// `statm` is seven numbers.
const STATM_BYTES: usize = 192;

/// `stat` has 52 numbers of at most 20 digits and a name of at most 64 bytes.
pub(super) const STAT_BYTES: usize = 1536;

/// `stat`, `statm`, `status`, and the pidfd that tells of the end.
pub(crate) const FILES_PER_PROCESS: usize = 4;

/// How many descriptors the sampler may keep: half of what the process may
/// have, since the other half belongs to the connections of a ramp.
pub(crate) fn descriptors_to_keep() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)) / 2
}

fn read_open<'a>(file: &File, buffer: &'a mut [u8]) -> Result<&'a [u8], ReadError> {
    // Not std's read_at, which is a cancellation point of libc and pays for that.
    let length = rustix::io::pread(file, &mut *buffer, 0).map_err(|errno| classify(errno.into()))?;
    Ok(&buffer[..length])
}

pub(super) fn read_path<'a>(pid: u32, file: &str, buffer: &'a mut [u8]) -> Result<&'a [u8], ReadError> {
    let file = File::open(format!("/proc/{pid}/{file}")).map_err(classify)?;
    read_open(&file, buffer)
}

pub(super) fn malformed(file: &str) -> ReadError {
    ReadError::Other(io::Error::other(format!("`{file}` is not in the form that proc(5) tells")))
}

pub(super) fn classify(error: io::Error) -> ReadError {
    match Errno::from_io_error(&error) {
        Some(Errno::SRCH | Errno::NOENT) => ReadError::Gone,
        Some(Errno::ACCESS | Errno::PERM) => ReadError::Denied,
        _ => ReadError::Other(error),
    }
}

/// The status that a zombie `id` leaves for its parent, as of wait(2), and the
/// user who owned it; `None` if it is not a zombie, or not `id` any more.
pub(crate) fn zombie_status(id: ProcessId) -> Option<(i32, u32)> {
    let mut buffer = [0; STAT_BYTES];
    let bytes = read_path(id.pid, "stat", &mut buffer).ok()?;
    let stat = parse::stat(bytes)?;
    if !stat.has_ended() || stat.start_ticks != id.start_ticks {
        return None;
    }
    let status = parse::exit_status(bytes)?;
    // The owner of the directory is the user of the process, also of a zombie.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{}", id.pid)).ok()?);
    Some((status, owner))
}

/// True if the process that has the pid of `id` now is `id`, ended or not.
pub(crate) fn is_same(id: ProcessId) -> bool {
    let mut buffer = [0; STAT_BYTES];
    let Ok(bytes) = read_path(id.pid, "stat", &mut buffer) else { return false };
    parse::stat(bytes).is_some_and(|stat| stat.start_ticks == id.start_ticks)
}
