//! All that the files of one run say, in memory.

use serde::{Deserialize, Serialize};

use super::event::{Event, EventRecord};
use super::task::TaskRecord;

/// Everything that the files of one run say.
#[derive(Debug, Clone, Default)]
pub struct RunData {
    /// Name of the task file.
    pub file: String,
    /// The tasks, in the order in which they ended.
    pub tasks: Vec<TaskRecord>,
    /// The events, empty if there is no log of them.
    pub events: Vec<EventRecord>,
    /// The samples, empty if there is no CSV.
    pub resources: Vec<ResourceRow>,
    /// Lines that could not be read.
    pub damage: Vec<Damage>,
    /// Companion files that were not there.
    pub missing: Vec<String>,
}

/// One row of `system_resources_<stamp>.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// Local time of the sample.
    pub timestamp: String,
    /// Seconds since the sampler started.
    pub elapsed_seconds: f64,
    /// Name of the process.
    pub process_name: String,
    /// Its process id.
    pub pid: u32,
    /// CPU use since its previous sample, in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory in MB.
    pub memory_rss_mb: f64,
    /// Resident memory in percent of the machine's.
    pub memory_percent: f64,
}

/// A line that could not be read; everything else counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Name of the file.
    pub file: String,
    /// Number of the line, from 1.
    pub line: usize,
    /// True for a last line that was cut off in mid-write.
    pub torn: bool,
    /// What the parser said.
    pub reason: String,
}

impl RunData {
    /// The first event, if it is the one that tells of the run's start.
    pub fn start(&self) -> Option<&Event> {
        self.events
            .first()
            .map(|record| &record.event)
            .filter(|event| matches!(event, Event::RunStarted { .. }))
    }
}
