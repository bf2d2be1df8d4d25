//! Finds newly born processes without listing all of them.
//!
//! The kernel allocates pids in sequence and reports the last one in `/proc/loadavg`. So a
//! process born between two readings of that file has a pid between the two, and only those
//! pids have to be checked.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use super::files::{STATUS_BYTES, read_path};
use super::parse;
use crate::sampler::process::{ProcessInfo, ReadError};

/// A process that was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Birth {
    /// Its pid.
    pub(super) pid: u32,
    /// The pid of its parent.
    pub(super) parent: u32,
}

/// The births since the last call.
#[derive(Debug)]
pub(super) enum Since {
    /// These, of processes that can be seen.
    Born(Vec<Birth>),
    /// Too many to look at, or this is the first call.
    Many,
    /// The kernel does not report the last pid here.
    Unknown,
}

/// Reports the births since it was last asked.
pub(super) struct Births {
    /// `None` where it cannot be read, or reports other processes than `/proc` lists.
    loadavg: Option<File>,
    seen: Option<u64>,
    /// Allocated pids whose processes could not be seen yet, and until when to check them.
    unborn: Vec<(u32, Instant)>,
}

/// With more births than this, listing all processes is cheaper.
const MOST: u64 = 256;

/// How long to wait for the process of an allocated pid. The kernel makes it visible
/// microseconds later; on a busy machine it may take longer.
const GESTATION: Duration = Duration::from_millis(50);

impl Births {
    /// Opens `/proc/loadavg`, if that can be used.
    pub(super) fn open() -> Births {
        // A `/proc` of another PID namespace would report processes that are not in ours.
        let own = std::process::id().to_string();
        let ours = fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.as_str());
        let loadavg = if ours { File::open("/proc/loadavg").ok() } else { None };
        Births { loadavg, seen: None, unborn: Vec::new() }
    }

    /// The pid that was allocated last.
    fn last_pid(&self) -> Option<u64> {
        let mut buffer = [0; 128];
        let length = rustix::io::pread(self.loadavg.as_ref()?, &mut buffer, 0).ok()?;
        parse::last_pid(&buffer[..length])
    }

    /// The processes born since the last call.
    pub(super) fn since_last(&mut self, now: Instant) -> Since {
        let Some(last) = self.last_pid() else { return Since::Unknown };
        let before = self.seen.replace(last);
        let Some(given) = before.and_then(|before| allocated(before, last)) else {
            self.unborn.clear();
            return Since::Many;
        };
        let mut pids = std::mem::take(&mut self.unborn);
        pids.extend(given.map(|pid| (pid, now + GESTATION)));
        let mut born = Vec::new();
        for (pid, until) in pids {
            match parent(pid) {
                Ok(Some(parent)) => born.push(Birth { pid, parent }),
                // The pid is that of a thread.
                Ok(None) => {}
                Err(ReadError::Gone) if now < until => self.unborn.push((pid, until)),
                Err(_) => {}
            }
        }
        Since::Born(born)
    }
}

/// Those of `born` that descend from a process whose pid satisfies `is_parent`, each after its
/// parent. `identify` reads a process; it may have ended, or have another parent by now.
pub(super) fn descendants(
    mut born: Vec<Birth>,
    is_parent: &dyn Fn(u32) -> bool,
    mut identify: impl FnMut(u32) -> Option<ProcessInfo>,
) -> Vec<ProcessInfo> {
    let mut found: Vec<ProcessInfo> = Vec::new();
    // A child may be listed before its parent: repeat as long as one more descendant is found.
    loop {
        let before = born.len();
        let is_family =
            |pid, found: &[ProcessInfo]| is_parent(pid) || found.iter().any(|process| process.id.pid == pid);
        born.retain(|birth| {
            if !is_family(birth.parent, &found) {
                return true;
            }
            found.extend(identify(birth.pid).filter(|child| is_family(child.parent, &found)));
            false
        });
        if born.is_empty() || born.len() == before {
            return found;
        }
    }
}

/// The pids after `before` up to `last`; `None` if there are too many, or if the sequence
/// has started over in between.
fn allocated(before: u64, last: u64) -> Option<impl Iterator<Item = u32>> {
    if last < before || last - before > MOST {
        return None;
    }
    Some((before + 1..=last).filter_map(|pid| u32::try_from(pid).ok()))
}

/// The parent of the process `pid`; `None` for a thread.
fn parent(pid: u32) -> Result<Option<u32>, ReadError> {
    let mut buffer = [0; STATUS_BYTES];
    let status = read_path(pid, "status", &mut buffer)?;
    Ok(parse::parent_of_process(status, pid))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::sampler::process::ProcessId;

    #[test]
    fn pids_in_between() {
        let pids = |before, last| allocated(before, last).map(Iterator::collect::<Vec<_>>);
        assert_eq!(pids(10, 10), Some(vec![]));
        assert_eq!(pids(10, 12), Some(vec![11, 12]));
        assert_eq!(pids(10, 10 + MOST).map(|pids| pids.len() as u64), Some(MOST));
        assert_eq!(pids(10, 11 + MOST), None, "many");
        assert_eq!(pids(4_194_303, 301), None, "the sequence has started over");
    }

    #[test]
    fn descendants_are_found_in_any_order_and_strangers_are_not() {
        let birth = |pid, parent| Birth { pid, parent };
        let born = vec![
            birth(32, 31), // listed before its parent
            birth(31, 20),
            birth(41, 40), // a child of a stranger
            birth(40, 1),
            birth(33, 20), // ended since
            birth(34, 20), // adopted by another process since
        ];
        let identify = |pid: u32| {
            let parent = match pid {
                31 => 20,
                32 => 31,
                34 => 1,
                _ => return None,
            };
            let id = ProcessId { pid, start_ticks: 1 };
            Some(ProcessInfo { id, parent, name: String::new(), argv: Vec::new() })
        };
        let found = descendants(born, &|pid| pid == 20, identify);
        assert_eq!(found.iter().map(|process| process.id.pid).collect::<Vec<_>>(), [31, 32]);
    }

    #[test]
    fn a_child_is_born_and_a_thread_is_not() {
        let mut births = Births::open();
        births.since_last(Instant::now());
        let (mut reported, mut threads) = (Vec::new(), Vec::new());
        let mut children = Vec::new();
        // Other processes may be born meanwhile, perhaps too many to report.
        for _ in 0..20 {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let (send, tid) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                let path = fs::read_link("/proc/thread-self").expect("it is there");
                let tid = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
                send.send(tid.expect("a number")).expect("awaited");
                stopped.recv().expect_err("only dropped");
            });
            threads.push(tid.recv().expect("sent"));
            let child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn();
            children.push(child.expect("`sleep` starts"));
            if let Since::Born(born) = births.since_last(Instant::now()) {
                reported.extend(born);
            }
            drop(stop);
            thread.join().expect("no panic");
        }
        for child in &mut children {
            child.kill().expect("ours");
            child.wait().expect("ours");
        }
        let own = std::process::id();
        let ours: Vec<u32> = reported.iter().filter(|born| born.parent == own).map(|born| born.pid).collect();
        assert!(children.iter().any(|child| ours.contains(&child.id())), "{ours:?}");
        assert!(reported.iter().all(|born| !threads.contains(&born.pid)), "{threads:?} in {reported:?}");
    }
}
