//! From what was derived of a run to its criteria and its verdict.

use super::compare::{Comparison, baseline_comparison, hold_against};
use super::growth::{Growth, LOOKS};
use super::leak::{self, LeakTasks, MemoryMoments, leak_criteria, worker_changed};
use super::limit::{self, Level, levels};
use super::probe::{self, Condition, conditions};
use super::soak::{self, Soak, soak};
use super::{WORKER, in_flight, knee, late, ramp_criteria, resources, sampling, worker_end, works};
use crate::plan::Plan;
use crate::record::{Criterion, Event, Judgement, Limit, Moment, Phase, RunData, Verdict};

/// Judged whatever phases were run, as is how the processes were sampled.
const WORKER_ALIVE: &str = "worker.alive";

/// Everything that is concluded from a run before it is judged, each figure once.
#[derive(Debug, Clone)]
pub(crate) struct Derived<'a> {
    /// The tasks of the leak check.
    pub(crate) leak: LeakTasks<'a>,
    /// What they say about accumulation; absent if the run has no leak check.
    pub(crate) growth: Option<Growth>,
    /// Growth by condition, of the probes.
    pub(crate) conditions: Vec<Condition>,
    /// The run beside its baseline, if it was run with one.
    pub(crate) comparison: Option<Comparison>,
    /// The levels of the ramp.
    pub(crate) levels: Vec<Level>,
    /// How the ramp ended.
    pub(crate) limit: Limit,
    /// The soak, if there was one.
    pub(crate) soak: Option<Soak>,
}

impl<'a> Derived<'a> {
    /// Derives everything that `plan` asks of `run`.
    pub(crate) fn of(run: &'a RunData, plan: &Plan) -> Derived<'a> {
        let leak = LeakTasks::of(run);
        let checked = plan.leak.enabled || !leak.tasks.is_empty();
        let levels = levels(run, &plan.ramp);
        Derived {
            growth: checked.then(|| leak.growth(LOOKS)),
            leak,
            conditions: conditions(run),
            comparison: baseline_comparison(run),
            limit: limit::limit(run, &plan.ramp, &levels),
            levels,
            soak: soak(run, plan),
        }
    }
}

/// Judges what was derived of a run against the thresholds of `plan`.
pub(crate) fn judge(run: &RunData, plan: &Plan, derived: &Derived<'_>) -> Judgement {
    let Derived { leak, growth, conditions, comparison, levels, limit, soak } = derived;
    let mut notes = Vec::new();
    let mut criteria = Vec::new();
    if let Some(growth) = growth {
        let memory = MemoryMoments {
            baseline_mb: memory_at(run, Moment::Baseline),
            final_mb: memory_at(run, Moment::Final),
            worker_changed: worker_changed(run),
        };
        criteria.extend(leak_criteria(leak, &memory, growth, &plan.leak));
        criteria.extend(resources::resource_criteria(run, leak, memory.worker_changed, &plan.leak));
        leak::doubt_without_a_success(leak, &mut criteria);
        criteria.extend(works::works_criterion(leak));
        notes.extend(leak::warm_up_notes(leak, &plan.leak));
        criteria.extend(probe::probe_criteria(conditions));
        if let Some(comparison) = comparison {
            hold_against(comparison, &mut criteria);
        }
    }
    notes.extend(late::late_free_notes(run));
    if let Some(soak) = soak {
        criteria.extend(soak::soak_criteria(soak, &plan.soak));
    }
    criteria.extend(worker_criterion(run));
    criteria.extend(sampling::sampling_criterion(run));
    if *limit != Limit::NotRun {
        criteria.extend(ramp_criteria::ramp_criteria(limit, levels, &plan.ramp));
        notes.extend(limit::flaky_note(levels, &plan.ramp));
        notes.extend(knee::knee_note(levels));
    }
    notes.extend(retries(run));
    notes.extend(run.events.iter().filter_map(|record| match &record.event {
        Event::Warning { message } => Some(message.clone()),
        Event::PhaseEnded { phase, cut_short: Some(reason) } => {
            Some(format!("the {} phase was cut short: {reason}", phase.word()))
        }
        Event::Resumed { new_series, gap_s: Some(gap_s), .. } => Some(resumed(*new_series, *gap_s)),
        _ => None,
    }));
    notes.extend(run.damage.iter().map(ToString::to_string));

    let interrupted = interruption(run);
    let mut verdict =
        criteria.iter().map(|criterion| criterion.verdict).max().unwrap_or(Verdict::Inconclusive);
    // What was not run cannot have passed, nor what was lost: an unreadable line
    // may have been the task that failed.
    let nothing_judged = !criteria
        .iter()
        .any(|found| ![WORKER_ALIVE, sampling::SAMPLER_COMPLETE].contains(&found.name.as_str()));
    let lost = run.damage.iter().any(|line| line.file == run.file && !line.torn);
    if verdict == Verdict::Pass && (interrupted.is_some() || nothing_judged || lost) {
        verdict = Verdict::Inconclusive;
    }
    Judgement { verdict, criteria, limit: limit.clone(), notes, interrupted }
}

/// What a reader must know of a run that went on from another.
fn resumed(new_series: Option<Phase>, gap_s: f64) -> String {
    let front = format!("the run was stopped and went on after {gap_s:.0} s");
    match new_series {
        Some(phase) => format!(
            "{front}, with other processes of the worker: what the {} phase had read before is not judged, and it \
             began anew",
            phase.word()
        ),
        None => front,
    }
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
    let mut restarts = 0;
    for record in &run.events {
        match &record.event {
            Event::ProcessFound { role, root: true, replacement, pid, .. } if role == WORKER => {
                watched = true;
                if *replacement {
                    restarts += 1;
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
        (true, false) if restarts > 1 => (Verdict::Fail, format!("{restarts} restarts: {}", ends.join("; "))),
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

/// What a reader must know of tasks that did not succeed at once.
fn retries(run: &RunData) -> Option<String> {
    let again: Vec<u32> = run.tasks.iter().filter_map(|task| task.retries).collect();
    let (tasks, all, retries) = (again.len(), run.tasks.len(), again.iter().sum::<u32>());
    let was = if tasks == 1 { "was" } else { "were" };
    (tasks > 0).then(|| {
        format!("{tasks} of {all} tasks {was} sent again after a failure, {retries} times in all (`target.retries`)")
    })
}
