//! The levels of a ramp, and how it ended.

use super::level::{LevelFacts, judge_level};
use super::stats::{Summary, summary};
use super::{WORKER, in_flight};
use crate::plan::RampPlan;
use crate::record::{
    Clause, Criterion, Event, ExitKind, LevelMemory, Limit, Phase, RunData, TaskRecord, Verdict,
};

/// One level, with what the tables show of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Level {
    /// Tasks that were submitted at once.
    pub concurrency: u32,
    /// Tasks that left a record.
    pub tasks: usize,
    /// Those that succeeded.
    pub succeeded: usize,
    /// RTF of those that succeeded; absent without audio.
    pub rtf: Option<Summary>,
    /// Seconds from submission to result of those that succeeded.
    pub seconds: Option<Summary>,
    /// Worker RSS around the level.
    pub memory: LevelMemory,
    /// The clause that broke; absent if the level held.
    pub broke: Option<Clause>,
    /// False if the run ended during the level.
    pub complete: bool,
}

/// The levels of a run in the order of the ramp, judged against `plan`.
pub fn levels(run: &RunData, plan: &RampPlan) -> Vec<Level> {
    let spans = spans(run);
    if spans.is_empty() && run.start().is_none() {
        return levels_of_tasks_alone(run, plan);
    }
    spans
        .into_iter()
        .map(|span| {
            let tasks = run
                .tasks
                .iter()
                .filter(|task| task.phase == Some(Phase::Concurrency) && task.concurrency == span.concurrency)
                .collect();
            let facts = LevelFacts {
                concurrency: span.concurrency,
                tasks,
                exits: span.exits,
                replacements: span.replacements,
                unhealthy: span.unhealthy,
            };
            level(&facts, span.memory, span.complete, plan)
        })
        .collect()
}

/// Without a log of events, a level is what the tasks say of themselves.
fn levels_of_tasks_alone(run: &RunData, plan: &RampPlan) -> Vec<Level> {
    let ramp = |task: &&TaskRecord| task.phase.is_none_or(|phase| phase == Phase::Concurrency);
    if !run.tasks.iter().filter(ramp).any(|task| task.concurrency > 1) {
        return Vec::new();
    }
    let mut values: Vec<u32> = run.tasks.iter().filter(ramp).map(|task| task.concurrency).collect();
    values.sort_unstable();
    values.dedup();
    values
        .into_iter()
        .map(|concurrency| {
            let mut tasks: Vec<&TaskRecord> =
                run.tasks.iter().filter(ramp).filter(|task| task.concurrency == concurrency).collect();
            if concurrency == 1 {
                // The leak check sends one at a time too: the last single task before the batches is the level's.
                tasks = tasks.split_off(tasks.len() - 1);
            }
            let memory = LevelMemory {
                before_mb: tasks.iter().find_map(|task| task.worker_rss_before_mb),
                after_mb: tasks.iter().rev().find_map(|task| task.worker_rss_after_mb),
                peak_mb: tasks.iter().filter_map(|task| task.worker_rss_peak_mb).max_by(f64::total_cmp),
            };
            let facts = LevelFacts { concurrency, tasks, ..LevelFacts::default() };
            level(&facts, memory, true, plan)
        })
        .collect()
}

fn level(facts: &LevelFacts<'_>, memory: LevelMemory, complete: bool, plan: &RampPlan) -> Level {
    let good: Vec<&TaskRecord> = facts.tasks.iter().copied().filter(|task| task.succeeded()).collect();
    let figures = |of: fn(&TaskRecord) -> Option<f64>| {
        summary(&good.iter().filter_map(|task| of(task)).collect::<Vec<f64>>())
    };
    Level {
        concurrency: facts.concurrency,
        tasks: facts.tasks.len(),
        succeeded: good.len(),
        rtf: figures(|task| task.rtf),
        seconds: figures(|task| task.processing_time),
        memory,
        broke: if complete { judge_level(facts, plan) } else { None },
        complete,
    }
}

/// The stretch of the log that belongs to one level.
#[derive(Default)]
struct Span {
    concurrency: u32,
    exits: Vec<(u32, ExitKind)>,
    replacements: Vec<u32>,
    unhealthy: Option<String>,
    memory: LevelMemory,
    complete: bool,
}

fn spans(run: &RunData) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for record in &run.events {
        if let Event::LevelStarted { concurrency } = record.event {
            spans.push(Span { concurrency, ..Span::default() });
        }
        let Some(span) = spans.last_mut().filter(|span| !span.complete) else { continue };
        match &record.event {
            Event::ProcessExited { role, root: true, pid, how, .. } if role == WORKER => {
                span.exits.push((*pid, *how));
            }
            Event::ProcessFound { role, root: true, pid, replacement: true, .. } if role == WORKER => {
                span.replacements.push(*pid);
            }
            Event::Health { problem } => span.unhealthy = problem.clone(),
            Event::LevelEnded { memory, .. } => {
                span.memory = *memory;
                span.complete = true;
            }
            _ => {}
        }
    }
    spans
}

