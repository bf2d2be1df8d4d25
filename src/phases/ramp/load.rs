//! Keeps the tasks of a level outstanding: sends the next one as soon as one ends.

use std::time::Instant;

use crate::analysis::LoadCourse;
use crate::error::Result;
use crate::phases::rig::Rig;
use crate::phases::slots::{Finished, Slots};
use crate::phases::task::Together;
use crate::plan::RampPlan;
use crate::record::FullLoad;
use crate::units::round;

/// What a level sent, and how long that took.
pub(super) struct Loaded {
    /// Tasks.
    pub(super) sent: u32,
    /// Seconds from the first submission to the last result.
    pub(super) load_s: f64,
    /// The time in which all tasks of the level were outstanding; absent for a single batch.
    pub(super) full: Option<FullLoad>,
}

/// Sends the tasks of a level and records each as soon as it ends.
///
/// As many tasks as the level has are outstanding until the last one is sent.
pub(super) async fn load(rig: &Rig, level: &Together<'_>) -> Result<Loaded> {
    let front = format!("{}_c{}", rig.inputs.get(rig.plan.ramp.audio).stem, level.concurrency);
    let second = rig.recorder.batch_second(&front);
    // The first task of a level of one has the name of a single task.
    let test_id = |index: u32| match (level.concurrency, index) {
        (1, 0) => format!("{front}_{second}"),
        _ => format!("{front}_t{index}_{second}"),
    };
    let mut course = Course::new(&rig.plan.ramp, level.concurrency);
    let mut slots = Slots::new(rig, level);
    let started = Instant::now();
    for index in 0..level.concurrency {
        slots.send(test_id(index), false);
    }
    while let Some(finished) = slots.ended().await? {
        let seconds = finished.at.duration_since(started).as_secs_f64();
        let whole = rig.workers.since(level.mark).0.is_empty();
        if course.ended(seconds, finished, whole) {
            slots.send(test_id(course.sent), !finished.succeeded);
            course.sent += 1;
        }
    }
    Ok(course.over())
}

/// Decides when a level has sent its last task. Has no clock.
struct Course<'a> {
    plan: &'a RampPlan,
    concurrency: u32,
    sent: u32,
    /// Tasks that the level sends at least; known once the first has ended.
    goal: Option<u32>,
    ends: LoadCourse,
    /// No further task is sent.
    decided: bool,
}

