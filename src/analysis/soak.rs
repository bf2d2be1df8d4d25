//! The soak: does memory accumulate under a load that is held?

use schemars::JsonSchema;
use serde::Serialize;

use super::growth::{Growth, Readings, enough, growth};
use super::stats::{Summary, summary_of_times};
use crate::plan::{Plan, SoakPlan};
use crate::record::{Event, Phase, RunData, SoakRound, Verdict};

/// A round is no shorter than this, in seconds: its floor is to be that of several looks.
const SHORTEST_ROUND_S: f64 = 1.0;

/// Rounds grow by this share of the soak so far, so that sixteen of them double it: a soak of a day has some 200, one
/// of two minutes 60, and the verdict over doublings has as many readings in each.
const GROWTH: f64 = 0.044;

/// What a soak came to.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Soak {
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// Tasks that ended.
    pub tasks: u32,
    /// Those that did not succeed.
    pub failed: u32,
    /// Those of them that failed for want of something on highwater's own machine.
    #[serde(skip)]
    pub failed_here: u32,
    /// Seconds of the rounds.
    pub seconds: f64,
    /// Time from submission to result of those that succeeded.
    pub latency: Option<Summary>,
    /// The rounds, each with the floor and the peak of the worker tree's private memory, by one figure for all.
    pub rounds: Vec<SoakRound>,
    /// Growth of the floors, in MB per task; by the estimator of the leak check.
    pub mb_per_task: Option<f64>,
    /// The same in MB per hour, at the pace of the whole soak.
    pub mb_per_hour: Option<f64>,
    /// Lower end of the 98 % interval of `mb_per_hour`.
    pub mb_per_hour_low: Option<f64>,
    /// Upper end of the 98 % interval of `mb_per_hour`.
    pub mb_per_hour_high: Option<f64>,
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

/// Where a round began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RoundStart {
    /// Tasks that had ended.
    pub tasks: u32,
    /// Seconds since the soak began.
    pub seconds: f64,
}

/// True if the round that began at `start` is over after `done` tasks and `seconds`.
///
/// It takes as many tasks as are outstanding at once, and its share of the tasks or of the time so far.
pub fn round_over(plan: &SoakPlan, start: RoundStart, done: u32, seconds: f64) -> bool {
    let (tasks, passed_s) = (done.saturating_sub(start.tasks), seconds - start.seconds);
    let least = f64::from(plan.concurrency.max(1));
    if plan.tasks > 0 {
        // Bounded by tasks: the floor of a round is that of many tasks, where there are many.
        let share = (GROWTH * f64::from(start.tasks)).max(f64::from(plan.tasks) / 256.0);
        return f64::from(tasks) >= share.max(least);
    }
    let share_s = (GROWTH * start.seconds).max(SHORTEST_ROUND_S.min(plan.for_s / 64.0));
    f64::from(tasks) >= least && passed_s >= share_s
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
    let mut tasks = run.soaked.clone();
    run.tasks.iter().filter(|task| task.phase == Some(Phase::Soak)).for_each(|task| tasks.add(task));
    let rounds = SoakRound::by_one_figure(&rounds);
    // The first round is the warm-up: models load, pools fill.
    let judged: Vec<SoakRound> =
        rounds.iter().skip(1).filter(|round| round.floor_mb.is_some()).copied().collect();
    let growth = judgement(&judged);
    let (verdict, detail) = (growth.verdict(), growth.detail(None));
    let hourly = |rate: Option<f64>| Some(rate? * growth.per_second? * 3600.0);
    let mb_per_hour = hourly(growth.rate_mb_per_task);
    let hours_to_cap = mb_per_hour
        .filter(|rate| *rate > 0.0 && verdict != Verdict::Pass && plan.soak.cap_mb > 0.0)
        .zip(judged.last().and_then(|round| round.peak_mb))
        .map(|(rate, peak)| ((plan.soak.cap_mb - peak) / rate).max(0.0));
    let cap = Some(plan.soak.cap_mb).filter(|cap| *cap > 0.0);
    let over_cap_s = cap.and_then(|cap| {
        rounds.iter().find(|round| round.peak_mb.is_some_and(|peak| peak > cap)).map(|round| round.seconds)
    });
    let made = run.events.iter().rev().find_map(|record| match &record.event {
        Event::GeneratorEnded(load) => Some(load),
        _ => None,
    });
    let own = (count(tasks.tasks), count(tasks.failures()));
    let (all, failed) = match made.filter(|_| tasks.tasks == 0) {
        // Whatever share of the requests went well: a generator that failed is no success.
        Some(load) => (load.tasks().0, load.tasks().1.max(u32::from(load.problem.is_some()))),
        None => own,
    };
    Some(Soak {
        concurrency: tasks.concurrency.unwrap_or(plan.soak.concurrency),
        tasks: all.max(failed),
        failed,
        failed_here: count(tasks.failed_here),
        seconds: rounds.last().map_or(0.0, |round| round.seconds),
        latency: summary_of_times(&tasks.times),
        mb_per_task: growth.rate_mb_per_task,
        mb_per_hour,
        mb_per_hour_low: hourly(growth.low),
        mb_per_hour_high: hourly(growth.high),
        hours_to_cap: hours_to_cap.filter(|_| over_cap_s.is_none()),
        over_cap_s,
        peak_mb: rounds.iter().filter_map(|round| round.peak_mb).max_by(f64::total_cmp),
        rounds,
        verdict,
        detail,
    })
}

fn count(tasks: u64) -> u32 {
    u32::try_from(tasks).unwrap_or(u32::MAX)
}

