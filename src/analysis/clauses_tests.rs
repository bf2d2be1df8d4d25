use super::super::facts::{LevelFacts, ProcessEnd};
use super::super::fixtures::task;
use super::super::level::judge_level;
use crate::plan::{Figure, RampPlan};
use crate::record::{
    ClauseAnswer, ClauseKind, ExitKind, Footprint, GeneratorLoad, LevelMemory, LevelTasks, OwnReading,
    TaskRecord, TaskStatus,
};

fn bad() -> TaskRecord {
    let mut bad = task("short", 2, 0.5);
    bad.status = TaskStatus::Failed;
    bad.error = Some("HTTP 503".to_string());
    bad
}

fn sums<'a>(tasks: impl Iterator<Item = (&'a TaskRecord, Option<f64>)>) -> LevelTasks {
    let mut sums = LevelTasks::default();
    tasks.for_each(|(task, at_s)| sums.add(task, at_s));
    sums
}

fn facts<'a>(tasks: &[&'a TaskRecord]) -> LevelFacts<'a> {
    LevelFacts {
        concurrency: 2,
        attempt: 1,
        sent: 2,
        tasks: sums(tasks.iter().map(|task| (*task, None))),
        health: Some(Ok(())),
        ..LevelFacts::default()
    }
}

fn killed(at_s: f64) -> Vec<ProcessEnd> {
    vec![ProcessEnd { role: "worker".into(), pid: 7, how: ExitKind::Signal(9), at_s: Some(at_s) }]
}

fn check(facts: &LevelFacts<'_>, plan: &RampPlan, expect: Option<(ClauseKind, &str)>) {
    let verdict = judge_level(facts, plan);
    let broke = verdict.broke.as_ref().map(|clause| (clause.clause, clause.detail.as_str()));
    assert_eq!(broke, expect, "{verdict:#?}");
    assert_eq!(verdict.invalid, None);
}

#[test]
fn what_a_load_generator_says_decides_in_the_place_of_tasks() {
    let judge = |load: &GeneratorLoad, change: fn(&mut RampPlan)| {
        let mut plan = RampPlan::default();
        change(&mut plan);
        let facts = LevelFacts { generator: Some(load), load_s: Some(9.0), ..LevelFacts::default() };
        let answer = super::tasks(&facts, &plan);
        (answer.state.figure, answer.broke.is_some())
    };
    let whole = |_: &mut RampPlan| ();
    let load = GeneratorLoad { requests: Some(400), failed: Some(0), ..GeneratorLoad::default() };
    assert_eq!(judge(&load, whole), ("400 of 400".to_string(), false));
    let some = GeneratorLoad { failed: Some(8), ..load.clone() };
    assert_eq!(judge(&some, whole), ("8 of 400 requests of the load generator failed".to_string(), true));
    assert!(!judge(&some, |plan| plan.stable.min_success = 0.9).1);
    let none = GeneratorLoad { requests: Some(0), ..GeneratorLoad::default() };
    assert!(judge(&none, whole).1, "no request is no success");
    assert!(!judge(&GeneratorLoad::default(), whole).1);
    let crossed = GeneratorLoad { problem: Some("it ended with exit status 99".into()), ..load };
    assert!(judge(&crossed, whole).0.contains("exit status 99") && judge(&crossed, whole).1);
}

#[test]
fn each_clause_is_named_when_it_breaks() {
    let (good, bad, plan) = (task("short", 2, 0.5), bad(), RampPlan::default());
    let held = facts(&[&good, &good]);
    check(&held, &plan, None);
    check(&facts(&[&good, &bad]), &plan, Some((ClauseKind::TasksSucceed, "1 of 2 tasks failed: HTTP 503")));
    check(&facts(&[&good]), &plan, Some((ClauseKind::TasksSucceed, "1 of 2 tasks left no record")));
    check(
        &LevelFacts { exits: killed(1.0), ..facts(&[&bad]) },
        &plan,
        Some((ClauseKind::WorkerAlive, "worker pid 7 was killed, signal 9")),
    );
    let starved = vec![ProcessEnd { how: ExitKind::OutOfMemory, ..killed(1.0).remove(0) }];
    check(
        &LevelFacts { exits: starved, ..facts(&[&bad]) },
        &plan,
        Some((ClauseKind::Oom, "worker pid 7 was killed by the kernel, out of memory (signal 9)")),
    );
    check(
        &LevelFacts { replacements: vec![("worker".into(), 8, None)], ..held.clone() },
        &plan,
        Some((ClauseKind::WorkerAlive, "worker pid 8 was started in its place")),
    );
    check(
        &LevelFacts { health: Some(Err("HTTP 500".to_string())), ..held.clone() },
        &plan,
        Some((ClauseKind::Health, "health endpoint: HTTP 500")),
    );
    let mut asked = plan.clone();
    asked.stable.log = "service.log".into();
    check(
        &LevelFacts { log: Some((2, Some("ERROR: queue".into()))), ..held },
        &asked,
        Some((ClauseKind::ServiceLog, "2 errors in the service's log: ERROR: queue")),
    );
}

