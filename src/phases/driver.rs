//! Drives one task from its submission to its end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::recorder::Recorder;
use super::stop::Stop;
use super::workers::{Mark, Workers};
use crate::error::Result;
use crate::plan::{Plan, TargetPlan};
use crate::record::{Event, TaskStatus, Warning};
use crate::service::{AnyTarget, Completion, Input, TaskError, TimeLimit, Unwell, trial};
use crate::units::{bounded, round};

/// If other workers are left after one was lost, tasks that ran on those can still end well: they get
/// this many times the grace.
const GRACE_WITH_WORKERS_LEFT: f64 = 15.0;

/// A target that enforces the time limit itself gets this much longer, in seconds, before the driver enforces it.
const LIMIT_MARGIN_S: f64 = 1.0;

/// A task that has ended.
pub(super) struct Ended {
    pub(super) started: Instant,
    pub(super) seconds: f64,
    pub(super) result: Result<Completion, TaskError>,
    /// How often it was sent again.
    pub(super) retries: u32,
}

impl Ended {
    /// The status that the data files give the task.
    pub(super) fn status(&self) -> TaskStatus {
        status_of(&self.result)
    }
}

/// Sends tasks to the service and waits for their ends.
pub(super) struct Driver {
    target: Arc<dyn AnyTarget>,
    limits: TargetPlan,
    exit_grace_s: f64,
    recorder: Arc<Recorder>,
    workers: Workers,
    stop: Stop,
    /// The first task of the run is its trial, and has not ended yet.
    on_trial: AtomicBool,
    plan: Plan,
    /// Whether the warning of a length that contradicts the file has been given: once a run is enough.
    length_warned: AtomicBool,
}

/// True if the length that a service gives differs from that of the file by more than a tenth.
fn contradicts(told_s: f64, file_s: f64) -> bool {
    file_s > 0.0 && (told_s / file_s - 1.0).abs() > 0.1
}

impl Driver {
    pub(super) fn new(
        target: Arc<dyn AnyTarget>,
        plan: &Plan,
        recorder: Arc<Recorder>,
        workers: Workers,
        stop: Stop,
    ) -> Driver {
        let (limits, exit_grace_s) = (plan.target.clone(), plan.ramp.exit_grace_s);
        let (on_trial, plan) = (AtomicBool::new(true), plan.clone());
        let length_warned = AtomicBool::new(false);
        Driver { target, limits, exit_grace_s, recorder, workers, stop, on_trial, plan, length_warned }
    }

    /// Fails once the run has been asked to stop.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`].
    pub(super) fn check_stop(&self) -> Result<()> {
        self.stop.check()
    }

