//! Leaks of other things than memory: descriptors, threads, processes.
//!
//! Counts are exact, so one that grows with every task needs no statistics; what
//! must be told from a leak is a pool that fills and a connection that happens to
//! be open. So the lowest counts are compared, and growth that has stopped is none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::finding::{CountEvidence, CountStanding, Evidence, Finding, Unit};
use super::leak_tasks::LeakTasks;
use crate::plan::LeakPlan;
use crate::record::{CriterionId, Event, FIRST_ELSEWHERE, Footprint, RunData, Verdict};

use super::WORKER;

/// Readings that are needed before anything is said.
const MIN_READINGS: usize = 6;

/// A pool has filled when its count was flat for so many readings at least.
const MIN_FLAT: usize = 5;

/// What can leak besides memory.
struct Resource {
    id: CriterionId,
    unit: Unit,
    count: fn(&Footprint) -> Option<u64>,
    limit: fn(&LeakPlan) -> u32,
}

const RESOURCES: [Resource; 3] = [
    Resource {
        id: CriterionId::LeakFds,
        unit: Unit::Descriptors,
        count: |held| held.fds,
        limit: |plan| plan.max_fds_growth,
    },
    Resource {
        id: CriterionId::LeakThreads,
        unit: Unit::Threads,
        count: |held| held.threads,
        limit: |plan| plan.max_threads_growth,
    },
    Resource {
        id: CriterionId::LeakProcesses,
        unit: Unit::Processes,
        // Where zombies cannot be counted, the processes alone say nothing of them.
        count: |held| Some(held.processes? + held.zombies?),
        limit: |plan| plan.max_processes_growth,
    },
];

/// What the counts of one role say.
struct Counted {
    verdict: Verdict,
    evidence: CountEvidence,
}

/// The criteria on descriptors, threads and processes; none for the data of a run
/// that did not count them.
pub(super) fn resource_criteria(
    run: &RunData,
    leak: &LeakTasks<'_>,
    worker_changed: bool,
    plan: &LeakPlan,
) -> Vec<Finding> {
    let counted = leak.tasks.iter().any(|task| task.worker_after.is_some());
    if !plan.resources || !counted {
        return Vec::new();
    }
    let roles = roles(run, leak);
    let elsewhere = elsewhere(run);
    let criterion = |resource: &Resource| {
        // What the source of a role never knows is not asked of it.
        let told = |(role, held): &&(String, Held)| {
            !elsewhere.contains(role.as_str())
                || held.iter().any(|(_, held)| held.as_ref().and_then(resource.count).is_some())
        };
        let told: Vec<&(String, Held)> = roles.iter().filter(told).collect();
        (!told.is_empty()).then(|| criterion(resource, &told, worker_changed, plan))
    };
    RESOURCES.iter().filter_map(criterion).collect()
}

/// The roles whose figures did not come from `/proc`.
fn elsewhere(run: &RunData) -> BTreeSet<&str> {
    let found = run.events.iter().filter_map(|record| match &record.event {
        Event::ProcessFound { role, pid, .. } if *pid >= FIRST_ELSEWHERE => Some(role.as_str()),
        _ => None,
    });
    found.collect()
}

/// True if a count of the worker leaves it open whether it leaks, and more tasks may tell.
pub(crate) fn open_resources(run: &RunData, leak: &LeakTasks<'_>, plan: &LeakPlan) -> bool {
    let criteria = resource_criteria(run, leak, false, plan);
    let counted = |found: &Finding| found.value.is_some();
    criteria.iter().any(|found| found.verdict == Verdict::Inconclusive && counted(found))
}

/// What a role held after each repeat and each block, and how many tasks had ended then.
pub(super) type Held = Vec<(f64, Option<Footprint>)>;

