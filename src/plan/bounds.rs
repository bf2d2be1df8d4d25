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
        "target.timeout_s" | "target.connect_timeout_s" => above(0.0, WEEK_S),
        "target.http.success_status" => from(100.0, 599.0),
        "processes.*.pid" => from(1.0, f64::from(u32::MAX)),
        "sampler.interval_s" => from(0.01, 3_600.0),
        "settle.quiet_s" | "settle.max_s" | "settle.late_free_s" | "ramp.exit_grace_s" => from(0.0, WEEK_S),
        "settle.quiet_mb" | "leak.baseline_tolerance_mb" => from(0.0, MOST_MB),
        "leak.max_delta_mb" | "leak.severe_delta_mb" => above(0.0, MOST_MB),
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
