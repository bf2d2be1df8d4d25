//! Recognises memory that rises steadily with time, where tasks per second change too much to see it task by task. Pure.

use super::growth::{Point, line};
use super::student::exceeded;

/// Readings that are needed.
const READINGS: usize = 5;

/// A rise of less than this over all readings is an allocator's, in MB.
const LEAST_MB: f64 = 0.5;

/// Chance that growth which is none is called certain.
const ERROR: f64 = 0.000_5;

/// The later half of the time adds at least this share of what the earlier did, and at most its inverse.
const STEADY: f64 = 0.5;

/// True if memory rises steadily over `readings`, which are (seconds, MB).
pub(super) fn rises(readings: &[(f64, f64)]) -> bool {
    let points: Vec<Point> = readings.iter().map(|&(at, mb)| Point { at, mb }).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return false };
    let Some(line) = line(&points).filter(|_| points.len() >= READINGS) else { return false };
    let risen_mb = last.mb - first.mb;
    if risen_mb < LEAST_MB || line.slope <= exceeded(ERROR, line.freedom) * line.error {
        return false;
    }
    let half_s = (first.at + last.at) / 2.0;
    let Some(middle) = points.iter().find(|point| point.at >= half_s && point.at < last.at) else {
        return false;
    };
    let early = (middle.mb - first.mb) / (middle.at - first.at);
    let late = (last.mb - middle.mb) / (last.at - middle.at);
    early > 0.0 && (STEADY..=1.0 / STEADY).contains(&(late / early))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(mb: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..6).map(|index| 9.0 + f64::from(index)).map(|seconds| (seconds, mb(seconds))).collect()
    }

    #[test]
    fn a_steady_rise_is_recognised_and_no_other() {
        // A quarter of a megabyte a second, in steps of one.
        assert!(rises(&series(|seconds| 10.0 + 0.25 * seconds.floor())));
        assert!(!rises(&series(|_| 10.0)));
        assert!(!rises(&series(|seconds| 10.0 + 0.02 * seconds)), "too little");
        assert!(!rises(&series(|seconds| if seconds < 10.0 { 10.0 } else { 12.0 })), "one step");
        assert!(!rises(&series(|seconds| 12.0 - 30.0 / seconds.powi(3) * 40.0)), "it slows down");
        assert!(!rises(&series(|seconds| 10.0 + (seconds * 7.0) % 3.0)), "noise");
        assert!(!rises(&series(|seconds| seconds)[..4]));
    }
}
