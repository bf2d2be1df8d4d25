//! The words: from events and tasks to lines. Pure.

use std::path::Path;

use super::screen::Progress;
use crate::analysis::{judge, levels};
use crate::plan::Plan;
use crate::record::{Criterion, Event, Phase, RunData, TaskRecord, TaskStatus};

/// The lines that an event is told with. `run` already holds it.
pub(super) fn of_event(event: &Event, run: &RunData, plan: &Plan, results: &Path) -> Vec<String> {
    match event {
        Event::RunStarted { title, files, .. } => vec![
            format!("highwater: {title}"),
            format!("results: {}", results.join(&files.tasks).display()),
            String::new(),
        ],
        Event::ProcessFound { role, pid, replacement: false, rss_mb, .. } => {
            let rss = rss_mb.map_or(String::new(), |rss| format!("  RSS {rss:.1} MB"));
            vec![format!("{role:<7} pid {pid}{rss}")]
        }
        Event::ProcessFound { role, pid, root: true, .. } => vec![format!("  {role} pid {pid} appeared")],
        Event::ProcessExited { role, pid, root: true, how, .. } => vec![format!("  {role} pid {pid} {how}")],
        Event::PhaseStarted { phase: Phase::Leak, .. } => {
            vec![String::new(), "PHASE 1  memory leak verification".to_string()]
        }
        Event::PhaseStarted { phase: Phase::Concurrency, .. } => {
            vec![String::new(), "PHASE 2  concurrency limit".to_string()]
        }
        Event::LevelEnded { .. } => level(run, plan).into_iter().collect(),
        Event::PhaseEnded { phase, cut_short } => {
            let mut lines: Vec<String> =
                cut_short.iter().map(|reason| format!("  cut short: {reason}")).collect();
            let judgement = judge(run, plan);
            let prefix = match phase {
                Phase::Leak => "leak.",
                Phase::Concurrency => {
                    lines.push(format!("  {}", judgement.limit.sentence()));
                    "ramp."
                }
            };
            let criteria = judgement.criteria.iter().filter(|criterion| criterion.name.starts_with(prefix));
            lines.extend(criteria.map(|found| format!("  {}", criterion_line(found))));
            lines
        }
        Event::Warning { message } => vec![format!("  note: {message}")],
        _ => Vec::new(),
    }
}

/// The line of a task that ended; those of a good level are told as one.
pub(super) fn of_task(task: &TaskRecord, run: &RunData) -> Option<String> {
    match task.phase {
        Some(Phase::Concurrency) if task.succeeded() => None,
        Some(Phase::Concurrency) => Some(format!("    {}  {}", task.test_id, ending(task))),
        _ => {
            let number = run.tasks.iter().filter(|other| other.phase == task.phase).count();
            let kind = task.kind.map_or("task", |kind| kind.word());
            let delta = task.worker_rss_delta_mb.map_or(String::new(), |delta| format!("  Δ {delta:+.1} MB"));
            Some(format!("  {number:>2} {kind:<5}  {}{delta}", ending(task)))
        }
    }
}

/// What is going on after an event.
pub(super) fn progress(event: &Event, run: &RunData) -> Progress {
    match event {
        Event::TaskStarted { test_id } => {
            let total = run.events.iter().rev().find_map(|record| match record.event {
                Event::PhaseStarted { phase: Phase::Leak, tasks } => Some(tasks),
                Event::PhaseStarted { phase: Phase::Concurrency, .. } => Some(None),
                _ => None,
            });
            let done = run.tasks.iter().filter(|task| task.phase == Some(Phase::Leak)).count() as u64;
            let total = total.flatten().map(|total| u64::from(total).max(done + 1));
            Progress::Tasks { done, total, message: test_id.clone() }
        }
        Event::TaskAnswered { .. } => Progress::Keep,
        Event::LevelStarted { concurrency } => Progress::Tasks {
            done: 0,
            total: None,
            message: format!("c={concurrency}: waiting for quiet memory"),
        },
        Event::PhaseEnded { .. } | Event::RunEnded | Event::RunInterrupted { .. } => Progress::Clear,
        _ => Progress::Keep,
    }
}

/// A criterion in one line: `PASS  delta +45.8 MB < 200 MB`.
pub fn criterion_line(criterion: &Criterion) -> String {
    format!("{}  {}: {}", criterion.verdict.word(), criterion.title, criterion.detail)
}

fn ending(task: &TaskRecord) -> String {
    let status = match task.status {
        TaskStatus::Success => "success",
        TaskStatus::Failed => "failed ",
        TaskStatus::Timeout => "timeout",
    };
    match (&task.error, task.rtf, task.processing_time) {
        (Some(error), ..) => format!("{status}  {error}"),
        (None, Some(rtf), _) => format!("{status}  RTF {rtf:.3}"),
        (None, None, Some(seconds)) => format!("{status}  {seconds:.2} s"),
        _ => status.to_string(),
    }
}

fn level(run: &RunData, plan: &Plan) -> Option<String> {
    let levels = levels(run, &plan.ramp);
    let level = levels.last()?;
    let time = match (level.rtf, level.seconds) {
        (Some(rtf), _) => format!("  RTF {:.3}", rtf.max),
        (None, Some(seconds)) => format!("  {:.2} s", seconds.max),
        _ => String::new(),
    };
    let broke = level.broke.as_ref().map_or(String::new(), |broke| format!("  {}", broke.detail));
    Some(format!("  c={}  {}/{} ok{time}{broke}", level.concurrency, level.succeeded, level.concurrency))
}
