//! The shared ledger: sends every change to the workers at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::ledger::{Ledger, WorkerId};
use crate::wire::{Order, Report};

/// The state that the HTTP side and the broker side of the api share.
pub(super) struct Hub {
    token: String,
    ids: RandomState,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ledger: Ledger,
    lines: HashMap<WorkerId, UnboundedSender<Order>>,
    /// The number of outstanding tasks that was last sent to the workers.
    told: u32,
    workers_seen: WorkerId,
    tasks_seen: u64,
}

impl Hub {
    pub(super) fn new(token: String) -> Hub {
        Hub { token, ids: RandomState::new(), inner: Mutex::default() }
    }

    /// True if `token` is the secret of this service.
    pub(super) fn knows(&self, token: &str) -> bool {
        self.token == token
    }

    /// Reads or changes the ledger, and sends the change to the workers.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        self.with_inner(|inner| change(&mut inner.ledger))
    }

    fn with_inner<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut inner);
        inner.tell();
        answer
    }

    /// Adds a worker; returns the receiver of its orders.
    pub(super) fn connect(&self) -> (WorkerId, UnboundedReceiver<Order>) {
        let (sender, receiver) = unbounded_channel();
        let worker = self.with_inner(|inner| {
            inner.workers_seen += 1;
            let worker = inner.workers_seen;
            // Tasks that are outstanding already are no rise for this worker.
            let _ = sender.send(Order::Outstanding(inner.told));
            inner.lines.insert(worker, sender);
            inner.ledger.connect(worker);
            worker
        });
        (worker, receiver)
    }

    /// Removes a worker.
    pub(super) fn disconnect(&self, worker: WorkerId) {
        self.with_inner(|inner| {
            inner.lines.remove(&worker);
            inner.ledger.disconnect(worker);
        });
    }

    /// Has every worker collect its garbage.
    pub(super) fn collect(&self) {
        self.with_inner(|inner| {
            for line in inner.lines.values() {
                // A worker whose receiver is gone is about to be removed.
                let _ = line.send(Order::Collect);
            }
        });
    }

    /// Records the end of a task. A worker that leaves after it gets no other one.
    pub(super) fn finish(&self, worker: WorkerId, report: Report) {
        self.with_inner(|inner| {
            inner.ledger.finish(worker, &report.task_id, report.seconds, report.outcome);
            if report.leaving {
                inner.lines.remove(&worker);
                inner.ledger.disconnect(worker);
            }
        });
    }

    /// Counts a submission whose headers have come, unless it must be refused.
    pub(super) fn arrive(self: &Arc<Hub>, reject_at: Option<u32>) -> Option<Arrival> {
        self.with(|ledger| ledger.arrive(reject_at)).then(|| Arrival { hub: Some(Arc::clone(self)) })
    }

    /// A task id that cannot be guessed.
    fn new_id(&self, inner: &mut Inner) -> String {
        inner.tasks_seen += 1;
        let (high, low) =
            (self.ids.hash_one((inner.tasks_seen, 0)), self.ids.hash_one((inner.tasks_seen, 1)));
        format!("{high:016x}{low:016x}")
    }
}

impl Inner {
    fn tell(&mut self) {
        let outstanding = self.ledger.outstanding();
        if outstanding != self.told {
            self.told = outstanding;
            for line in self.lines.values() {
                // A worker whose receiver is gone is about to be removed.
                let _ = line.send(Order::Outstanding(outstanding));
            }
        }
        while let Some((worker, task_id)) = self.ledger.assign() {
            if let Some(line) = self.lines.get(&worker) {
                let _ = line.send(Order::Task(task_id));
            }
        }
    }
}

/// A submission that is being received. If it is dropped before it is complete (the client hung
/// up, the form was wrong), it is no longer counted.
pub(super) struct Arrival {
    hub: Option<Arc<Hub>>,
}

/// The answer to a complete submission.
pub(super) struct Accepted {
    pub(super) task_id: String,
    pub(super) position: usize,
    pub(super) estimated_wait_s: f64,
}

impl Arrival {
    /// Completes the submission.
    pub(super) fn submit(mut self, audio: Bytes) -> Accepted {
        let hub = self.hub.take().expect("an arrival is submitted once");
        hub.with_inner(|inner| {
            let task_id = hub.new_id(inner);
            let (position, estimated_wait_s) = inner.ledger.submit(task_id.clone(), audio);
            Accepted { task_id, position, estimated_wait_s }
        })
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some(hub) = &self.hub {
            hub.with(Ledger::give_up);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(receiver: &mut UnboundedReceiver<Order>) -> Vec<Order> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[test]
    fn a_worker_hears_of_every_change_at_once() {
        let hub = Arc::new(Hub::new(String::new()));
        let (_, mut worker) = hub.connect();
        let first = hub.arrive(None).unwrap();
        let second = hub.arrive(None).unwrap();
        let accepted = first.submit(Bytes::new());
        drop(second);
        assert_eq!(
            orders(&mut worker),
            [
                Order::Outstanding(0),
                Order::Outstanding(1),
                Order::Outstanding(2),
                Order::Task(accepted.task_id),
                Order::Outstanding(1),
            ]
        );
    }

    #[test]
    fn a_refused_submission_leaves_no_trace() {
        let hub = Arc::new(Hub::new(String::new()));
        let kept = hub.arrive(Some(2));
        assert!(kept.is_some() && hub.arrive(Some(2)).is_none());
        drop(kept);
        assert!(hub.arrive(Some(2)).is_some());
    }
}
