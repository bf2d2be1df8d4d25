//! The ledger of the api: tasks, queue and workers. Pure.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::wire::Outcome;

/// The number of results that are kept, the newest ones, without their audio.
const RESULTS_KEPT: usize = 10_000;

/// Tasks that may be outstanding, whatever clients send.
const OUTSTANDING_AT_MOST: u32 = 50_000;

/// The number of a worker's connection.
pub(super) type WorkerId = u64;

/// The status of a task, as clients see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Status {
    Queued,
    /// Stays so for ever if the worker died, as in a queue whose workers cannot report
    /// their own death.
    Processing,
    Ended(Outcome),
}

struct Task {
    status: Status,
    /// Present until a worker has fetched it.
    audio: Option<Bytes>,
    /// The most tasks outstanding at once since it started.
    peak: u32,
}

/// The ledger. A task is *outstanding* from the arrival of its headers until
/// its result is known or its worker has ended.
#[derive(Default)]
pub(super) struct Ledger {
    tasks: HashMap<String, Task>,
    waiting: VecDeque<String>,
    /// Finished tasks, oldest first.
    settled: VecDeque<String>,
    /// Every connected worker, with its current task.
    workers: HashMap<WorkerId, Option<String>>,
    /// Idle workers, in the order in which they became idle.
    idle: VecDeque<WorkerId>,
    outstanding: u32,
    /// A moving average of the duration of tasks, in seconds.
    usual_seconds: f64,
}

impl Ledger {
    pub(super) fn outstanding(&self) -> u32 {
        self.outstanding
    }

    /// Counts a submission whose headers have arrived. Returns false without counting it if it
    /// would be number `reject_at` or more.
    pub(super) fn arrive(&mut self, reject_at: Option<u32>) -> bool {
        if self.outstanding >= OUTSTANDING_AT_MOST
            || reject_at.is_some_and(|limit| self.outstanding + 1 >= limit)
        {
            return false;
        }
        self.outstanding += 1;
        for running in self.workers.values().flatten() {
            if let Some(task) = self.tasks.get_mut(running) {
                task.peak = task.peak.max(self.outstanding);
            }
        }
        true
    }

    /// Removes a counted submission that was not completed.
    pub(super) fn give_up(&mut self) {
        self.outstanding -= 1;
    }

    /// Queues a counted submission that is complete. Returns its position in the
    /// queue (1 is next) and the estimated wait in seconds.
    pub(super) fn submit(&mut self, task_id: String, audio: Bytes) -> (usize, f64) {
        self.tasks.insert(task_id.clone(), Task { status: Status::Queued, audio: Some(audio), peak: 0 });
        self.waiting.push_back(task_id);
        let position = self.waiting.len();
        let rounds = position.saturating_sub(self.idle.len()) as f64 / self.workers.len().max(1) as f64;
        (position, rounds * self.usual_seconds)
    }

    pub(super) fn connect(&mut self, worker: WorkerId) {
        self.workers.insert(worker, None);
        self.idle.push_back(worker);
    }

    /// Removes a worker that has ended. Its task stays `processing`, but no longer counts.
    pub(super) fn disconnect(&mut self, worker: WorkerId) {
        self.idle.retain(|&idle| idle != worker);
        if let Some(Some(task_id)) = self.workers.remove(&worker) {
            self.settle(task_id);
        }
    }

    /// The next task that can start, and its worker.
    pub(super) fn assign(&mut self) -> Option<(WorkerId, String)> {
        if self.waiting.is_empty() || self.idle.is_empty() {
            return None;
        }
        let (worker, task_id) = (self.idle.pop_front()?, self.waiting.pop_front()?);
        if let Some(task) = self.tasks.get_mut(&task_id) {
            task.status = Status::Processing;
            task.peak = self.outstanding;
        }
        self.workers.insert(worker, Some(task_id.clone()));
        Some((worker, task_id))
    }

    /// The audio of a running task, once.
    pub(super) fn take_audio(&mut self, task_id: &str) -> Option<Bytes> {
        let task = self.tasks.get_mut(task_id)?;
        if task.status == Status::Processing { task.audio.take() } else { None }
    }

    /// The most tasks outstanding at once since this one started.
    pub(super) fn peak(&self, task_id: &str) -> u32 {
        self.tasks.get(task_id).map_or(0, |task| task.peak)
    }

    /// Takes a worker's report. A report on a task of another worker is ignored.
    pub(super) fn finish(&mut self, worker: WorkerId, task_id: &str, seconds: f64, outcome: Outcome) {
        let Some(running) = self.workers.get_mut(&worker) else { return };
        if running.as_deref() != Some(task_id) {
            return;
        }
        *running = None;
        self.idle.push_back(worker);
        self.usual_seconds =
            if self.usual_seconds > 0.0 { 0.7 * self.usual_seconds + 0.3 * seconds } else { seconds };
        if let Some(task) = self.tasks.get_mut(task_id) {
            task.status = Status::Ended(outcome);
        }
        self.settle(task_id.to_string());
    }

