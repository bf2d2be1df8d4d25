//! The CPU time that the looks between two ticks may take. Pure.

use std::time::{Duration, Instant};

/// A budget of CPU time that fills with time and is spent by looks.
///
/// The cost of a single expensive look (a new process is tracked) is spread over the
/// looks around it, so that it opens no gap in which a peak would be missed.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    /// CPU seconds per second.
    share: f64,
    balance_s: f64,
    at: Instant,
}

/// The budget that may be saved up, in seconds of filling.
const SAVED_S: f64 = 1.0;

impl Allowance {
    /// A budget of `percent` of one core, from `now` on.
    pub(crate) fn new(percent: f64, now: Instant) -> Allowance {
        let share = percent / 100.0;
        Allowance { share, balance_s: share * SAVED_S, at: now }
    }

    /// Charges a look that ended at `now` and took `cost` of CPU time.
    pub(crate) fn spend(&mut self, cost: Duration, now: Instant) {
        let filled = now.saturating_duration_since(self.at).as_secs_f64() * self.share;
        self.balance_s = (self.balance_s + filled).min(self.share * SAVED_S) - cost.as_secs_f64();
        self.at = now;
    }

    /// How long to wait after the last look before the budget allows another.
    pub(crate) fn pause(&self) -> Duration {
        if self.balance_s >= 0.0 || self.share <= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64((-self.balance_s / self.share).min(60.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of looks in ten seconds, and their share of one core, if each costs `cost_ms`
    /// and one is tried every 20 ms.
    fn looks(percent: f64, cost_ms: f64) -> (u32, f64) {
        let start = Instant::now();
        let (mut at, mut count, cost) = (0.0, 0, cost_ms / 1000.0);
        let mut allowance = Allowance::new(percent, start);
        while at < 10.0 {
            at += cost;
            allowance.spend(Duration::from_secs_f64(cost), start + Duration::from_secs_f64(at));
            count += 1;
            at += allowance.pause().as_secs_f64().max(0.02);
        }
        (count, f64::from(count) * cost / at)
    }

    #[test]
    fn cheap_looks_are_not_held_back() {
        assert!(looks(5.0, 0.1).0 >= 495);
    }

    #[test]
    fn expensive_looks_become_rare_enough() {
        for cost_ms in [2.0, 10.0, 50.0, 200.0] {
            let (count, share) = looks(5.0, cost_ms);
            // One saved second of budget comes on top of the ten.
            assert!(share <= 0.05 * 1.1 + cost_ms / 10_000.0, "{cost_ms} ms: {share}");
            assert!(count >= 2);
        }
    }

    #[test]
    fn one_expensive_look_among_cheap_ones_opens_no_gap() {
        let start = Instant::now();
        let mut allowance = Allowance::new(5.0, start);
        allowance.spend(Duration::from_millis(40), start);
        assert_eq!(allowance.pause(), Duration::ZERO);
    }
}
