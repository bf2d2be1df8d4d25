//! How long a task waited in the service's queue, from what its status was when. Pure.

use std::time::Duration;

use super::error::Seen;

/// The statuses that were seen of one task.
#[derive(Debug, Default)]
pub(super) struct QueueWatch {
    /// When it was last seen to wait.
    waiting: Duration,
    /// What was seen last.
    seen: Option<Seen>,
    /// When it was first seen to be processed.
    processing: Option<Duration>,
}

impl QueueWatch {
    /// It waits, so long after its submission.
    pub(super) fn waiting(&mut self, since: Duration) {
        // A task that goes back into the queue (its worker died) waits once more.
        self.processing = None;
        self.waiting = since;
        self.seen = Some(Seen::Queued);
    }

    /// It is being processed, so long after its submission.
    pub(super) fn processing(&mut self, since: Duration) {
        self.processing.get_or_insert(since);
        self.seen = Some(Seen::Processing);
    }

    /// What the service said last.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// Seconds in the queue: the middle between the last look that saw it wait and the
    /// first that did not. Absent if it was never seen to be processed: a task that is over before
    /// the next look may have waited for all of that time, or for none of it.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.processing.map(|processing| (self.waiting + processing).as_secs_f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_lies_between_the_last_look_that_saw_it_and_the_first_that_did_not() {
        let seconds = Duration::from_secs;
        let mut queue = QueueWatch::default();
        assert_eq!(queue.seconds(), None);
        queue.waiting(seconds(1));
        queue.waiting(seconds(3));
        assert_eq!(queue.seconds(), None, "it was never seen to be processed");
        queue.processing(seconds(5));
        queue.processing(seconds(9));
        assert_eq!(queue.seconds(), Some(4.0));
        assert_eq!(queue.seen(), Some(Seen::Processing));
        queue.waiting(seconds(10));
        assert_eq!(queue.seen(), Some(Seen::Queued));
        assert_eq!(queue.seconds(), None, "it waits again");
        let mut at_once = QueueWatch::default();
        at_once.processing(seconds(1));
        assert_eq!(at_once.seconds(), Some(0.5));
    }
}
