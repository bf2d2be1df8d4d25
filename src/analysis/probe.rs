//! The probes: growth under one condition at a time. Pure.
//!
//! Every input was sent before the probes begin, so what grows under a condition and does not slow down is no
//! warm-up. That is why `compare`'s rule judges them (floors of batches and their increments, with a 98 % interval) and
//! not `growth`, which has to wait until what fills is full: growth is a leak where the lower end of the interval and the
//! whole rise are above what allocators do by themselves, and in a large runtime above what its heap does.
//! `docs/src/verdict.md` has what that achieves on the recordings.

use schemars::JsonSchema;
use serde::Serialize;

use super::change::Rate;
use super::compare::growth_of;
use super::finding::{Evidence, Finding, ProbeEvidence, ProbeFound, Unit, Watched};
use super::growth::{RUNTIME_RISE_MB, is_runtime};
use super::retained::private_series;
use super::runtime::is_counted;
use crate::record::{Condition, CriterionId, Event, Footprint, RunData, Verdict, as_sentence};
use crate::units::round;

/// The readings under one condition.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct ConditionGrowth {
    /// Which.
    pub condition: Condition,
    /// Readings.
    pub steps: usize,
    /// Tasks between two readings; seconds for `pause`.
    pub per_step: f64,
    /// Growth of memory per task (per second for `pause`), in MB, where there are enough readings.
    pub memory: Option<Rate>,
    /// Growth of open descriptors per task (per second for `pause`), where they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Rate>,
    /// Growth of threads per task (per second for `pause`), where they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<Rate>,
    /// The verdict: a leak under any condition is a leak.
    pub verdict: Verdict,
    /// Why; the figures in one line in files.
    #[serde(serialize_with = "as_sentence")]
    #[schemars(with = "String")]
    pub detail: ProbeEvidence,
}

/// What is looked at under a condition: the readings (absent where one is), the least growth per task and the
/// least rise.
struct Signal {
    readings: Option<Vec<f64>>,
    least: f64,
    rise: f64,
    watched: Watched,
}

/// Memory first. `counted` is true if the worker is known to be no large runtime.
fn signals(readings: &[Option<Footprint>], counted: bool) -> [Signal; 4] {
    let all = |pick: fn(&Footprint) -> Option<f64>| -> Option<Vec<f64>> {
        readings.iter().map(|reading| pick(reading.as_ref()?)).collect()
    };
    let (private_mb, beside_mb) = match private_series(readings.iter().map(Option::as_ref)) {
        Some(series) => (Some(series.private_mb), Some(series.shared_mb)),
        None => (all(|found| found.rss_mb), None),
    };
    // In a large runtime a heap rises by itself.
    let file_mb = readings.iter().flatten().find_map(Footprint::shared_mb);
    let rise = if is_runtime(file_mb) && !counted { RUNTIME_RISE_MB } else { 2.0 };
    [
        Signal { readings: private_mb, least: 0.05, rise, watched: Watched::Memory },
        Signal { readings: beside_mb, least: 0.05, rise: 2.0, watched: Watched::Shared },
        Signal {
            readings: all(|found| found.fds.map(|count| count as f64)),
            least: 0.02,
            rise: 5.0,
            watched: Watched::Descriptors,
        },
        Signal {
            readings: all(|found| found.threads.map(|count| count as f64)),
            least: 0.02,
            rise: 5.0,
            watched: Watched::Threads,
        },
    ]
}

/// A bound on growth below this, in MB per task, is a pass.
const CLEAN_MB: f64 = 0.5;

/// The conditions of a run, in their order. One that was tried again after the run had been stopped
/// is judged by its last readings alone: nothing is known of the time between.
pub fn conditions(run: &RunData) -> Vec<ConditionGrowth> {
    struct Tried<'a> {
        condition: &'a Condition,
        per_step: f64,
        part: usize,
        readings: Vec<Option<Footprint>>,
    }
    let (mut found, mut part) = (Vec::<Tried<'_>>::new(), 0);
    for record in &run.events {
        let (condition, per_step, worker) = match &record.event {
            Event::Resumed { .. } => {
                part += 1;
                continue;
            }
            Event::ProbeStep { condition, per_step, worker } => (condition, *per_step, *worker),
            _ => continue,
        };
        match found.iter_mut().find(|tried| tried.condition == condition) {
            Some(tried) if tried.part == part => tried.readings.push(worker),
            Some(tried) => *tried = Tried { condition, per_step, part, readings: vec![worker] },
            None => found.push(Tried { condition, per_step, part, readings: vec![worker] }),
        }
    }
    let counted = is_counted(run);
    let judged = |tried: Tried<'_>| judge(tried.condition.clone(), tried.per_step, &tried.readings, counted);
    found.into_iter().map(judged).collect()
}

