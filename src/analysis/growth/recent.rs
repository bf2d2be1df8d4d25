//! Growth over the last doublings of the number of tasks, for a comparison of two runs.

use super::doublings::{LEAST_READINGS, STEADY};
use super::points::{Halves, Point, line};

/// The line that the verdict over doublings judges, with what a comparison needs of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::analysis) struct Recent {
    /// Growth per task, in the readings' unit.
    pub(in crate::analysis) slope: f64,
    /// Its standard error.
    pub(in crate::analysis) error: f64,
    /// Degrees of freedom of the error.
    pub(in crate::analysis) freedom: usize,
    /// Tasks from the first of these readings to the last.
    pub(in crate::analysis) tasks: f64,
    /// The last doubling grows by less per task than a leak would after the one before it.
    pub(in crate::analysis) slowing: bool,
}

/// The line through the last two doublings of readings, given as (tasks that had ended, value) in their order; none
/// where the verdict has too few readings for a line.
pub(in crate::analysis) fn recent(readings: impl Iterator<Item = (f64, f64)>) -> Option<Recent> {
    let points: Vec<Point> = readings.map(|(at, mb)| Point { at, mb }).collect();
    let halves = Halves::of(&points)?;
    let line = line(&halves.recent).filter(|_| halves.recent.len() >= LEAST_READINGS)?;
    let (late, early) = (halves.rate(2, 0), halves.rate(4, 2));
    Some(Recent {
        slope: line.slope,
        error: line.error,
        freedom: line.freedom,
        tasks: halves.last.at - halves.recent.first()?.at,
        slowing: late.zip(early).is_some_and(|(late, early)| late < STEADY.start() * early),
    })
}
