//! Constant data for the tests of this module.

use crate::plan::AudioKind;
use crate::plan::Plan;
use crate::record::{Event, EventRecord, Judgement, Machine, RunData, RunFiles, TaskRecord, TaskStatus};

/// What `run` comes to against `plan`.
pub(crate) fn judge(run: &RunData, plan: &Plan) -> Judgement {
    crate::assessment::assess(run, plan).judgement
}

/// A successful task with nothing remarkable about it.
pub(crate) fn task(kind: &str, concurrency: u32, rtf: f64) -> TaskRecord {
    TaskRecord {
        kind: Some(if kind == "long" { AudioKind::Long } else { AudioKind::Short }),
        task_id: Some("a1".to_string()),
        processing_time: Some(rtf * 147.0),
        rtf: Some(rtf),
        worker_rss_before_mb: Some(600.0),
        worker_rss_after_mb: Some(600.0),
        worker_rss_delta_mb: Some(0.0),
        ..TaskRecord::new(format!("{kind}_c{concurrency}_1765322145"), concurrency, TaskStatus::Success)
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
