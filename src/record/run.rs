//! All that the files of one run say, in memory.

use std::collections::HashMap;

use serde::Serialize;

use super::bulk::Bulk;
use super::event::{Event, EventRecord};
use super::phase::Phase;
use super::samples::{ResourceRow, Samples};
use super::task::TaskRecord;

/// Everything that the files of one run say.
#[derive(Debug, Clone, Default)]
pub struct RunData {
    /// Name of the task file.
    pub file: String,
    /// The tasks that are kept one by one, in the order in which they ended.
    pub tasks: Vec<TaskRecord>,
    /// The tasks of the soak, of which only sums are kept.
    pub soaked: Bulk,
    /// The tasks of the leak check's blocks, of which only sums are kept.
    pub in_blocks: Bulk,
    /// The events, empty if there is no log of them.
    pub events: Vec<EventRecord>,
    /// The samples of each part of the run, in their order; those of a part without a CSV are empty.
    pub samples: Vec<Samples>,
    /// Lines that could not be read.
    pub damage: Vec<Damage>,
    /// Companion files that were not there.
    pub missing: Vec<String>,
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
    /// Takes a task that has ended.
    pub fn take(&mut self, task: TaskRecord) {
        match task.phase {
            Some(Phase::Soak) => self.soaked.add(&task),
            _ if Bulk::is_for(&task) => self.in_blocks.add(&task),
            _ => self.tasks.push(task),
        }
    }

    /// Takes a row of samples: of the role that the events so far name for its process.
    pub fn sampled(&mut self, row: &ResourceRow) {
        if self.samples.is_empty() {
            self.samples.push(Samples::default());
        }
        let role_of = self.roles();
        if let Some(samples) = self.samples.last_mut() {
            samples.take(row, &role_of);
        }
    }

    /// Which role a process plays, by its pid; the last, where a pid was given out again.
    pub(crate) fn roles(&self) -> HashMap<u32, String> {
        let role = |record: &EventRecord| match &record.event {
            Event::ProcessFound { role, pid, .. } => Some((*pid, role.clone())),
            _ => None,
        };
        self.events.iter().filter_map(role).collect()
    }

    /// Tasks that have ended, in all.
    pub fn ended(&self) -> u64 {
        self.tasks.len() as u64 + self.soaked.tasks + self.in_blocks.tasks
    }

    /// The first event, if it is the one that tells of the run's start.
    pub fn start(&self) -> Option<&Event> {
        self.events
            .first()
            .map(|record| &record.event)
            .filter(|event| matches!(event, Event::RunStarted { .. }))
    }
}
