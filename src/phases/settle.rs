//! Recognises quiet memory: a state machine without a clock.

use std::collections::VecDeque;

use crate::plan::SettlePlan;
use crate::record::Footprint;

/// The result of waiting for quiet memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// RSS of the worker role in MB; absent if no worker was alive.
    pub rss_mb: Option<f64>,
    /// The footprint of the worker role's tree; absent with `rss_mb`.
    pub footprint: Option<Footprint>,
    /// How long the wait took, in seconds.
    pub seconds: f64,
    /// False if memory was still changing at the end of the wait.
    pub quiet: bool,
    /// How far memory came down after it had been quiet on a higher level, in MB.
    pub late_free_mb: Option<f64>,
}

/// A smaller fall between two quiet readings, in MB, is the noise of a healthy process.
pub(super) const LATE_FREE_MB: f64 = 5.0;

impl Settled {
    /// The result if no worker was alive.
    pub(super) fn nothing() -> Settled {
        Settled { rss_mb: None, footprint: None, seconds: 0.0, quiet: false, late_free_mb: None }
    }
}

/// Recognises quiet memory in successive readings.
#[derive(Debug, Clone)]
pub struct Settle<'a> {
    plan: &'a SettlePlan,
    /// Memory that is quiet above this is watched longer, for late frees.
    high_mb: Option<f64>,
    recent: VecDeque<(f64, f64)>,
    /// The highest level above `high_mb` on which memory was quiet.
    quiet_high_mb: Option<f64>,
}

impl<'a> Settle<'a> {
    /// Waits for quiet memory. Memory that is quiet above `high_mb` gets
    /// `late_free_s` to come down.
    pub fn new(plan: &'a SettlePlan, high_mb: Option<f64>) -> Settle<'a> {
        Settle { plan, high_mb, recent: VecDeque::new(), quiet_high_mb: None }
    }

    /// Takes a reading, `seconds` after the start. Returns `None` while the wait goes on, and at
    /// its end whether memory is quiet.
    pub fn reading(&mut self, seconds: f64, rss_mb: f64) -> Option<bool> {
        self.recent.push_back((seconds, rss_mb));
        // Keeps one reading older than the window, so that the readings cover the whole window.
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
            self.quiet_high_mb = Some(self.quiet_high_mb.map_or(rss_mb, |high| high.max(rss_mb)));
        }
        if quiet && (!high || seconds >= self.plan.late_free_s) {
            return Some(true);
        }
        let limit = if high { self.plan.max_s.max(self.plan.late_free_s) } else { self.plan.max_s };
        (seconds >= limit).then_some(quiet)
    }

    /// How far `rss_mb`, the reading that ended the wait, is below a level on
    /// which memory was quiet before. This is a late free, if it is more than noise.
    pub fn came_down_mb(&self, rss_mb: f64) -> Option<f64> {
        self.quiet_high_mb
            .map(|high| high - rss_mb)
            .filter(|fall| *fall >= LATE_FREE_MB.max(self.plan.quiet_mb))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static PLAN: LazyLock<SettlePlan> = LazyLock::new(|| SettlePlan {
        quiet_s: 0.5,
        quiet_mb: 1.0,
        max_s: 10.0,
        late_free_s: 8.0,
        ..SettlePlan::default()
    });

    /// When the wait ends for memory that follows `rss` over time, and whether it is quiet then.
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
    fn memory_that_never_settles_is_read_at_the_bound_and_is_not_quiet() {
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
    fn a_late_free_is_reported_and_noise_is_not() {
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
    fn memory_that_stays_high_is_watched_for_late_free_s_only() {
        let (seconds, quiet) = end(Some(650.0), |_| 800.0);
        assert!(quiet && (8.0..8.2).contains(&seconds), "{seconds}");
    }
}
