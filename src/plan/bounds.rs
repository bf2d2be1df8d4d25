//! Between which figures each number of the configuration must lie.

use std::fmt;

/// The longest time that may be configured: a week, in seconds.
const WEEK_S: f64 = 604_800.0;

/// The most memory that may be configured: 10 TB, in megabytes.
const MOST_MB: f64 = 10_000_000.0;

/// The range of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    from: f64,
    to: f64,
    /// True if `from` itself is outside.
    above: bool,
}

impl Bound {
    /// True if `number` is within the range; NaN never is.
    pub(super) fn holds(self, number: f64) -> bool {
        number <= self.to && if self.above { number > self.from } else { number >= self.from }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.above { "above" } else { "from" };
        let join = if self.above { ", at most" } else { " to" };
        write!(f, "{word} {}{join} {}", self.from, self.to)
    }
}

/// The range of the key with this dotted path, in which `*` stands for a role.
///
/// A test sees to it that every number has one.
pub(super) fn bound(key: &str) -> Option<Bound> {
    let from = |from, to| Some(Bound { from, to, above: false });
    let above = |from, to| Some(Bound { from, to, above: true });
    match key {
        "target.timeout_s"
        | "target.connect_timeout_s"
        | "target.upload_timeout_s"
        | "target.processing_timeout_s" => above(0.0, WEEK_S),
        "target.retries" => from(0.0, 100.0),
        "target.retry_wait_s" => from(0.0, 3_600.0),
        "target.asr.max_polls_per_s" => from(0.1, 100_000.0),
        "target.http.success_status" => from(100.0, 599.0),
        "processes.*.pid" => from(1.0, f64::from(u32::MAX)),
        "sampler.interval_s" | "sampler.busy_interval_s" => from(0.01, 3_600.0),
        "sampler.busy_cpu_percent" => above(0.0, 100.0),
        "sampler.pss_budget_s" => from(0.0, 60.0),
        "processes.*.port" => from(1.0, f64::from(u16::MAX)),
        "settle.quiet_s" | "settle.max_s" | "settle.late_free_s" | "ramp.exit_grace_s" => from(0.0, WEEK_S),
        "ramp.max_s" | "ramp.recover_s" | "ramp.hold_s" | "ramp.short_s" | "ramp.drain_s" => {
            from(0.0, WEEK_S)
        }
        "ramp.max_levels" | "ramp.max_tasks" | "ramp.short_tasks" => from(0.0, 10_000_000.0),
        "ramp.max_lag_s" | "ramp.stable.max_latency_s" => from(0.0, WEEK_S),
        "ramp.stable.max_peak_mb" | "ramp.stable.max_kept_mb" => from(0.0, MOST_MB),
        "ramp.stable.max_kept_fds" | "ramp.stable.max_kept_threads" => from(0.0, 10_000_000.0),
        "ramp.stable.min_success" => from(0.0, 1.0),
        "soak.concurrency" => from(1.0, 100_000.0),
        "soak.for_s" => above(0.0, WEEK_S),
        "soak.tasks" => from(0.0, f64::from(u32::MAX)),
        "soak.cap_mb" => from(0.0, MOST_MB),
        "ramp.rounds" => from(1.0, 1_000_000.0),
        "settle.quiet_mb" | "leak.baseline_tolerance_mb" => from(0.0, MOST_MB),
        "leak.max_delta_mb" | "leak.severe_delta_mb" => above(0.0, MOST_MB),
        "leak.max_fds_growth" | "leak.max_threads_growth" | "leak.max_processes_growth" => {
            from(0.0, 1_000_000.0)
        }
        "leak.probe_steps" => from(8.0, 10_000.0),
        "leak.probe_concurrency" => from(2.0, 1_000.0),
        "leak.probe_pause_s" => above(0.0, WEEK_S),
        "leak.max_s" => from(0.0, WEEK_S),
        "leak.repeats" | "leak.max_repeats" => from(0.0, 100_000.0),
        "ramp.start" | "ramp.step" | "ramp.max" | "ramp.required" => from(1.0, 100_000.0),
        "ramp.max_rtf" => above(0.0, 1_000.0),
        "guard.min_available_percent" => from(0.0, 100.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::keys::{Kind, known};

    #[test]
    fn every_number_has_a_range() {
        for key in known() {
            let number = matches!(key.kind, Kind::Whole | Kind::Wholes | Kind::Number);
            assert_eq!(bound(&key.dotted()).is_some(), number, "{}", key.dotted());
        }
    }

    #[test]
    fn the_ends_belong_to_a_range_unless_it_says_above() {
        let interval = bound("sampler.interval_s").unwrap();
        assert!(interval.holds(0.01) && interval.holds(3600.0));
        assert!(!interval.holds(0.009) && !interval.holds(3600.1) && !interval.holds(f64::NAN));
        assert_eq!(interval.to_string(), "from 0.01 to 3600");
        let timeout = bound("target.timeout_s").unwrap();
        assert!(!timeout.holds(0.0) && timeout.holds(0.001) && !timeout.holds(f64::INFINITY));
        assert_eq!(timeout.to_string(), "above 0, at most 604800");
    }
}
