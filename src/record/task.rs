//! One task, one line: the record that everything else is computed from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::criterion_id::Condition;
use super::failure::{Cause, FailureKind, Stage};
use super::footprint::Footprint;
use super::phase::Phase;
use crate::plan::AudioKind;

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// The service returned a good result.
    Success,
    /// The service refused or failed the task, could not be reached, or lost its worker.
    Failed,
    /// No result came within the task's time limit.
    Timeout,
}

/// One line of `memory_leak_stress_test_<stamp>.jsonl`.
///
/// The fields down to `error` are those of the Python script that highwater
/// replaces; they keep their names and meaning. The rest is absent from that
/// script's files, which must read all the same, so every field is optional
/// where a reader can do without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// `<audio stem>_c<concurrency>_<unix seconds>`, with `_t<index>` before the seconds in a batch.
    pub test_id: String,
    /// When the task ended: local time, ISO 8601.
    #[serde(default)]
    pub timestamp: String,
    /// Name of the audio file, or of the request.
    #[serde(default)]
    pub audio_file: String,
    /// Size of what was sent, in MB of 1,000,000 bytes ([`crate::units::FILE_MB`]): the size
    /// of a file, unlike the memory below.
    #[serde(default)]
    pub audio_size_mb: Option<f64>,
    /// Tasks submitted at once in the batch that this one was part of.
    pub concurrency: u32,
    /// The service's name for the task; null if it never gave one.
    #[serde(default)]
    pub task_id: Option<String>,
    /// How the task ended.
    pub status: TaskStatus,
    /// Seconds from the start of the submission to the result, or to the failure.
    #[serde(default)]
    pub processing_time: Option<f64>,
    /// Real-time factor: `processing_time` / audio seconds. Null without a result or without audio.
    #[serde(default)]
    pub rtf: Option<f64>,
    /// RSS of the worker role (all its processes) before the task or its batch, in MB.
    #[serde(default)]
    pub worker_rss_before_mb: Option<f64>,
    /// The same when memory was quiet after it; null if no worker was left to read.
    #[serde(default)]
    pub worker_rss_after_mb: Option<f64>,
    /// After minus before, in MB. In a batch it belongs to the batch, not to the task: see `delta_shared`.
    #[serde(default)]
    pub worker_rss_delta_mb: Option<f64>,
    /// Why the task did not succeed.
    #[serde(default)]
    pub error: Option<String>,

    /// The part of the run that the task belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Which recording was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AudioKind>,
    /// Position of the task in its run, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
    /// Length of the audio in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_seconds: Option<f64>,
    /// Highest RSS of the worker role that was seen while the task ran, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_rss_peak_mb: Option<f64>,
    /// True for a task of a batch: "before" is the batch's, "after" was read in the moment the task
    /// ended, others still running, so that no memory can be charged to this task alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delta_shared: bool,
    /// Seconds that memory took to become quiet after the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_seconds: Option<f64>,
    /// False where memory was still moving when "after" had to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<bool>,
    /// The HTTP status of the answer that ended the task, where it failed with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// What went wrong, as a word: `rejected`, `failed`, `transport`, `malformed`, `timeout`, `worker_lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<FailureKind>,
    /// How far the task had come then, where that is known: `connect`, `upload`, `processing`, `poll`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_stage: Option<Stage>,
    /// What cut a task off whose `error_kind` is `transport`: `refused`, `reset`, `closed`, `unreachable`,
    /// `name`, `tls`, `local` (highwater's machine ran out of something), `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_cause: Option<Cause>,
    /// The worker role's whole tree before the task; in a batch, before the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_before: Option<Footprint>,
    /// The same when it was quiet after the task; in a batch, at the moment the task ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_after: Option<Footprint>,
    /// The worker process that did the task, in the leak check, where that is known: the first task of each worker with an
    /// input is warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_pid: Option<u32>,
    /// Memory of this task that came down only after "after" was read, in MB: a late free,
    /// which must not be credited to the next task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_free_mb: Option<f64>,
    /// True for an input that was never sent before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_input: bool,
    /// The condition of the probe that the task was part of: `repeat`, `new`, `pause`, `alternate`, `parallel`, `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The block of the leak check that the task was part of, from 1: memory was read after the block, and not
    /// around the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u32>,
    /// Which attempt at its level the task belongs to, from 1, where a level was tried more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Seconds the task waited in the service before it was processed, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_seconds: Option<f64>,
    /// Seconds from the last sample of streamed audio to the final result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_seconds: Option<f64>,
    /// Seconds from the beginning of the task to the first text of an answer that is a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_text_seconds: Option<f64>,
    /// How often the task was sent again after a failure; absent for 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The size of the answer of a task that succeeded, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_bytes: Option<u64>,
}

