//! The tasks of a batch: their names, and what tasks that run together have in common.

use std::time::{Duration, Instant};

use super::driver::Ended;
use super::line::{MemoryAround, TaskPlace, task_line};
use super::recorder::Recorder;
use super::rig::Rig;
use super::settle::Settled;
use super::workers::Mark;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::record::Phase;

/// The pause before a task that replaces a failed one: a service that refuses at once must not be
/// flooded.
pub(super) const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// The ids of a batch of `concurrency` tasks with `stem`.
pub(super) fn batch_ids(recorder: &Recorder, stem: &str, concurrency: u32, batch: bool) -> Vec<String> {
    let ids = BatchIds::new(recorder, stem, concurrency, batch);
    (0..concurrency).map(|index| ids.id(index)).collect()
}

/// The ids of a batch of tasks.
pub(super) struct BatchIds {
    front: String,
    second: i64,
    batch: bool,
}

impl BatchIds {
    /// Those of `concurrency` tasks at once with `stem`; a single task has no index.
    pub(super) fn new(recorder: &Recorder, stem: &str, concurrency: u32, batch: bool) -> BatchIds {
        let front = format!("{stem}_c{concurrency}");
        let second = recorder.batch_second(&front);
        BatchIds { front, second, batch }
    }

    /// The id of the task with this index.
    pub(super) fn id(&self, index: u32) -> String {
        let BatchIds { front, second, batch } = self;
        if *batch { format!("{front}_t{index}_{second}") } else { format!("{front}_{second}") }
    }
}

/// The common properties of tasks that are outstanding together.
pub(super) struct Together<'a> {
    pub(super) phase: Phase,
    pub(super) concurrency: u32,
    /// The number of the attempt at the level, from 1.
    pub(super) attempt: u32,
    /// Memory before the first task.
    pub(super) before: &'a Settled,
    pub(super) mark: Mark,
}

impl Together<'_> {
    /// Records a task that has ended.
    ///
    /// "After" is the memory at this moment, quiet or not: the line goes to the disk at once and
    /// does not wait for the other tasks.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the line cannot be written.
    pub(super) async fn record(&self, rig: &Rig, test_id: String, ended: &Ended) -> Result<()> {
        let input = rig.inputs.get(rig.plan.ramp.audio);
        let after = &rig.memory.now(self.concurrency > 1).await?;
        let peak_mb = rig.memory.peak_mb(WORKER, ended.started, Instant::now());
        let place = TaskPlace { test_id, phase: self.phase, concurrency: self.concurrency };
        let memory = MemoryAround { before: self.before, after, peak_mb };
        let mut line = task_line(place, input, ended, &memory);
        line.attempt = (self.attempt > 1).then_some(self.attempt);
        rig.recorder.task(line).await.map(drop)
    }
}
