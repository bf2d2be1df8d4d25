//! Decides what the leak check sends next. Pure, without a clock.

use crate::plan::LeakPlan;

/// With each block the number of tasks grows by this share, so that it doubles every four readings.
const SHARE: f64 = 0.19;

/// The most that a block may add to the service's memory, in MB: a large leak needs no long block.
const GROWTH_MB: f64 = 128.0;

/// Where each life of a process has readings of its own, this many times as many are taken.
const LIVES: u32 = 4;

/// The progress of the check, and its knowledge of the service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Tasks of the check that have ended.
    pub(super) tasks: u32,
    /// Readings after warm-up.
    pub(super) readings: u32,
    /// Seconds that the check has taken.
    pub(super) seconds: f64,
    /// Seconds that a task takes.
    pub(super) task_s: f64,
    /// Tasks were sent in blocks already. Single ones after them would have readings out of their order.
    pub(super) begun: bool,
    /// Seconds that memory must be quiet before it is read.
    pub(super) quiet_s: f64,
    /// Growth so far, in MB per task.
    pub(super) mb_per_task: f64,
    /// The worker's processes had several readings in each of their lives.
    pub(super) in_lives: bool,
    /// The most tasks between two readings, where the worker's processes are replaced as they work.
    pub(super) most_tasks: Option<u32>,
    /// The state of the verdict.
    pub(super) known: Known,
}

/// The state of the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// More tasks are not expected to change it.
    Decided,
    /// Clean, and more tasks could exclude smaller leaks.
    Clean,
    /// Anything else.
    Open,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Each input once, with a reading around each task.
    Round,
    /// A block of this many tasks, with one reading after them.
    Block(u32),
    /// The verdict cannot become better.
    Done,
    /// The verdict is open, and a bound was reached.
    Bound(Bound),
}

/// The bounds of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// `leak.max_repeats`.
    Repeats,
    /// `leak.max_s`.
    Seconds,
    /// `leak.for_s`.
    For,
    /// `leak.max_tasks`.
    Tasks,
}

impl Progress {
    /// True if tasks are sent in blocks because they take less time than the wait for quiet memory.
    pub(super) fn in_blocks(&self, plan: &LeakPlan) -> bool {
        plan.for_s > 0.0 && (self.begun || self.task_s < self.quiet_s)
    }

    /// The next step after the repeats.
    pub(super) fn next(&self, plan: &LeakPlan) -> Next {
        let blocks = self.in_blocks(plan);
        match self.known {
            Known::Decided => return Next::Done,
            // The first half of the time is for small leaks, all of it for what is open.
            Known::Clean if !blocks || self.seconds >= plan.for_s / 2.0 => return Next::Done,
            Known::Clean | Known::Open => {}
        }
        let repeats = if self.in_lives { LIVES * plan.max_repeats } else { plan.max_repeats };
        if self.readings >= repeats {
            return Next::Bound(Bound::Repeats);
        }
        if self.tasks >= plan.max_tasks {
            return Next::Bound(Bound::Tasks);
        }
        if self.seconds >= plan.max_s {
            return Next::Bound(Bound::Seconds);
        }
        if !blocks {
            return Next::Round;
        }
        if self.seconds + self.quiet_s + self.task_s >= plan.for_s {
            return Next::Bound(Bound::For);
        }
        Next::Block(self.length(plan))
    }