/// The same of each role.
pub(super) fn roles(run: &RunData, leak: &LeakTasks<'_>) -> Vec<(String, Held)> {
    let first = leak.tasks.len() - leak.repeats.len();
    let repeats = leak
        .repeats
        .iter()
        .enumerate()
        .map(|(index, task)| ((first + index + 1) as f64, task.worker_after, task.test_id.clone()));
    let blocks = leak.blocks.iter().enumerate().map(|(place, block)| {
        let named = || format!("block_{}", block.block);
        let test_id = leak.group_ends.get(place).map_or_else(named, |end| (*end).to_string());
        (f64::from(block.tasks), block.worker, test_id)
    });
    let after: Vec<_> = repeats.chain(blocks).collect();
    let others: HashMap<&str, &BTreeMap<String, Footprint>> = run
        .events
        .iter()
        .filter_map(|record| match &record.event {
            Event::RolesAfter { test_id, roles } => Some((test_id.as_str(), roles)),
            _ => None,
        })
        .collect();
    let mut names: Vec<&String> = others.values().flat_map(|roles| roles.keys()).collect();
    names.sort();
    names.dedup();
    let worker = after.iter().map(|(at, worker, _)| (*at, *worker)).collect();
    let mut roles = vec![(WORKER.to_string(), worker)];
    for name in names {
        let held = after
            .iter()
            .map(|(at, _, id)| (*at, others.get(id.as_str()).and_then(|roles| roles.get(name)).copied()));
        roles.push((name.clone(), held.collect()));
    }
    roles
}

fn criterion(
    resource: &Resource,
    roles: &[&(String, Held)],
    worker_changed: bool,
    plan: &LeakPlan,
) -> Finding {
    let limit = (resource.limit)(plan);
    let found = roles.iter().map(|(role, held)| {
        let counts: Vec<(f64, Option<u64>)> =
            held.iter().map(|(at, held)| (*at, held.as_ref().and_then(resource.count))).collect();
        let counted = if role == WORKER && worker_changed {
            Counted { verdict: Verdict::Inconclusive, evidence: CountEvidence::WorkerChanged }
        } else {
            judge(&counts, limit)
        };
        (Some(role.clone()), counted)
    });
    // The worst role speaks; among equals the first, which is the worker.
    let worst = found.reduce(|worst, next| if next.1.verdict > worst.1.verdict { next } else { worst });
    let nothing = Counted { verdict: Verdict::Inconclusive, evidence: CountEvidence::Nothing };
    let (role, Counted { verdict, evidence }) = worst.unwrap_or((None, nothing));
    let value = match evidence {
        CountEvidence::Counted { growth, .. }
        | CountEvidence::OverDoublings { growth: Some((growth, _)), .. } => Some(growth as f64),
        _ => None,
    };
    Finding {
        value,
        threshold: Some(f64::from(limit)),
        unit: Some(resource.unit),
        ..Finding::new(resource.id.clone(), verdict, Evidence::Counts { role, counted: evidence })
    }
}

/// Judges counts, each after so many tasks, in their order, against how far they may grow.
fn judge(counts: &[(f64, Option<u64>)], limit: u32) -> Counted {
    let inconclusive = |evidence| Counted { verdict: Verdict::Inconclusive, evidence };
    let known: Vec<i64> =
        counts.iter().filter_map(|(_, count)| Some(i64::try_from((*count)?).unwrap_or(i64::MAX))).collect();
    if known.len() < counts.len() {
        return inconclusive(CountEvidence::Unread { unread: counts.len() - known.len(), of: counts.len() });
    }
    if known.len() < MIN_READINGS {
        return inconclusive(CountEvidence::TooFew { readings: known.len(), least: MIN_READINGS });
    }
    let places: Vec<f64> = counts.iter().map(|(at, _)| *at).collect();
    if places.windows(2).any(|pair| pair[1] - pair[0] > 1.0) {
        return judge_over_doublings(&places, &known, limit);
    }
    let lowest = |counts: &[i64]| counts.iter().copied().min().unwrap_or_default();
    let (early, late) = known.split_at(known.len() / 2);
    let growth = lowest(late) - lowest(early);
    let (third, fourth) = late.split_at(late.len() / 2);
    let still = lowest(fourth) - lowest(third);
    let (verdict, standing) = if growth <= i64::from(limit) {
        (Verdict::Pass, CountStanding::Within)
    } else if still > 0 {
        (Verdict::Fail, CountStanding::Growing)
    } else if late.len() >= MIN_FLAT {
        (Verdict::Pass, CountStanding::Filled(late.len()))
    } else {
        (Verdict::Inconclusive, CountStanding::Open)
    };
    let (first, last, tasks) = (known[0], known[known.len() - 1], known.len());
    Counted { verdict, evidence: CountEvidence::Counted { first, last, tasks, growth, limit, standing } }
}

