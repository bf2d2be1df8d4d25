//! The criteria of the leak check.

use super::WORKER;
use super::finding::{BaselineStanding, DeltaEvidence, Evidence, Finding, Succeeded, Unit};
use super::growth::{Answer, Growth, Reason};
use super::leak_tasks::{LeakTasks, input};
use super::note::Note;
use crate::plan::LeakPlan;
use crate::record::{CriterionId, Event, Phase, RunData, TaskRecord, TaskStatus, Verdict};
use crate::units::round;

/// Worker memory at the moments that the tasks do not record.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryMoments {
    /// After warm-up; without it, the last reading of the warm-up counts.
    pub baseline_mb: Option<f64>,
    /// At the end, when memory had its time to come down; without it, the last reading counts.
    pub final_mb: Option<f64>,
    /// True if a worker process died or was replaced during the check: no
    /// reading can be compared across that.
    pub worker_changed: bool,
}

/// True if the run's log tells of a worker process that died or was replaced in the leak check.
pub(crate) fn worker_changed(run: &RunData) -> bool {
    changed(run, WORKER)
}

/// The same of a process of another role.
pub(super) fn changed(run: &RunData, wanted: &str) -> bool {
    // Where the run went on from another with a service of its own, the check began anew.
    let anew = run
        .events
        .iter()
        .rposition(|record| matches!(record.event, Event::Resumed { new_series: Some(Phase::Leak), .. }));
    run.events[anew.unwrap_or(0)..]
        .iter()
        .take_while(|record| !matches!(record.event, Event::PhaseEnded { phase: Phase::Leak, .. }))
        .any(|record| match &record.event {
            Event::ProcessExited { role, root, .. } => role == wanted && *root,
            Event::ProcessFound { role, root, replacement, .. } => role == wanted && *root && *replacement,
            _ => false,
        })
}

/// The criteria of the leak check, in the order in which they are shown.
pub(super) fn leak_criteria(
    leak: &LeakTasks<'_>,
    memory: &MemoryMoments,
    growth: &Growth,
    plan: &LeakPlan,
) -> Vec<Finding> {
    let growth = &below_the_bound(growth, leak, plan);
    vec![
        tasks_criterion(leak),
        delta_criterion(leak, plan),
        baseline_criterion(leak, memory, growth, plan),
        growth_criterion(memory, growth, plan),
    ]
}

/// Growth below the bound of what the user says fills is not a leak, nor shown to end.
fn below_the_bound(growth: &Growth, leak: &LeakTasks<'_>, plan: &LeakPlan) -> Growth {
    let held_mb = leak.readings().after_mb.last().copied().unwrap_or(f64::INFINITY);
    match growth.rate_mb_per_task {
        Some(rate_mb) if growth.answer == Answer::Leak && !growth.beside && held_mb < plan.fills_to_mb => {
            let reason = Reason::Fills { held_mb, bound_mb: plan.fills_to_mb, rate_mb };
            Growth { answer: Answer::Inconclusive, reason, ..growth.clone() }
        }
        _ => growth.clone(),
    }
}

/// Where no task succeeded, what memory did says nothing of the service's work: no pass stands.
pub(super) fn doubt_without_a_success(leak: &LeakTasks<'_>, criteria: &mut [Finding]) {
    if leak.tasks.is_empty() || leak.tasks.iter().any(|task| task.succeeded()) {
        return;
    }
    for found in criteria.iter_mut().filter(|found| found.verdict == Verdict::Pass) {
        found.verdict = Verdict::Inconclusive;
        found.without_success = true;
    }
}

