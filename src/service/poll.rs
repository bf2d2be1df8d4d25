//! How long to wait between two polls of a task. Pure.

use std::time::Duration;

/// The largest error of a measured time…
const ABSOLUTE: Duration = Duration::from_millis(50);

/// …or, if that is more, the largest error as a share of the time.
const RELATIVE: f64 = 0.02;

/// The share of the largest error that the wait may use; the rest is for the round trip.
const SHARE: f64 = 0.6;

/// The wait before the next poll of a task that was submitted `elapsed` ago.
///
/// A result is seen at most one wait and one round trip after it is available. The
/// wait is 60 % of max(50 ms, 2 % of the time so far), so the error of the measured time
/// stays within that bound for round trips up to the other 40 %.
/// The first waits are shorter, since the first poll often comes just too early.
pub fn poll_delay(elapsed: Duration) -> Duration {
    let allowance = ABSOLUTE.max(elapsed.mul_f64(RELATIVE)).mul_f64(SHARE);
    let ease_in = Duration::from_millis(5).max(elapsed.mul_f64(0.25));
    allowance.min(ease_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_never_wrong_by_more_than_50_ms_or_2_percent() {
        for truth_ms in (1..3_600_000).step_by(997) {
            let truth = Duration::from_millis(truth_ms);
            let allowance = ABSOLUTE.max(truth.mul_f64(RELATIVE));
            // The worst case: the poll just before the result still reports "not yet".
            let worst = poll_delay(truth);
            assert!(worst <= allowance.mul_f64(SHARE + 0.001), "{truth:?}: {worst:?}");
        }
    }

    #[test]
    fn polling_starts_short_and_backs_off() {
        let delays: Vec<Duration> =
            [0, 40, 200, 10_000, 600_000].map(|ms| poll_delay(Duration::from_millis(ms))).to_vec();
        assert!(delays.is_sorted(), "{delays:?}");
        assert_eq!(delays[0], Duration::from_millis(5));
        assert_eq!(delays[3], Duration::from_millis(120));
    }
}
