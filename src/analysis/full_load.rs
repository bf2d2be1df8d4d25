//! The part of a level in which all its tasks were outstanding.

use crate::record::FullLoad;
use crate::units::round;

/// Follows the ends of the tasks of a level, of which there may be millions.
///
/// The level fills until as many tasks have ended as there are places: from then on their ends are spread as the service
/// spreads them. Where the last task was sent before twice as many had ended, the time counts from the first submission.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadCourse {
    concurrency: usize,
    now: Passed,
    /// When as many had ended as there are places.
    filled: Option<Passed>,
    /// When the last task was sent.
    last_sent: Option<Passed>,
}

/// The tasks that have ended by some moment.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    seconds: f64,
    tasks: usize,
    succeeded: u32,
}

impl LoadCourse {
    /// That of a level with `concurrency` places.
    pub fn new(concurrency: usize) -> LoadCourse {
        LoadCourse { concurrency, ..LoadCourse::default() }
    }

    /// A task has ended, `seconds` after the first submission and no earlier than those before it.
    pub fn ended(&mut self, seconds: f64, succeeded: bool) {
        let Passed { tasks, succeeded: before, .. } = self.now;
        self.now = Passed { seconds, tasks: tasks + 1, succeeded: before + u32::from(succeeded) };
        if self.now.tasks == self.concurrency {
            self.filled = Some(self.now);
        }
    }

    /// Another task takes the place of the one that has just ended.
    pub fn refilled(&mut self) {
        self.last_sent = Some(self.now);
    }

    /// When the last task ended, in seconds from the first submission.
    pub fn seconds(&self) -> f64 {
        self.now.seconds
    }

    /// The time between fill and drain; `None` for a single batch, which is never held.
    pub fn full(&self) -> Option<FullLoad> {
        let last_sent = self.last_sent?;
        let filled = self.filled.filter(|_| last_sent.tasks >= 2 * self.concurrency).unwrap_or_default();
        let seconds = last_sent.seconds - filled.seconds;
        (seconds > 0.0).then(|| FullLoad {
            fill_s: round(filled.seconds, 6),
            seconds: round(seconds, 6),
            tasks: last_sent.succeeded - filled.succeeded,
            drain_s: round(self.now.seconds - last_sent.seconds, 6),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends of `count` tasks, `each` at a time, `step` seconds apart.
    fn ends(count: usize, each: usize, step: f64) -> Vec<(f64, bool)> {
        (0..count).map(|index| ((index / each + 1) as f64 * step, true)).collect()
    }

    fn full_load(concurrency: usize, ends: &[(f64, bool)], until: usize) -> Option<FullLoad> {
        let mut course = LoadCourse::new(concurrency);
        for (index, (seconds, succeeded)) in ends.iter().enumerate() {
            course.ended(*seconds, *succeeded);
            if index + 1 == until {
                course.refilled();
            }
        }
        course.full()
    }

    fn rate(full: FullLoad) -> f64 {
        f64::from(full.tasks) / full.seconds
    }

    #[test]
    fn one_worker_and_many_have_their_true_throughput() {
        let one = full_load(8, &ends(24, 1, 0.1), 16).unwrap();
        assert!((rate(one) - 10.0).abs() < 1e-6, "{one:?}");
        let many = full_load(8, &ends(24, 8, 0.1), 16).unwrap();
        assert!((rate(many) - 80.0).abs() < 1e-6, "{many:?}");
        let two_rounds = full_load(8, &ends(16, 8, 0.1), 8).unwrap();
        assert!((rate(two_rounds) - 80.0).abs() < 1e-6, "{two_rounds:?}");
    }

    #[test]
    fn a_batch_is_never_held_and_failures_do_not_count() {
        assert_eq!(full_load(8, &ends(8, 8, 0.1), 0), None);
        let mut ends = ends(24, 1, 0.1);
        ends[9].1 = false;
        assert_eq!(full_load(8, &ends, 16).unwrap().tasks, 7);
    }
}