impl TaskRecord {
    /// A line that says no more than which task it was and how it ended: a start for all that has more to say.
    pub fn new(test_id: impl Into<String>, concurrency: u32, status: TaskStatus) -> TaskRecord {
        TaskRecord {
            test_id: test_id.into(),
            concurrency,
            status,
            timestamp: String::new(),
            audio_file: String::new(),
            audio_size_mb: None,
            task_id: None,
            processing_time: None,
            rtf: None,
            worker_rss_before_mb: None,
            worker_rss_after_mb: None,
            worker_rss_delta_mb: None,
            error: None,
            phase: None,
            kind: None,
            sequence: None,
            audio_seconds: None,
            worker_rss_peak_mb: None,
            delta_shared: false,
            settle_seconds: None,
            settled: None,
            http_status: None,
            error_kind: None,
            error_stage: None,
            error_cause: None,
            worker_before: None,
            worker_after: None,
            worker_pid: None,
            late_free_mb: None,
            new_input: false,
            condition: None,
            block: None,
            attempt: None,
            queue_seconds: None,
            final_seconds: None,
            first_text_seconds: None,
            retries: None,
            answer_bytes: None,
        }
    }

    /// The front of its `test_id`, without the index in the batch, and its second.
    pub(crate) fn id_parts(&self) -> Option<(&str, i64)> {
        id_parts(&self.test_id)
    }

    /// True if what was sent is a long input.
    pub fn is_long(&self) -> bool {
        match self.kind {
            Some(kind) => kind == AudioKind::Long,
            None => self.audio_file.contains("long"),
        }
    }

    /// True if the task succeeded.
    pub fn succeeded(&self) -> bool {
        self.status == TaskStatus::Success
    }

    /// True if it failed for want of something on highwater's own machine (descriptors, ports, memory, the name of the
    /// host), which says nothing of the service.
    pub fn failed_here(&self) -> bool {
        !self.succeeded() && matches!(self.error_cause, Some(Cause::Local | Cause::Name))
    }
}

/// Splits a `test_id` into its front, without the index in the batch, and its second.
pub(crate) fn id_parts(test_id: &str) -> Option<(&str, i64)> {
    let (front, second) = test_id.rsplit_once('_')?;
    let in_batch = front.rsplit_once("_t").filter(|(_, index)| index.parse::<u32>().is_ok());
    Some((in_batch.map_or(front, |(front, _)| front), second.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_id_is_split() {
        assert_eq!(id_parts("short_c1_1765322145"), Some(("short_c1", 1_765_322_145)));
        assert_eq!(id_parts("my_take_2_c12_t3_1765322145"), Some(("my_take_2_c12", 1_765_322_145)));
        assert_eq!(id_parts("anything"), None);
    }

    /// A line of the Python script, as it was found in the field.
    const PYTHON_LINE: &str = r#"{"test_id": "short_c1_1765322145", "timestamp": "2025-12-09T23:15:45.123456", "audio_file": "short.wav", "audio_size_mb": 4.7, "concurrency": 1, "task_id": "a1b2", "status": "success", "processing_time": 34.4, "rtf": 0.234, "worker_rss_before_mb": 625.3, "worker_rss_after_mb": 640.5, "worker_rss_delta_mb": 15.2, "error": null}"#;

    #[test]
    fn a_line_of_the_python_script_reads() {
        let record: TaskRecord = serde_json::from_str(PYTHON_LINE).unwrap();
        assert_eq!(record.worker_rss_delta_mb, Some(15.2));
        assert_eq!(record.phase, None);
        assert!(record.succeeded());
    }

    #[test]
    fn the_fields_of_the_python_script_come_first_and_in_its_order() {
        let record: TaskRecord = serde_json::from_str(PYTHON_LINE).unwrap();
        let line = serde_json::to_string(&record).unwrap();
        let again: serde_json::Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<&str> = again.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: serde_json::Value = serde_json::from_str(PYTHON_LINE).unwrap();
        let expected: Vec<&str> = expected.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, expected);
    }
}
