//! Where the processes of a container can be read.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the figures of a container come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Its first process has this pid here.
    Here(u32),
    /// Its control group is this directory.
    Group(PathBuf),
    /// The engine says.
    Engine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Here(pid) => write!(f, "process {pid}"),
            Place::Group(path) => write!(f, "its control group {}", path.display()),
            Place::Engine => f.write_str("what its engine counts"),
        }
    }
}

/// The trees in which the kernel shows processes and control groups.
pub(super) struct Trees {
    pub(super) proc: PathBuf,
    pub(super) cgroup: PathBuf,
}

impl Trees {
    pub(super) fn of_this_machine() -> Trees {
        Trees { proc: PathBuf::from("/proc"), cgroup: PathBuf::from("/sys/fs/cgroup") }
    }

    /// True if the process `pid` here is the engine's: the name of its control group has the id of the container. In
    /// another PID namespace, the same pid is another process or none.
    pub(super) fn has(&self, pid: u32, id: &str) -> bool {
        let groups = fs::read_to_string(self.proc.join(pid.to_string()).join("cgroup"));
        groups.is_ok_and(|groups| groups.contains(id))
    }

    /// The directory of the container's control group that counts its memory, if it can be seen.
    pub(super) fn group_of(&self, id: &str, parent: &str) -> Option<PathBuf> {
        let names = [
            // Below it, Podman and systemd put the processes into a group of their own.
            format!("libpod-{id}.scope/container"),
            format!("libpod-{id}.scope"),
            format!("libpod-{id}"),
            format!("docker-{id}.scope"),
            id.to_string(),
        ];
        let parent = parent.trim_matches('/');
        let parents = ["system.slice", "machine.slice", "docker", "libpod_parent", parent];
        // Version 2, and version 1 with a hierarchy for memory.
        let roots = [self.cgroup.clone(), self.cgroup.join("memory")];
        let counts = |path: &Path| {
            ["memory.current", "memory.usage_in_bytes"].iter().any(|file| path.join(file).is_file())
        };
        let all = roots.iter().flat_map(|root| parents.iter().map(|parent| root.join(parent)));
        let mut all = all.flat_map(|parent| names.iter().map(move |name| parent.join(name)));
        all.find(|path| counts(path))
    }
}
