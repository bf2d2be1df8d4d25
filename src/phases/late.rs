//! Memory that comes down only after "after" was read: a late free.
//!
//! The line of a task is written at once and cannot be changed, so what comes
//! down later is an event that names the task; the next task's "before" is read
//! after it, and does not profit.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::rig::Rig;
use super::settle::{LATE_FREE_MB, Settled};
use super::workers::Mark;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::record::{Event, Footprint};
use crate::units::{round, to_mb};

/// The last quiet reading, and whose it was.
#[derive(Debug, Default)]
pub(crate) struct Last(Mutex<Option<Reading>>);

#[derive(Debug, Clone)]
struct Reading {
    of: String,
    after: Settled,
    mark: Mark,
}

impl Last {
    fn get(&self) -> Option<Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, reading: Option<Reading>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }
}

/// `after` was read when memory was quiet after `of`, a task or a level.
pub(super) fn remember(rig: &Rig, of: &str, after: Settled) {
    rig.last.set(Some(Reading { of: of.to_string(), after, mark: rig.workers.mark() }));
}

/// Memory is quiet again: records what came down since the reading before.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the event cannot be recorded.
pub(super) async fn check(rig: &Rig, now: &Settled) -> Result<()> {
    let Some(last) = comparable(rig) else { return Ok(()) };
    // What came down once is not told twice.
    rig.last.set(Some(Reading { after: *now, ..last.clone() }));
    match fall_mb(&last.after, now, rig.plan.settle.quiet_mb) {
        Some(mb) => tell(rig, last.of, mb, None).await,
        None => Ok(()),
    }
}

/// `during`, a task or a level that began at `started` with memory as `before`, is
/// over. Memory that was lower meanwhile than before it was not its own: nothing
/// that it took can have been given back. What it kept hides that from "after".
///
/// # Errors
/// As [`check`].
pub(super) async fn check_during(rig: &Rig, before: &Settled, started: Instant, during: &str) -> Result<()> {
    let Some(last) = comparable(rig) else { return Ok(()) };
    let lowest = rig.sampler.low_between(WORKER, started, Instant::now()).map(to_mb);
    let fall = before.rss_mb.zip(lowest).map(|(before, lowest)| before - lowest);
    match fall.filter(|fall| *fall >= LATE_FREE_MB.max(rig.plan.settle.quiet_mb)) {
        Some(mb) => tell(rig, last.of, mb, Some(during.to_string())).await,
        None => Ok(()),
    }
}

/// The last quiet reading, unless another process would be compared with it.
fn comparable(rig: &Rig) -> Option<Reading> {
    let last = rig.last.get()?;
    let (exits, replacements) = rig.workers.since(last.mark);
    (exits.is_empty() && replacements.is_empty()).then_some(last)
}

async fn tell(rig: &Rig, of: String, mb: f64, during: Option<String>) -> Result<()> {
    rig.recorder.event(Event::LateFree { of, mb: round(mb, 1), during }).await
}

/// How far memory came down between two readings, if that is more than noise:
/// private memory, since page cache that the kernel takes back was not freed.
fn fall_mb(before: &Settled, now: &Settled, noise_mb: f64) -> Option<f64> {
    let private = before.footprint.zip(now.footprint);
    let private = private.and_then(|(before, now)| Footprint::private_of_both(&before, &now));
    let (before, now) = match private {
        Some(both) => both,
        None => (before.rss_mb?, now.rss_mb?),
    };
    Some(before - now).filter(|fall| *fall >= LATE_FREE_MB.max(noise_mb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(rss_mb: f64, private_mb: Option<f64>) -> Settled {
        let footprint = Some(Footprint { private_mb, ..Footprint::default() });
        Settled { rss_mb: Some(rss_mb), footprint, ..Settled::nothing() }
    }

    #[test]
    fn private_memory_tells_and_rss_where_it_is_not_known() {
        let held = settled(900.0, Some(700.0));
        assert_eq!(fall_mb(&held, &settled(700.0, Some(500.0)), 1.0), Some(200.0));
        assert_eq!(fall_mb(&held, &settled(700.0, Some(698.0)), 1.0), None, "page cache was taken back");
        assert_eq!(fall_mb(&settled(900.0, None), &settled(700.0, Some(1.0)), 1.0), Some(200.0));
        assert_eq!(fall_mb(&held, &Settled::nothing(), 1.0), None);
        assert_eq!(fall_mb(&held, &settled(880.0, Some(680.0)), 50.0), None, "the noise of this service");
    }
}
