//! One task from submission to its end.

use std::time::{Duration, Instant};

use super::rig::{Rig, interrupted};
use super::settle::Settled;
use super::workers::Mark;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::record::{Event, Phase, TaskRecord, TaskStatus};
use crate::service::{Completion, Input, TaskError, TimeLimit};
use crate::units::{FILE_MB, round, to_mb};

/// Where workers are left after one was lost, tasks that were not on the lost
/// one can still end well: they get this many times the grace.
const GRACE_WITH_WORKERS_LEFT: f64 = 15.0;

/// A target that ends its tasks itself in time gets this much more, in seconds, before it is done for it.
const MOMENT_S: f64 = 1.0;

/// A task that has ended.
pub(super) struct Ended {
    pub(super) started: Instant,
    pub(super) seconds: f64,
    pub(super) result: Result<Completion, TaskError>,
    /// How often it was sent again.
    pub(super) retries: u32,
}

/// How a task is called and where it belongs.
pub(super) struct Identity {
    pub(super) test_id: String,
    pub(super) phase: Phase,
    pub(super) concurrency: u32,
}

/// The ids of a batch of `concurrency` tasks with `stem`.
pub(super) fn batch_ids(rig: &Rig, stem: &str, concurrency: u32, batch: bool) -> Vec<String> {
    let front = format!("{stem}_c{concurrency}");
    let second = rig.recorder.batch_second(&front);
    (0..concurrency)
        .map(|index| if batch { format!("{front}_t{index}_{second}") } else { format!("{front}_{second}") })
        .collect()
}

/// Sends `input` and waits for the end of the task, whatever that is.
///
/// The end of a worker is learned from the process, since an API can go on
/// saying "processing" for a task whose worker is dead.
///
/// # Errors
/// [`crate::ErrorKind::Interrupted`] if the run is to stop; the task is given up.
pub(super) async fn drive(rig: &Rig, input: &Input, test_id: &str, mark: Mark) -> Result<Ended> {
    rig.recorder.event(Event::TaskStarted { test_id: test_id.to_string() }).await?;
    let started = Instant::now();
    let mut retries = 0;
    let result = loop {
        let result = attempt(rig, input, mark).await?;
        match &result {
            Err(error) if retries < rig.plan.target.retries && error.may_pass() => {
                retries += 1;
                let failed =
                    Event::TaskRetried { test_id: test_id.to_string(), retries, error: error.to_string() };
                rig.recorder.event(failed).await?;
                let wait = rig.plan.target.retry_wait_s * f64::from(retries - 1).exp2();
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs_f64(wait)) => {}
                    () = rig.stop.cancelled() => return Err(interrupted()),
                }
            }
            _ => break result,
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let status = status_of(&result);
    rig.recorder
        .event(Event::TaskAnswered {
            test_id: test_id.to_string(),
            status,
            processing_time: round(seconds, 3),
        })
        .await?;
    Ok(Ended { started, seconds, result, retries })
}

/// Sends `input` once; the outer result is that of the run, the inner that of the task.
async fn attempt(rig: &Rig, input: &Input, mark: Mark) -> Result<Result<Completion, TaskError>> {
    let limit_s = rig.plan.target.timeout_s;
    let moment = if rig.target.keeps_time() { MOMENT_S } else { 0.0 };
    Ok(tokio::select! {
        result = rig.target.perform(input) => result,
        () = tokio::time::sleep(Duration::from_secs_f64(limit_s + moment)) => {
            Err(TaskError::TimedOut { limit_s, limit: TimeLimit::Task(None), seen: None, task_id: None })
        }
        message = worker_lost(rig, mark) => Err(TaskError::WorkerLost { message }),
        () = rig.stop.cancelled() => return Err(interrupted()),
    })
}

async fn worker_lost(rig: &Rig, mark: Mark) -> String {
    let (what, left) = rig.workers.lost(mark).await;
    let factor = if left { GRACE_WITH_WORKERS_LEFT } else { 1.0 };
    tokio::time::sleep(Duration::from_secs_f64(rig.plan.ramp.exit_grace_s * factor)).await;
    format!("{what}, while this task was outstanding")
}

