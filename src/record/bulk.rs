//! Tasks of which only sums are kept: those of a soak and those of blocks, of which there may be millions.

use std::collections::BTreeMap;

use super::phase::Phase;
use super::task::{TaskRecord, TaskStatus};
use super::times::Times;

/// Failed tasks that are kept one by one.
const FAILED_KEPT: usize = 1000;

/// The sums of tasks.
#[derive(Debug, Clone, Default)]
pub struct Bulk {
    /// Tasks that ended.
    pub tasks: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed for want of something on highwater's own machine.
    pub failed_here: u64,
    /// The first that did not succeed.
    pub failed: Vec<TaskRecord>,
    /// Time from submission to result of those that succeeded.
    pub times: Times,
    /// Tasks that were sent again.
    pub retried: u64,
    /// How often, in all.
    pub retries: u64,
    /// Tasks that were outstanding at once.
    pub concurrency: Option<u32>,
    /// By block: its tasks, and the new inputs among them.
    pub blocks: BTreeMap<u32, (u64, u64)>,
    /// The last second in their names, by what stands before it.
    pub seconds: BTreeMap<String, i64>,
    /// The highest number in the order of the run.
    pub sequence: u32,
    /// True if the following are of those with a long input alone, since there are such.
    pub long: bool,
    /// What memory rose by over those with a reading of their own, in MB; no less than 0.
    pub deltas: Times,
    /// Those of them of which the rise is not known.
    pub no_delta: u64,
    /// The one with the largest rise.
    pub largest: Option<TaskRecord>,
    /// Highest RSS that was seen while one of them ran, in MB.
    pub peak_mb: Option<f64>,
    /// The first of them that ran into its time limit.
    pub timed_out: Option<String>,
}

impl Bulk {
    /// True if `task` is one of those of which only sums are kept.
    pub fn is_for(task: &TaskRecord) -> bool {
        match task.phase {
            Some(Phase::Soak) => true,
            Some(Phase::Leak) => task.block.is_some(),
            _ => false,
        }
    }

    /// Counts `task`.
    pub fn add(&mut self, task: &TaskRecord) {
        self.tasks += 1;
        self.concurrency.get_or_insert(task.concurrency);
        self.sequence = self.sequence.max(task.sequence.unwrap_or(0));
        if let Some((front, second)) = task.id_parts() {
            match self.seconds.get_mut(front) {
                Some(last) => *last = second.max(*last),
                None => drop(self.seconds.insert(front.to_string(), second)),
            }
        }
        if let Some(block) = task.block {
            let (all, new) = self.blocks.entry(block).or_default();
            *all += 1;
            *new += u64::from(task.new_input);
        }
        if let Some(retries) = task.retries {
            self.retried += 1;
            self.retries += u64::from(retries);
        }
        if task.succeeded() {
            self.succeeded += 1;
            if task.phase == Some(Phase::Soak)
                && let Some(seconds) = task.processing_time
            {
                self.times.add(seconds);
            }
            return;
        }
        self.failed_here += u64::from(task.failed_here());
        if self.failed.len() < FAILED_KEPT {
            self.failed.push(task.clone());
        }
    }

    /// Counts `task`, which had a reading of its own.
    pub fn add_read(&mut self, task: &TaskRecord) {
        self.add(task);
        let (all, new) = self.blocks.entry(0).or_default();
        *all += 1;
        *new += u64::from(task.new_input);
        self.peak_mb = [self.peak_mb, task.worker_rss_peak_mb].into_iter().flatten().max_by(f64::total_cmp);
        if task.is_long() != self.long {
            if self.long {
                return;
            }
            // From the first long one on, only those are judged.
            (self.long, self.deltas, self.no_delta) = (true, Times::default(), 0);
            (self.largest, self.timed_out) = (None, None);
        }
        if task.status == TaskStatus::Timeout && self.timed_out.is_none() {
            self.timed_out = Some(task.test_id.clone());
        }
        let Some(delta_mb) = task.worker_rss_delta_mb else {
            self.no_delta += 1;
            return;
        };
        self.deltas.add(delta_mb.max(0.0));
        let most_mb = self.largest.as_ref().and_then(|largest| largest.worker_rss_delta_mb);
        if most_mb.is_none_or(|most_mb| delta_mb > most_mb) {
            self.largest = Some(task.clone());
        }
    }

    /// Counts all of `other`, which came later.
    pub fn merge(&mut self, other: Bulk) {
        self.tasks += other.tasks;
        self.succeeded += other.succeeded;
        self.failed_here += other.failed_here;
        self.retried += other.retried;
        self.retries += other.retries;
        self.concurrency = self.concurrency.or(other.concurrency);
        self.sequence = self.sequence.max(other.sequence);
        self.failed.extend(other.failed);
        self.failed.truncate(FAILED_KEPT);
        self.times.merge(&other.times);
        self.long |= other.long;
        self.deltas.merge(&other.deltas);
        self.no_delta += other.no_delta;
        self.peak_mb = [self.peak_mb, other.peak_mb].into_iter().flatten().max_by(f64::total_cmp);
        self.timed_out = self.timed_out.take().or(other.timed_out);
        let most_mb = |task: &TaskRecord| task.worker_rss_delta_mb.unwrap_or(f64::NEG_INFINITY);
        self.largest = [self.largest.take(), other.largest]
            .into_iter()
            .flatten()
            .max_by(|a, b| most_mb(a).total_cmp(&most_mb(b)));
        for (block, (all, new)) in other.blocks {
            let own = self.blocks.entry(block).or_default();
            *own = (own.0 + all, own.1 + new);
        }
        for (front, second) in other.seconds {
            let last = self.seconds.entry(front).or_insert(second);
            *last = second.max(*last);
        }
    }

    /// Those that did not succeed.
    pub fn failures(&self) -> u64 {
        self.tasks - self.succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::task;

    #[test]
    fn a_million_tasks_are_a_few_sums() {
        let mut good = task("short", 16, 0.001);
        (good.phase, good.sequence) = (Some(Phase::Soak), Some(9));
        let mut bulk = Bulk::default();
        for _ in 0..100_000 {
            bulk.add(&good);
        }
        let bad = TaskRecord { status: TaskStatus::Failed, retries: Some(2), ..good.clone() };
        for _ in 0..5000 {
            bulk.add(&bad);
        }
        assert_eq!((bulk.tasks, bulk.succeeded, bulk.failures()), (105_000, 100_000, 5000));
        assert_eq!((bulk.failed.len(), bulk.retried, bulk.retries), (FAILED_KEPT, 5000, 10_000));
        assert_eq!((bulk.concurrency, bulk.times.count(), bulk.sequence), (Some(16), 100_000, 9));
        assert_eq!(bulk.seconds, BTreeMap::from([("short_c16".to_string(), 1_765_322_145)]));
        let mut twice = bulk.clone();
        twice.merge(bulk);
        assert_eq!((twice.tasks, twice.failures(), twice.failed.len()), (210_000, 10_000, FAILED_KEPT));
    }
}