fn tasks_criterion(leak: &LeakTasks<'_>) -> Finding {
    let bulk = &leak.in_blocks;
    let succeeded = leak.tasks.iter().filter(|task| task.succeeded()).count() + bulk.succeeded as usize;
    let all = leak.tasks.len() + bulk.tasks as usize;
    let failed_here = leak.tasks.iter().filter(|task| task.failed_here()).count() + bulk.failed_here as usize;
    let failed = leak.tasks.iter().copied().chain(&bulk.failed).find(|task| !task.succeeded());
    let verdict = match failed {
        None if all == 0 => Verdict::Inconclusive,
        None => Verdict::Pass,
        // The service was not asked.
        Some(_) if all - succeeded == failed_here => Verdict::Inconclusive,
        Some(_) => Verdict::Fail,
    };
    let first_failure = failed.map(|task| task.error.clone());
    let evidence = Evidence::Succeeded(Succeeded { succeeded, all, first_failure });
    Finding::new(CriterionId::LeakTasks, verdict, evidence)
}

fn delta_criterion(leak: &LeakTasks<'_>, plan: &LeakPlan) -> Finding {
    let judged = leak.judged();
    let long = judged.iter().any(|task| task.is_long());
    let found = |verdict, read| Finding::new(CriterionId::LeakDelta, verdict, Evidence::Delta { long, read });
    let mut deltas: Vec<(f64, &TaskRecord)> =
        judged.iter().filter_map(|&task| task.worker_rss_delta_mb.map(|delta| (delta, task))).collect();
    let over = |limit_mb: f64| deltas.iter().filter(|(delta, _)| *delta >= limit_mb).count();
    let (mut all, mut over, mut unread) =
        (deltas.len(), over(plan.max_delta_mb), judged.len() - deltas.len());
    // Of those in groups, the one with the largest rise was kept.
    let grouped = Some(&leak.in_blocks).filter(|bulk| bulk.long == long);
    if let Some(bulk) = grouped {
        all += bulk.deltas.count() as usize;
        over += bulk.deltas.at_least(plan.max_delta_mb) as usize;
        unread += bulk.no_delta as usize;
        deltas.extend(bulk.largest.iter().filter_map(|task| Some((task.worker_rss_delta_mb?, task))));
    }
    let Some(&(largest_mb, task)) = deltas.iter().max_by(|a, b| a.0.total_cmp(&b.0)) else {
        return found(Verdict::Inconclusive, DeltaEvidence::Unread);
    };
    let limit_mb = plan.max_delta_mb;
    let timed_out = judged.iter().find(|task| task.status == TaskStatus::Timeout).map(|task| &task.test_id);
    let timed_out = timed_out.or(grouped.and_then(|bulk| bulk.timed_out.as_ref()));
    let (verdict, read) = if largest_mb >= limit_mb {
        let severe = largest_mb > plan.severe_delta_mb;
        let over = DeltaEvidence::Over {
            largest_mb,
            limit_mb,
            severe_mb: severe.then_some(plan.severe_delta_mb),
            over,
            of: all,
            worst: task.test_id.clone(),
        };
        (Verdict::Fail, over)
    } else if let Some(test_id) = timed_out {
        // Its memory was read while the service may still have been at work on it.
        (Verdict::Inconclusive, DeltaEvidence::TimedOut { test_id: test_id.clone() })
    } else if unread > 0 {
        (Verdict::Inconclusive, DeltaEvidence::PartlyUnread { unread, of: all + unread })
    } else {
        (Verdict::Pass, DeltaEvidence::Within { largest_mb, limit_mb, of: all })
    };
    Finding {
        value: Some(round(largest_mb, 1)),
        threshold: Some(limit_mb),
        unit: Some(Unit::Mb),
        ..found(verdict, read)
    }
}

