//! The soak: does memory accumulate under a load that is held?

use serde::Serialize;

use super::growth::{Readings, growth};
use super::stats::{Summary, summary};
use crate::plan::{Plan, SoakPlan};
use crate::record::{Event, Phase, RunData, SoakRound, TaskRecord, Verdict};

/// A soak is divided into so many rounds, as far as its length is known: enough
/// readings for a verdict, each the floor of enough looks.
const ROUNDS: u32 = 64;

/// A round is no longer than this, in seconds.
const LONGEST_ROUND_S: f64 = 60.0;

/// What a soak came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Soak {
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// Tasks that ended.
    pub tasks: u32,
    /// Those that did not succeed.
    pub failed: u32,
    /// Seconds of the rounds.
    pub seconds: f64,
    /// Time from submission to result of those that succeeded.
    pub latency: Option<Summary>,
    /// The rounds, each with the floor and the peak of the worker tree's private memory.
    pub rounds: Vec<SoakRound>,
    /// Growth of the floors, in MB per task.
    pub mb_per_task: Option<f64>,
    /// The same in MB per hour.
    pub mb_per_hour: Option<f64>,
    /// The first moment at which the peak of a round was above `soak.cap_mb`, in seconds since the
    /// soak began; absent without a cap, and where it held.
    pub over_cap_s: Option<f64>,
    /// The highest peak of a round, in MB.
    pub peak_mb: Option<f64>,
    /// Hours from the end of the soak until `soak.cap_mb` is met; absent without a cap, and where memory
    /// does not grow.
    pub hours_to_cap: Option<f64>,
    /// Whether memory accumulates, by its floors.
    pub verdict: Verdict,
    /// Why.
    pub detail: String,
}

/// True if a round is over after `done` tasks and `seconds`.
///
/// Rounds are of equal length: of a share of the tasks, or of the time.
pub fn rounds_wanted(plan: &SoakPlan, round: u32, done: u32, seconds: f64) -> bool {
    let share = if plan.tasks > 0 { plan.tasks / ROUNDS } else { 0 };
    let tasks = share.max(plan.concurrency).max(1);
    let length_s = if plan.tasks > 0 { 0.0 } else { (plan.for_s / f64::from(ROUNDS)).min(LONGEST_ROUND_S) };
    done >= round.saturating_mul(tasks) && seconds >= f64::from(round) * length_s
}

/// True if nothing more is to be sent.
pub fn soak_over(plan: &SoakPlan, sent: u32, seconds: f64) -> bool {
    if plan.tasks > 0 { sent >= plan.tasks } else { seconds >= plan.for_s }
}

/// The soak of a run, if it had one.
pub fn soak(run: &RunData, plan: &Plan) -> Option<Soak> {
    let started = run
        .events
        .iter()
        .any(|record| matches!(record.event, Event::PhaseStarted { phase: Phase::Soak, .. }));
    if !started {
        return None;
    }
    let rounds: Vec<SoakRound> = run
        .events
        .iter()
        .filter_map(|record| match record.event {
            Event::SoakRound(round) => Some(round),
            _ => None,
        })
        .collect();
    let tasks: Vec<&TaskRecord> = run.tasks.iter().filter(|task| task.phase == Some(Phase::Soak)).collect();
    let good: Vec<f64> =
        tasks.iter().filter(|task| task.succeeded()).filter_map(|task| task.processing_time).collect();
    // The first round is the warm-up: models load, pools fill.
    let judged: Vec<SoakRound> =
        rounds.iter().skip(1).filter(|round| round.floor_mb.is_some()).copied().collect();
    let floors: Vec<f64> = judged.iter().filter_map(|round| round.floor_mb).collect();
    let (verdict, detail) = judgement(&floors);
    let slope = |of: fn(&SoakRound) -> f64| {
        theil_sen(&judged.iter().filter_map(|round| Some((of(round), round.floor_mb?))).collect::<Vec<_>>())
    };
    let mb_per_hour = slope(|round| round.seconds / 3600.0);
    let hours_to_cap = mb_per_hour
        .filter(|rate| *rate > 0.0 && verdict != Verdict::Pass && plan.soak.cap_mb > 0.0)
        .zip(judged.last().and_then(|round| round.peak_mb))
        .map(|(rate, peak)| ((plan.soak.cap_mb - peak) / rate).max(0.0));
    let cap = Some(plan.soak.cap_mb).filter(|cap| *cap > 0.0);
    let over_cap_s = cap.and_then(|cap| {
        rounds.iter().find(|round| round.peak_mb.is_some_and(|peak| peak > cap)).map(|round| round.seconds)
    });
    Some(Soak {
        concurrency: tasks.first().map_or(plan.soak.concurrency, |task| task.concurrency),
        tasks: tasks.len() as u32,
        failed: tasks.iter().filter(|task| !task.succeeded()).count() as u32,
        seconds: rounds.last().map_or(0.0, |round| round.seconds),
        latency: summary(&good),
        mb_per_task: slope(|round| f64::from(round.tasks)),
        mb_per_hour,
        hours_to_cap: hours_to_cap.filter(|_| over_cap_s.is_none()),
        over_cap_s,
        peak_mb: rounds.iter().filter_map(|round| round.peak_mb).max_by(f64::total_cmp),
        rounds,
        verdict,
        detail,
    })
}

