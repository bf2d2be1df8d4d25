//! Finds the process that listens on a port, by the inode of the socket and its holders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use super::parse::listening;
use crate::sampler::process::ProcessId;

/// Remembers the holders of sockets, since finding them reads the descriptors
/// of every process.
#[derive(Default)]
pub(crate) struct Sockets {
    /// The holders at the last search, by inode.
    holders: HashMap<u64, Vec<ProcessId>>,
}

impl Sockets {
    /// For each of `ports`, the processes among `alive` that listen on it.
    pub(crate) fn listeners(
        &mut self,
        ports: &[u16],
        alive: &[ProcessId],
    ) -> BTreeMap<u16, Result<Vec<u32>, String>> {
        let mut inodes: BTreeMap<u16, BTreeSet<u64>> = BTreeMap::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            // A machine without IPv6 has only the first.
            let Ok(text) = fs::read(table) else { continue };
            for (port, inode) in listening(&text) {
                inodes.entry(port).or_default().insert(inode);
            }
        }
        let wanted: BTreeSet<u64> =
            ports.iter().filter_map(|port| inodes.get(port)).flatten().copied().collect();
        let still = |id: &ProcessId| alive.contains(id);
        let known = wanted.iter().all(|inode| {
            self.holders.get(inode).is_some_and(|holders| !holders.is_empty() && holders.iter().all(still))
        });
        if !known {
            self.holders = holders(&wanted, alive);
        }
        let answer = |&port: &u16| {
            let Some(inodes) = inodes.get(&port) else {
                return (port, Err(format!("no process listens on port {port} of this machine")));
            };
            let held = inodes.iter().filter_map(|inode| self.holders.get(inode)).flatten();
            let pids: BTreeSet<u32> = held.map(|id| id.pid).collect();
            if pids.is_empty() {
                return (
                    port,
                    Err(format!(
                        "a process listens on port {port}, but highwater may not see which: \
                         run highwater as the user of the service, or as root"
                    )),
                );
            }
            (port, Ok(pids.into_iter().collect()))
        };
        ports.iter().map(answer).collect()
    }
}

fn holders(inodes: &BTreeSet<u64>, alive: &[ProcessId]) -> HashMap<u64, Vec<ProcessId>> {
    let mut holders: HashMap<u64, Vec<ProcessId>> = HashMap::new();
    if inodes.is_empty() {
        return holders;
    }
    for &id in alive {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{}/fd", id.pid)) else { continue };
        for descriptor in descriptors.flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let inode = target.to_str().and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'));
            let Some(inode) = inode.and_then(|inode| inode.parse().ok()) else { continue };
            if inodes.contains(&inode) {
                let ids = holders.entry(inode).or_default();
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
    }
    holders
}
