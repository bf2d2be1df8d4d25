//! The levels of a ramp, and how it ended.

use std::collections::BTreeMap;

use super::attempt::{Attempt, attempts};
use super::facts::LevelFacts;
use super::in_flight;
use super::level::{LevelVerdict, judge_level};
use super::note::Note;
use super::search::{Spent, Standings, Trial, TrialOutcome, picture};
use super::stats::{Summary, summary_of_times};
use crate::plan::RampPlan;
use crate::record::{
    Clause, ClauseKind, ClauseState, CutShort, Event, FullLoad, GeneratorLoad, LevelMemory, Limit,
    LimitWithin, NoLimit, OwnReading, Phase, RecoveryProblem, RoleLoad, RunData,
};

/// One attempt at a level, with what the tables show of it.
#[derive(Debug, Clone, PartialEq, schemars::JsonSchema, serde::Serialize)]
pub struct Level {
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// Which attempt at this level it is, from 1.
    pub attempt: u32,
    /// Tasks that left a record.
    pub tasks: usize,
    /// Those that succeeded.
    pub succeeded: usize,
    /// RTF of those that succeeded; absent without audio.
    pub rtf: Option<Summary>,
    /// Seconds from submission to result of those that succeeded.
    pub seconds: Option<Summary>,
    /// Sizes of their answers in bytes, where these are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_bytes: Option<Summary>,
    /// Seconds that they waited in the service before they were processed, where that is known.
    pub queue_seconds: Option<Summary>,
    /// Seconds from the beginning of a task to its first text, of those that succeeded, where answers are streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_text_seconds: Option<Summary>,
    /// Seconds from the first submission to the last result.
    pub load_s: Option<f64>,
    /// The part of it in which all tasks of the level were outstanding; absent for a single batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<FullLoad>,
    /// Tasks that succeeded per second of that part; of a single batch, per second of all.
    pub throughput: Option<f64>,
    /// Worker RSS around the level.
    pub memory: LevelMemory,
    /// What each role used from the first submission to the last result.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, RoleLoad>,
    /// The clause that broke; absent if the level held.
    pub broke: Option<Clause>,
    /// Every clause with its answer.
    pub clauses: Vec<ClauseState>,
    /// Why nothing can be concluded from it, if so.
    pub invalid: Option<String>,
    /// highwater and the machine meanwhile.
    pub own: Option<OwnReading>,
    /// What was wrong when the service was given time to recover; absent if nothing was.
    pub unrecovered: Option<RecoveryProblem>,
    /// True if that is no effect of load: something that the service needs is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outage: bool,
    /// False if the run ended during the level.
    pub complete: bool,
}

/// The attempts of a run in the order in which they were made, judged against `plan`.
pub fn levels(run: &RunData, plan: &RampPlan) -> Vec<Level> {
    let attempts = attempts(run);
    if attempts.is_empty() && run.start().is_none() {
        return levels_of_tasks_alone(run, plan);
    }
    attempts.iter().map(|attempt| level(attempt, plan)).collect()
}

/// Without a log of events, a level is what the tasks say of themselves.
fn levels_of_tasks_alone(run: &RunData, plan: &RampPlan) -> Vec<Level> {
    let alone = &run.ramp.alone;
    if alone.keys().all(|concurrency| *concurrency <= 1) {
        return Vec::new();
    }
    // The leak check sends one at a time too: the last single task before the batches is the level's.
    let facts = alone.iter().map(|(concurrency, (tasks, memory))| LevelFacts {
        concurrency: *concurrency,
        attempt: 1,
        sent: *concurrency,
        tasks: tasks.clone(),
        memory: *memory,
        ..LevelFacts::default()
    });
    facts.map(|facts| level(&Attempt::of(facts), plan)).collect()
}

