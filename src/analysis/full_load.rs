//! The part of a level in which all its tasks were outstanding.

use crate::record::FullLoad;
use crate::units::round;

/// The time between fill and drain of a level with `concurrency` places.
///
/// `ends` are the ends of its tasks in their order, in seconds from the first submission, and whether
/// they succeeded; `until` of them had come when the last task was sent. The level fills until as many tasks
/// have ended as there are places: from then on their ends are spread as the service spreads them. Where
/// the last task was sent before twice as many had ended, the time counts from the first submission. `None` for a
/// single batch, which is never held.
pub fn full_load(concurrency: usize, ends: &[(f64, bool)], until: usize) -> Option<FullLoad> {
    let last_sent_s = ends.get(until.checked_sub(1)?)?.0;
    let filled = if until >= 2 * concurrency { concurrency } else { 0 };
    let fill_s = filled.checked_sub(1).and_then(|last| ends.get(last)).map_or(0.0, |(seconds, _)| *seconds);
    let seconds = last_sent_s - fill_s;
    let tasks = ends[filled..until].iter().filter(|(_, succeeded)| *succeeded).count() as u32;
    let end_s = ends.last()?.0;
    (seconds > 0.0).then(|| FullLoad {
        fill_s: round(fill_s, 6),
        seconds: round(seconds, 6),
        tasks,
        drain_s: round(end_s - last_sent_s, 6),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends of `count` tasks, `each` at a time, `step` seconds apart.
    fn ends(count: usize, each: usize, step: f64) -> Vec<(f64, bool)> {
        (0..count).map(|index| ((index / each + 1) as f64 * step, true)).collect()
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