    pub(super) fn status(&self, task_id: &str) -> Option<&Status> {
        self.tasks.get(task_id).map(|task| &task.status)
    }

    /// Records that this task is finished.
    fn settle(&mut self, task_id: String) {
        self.outstanding -= 1;
        if let Some(task) = self.tasks.get_mut(&task_id) {
            task.audio = None;
        }
        self.settled.push_back(task_id);
        if self.settled.len() > RESULTS_KEPT
            && let Some(oldest) = self.settled.pop_front()
        {
            self.tasks.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(ledger: &mut Ledger, task_id: &str) -> usize {
        assert!(ledger.arrive(None));
        ledger.submit(task_id.to_string(), Bytes::from_static(b"audio")).0
    }

    fn done() -> Outcome {
        Outcome::Done { duration: 1.0, segments: Vec::new() }
    }

    #[test]
    fn tasks_are_done_in_order_one_per_worker() {
        let mut ledger = Ledger::default();
        ledger.connect(1);
        assert_eq!(["a", "b", "c"].map(|id| submit(&mut ledger, id)), [1, 2, 3]);
        assert_eq!(ledger.assign(), Some((1, "a".to_string())));
        assert_eq!(ledger.assign(), None);
        assert_eq!(ledger.status("b"), Some(&Status::Queued));
        ledger.finish(1, "a", 2.0, done());
        assert_eq!(ledger.status("a"), Some(&Status::Ended(done())));
        assert_eq!(ledger.assign(), Some((1, "b".to_string())));
        assert_eq!(ledger.outstanding(), 2);
    }

    #[test]
    fn audio_is_there_once_and_only_for_a_running_task() {
        let mut ledger = Ledger::default();
        submit(&mut ledger, "a");
        assert_eq!(ledger.take_audio("a"), None);
        ledger.connect(1);
        ledger.assign();
        assert!(ledger.take_audio("a").is_some());
        assert_eq!(ledger.take_audio("a"), None);
    }

    #[test]
    fn the_task_of_a_dead_worker_stays_processing_but_does_not_count() {
        let mut ledger = Ledger::default();
        ledger.connect(1);
        submit(&mut ledger, "a");
        submit(&mut ledger, "b");
        ledger.assign();
        ledger.disconnect(1);
        assert_eq!(ledger.status("a"), Some(&Status::Processing));
        assert_eq!(ledger.outstanding(), 1);
        assert_eq!(ledger.take_audio("a"), None, "nobody will fetch it");
        ledger.connect(2);
        assert_eq!(ledger.assign(), Some((2, "b".to_string())));
    }

    #[test]
    fn a_report_about_a_task_of_somebody_else_is_ignored() {
        let mut ledger = Ledger::default();
        ledger.connect(1);
        submit(&mut ledger, "a");
        ledger.assign();
        ledger.finish(2, "a", 1.0, done());
        ledger.finish(1, "b", 1.0, done());
        assert_eq!(ledger.status("a"), Some(&Status::Processing));
        assert_eq!(ledger.outstanding(), 1);
    }

    #[test]
    fn the_peak_of_a_task_sees_what_arrives_while_it_runs() {
        let mut ledger = Ledger::default();
        ledger.connect(1);
        submit(&mut ledger, "a");
        ledger.assign();
        assert_eq!(ledger.peak("a"), 1);
        ledger.arrive(None);
        ledger.arrive(None);
        ledger.give_up();
        ledger.give_up();
        assert_eq!(ledger.peak("a"), 3);
        ledger.finish(1, "a", 1.0, done());
        submit(&mut ledger, "b");
        ledger.assign();
        assert_eq!(ledger.peak("b"), 1);
    }

    #[test]
    fn the_kth_outstanding_is_refused_and_not_counted() {
        let mut ledger = Ledger::default();
        assert!(ledger.arrive(Some(3)));
        assert!(ledger.arrive(Some(3)));
        assert!(!ledger.arrive(Some(3)));
        assert_eq!(ledger.outstanding(), 2);
    }

    #[test]
    fn old_results_are_forgotten() {
        let mut ledger = Ledger::default();
        ledger.connect(1);
        for i in 0..RESULTS_KEPT + 5 {
            let id = i.to_string();
            submit(&mut ledger, &id);
            ledger.assign();
            ledger.finish(1, &id, 1.0, done());
        }
        assert_eq!((ledger.tasks.len(), ledger.settled.len()), (RESULTS_KEPT, RESULTS_KEPT));
        assert_eq!(ledger.status("4"), None);
        assert!(ledger.status("5").is_some());
    }

    #[test]
    fn the_wait_follows_queue_and_workers() {
        let mut ledger = Ledger::default();
        ledger.connect(1);
        submit(&mut ledger, "a");
        ledger.assign();
        ledger.finish(1, "a", 4.0, done());
        ledger.arrive(None);
        assert_eq!(ledger.submit("b".to_string(), Bytes::new()), (1, 0.0));
        ledger.arrive(None);
        assert_eq!(ledger.submit("c".to_string(), Bytes::new()), (2, 4.0));
    }
}
