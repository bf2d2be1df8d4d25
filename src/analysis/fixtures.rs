//! Constant data for the tests of this module.

use crate::plan::AudioKind;
use crate::record::{Event, EventRecord, Machine, RunData, RunFiles, TaskRecord, TaskStatus};

/// A successful task with nothing remarkable about it.
pub(crate) fn task(kind: &str, concurrency: u32, rtf: f64) -> TaskRecord {
    TaskRecord {
        test_id: format!("{kind}_c{concurrency}_1765322145"),
        timestamp: "2025-12-09T23:15:45".to_string(),
        audio_file: format!("{kind}.wav"),
        audio_size_mb: Some(4.7),
        concurrency,
        task_id: Some("a1".to_string()),
        status: TaskStatus::Success,
        processing_time: Some(rtf * 147.0),
        rtf: Some(rtf),
        worker_rss_before_mb: Some(600.0),
        worker_rss_after_mb: Some(600.0),
        worker_rss_delta_mb: Some(0.0),
        error: None,
        phase: None,
        kind: Some(if kind == "long" { AudioKind::Long } else { AudioKind::Short }),
        sequence: None,
        audio_seconds: None,
        worker_rss_peak_mb: None,
        delta_shared: false,
        settle_seconds: None,
        settled: None,
        http_status: None,
        error_kind: None,
    }
}

/// A run of `tasks` and `events`, with the event of its start before them.
pub(crate) fn run(tasks: Vec<TaskRecord>, events: Vec<Event>) -> RunData {
    let start = Event::RunStarted {
        title: "test".to_string(),
        version: "0".to_string(),
        machine: Machine::default(),
        plan: serde_json::Value::Null,
        files: RunFiles::default(),
    };
    let events = std::iter::once(start)
        .chain(events)
        .map(|event| EventRecord { time: String::new(), elapsed: 0.0, event })
        .collect();
    RunData { tasks, events, ..RunData::default() }
}
