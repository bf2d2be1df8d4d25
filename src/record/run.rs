//! All that the files of one run say, in memory.

use std::collections::HashMap;

use serde::Serialize;

use super::bulk::Bulk;
use super::event::{Event, EventRecord};
use super::exit::ExitKind;
use super::groups::ReadTasks;
use super::open::OpenTasks;
use super::phase::Phase;
use super::ramp::RampTasks;
use super::samples::{ResourceRow, Samples};
use super::task::TaskRecord;

/// Events that are kept of processes that came and went, such as a child for each task.
const CHILDREN: usize = 20_000;

/// Everything that the files of one run say.
#[derive(Debug, Clone, Default)]
pub struct RunData {
    /// Name of the task file.
    pub file: String,
    /// The tasks that are kept one by one, in the order in which they ended: those of the leak check that have a reading
    /// each, and those of probes.
    pub tasks: Vec<TaskRecord>,
    /// The tasks of the ramp, of which only sums are kept.
    pub ramp: RampTasks,
    /// The tasks of the soak, of which only sums are kept.
    pub soaked: Bulk,
    /// The tasks of the leak check's blocks, and those of its groups, of which only sums are kept.
    pub in_blocks: Bulk,
    /// The tasks of the leak check that had a reading each.
    pub read: ReadTasks,
    /// Tasks that were sent and have no line.
    pub open: OpenTasks,
    /// The events but for the beginnings and ends of tasks, empty if there is no log of them.
    pub events: Vec<EventRecord>,
    /// The samples of each part of the run, in their order; those of a part without a CSV are empty.
    pub samples: Vec<Samples>,
    /// Lines that could not be read.
    pub damage: Vec<Damage>,
    /// Companion files that were not there.
    pub missing: Vec<String>,
    /// True while the events are those of the leak check.
    pub in_leak_check: bool,
    /// Events of processes that came and went.
    pub children: usize,
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
    /// Takes a task that has ended, after the events that came before its end.
    pub fn take(&mut self, task: TaskRecord) {
        let sent = self.open.take(&task.test_id);
        if sent.is_none() && task.block.is_none() && !self.events.is_empty() {
            self.open.early(&task.test_id);
        }
        match task.phase {
            Some(Phase::Soak) => self.soaked.add(&task),
            _ if Bulk::is_for(&task) => self.in_blocks.add(&task),
            _ => {
                let Some(task) = self.ramp.take(task, sent) else { return };
                self.keep(task);
            }
        }
    }

    /// Keeps a task, or its sums where too many are kept.
    pub(super) fn keep(&mut self, task: TaskRecord) {
        if !ReadTasks::is_for(&task) || self.read.take(&task, &mut self.events) {
            self.tasks.push(task);
        } else {
            self.in_blocks.add_read(&task);
        }
    }

    /// Takes an event.
    ///
    /// Of those that there are for each task, only what is known of the task is kept; the latest is the last of all
    /// events until another one comes, since it says how long the run has gone on.
    pub fn note(&mut self, record: EventRecord) {
        let of_task = |event: &Event| matches!(event, Event::TaskStarted { .. } | Event::TaskAnswered { .. });
        if self.events.last().is_some_and(|last| of_task(&last.event) && !self.in_leak_check) {
            self.events.pop();
        }
        match &record.event {
            Event::PhaseStarted { phase, .. } => self.in_leak_check = *phase == Phase::Leak,
            Event::PhaseEnded { .. } | Event::RunStarted { .. } => self.in_leak_check = false,
            Event::TaskStarted { test_id } => {
                let level = self.ramp.sent(record.elapsed);
                self.open.sent(test_id, level);
            }
            Event::TaskAnswered { test_id, .. } => {
                let ramp = &mut self.ramp;
                self.open.answered(test_id, |level| ramp.answered(level, record.elapsed));
            }
            // The line of the task has how often.
            Event::TaskRetried { .. } => return,
            Event::ProcessExited {
                root: false, how: ExitKind::OutOfMemory | ExitKind::Signal(_), ..
            } => {}
            Event::ProcessFound { root: false, .. } | Event::ProcessExited { root: false, .. } => {
                self.children += 1;
                if self.children > CHILDREN {
                    return;
                }
            }
            event => self.ramp.note(event),
        }
        self.events.push(record);
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
        self.tasks.len() as u64 + self.ramp.sums.tasks + self.soaked.tasks + self.in_blocks.tasks
    }

    /// The first event, if it is the one that tells of the run's start.
    pub fn start(&self) -> Option<&Event> {
        self.events
            .first()
            .map(|record| &record.event)
            .filter(|event| matches!(event, Event::RunStarted { .. }))
    }
}
