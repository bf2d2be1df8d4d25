//! Growth of the floors over a stretch of tasks, with its interval.

use super::floors::block_floors;
use crate::analysis::student;

/// The growth of the floors in a window, in MB per task.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Readings in it.
    pub(super) tasks: usize,
    /// Mean growth.
    pub(super) rate: f64,
    /// Lower end of the mean's interval.
    pub(super) low: f64,
    /// Upper end of the mean's interval.
    pub(super) high: f64,
    /// Mean growth over the first half, rounded up.
    pub(super) early: f64,
    /// Mean growth over the last half, rounded down.
    pub(super) late: f64,
    /// The least mean growth of the three thirds.
    pub(super) slowest_third: f64,
    /// Rise of the floors from the first to the last, in MB.
    pub(super) rise: f64,
}

/// Fewer increments than this have no interval worth the name.
pub(in crate::analysis) const LEAST_INCREMENTS: usize = 4;

/// Growth from the floor of one block to that of the next: what the verdict and a comparison estimate growth by.
#[derive(Debug, Clone)]
pub(in crate::analysis) struct Increments {
    /// Growth from block to block, in the readings' unit per task.
    pub(in crate::analysis) per_task: Vec<f64>,
    /// Tasks in the blocks.
    pub(in crate::analysis) tasks: usize,
    /// From the first floor to the last, in the readings' unit.
    pub(in crate::analysis) rise: f64,
}

/// The increments of `readings` in about `blocks` blocks; none where they are fewer than [`LEAST_INCREMENTS`].
pub(in crate::analysis) fn increments_of_floors(readings: &[f64], blocks: usize) -> Option<Increments> {
    let width = (readings.len() / blocks).max(1);
    let floors = block_floors(readings, width);
    let per_task: Vec<f64> = floors.windows(2).map(|pair| (pair[1] - pair[0]) / width as f64).collect();
    let rise = floors.last()? - floors.first()?;
    (per_task.len() >= LEAST_INCREMENTS).then_some(Increments { per_task, tasks: floors.len() * width, rise })
}

/// The mean of some increments, with its standard error.
#[derive(Debug, Clone, Copy)]
pub(in crate::analysis) struct Mean {
    pub(in crate::analysis) value: f64,
    pub(in crate::analysis) error: f64,
    count: usize,
}

impl Mean {
    /// The mean of at least two values.
    pub(in crate::analysis) fn of(values: &[f64]) -> Mean {
        let (value, count) = (mean(values), values.len() as f64);
        let variance = values.iter().map(|step| (step - value).powi(2)).sum::<f64>() / (count - 1.0);
        Mean { value, error: (variance / count).sqrt(), count: values.len() }
    }

    /// Student's t interval, which errs with the probability `error` at each end.
    pub(in crate::analysis) fn interval(&self, error: f64) -> (f64, f64) {
        let half = student::exceeded(error, self.count - 1) * self.error;
        (self.value - half, self.value + half)
    }
}

/// The window of `readings` from `skip` on, in about `blocks` blocks, with an
/// interval that errs with the probability `error` at each end; none where it is
/// too short.
///
/// The interval is that of batch means: Student's t over the growth from block
/// to block (Law, "Simulation Modeling and Analysis", section 9.5.3).
pub(super) fn window(readings: &[f64], skip: usize, blocks: usize, error: f64) -> Option<Window> {
    let readings = readings.get(skip..)?;
    let Increments { per_task: growth, rise, .. } = increments_of_floors(readings, blocks)?;
    let rate = Mean::of(&growth);
    let (low, high) = rate.interval(error);
    let (first, last) = growth.split_at(growth.len() - growth.len() / 2);
    Some(Window {
        tasks: readings.len(),
        rate: rate.value,
        low,
        high,
        early: mean(first),
        late: mean(last),
        slowest_third: thirds(&growth).into_iter().fold(f64::INFINITY, f64::min),
        rise,
    })
}

/// The lowest and the highest end of several windows' intervals, which start at
/// these shares of the readings.
///
/// One window's interval knows of the noise within it, and not of what sets the
/// windows apart: a warm-up, a cache that has filled meanwhile, free space that
/// the allocator had first. Alone it holds the true rate in 84 % of the
/// recordings; joined, three of them hold it in 97 %.
/// Windows of fewer than `least` readings are left out.
pub(super) fn joined(readings: &[f64], starts: [f64; 3], least: usize, error: f64) -> Option<(f64, f64)> {
    starts
        .into_iter()
        .filter_map(|start| window(readings, share(readings.len(), start).max(2), 6, error))
        .filter(|window| window.tasks >= least)
        .map(|window| (window.low, window.high))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// This part of so many tasks, rounded up.
pub(super) fn share(tasks: usize, part: f64) -> usize {
    (tasks as f64 * part).ceil() as usize
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The means of three parts, the first of which are the longer ones.
fn thirds(growth: &[f64]) -> [f64; 3] {
    let (third, extra) = (growth.len() / 3, growth.len() % 3);
    let first = third + usize::from(extra > 0);
    let second = first + third + usize::from(extra > 1);
    [mean(&growth[..first]), mean(&growth[first..second]), mean(&growth[second..])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_no_doubt() {
        let line: Vec<f64> = (0..40).map(|task| 1.5 * f64::from(task)).collect();
        let window = window(&line, 8, 8, 0.01).unwrap();
        assert!((window.rate - 1.5).abs() < 1e-9 && window.high - window.low < 1e-9, "{window:?}");
        assert_eq!(window.tasks, 32);
    }

    #[test]
    fn too_few_readings_make_no_window() {
        assert!(window(&[1.0; 4], 0, 8, 0.01).is_none());
        assert!(window(&[1.0; 4], 5, 8, 0.01).is_none());
        assert!(joined(&[1.0; 4], [0.1, 0.3, 0.6], 0, 0.01).is_none());
    }
}