/// A service that refuses at once is not to be asked without a pause.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What the tasks have in common that are outstanding at once.
pub(super) struct Together<'a> {
    pub(super) phase: Phase,
    pub(super) concurrency: u32,
    /// Which attempt at the level it is, from 1.
    pub(super) attempt: u32,
    /// Memory before the first of them.
    pub(super) before: &'a Settled,
    pub(super) mark: Mark,
}

impl Together<'_> {
    /// Sends one of them and records it at once; it may take the place of one that failed.
    ///
    /// The line must not wait for the others: what is measured is on the disk at
    /// once. So "after" is the reading of this moment.
    ///
    /// # Errors
    /// As [`drive`]; [`crate::ErrorKind::Io`] if the line cannot be written.
    pub(super) async fn one(&self, rig: &Rig, test_id: String, after_failure: bool) -> Result<TaskRecord> {
        if after_failure {
            tokio::time::sleep(AFTER_FAILURE).await;
        }
        let input = rig.inputs.get(rig.plan.ramp.audio);
        let ended = drive(rig, input, &test_id, self.mark).await?;
        let after = Settled::at_once(rig).await?;
        let identity = Identity { test_id, phase: self.phase, concurrency: self.concurrency };
        let mut line = record(rig, identity, input, &ended, self.before, &after);
        line.attempt = (self.attempt > 1).then_some(self.attempt);
        rig.recorder.task(line).await
    }
}

/// The line of a task that has ended.
pub(super) fn record(
    rig: &Rig,
    identity: Identity,
    input: &Input,
    ended: &Ended,
    before: &Settled,
    after: &Settled,
) -> TaskRecord {
    let completion = ended.result.as_ref().ok();
    let audio_seconds = completion.and_then(|done| done.audio_seconds).or(input.seconds);
    let error = ended.result.as_ref().err();
    let peak = rig.sampler.peak_between(WORKER, ended.started, Instant::now());
    let figure = |value: Option<f64>| value.map(|value| round(value, 1));
    let before_mb = before.rss_mb;
    TaskRecord {
        audio_file: input.name.clone(),
        audio_size_mb: Some(round(input.bytes.len() as f64 / FILE_MB, 2)),
        task_id: completion
            .and_then(|done| done.task_id.clone())
            .or_else(|| error.and_then(TaskError::task_id).map(str::to_string)),
        processing_time: Some(round(ended.seconds, 3)),
        rtf: completion
            .and(audio_seconds)
            .filter(|seconds| *seconds > 0.0)
            .map(|seconds| round(ended.seconds / seconds, 4)),
        worker_rss_before_mb: figure(before_mb),
        worker_rss_after_mb: figure(after.rss_mb),
        worker_rss_delta_mb: figure(before_mb.zip(after.rss_mb).map(|(before, after)| after - before)),
        error: error.map(ToString::to_string),
        phase: Some(identity.phase),
        kind: Some(input.kind),
        audio_seconds,
        worker_rss_peak_mb: figure(peak.map(to_mb)),
        delta_shared: identity.concurrency > 1,
        settle_seconds: (identity.phase == Phase::Leak).then_some(after.seconds),
        settled: (identity.phase == Phase::Leak).then_some(after.quiet),
        http_status: error.and_then(TaskError::http_status),
        error_kind: error.map(|error| error.word().to_string()),
        error_stage: error.and_then(TaskError::stage).map(|stage| stage.word().to_string()),
        error_cause: error.and_then(TaskError::cause).map(|cause| cause.word().to_string()),
        worker_before: before.footprint,
        worker_after: after.footprint,
        late_free_mb: figure(after.late_free_mb),
        queue_seconds: completion.and_then(|done| done.queue_seconds).map(|seconds| round(seconds, 3)),
        retries: (ended.retries > 0).then_some(ended.retries),
        ..TaskRecord::new(identity.test_id, identity.concurrency, status_of(&ended.result))
    }
}

fn status_of(result: &Result<Completion, TaskError>) -> TaskStatus {
    match result {
        Ok(_) => TaskStatus::Success,
        Err(TaskError::TimedOut { .. }) => TaskStatus::Timeout,
        Err(_) => TaskStatus::Failed,
    }
}
