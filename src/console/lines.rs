//! The words: from events and tasks to lines. Pure.

use std::path::Path;

use super::Counts;
use crate::analysis::{Answer, Attribution, LOOKS, LeakTasks, levels};
use crate::assessment::{Assessment, assess};
use crate::plan::Plan;
use crate::record::{
    BlockReading, Criterion, CriterionId, Event, Phase, RunData, TaskRecord, TaskStatus, Verdict,
};
use crate::units::{significant, time};
use crate::words::criterion_line;

/// What is shown of an event.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) lines: Vec<String>,
    /// The criteria among the lines.
    pub(super) criteria: Vec<Criterion>,
}

/// What is shown of an event. `run` already holds it.
pub(super) fn of_event(event: &Event, run: &RunData, plan: &Plan, results: &Path) -> Told {
    let lines = match event {
        Event::RunStarted { title, files, .. } => vec![
            format!("highwater: {title}"),
            format!("results: {}", results.join(&files.tasks).display()),
            String::new(),
        ],
        // Descendants have a line at the start, when their memory is known. Those that come and go
        // later, such as a work-horse for each task, are for the report.
        Event::ProcessFound { root: false, rss_mb: None, .. } => Vec::new(),
        Event::ProcessFound { role, pid, root, parent, replacement: false, rss_mb, .. } => {
            let rss = rss_mb.map_or(String::new(), |rss| format!("  RSS {rss:.1} MB"));
            match parent.filter(|_| !root) {
                Some(parent) => vec![format!("{:<9} pid {pid}{rss}  child of {parent}", "")],
                None => vec![format!("{role:<7} pid {pid}{rss}")],
            }
        }
        Event::ProcessFound { role, pid, root: true, .. } => vec![format!("  {role} pid {pid} appeared")],
        Event::ProcessExited { role, pid, root: true, how, .. } => vec![format!("  {role} pid {pid} {how}")],
        Event::PhaseStarted { phase: Phase::Leak, .. } => {
            vec![String::new(), "PHASE 1  memory leak verification".to_string()]
        }
        Event::PhaseStarted { phase: Phase::Concurrency, .. } => {
            vec![String::new(), "PHASE 2  concurrency limit".to_string()]
        }
        Event::PhaseStarted { phase: Phase::Soak, .. } => {
            let plan = &plan.soak;
            let long =
                if plan.tasks > 0 { format!("{} tasks", plan.tasks) } else { format!("{:.0} s", plan.for_s) };
            vec![String::new(), format!("SOAK  {} at once for {long}", plan.concurrency)]
        }
        Event::SoakRound(round) => {
            let mb = |value: Option<f64>| value.map_or("–".to_string(), |mb| format!("{mb:.1}"));
            let (floor, peak) = round.best();
            vec![format!(
                "  round {:>2}  {:>5} tasks  {:>6.0} s  floor {} MB  peak {} MB",
                round.round,
                round.tasks,
                round.seconds,
                mb(floor),
                mb(peak)
            )]
        }
        Event::BlockEnded(reading) => vec![block(reading, run, plan)],
        Event::IdleEnded(idle) => {
            vec![format!("  {:.0} s without tasks, to see whether memory grows by itself", idle.seconds)]
        }
        Event::LevelEnded(_) => level(run, plan).into_iter().collect(),
        Event::PhaseEnded { phase, cut_short } => {
            let mut lines: Vec<String> =
                cut_short.iter().map(|reason| format!("  cut short: {reason}")).collect();
            let assessment = assess(run, plan);
            if *phase == Phase::Concurrency {
                lines.push(format!("  {}", assessment.judgement.limit));
            }
            let shown = shown(&assessment, |id| id.phase() == Some(*phase));
            lines.extend(shown.iter().map(|found| format!("  {}", criterion_line(found))));
            if *phase == Phase::Leak {
                lines.extend(attribution(&assessment));
            }
            return Told { lines, criteria: shown };
        }
        Event::Recovering { problem, at_most_s } => {
            vec![format!("  waiting up to {at_most_s:.0} s for the service to recover: {problem}")]
        }
        Event::RecoveryProbe { number, .. } => {
            vec![format!("  probe {number}: one task, to see whether the service has recovered")]
        }
        Event::Recovery { problem: Some(problem), .. } => vec![format!("  not recovered: {problem}")],
        Event::TaskRetried { test_id, retries, error } => {
            vec![format!("    {test_id}  {error}; sent again ({retries})")]
        }
        Event::ProbesEnded => {
            let assessment = assess(run, plan);
            let shown = shown(&assessment, CriterionId::is_probe);
            let mut lines = vec![String::new(), "PROBES  one condition at a time".to_string()];
            lines.extend(shown.iter().map(|found| format!("  {}", criterion_line(found))));
            if shown.iter().any(|found| found.verdict == Verdict::Fail) {
                lines.extend(attribution(&assessment));
            }
            return Told { lines, criteria: shown };
        }
        Event::Warning { message } => vec![format!("  note: {message}")],
        _ => Vec::new(),
    };
    Told { lines, criteria: Vec::new() }
}

