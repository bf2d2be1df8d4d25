//! The line of the data files for a task that has ended.

use super::driver::Ended;
use super::settle::Settled;
use crate::record::{Phase, TaskRecord};
use crate::service::{Input, TaskError};
use crate::units::{FILE_MB, round};

/// The name of a task, and where in the run it belongs.
pub(super) struct TaskPlace {
    pub(super) test_id: String,
    pub(super) phase: Phase,
    pub(super) concurrency: u32,
}

/// The worker's memory around a task.
pub(super) struct MemoryAround<'a> {
    pub(super) before: &'a Settled,
    pub(super) after: &'a Settled,
    /// The highest RSS from the task's start to now, in MB; absent if nothing was sampled.
    pub(super) peak_mb: Option<f64>,
}

/// The line of a task that has ended.
pub(super) fn task_line(
    place: TaskPlace,
    input: &Input,
    ended: &Ended,
    memory: &MemoryAround<'_>,
) -> TaskRecord {
    let completion = ended.result.as_ref().ok();
    let audio_seconds = completion.and_then(|done| done.audio_seconds).or(input.seconds);
    let error = ended.result.as_ref().err();
    let figure = |value: Option<f64>| value.map(|value| round(value, 1));
    let MemoryAround { before, after, peak_mb } = *memory;
    let in_leak_check = place.phase == Phase::Leak;
    TaskRecord {
        audio_file: input.name.clone(),
        new_input: input.variation > 0,
        audio_size_mb: Some(round(input.bytes.len() as f64 / FILE_MB, 2)),
        task_id: completion
            .and_then(|done| done.task_id.clone())
            .or_else(|| error.and_then(TaskError::task_id).map(str::to_string)),
        processing_time: Some(round(ended.seconds, 3)),
        rtf: completion
            .and(audio_seconds)
            .filter(|seconds| *seconds > 0.0)
            .map(|seconds| round(ended.seconds / seconds, 4)),
        worker_rss_before_mb: figure(before.rss_mb),
        worker_rss_after_mb: figure(after.rss_mb),
        worker_rss_delta_mb: figure(before.rss_mb.zip(after.rss_mb).map(|(before, after)| after - before)),
        error: error.map(ToString::to_string),
        phase: Some(place.phase),
        kind: Some(input.kind),
        audio_seconds,
        worker_rss_peak_mb: figure(peak_mb),
        delta_shared: place.concurrency > 1,
        settle_seconds: in_leak_check.then_some(after.seconds),
        settled: in_leak_check.then_some(after.quiet),
        http_status: error.and_then(TaskError::http_status),
        error_kind: error.map(TaskError::kind),
        error_stage: error.and_then(TaskError::stage),
        error_cause: error.and_then(TaskError::cause),
        worker_before: before.footprint,
        worker_after: after.footprint,
        late_free_mb: figure(after.late_free_mb),
        queue_seconds: completion.and_then(|done| done.queue_seconds).map(|seconds| round(seconds, 3)),
        answer_bytes: completion.and_then(|done| done.answer_bytes),
        first_text_seconds: completion
            .and_then(|done| done.first_text_seconds)
            .map(|seconds| round(seconds, 3)),
        final_seconds: completion.and_then(|done| done.final_seconds).map(|seconds| round(seconds, 3)),
        retries: (ended.retries > 0).then_some(ended.retries),
        ..TaskRecord::new(place.test_id, place.concurrency, ended.status())
    }
}
