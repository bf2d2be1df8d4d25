//! One task from submission to its end.

use std::time::{Duration, Instant};

use super::rig::{Rig, interrupted};
use super::settle::Settled;
use super::workers::Mark;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::record::{Event, Phase, TaskRecord, TaskStatus};
use crate::target::{Completion, Input, TaskError};
use crate::units::{FILE_MB, round, to_mb};

/// Where workers are left after one was lost, tasks that were not on the lost
/// one can still end well: they get this many times the grace.
const GRACE_WITH_WORKERS_LEFT: f64 = 15.0;

/// A task that has ended.
pub(super) struct Ended {
    pub(super) started: Instant,
    pub(super) seconds: f64,
    pub(super) result: Result<Completion, TaskError>,
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
    let limit = rig.plan.target.timeout_s;
    let started = Instant::now();
    let result = tokio::select! {
        result = rig.target.perform(input) => result,
        () = tokio::time::sleep(Duration::from_secs_f64(limit)) => Err(TaskError::TimedOut { limit_s: limit }),
        message = worker_lost(rig, mark) => Err(TaskError::WorkerLost { message }),
        () = rig.stop.cancelled() => return Err(interrupted()),
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
    Ok(Ended { started, seconds, result })
}

async fn worker_lost(rig: &Rig, mark: Mark) -> String {
    let (what, left) = rig.workers.lost(mark).await;
    let factor = if left { GRACE_WITH_WORKERS_LEFT } else { 1.0 };
    tokio::time::sleep(Duration::from_secs_f64(rig.plan.ramp.exit_grace_s * factor)).await;
    format!("{what}, while this task was outstanding")
}

/// The line of a task that has ended.
pub(super) fn record(
    rig: &Rig,
    identity: Identity,
    input: &Input,
    ended: &Ended,
    before_mb: Option<f64>,
    after: &Settled,
) -> TaskRecord {
    let completion = ended.result.as_ref().ok();
    let audio_seconds = completion.and_then(|done| done.audio_seconds).or(input.seconds);
    let error = ended.result.as_ref().err();
    let peak = rig.sampler.peak_between(WORKER, ended.started, Instant::now());
    let figure = |value: Option<f64>| value.map(|value| round(value, 1));
    TaskRecord {
        test_id: identity.test_id,
        timestamp: String::new(),
        audio_file: input.name.clone(),
        audio_size_mb: Some(round(input.bytes.len() as f64 / FILE_MB, 2)),
        concurrency: identity.concurrency,
        task_id: completion.and_then(|done| done.task_id.clone()).or_else(|| task_id(error)),
        status: status_of(&ended.result),
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
        sequence: None,
        audio_seconds,
        worker_rss_peak_mb: figure(peak.map(to_mb)),
        delta_shared: identity.concurrency > 1,
        settle_seconds: (identity.phase == Phase::Leak).then_some(after.seconds),
        settled: (identity.phase == Phase::Leak).then_some(after.quiet),
        http_status: error.and_then(|error| match error {
            TaskError::Rejected { status, .. } => Some(*status),
            _ => None,
        }),
        error_kind: error.map(|error| error.word().to_string()),
    }
}

fn status_of(result: &Result<Completion, TaskError>) -> TaskStatus {
    match result {
        Ok(_) => TaskStatus::Success,
        Err(TaskError::TimedOut { .. }) => TaskStatus::Timeout,
        Err(_) => TaskStatus::Failed,
    }
}

fn task_id(error: Option<&TaskError>) -> Option<String> {
    match error? {
        TaskError::Failed { task_id, .. } => task_id.clone(),
        _ => None,
    }
}
