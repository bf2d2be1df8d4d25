//! Tasks that are outstanding together: the next is sent before the records of the last are written.
//!
//! A record is on the disk milliseconds after its task ended. A task that waited for that would leave a
//! place empty for a time that is long beside a short task.

use std::time::Instant;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::driver::Ended;
use super::rig::Rig;
use super::task::Together;
use crate::error::Result;
use crate::record::{Event, TaskStatus};
use crate::units::round;

/// A task whose result is known, and whose records may still be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finished {
    /// When the result was known.
    pub(super) at: Instant,
    /// Seconds from its submission to its result.
    pub(super) seconds: f64,
    pub(super) succeeded: bool,
}

/// A task whose result is known, before it is recorded.
struct Answered {
    test_id: String,
    ended: Ended,
    at: Instant,
}

/// Lines that may be on their way to the disk, beside those of the tasks that are outstanding.
const LINES_AHEAD: usize = 4096;

/// Tasks that are outstanding together, and records that are being written.
pub(super) struct Slots<'a> {
    rig: &'a Rig,
    together: &'a Together<'a>,
    outstanding: FuturesUnordered<LocalBoxFuture<'a, Result<Answered>>>,
    writing: FuturesUnordered<LocalBoxFuture<'a, Result<()>>>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(rig: &'a Rig, together: &'a Together<'a>) -> Slots<'a> {
        Slots { rig, together, outstanding: FuturesUnordered::new(), writing: FuturesUnordered::new() }
    }

    /// Sends one more task; a pause comes first if it replaces a failed one.
    pub(super) fn send(&mut self, test_id: String, after_failure: bool) {
        let (rig, together) = (self.rig, self.together);
        self.outstanding.push(Box::pin(async move {
            if after_failure {
                tokio::time::sleep(super::task::AFTER_FAILURE).await;
            }
            rig.recorder.mark(Event::TaskStarted { test_id: test_id.clone() })?;
            let input = rig.inputs.get(rig.plan.ramp.audio);
            let ended = rig.driver.drive_in_block(input, &test_id, together.mark).await?;
            Ok(Answered { test_id, ended, at: Instant::now() })
        }));
    }

    /// The next task whose result is known; `None` once all have ended and are recorded.
    ///
    /// Nothing is lost if the future is dropped before it is ready.
    ///
    /// # Errors
    /// Those of [`super::driver::Driver::drive`]; [`crate::ErrorKind::Io`] if a record cannot be written.
    pub(super) async fn ended(&mut self) -> Result<Option<Finished>> {
        loop {
            // A disk that is slower than the service must not fill memory with lines.
            if self.writing.len() > LINES_AHEAD
                && let Some(written) = self.writing.next().await
            {
                written?;
                continue;
            }
            tokio::select! {
                biased;
                Some(answered) = self.outstanding.next() => {
                    let answered = answered?;
                    let finished = Finished {
                        at: answered.at,
                        seconds: answered.ended.seconds,
                        succeeded: answered.ended.status() == TaskStatus::Success,
                    };
                    self.writing.push(Box::pin(record(self.rig, self.together, answered)));
                    return Ok(Some(finished));
                }
                Some(written) = self.writing.next() => written?,
                else => return Ok(None),
            }
        }
    }
}

async fn record(rig: &Rig, together: &Together<'_>, answered: Answered) -> Result<()> {
    let Answered { test_id, ended, .. } = answered;
    let event = Event::TaskAnswered {
        test_id: test_id.clone(),
        status: ended.status(),
        processing_time: round(ended.seconds, 3),
    };
    rig.recorder.mark(event)?;
    together.record(rig, test_id, &ended).await
}
