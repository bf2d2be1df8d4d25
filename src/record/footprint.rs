//! What a tree of processes holds at one moment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::retained::{MemoryFigures, Retained};

/// What all processes of a role hold together at one moment.
///
/// A figure that could not be read, for one process or for all, is absent: a sum
/// that silently leaves a process out would be a smaller number, not a missing one.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Footprint {
    /// Sum of the RSS, in MB; a page that two processes share counts twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_mb: Option<f64>,
    /// Sum of the private memory (anonymous and swapped), in MB. A page from before a fork that neither
    /// side has written to since counts in both processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_mb: Option<f64>,
    /// Sum of the PSS, in MB: shared pages count once for the tree. Absent where reading it would have
    /// stalled the service for longer than its budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pss_mb: Option<f64>,
    /// Sum of the anonymous part of the PSS, swapped or not, in MB: private memory with the pages that
    /// processes share after a fork counted once for the tree. It is had where `pss_mb` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pss_anon_mb: Option<f64>,
    /// Shared memory of the tree that is mapped (segments, memfds, files in a tmpfs), in MB: by its part in the PSS
    /// where that was read, else the sum over the processes. Pages of other files are not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shmem_mb: Option<f64>,
    /// Open file descriptors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fds: Option<u64>,
    /// Threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Processes that are alive, the roots among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Children that have ended and that nobody has waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zombies: Option<u64>,
    /// Heap in use after a collection, in MB, over the role's processes. Present if the runtime collects before
    /// readings (`settle.collect`) and reports the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_mb: Option<f64>,
    /// CPU time, user and system, that the role's processes used since the watching began, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// GPU memory of the role's processes, in MB, over all devices. Absent if no process of the role has been on a
    /// GPU, or if the driver does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_mb: Option<f64>,
}

impl Footprint {
    /// What is resident besides private memory, in MB: shared segments and mapped files, by the sums over
    /// the processes.
    pub fn shared_mb(&self) -> Option<f64> {
        Some((self.rss_mb? - self.private_mb?).max(0.0))
    }

    /// The private memory of the tree at both moments in MB, by the better figure that both have
    /// ([`Retained::common`]).
    pub fn private_of_both(before: &Footprint, after: &Footprint) -> Option<(f64, f64)> {
        let both = [before.into(), after.into()];
        let figure = Retained::common(both.into_iter()).filter(|figure| *figure != Retained::Rss)?;
        Some((figure.of(both[0])?, figure.of(both[1])?))
    }
}

impl From<&Footprint> for MemoryFigures {
    fn from(held: &Footprint) -> MemoryFigures {
        let Footprint { rss_mb, private_mb, pss_mb, pss_anon_mb, shmem_mb, .. } = *held;
        MemoryFigures { rss_mb, private_mb, pss_mb, pss_anon_mb, shmem_mb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_figures_are_never_mixed() {
        let held = |private_mb, pss_anon_mb| Footprint { private_mb, pss_anon_mb, ..Footprint::default() };
        let both = Footprint::private_of_both;
        assert_eq!(both(&held(Some(9.0), Some(5.0)), &held(Some(8.0), Some(4.0))), Some((5.0, 4.0)));
        assert_eq!(both(&held(Some(9.0), Some(5.0)), &held(Some(8.0), None)), Some((9.0, 8.0)));
        assert_eq!(both(&held(None, Some(5.0)), &held(Some(8.0), None)), None);
    }
}
