//! Judging: from what a run left behind to verdicts. Pure.
//!
//! Nothing here knows of tokio, reqwest, sysinfo, files or clocks: the same
//! functions decide live whether a level held, judge a run at its end, and
//! judge it again from a journal that is a year old.

mod growth;
mod leak;
mod level;
mod limit;
mod stats;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

pub use growth::{Growth, growth};
pub use leak::{LeakTasks, MemoryMoments, leak_criteria};
pub use level::{LevelFacts, judge_level};
pub use limit::{Level, levels};
pub use stats::{Summary, percentile, summary};

use crate::plan::Plan;
use crate::record::{Criterion, Event, ExitKind, Judgement, Limit, Moment, RunData, Verdict};

/// The criterion that is judged whatever phases were run.
const WORKER_ALIVE: &str = "worker.alive";

/// The role whose memory is judged.
pub const WORKER: &str = "worker";

/// Judges a run against the thresholds of `plan`.
pub fn judge(run: &RunData, plan: &Plan) -> Judgement {
    let mut notes = Vec::new();
    let mut criteria = Vec::new();
    let levels = levels(run, &plan.ramp);
    let limit = limit::limit(run, &plan.ramp, &levels);

    let leak = LeakTasks::of(run);
    if plan.leak.enabled || !leak.tasks.is_empty() {
        let memory = MemoryMoments {
            baseline_mb: memory_at(run, Moment::Baseline),
            final_mb: memory_at(run, Moment::Final),
            worker_changed: leak::worker_changed(run),
        };
        criteria.extend(leak_criteria(&leak, &memory, &plan.leak));
        notes.extend(leak::warm_up_notes(&leak, &plan.leak));
    }
    criteria.extend(worker_criterion(run));
    if limit != Limit::NotRun {
        criteria.extend(limit::ramp_criteria(&limit, &levels, &plan.ramp));
    }
    notes.extend(run.events.iter().filter_map(|record| match &record.event {
        Event::Warning { message } => Some(message.clone()),
        Event::PhaseEnded { phase, cut_short: Some(reason) } => {
            Some(format!("the {} phase was cut short: {reason}", phase.word()))
        }
        _ => None,
    }));
    notes.extend(run.damage.iter().map(ToString::to_string));

    let interrupted = interruption(run);
    let mut verdict =
        criteria.iter().map(|criterion| criterion.verdict).max().unwrap_or(Verdict::Inconclusive);
    // What was not run cannot have passed, nor what was lost: an unreadable line
    // may have been the task that failed.
    let nothing_judged = !criteria.iter().any(|found| found.name != WORKER_ALIVE);
    let lost = run.damage.iter().any(|line| line.file == run.file && !line.torn);
    if verdict == Verdict::Pass && (interrupted.is_some() || nothing_judged || lost) {
        verdict = Verdict::Inconclusive;
    }
    Judgement { verdict, criteria, limit, notes, interrupted }
}

/// Why the run ended before its end, if it did.
fn interruption(run: &RunData) -> Option<String> {
    run.start()?;
    match run.events.iter().rev().find_map(|record| match &record.event {
        Event::RunEnded => Some(None),
        Event::RunInterrupted { reason } => Some(Some(reason.clone())),
        _ => None,
    }) {
        Some(end) => end,
        None => {
            let in_flight = in_flight(run);
            let tasks = match in_flight.as_slice() {
                [] => "no task was in flight".to_string(),
                tasks => format!("in flight: {}", tasks.join(", ")),
            };
            Some(format!("the log of events has no end: highwater or the machine was stopped; {tasks}"))
        }
    }
}

/// Tasks that were sent and have no line.
pub fn in_flight(run: &RunData) -> Vec<&str> {
    run.events
        .iter()
        .filter_map(|record| match &record.event {
            Event::TaskStarted { test_id } => Some(test_id.as_str()),
            _ => None,
        })
        .filter(|test_id| !run.tasks.iter().any(|task| task.test_id == *test_id))
        .collect()
}

fn memory_at(run: &RunData, wanted: Moment) -> Option<f64> {
    run.events.iter().rev().find_map(|record| match record.event {
        Event::Memory { moment, worker_rss_mb } if moment == wanted => worker_rss_mb,
        _ => None,
    })
}

/// "No worker crash": judged over the whole run, where the run's log tells of processes.
fn worker_criterion(run: &RunData) -> Option<Criterion> {
    run.start()?;
    let mut watched = false;
    let mut ends: Vec<String> = Vec::new();
    for record in &run.events {
        match &record.event {
            Event::ProcessFound { role, root: true, replacement, pid, .. } if role == WORKER => {
                watched = true;
                if *replacement {
                    ends.push(format!("pid {pid} took its place"));
                }
            }
            Event::ProcessExited { role, root: true, pid, how, .. } if role == WORKER => {
                ends.push(worker_end(*pid, *how));
            }
            _ => {}
        }
    }
    let (verdict, detail) = match (watched, ends.is_empty()) {
        (false, _) => (Verdict::Inconclusive, "no worker process was watched".to_string()),
        (true, true) => (Verdict::Pass, "no worker process died or was replaced".to_string()),
        (true, false) => (Verdict::Fail, ends.join("; ")),
    };
    Some(Criterion {
        name: WORKER_ALIVE.to_string(),
        title: "no worker crash".to_string(),
        verdict,
        detail,
        value: None,
        threshold: None,
        unit: None,
    })
}

/// `worker pid 12345 was killed, signal 9`.
pub fn worker_end(pid: u32, how: ExitKind) -> String {
    format!("{WORKER} pid {pid} {how}")
}