/// The rule is that of the leak check; a reading is the floor of a round.
fn judgement(floors_mb: &[f64]) -> (Verdict, String) {
    let growth = growth(&Readings::new(floors_mb));
    (growth.verdict(), growth.detail(None).replace(" per task", " per round").replace(" tasks", " rounds"))
}

/// The median of the slopes between all pairs of points.
///
/// P. K. Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau",
/// 1968: up to 29 % of the points may be anything without moving it far.
fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes: Vec<f64> = points
        .iter()
        .enumerate()
        .flat_map(|(index, (x, y))| {
            points[index + 1..]
                .iter()
                .filter(move |later| later.0 > *x)
                .map(move |later| (later.1 - y) / (later.0 - x))
        })
        .collect();
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    match slopes.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(slopes[middle]),
        _ => Some((slopes[middle - 1] + slopes[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{run, task};
    use super::super::soak_criteria::soak_criteria;
    use super::*;
    use crate::record::CriterionId;

    fn soaked(floor: impl Fn(u32) -> f64, cap_mb: f64) -> Soak {
        let mut events = vec![Event::PhaseStarted { phase: Phase::Soak, tasks: None }];
        let mut tasks = Vec::new();
        for round in 1..=60 {
            for _ in 0..4 {
                tasks.push(TaskRecord { phase: Some(Phase::Soak), ..task("short", 4, 0.1) });
            }
            events.push(Event::SoakRound(SoakRound {
                round,
                tasks: 4 * round,
                seconds: 30.0 * f64::from(round),
                floor_mb: Some(floor(round)),
                peak_mb: Some(floor(round) + 50.0),
            }));
        }
        let mut plan = Plan::default();
        plan.soak.cap_mb = cap_mb;
        soak(&run(tasks, events), &plan).unwrap()
    }

    #[test]
    fn a_leak_under_load_has_its_rates_and_the_time_until_the_cap() {
        let leak = soaked(|round| 600.0 + 10.0 * f64::from(round), 2450.0);
        assert_eq!(leak.verdict, Verdict::Fail, "{}", leak.detail);
        assert!((leak.mb_per_task.unwrap() - 2.5).abs() < 1e-9);
        assert!((leak.mb_per_hour.unwrap() - 1200.0).abs() < 1e-6);
        // 1250 MB at the last peak, 1200 more to the cap.
        assert!((leak.hours_to_cap.unwrap() - 1.0).abs() < 1e-6);
        assert_eq!((leak.tasks, leak.failed, leak.concurrency), (240, 0, 4));
    }

    #[test]
    fn a_service_that_warms_up_and_stays_has_no_time_until_a_cap() {
        let clean = soaked(|round| if round == 1 { 200.0 } else { 600.0 }, 2450.0);
        assert_eq!(clean.verdict, Verdict::Pass, "{}", clean.detail);
        assert_eq!(clean.hours_to_cap, None);
    }

    #[test]
    fn a_cap_that_was_exceeded_fails_with_the_moment() {
        let mut plan = SoakPlan { cap_mb: 800.0, ..SoakPlan::default() };
        let leak = soaked(|round| 600.0 + 10.0 * f64::from(round), 800.0);
        // 750 MB and its peak of 50 above it are no more than the cap; the next round's are.
        assert_eq!((leak.over_cap_s, leak.hours_to_cap), (Some(480.0), None));
        let cap = |soak: &Soak, plan: &SoakPlan| {
            soak_criteria(soak, plan).into_iter().find(|found| found.id == CriterionId::SoakCap)
        };
        assert_eq!(cap(&leak, &plan).unwrap().verdict, Verdict::Fail);
        plan.cap_mb = 5000.0;
        let below = soaked(|_| 600.0, 5000.0);
        assert_eq!(cap(&below, &plan).unwrap().verdict, Verdict::Pass);
        plan.cap_mb = 0.0;
        assert_eq!(cap(&below, &plan), None);
    }

    #[test]
    fn rounds_are_shares_of_the_time_or_of_the_tasks() {
        let timed = SoakPlan { concurrency: 4, for_s: 1920.0, ..SoakPlan::default() };
        assert!(!rounds_wanted(&timed, 1, 4, 29.0) && !rounds_wanted(&timed, 1, 3, 31.0));
        assert!(rounds_wanted(&timed, 1, 4, 30.0) && !rounds_wanted(&timed, 2, 8, 59.0));
        assert!(!soak_over(&timed, 10_000, 1919.0) && soak_over(&timed, 1, 1920.0));
        let counted = SoakPlan { concurrency: 4, tasks: 640, ..SoakPlan::default() };
        assert!(rounds_wanted(&counted, 1, 10, 0.1) && !rounds_wanted(&counted, 2, 19, 1e9));
        assert!(!soak_over(&counted, 639, 1e9) && soak_over(&counted, 640, 0.0));
    }
}
