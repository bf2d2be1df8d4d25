//! Spreads the polls of all tasks, so that together they do not load the service.
//! Pure: the time is an argument.

use std::time::Duration;

/// Assigns moments that are at least one interval apart.
///
/// Ask for a moment when the poll is due, and not before: a moment taken ahead of its time
/// would delay polls that are due earlier. Polls that have to wait get their moments in the order of
/// the requests, so tasks share the rate evenly. No two polls come closer than the
/// interval, however many tasks begin at once (a token bucket of one token, the "generic cell rate
/// algorithm").
#[derive(Debug)]
pub(super) struct Spread {
    interval: Duration,
    next: Duration,
}

impl Spread {
    /// At most `per_s` polls a second.
    pub(super) fn new(per_s: f64) -> Spread {
        Spread { interval: Duration::from_secs_f64(1.0 / per_s), next: Duration::ZERO }
    }

    /// The moment for a poll that is due `now`; both count from the same origin.
    pub(super) fn take(&mut self, now: Duration) -> Duration {
        let moment = self.next.max(now);
        self.next = moment + self.interval;
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::poll_delay;

    /// Simulates tasks with these starts and durations. Returns all polls in order, and how much
    /// longer than its true duration each task appears.
    fn simulate(tasks: &[(Duration, Duration)], per_s: f64) -> (Vec<Duration>, Vec<Duration>) {
        let mut spread = Spread::new(per_s);
        let mut looks = Vec::new();
        let mut late = vec![Duration::ZERO; tasks.len()];
        let first =
            |(index, task): (usize, &(Duration, Duration))| (task.0 + poll_delay(Duration::ZERO), index);
        let mut due: std::collections::BTreeSet<_> = tasks.iter().enumerate().map(first).collect();
        while let Some((now, index)) = due.pop_first() {
            let (begin, truth) = tasks[index];
            let at = spread.take(now);
            looks.push(at);
            if at >= begin + truth {
                late[index] = at - begin - truth;
            } else {
                due.insert((at + poll_delay(at - begin), index));
            }
        }
        (looks, late)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn no_two_polls_come_closer_than_the_rate_allows() {
        let tasks: Vec<_> = (0..500).map(|index| (Duration::ZERO, SECOND * (1 + index % 7))).collect();
        let (looks, late) = simulate(&tasks, 100.0);
        for pair in looks.windows(2) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(10), "{pair:?}");
        }
        // 500 tasks at 100 polls a second: each gets a turn every 5 s.
        let worst = late.iter().max().unwrap();
        assert!(*worst <= SECOND * 5 + poll_delay(SECOND * 12), "{worst:?}");
    }

    #[test]
    fn a_task_longer_than_5_s_is_timed_within_2_percent() {
        for truth in [5.01, 7.3, 31.0, 400.0] {
            let truth = Duration::from_secs_f64(truth);
            let together: Vec<_> = (0..12).map(|_| (Duration::ZERO, truth)).collect();
            let staggered: Vec<_> =
                (0..12).map(|index| (Duration::from_millis(137) * index, truth)).collect();
            for tasks in [together, staggered] {
                let (_, late) = simulate(&tasks, 200.0);
                for late in late {
                    assert!(late <= truth.mul_f64(0.02), "{truth:?} appeared {late:?} longer");
                }
            }
        }
    }

    #[test]
    fn a_poll_of_a_quiet_service_does_not_wait() {
        let mut spread = Spread::new(10.0);
        assert_eq!(spread.take(SECOND), SECOND);
        assert_eq!(spread.take(SECOND), SECOND + Duration::from_millis(100));
        assert_eq!(spread.take(SECOND * 5), SECOND * 5);
    }
}
