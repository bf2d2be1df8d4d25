//! Times of which there may be millions: exact while they are few, a histogram from then on.

use hdrhistogram::Histogram;

/// Times that are kept exactly.
const EXACT: usize = 4096;

/// The most that the histogram tells from more, in millionths.
const MOST: f64 = 1e18;

/// The significant digits of the histogram's figures.
const DIGITS: u8 = 3;

/// Times in seconds.
#[derive(Debug, Clone, Default)]
pub struct Times {
    exact: Vec<f64>,
    /// All of them, once there are many: H. "Gil" Tene's HDR histogram, with a relative error below 0.1 %.
    ///
    /// It grows with the largest.
    histogram: Option<Histogram<u32>>,
    sum: f64,
    count: u64,
    /// The least and the most, which are exact.
    ends: Option<(f64, f64)>,
}

impl Times {
    /// Adds a time in seconds.
    pub fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.sum += seconds;
        let (least, most) = self.ends.unwrap_or((seconds, seconds));
        self.ends = Some((least.min(seconds), most.max(seconds)));
        if self.histogram.is_none() && self.exact.len() < EXACT {
            self.exact.push(seconds);
            return;
        }
        for early in std::mem::take(&mut self.exact) {
            self.record(early);
        }
        self.record(seconds);
    }

    fn record(&mut self, seconds: f64) {
        let histogram = match &mut self.histogram {
            Some(histogram) => histogram,
            empty => match Histogram::new(DIGITS) {
                Ok(new) => empty.insert(new),
                // The number of digits is a constant that it allows.
                Err(_) => return,
            },
        };
        // It grows as far as needed, since the figure is clamped to what it can count.
        histogram.record((seconds * 1e6).round().clamp(0.0, MOST) as u64).ok();
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Times) {
        let (sum, count, ends) = (self.sum + other.sum, self.count + other.count, other.ends);
        for seconds in &other.exact {
            self.add(*seconds);
        }
        if let Some(histogram) = &other.histogram {
            for early in std::mem::take(&mut self.exact) {
                self.record(early);
            }
            match &mut self.histogram {
                // Both grow.
                Some(own) => drop(own.add(histogram)),
                empty => *empty = Some(histogram.clone()),
            }
        }
        (self.sum, self.count) = (sum, count);
        self.ends = match (self.ends, ends) {
            (Some((least, most)), Some((low, high))) => Some((least.min(low), most.max(high))),
            (own, others) => own.or(others),
        };
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many are `bound` or more.
    pub fn at_least(&self, bound: f64) -> u64 {
        match &self.histogram {
            Some(histogram) => {
                let below = histogram.count_between(0, ((bound * 1e6).round() as u64).saturating_sub(1));
                self.count.saturating_sub(below)
            }
            None => self.exact.iter().filter(|figure| **figure >= bound).count() as u64,
        }
    }

    /// The least and the most, in seconds; absent if there are none.
    pub fn ends(&self) -> Option<(f64, f64)> {
        self.ends
    }

    /// The arithmetic mean in seconds; absent if there are none.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Those that are kept exactly, in rising order; absent once there are too many.
    pub fn exact(&self) -> Option<Vec<f64>> {
        if self.histogram.is_some() {
            return None;
        }
        let mut sorted = self.exact.clone();
        sorted.sort_by(f64::total_cmp);
        Some(sorted)
    }

    /// The `p`-th percentile (0 to 100) of the histogram by nearest rank, in seconds; absent while all are exact.
    pub fn percentile(&self, p: f64) -> Option<f64> {
        let (least, most) = self.ends?;
        let histogram = self.histogram.as_ref()?;
        Some((histogram.value_at_quantile(p / 100.0) as f64 / 1e6).clamp(least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_exact_and_many_are_within_a_thousandth() {
        let mut times = Times::default();
        for index in 1..=EXACT {
            times.add(index as f64 / 1000.0);
        }
        assert_eq!(times.exact().map(|sorted| (sorted.len(), sorted[1])), Some((EXACT, 0.002)));
        for index in EXACT + 1..=100_000 {
            times.add(index as f64 / 1000.0);
        }
        assert!(times.exact().is_none());
        let near = |p: f64, expected: f64| (times.percentile(p).unwrap() / expected - 1.0).abs() < 0.001;
        assert!(near(50.0, 50.0) && near(95.0, 95.0) && near(99.0, 99.0), "{:?}", times.percentile(50.0));
        assert_eq!((times.count(), times.ends()), (100_000, Some((0.001, 100.0))));
        assert!((times.mean().unwrap() - 50.0005).abs() < 1e-6);
    }

    #[test]
    fn merged_times_are_those_of_both() {
        let of = |range: std::ops::Range<u32>| {
            let mut times = Times::default();
            range.for_each(|index| times.add(f64::from(index)));
            times
        };
        for split in [10, 5000, 9990] {
            let mut both = of(1..split);
            both.merge(&of(split..10_001));
            let whole = of(1..10_001);
            assert_eq!((both.count(), both.ends(), both.mean()), (whole.count(), whole.ends(), whole.mean()));
            assert_eq!(both.percentile(95.0), whole.percentile(95.0), "{split}");
        }
        let mut few = of(1..3);
        few.merge(&of(3..5));
        assert_eq!(few.exact(), Some(vec![1.0, 2.0, 3.0, 4.0]));
    }
}
