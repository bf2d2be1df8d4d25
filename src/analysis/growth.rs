//! Does memory accumulate? A judgement on one reading per task.
//!
//! A leak and a cache that is filling look alike until the cache is full, so
//! the question is not whether memory rose but whether it *stopped* rising:
//! a flat tail is evidence of health, growth that goes on past anything a
//! cache usually holds is evidence of a leak, and everything between is said
//! to be undecided.

use crate::record::Verdict;
use crate::units::round;

/// Readings that are needed before anything is said.
const MIN_READINGS: usize = 8;

/// Readings at the end that must be flat. A leak that fires on one task in five,
/// at random, leaves eight tasks in a row alone with probability 0.8⁸ = 17 %;
/// one that fires every fifth task never does.
const FLAT_TAIL: usize = 8;

/// Growth below this is not told from noise: allocators keep and return a few
/// megabytes as they please.
const NOISE_MB: f64 = 5.0;

/// Noise grows with the process: one per cent of what it holds.
const NOISE_SHARE: f64 = 0.01;

/// Growth that has gone on without slowing down must reach this before it is
/// called a leak, whatever the gate: caches of up to this size are common.
const CACHE_MB: f64 = 256.0;

/// What a series of readings says about accumulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// Fail: memory accumulates. Pass: it does not, or no longer.
    pub verdict: Verdict,
    /// The figures in one line.
    pub detail: String,
    /// Rise from the first floor to the last, in MB.
    pub rise_mb: f64,
    /// Mean growth per task over the whole series, in MB.
    pub rate_mb_per_task: f64,
    /// Readings at the end over which memory was flat.
    pub flat_tail: usize,
    /// True if more tasks could decide what is undecided.
    pub more_would_help: bool,
}

/// Judges worker memory after each task, in MB, in the order of the tasks.
///
/// `gate_mb` is how much the user allows a single task to keep; accumulation is
/// called a leak when it exceeds both that and what a cache commonly holds.
pub fn growth(readings_mb: &[f64], gate_mb: f64) -> Growth {
    let floors = floors(readings_mb);
    if readings_mb.len() < MIN_READINGS {
        return Growth {
            verdict: Verdict::Inconclusive,
            detail: format!(
                "{} readings after warm-up, at least {MIN_READINGS} are needed",
                readings_mb.len()
            ),
            rise_mb: rise(&floors),
            rate_mb_per_task: 0.0,
            flat_tail: 0,
            more_would_help: true,
        };
    }
    let noise = NOISE_MB.max(NOISE_SHARE * floors[0]);
    let rise_mb = rise(&floors);
    let rate = rise_mb / (floors.len() - 1) as f64;
    let flat_tail = flat_tail(&floors, noise) + (readings_mb.len() - floors.len());
    let tail = &floors[floors.len() - flat_tail.min(floors.len())..];
    let flat_enough = flat_tail >= FLAT_TAIL.max(readings_mb.len() / 2) && !creeping(tail);
    let steady = steady(&floors, noise) || creeping(&floors);

    let (verdict, detail, more) = if flat_enough && rise_mb <= noise {
        let seen = noise / floors.len() as f64;
        let detail = format!(
            "flat over {} tasks (spread {:.1} MB; growth above {:.1} MB per task would have shown)",
            readings_mb.len(),
            spread(&floors),
            seen
        );
        (Verdict::Pass, detail, false)
    } else if flat_enough {
        let detail = format!(
            "rose by {:+.1} MB, then flat over the last {flat_tail} tasks: something that fills, not a leak",
            round(rise_mb, 1)
        );
        (Verdict::Pass, detail, false)
    } else if steady && rise_mb >= gate_mb.max(CACHE_MB) {
        let detail = format!(
            "{rise_mb:+.1} MB over {} tasks without slowing down ({rate:+.1} MB per task)",
            floors.len()
        );
        (Verdict::Fail, detail, false)
    } else if steady {
        let needed = ((gate_mb.max(CACHE_MB) - rise_mb) / rate.max(0.01)).ceil();
        let detail = format!(
            "growing {rate:+.1} MB per task over {} tasks: a leak, unless something larger than {rise_mb:.0} MB \
             is still filling; about {needed:.0} tasks more would tell",
            floors.len()
        );
        (Verdict::Inconclusive, detail, true)
    } else {
        let detail = format!(
            "{rise_mb:+.1} MB over {} tasks, neither flat nor steadily growing (flat over the last {flat_tail}): \
             more tasks are needed",
            floors.len()
        );
        (Verdict::Inconclusive, detail, true)
    };
    Growth { verdict, detail, rise_mb, rate_mb_per_task: rate, flat_tail, more_would_help: more }
}

