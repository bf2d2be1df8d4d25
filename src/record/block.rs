//! A reading of the leak check after a block of tasks.

use serde::{Deserialize, Serialize};

use super::footprint::Footprint;

/// Memory after a block of tasks that were sent one after another, without a reading between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlockReading {
    /// Which block of the check, from 1.
    pub block: u32,
    /// Tasks of the leak check that had ended by then, those before the block among them.
    pub tasks: u32,
    /// Seconds since the leak check began.
    pub seconds: f64,
    /// Seconds that the tasks of the block took, without the wait for quiet memory.
    pub busy_seconds: f64,
    /// False where memory was still moving when it had to be read.
    pub settled: bool,
    /// All that the worker role's tree held then; null if no worker was alive, or another than before.
    pub worker: Option<Footprint>,
    /// The least RSS of the role that was seen while the block ran, in MB: what is left when the tasks' own memory
    /// and what a collector has not yet freed are least. Absent where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_rss_mb: Option<f64>,
    /// Tasks of the leak check that had ended at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_tasks: Option<u32>,
}

/// A wait without tasks after the blocks of a leak check, which shows whether memory grows with time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IdleReading {
    /// Seconds without a task.
    pub seconds: f64,
    /// All that the worker role's tree held when it began; null if no worker was alive.
    pub before: Option<Footprint>,
    /// The same when it ended; null if no worker was alive, or another than before.
    pub worker: Option<Footprint>,
}