impl<'a> Course<'a> {
    fn new(plan: &'a RampPlan, concurrency: u32) -> Course<'a> {
        Course {
            plan,
            concurrency,
            sent: concurrency,
            goal: None,
            ends: LoadCourse::new(concurrency as usize),
            decided: false,
        }
    }

    /// Takes the end of a task; true if another one takes its place.
    ///
    /// `whole` is false once a worker has ended. Where all tasks must succeed, one failure decides the level.
    fn ended(&mut self, seconds: f64, task: Finished, whole: bool) -> bool {
        self.ends.ended(seconds, task.succeeded);
        self.decided |= !whole || !(task.succeeded || self.plan.stable.min_success < 1.0);
        let goal = *self.goal.get_or_insert_with(|| goal(self.plan, self.concurrency, task.seconds));
        // A round that was begun is completed: places that end together are counted together.
        let wanted =
            self.sent < goal || seconds < self.plan.hold_s || !self.sent.is_multiple_of(self.concurrency);
        if self.decided || !wanted {
            // One place is empty from here on, and all of them stay so.
            self.decided = true;
            return false;
        }
        self.ends.refilled();
        true
    }

    fn over(self) -> Loaded {
        Loaded { sent: self.sent, load_s: round(self.ends.seconds(), 3), full: self.ends.full() }
    }
}

/// Up to so many times `ramp.short_s`, opening the connections of a batch can take as long as its tasks: the level
/// then has a time without its fill and its drain, too.
const BRIEF: f64 = 5.0;

/// The number of tasks that a level sends at least: whole rounds of its concurrency.
///
/// The first task to end says whether they are short. A decision for each task would let some places run
/// empty while others go on.
fn goal(plan: &RampPlan, concurrency: u32, first_task_s: f64) -> u32 {
    let rounds = plan.rounds.saturating_mul(concurrency);
    if first_task_s >= BRIEF * plan.short_s {
        return rounds;
    }
    if first_task_s >= plan.short_s {
        return rounds.max(concurrency.saturating_mul(3));
    }
    let enough = plan.short_tasks.checked_next_multiple_of(concurrency).unwrap_or(plan.short_tasks);
    rounds.max(concurrency.saturating_mul(3)).max(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(seconds: f64, succeeded: bool) -> Finished {
        Finished { at: Instant::now(), seconds, succeeded }
    }

    /// A level of tasks that all run at once, each for what `task_s` says of its number.
    fn level(plan: &RampPlan, concurrency: u32, task_s: impl Fn(u32) -> f64) -> Loaded {
        let mut course = Course::new(plan, concurrency);
        let mut outstanding: Vec<(f64, f64)> =
            (0..concurrency).map(|index| (task_s(index), task_s(index))).collect();
        while !outstanding.is_empty() {
            outstanding.sort_by(|a, b| b.0.total_cmp(&a.0));
            let (now, seconds) = outstanding.pop().unwrap();
            if course.ended(now, finished(seconds, true), true) {
                let next = task_s(course.sent);
                outstanding.push((now + next, next));
                course.sent += 1;
                assert_eq!(outstanding.len(), concurrency as usize, "every place is taken");
            }
        }
        course.over()
    }

    #[test]
    fn a_level_is_a_batch_and_more_where_its_tasks_are_short() {
        let plan = RampPlan::default();
        let sent = |concurrency, task_s: f64| level(&plan, concurrency, |_| task_s).sent;
        assert_eq!((sent(1, 5.0), sent(7, 5.0)), (1, 7));
        assert_eq!((sent(1, 0.1), sent(7, 0.1), sent(8, 0.1)), (20, 21, 24));
        assert_eq!((sent(1, 0.5), sent(7, 0.5), sent(7, 1.0)), (3, 21, 7));
        let off = RampPlan { short_s: 0.0, ..RampPlan::default() };
        assert_eq!(level(&off, 1, |_| 0.1).sent, 1);
    }

    #[test]
    fn rounds_and_time_make_it_longer() {
        let rounds = RampPlan { rounds: 3, ..RampPlan::default() };
        assert_eq!(level(&rounds, 4, |_| 5.0).sent, 12);
        let held = RampPlan { hold_s: 60.0, ..RampPlan::default() };
        assert_eq!(level(&held, 4, |_| 5.0).sent, 48);
        assert!(level(&held, 4, |index| 4.0 + f64::from(index % 4)).sent.is_multiple_of(4));
    }

    #[test]
    fn tasks_around_the_bound_of_short_ones_do_not_let_a_level_run_empty() {
        let plan = RampPlan::default();
        // 0.15 to 0.25 s: whatever the first is, all that are sent find the others outstanding (see `level`).
        for first in 0..5 {
            let loaded = level(&plan, 8, |index| 0.15 + 0.025 * f64::from((index + first) % 5));
            let full = loaded.full.unwrap();
            let rate = f64::from(full.tasks) / full.seconds;
            assert!((34.0..46.0).contains(&rate), "8 at once of 0.2 s each are 40 a second: {full:?}");
        }
    }

    #[test]
    fn fill_and_drain_are_no_part_of_the_throughput() {
        let plan = RampPlan::default();
        // The last one takes ten times as long.
        let full = level(&plan, 8, |index| if index == 23 { 1.0 } else { 0.1 }).full.unwrap();
        assert_eq!((full.tasks, full.fill_s, full.seconds, full.drain_s), (8, 0.1, 0.1, 1.0));
        assert!(level(&plan, 8, |_| 5.0).full.is_none(), "a batch is never held");
    }

    #[test]
    fn a_failure_ends_a_level_where_all_must_succeed() {
        let mut plan = RampPlan::default();
        assert!(!Course::new(&plan, 2).ended(0.1, finished(0.1, false), true));
        assert!(!Course::new(&plan, 2).ended(0.1, finished(0.1, true), false), "a worker ended");
        plan.stable.min_success = 0.9;
        assert!(Course::new(&plan, 2).ended(0.1, finished(0.1, false), true));
    }
}
