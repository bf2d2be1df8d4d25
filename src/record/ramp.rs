//! The tasks of the ramp, of which there may be millions: the sums of each attempt at a level.

use std::collections::BTreeMap;

use super::bulk::Bulk;
use super::event::Event;
use super::level::LevelMemory;
use super::level_tasks::LevelTasks;
use super::open::Sent;
use super::phase::Phase;
use super::task::TaskRecord;

/// The tasks of the ramp.
#[derive(Debug, Clone, Default)]
pub struct RampTasks {
    /// The sums of all.
    pub sums: Bulk,
    /// Those of each attempt at a level, in the order of the log of events.
    pub levels: Vec<LevelTasks>,
    /// Those of tasks that belong to no level of a log, by what they say of their concurrency, with the memory that
    /// they say. Of those sent alone, the last.
    pub alone: BTreeMap<u32, (LevelTasks, LevelMemory)>,
    /// True while the events are those of the last level.
    in_level: bool,
}

impl RampTasks {
    /// The place of the level that goes on, in which a task is sent now.
    pub(super) fn sent(&mut self, elapsed: f64) -> Option<usize> {
        let last = self.levels.len().checked_sub(1).filter(|_| self.in_level)?;
        let level = &mut self.levels[last];
        level.first_sent_s.get_or_insert(elapsed);
        level.sent += 1;
        Some(last)
    }

    /// When a task of the level at `place` is answered now, in seconds since its first was sent.
    pub(super) fn answered(&mut self, place: usize, elapsed: f64) -> f64 {
        let Some(level) = self.levels.get_mut(place) else { return 0.0 };
        level.answered += 1;
        (elapsed - level.first_sent_s.unwrap_or(elapsed)).max(0.0)
    }

    /// Follows the levels.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::LevelStarted { concurrency, attempt, .. } => {
                self.levels.push(LevelTasks::new(*concurrency, attempt.unwrap_or(1)));
                self.in_level = true;
            }
            Event::LevelEnded(_) | Event::Resumed { .. } | Event::RunStarted { .. } => self.in_level = false,
            _ => {}
        }
    }

    /// Takes a task of the ramp; returns any other.
    ///
    /// Files of the Python script do not name phases: there, the tasks before the first batch are returned, and those
    /// that were sent alone after it belong to no part of the run that is judged.
    pub(super) fn take(&mut self, task: TaskRecord, sent: Option<Sent>) -> Option<TaskRecord> {
        // A task with a condition asked whether the service had recovered.
        let named = task.phase == Some(Phase::Concurrency) && task.condition.is_none();
        if !named && task.phase.is_some() {
            return Some(task);
        }
        let own = (task.concurrency, task.attempt.unwrap_or(1));
        let by_itself = || self.levels.iter().position(|level| (level.concurrency, level.attempt) == own);
        let place = sent.as_ref().and_then(|sent| sent.level).or_else(by_itself).filter(|_| named);
        match place.and_then(|place| self.levels.get_mut(place)) {
            Some(level) => level.add(&task, sent.and_then(|sent| sent.answered_s)),
            None => self.take_alone(&task),
        }
        if !named && task.concurrency == 1 && self.sums.tasks == 0 {
            return Some(task);
        }
        self.sums.add(&task);
        None
    }

    fn take_alone(&mut self, task: &TaskRecord) {
        if task.concurrency == 1 {
            self.alone.remove(&1);
        }
        let new = || (LevelTasks::new(task.concurrency, 1), LevelMemory::default());
        let (tasks, memory) = self.alone.entry(task.concurrency).or_insert_with(new);
        tasks.add(task, None);
        memory.before_mb = memory.before_mb.or(task.worker_rss_before_mb);
        memory.after_mb = task.worker_rss_after_mb.or(memory.after_mb);
        memory.peak_mb =
            [memory.peak_mb, task.worker_rss_peak_mb].into_iter().flatten().max_by(f64::total_cmp);
        memory.before = memory.before.or(task.worker_before);
        memory.after = task.worker_after.or(memory.after);
    }

    /// Adds those of a run that went on from this one.
    pub(super) fn merge(&mut self, other: RampTasks) {
        self.sums.merge(other.sums);
        self.levels.extend(other.levels);
        for (concurrency, (tasks, memory)) in other.alone {
            self.alone.insert(concurrency, (tasks, memory));
        }
        self.in_level = other.in_level;
    }
}