/// The criteria that `wanted` picks.
fn shown(assessment: &Assessment, wanted: impl Fn(&CriterionId) -> bool) -> Vec<Criterion> {
    assessment.judgement.criteria.iter().filter(|found| wanted(&found.name)).cloned().collect()
}

/// Where something grew, each with what that usually is.
fn attribution(assessment: &Assessment) -> Vec<String> {
    let worker = assessment.attribution.iter().flat_map(|found| attribution_of("", found));
    let roles = assessment.role_attribution.iter();
    worker.chain(roles.flat_map(|(role, found)| attribution_of(&format!("{role} "), found))).collect()
}

fn attribution_of(role: &str, found: &Attribution) -> Vec<String> {
    let memory = found.memory.iter().map(|grown| (grown.to_string(), grown.hint));
    let counts = found.counts.iter().map(|grown| (grown.to_string(), grown.hint));
    let grown = memory
        .chain(counts)
        .flat_map(|(what, hint)| [format!("  {role}grew: {what}"), format!("        usually: {hint}")]);
    let unread =
        found.unread.iter().map(|reason| format!("  where {role}memory grew is not known: {reason}"));
    grown.chain(unread).collect()
}

/// The line of a task that ended; those of a good level are told as one.
pub(super) fn of_task(task: &TaskRecord, counts: &Counts) -> Option<String> {
    if task.block.is_some() && task.succeeded() {
        // A block has one line.
        return None;
    }
    if task.condition.is_some() {
        // Told together, when the probes are over.
        return None;
    }
    match task.phase {
        Some(Phase::Concurrency | Phase::Soak) if task.succeeded() => None,
        Some(Phase::Concurrency | Phase::Soak) => Some(format!("    {}  {}", task.test_id, ending(task))),
        _ => {
            let number = if task.phase == Some(Phase::Leak) { counts.leak } else { counts.others };
            let kind = task.kind.map_or("task", |kind| kind.word());
            let delta = task.worker_rss_delta_mb.map_or(String::new(), |delta| format!("  Δ {delta:+.1} MB"));
            Some(format!("  {number:>2} {kind:<5}  {}{delta}", ending(task)))
        }
    }
}

/// The line of a block: what is known so far, and how much longer it can take.
fn block(reading: &BlockReading, run: &RunData, plan: &Plan) -> String {
    let growth = LeakTasks::of(run).growth(LOOKS);
    let memory = reading.worker.and_then(|held| held.pss_anon_mb.or(held.private_mb).or(held.rss_mb));
    let memory = memory.map_or("–".to_string(), |mb| format!("{mb:.1}"));
    let rate =
        growth.rate_mb_per_task.map_or(String::new(), |rate| format!("  {rate:+.3} MB per task so far"));
    let left_s = (plan.leak.for_s - reading.seconds).max(0.0);
    let left = if growth.answer == Answer::Inconclusive {
        format!("; at most {left_s:.0} s more")
    } else {
        String::new()
    };
    format!("  {:>6} tasks  {:>4.0} s  memory {memory} MB{rate}{left}", reading.tasks, reading.seconds)
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
        (None, None, Some(seconds)) => format!("{status}  {}", time(seconds)),
        _ => status.to_string(),
    }
}

fn level(run: &RunData, plan: &Plan) -> Option<String> {
    let levels = levels(run, &plan.ramp);
    let level = levels.last()?;
    let longest = match (level.rtf, level.seconds) {
        (Some(rtf), _) => format!("  RTF {:.3}", rtf.max),
        (None, Some(seconds)) => format!("  {}", time(seconds.max)),
        _ => String::new(),
    };
    let rate = level.throughput.filter(|_| level.succeeded > 0);
    let rate = rate.map_or(String::new(), |rate| format!("  {} tasks/s", significant(rate)));
    let what = match (&level.invalid, &level.broke) {
        (Some(reason), _) => format!("  INVALID, not broken: {reason}"),
        (None, Some(broke)) => format!("  broke: {broke}"),
        (None, None) => String::new(),
    };
    let again = if level.attempt > 1 { format!(" (attempt {})", level.attempt) } else { String::new() };
    Some(format!(
        "  c={}{again}  {}/{} ok{longest}{rate}{what}",
        level.concurrency, level.succeeded, level.tasks
    ))
}
