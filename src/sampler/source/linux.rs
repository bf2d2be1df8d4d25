//! Our own reader of `/proc`.
//!
//! A tracked process costs two pread(2) a reading, on files that stay open:
//! `statm` for its memory (`rss` in `stat` lags behind by tens of pages) and
//! `stat` for everything else. An open file also pins the identity: once the
//! process is gone, reading it fails, whoever has the pid by then.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use rustix::io::Errno;

use super::parse;
use crate::sampler::process::{Machine, ProcessId, ProcessInfo, ProcessSource, ReadError, Reading};

/// Reads processes from `/proc`.
pub struct LinuxSource {
    facts: Facts,
    kept: HashMap<ProcessId, Kept>,
    /// Processes whose files may be kept open; the rest is opened each time.
    most_kept: usize,
    loadavg: Option<File>,
    meminfo: File,
    /// The kernel was built with `/proc/PID/task/TID/children`.
    lists_children: bool,
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
            kept: HashMap::new(),
            most_kept: descriptors_to_keep() / FILES_PER_PROCESS,
            loadavg: File::open("/proc/loadavg").ok(),
            meminfo: File::open("/proc/meminfo")?,
            lists_children: fs::exists(format!("/proc/{own}/task/{own}/children")).unwrap_or(false),
        })
    }

    fn info(&self, pid: u32) -> Result<ProcessInfo, ReadError> {
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

    /// The children of `parent` by the lists that each of its threads keeps.
    fn listed_children(&self, parent: ProcessId, found: &mut Vec<ProcessInfo>) {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", parent.pid)) else { return };
        for thread in threads.flatten() {
            let Ok(list) = fs::read(thread.path().join("children")) else { continue };
            let children = parse::pids(&list).filter_map(|pid| self.info(pid).ok());
            // The list may be out of date by the time a pid of it is read.
            found.extend(children.filter(|child| child.parent == parent.pid));
        }
    }
}

impl ProcessSource for LinuxSource {
    fn scan(&mut self) -> io::Result<Vec<ProcessInfo>> {
        let mut processes = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            processes.extend(self.info(pid));
        }
        Ok(processes)
    }

    fn children(&mut self, parents: &[ProcessId]) -> Vec<ProcessInfo> {
        let mut found = Vec::new();
        if self.lists_children {
            for &parent in parents {
                self.listed_children(parent, &mut found);
            }
        } else if let Ok(all) = self.scan() {
            let is_child = |process: &ProcessInfo| parents.iter().any(|id| id.pid == process.parent);
            found.extend(all.into_iter().filter(is_child));
        }
        found
    }

    fn births(&mut self) -> Option<u64> {
        let mut buffer = [0; 128];
        let length = self.loadavg.as_ref()?.read_at(&mut buffer, 0).ok()?;
        parse::last_pid(&buffer[..length])
    }

    fn track(&mut self, id: ProcessId) -> Result<(), ReadError> {
        if self.kept.len() < self.most_kept {
            let open = |file| File::open(format!("/proc/{}/{file}", id.pid)).map_err(classify);
            self.kept.insert(id, Kept { stat: open("stat")?, statm: open("statm")? });
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
        let (cpu_ticks, threads) = (stat.cpu_ticks, stat.threads);
        let bytes = match kept {
            Some(kept) => read_open(&kept.statm, &mut buffer)?,
            None => read_path(id.pid, "statm", &mut buffer)?,
        };
        let pages = parse::resident_pages(bytes).ok_or_else(|| malformed("statm"))?;
        if pages == 0 {
            return Err(ReadError::Exiting);
        }
        Ok(Reading {
            rss_bytes: pages * self.facts.page_bytes,
            cpu_seconds: cpu_ticks as f64 / self.facts.ticks_per_second,
            threads: Some(threads),
        })
    }

    fn machine(&mut self) -> io::Result<Machine> {
        let mut buffer = [0; 4096];
        let length = self.meminfo.read_at(&mut buffer, 0)?;
        let (total_memory_bytes, available_memory_bytes) = parse::memory(&buffer[..length])
            .ok_or_else(|| io::Error::other("cannot parse `/proc/meminfo`"))?;
        Ok(Machine { total_memory_bytes, available_memory_bytes })
    }
}

/// `stat` has 52 numbers of at most 20 digits and a name of at most 64 bytes.
const STAT_BYTES: usize = 1536;

/// `stat`, `statm`, and the pidfd that tells of the end.
pub(crate) const FILES_PER_PROCESS: usize = 3;

/// How many descriptors the sampler may keep: half of what the process may
/// have, since the other half belongs to the connections of a ramp.
pub(crate) fn descriptors_to_keep() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)) / 2
}

fn read_open<'a>(file: &File, buffer: &'a mut [u8]) -> Result<&'a [u8], ReadError> {
    let length = file.read_at(buffer, 0).map_err(classify)?;
    Ok(&buffer[..length])
}

fn read_path<'a>(pid: u32, file: &str, buffer: &'a mut [u8]) -> Result<&'a [u8], ReadError> {
    let file = File::open(format!("/proc/{pid}/{file}")).map_err(classify)?;
    read_open(&file, buffer)
}

fn malformed(file: &str) -> ReadError {
    ReadError::Other(io::Error::other(format!("`{file}` is not in the form that proc(5) tells")))
}

fn classify(error: io::Error) -> ReadError {
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
