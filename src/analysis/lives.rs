//! Growth within the lives of processes that are replaced as they work. Pure.
//!
//! The memory of such a service falls whenever a process is replaced, so it does not accumulate for ever, and its sum
//! shows little of what each process keeps. Here each life is looked at by itself, and the lives are pooled.

use std::collections::BTreeMap;

use super::growth::{Answer, Growth, Reason};
use super::student::quantile;
use crate::record::LivesReading;

/// Readings that a life needs, so that it has an early and a late part.
const READINGS: usize = 4;

/// What a first rise has at least, in MB.
const WARM_UP_MB: f64 = 0.25;

/// With one life fewer in which memory rose by chance, this many are too few: 0.5⁹ is 0.2 %.
const LIVES: usize = 9;

/// With this many, the lives are known.
const KNOWN: usize = 12;

/// The most that the number of lives that did not grow may owe to chance.
const ERROR: f64 = 0.002;

/// A process that keeps something goes on as it began: its late growth is at least this share of the early one. Less
/// is a start that is still going on.
const STEADY: f64 = 0.5;

/// What a life has to gain to count, in MB; less is an allocator's, or a start that takes a while…
const LEAST_MB: f64 = 4.0;
/// …and this much where the heap of a large runtime may still be rising to its working size.
const LEAST_RUNTIME_MB: f64 = 32.0;

/// Growth within one life, in MB per task that the process served.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rates {
    whole: f64,
    early: f64,
    late: f64,
    risen_mb: f64,
    tasks: f64,
}

/// `sum`, the growth of the whole role, unless the lives of its processes show a leak that the sum does not. `runtime` is
/// true for a large runtime.
pub(super) fn within(sum: Growth, readings: &[&LivesReading], runtime: bool) -> Growth {
    let least_mb = if runtime { LEAST_RUNTIME_MB } else { LEAST_MB };
    if sum.answer == Answer::Leak {
        return sum;
    }
    let lives = rates(readings);
    let grown = lives.iter().filter(|life| life.late > 0.0 && life.risen_mb >= least_mb).count();
    let count = lives.len();
    if count < LIVES || by_chance(count, count - grown) > ERROR {
        return sum;
    }
    let mean = |of: fn(&Rates) -> f64| lives.iter().map(of).sum::<f64>() / count as f64;
    if mean(|life| life.late) < STEADY * mean(|life| life.early) {
        return sum;
    }
    let rate = mean(|life| life.whole);
    let variance = lives.iter().map(|life| (life.whole - rate).powi(2)).sum::<f64>() / (count - 1) as f64;
    let half = quantile(0.99, (count - 1) as f64) * (variance / count as f64).sqrt();
    if rate - half <= 0.0 {
        return sum;
    }
    let reason = Reason::WithinLives {
        lives: count,
        risen_mb: mean(|life| life.risen_mb),
        tasks: mean(|life| life.tasks),
    };
    Growth {
        answer: Answer::Leak,
        reason,
        rate_mb_per_task: Some(rate),
        low: Some(rate - half),
        high: Some(rate + half),
        tasks_needed: 0,
        firm: true,
        ..sum
    }
}

/// True if so many lives have been looked at that more of them are not expected to show growth.
pub(super) fn are_known(readings: &[&LivesReading]) -> bool {
    rates(readings).len() >= KNOWN
}

/// The probability that at most `fewer` of `count` fair coins fall to one side.
fn by_chance(count: usize, fewer: usize) -> f64 {
    let mut term = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut sum = term;
    for index in 0..fewer {
        term *= (count - index) as f64 / (index + 1) as f64;
        sum += term;
    }
    sum
}

/// The rates of the lives with enough readings. Tasks between two readings are shared evenly by the processes that
/// were alive.
fn rates(readings: &[&LivesReading]) -> Vec<Rates> {
    let mut lives: BTreeMap<(u32, u64), Vec<(f64, f64)>> = BTreeMap::new();
    let mut before = 0;
    let mut served = 0.0;
    for reading in readings {
        served += f64::from(reading.tasks.saturating_sub(before)) / reading.processes.len().max(1) as f64;
        before = reading.tasks;
        for life in &reading.processes {
            lives.entry((life.pid, life.start)).or_default().push((served, life.private_mb));
        }
    }
    lives.into_values().filter_map(|points| life(&points)).collect()
}

