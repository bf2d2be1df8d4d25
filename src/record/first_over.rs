//! When a figure first reached a bound that is known only later.

/// Pairs that are kept exactly; further ones only where they exceed the one before by [`STEP`].
const EXACT: usize = 1024;

/// The relative step from there on.
const STEP: f64 = 0.001;

/// The earliest time at which a figure was reached, for every bound: only those figures are kept that no earlier one
/// reached.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FirstOver {
    /// Time in seconds and figure; both rise.
    reached: Vec<(f64, f64)>,
}

impl FirstOver {
    /// Takes a figure at its time, in any order.
    pub fn add(&mut self, at_s: f64, figure: f64) {
        let place = self.reached.partition_point(|(at, _)| *at <= at_s);
        let before = place.checked_sub(1).map(|last| self.reached[last].1);
        let coarse = if self.reached.len() < EXACT { 0.0 } else { STEP };
        if before.is_some_and(|before| figure <= before * (1.0 + coarse)) {
            return;
        }
        // Later ones that are no higher have nothing to say any more.
        let end = place + self.reached[place..].partition_point(|(_, later)| *later <= figure);
        self.reached.splice(place..end, [(at_s, figure)]);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &FirstOver) {
        other.reached.iter().for_each(|(at, figure)| self.add(*at, *figure));
    }

    /// When `bound` was first reached, in seconds.
    pub fn reached(&self, bound: f64) -> Option<f64> {
        let place = self.reached.partition_point(|(_, figure)| *figure < bound);
        self.reached.get(place).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_that_of_all_figures() {
        // A fixed sequence without order, out of its order in time as well.
        let figures: Vec<(f64, f64)> = (0..500_u32)
            .map(|index| (f64::from(index * 7919 % 500), f64::from(index * 104_729 % 997)))
            .collect();
        let mut found = FirstOver::default();
        figures.iter().for_each(|(at, figure)| found.add(*at, *figure));
        for bound in 0..1000 {
            let bound = f64::from(bound);
            let expected = figures.iter().filter(|(_, figure)| *figure >= bound).map(|(at, _)| *at);
            assert_eq!(found.reached(bound), expected.min_by(f64::total_cmp), "{bound}");
        }
    }

    #[test]
    fn figures_that_rise_a_million_times_take_little() {
        let mut found = FirstOver::default();
        for index in 1..=1_000_000_u32 {
            found.add(f64::from(index), f64::from(index));
        }
        assert!(found.reached.len() < 20_000, "{}", found.reached.len());
        let near = found.reached(500_000.0).unwrap();
        assert!((near / 500_000.0 - 1.0).abs() <= 0.0011, "{near}");
    }
}