/// How the ramp ended.
pub(super) fn limit(run: &RunData, plan: &RampPlan, levels: &[Level]) -> Limit {
    let mut held = None;
    for level in levels {
        match &level.broke {
            Some(broke) => {
                return Limit::Found {
                    max_stable: held.unwrap_or(0),
                    broke_at: level.concurrency,
                    broke: broke.clone(),
                };
            }
            None if level.complete => held = Some(level.concurrency),
            None => break,
        }
    }
    let ramp_end = run.events.iter().find_map(|record| match &record.event {
        Event::PhaseEnded { phase: Phase::Concurrency, cut_short } => Some(cut_short.clone()),
        _ => None,
    });
    let started = run
        .events
        .iter()
        .any(|record| matches!(record.event, Event::PhaseStarted { phase: Phase::Concurrency, .. }));
    match (ramp_end, held) {
        (Some(Some(reason)), at_least) => Limit::Undetermined { at_least, reason },
        (Some(None), Some(at_least)) => Limit::BoundReached { at_least },
        (None, Some(at_least)) if run.start().is_none() => Limit::BoundReached { at_least },
        (None, at_least) if started => {
            let tasks = in_flight(run).len();
            Limit::Undetermined {
                at_least,
                reason: format!("the run ended during the ramp, {tasks} tasks in flight"),
            }
        }
        (None, _) if run.start().is_some() && plan.enabled => {
            Limit::Undetermined { at_least: None, reason: "the run ended before the ramp".to_string() }
        }
        _ => Limit::NotRun,
    }
}

/// The criteria that the ramp answers.
pub(super) fn ramp_criteria(limit: &Limit, levels: &[Level], plan: &RampPlan) -> Vec<Criterion> {
    let mut criteria = vec![required_criterion(limit, plan)];
    criteria.extend(rtf_criterion(levels, plan));
    criteria
}

fn required_criterion(limit: &Limit, plan: &RampPlan) -> Criterion {
    let required = plan.required;
    let held = limit.held();
    let verdict = match limit {
        _ if held.is_some_and(|held| held >= required) => Verdict::Pass,
        Limit::Found { .. } => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let detail = match (limit, held) {
        (_, Some(held)) if held >= required => format!("c={held} held, at least {required} required"),
        (Limit::Found { max_stable, broke_at, .. }, _) if broke_at - max_stable > 1 || *max_stable == 0 => {
            format!("c={broke_at} failed, at least {required} required")
        }
        (Limit::Found { max_stable, .. }, _) => format!("maximum {max_stable}, at least {required} required"),
        (Limit::BoundReached { at_least }, _) => {
            format!(
                "the ramp ended at its bound c={at_least}, below the required {required}: raise `ramp.max`"
            )
        }
        _ => format!("not determined, at least {required} required"),
    };
    Criterion {
        name: "ramp.required".to_string(),
        title: format!("at least {required} concurrent tasks succeed"),
        verdict,
        detail,
        value: held.map(f64::from),
        threshold: Some(f64::from(required)),
        unit: Some("tasks".to_string()),
    }
}

/// RTF is asked up to the required level: above it, whatever the service still
/// manages is a finding, not a promise. Nothing is asked of a service without audio.
fn rtf_criterion(levels: &[Level], plan: &RampPlan) -> Option<Criterion> {
    let measured: Vec<(u32, f64)> =
        levels.iter().filter_map(|level| level.rtf.map(|rtf| (level.concurrency, rtf.max))).collect();
    let promised = measured.iter().filter(|(concurrency, _)| *concurrency <= plan.required);
    let &(concurrency, worst) = promised.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let bound = plan.max_rtf;
    let reached = measured.iter().any(|(concurrency, _)| *concurrency >= plan.required);
    let (verdict, detail) = if worst >= bound {
        (Verdict::Fail, format!("RTF {worst:.3} ≥ {bound:?} at c={concurrency}"))
    } else if !reached {
        (
            Verdict::Inconclusive,
            format!("RTF {worst:.3} at c={concurrency}, c={} was not reached", plan.required),
        )
    } else {
        let beyond = measured.iter().find(|(_, rtf)| *rtf >= bound);
        let tail = beyond.map_or(String::new(), |(concurrency, rtf)| {
            format!("; above the required level RTF reaches {rtf:.3} at c={concurrency}")
        });
        (Verdict::Pass, format!("RTF {worst:.3} < {bound:?} up to c={}{tail}", plan.required))
    };
    Some(Criterion {
        name: "ramp.rtf".to_string(),
        title: "RTF stays below its bound under load".to_string(),
        verdict,
        detail,
        value: Some(worst),
        threshold: Some(bound),
        unit: None,
    })
}
