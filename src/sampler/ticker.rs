//! When the next tick is due.

use std::time::{Duration, Instant};

/// Ticks at start, start + interval, start + 2·interval, ….
///
/// The deadline of tick n is calculated from the start and not from the tick
/// before, so ticks do not drift. A tick whose successor is already due counts as
/// missed; it is not made up for.
#[derive(Debug, Clone)]
pub struct Ticker {
    start: Instant,
    interval: Duration,
    next: u64,
    ticks: u64,
    missed: u64,
    missed_in_a_row: u64,
}

impl Ticker {
    /// The first tick is due at `start`. `interval` must not be zero.
    pub fn new(start: Instant, interval: Duration) -> Ticker {
        assert!(!interval.is_zero(), "a ticker needs an interval");
        Ticker { start, interval, next: 0, ticks: 0, missed: 0, missed_in_a_row: 0 }
    }

    /// When the next tick is due.
    pub fn deadline(&self) -> Instant {
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(self.next));
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// True if a tick is due at `now`. It then counts as done, and the ticks that were due
    /// before it as missed.
    pub fn take(&mut self, now: Instant) -> bool {
        if now < self.deadline() {
            return false;
        }
        let passed = (now - self.start).as_nanos() / self.interval.as_nanos();
        let current = u64::try_from(passed).unwrap_or(u64::MAX);
        let missed = current - self.next;
        self.missed += missed;
        self.missed_in_a_row = self.missed_in_a_row.max(missed);
        self.next = current + 1;
        self.ticks += 1;
        true
    }

    /// Ticks done.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Ticks missed.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The most ticks missed in a row.
    pub fn missed_in_a_row(&self) -> u64 {
        self.missed_in_a_row
    }

    /// The instant of tick 0.
    pub fn start(&self) -> Instant {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn deadlines_do_not_drift_when_ticks_come_late() {
        let start = Instant::now();
        let mut ticker = Ticker::new(start, MS * 10);
        for n in 0..1000 {
            assert_eq!(ticker.deadline(), start + MS * 10 * n);
            assert!(!ticker.take(start + MS * 10 * n - Duration::from_nanos(u64::from(n > 0))) || n == 0);
            if n > 0 {
                assert!(ticker.take(start + MS * 10 * n + MS * 9), "late, and still before the next");
            }
        }
        assert_eq!((ticker.ticks(), ticker.missed()), (1000, 0));
    }

    #[test]
    fn a_tick_that_is_too_late_is_counted_and_not_made_up_for() {
        let start = Instant::now();
        let mut ticker = Ticker::new(start, MS * 10);
        assert!(ticker.take(start));
        assert!(ticker.take(start + MS * 45), "tick 4; 1, 2 and 3 are missed");
        assert!(!ticker.take(start + MS * 45), "no second tick at the same moment");
        assert_eq!(ticker.deadline(), start + MS * 50);
        assert!(ticker.take(start + MS * 65), "tick 6; 5 is missed");
        assert_eq!((ticker.ticks(), ticker.missed(), ticker.missed_in_a_row()), (3, 4, 3));
    }
}
