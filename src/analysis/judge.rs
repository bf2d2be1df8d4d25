//! From what was derived of a run to its criteria and its verdict.

use super::arms::arms_note;
use super::compare::{Comparison, baseline_comparison, hold_against};
use super::finding::{Evidence, Finding, WorkerChange};
use super::gpu_growth::{GpuGrowth, gpu_criterion, gpu_growths};
use super::growth::{Answer, Growth, LOOKS, Reason, is_runtime};
use super::idle::with_time;
use super::leak::{self, MemoryMoments, leak_criteria, worker_changed};
use super::leak_tasks::LeakTasks;
use super::length::length_note;
use super::limit::{self, Level, levels};
use super::note::{Interruption, Note};
use super::probe::{self, ConditionGrowth, conditions};
use super::role_growth::{RoleGrowth, role_criteria, role_growths};
use super::runtime::collects;
use super::soak::{Soak, soak};
use super::soak_criteria::soak_criteria;
use super::{
    WORKER, answers, children, in_flight, incomplete, knee, late, ramp_criteria, ramp_growth, resources,
    sampling, works,
};
use crate::plan::Plan;
use crate::record::{CriterionId, Event, Limit, Moment, RunData, Verdict};

/// Everything that is concluded from a run before it is judged, each figure once.
#[derive(Debug, Clone)]
pub(crate) struct Derived<'a> {
    /// The tasks of the leak check.
    pub(crate) leak: LeakTasks<'a>,
    /// What they say about accumulation; absent if the run has no leak check.
    pub(crate) growth: Option<Growth>,
    /// The same of the other roles.
    pub(crate) roles: Vec<RoleGrowth>,
    /// Whether memory of GPUs accumulates, by role; empty where no role has any.
    pub(crate) gpus: Vec<GpuGrowth>,
    /// Growth by condition, of the probes.
    pub(crate) conditions: Vec<ConditionGrowth>,
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
            growth: checked.then(|| with_time(leak.growth(LOOKS), run, &leak)),
            roles: role_growths(run, &leak, plan),
            gpus: gpu_growths(run, &leak, plan),
            leak,
            conditions: conditions(run),
            comparison: baseline_comparison(run),
            limit: limit::limit(run, &plan.ramp, &levels),
            levels,
            soak: soak(run, plan),
        }
    }
}

/// What a run comes to, as data.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// The worst verdict of all criteria.
    pub(crate) verdict: Verdict,
    /// Every criterion, in the order of the phases.
    pub(crate) findings: Vec<Finding>,
    /// Observations that are no verdicts.
    pub(crate) notes: Vec<Note>,
    /// Why the run ended before its end, if it did.
    pub(crate) interruption: Option<Interruption>,
}

/// Judges what was derived of a run against the thresholds of `plan`.
pub(crate) fn judge(run: &RunData, plan: &Plan, derived: &Derived<'_>) -> Judged {
    let Derived { leak, growth, roles, gpus, conditions, comparison, levels, limit, soak } = derived;
    let mut notes = Vec::new();
    let mut findings = Vec::new();
    if let Some(growth) = growth {
        let memory = MemoryMoments {
            baseline_mb: memory_at(run, Moment::Baseline),
            final_mb: memory_at(run, Moment::Final),
            worker_changed: worker_changed(run),
        };
        findings.extend(leak_criteria(leak, &memory, growth, &plan.leak));
        findings.extend(role_criteria(roles));
        findings.extend(resources::resource_criteria(run, leak, memory.worker_changed, &plan.leak));
        findings.extend(gpu_criterion(gpus));
        leak::doubt_without_a_success(leak, &mut findings);
        findings.extend(works::works_criterion(leak));
        notes.extend(leak::warm_up_notes(leak, &plan.leak));
        notes.extend(arms_note(run, leak, growth));
        notes.extend(length_note(leak, growth));
        let (kept, of) = (leak.tasks.len(), leak.read);
        notes.extend((!leak.group_ends.is_empty()).then_some(Note::Grouped { kept, of }));
        notes.extend(undecided_note(run, leak, growth));
        notes.extend(children::forks_note(run, leak));
        findings.extend(probe::probe_criteria(conditions));
        if let Some(comparison) = comparison {
            hold_against(comparison, &mut findings);
        }
    }
    notes.extend(late::late_free_notes(run, plan.leak.baseline_tolerance_mb));
    if let Some(soak) = soak {
        findings.extend(soak_criteria(soak, &plan.soak));
    }
    findings.extend(worker_criterion(run));
    findings.extend(children::children_criterion(run));
    findings.extend(sampling::sampling_criterion(run));
    if *limit != Limit::NotRun {
        findings.extend(ramp_criteria::ramp_criteria(limit, levels, &plan.ramp));
        let (kept, note) = ramp_growth::ramp_growth(levels, &plan.leak);
        findings.extend(kept);
        notes.extend(note);
        notes.extend(limit::flaky_note(levels, &plan.ramp));
        notes.extend(knee::knee_note(levels).or_else(|| knee::plateau_note(levels)));
        notes.extend(answers::answers_note(levels));
    }
    incomplete::doubt_without_a_log(run, &mut findings);
    notes.extend(retries(run));
    notes.extend(run.events.iter().filter_map(|record| match &record.event {
        Event::Warning { message } => Some(Note::Warning(message.clone())),
        Event::PhaseEnded { phase, cut_short: Some(why) } => {
            Some(Note::CutShort { phase: *phase, why: why.clone() })
        }
        Event::Resumed { new_series, gap_s: Some(gap_s), .. } => {
            Some(Note::Resumed { gap_s: *gap_s, new_series: *new_series })
        }
        _ => None,
    }));
    notes.extend(collects(run).then_some(Note::Collected));
    notes.extend(run.damage.iter().cloned().map(Note::Damage));

    let interruption = interruption(run);
    let mut verdict = findings.iter().map(|found| found.verdict).max().unwrap_or(Verdict::Inconclusive);
    // What was not run cannot have passed, nor what was lost: an unreadable line
    // may have been the task that failed.
    let any_run = [CriterionId::WorkerAlive, CriterionId::SamplerComplete];
    let nothing_judged = findings.iter().all(|found| any_run.contains(&found.id));
    let lost = incomplete::lines_are_lost(run);
    if verdict == Verdict::Pass && (interruption.is_some() || nothing_judged || lost) {
        verdict = Verdict::Inconclusive;
    }
    Judged { verdict, findings, notes, interruption }
}

