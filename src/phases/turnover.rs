//! Recognises workers whose processes are replaced as they work (`max_requests`, `maxtasksperchild`). Pure.

use std::collections::{BTreeSet, VecDeque};

use crate::sampler::ProcessId;

/// Turnover is counted over the last readings in which this many processes ended.
const ENDED: usize = 4;

/// Processes that serve fewer tasks than this show no growth of their own.
const LEAST_TASKS: f64 = 4.0;

/// Readings that a life should have.
const READINGS: f64 = 8.0;

/// The processes at the last few readings.
#[derive(Debug, Default)]
pub(super) struct Turnover {
    looks: VecDeque<Look>,
    last: BTreeSet<ProcessId>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    tasks: u32,
    ended: usize,
    alive: usize,
}

impl Turnover {
    /// Takes the processes below the roots that are `alive` after `tasks` tasks.
    pub(super) fn look(&mut self, tasks: u32, alive: BTreeSet<ProcessId>) {
        let ended = self.last.difference(&alive).count();
        self.looks.push_back(Look { tasks, ended, alive: alive.len() });
        self.last = alive;
        while self.looks.iter().skip(2).map(|look| look.ended).sum::<usize>() >= ENDED {
            self.looks.pop_front();
        }
    }

    /// The most tasks that may lie between two readings, so that each process has several of them in its life. Absent
    /// where processes are not replaced, or serve too few tasks.
    pub(super) fn most_tasks(&self) -> Option<u32> {
        let (first, last) = (self.looks.front()?, self.looks.back()?);
        let later = || self.looks.iter().skip(1);
        let ended: usize = later().map(|look| look.ended).sum();
        let (tasks, readings) = (f64::from(last.tasks - first.tasks), later().count() as f64);
        if ended == 0 || tasks <= 0.0 {
            return None;
        }
        // Where all of them were replaced between two readings, more may have lived and ended unseen.
        let alive = later().map(|look| look.alive).sum::<usize>() as f64 / readings;
        let each = tasks / ended as f64;
        (each >= LEAST_TASKS).then(|| (alive.max(1.0) * each / READINGS).max(1.0) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service of `workers` processes, each replaced after `life` tasks, read after every `step` tasks.
    fn most(workers: u32, life: u32, step: u32) -> Option<u32> {
        let mut turnover = Turnover::default();
        for tasks in (0..60 * step).step_by(step as usize) {
            let id = |worker: u32| {
                // Tasks go to the workers in turn.
                let served = (tasks + workers - 1 - worker) / workers;
                ProcessId { pid: 100 + worker, start_ticks: u64::from(served / life) }
            };
            turnover.look(tasks, (0..workers).map(id).collect());
        }
        turnover.most_tasks()
    }

    #[test]
    fn each_life_has_several_readings() {
        let around = |least: u32, found: Option<u32>| {
            assert!(found.is_some_and(|most| (least..=2 * least).contains(&most)), "{least}: {found:?}");
        };
        // 20 tasks see two lives, side by side.
        around(2, most(2, 10, 2));
        around(10, most(1, 100, 10));
        around(300, most(4, 1000, 600));
    }

    #[test]
    fn processes_that_stay_and_those_of_one_task_have_no_readings_of_their_own() {
        assert_eq!(most(2, 1_000_000, 2), None);
        assert_eq!(most(2, 1, 4), None);
        assert_eq!(Turnover::default().most_tasks(), None);
    }
}
