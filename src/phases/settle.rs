//! When is memory quiet? A state machine without a clock.

use std::collections::VecDeque;

use crate::plan::SettlePlan;
use crate::record::Footprint;

/// What came of waiting for quiet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// RSS of the worker role in MB; absent if no worker was alive.
    pub rss_mb: Option<f64>,
    /// All that the worker role's tree held then; absent with `rss_mb`.
    pub footprint: Option<Footprint>,
    /// Seconds that it took.
    pub seconds: f64,
    /// False if memory was still moving when the time was up.
    pub quiet: bool,
    /// Memory that had been quiet on a higher level before it came down, in MB.
    pub late_free_mb: Option<f64>,
}

/// Memory that came down by less than this, in MB, may be an allocator's whim:
/// the noise of a healthy process between two quiet readings.
pub(super) const LATE_FREE_MB: f64 = 5.0;

impl Settled {
    /// No worker was there to be read.
    pub(super) fn nothing() -> Settled {
        Settled { rss_mb: None, footprint: None, seconds: 0.0, quiet: false, late_free_mb: None }
    }
}

/// Recognises quiet in readings as they come.
#[derive(Debug, Clone)]
pub struct Settle<'a> {
    plan: &'a SettlePlan,
    /// Quiet above this is watched on, for late frees.
    high_mb: Option<f64>,
    recent: VecDeque<(f64, f64)>,
    /// The highest level on which memory was quiet and yet high.
    held_mb: Option<f64>,
}

impl<'a> Settle<'a> {
    /// Waits for quiet; where `high_mb` is given, quiet above it is given
    /// `late_free_s` to come down.
    pub fn new(plan: &'a SettlePlan, high_mb: Option<f64>) -> Settle<'a> {
        Settle { plan, high_mb, recent: VecDeque::new(), held_mb: None }
    }

    /// Takes a reading, `seconds` after the start; returns whether memory is
    /// quiet once that is decided, and nothing as long as it is not.
    pub fn reading(&mut self, seconds: f64, rss_mb: f64) -> Option<bool> {
        self.recent.push_back((seconds, rss_mb));
        // One reading older than the window stays: the window must be covered, not merely touched.
        while self.recent.get(1).is_some_and(|(at, _)| seconds - at >= self.plan.quiet_s) {
            self.recent.pop_front();
        }
        let covered = self.recent.front().is_some_and(|(at, _)| seconds - at >= self.plan.quiet_s);
        let values = self.recent.iter().map(|(_, value)| *value);
        let highest = values.clone().fold(f64::NEG_INFINITY, f64::max);
        let lowest = values.fold(f64::INFINITY, f64::min);
        let quiet = covered && highest - lowest <= self.plan.quiet_mb;
        let high = self.high_mb.is_some_and(|limit| rss_mb > limit);
        if quiet && high {
            self.held_mb = Some(self.held_mb.map_or(rss_mb, |held| held.max(rss_mb)));
        }
        if quiet && (!high || seconds >= self.plan.late_free_s) {
            return Some(true);
        }
        let limit = if high { self.plan.max_s.max(self.plan.late_free_s) } else { self.plan.max_s };
        (seconds >= limit).then_some(quiet)
    }

    /// How far `rss_mb`, the reading that ended the wait, is below a level on
    /// which memory was quiet before: a late free, if it is more than noise.
    pub fn came_down_mb(&self, rss_mb: f64) -> Option<f64> {
        self.held_mb.map(|held| held - rss_mb).filter(|fall| *fall >= LATE_FREE_MB.max(self.plan.quiet_mb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: SettlePlan = SettlePlan { quiet_s: 0.5, quiet_mb: 1.0, max_s: 10.0, late_free_s: 8.0 };

    /// When, and how, the wait ends for memory that follows `rss` over time.
    fn end(high_mb: Option<f64>, rss: impl Fn(f64) -> f64) -> (f64, bool) {
        let mut settle = Settle::new(&PLAN, high_mb);
        for tick in 0..10_000 {
            let seconds = f64::from(tick) * 0.05;
            if let Some(quiet) = settle.reading(seconds, rss(seconds)) {
                return (seconds, quiet);
            }
        }
        panic!("never settled");
    }

    #[test]
    fn still_memory_is_quiet_after_the_window_and_no_sooner() {
        assert_eq!(end(None, |_| 600.0), (0.5, true));
    }

    #[test]
    fn memory_that_falls_for_a_while_is_waited_for() {
        let (seconds, quiet) = end(None, |seconds| 600.0 + (3.0 - seconds).max(0.0) * 100.0);
        assert!(quiet && (3.4..4.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn memory_that_never_rests_is_read_at_the_bound_and_said_to_move() {
        let (seconds, quiet) = end(None, |seconds| 600.0 + seconds * 100.0);
        assert!(!quiet && seconds >= 10.0, "{seconds}");
    }

    #[test]
    fn a_late_free_is_waited_for_only_where_memory_is_high() {
        let late = |seconds: f64| if seconds < 5.0 { 800.0 } else { 600.0 };
        assert_eq!(end(None, late), (0.5, true));
        let (seconds, quiet) = end(Some(650.0), late);
        assert!(quiet && (5.4..6.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn what_came_down_late_is_told_and_noise_is_not() {
        let after = |low: f64| {
            let mut settle = Settle::new(&PLAN, Some(650.0));
            let rss = |seconds: f64| if seconds < 5.0 { 800.0 } else { low };
            let ticks = (0..10_000).map(|tick| f64::from(tick) * 0.05);
            let end = ticks.map(|at| (at, rss(at))).find(|&(at, rss)| settle.reading(at, rss).is_some());
            settle.came_down_mb(end.expect("it settles").1)
        };
        assert_eq!(after(600.0), Some(200.0));
        assert_eq!(after(797.0), None, "noise");
        let mut direct = Settle::new(&PLAN, Some(650.0));
        assert!((0..100).any(|tick| direct.reading(f64::from(tick) * 0.05, 600.0).is_some()));
        assert_eq!(direct.came_down_mb(600.0), None, "it was never high");
    }

    #[test]
    fn memory_that_stays_high_is_kept_for_the_patience_only() {
        let (seconds, quiet) = end(Some(650.0), |_| 800.0);
        assert!(quiet && (8.0..8.2).contains(&seconds), "{seconds}");
    }
}