/// One attempt, judged against `plan`.
pub(crate) fn level(attempt: &Attempt<'_>, plan: &RampPlan) -> Level {
    let facts = &attempt.facts;
    let tasks = &facts.tasks;
    let made = facts.generator.map(GeneratorLoad::tasks);
    let (all, succeeded) = made.map_or((tasks.tasks as usize, tasks.succeeded as usize), |(all, failed)| {
        (all as usize, (all - failed) as usize)
    });
    let told = facts.generator.and_then(|load| load.per_s);
    let counted = facts.load_s.filter(|seconds| *seconds > 0.0).map(|seconds| succeeded as f64 / seconds);
    // One run of a program of which nothing is known is no throughput.
    let unknown = facts.generator.is_some_and(|load| load.requests.is_none());
    let judged = attempt.complete || facts.given_up;
    let LevelVerdict { clauses, broke, invalid } =
        if judged { judge_level(facts, plan) } else { LevelVerdict::default() };
    Level {
        concurrency: facts.concurrency,
        attempt: facts.attempt,
        tasks: all,
        succeeded,
        rtf: summary_of_times(&tasks.rtf),
        seconds: summary_of_times(&tasks.seconds),
        answer_bytes: summary_of_times(&tasks.answer_bytes),
        queue_seconds: summary_of_times(&tasks.queue_seconds),
        first_text_seconds: summary_of_times(&tasks.first_text_seconds),
        load_s: facts.load_s,
        full: facts.full,
        throughput: match facts.full {
            Some(full) => Some(f64::from(full.tasks) / full.seconds),
            None => told.or(counted.filter(|_| !unknown)),
        },
        memory: facts.memory,
        roles: facts.roles.clone(),
        broke,
        clauses,
        invalid,
        own: facts.own,
        unrecovered: attempt.unrecovered.clone(),
        outage: attempt.outage,
        complete: judged,
    }
}

/// Throughput by level, of attempts of which it can be believed: all of them but those
/// during which a process died, tasks failed, or highwater was starved.
pub fn throughputs(levels: &[Level]) -> Vec<(u32, f64)> {
    let whole = |level: &&Level| {
        let slow = level
            .broke
            .as_ref()
            .is_none_or(|broke| matches!(broke.clause, ClauseKind::Rtf | ClauseKind::Latency));
        level.complete && level.invalid.is_none() && slow && level.succeeded == level.tasks
    };
    levels.iter().filter(whole).filter_map(|level| Some((level.concurrency, level.throughput?))).collect()
}

/// What the search is told of the attempts that came to their end.
pub fn trials(levels: &[Level]) -> Vec<Trial> {
    let trial = |level: &Level| {
        let outcome = match (&level.invalid, level.broke.as_ref().map(|clause| clause.clause)) {
            (Some(_), _) => TrialOutcome::Invalid,
            (None, None) => TrialOutcome::Held,
            // Want of memory grows with load, and what broke down during a level that nobody saw the end of
            // is not tried again.
            (None, Some(ClauseKind::Oom | ClauseKind::Completed)) => TrialOutcome::Died,
            (None, Some(ClauseKind::TasksSucceed)) => TrialOutcome::TasksFailed,
            (None, Some(ClauseKind::Health)) => TrialOutcome::Unhealthy,
            (None, Some(_)) => TrialOutcome::Broke,
        };
        Trial {
            concurrency: level.concurrency,
            outcome,
            tasks: level.tasks as u32,
            failed: (level.tasks - level.succeeded) as u32,
            unrecovered: level.unrecovered.clone(),
            outage: level.outage,
        }
    };
    levels.iter().filter(|level| level.complete).map(trial).collect()
}

/// What the ramp has cost: attempts, tasks, and the time between its first event and its last.
pub fn spent(run: &RunData, levels: &[Level]) -> Spent {
    let mut seconds = 0.0;
    let mut started = None;
    for record in &run.events {
        match record.event {
            Event::PhaseStarted { phase: Phase::Concurrency, .. } => started = Some(record.elapsed),
            // A run that goes on from another has a clock of its own.
            Event::RunStarted { .. } => started = None,
            Event::LevelEnded(_)
            | Event::Recovery { .. }
            | Event::PhaseEnded { phase: Phase::Concurrency, .. } => {
                if let Some(from) = started {
                    seconds += record.elapsed - from;
                    started = Some(record.elapsed);
                }
            }
            _ => {}
        }
    }
    Spent {
        levels: levels.len() as u32,
        tasks: levels.iter().map(|level| level.tasks as u32).sum(),
        seconds: (seconds * 10.0).round() / 10.0,
    }
}

