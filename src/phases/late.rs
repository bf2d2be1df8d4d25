//! Finds late frees: memory that a task releases only after its "after" was read.
//!
//! The line of a task is written at once and cannot be changed. So a later release is recorded as
//! an event that names the task. The next task's "before" is read after the release, which
//! therefore does not improve that task's delta.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::settle::{LATE_FREE_MB, Settled};
use super::workers::{Mark, Workers};
use crate::record::{Event, Footprint};
use crate::units::round;

/// Compares each quiet reading with the one before it. It reads and records nothing itself, but
/// returns the event to record.
#[derive(Debug)]
pub(super) struct LateFrees {
    /// A smaller fall, in MB, is noise.
    noise_mb: f64,
    last: Mutex<Option<QuietReading>>,
}

/// A quiet reading, and the task or level after which it was taken.
#[derive(Debug, Clone)]
struct QuietReading {
    of: String,
    after: Settled,
    mark: Mark,
}

impl LateFrees {
    /// `quiet_mb` is the range within which memory counts as quiet.
    pub(super) fn new(quiet_mb: f64) -> LateFrees {
        LateFrees { noise_mb: LATE_FREE_MB.max(quiet_mb), last: Mutex::default() }
    }

    /// Remembers `after`, the quiet reading after the task or level `of`.
    pub(super) fn remember(&self, of: &str, after: Settled, workers: &Workers) {
        *self.last() = Some(QuietReading { of: of.to_string(), after, mark: workers.mark() });
    }

    /// The fall from the last quiet reading to the quiet reading `now`.
    pub(super) fn since_last(&self, now: &Settled, workers: &Workers) -> Option<Event> {
        let last = self.comparable(workers)?;
        // The same fall must not be reported twice.
        *self.last() = Some(QuietReading { after: *now, ..last.clone() });
        let mb = fall_mb(&last.after, now, self.noise_mb)?;
        Some(Event::LateFree { of: last.of, mb: round(mb, 1), during: None })
    }

    /// The fall during the task or level `during`, from memory as `before` it to `lowest_mb`, the
    /// lowest memory since. A task cannot free more than it took, so memory below `before` was
    /// released by an earlier task. "After" need not show it, since this task may keep memory itself.
    pub(super) fn during(
        &self,
        during: &str,
        before: &Settled,
        lowest_mb: Option<f64>,
        workers: &Workers,
    ) -> Option<Event> {
        let last = self.comparable(workers)?;
        let fall = before.rss_mb.zip(lowest_mb).map(|(before, lowest)| before - lowest);
        let mb = fall.filter(|fall| *fall >= self.noise_mb)?;
        Some(Event::LateFree { of: last.of, mb: round(mb, 1), during: Some(during.to_string()) })
    }

    /// The last quiet reading, unless it is that of another process.
    fn comparable(&self, workers: &Workers) -> Option<QuietReading> {
        let last = self.last().clone()?;
        workers.unchanged_since(last.mark).then_some(last)
    }

    fn last(&self) -> MutexGuard<'_, Option<QuietReading>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far memory fell between two readings, if that is more than noise. Compares private
/// memory where known, since page cache that the kernel reclaims was not freed by the service.
fn fall_mb(before: &Settled, now: &Settled, noise_mb: f64) -> Option<f64> {
    let private = before.footprint.zip(now.footprint);
    let private = private.and_then(|(before, now)| Footprint::private_of_both(&before, &now));
    let (before, now) = match private {
        Some(both) => both,
        None => (before.rss_mb?, now.rss_mb?),
    };
    Some(before - now).filter(|fall| *fall >= noise_mb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(rss_mb: f64, private_mb: Option<f64>) -> Settled {
        let footprint = Some(Footprint { private_mb, ..Footprint::default() });
        Settled { rss_mb: Some(rss_mb), footprint, ..Settled::nothing() }
    }

    #[test]
    fn private_memory_decides_and_rss_where_it_is_unknown() {
        let held = settled(900.0, Some(700.0));
        assert_eq!(fall_mb(&held, &settled(700.0, Some(500.0)), LATE_FREE_MB), Some(200.0));
        assert_eq!(
            fall_mb(&held, &settled(700.0, Some(698.0)), LATE_FREE_MB),
            None,
            "page cache was taken back"
        );
        assert_eq!(fall_mb(&settled(900.0, None), &settled(700.0, Some(1.0)), LATE_FREE_MB), Some(200.0));
        assert_eq!(fall_mb(&held, &Settled::nothing(), LATE_FREE_MB), None);
        assert_eq!(fall_mb(&held, &settled(880.0, Some(680.0)), 50.0), None, "the noise of this service");
    }
}