    /// The result of `work`, unless the run is to stop before: `work` is given up then.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`].
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            done = work => Ok(done),
            interrupted = self.stop.requested() => Err(interrupted),
        }
    }

    /// Asks the service whether it is well; the error says what is wrong.
    pub(super) async fn health(&self) -> Result<(), Unwell> {
        self.target.health().await.map_err(|unwell| Unwell { problem: bounded(unwell.problem), ..unwell })
    }

    /// Sends `input` and waits for the end of the task, success or not.
    ///
    /// The end of a worker is learned from its process: an API can go on saying
    /// "processing" for a task whose worker is dead.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Interrupted`] if the run is to stop; the task is given up.
    pub(super) async fn drive(&self, input: &Input, test_id: &str, mark: Mark) -> Result<Ended> {
        self.recorder.mark(Event::TaskStarted { test_id: test_id.to_string() })?;
        let ended = self.drive_in_block(input, test_id, mark).await?;
        let event = Event::TaskAnswered {
            test_id: test_id.to_string(),
            status: ended.status(),
            processing_time: round(ended.seconds, 3),
        };
        self.recorder.mark(event)?;
        Ok(ended)
    }

    /// As [`Driver::drive`], without an event at its start and its end.
    ///
    /// # Errors
    /// As [`Driver::drive`]; [`crate::ErrorKind::Refused`] if it is the first task of the run, and the service
    /// refuses it in a way that no repetition changes.
    pub(super) async fn drive_in_block(&self, input: &Input, test_id: &str, mark: Mark) -> Result<Ended> {
        let started = Instant::now();
        let mut retries = 0;
        let result = loop {
            let result = self.attempt(input, mark).await?;
            match &result {
                Err(error) if retries < self.limits.retries && error.may_pass() => {
                    retries += 1;
                    let failed = Event::TaskRetried {
                        test_id: test_id.to_string(),
                        retries,
                        error: error.to_string(),
                    };
                    self.recorder.event(failed).await?;
                    let wait = self.limits.retry_wait_s * f64::from(retries - 1).exp2();
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs_f64(wait)) => {}
                        interrupted = self.stop.requested() => return Err(interrupted),
                    }
                }
                _ => break result,
            }
        };
        if self.on_trial.swap(false, Ordering::Relaxed)
            && let Err(error) = &result
            && let Some(refused) = trial::refused(error, &self.plan)
        {
            return Err(refused);
        }
        let seconds = started.elapsed().as_secs_f64();
        let result = self.with_true_length(input, result).await?;
        Ok(Ended { started, seconds, result, retries })
    }

    /// The result, without a length of the audio that contradicts the file: RTF would be wrong by as much.
    async fn with_true_length(
        &self,
        input: &Input,
        result: Result<Completion, TaskError>,
    ) -> Result<Result<Completion, TaskError>> {
        let Ok(Completion { audio_seconds: Some(told_s), .. }) = &result else { return Ok(result) };
        let Some(file_s) = input.seconds.filter(|file_s| contradicts(*told_s, *file_s)) else {
            return Ok(result);
        };
        if !self.length_warned.swap(true, Ordering::Relaxed) {
            let message = Warning::LengthContradicted { told_s: *told_s, file_s, file: input.name.clone() };
            self.recorder.event(Event::Warning { message }).await?;
        }
        Ok(result.map(|done| Completion { audio_seconds: None, ..done }))
    }

    /// Sends `input` once; the outer result is that of the run, the inner that of the task.
    async fn attempt(&self, input: &Input, mark: Mark) -> Result<Result<Completion, TaskError>> {
        let limit_s = self.limits.timeout_s;
        let margin_s = if self.target.keeps_time() { LIMIT_MARGIN_S } else { 0.0 };
        Ok(tokio::select! {
            // Whatever a service says is bounded where it enters.
            result = self.target.perform(input) => bounded_text(result),
            () = tokio::time::sleep(Duration::from_secs_f64(limit_s + margin_s)) => {
                Err(TaskError::TimedOut { limit_s, limit: TimeLimit::Task(None), seen: None, task_id: None })
            }
            message = self.worker_lost(mark) => Err(TaskError::WorkerLost { message }),
            interrupted = self.stop.requested() => return Err(interrupted),
        })
    }

    async fn worker_lost(&self, mark: Mark) -> String {
        let (ends, left) = self.workers.lost(mark).await;
        let factor = if left { GRACE_WITH_WORKERS_LEFT } else { 1.0 };
        tokio::time::sleep(Duration::from_secs_f64(self.exit_grace_s * factor)).await;
        crate::words::outstanding(ends)
    }
}

fn bounded_text(result: Result<Completion, TaskError>) -> Result<Completion, TaskError> {
    match result {
        Ok(done) => Ok(Completion { task_id: done.task_id.map(bounded), ..done }),
        Err(error) => Err(error.map_text(bounded)),
    }
}

fn status_of(result: &Result<Completion, TaskError>) -> TaskStatus {
    match result {
        Ok(_) => TaskStatus::Success,
        Err(TaskError::TimedOut { .. }) => TaskStatus::Timeout,
        Err(_) => TaskStatus::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_may_be_off_by_a_tenth() {
        assert!(!contradicts(147.0, 147.0) && !contradicts(140.0, 147.0) && !contradicts(160.0, 147.0));
        assert!(contradicts(0.001, 147.0) && contradicts(1e9, 147.0) && contradicts(-147.0, 147.0));
        assert!(!contradicts(5.0, 0.0), "the file's length is not known");
    }
}