/// Judges counts between which many tasks lie: what the last doubling of the number of tasks added to their floors,
/// against the doubling before it. A pool that fills has slowed down by then.
fn judge_over_doublings(places: &[f64], counts: &[i64], limit: u32) -> Counted {
    let (first, last, tasks) = (counts[0], counts[counts.len() - 1], places[places.len() - 1]);
    let floor = |from: f64, to: f64| {
        let inside = places.iter().zip(counts).filter(|(at, _)| **at > from * tasks && **at <= to * tasks);
        inside.map(|(_, count)| *count).min()
    };
    let grown = match (floor(0.7, 1.0), floor(0.35, 0.5), floor(0.0, 0.25)) {
        (Some(late), Some(middle), Some(early)) => Some((late - early, late - middle, middle - early)),
        _ => None,
    };
    let (verdict, growth) = match grown {
        None => (Verdict::Inconclusive, None),
        Some((growth, lately, before)) => {
            let (verdict, standing) = if growth <= i64::from(limit) {
                (Verdict::Pass, CountStanding::Within)
            } else if lately > 0 && 2 * lately >= before && lately >= i64::from(limit) {
                (Verdict::Fail, CountStanding::Growing)
            } else if lately <= 0 {
                (Verdict::Pass, CountStanding::Filled(tasks as usize / 2))
            } else {
                (Verdict::Inconclusive, CountStanding::Open)
            };
            (verdict, Some((growth, standing)))
        }
    };
    let evidence = CountEvidence::OverDoublings { first, last, tasks: tasks as usize, growth, limit };
    Counted { verdict, evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};
    use crate::record::{Phase, TaskRecord};

    fn verdict(counts: &[u64]) -> Verdict {
        let counts: Vec<(f64, Option<u64>)> =
            (1..).map(f64::from).zip(counts.iter().copied().map(Some)).collect();
        judge(&counts, 2).verdict
    }

    #[test]
    fn one_more_per_task_is_a_leak() {
        assert_eq!(verdict(&[20, 21, 22, 23, 24, 25, 26, 27, 28, 29]), Verdict::Fail);
        assert_eq!(verdict(&[20, 21, 22, 23, 24, 25]), Verdict::Fail);
        let every_third: Vec<u64> = (0..24).map(|task| 20 + task / 3).collect();
        assert_eq!(verdict(&every_third), Verdict::Fail);
    }

    #[test]
    fn what_comes_and_goes_or_fills_is_none() {
        assert_eq!(verdict(&[20; 10]), Verdict::Pass);
        assert_eq!(verdict(&[20, 29, 21, 35, 20, 24, 40, 20, 33, 38]), Verdict::Pass, "connections");
        assert_eq!(verdict(&[20, 22, 24, 26, 28, 28, 28, 28, 28, 28]), Verdict::Pass, "a pool of eight");
        assert_eq!(verdict(&[30, 28, 26, 24, 22, 20]), Verdict::Pass, "fewer");
    }

    #[test]
    fn over_blocks_a_leak_goes_on_and_a_pool_has_filled() {
        let places =
            [1.0, 2.0, 4.0, 6.0, 20.0, 60.0, 125.0, 180.0, 250.0, 350.0, 450.0, 600.0, 800.0, 1000.0];
        let verdict = |count: fn(f64) -> f64| {
            let counts: Vec<(f64, Option<u64>)> =
                places.iter().map(|at| (*at, Some(count(*at) as u64))).collect();
            judge(&counts, 2).verdict
        };
        assert_eq!(verdict(|at| 6.0 + at / 100.0), Verdict::Fail, "a thread in a hundred tasks");
        assert_eq!(verdict(|at| 6.0 + at), Verdict::Fail);
        assert_eq!(verdict(|at| 6.0 + at.min(20.0)), Verdict::Pass, "a pool of twenty");
        assert_eq!(verdict(|_| 6.0), Verdict::Pass);
        assert_eq!(verdict(|at| 6.0 + at.min(420.0)), Verdict::Pass, "a pool that filled in the first half");
        assert_eq!(
            verdict(|at| 6.0 + (at.min(520.0) / 4.0)),
            Verdict::Inconclusive,
            "one that filled in the second"
        );
    }

    #[test]
    fn what_is_not_known_does_not_pass() {
        assert_eq!(verdict(&[20, 21, 22, 23, 24]), Verdict::Inconclusive, "few readings");
        assert_eq!(verdict(&[20, 23, 26, 29, 29, 29]), Verdict::Inconclusive, "flat for a moment");
        let counts: Vec<(f64, Option<u64>)> =
            (0..10).map(|task| (f64::from(task), (task != 4).then_some(20))).collect();
        let counted = judge(&counts, 2);
        assert_eq!(counted.verdict, Verdict::Inconclusive);
        assert_eq!(counted.evidence, CountEvidence::Unread { unread: 1, of: 10 });
    }

    /// A leak check of `tasks` repeats whose footprints are as `held` says.
    fn check(tasks: u64, held: impl Fn(u64) -> Footprint, api: impl Fn(u64) -> u64) -> Vec<Finding> {
        let mut events = Vec::new();
        let records: Vec<TaskRecord> = (0..=tasks)
            .map(|index| {
                let mut record = task("short", 1, 0.2);
                record.test_id = format!("short_c1_{index}");
                record.phase = Some(Phase::Leak);
                record.worker_after = Some(held(index));
                let footprint = Footprint { fds: Some(api(index)), ..held(0) };
                let roles = BTreeMap::from([("api".to_string(), footprint)]);
                events.push(Event::RolesAfter { test_id: record.test_id.clone(), roles });
                record
            })
            .collect();
        let run = run(records, events);
        resource_criteria(&run, &LeakTasks::of(&run), false, &LeakPlan::default())
    }

    fn held(fds: u64, threads: u64, zombies: u64) -> Footprint {
        Footprint {
            fds: Some(fds),
            threads: Some(threads),
            processes: Some(1),
            zombies: Some(zombies),
            ..Footprint::default()
        }
    }

    #[test]
    fn each_resource_of_each_role_has_its_criterion() {
        let verdicts = |criteria: &[Finding]| criteria.iter().map(|found| found.verdict).collect::<Vec<_>>();
        let (pass, fail) = (Verdict::Pass, Verdict::Fail);
        assert_eq!(verdicts(&check(10, |_| held(9, 4, 0), |_| 30)), [pass, pass, pass]);
        assert_eq!(verdicts(&check(10, |task| held(9 + task, 4, 0), |_| 30)), [fail, pass, pass]);
        assert_eq!(verdicts(&check(10, |task| held(9, 4 + task, 0), |_| 30)), [pass, fail, pass]);
        assert_eq!(verdicts(&check(10, |task| held(9, 4, task), |_| 30)), [pass, pass, fail]);
        let api = check(10, |_| held(9, 4, 0), |task| 30 + task);
        assert_eq!(verdicts(&api), [fail, pass, pass]);
        let counted = CountEvidence::Counted {
            first: 31,
            last: 40,
            tasks: 10,
            growth: 5,
            limit: 2,
            standing: CountStanding::Growing,
        };
        assert_eq!(api[0].evidence, Evidence::Counts { role: Some("api".to_string()), counted });
    }

    #[test]
    fn a_run_that_did_not_count_is_not_judged_and_a_changed_worker_is_not_compared() {
        let old = run(vec![task("short", 1, 0.2)], Vec::new());
        assert!(resource_criteria(&old, &LeakTasks::of(&old), false, &LeakPlan::default()).is_empty());
        let mut record = task("short", 1, 0.2);
        record.worker_after = Some(held(1, 1, 0));
        let new = run(vec![record; 12], Vec::new());
        let changed = resource_criteria(&new, &LeakTasks::of(&new), true, &LeakPlan::default());
        assert!(changed.iter().all(|found| found.verdict == Verdict::Inconclusive));
        let off = LeakPlan { resources: false, ..LeakPlan::default() };
        assert!(resource_criteria(&new, &LeakTasks::of(&new), false, &off).is_empty());
    }
}