/// The rule is that of the leak check over doublings of the number of tasks; a reading is the floor of a round.
fn judgement(rounds: &[SoakRound]) -> Growth {
    let floors: Vec<f64> = rounds.iter().filter_map(|round| round.floor_mb).collect();
    let at: Vec<f64> = rounds.iter().map(|round| f64::from(round.tasks)).collect();
    let pace = rounds.last().map(|last| f64::from(last.tasks) / last.seconds);
    let per_second = pace.filter(|pace| pace.is_finite() && *pace > 0.0);
    growth(&Readings { at: &at, enough: per_second.map(enough), per_second, ..Readings::new(&floors) })
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
                tasks.push(crate::record::TaskRecord { phase: Some(Phase::Soak), ..task("short", 4, 0.1) });
            }
            events.push(Event::SoakRound(SoakRound {
                round,
                tasks: 4 * round,
                seconds: 30.0 * f64::from(round),
                floor_mb: Some(floor(round)),
                peak_mb: Some(floor(round) + 50.0),
                ..SoakRound::default()
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

    /// A worker of 600 MB that forks for every task: the sum counts its pages again in every child, of which there are
    /// more from round to round as the load rises; the leak check counts them once.
    #[test]
    fn a_forking_worker_is_judged_by_the_figure_of_the_leak_check() {
        let soaked = |with_pss: bool| {
            let mut events = vec![Event::PhaseStarted { phase: Phase::Soak, tasks: None }];
            events.extend((1..=60).map(|round| {
                let sum = 600.0 * (1.0 + f64::from(round) / 30.0);
                let tree = (with_pss || round == 3).then_some(605.0);
                Event::SoakRound(SoakRound {
                    round,
                    tasks: 4 * round,
                    seconds: 30.0 * f64::from(round),
                    floor_mb: Some(sum),
                    peak_mb: Some(sum + 600.0),
                    floor_pss_anon_mb: tree,
                    peak_pss_anon_mb: tree,
                })
            }));
            let mut plan = Plan::default();
            plan.soak.cap_mb = 700.0;
            soak(&run(Vec::new(), events), &plan).unwrap()
        };
        let clean = soaked(true);
        assert_eq!((clean.verdict, clean.peak_mb, clean.over_cap_s), (Verdict::Pass, Some(605.0), None));
        assert_eq!(clean.rounds[9].floor_mb, Some(605.0));
        // A single reading by the other figure is no round of the same series.
        assert_eq!(soaked(false).verdict, Verdict::Fail);
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
    fn rounds_grow_with_the_soak_so_that_a_day_has_a_bounded_number() {
        let rounds = |plan: &SoakPlan, pace: f64| {
            let (mut start, mut rounds, mut seconds) = (RoundStart::default(), 0, 0.0);
            loop {
                seconds += 1.0 / pace;
                let done = (seconds * pace) as u32;
                if soak_over(plan, done, seconds) {
                    return rounds;
                }
                if round_over(plan, start, done, seconds) {
                    (start, rounds) = (RoundStart { tasks: done, seconds }, rounds + 1);
                }
            }
        };
        let timed = |for_s| SoakPlan { concurrency: 4, for_s, ..SoakPlan::default() };
        assert!((60..=80).contains(&rounds(&timed(150.0), 170.0)), "{}", rounds(&timed(150.0), 170.0));
        assert!((180..=260).contains(&rounds(&timed(86_400.0), 5.0)), "{}", rounds(&timed(86_400.0), 5.0));
        let counted = SoakPlan { concurrency: 4, tasks: 640, ..SoakPlan::default() };
        assert!((50..=120).contains(&rounds(&counted, 10.0)), "{}", rounds(&counted, 10.0));
        assert!(!soak_over(&timed(1920.0), 10_000, 1919.0) && soak_over(&timed(1920.0), 1, 1920.0));
        assert!(!soak_over(&counted, 639, 1e9) && soak_over(&counted, 640, 0.0));
    }

    /// A soak of `seconds` at 170 tasks a second whose floors are as `floor` says, after so many tasks.
    fn fast(seconds: f64, floor: impl Fn(f64) -> f64) -> Soak {
        let plan = SoakPlan { concurrency: 4, for_s: seconds, ..SoakPlan::default() };
        let mut events = vec![Event::PhaseStarted { phase: Phase::Soak, tasks: None }];
        let (mut start, mut round) = (RoundStart::default(), 0);
        for tenth in 1..(10.0 * seconds) as u32 {
            let (now, done) = (f64::from(tenth) / 10.0, 17 * tenth);
            if round_over(&plan, start, done, now) {
                (start, round) = (RoundStart { tasks: done, seconds: now }, round + 1);
                let floor_mb = Some(floor(f64::from(done)));
                events.push(Event::SoakRound(SoakRound {
                    round,
                    tasks: done,
                    seconds: now,
                    floor_mb,
                    peak_mb: floor_mb,
                    ..SoakRound::default()
                }));
            }
        }
        soak(&run(Vec::new(), events), &Plan::default()).unwrap()
    }

    #[test]
    fn one_kilobyte_a_request_is_a_leak_within_150_seconds_and_nothing_is_clean() {
        let leak = fast(150.0, |tasks| 60.0 + tasks / 1024.0);
        assert_eq!(leak.verdict, Verdict::Fail, "{}", leak.detail);
        assert!((leak.mb_per_hour.unwrap() - 170.0 * 3600.0 / 1024.0).abs() < 6.0, "{:?}", leak.mb_per_hour);
        let clean = fast(150.0, |_| 60.0);
        assert_eq!(clean.verdict, Verdict::Pass, "{}", clean.detail);
        assert!(clean.detail.contains("a day"), "{}", clean.detail);
    }
}