#[test]
fn rtf_and_latency_count_only_where_they_are_asked_for() {
    let slow = task("short", 1, 1.0);
    let facts = LevelFacts { sent: 1, ..facts(&[&slow]) };
    check(&facts, &RampPlan::default(), None);
    let mut asked = RampPlan { stop_at_rtf: true, ..RampPlan::default() };
    check(&facts, &asked, Some((ClauseKind::Rtf, "RTF 1.000 ≥ 1.0")));
    asked.stable.rtf_of = Figure::P95;
    check(&facts, &asked, Some((ClauseKind::Rtf, "RTF p95 1.000 ≥ 1.0")));
    asked = RampPlan::default();
    asked.stable.max_latency_s = 147.0;
    check(&facts, &asked, Some((ClauseKind::Latency, "latency p95 147.00 s ≥ 147.00 s")));
    asked.stable.max_latency_s = 147.1;
    check(&facts, &asked, None);
}

#[test]
fn memory_descriptors_and_threads_have_their_bounds() {
    let good = task("short", 2, 0.5);
    let print = |mb, fds, threads| {
        Some(Footprint {
            private_mb: Some(mb),
            fds: Some(fds),
            threads: Some(threads),
            ..Footprint::default()
        })
    };
    let facts = LevelFacts {
        memory: LevelMemory {
            peak_mb: Some(900.0),
            before: print(600.0, 10, 4),
            after: print(640.0, 13, 6),
            ..LevelMemory::default()
        },
        ..facts(&[&good, &good])
    };
    let mut plan = RampPlan::default();
    check(&facts, &plan, None);
    plan.stable.max_kept_threads = 1;
    check(&facts, &plan, Some((ClauseKind::ThreadsBack, "kept +2 threads > 1")));
    plan.stable.max_kept_fds = 2;
    check(&facts, &plan, Some((ClauseKind::FdsBack, "kept +3 descriptors > 2")));
    plan.stable.max_kept_mb = 39.9;
    check(&facts, &plan, Some((ClauseKind::MemoryBack, "kept +40.0 MB > 39.9")));
    plan.stable.max_peak_mb = 900.0;
    check(&facts, &plan, Some((ClauseKind::PeakMemory, "peak memory 900 MB ≥ 900 MB")));
}

#[test]
fn what_was_not_read_is_not_held() {
    let good = task("short", 2, 0.5);
    let mut plan = RampPlan::default();
    plan.stable.max_kept_fds = 4;
    plan.stable.log = "service.log".into();
    let verdict = judge_level(&facts(&[&good, &good]), &plan);
    let not_read: Vec<ClauseKind> = verdict.not_read().map(|state| state.clause).collect();
    assert_eq!(not_read, [ClauseKind::ServiceLog, ClauseKind::FdsBack]);
    assert!(verdict.clauses.iter().any(|state| state.answer == ClauseAnswer::Off), "off is shown as off");
}

#[test]
fn the_clause_that_broke_first_is_named_unless_its_cause_follows_at_once() {
    let (bad, plan) = (bad(), RampPlan::default());
    let failed_at = |at| LevelFacts {
        tasks: sums([(&bad, Some(at)), (&bad, Some(9.0))].into_iter()),
        exits: killed(3.0),
        ..facts(&[])
    };
    let broke = |facts: &LevelFacts<'_>| judge_level(facts, &plan).broke.unwrap();
    let crash = broke(&failed_at(5.0));
    assert_eq!((crash.clause, crash.at_s), (ClauseKind::WorkerAlive, Some(3.0)));
    assert_eq!(broke(&failed_at(2.5)).clause, ClauseKind::WorkerAlive, "the reset connection was its effect");
    let before = broke(&failed_at(0.5));
    assert_eq!((before.clause, before.at_s), (ClauseKind::TasksSucceed, Some(0.5)));
    assert_eq!(before.to_string(), "2 of 2 tasks failed: HTTP 503 (after 0.5 s)");
}

