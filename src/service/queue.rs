//! Derives from the statuses of a task how long it waited in the service's queue. Pure.

use std::time::Duration;

use super::error::LastStatus;

/// The statuses of one task so far.
#[derive(Debug, Default)]
pub(super) struct QueueWatch {
    /// When it was last seen waiting.
    waiting: Duration,
    /// The last status.
    seen: Option<LastStatus>,
    /// When it was first seen being processed.
    processing: Option<Duration>,
}

impl QueueWatch {
    /// It is waiting, at the time `since` its submission.
    pub(super) fn waiting(&mut self, since: Duration) {
        // A task that goes back into the queue because its worker died waits again.
        self.processing = None;
        self.waiting = since;
        self.seen = Some(LastStatus::Queued);
    }

    /// It is being processed, at the time `since` its submission.
    pub(super) fn processing(&mut self, since: Duration) {
        self.processing.get_or_insert(since);
        self.seen = Some(LastStatus::Processing);
    }

    /// The last status that the service gave.
    pub(super) fn seen(&self) -> Option<LastStatus> {
        self.seen
    }

    /// Seconds in the queue: the middle between the last poll that saw it waiting and the
    /// first that saw it being processed. `None` if it was never seen being processed: a task that ends
    /// between two polls may have waited all of that time, or none of it.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.processing.map(|processing| (self.waiting + processing).as_secs_f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_lies_between_the_last_poll_that_saw_it_and_the_first_that_did_not() {
        let seconds = Duration::from_secs;
        let mut queue = QueueWatch::default();
        assert_eq!(queue.seconds(), None);
        queue.waiting(seconds(1));
        queue.waiting(seconds(3));
        assert_eq!(queue.seconds(), None, "it was never seen to be processed");
        queue.processing(seconds(5));
        queue.processing(seconds(9));
        assert_eq!(queue.seconds(), Some(4.0));
        assert_eq!(queue.seen(), Some(LastStatus::Processing));
        queue.waiting(seconds(10));
        assert_eq!(queue.seen(), Some(LastStatus::Queued));
        assert_eq!(queue.seconds(), None, "it waits again");
        let mut at_once = QueueWatch::default();
        at_once.processing(seconds(1));
        assert_eq!(at_once.seconds(), Some(0.5));
    }
}
