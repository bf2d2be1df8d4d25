//! The memory of the processes of a role whose processes are replaced while it works.

use serde::{Deserialize, Serialize};

/// The live processes below the worker role's roots, after a task or a block of the leak check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LivesReading {
    /// Tasks of the leak check that had ended by then.
    pub tasks: u32,
    /// Those processes whose memory could be read.
    pub processes: Vec<Life>,
}

/// One process at one moment of its life.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the pid, its identity.
    pub start: u64,
    /// Its private resident memory, in MB.
    pub private_mb: f64,
}