    fn length(&self, plan: &LeakPlan) -> u32 {
        let task_s = self.task_s.max(1e-4);
        let wanted = (SHARE * f64::from(self.tasks)).max(self.quiet_s / task_s);
        let spared = if self.mb_per_task > 0.0 { GROWTH_MB / self.mb_per_task } else { f64::INFINITY };
        let fits = (plan.for_s.min(plan.max_s) - self.seconds - self.quiet_s) / task_s;
        let left = f64::from(plan.max_tasks - self.tasks);
        let wanted = wanted.min(self.most_tasks.map_or(f64::INFINITY, f64::from));
        wanted.min(spared).min(fits).min(left).clamp(1.0, f64::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(tasks: u32, seconds: f64, task_s: f64) -> Progress {
        let readings = 10;
        let (quiet_s, mb_per_task, known) = (0.5, 0.0, Known::Open);
        let (begun, in_lives, most_tasks) = (false, false, None);
        Progress {
            tasks,
            readings,
            seconds,
            task_s,
            begun,
            quiet_s,
            mb_per_task,
            in_lives,
            most_tasks,
            known,
        }
    }

    /// The tasks, readings and seconds that the check takes if the verdict stays open.
    fn whole(task_s: f64) -> (u32, u32, f64, f64) {
        let plan = LeakPlan::default();
        let mut now = Progress { readings: 5, ..progress(6, 7.0, task_s) };
        let mut busy = 0.0;
        while let Next::Block(tasks) = now.next(&plan) {
            busy += f64::from(tasks) * task_s;
            now.seconds += f64::from(tasks) * task_s + 0.55;
            now.tasks += tasks;
            now.readings += 1;
        }
        (now.tasks, now.readings, now.seconds, busy)
    }

    #[test]
    fn waiting_takes_at_most_half_of_the_time_and_the_bound_holds() {
        for task_s in [0.001, 0.01, 0.04, 0.2, 0.4] {
            let (tasks, readings, seconds, busy) = whole(task_s);
            assert!(busy >= 0.4 * seconds, "{busy} of {seconds} s at {task_s} s a task");
            assert!(seconds <= LeakPlan::default().for_s + 1.0, "{seconds}");
            assert!(f64::from(tasks) >= (50.0 / task_s).min(1000.0), "{tasks} tasks of {task_s} s");
            assert!(readings <= 50);
        }
    }

    #[test]
    fn slow_tasks_have_a_reading_each_as_ever() {
        let plan = LeakPlan::default();
        assert_eq!(progress(8, 20.0, 0.6).next(&plan), Next::Round);
        assert_eq!(progress(8, 3500.0, 734.0).next(&plan), Next::Round);
        assert_eq!(progress(8, 3600.0, 734.0).next(&plan), Next::Bound(Bound::Seconds));
        let begun = Progress { begun: true, ..progress(60, 20.0, 0.6) };
        assert!(matches!(begun.next(&plan), Next::Block(_)), "a service that became slower stays in blocks");
        let many = Progress { readings: 50, ..progress(51, 90.0, 0.6) };
        assert_eq!(many.next(&plan), Next::Bound(Bound::Repeats));
        let without = LeakPlan { for_s: 0.0, ..plan };
        assert_eq!(progress(8, 20.0, 0.01).next(&without), Next::Round);
    }

    #[test]
    fn processes_that_are_replaced_have_short_blocks_and_more_of_them() {
        let plan = LeakPlan::default();
        let replaced = Progress { in_lives: true, most_tasks: Some(2), ..progress(60, 20.0, 0.01) };
        assert_eq!(replaced.next(&plan), Next::Block(2));
        assert_eq!(Progress { readings: 60, ..replaced }.next(&plan), Next::Block(2));
        let known = Progress { readings: 60, most_tasks: None, ..replaced }.next(&plan);
        assert!(
            matches!(known, Next::Block(tasks) if tasks > 2),
            "the rest of the time is for small leaks: {known:?}"
        );
        assert_eq!(Progress { readings: 200, ..replaced }.next(&plan), Next::Bound(Bound::Repeats));
    }

    #[test]
    fn a_clean_service_is_given_half_of_the_time_and_a_large_leak_short_blocks() {
        let plan = LeakPlan::default();
        let clean = |seconds| Progress { known: Known::Clean, ..progress(2000, seconds, 0.01) };
        assert!(matches!(clean(30.0).next(&plan), Next::Block(_)));
        assert_eq!(clean(55.0).next(&plan), Next::Done);
        let large = Progress { mb_per_task: 40.0, ..progress(6, 7.0, 0.05) };
        assert_eq!(large.next(&plan), Next::Block(3));
        let decided = Progress { known: Known::Decided, ..progress(6, 7.0, 0.05) };
        assert_eq!(decided.next(&plan), Next::Done);
        let few = LeakPlan { max_tasks: 700, ..plan };
        assert_eq!(progress(690, 20.0, 0.01).next(&few), Next::Block(10));
        assert_eq!(progress(700, 20.0, 0.01).next(&few), Next::Bound(Bound::Tasks));
    }
}
