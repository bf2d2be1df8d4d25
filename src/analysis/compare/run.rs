//! One run of one signal, and the increments of its floors.

use std::collections::BTreeSet;

use super::figures::figures_of;
use crate::analysis::block_points::with_floors;
use crate::analysis::growth::increments_of_floors;
use crate::record::{BlockReading, RunFigures, TaskFigures};

/// Batches that the tasks after warm-up are cut into, at most.
const BATCHES: usize = 8;

/// The second half of a leak grows at no less than this share of the first; what fills slows down.
pub(super) const STEADY: f64 = 0.5;

/// One run of one signal: what was sent, and what was read after it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) inputs: Vec<String>,
    pub(super) values: Vec<f64>,
    /// Tasks that had ended at each reading, where some were sent in blocks; else empty.
    pub(super) places: Vec<f64>,
    /// The check ended early because every repeat kept too much.
    pub(super) certain: bool,
    /// Tasks and blocks with a reading.
    pub(super) read: usize,
}

impl Run {
    /// The readings that `pick` takes; nothing if one is missing before the last that is there.
    ///
    /// `floors`: whether the lowest memory within a block is a reading, too.
    pub(super) fn of(
        run: &RunFigures,
        pick: &dyn Fn(&TaskFigures) -> Option<f64>,
        floors: bool,
    ) -> Option<Run> {
        let after_blocks = run.blocks.iter().map(|block| figures_of(&block.worker.unwrap_or_default()));
        let all: Vec<TaskFigures> = run.tasks.iter().cloned().chain(after_blocks).collect();
        let read = all.iter().rposition(|task| pick(task).is_some())? + 1;
        let tasks = &all[..read];
        let values: Vec<f64> = tasks.iter().map(pick).collect::<Option<_>>()?;
        let inputs = tasks.iter().map(|task| task.input.clone()).collect();
        if read <= run.tasks.len() {
            return Some(Run { inputs, values, places: Vec::new(), certain: run.ended_as_certain, read });
        }
        let quiet = |block| BlockReading { floor_rss_mb: None, floor_tasks: None, ..block };
        let blocks: Vec<BlockReading> =
            run.blocks.iter().map(|block| if floors { *block } else { quiet(*block) }).collect();
        let placed = with_floors(run.tasks.len(), &blocks.iter().collect::<Vec<_>>(), &values);
        Some(Run {
            inputs,
            values: placed.iter().map(|placed| placed.mb).collect(),
            places: placed.iter().map(|placed| placed.at).collect(),
            certain: run.ended_as_certain,
            read,
        })
    }

    pub(super) fn first(&self, tasks: usize) -> Run {
        Run { inputs: self.inputs[..tasks].to_vec(), values: self.values[..tasks].to_vec(), ..self.clone() }
    }

    /// True if there is a reading after each task, and the check took its whole course.
    pub(super) fn is_plain(&self) -> bool {
        self.places.is_empty() && !self.certain
    }

    /// True if the tasks after warm-up do not make [`BATCHES`] batches with each recording in every batch: the growth
    /// of single recordings is then known better than that of batches.
    pub(super) fn is_few(&self) -> bool {
        let recordings = self.recordings();
        let repeated = recordings > 0 && 2 * recordings <= self.values.len();
        self.certain
            || (repeated
                && self.values.len().saturating_sub(warm_up(self.values.len())) < BATCHES * recordings.max(1)
                && (recordings > 1 || increments(&self.values).is_none()))
    }

    /// Tasks and blocks with a reading.
    pub(super) fn readings(&self) -> usize {
        self.read
    }

    /// Different inputs.
    pub(super) fn recordings(&self) -> usize {
        self.inputs.iter().collect::<BTreeSet<_>>().len()
    }

    /// What the readings of `other` are above these, where both were sent the same.
    pub(super) fn to(&self, other: &Run) -> Run {
        let values = self.values.iter().zip(&other.values).map(|(before, after)| after - before).collect();
        Run { inputs: self.inputs.clone(), values, places: Vec::new(), certain: false, read: self.read }
    }

    /// Tasks that were sent, warm-up included.
    pub(super) fn sent(&self) -> usize {
        self.places.last().map_or(self.values.len(), |tasks| *tasks as usize)
    }
}

/// The increments of a run's floors per task, and the tasks that they are owed to.
pub(super) fn increments(values: &[f64]) -> Option<(Vec<f64>, usize)> {
    let found = increments_of_floors(values.get(warm_up(values.len())..)?, BATCHES)?;
    Some((found.per_task, found.tasks))
}

/// Of so many tasks, those that are left out as warm-up.
fn warm_up(tasks: usize) -> usize {
    tasks.div_ceil(5).max(3)
}

/// True if increments in the direction of `sign` are much smaller in the second half.
pub(super) fn slows(increments: &[f64], sign: f64) -> bool {
    let mean = |part: &[f64]| sign * part.iter().sum::<f64>() / part.len() as f64;
    let (early, late) = increments.split_at(increments.len().div_ceil(2));
    mean(late) < STEADY * mean(early)
}