#[test]
fn a_share_of_failures_breaks_a_level_only_where_it_is_certain() {
    let (good, bad) = (task("short", 2, 0.5), bad());
    let mut plan = RampPlan::default();
    plan.stable.min_success = 0.9;
    let share = |failed: usize, all: usize| {
        let tasks: Vec<&TaskRecord> =
            (0..all).map(|index| if index < failed { &bad } else { &good }).collect();
        judge_level(&LevelFacts { sent: all as u32, ..facts(&tasks) }, &plan)
    };
    let verdict = share(2, 20);
    assert_eq!(verdict.broke, None);
    let figure =
        &verdict.clauses.iter().find(|state| state.clause == ClauseKind::TasksSucceed).unwrap().figure;
    assert_eq!(figure, "18 of 20 (90 %, 95 % interval 70 to 97 %)");
    assert_eq!(share(1, 5).broke, None, "80 % of five is not shown to be below 90 %");
    assert!(share(8, 20).broke.unwrap().detail.contains("is below 90 %"));
}

#[test]
fn a_starved_highwater_makes_a_level_invalid_and_not_broken() {
    let (good, bad, plan) = (task("short", 2, 0.01), bad(), RampPlan::default());
    let own =
        |p95, max| Some(OwnReading { lag_p95_s: Some(p95), lag_max_s: Some(max), ..OwnReading::default() });
    let with = |own, tasks: &[&'static str]| {
        let tasks: Vec<&TaskRecord> =
            tasks.iter().map(|word| if *word == "bad" { &bad } else { &good }).collect();
        judge_level(&LevelFacts { own, ..facts(&tasks) }, &plan)
    };
    // The task takes 1.47 s: a tenth of it is less than what is allowed at least.
    assert_eq!(with(own(0.2, 0.9), &["good", "good"]).invalid, None);
    let late = with(own(0.26, 0.9), &["good", "bad"]);
    assert!(late.invalid.unwrap().contains("0.26 s late (p95; 0.25 s is allowed)"));
    assert_eq!(late.broke, None);
    assert!(with(own(0.01, 1.1), &["good", "good"]).invalid.unwrap().contains("1.10 s late once"));
    let waited = |share, p95| {
        Some(OwnReading { lag_p95_s: Some(p95), cpu_wait_percent: Some(share), ..OwnReading::default() })
    };
    let told = with(waited(70.0, 0.2), &["good", "bad"]).invalid.unwrap();
    assert_eq!(
        told,
        "highwater waited for a CPU 70 % of the time, and woke up 200 ms late (p95) in tasks of 1.47 s"
    );
    assert_eq!(with(waited(70.0, 0.1), &["good", "good"]).invalid, None, "less than a tenth of the task");
    assert_eq!(with(waited(40.0, 0.2), &["good", "good"]).invalid, None);
    let thrashing = Some(OwnReading { memory_pressure_percent: Some(12.0), ..OwnReading::default() });
    assert!(with(thrashing, &["good", "good"]).invalid.unwrap().contains("want of memory 12 %"));
    let pressed = Some(OwnReading { cpu_pressure_percent: Some(99.0), ..OwnReading::default() });
    assert_eq!(with(pressed, &["good", "good"]).invalid, None, "a service that uses all CPUs does that");
}

#[test]
fn long_tasks_bear_a_later_highwater() {
    let (long, plan) = (task("short", 2, 0.1), RampPlan::default());
    let own = Some(OwnReading { lag_p95_s: Some(1.4), lag_max_s: Some(5.0), ..OwnReading::default() });
    let verdict = judge_level(&LevelFacts { own, ..facts(&[&long, &long]) }, &plan);
    assert_eq!(verdict.invalid, None, "a tenth of 14.7 s");
}

#[test]
fn a_death_counts_however_starved_highwater_was() {
    let (bad, plan) = (bad(), RampPlan::default());
    let own = Some(OwnReading { lag_p95_s: Some(5.0), ..OwnReading::default() });
    let verdict = judge_level(&LevelFacts { own, exits: killed(1.0), ..facts(&[&bad, &bad]) }, &plan);
    assert_eq!(verdict.broke.unwrap().clause, ClauseKind::WorkerAlive);
}

#[test]
fn what_highwater_itself_lacked_makes_a_level_invalid_and_breaks_nothing() {
    use crate::record::Cause;
    let (good, plan) = (task("short", 2, 0.5), RampPlan::default());
    for cause in [Cause::Local, Cause::Name] {
        let mut here = bad();
        here.error = Some("cannot connect: Too many open files".to_string());
        here.error_cause = Some(cause);
        let verdict = judge_level(&facts(&[&good, &here]), &plan);
        assert_eq!(verdict.broke, None);
        let invalid = verdict.invalid.expect("the service was not asked");
        assert!(invalid.starts_with("1 of 2 tasks failed on highwater's own machine"), "{invalid}");
        assert!(invalid.ends_with("Too many open files"), "{invalid}");
    }
    let mut refused = bad();
    refused.error_cause = Some(Cause::Refused);
    assert!(judge_level(&facts(&[&good, &refused]), &plan).broke.is_some(), "the service refused it");
}