fn baseline_criterion(
    leak: &LeakTasks<'_>,
    memory: &MemoryMoments,
    growth: &Growth,
    plan: &LeakPlan,
) -> Finding {
    let found = |verdict, evidence| Finding::new(CriterionId::LeakBaseline, verdict, evidence);
    if memory.worker_changed {
        return found(Verdict::Inconclusive, Evidence::WorkerChanged);
    }
    if leak.repeats.is_empty() {
        return found(Verdict::Inconclusive, Evidence::NoRepeats);
    }
    let after = |tasks: &[&TaskRecord]| tasks.last().and_then(|task| task.worker_rss_after_mb);
    let baseline = memory.baseline_mb.or_else(|| after(&leak.warm_up));
    let end = memory.final_mb.or_else(|| after(&leak.repeats));
    let Some((baseline_mb, end_mb)) = baseline.zip(end) else {
        return found(Verdict::Inconclusive, Evidence::BaselineUnread);
    };
    let above = end_mb - baseline_mb;
    let tolerance_mb = plan.baseline_tolerance_mb;
    let (verdict, standing) = if above <= tolerance_mb {
        (Verdict::Pass, BaselineStanding::Within)
    } else {
        match growth.verdict() {
            // A cache that has filled is a new baseline, which later tasks do return to.
            Verdict::Pass => (Verdict::Pass, BaselineStanding::Plateau(Box::new(growth.clone()))),
            Verdict::Inconclusive => (Verdict::Inconclusive, BaselineStanding::Open),
            Verdict::Fail => (Verdict::Fail, BaselineStanding::Growing),
        }
    };
    Finding {
        value: Some(round(above, 1)),
        threshold: Some(tolerance_mb),
        unit: Some(Unit::Mb),
        ..found(verdict, Evidence::Baseline { end_mb, baseline_mb, tolerance_mb, standing })
    }
}

fn growth_criterion(memory: &MemoryMoments, growth: &Growth, plan: &LeakPlan) -> Finding {
    if memory.worker_changed {
        return Finding::new(CriterionId::LeakGrowth, Verdict::Inconclusive, Evidence::WorkerChanged);
    }
    let evidence = Evidence::Growth { growth: Box::new(growth.clone()), gate_mb: plan.max_delta_mb };
    Finding {
        value: growth.rate_mb_per_task.map(|rate| round(rate, 2)),
        unit: Some(Unit::MbPerTask),
        ..Finding::new(CriterionId::LeakGrowth, growth.verdict(), evidence)
    }
}