/// A criterion for each condition.
pub(super) fn probe_criteria(conditions: &[ConditionGrowth]) -> Vec<Finding> {
    let unit = |condition: &Condition| {
        if *condition == Condition::Pause { Unit::MbPerSecond } else { Unit::MbPerTask }
    };
    let criterion = |found: &ConditionGrowth| Finding {
        value: found.memory.map(|rate| round(rate.per_task, 3)),
        unit: found.memory.map(|_| unit(&found.condition)),
        ..Finding::new(
            CriterionId::Probe(found.condition.clone()),
            found.verdict,
            Evidence::Probe(found.detail.clone()),
        )
    };
    conditions.iter().map(criterion).collect()
}

fn judge(
    condition: Condition,
    per_step: f64,
    readings: &[Option<Footprint>],
    counted: bool,
) -> ConditionGrowth {
    let mut leaks: Vec<(Watched, Rate)> = Vec::new();
    let (mut memory, mut descriptors, mut threads) = (None, None, None);
    for signal in signals(readings, counted) {
        let Some((rate, slowing)) = signal.readings.as_deref().and_then(growth_of) else { continue };
        let rise = rate.per_task * rate.tasks as f64;
        let rate = Rate {
            per_task: rate.per_task / per_step,
            low: rate.low / per_step,
            high: rate.high / per_step,
            tasks: rate.tasks,
        };
        match signal.watched {
            Watched::Memory => memory = Some(rate),
            Watched::Descriptors => descriptors = Some(rate),
            Watched::Threads => threads = Some(rate),
            Watched::Shared => {}
        }
        if rate.low > signal.least && rise >= signal.rise && !slowing {
            leaks.push((signal.watched, rate));
        }
    }
    let (verdict, found) = match memory {
        _ if !leaks.is_empty() => (Verdict::Fail, ProbeFound::Leaks(leaks)),
        None => (Verdict::Inconclusive, ProbeFound::TooFew),
        Some(rate) if rate.high < CLEAN_MB => (Verdict::Pass, ProbeFound::Clean(rate)),
        Some(rate) => (Verdict::Inconclusive, ProbeFound::Open(rate)),
    };
    let steps = readings.len();
    let detail = ProbeEvidence { condition: condition.clone(), steps, found };
    ConditionGrowth { condition, steps, per_step, memory, descriptors, threads, verdict, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::run;

    fn judged(condition: Condition, per_step: f64, at: impl Fn(u32) -> f64) -> ConditionGrowth {
        let step = |index| Event::ProbeStep {
            condition: condition.clone(),
            per_step,
            worker: Some(Footprint { private_mb: Some(100.0 + at(index)), ..Footprint::default() }),
        };
        conditions(&run(Vec::new(), (0..12).map(step).collect())).remove(0)
    }

    #[test]
    fn growth_under_a_condition_is_a_leak_per_task() {
        let found = judged(Condition::Parallel, 4.0, |step| 20.0 * f64::from(step));
        assert_eq!(found.verdict, Verdict::Fail);
        assert_eq!(found.detail.to_string(), "LEAK: +5.00 MB per task (98 % interval 5 to 5), 12 readings");
    }

    #[test]
    fn what_fills_holds_still_or_comes_down_is_none() {
        assert_eq!(judged(Condition::Repeat, 1.0, |_| 0.0).verdict, Verdict::Pass);
        assert_eq!(
            judged(Condition::Repeat, 1.0, |step| 24.0 * f64::from(step.min(3))).verdict,
            Verdict::Pass
        );
        assert_ne!(
            judged(Condition::Repeat, 1.0, |step| 24.0 * f64::from(step.min(7))).verdict,
            Verdict::Fail
        );
        assert_eq!(judged(Condition::Pause, 1.0, |step| -f64::from(step)).verdict, Verdict::Pass);
        assert_eq!(judged(Condition::Pause, 0.5, f64::from).verdict, Verdict::Fail, "a leak by the clock");
    }

    #[test]
    fn children_that_share_their_parents_memory_do_not_leak_it() {
        let step = |index: u32| Event::ProbeStep {
            condition: Condition::Repeat,
            per_step: 1.0,
            worker: Some(Footprint {
                rss_mb: Some(50.0 * f64::from(1 + index)),
                private_mb: Some(40.0 * f64::from(1 + index)),
                pss_mb: Some(50.0),
                pss_anon_mb: Some(40.0),
                ..Footprint::default()
            }),
        };
        let found = conditions(&run(Vec::new(), (0..12).map(step).collect())).remove(0);
        assert_eq!(found.verdict, Verdict::Pass, "{}", found.detail);
    }

    #[test]
    fn a_condition_that_was_tried_again_is_judged_by_that_alone() {
        let step = |condition: Condition, mb: u32| Event::ProbeStep {
            condition: condition.clone(),
            per_step: 1.0,
            worker: Some(Footprint { private_mb: Some(f64::from(mb)), ..Footprint::default() }),
        };
        let mut events: Vec<Event> = (0..12).map(|_| step(Condition::Repeat, 100)).collect();
        events.extend((0..5).map(|index| step(Condition::Pause, 100 + 10 * index)));
        events.push(Event::Resumed {
            tasks: "earlier.jsonl".to_string(),
            in_flight_broke: true,
            new_series: None,
            gap_s: Some(60.0),
        });
        events.extend((0..12).map(|_| step(Condition::Pause, 300)));
        let found = conditions(&run(Vec::new(), events));
        let told: Vec<_> = found.iter().map(|one| (one.condition.clone(), one.steps, one.verdict)).collect();
        assert_eq!(told, [(Condition::Repeat, 12, Verdict::Pass), (Condition::Pause, 12, Verdict::Pass)]);
    }

    #[test]
    fn what_was_not_counted_has_no_rate() {
        let step = |index: u32| {
            let worker = Footprint {
                private_mb: Some(100.0),
                shmem_mb: Some(110.0 + f64::from(index)),
                ..Footprint::default()
            };
            Event::ProbeStep { condition: Condition::Repeat, per_step: 1.0, worker: Some(worker) }
        };
        let found = conditions(&run(Vec::new(), (0..12).map(step).collect())).remove(0);
        assert_eq!(found.verdict, Verdict::Fail, "what is shared grows: {}", found.detail);
        assert!(found.descriptors.is_none() && found.threads.is_none(), "{found:?}");
    }

    #[test]
    fn the_heap_of_a_large_runtime_has_to_outgrow_its_habit() {
        let grown = |file_mb: f64, step_mb: f64| {
            let step = |index: u32| {
                let private_mb = 100.0 + step_mb * f64::from(index);
                let worker = Footprint {
                    private_mb: Some(private_mb),
                    rss_mb: Some(private_mb + file_mb),
                    ..Footprint::default()
                };
                Event::ProbeStep { condition: Condition::Repeat, per_step: 1.0, worker: Some(worker) }
            };
            conditions(&run(Vec::new(), (0..12).map(step).collect())).remove(0).verdict
        };
        assert_eq!(grown(4.0, 5.0), Verdict::Fail);
        assert_eq!(grown(40.0, 5.0), Verdict::Inconclusive);
        assert_eq!(grown(40.0, 12.0), Verdict::Fail);
    }

    #[test]
    fn descriptors_leak_too() {
        let step = |index: u64| Event::ProbeStep {
            condition: Condition::Error,
            per_step: 1.0,
            worker: Some(Footprint { rss_mb: Some(50.0), fds: Some(9 + index), ..Footprint::default() }),
        };
        let found = conditions(&run(Vec::new(), (0..12).map(step).collect())).remove(0);
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.detail.to_string().contains("+1.00 descriptors per task"), "{}", found.detail);
    }

    #[test]
    fn a_gap_or_few_readings_decide_nothing() {
        let step = || Event::ProbeStep { condition: Condition::Repeat, per_step: 1.0, worker: None };
        let found = conditions(&run(Vec::new(), (0..12).map(|_| step()).collect())).remove(0);
        assert_eq!(found.verdict, Verdict::Inconclusive);
    }
}
