//! Watches highwater itself and the machine, to tell whether they distorted the figures.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::analysis::percentile;
use crate::record::OwnReading;
use crate::sampler::Counters;
use crate::units::round;

/// The interval of the wake-ups whose lateness is measured.
const BEAT: Duration = Duration::from_millis(20);

/// Watches from its start to its end.
pub(crate) struct OwnWatch {
    started: Instant,
    before: Counters,
    /// CPU wait is counted per thread.
    thread: ThreadId,
    /// How late each wake-up was, in seconds.
    late: Arc<Mutex<Vec<f32>>>,
    beat: JoinHandle<()>,
}

impl OwnWatch {
    /// Starts watching.
    pub(crate) fn start() -> OwnWatch {
        let late = Arc::<Mutex<Vec<f32>>>::default();
        let measured = Arc::clone(&late);
        let beat = tokio::spawn(async move {
            loop {
                let due = Instant::now() + BEAT;
                tokio::time::sleep_until(due.into()).await;
                let seconds = due.elapsed().as_secs_f32();
                measured.lock().unwrap_or_else(PoisonError::into_inner).push(seconds);
            }
        });
        let thread = std::thread::current().id();
        OwnWatch { started: Instant::now(), before: Counters::read(), thread, late, beat }
    }

    /// Ends watching and returns the figures.
    pub(crate) fn end(self) -> OwnReading {
        let seconds = self.started.elapsed().as_secs_f64().max(f64::EPSILON);
        let (mut before, now) = (self.before, Counters::read());
        // A runtime of several threads may have moved this task to another thread.
        before.cpu_wait_s = before.cpu_wait_s.filter(|_| self.thread == std::thread::current().id());
        let mut late: Vec<f64> = {
            let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
            late.iter().map(|seconds| f64::from(*seconds)).collect()
        };
        late.sort_by(f64::total_cmp);
        let rate = |before: Option<f64>, now: Option<f64>, digits| {
            before.zip(now).map(|(before, now)| round((now - before).max(0.0) / seconds * 100.0, digits))
        };
        OwnReading {
            lag_p95_s: percentile(&late, 95.0).map(|late| round(late, 4)),
            lag_max_s: late.last().map(|late| round(*late, 4)),
            cpu_percent: rate(before.cpu_s, now.cpu_s, 1),
            cpu_wait_percent: rate(before.cpu_wait_s, now.cpu_wait_s, 1),
            rss_mb: now.rss_mb.map(|rss| round(rss, 1)),
            cpu_pressure_percent: rate(before.cpu_pressure_s, now.cpu_pressure_s, 1),
            memory_pressure_percent: rate(before.memory_pressure_s, now.memory_pressure_s, 1),
            swapped_mb: before.swapped_mb.zip(now.swapped_mb).map(|(before, now)| round(now - before, 1)),
        }
    }
}

impl Drop for OwnWatch {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_blocked_event_loop_is_seen() {
        let watch = OwnWatch::start();
        tokio::time::sleep(BEAT * 2).await;
        std::thread::sleep(Duration::from_millis(300));
        tokio::time::sleep(BEAT * 2).await;
        let own = watch.end();
        assert!(own.lag_max_s.is_some_and(|late| late >= 0.25), "{own:?}");
        assert!(own.rss_mb.is_some_and(|rss| rss > 1.0) && own.cpu_percent.is_some(), "{own:?}");
        assert!(own.cpu_wait_percent.is_none_or(|share| (0.0..=100.0).contains(&share)), "{own:?}");
    }
}
