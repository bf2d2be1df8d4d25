//! The figures of a run that another run is compared with.

use serde::{Deserialize, Serialize};

use super::block::BlockReading;
use super::retained::MemoryFigures;

/// What a comparison needs of one run: small enough to lie in the log of the
/// run that is compared with it, so that this log can be judged without the other's files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// Name of the file that the figures are from.
    pub file: String,
    /// The tasks of the leak check, in their order; those of a probe's condition are left out.
    pub tasks: Vec<TaskFigures>,
    /// What the first task of each input kept, added up, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up_mb: Option<f64>,
    /// Highest RSS of the worker role that was seen in the leak check, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mb: Option<f64>,
    /// Median real-time factor of the tasks after warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtf: Option<f64>,
    /// Median seconds of the tasks after warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Tasks that did not succeed.
    #[serde(default)]
    pub failed: usize,
    /// True if a worker died or was replaced in the leak check, so that its memory is of two processes.
    #[serde(default)]
    pub worker_changed: bool,
    /// The readings after the blocks of tasks that followed those tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockReading>,
    /// True if the check ended early because every repeat kept too much, so that few tasks are all there are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_as_certain: bool,
}

/// What the worker's tree held after one task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// What was sent: tasks with the same are repeats of each other.
    pub input: String,
    /// RSS in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_mb: Option<f64>,
    /// Private memory (anonymous and swapped) in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_mb: Option<f64>,
    /// The sum of the PSS in MB, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pss_mb: Option<f64>,
    /// The sum of its anonymous part in MB: private memory, with what processes share after a fork counted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pss_anon_mb: Option<f64>,
    /// Mapped shared memory (segments, memfds, files in a tmpfs) in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shmem_mb: Option<f64>,
    /// Open file descriptors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fds: Option<f64>,
    /// Threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<f64>,
}

impl From<&TaskFigures> for MemoryFigures {
    fn from(task: &TaskFigures) -> MemoryFigures {
        let TaskFigures { rss_mb, private_mb, pss_mb, pss_anon_mb, shmem_mb, .. } = *task;
        MemoryFigures { rss_mb, private_mb, pss_mb, pss_anon_mb, shmem_mb }
    }
}
