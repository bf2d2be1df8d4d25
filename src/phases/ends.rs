//! When the tasks of a block ended, of which there may be millions. Without a clock.

use std::time::Instant;

/// Moments that are kept at most.
const KEPT: usize = 4096;

/// When tasks ended: of many, every so many-th.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Moments, and how many tasks had ended then.
    kept: Vec<(Instant, u32)>,
    tasks: u32,
    /// A task is kept if its number is a multiple of two to this power.
    power: u32,
}

impl Ends {
    /// The next task has ended.
    pub(super) fn push(&mut self, at: Instant) {
        self.tasks += 1;
        if self.tasks.trailing_zeros() < self.power {
            return;
        }
        self.kept.push((at, self.tasks));
        if self.kept.len() > KEPT {
            self.power += 1;
            let power = self.power;
            self.kept.retain(|(_, tasks)| tasks.trailing_zeros() >= power);
        }
    }

    /// How many tasks had ended at `moment`: fewer by at most one in two thousand of all.
    pub(super) fn by(&self, moment: Instant) -> u32 {
        let after = self.kept.partition_point(|(at, _)| *at <= moment);
        after.checked_sub(1).map_or(0, |last| self.kept[last].1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_million_ends_are_some_thousand_moments() {
        let start = Instant::now();
        let at = |task: u32| start + Duration::from_micros(task.into());
        let mut ends = Ends::default();
        for task in 1..=1000 {
            ends.push(at(task));
        }
        assert_eq!([0, 1, 777, 1000, 2000].map(|task| ends.by(at(task))), [0, 1, 777, 1000, 1000]);
        for task in 1001..=1_000_000 {
            ends.push(at(task));
        }
        assert!(ends.kept.len() <= KEPT);
        for task in [1000, 123_456, 999_999] {
            let told = ends.by(at(task));
            assert!(told <= task && task - told <= 500, "{told} of {task}");
        }
    }
}