/// How the ramp ended.
pub(super) fn limit(run: &RunData, plan: &RampPlan, levels: &[Level]) -> Limit {
    let ended = run.events.iter().rev().find_map(|record| match &record.event {
        Event::PhaseEnded { phase: Phase::Concurrency, cut_short } => Some(cut_short.clone()),
        _ => None,
    });
    let trials = trials(levels);
    let open = picture(&trials, plan);
    // Where no further attempt will come, what broke more often than it held is broken.
    let over = matches!(ended, Some(None)) || run.start().is_none();
    let unrecovered = levels.last().is_some_and(|level| level.unrecovered.is_some() && !level.outage);
    let picture = if over || unrecovered { open.settled() } else { open };
    let unhealthy = picture.broke == Some(1)
        && levels.iter().all(|level| {
            level.concurrency > 1
                || level.broke.as_ref().is_none_or(|broke| broke.clause == ClauseKind::Health)
        });
    if let Some(broke_at) = picture.broke.filter(|_| over || picture.closed(plan))
        && !unhealthy
        && let Some(broke) = first_broken(levels, broke_at)
    {
        return Limit::Found {
            max_stable: picture.held.unwrap_or(0),
            broke_at,
            broke,
            held: picture.held.map(|level| picture.levels[&level].tally),
            broken: Some(picture.levels[&broke_at].tally),
        };
    }
    no_limit(run, plan, &picture, ended)
}

fn first_broken(levels: &[Level], concurrency: u32) -> Option<Clause> {
    levels.iter().filter(|level| level.concurrency == concurrency).find_map(|level| level.broke.clone())
}

fn no_limit(run: &RunData, plan: &RampPlan, picture: &Standings, ended: Option<Option<CutShort>>) -> Limit {
    let at_least = picture.held;
    let any = |wanted: fn(&Event) -> bool| run.events.iter().any(|record| wanted(&record.event));
    let started = any(|event| matches!(event, Event::PhaseStarted { phase: Phase::Concurrency, .. }));
    let bound = run.events.iter().rev().find_map(|record| match &record.event {
        Event::BoundMet { bound } => Some(bound.clone()),
        _ => None,
    });
    let within = picture.broke.map(|broke| LimitWithin { held: at_least, broke });
    let higher_flaky = picture.flaky().filter(|level| at_least.is_none_or(|held| *level > held)).last();
    let unknown = |at_least, reason| Limit::Undetermined { at_least, reason };
    match (ended, at_least, within) {
        (Some(Some(why)), at_least, within) => unknown(at_least, NoLimit::CutShort { why, within }),
        (Some(None), at_least, Some(within)) => unknown(at_least, NoLimit::BoundTooLow { bound, within }),
        (Some(None), at_least, None) if higher_flaky.is_some() => {
            unknown(at_least, NoLimit::Flaky { up_to: higher_flaky.unwrap_or_default() })
        }
        (Some(None), Some(at_least), None) => Limit::BoundReached { at_least, bound },
        (None, Some(at_least), _) if run.start().is_none() => Limit::BoundReached { at_least, bound: None },
        (None, at_least, within) if started => {
            unknown(at_least, NoLimit::RunEnded { in_flight: in_flight(run).len(), within })
        }
        (None, ..) if run.start().is_some() && plan.enabled => unknown(None, NoLimit::RunEndedBefore),
        (Some(None), None, None) => unknown(None, NoLimit::NoLevel),
        _ => Limit::NotRun,
    }
}

/// Levels that are in doubt: tasks fail there, and no more often than below.
pub(super) fn flaky_note(levels: &[Level], plan: &RampPlan) -> Option<Note> {
    let levels: Vec<u32> = picture(&trials(levels), plan).flaky().collect();
    (!levels.is_empty()).then_some(Note::Flaky { levels })
}