/// The first rise is the warm-up of the process: models load, pools fill.
fn life(points: &[(f64, f64)]) -> Option<Rates> {
    let warm_up = points.windows(2).position(|pair| pair[1].1 - pair[0].1 >= WARM_UP_MB);
    let points = &points[warm_up.map_or(0, |at| at + 1)..];
    if points.len() < READINGS {
        return None;
    }
    let (first, last) = (points.first()?, points.last()?);
    let middle = points[points.len() / 2];
    let slope = |from: &(f64, f64), to: &(f64, f64)| {
        let tasks = to.0 - from.0;
        (tasks > 0.0).then(|| (to.1 - from.1) / tasks)
    };
    Some(Rates {
        whole: slope(first, last)?,
        early: slope(first, &middle)?,
        late: slope(&middle, last)?,
        risen_mb: last.1 - first.1,
        tasks: last.0 - first.0,
    })
}

#[cfg(test)]
mod tests {
    use super::super::growth::{Readings, growth};
    use super::*;
    use crate::record::Life;

    /// Two processes that serve tasks in turn and are replaced after `life` tasks each; `held` says what one holds after
    /// so many tasks of its own, in its so-manieth life. Read after every `step` tasks.
    fn service(life: u32, step: u32, until: u32, held: impl Fn(u32, u32) -> f64) -> Vec<LivesReading> {
        let reading = |tasks: u32| {
            let process = |worker: u32| {
                // The second began half a life later.
                let served = tasks / 2 + worker * life / 2;
                let (number, age) = (served / life, served % life);
                Life {
                    pid: 100 + worker,
                    start: u64::from(number),
                    private_mb: held(age, 2 * number + worker),
                }
            };
            LivesReading { tasks, processes: (0..2).map(process).collect() }
        };
        (1..=until / step).map(|index| reading(index * step)).collect()
    }

    fn judged(readings: &[LivesReading]) -> Growth {
        let sums: Vec<f64> = readings
            .iter()
            .map(|reading| reading.processes.iter().map(|life| life.private_mb).sum())
            .collect();
        within(growth(&Readings::new(&sums)), &readings.iter().collect::<Vec<_>>(), false)
    }

    #[test]
    fn a_leak_within_each_life_is_found_with_its_rate() {
        let found =
            judged(&service(10, 2, 120, |age, _| f64::from(age.min(1)) * 20.0 + 5.0 * f64::from(age)));
        assert_eq!(found.answer, Answer::Leak, "{}", found.reason);
        assert!((found.rate_mb_per_task.unwrap() - 5.0).abs() < 1e-9, "{found:?}");
        assert!(matches!(found.reason, Reason::WithinLives { lives: 9..=14, .. }), "{:?}", found.reason);
    }

    #[test]
    fn lives_that_are_flat_noisy_or_only_start_are_no_leak() {
        let noise = |age: u32, number: u32| f64::from((age * 7 + number * 13) % 5) * 2.0;
        type Held = fn(u32, u32) -> f64;
        let start: Held = |age, _| 20.0 + 30.0 * (1.0 - 0.3_f64.powi(age as i32));
        assert_ne!(judged(&service(10, 2, 200, |_, _| 20.0)).answer, Answer::Leak);
        assert_ne!(
            judged(&service(10, 2, 200, |age, number| 20.0 + noise(age, number))).answer,
            Answer::Leak
        );
        assert_ne!(judged(&service(10, 2, 200, start)).answer, Answer::Leak, "models load in each life");
        // Small change of an allocator, and too few lives.
        assert_ne!(judged(&service(10, 2, 200, |age, _| 20.0 + 0.05 * f64::from(age))).answer, Answer::Leak);
        let large = service(10, 2, 120, |age, _| 20.0 + 2.0 * f64::from(age));
        let large: Vec<&LivesReading> = large.iter().collect();
        let open = || growth(&Readings::new(&[20.0; 4]));
        assert_eq!(within(open(), &large, false).answer, Answer::Leak);
        assert_ne!(
            within(open(), &large, true).answer,
            Answer::Leak,
            "the heap of a runtime rises to its size"
        );
        let few = judged(&service(10, 2, 40, |age, _| 20.0 + 5.0 * f64::from(age)));
        assert_ne!(few.answer, Answer::Leak, "{}", few.reason);
    }

    #[test]
    fn chance_is_the_binomial_distribution() {
        assert!((by_chance(9, 0) - 0.001_953_125).abs() < 1e-12);
        assert!((by_chance(10, 10) - 1.0).abs() < 1e-12);
        assert!((by_chance(13, 1) - 14.0 / 8192.0).abs() < 1e-12);
    }
}