/// The lower of each two neighbours: a single task's late free, and the
/// difference between a long task's end and a short one's, are not growth.
fn floors(readings: &[f64]) -> Vec<f64> {
    match readings {
        [] => Vec::new(),
        [only] => vec![*only],
        _ => readings.windows(2).map(|pair| pair[0].min(pair[1])).collect(),
    }
}

fn rise(floors: &[f64]) -> f64 {
    match (floors.first(), floors.last()) {
        (Some(first), Some(last)) => last - first,
        _ => 0.0,
    }
}

fn spread(values: &[f64]) -> f64 {
    let (low, high) = bounds(values);
    high - low
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

/// How many values at the end rise by no more than `noise`. Memory that falls is not growth.
fn flat_tail(values: &[f64], noise: f64) -> usize {
    let Some(&last) = values.last() else { return 0 };
    let mut highest = last;
    values
        .iter()
        .rev()
        .take_while(|&&value| {
            highest = highest.max(value);
            highest - value <= noise
        })
        .count()
}

/// True if the values rise in at least three steps of four, by a megabyte or
/// more in all: within the noise by size, but noise goes up and down. Eight steps
/// of fair noise do so with probability 37/256 at most, and then cost more tasks,
/// not a wrong verdict.
fn creeping(values: &[f64]) -> bool {
    let steps = values.len().saturating_sub(1);
    let up = values.windows(2).filter(|pair| pair[1] > pair[0]).count();
    steps > 0 && 4 * up >= 3 * steps && rise(values) >= 1.0
}

/// True if the second half rose, and at no less than half the pace of the first.
fn steady(floors: &[f64], noise: f64) -> bool {
    let middle = floors[floors.len() / 2];
    let early = middle - floors[0];
    let late = floors[floors.len() - 1] - middle;
    late > noise / 2.0 && late >= 0.5 * early && early > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(tasks: usize, at: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..tasks).map(|task| 600.0 + at(task)).collect()
    }

    fn verdict(readings: &[f64]) -> Verdict {
        growth(readings, 200.0).verdict
    }

    #[test]
    fn a_large_leak_accumulates() {
        assert_eq!(verdict(&series(10, |task| 40.0 * task as f64)), Verdict::Fail);
        assert_eq!(verdict(&series(10, |task| 300.0 * task as f64)), Verdict::Fail);
    }

    #[test]
    fn a_leak_on_every_third_task_accumulates() {
        assert_eq!(verdict(&series(30, |task| 40.0 * (task / 3) as f64)), Verdict::Fail);
    }

    #[test]
    fn a_smaller_leak_is_undecided_until_it_has_gone_on() {
        assert_eq!(verdict(&series(10, |task| 10.0 * task as f64)), Verdict::Inconclusive);
        assert_eq!(verdict(&series(32, |task| 10.0 * task as f64)), Verdict::Fail);
    }

    #[test]
    fn a_small_leak_is_never_passed_while_it_shows() {
        for tasks in [10, 20, 40] {
            assert_ne!(verdict(&series(tasks, |task| task as f64)), Verdict::Pass, "{tasks} tasks");
        }
    }

    #[test]
    fn a_cache_that_fills_and_stops_is_no_leak() {
        let cache = |task: usize| 24.0 * task.min(6) as f64;
        assert_eq!(verdict(&series(10, cache)), Verdict::Inconclusive, "four flat tasks are few");
        assert_eq!(verdict(&series(14, cache)), Verdict::Pass);
    }

    #[test]
    fn flat_memory_passes_and_says_what_would_have_shown() {
        let flat = growth(&series(10, |task| (task % 3) as f64), 200.0);
        assert_eq!(flat.verdict, Verdict::Pass);
        assert!(flat.detail.contains("would have shown"), "{}", flat.detail);
    }

    #[test]
    fn memory_that_falls_passes() {
        assert_eq!(verdict(&series(10, |task| -20.0 * task as f64)), Verdict::Pass);
    }

    #[test]
    fn long_tasks_that_end_higher_than_short_ones_are_not_growth() {
        assert_eq!(verdict(&series(10, |task| 30.0 * (task % 2) as f64)), Verdict::Pass);
    }

    #[test]
    fn few_readings_decide_nothing() {
        assert_eq!(verdict(&series(7, |_| 0.0)), Verdict::Inconclusive);
        assert_eq!(verdict(&[]), Verdict::Inconclusive);
    }
}