/// What to do where the leak check of a run of highwater's own ended undecided.
fn undecided_note(run: &RunData, leak: &LeakTasks<'_>, growth: &Growth) -> Option<Note> {
    let open = growth.answer == Answer::Inconclusive && !matches!(growth.reason, Reason::Incomparable(_));
    let ended = run.events.iter().any(|record| matches!(record.event, Event::RunEnded));
    let tried = ended && !leak.repeats.is_empty() && leak.all_read() && !worker_changed(run);
    let runtime = is_runtime(leak.readings().file_mb) && !collects(run);
    (open && tried).then_some(Note::Undecided { runtime })
}

/// Why the run ended before its end, if it did.
fn interruption(run: &RunData) -> Option<Interruption> {
    run.start()?;
    let end = run.events.iter().rev().find_map(|record| match &record.event {
        Event::RunEnded => Some(None),
        Event::RunInterrupted { reason } => Some(Some(Interruption::Recorded(reason.clone()))),
        _ => None,
    });
    end.unwrap_or_else(|| {
        let in_flight = in_flight(run).into_iter().map(ToString::to_string).collect();
        Some(Interruption::NoEnd { in_flight })
    })
}

fn memory_at(run: &RunData, wanted: Moment) -> Option<f64> {
    run.events.iter().rev().find_map(|record| match record.event {
        Event::Memory { moment, worker_rss_mb } if moment == wanted => worker_rss_mb,
        _ => None,
    })
}

/// "No worker crash": judged over the whole run, where the run's log tells of processes.
fn worker_criterion(run: &RunData) -> Option<Finding> {
    if run.start().is_none() {
        let lost = incomplete::log_is_incomplete(run);
        return lost.then(|| Finding::new(CriterionId::WorkerAlive, Verdict::Inconclusive, Evidence::NoLog));
    }
    let mut watched = false;
    let mut changes: Vec<WorkerChange> = Vec::new();
    for record in &run.events {
        match &record.event {
            Event::ProcessFound { role, root: true, replacement, pid, .. } if role == WORKER => {
                watched = true;
                changes.extend(replacement.then_some(WorkerChange::Replaced { pid: *pid }));
            }
            Event::ProcessExited { role, root: true, pid, how, .. } if role == WORKER => {
                changes.push(WorkerChange::Ended { pid: *pid, how: *how });
            }
            _ => {}
        }
    }
    let (verdict, evidence) = match (watched, changes.is_empty()) {
        (false, _) => (Verdict::Inconclusive, Evidence::NotWatched),
        (true, true) => (Verdict::Pass, Evidence::Workers(changes)),
        (true, false) => (Verdict::Fail, Evidence::Workers(changes)),
    };
    Some(Finding::new(CriterionId::WorkerAlive, verdict, evidence))
}

/// Tasks that did not succeed at once.
fn retries(run: &RunData) -> Option<Note> {
    let again: Vec<u32> = run.tasks.iter().filter_map(|task| task.retries).collect();
    let bulk = [&run.soaked, &run.in_blocks, &run.ramp.sums];
    let tasks = again.len() + bulk.iter().map(|bulk| bulk.retried as usize).sum::<usize>();
    let retries = u64::from(again.iter().sum::<u32>()) + bulk.iter().map(|bulk| bulk.retries).sum::<u64>();
    let (of, retries) = (run.ended() as usize, u32::try_from(retries).unwrap_or(u32::MAX));
    (tasks > 0).then_some(Note::Retries { tasks, of, retries })
}
