//! Constant data for the tests of this module.

use std::collections::BTreeMap;

use crate::plan::{AudioKind, Plan};
use crate::record::{
    Event, EventRecord, Footprint, Judgement, Machine, Phase, RunData, RunFiles, TaskRecord, TaskStatus,
};

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
    let mut run = RunData::default();
    for event in std::iter::once(start).chain(events) {
        run.note(EventRecord { time: String::new(), elapsed: 0.0, event });
    }
    tasks.into_iter().for_each(|task| run.take(task));
    run
}

/// A leak check of 24 tasks, with the footprints of the worker before and after each and of the API after each.
pub(crate) fn leak_check(
    before: Footprint,
    worker: impl Fn(u32) -> Footprint,
    api: impl Fn(u32) -> Footprint,
) -> RunData {
    let (mut tasks, mut events) = (Vec::new(), Vec::new());
    for index in 0..24 {
        let mut record = task(if index % 2 == 0 { "short" } else { "long" }, 1, 0.2);
        record.test_id = format!("task_{index}");
        record.phase = Some(Phase::Leak);
        (record.worker_rss_before_mb, record.worker_rss_after_mb) = (Some(500.0), Some(500.0));
        (record.worker_before, record.worker_after) = (Some(before), Some(worker(index)));
        let roles = BTreeMap::from([("api".to_string(), api(index))]);
        events.push(Event::RolesAfter { test_id: record.test_id.clone(), roles });
        tasks.push(record);
    }
    run(tasks, events)
}
