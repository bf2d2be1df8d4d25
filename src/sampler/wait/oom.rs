//! Detects kills by the kernel's OOM killer, which the cgroup of a process counts.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sampler::process::ProcessId;
use crate::sampler::source::parse::{self, CgroupMount};

/// The counters of the cgroups that the watched processes are in.
pub(super) struct OomKills {
    mounts: Vec<CgroupMount>,
    /// The counter of each process, and its value when watching the process began.
    counters: HashMap<ProcessId, (PathBuf, u64)>,
    /// The value of each counter up to which its kills have been attributed: each kill
    /// explains the end of one process.
    explained: HashMap<PathBuf, u64>,
}

impl OomKills {
    /// Reads where cgroups are mounted; watches no process yet.
    pub(super) fn new() -> OomKills {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        OomKills::with_mounts(parse::cgroup_mounts(&mounts))
    }

    fn with_mounts(mounts: Vec<CgroupMount>) -> OomKills {
        OomKills { mounts, counters: HashMap::new(), explained: HashMap::new() }
    }

    /// Remembers the counter of `id`, if it can be read.
    pub(super) fn watch(&mut self, id: ProcessId) {
        let Ok(cgroup) = fs::read_to_string(format!("/proc/{}/cgroup", id.pid)) else { return };
        self.watch_in(id, &cgroup);
    }

    fn watch_in(&mut self, id: ProcessId, cgroup: &str) {
        let files = self.mounts.iter().flat_map(|mount| counters(mount, cgroup));
        let found = files.filter_map(|file| read(&file).map(|kills| (file, kills))).next();
        if let Some(found) = found {
            self.counters.insert(id, found);
        }
    }

    /// True if the counter has a kill since watching `id` began that explains no other end.
    /// The kernel counts before it kills, so the answer is right once `id` has ended.
    pub(super) fn explains(&mut self, id: ProcessId) -> bool {
        let Some((file, at_start)) = self.counters.get(&id) else { return false };
        let explained = self.explained.get(file).copied().unwrap_or(0).max(*at_start);
        let explains = read(file).is_some_and(|kills| kills > explained);
        if explains {
            self.explained.insert(file.clone(), explained + 1);
        }
        explains
    }

    /// Forgets `id`.
    pub(super) fn unwatch(&mut self, id: ProcessId) {
        self.counters.remove(&id);
        if self.counters.is_empty() {
            self.explained.clear();
        }
    }
}

/// The files that may count the kills in the cgroup that `cgroup` (a `/proc/PID/cgroup`) names,
/// best first: its own kills before those including its descendants.
fn counters(mount: &CgroupMount, cgroup: &str) -> Vec<PathBuf> {
    let Some(path) = parse::cgroup_path(cgroup, mount.unified) else { return Vec::new() };
    // Perhaps only a part of the hierarchy is mounted, and the process is outside of it.
    let Ok(below) = Path::new(path).strip_prefix(&mount.root) else { return Vec::new() };
    let directory = Path::new(&mount.point).join(below);
    let names: &[&str] =
        if mount.unified { &["memory.events.local", "memory.events"] } else { &["memory.oom_control"] };
    names.iter().map(|name| directory.join(name)).collect()
}

fn read(file: &Path) -> Option<u64> {
    parse::oom_kills(&fs::read(file).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kill_explains_one_end_and_only_later_ones() {
        for (unified, name, line) in
            [(true, "memory.events.local", "0::/app\n"), (false, "memory.oom_control", "7:memory:/box/app\n")]
        {
            let directory = tempfile::tempdir().expect("a directory");
            let file = directory.path().join("app").join(name);
            fs::create_dir(directory.path().join("app")).expect("a directory");
            let count = |kills: u64| fs::write(&file, format!("oom 9\noom_kill {kills}\n")).expect("a file");
            let root = if unified { "/" } else { "/box" }.to_string();
            let point = directory.path().display().to_string();
            let mut kills = OomKills::with_mounts(vec![CgroupMount { unified, root, point }]);
            let id = |pid| ProcessId { pid, start_ticks: 1 };
            count(3);
            for pid in 1..=4 {
                kills.watch_in(id(pid), line);
            }
            assert!(!kills.explains(id(1)), "the three kills were before it");
            count(5);
            assert!(kills.explains(id(2)) && kills.explains(id(3)));
            assert!(!kills.explains(id(4)), "two kills do not explain three ends");
            kills.watch_in(id(5), line);
            assert!(!kills.explains(id(5)));
            assert!(!kills.explains(id(6)), "nobody knows it");
        }
    }
}