/// What the warm-up tasks retained: shown, and not judged.
pub(super) fn warm_up_notes(leak: &LeakTasks<'_>, plan: &LeakPlan) -> Vec<Note> {
    if leak.repeats.is_empty() {
        return Vec::new();
    }
    let first = leak.warm_up.iter().filter_map(|task| task.worker_rss_delta_mb.map(|delta| (task, delta)));
    first
        .filter(|(_, delta)| *delta > plan.baseline_tolerance_mb)
        .map(|(task, delta_mb)| Note::WarmUp {
            input: input(task),
            delta_mb,
            severe: delta_mb > plan.severe_delta_mb,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};
    use crate::record::{BlockReading, Criterion, Footprint};

    /// A check of six single tasks and of blocks up to `tasks` of them, 10 ms each.
    fn checked(tasks: u32, mb: impl Fn(f64) -> f64) -> RunData {
        let held = |done: u32| {
            let private_mb = Some(mb(f64::from(done)));
            Footprint { private_mb, rss_mb: private_mb, processes: Some(1), ..Footprint::default() }
        };
        let single = |index: u32| TaskRecord {
            phase: Some(Phase::Leak),
            worker_rss_after_mb: Some(mb(f64::from(index + 1))),
            worker_before: Some(held(index)),
            worker_after: Some(held(index + 1)),
            ..task("short", 1, 0.01)
        };
        let (mut events, mut done, mut block) = (Vec::new(), 6, 0);
        while done < tasks {
            let count = (done / 5).max(40);
            (done, block) = (done + count, block + 1);
            events.push(Event::BlockEnded(BlockReading {
                block,
                tasks: done,
                seconds: f64::from(done) / 50.0,
                busy_seconds: f64::from(count) / 100.0,
                settled: true,
                worker: Some(held(done)),
                floor_rss_mb: None,
                floor_tasks: None,
            }));
        }
        run((0..6).map(single).collect(), events)
    }

    fn growth_criterion_of(run: &RunData, plan: &LeakPlan) -> Criterion {
        let leak = LeakTasks::of(run);
        let growth = leak.growth(1);
        crate::words::criterion(&leak_criteria(&leak, &MemoryMoments::default(), &growth, plan).remove(3))
    }

    #[test]
    fn blocks_are_judged_at_their_places_with_the_pace_that_was_seen() {
        let leak = growth_criterion_of(&checked(4000, |done| 60.0 + 0.02 * done), &LeakPlan::default());
        assert_eq!(leak.verdict, Verdict::Fail, "{}", leak.detail);
        assert!(leak.detail.contains("at 100 tasks a second"), "{}", leak.detail);
        let clean = growth_criterion_of(&checked(2000, |_| 60.0), &LeakPlan::default());
        assert_eq!(clean.verdict, Verdict::Pass, "{}", clean.detail);
        let few = growth_criterion_of(&checked(300, |_| 60.0), &LeakPlan::default());
        assert_eq!(few.verdict, Verdict::Inconclusive, "{}", few.detail);
    }

    #[test]
    fn growth_below_a_known_bound_fills_and_above_it_is_a_leak() {
        let cache = checked(1500, |done| 60.0 + 0.3 * done);
        let verdict =
            |fills_to_mb| growth_criterion_of(&cache, &LeakPlan { fills_to_mb, ..LeakPlan::default() });
        assert_eq!(verdict(0.0).verdict, Verdict::Fail);
        let fills = verdict(8192.0);
        assert_eq!(fills.verdict, Verdict::Inconclusive);
        assert!(
            fills.detail.starts_with("fills: ") && fills.detail.contains("of 8,192 MB"),
            "{}",
            fills.detail
        );
        assert_eq!(verdict(300.0).verdict, Verdict::Fail, "it is beyond the bound");
    }

    #[test]
    fn inputs_that_retain_different_amounts_are_judged_and_named_each() {
        let mb = |index: u32| 100.0 + 370.0 * f64::from(index.div_ceil(2));
        let single = |index: u32| {
            let input = if index.is_multiple_of(2) { "short" } else { "long" };
            let (before, after) = (Some(mb(index.saturating_sub(1))), Some(mb(index)));
            let phase = Some(Phase::Leak);
            TaskRecord {
                phase,
                worker_rss_before_mb: before,
                worker_rss_after_mb: after,
                ..task(input, 1, 0.2)
            }
        };
        let found =
            growth_criterion_of(&run((0..12).map(single).collect(), Vec::new()), &LeakPlan::default());
        assert_eq!(found.verdict, Verdict::Fail, "{}", found.detail);
        assert_eq!(found.detail, "LEAK: +370 MB per long task, nothing per short task over 10 tasks");
    }

    #[test]
    fn the_first_task_of_each_worker_is_warm_up() {
        // Four workers load their model one after the other.
        let loads = |index: u32, worker: u32| {
            let delta = if index < 4 { 250.0 } else { 0.0 };
            TaskRecord {
                phase: Some(Phase::Leak),
                worker_rss_delta_mb: Some(delta),
                worker_rss_after_mb: Some(250.0 * f64::from(index.min(3) + 1)),
                worker_pid: Some(worker),
                ..task("long", 1, 0.2)
            }
        };
        let run = run((0..24).map(|index| loads(index, 100 + index % 4)).collect(), Vec::new());
        let leak = LeakTasks::of(&run);
        assert_eq!((leak.warm_up.len(), leak.repeats.len()), (4, 20));
        let criteria = leak_criteria(&leak, &MemoryMoments::default(), &leak.growth(1), &LeakPlan::default());
        assert!(criteria.iter().all(|found| found.verdict == Verdict::Pass), "{criteria:?}");
        // Where it is not known which worker did a task, a leak is not hidden in warm-ups.
        let mut tasks = run.tasks.clone();
        tasks.iter_mut().for_each(|task| task.worker_pid = None);
        let unknown = RunData { tasks, ..run };
        assert_eq!(LeakTasks::of(&unknown).warm_up.len(), 1);
    }
}
