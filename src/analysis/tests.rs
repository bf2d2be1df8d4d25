//! The judgement of whole runs, on constants.

use super::fixtures::{judge, run, task};
use crate::plan::Plan;
use crate::record::{
    Event, ExitKind, Judgement, LevelEnd, Limit, Phase, RunData, TaskRecord, TaskStatus, Verdict,
};

fn worker_found(pid: u32, replacement: bool) -> Event {
    Event::ProcessFound {
        role: "worker".into(),
        pid,
        name: "python".into(),
        command: "rq worker asr-queue".into(),
        root: true,
        parent: None,
        start: None,
        replacement,
        rss_mb: None,
    }
}

fn worker_killed(pid: u32) -> Event {
    Event::ProcessExited {
        role: "worker".into(),
        pid,
        name: "python".into(),
        root: true,
        how: ExitKind::Signal(9),
    }
}

/// A leak check of `deltas` (short and long in turn), each kept for ever.
fn leak_check(deltas: &[f64]) -> Vec<TaskRecord> {
    let mut memory = 600.0;
    deltas
        .iter()
        .enumerate()
        .map(|(index, delta)| {
            let mut record = task(if index % 2 == 0 { "short" } else { "long" }, 1, 0.2);
            record.phase = Some(Phase::Leak);
            record.worker_rss_before_mb = Some(memory);
            memory += delta;
            record.worker_rss_after_mb = Some(memory);
            record.worker_rss_delta_mb = Some(*delta);
            record
        })
        .collect()
}

fn level_events(concurrency: u32, inside: Vec<Event>) -> Vec<Event> {
    let mut events = vec![Event::LevelStarted { concurrency, attempt: None, why: None }];
    events.extend(inside);
    events.push(Event::LevelEnded(Box::new(LevelEnd { concurrency, ..LevelEnd::default() })));
    events
}

fn level_tasks(concurrency: u32, rtf: f64) -> Vec<TaskRecord> {
    let one = || TaskRecord { phase: Some(Phase::Concurrency), ..task("short", concurrency, rtf) };
    (0..concurrency).map(|_| one()).collect()
}

/// A whole run: a leak check with `deltas`, then levels 1 to 4 of which the
/// fourth may be broken by `inside`.
fn whole(deltas: &[f64], inside: Vec<Event>) -> RunData {
    let mut tasks = leak_check(deltas);
    let mut events = vec![
        worker_found(7, false),
        Event::PhaseStarted { phase: Phase::Leak, tasks: Some(12) },
        Event::PhaseEnded { phase: Phase::Leak, cut_short: None },
        Event::PhaseStarted { phase: Phase::Concurrency, tasks: None },
    ];
    for concurrency in 1..=3 {
        tasks.extend(level_tasks(concurrency, 0.2 * f64::from(concurrency)));
        events.extend(level_events(concurrency, vec![]));
    }
    tasks.extend(level_tasks(4, 0.8));
    events.extend(level_events(4, inside));
    events.push(Event::PhaseEnded { phase: Phase::Concurrency, cut_short: None });
    events.push(Event::RunEnded);
    run(tasks, events)
}

fn verdict_of(judgement: &Judgement, name: &str) -> Verdict {
    judgement.criterion(name).unwrap_or_else(|| panic!("no criterion `{name}`")).verdict
}

#[test]
fn a_clean_run_passes_every_criterion() {
    let judgement = judge(&whole(&[0.0; 24], vec![]), &Plan::default());
    assert_eq!(judgement.verdict, Verdict::Pass, "{judgement:#?}");
    assert_eq!(judgement.limit, Limit::BoundReached { at_least: 4, bound: None });
    assert_eq!(judgement.exit_code(), 0);
}

#[test]
fn a_long_task_that_keeps_too_much_fails_and_is_called_severe() {
    let mut deltas = [0.0; 24];
    deltas[5] = 501.0;
    let judgement = judge(&whole(&deltas, vec![]), &Plan::default());
    assert_eq!(verdict_of(&judgement, "leak.delta"), Verdict::Fail);
    assert!(judgement.criterion("leak.delta").unwrap().detail.contains("SEVERE"));
    deltas[5] = 199.9;
    let judgement = judge(&whole(&deltas, vec![]), &Plan::default());
    assert_eq!(verdict_of(&judgement, "leak.delta"), Verdict::Pass, "just below the limit");
    deltas[5] = 200.0;
    let judgement = judge(&whole(&deltas, vec![]), &Plan::default());
    assert_eq!(
        verdict_of(&judgement, "leak.delta"),
        Verdict::Fail,
        "the limit itself is not below the limit"
    );
}

#[test]
fn a_leak_below_the_delta_limit_is_found_by_accumulation() {
    let judgement = judge(&whole(&[40.0; 24], vec![]), &Plan::default());
    assert_eq!(verdict_of(&judgement, "leak.delta"), Verdict::Pass);
    assert_eq!(verdict_of(&judgement, "leak.growth"), Verdict::Fail);
    assert_eq!(verdict_of(&judgement, "leak.baseline"), Verdict::Fail);
    assert_eq!(judgement.exit_code(), 1);
}

#[test]
fn warm_up_is_told_and_not_judged() {
    let mut deltas = [0.0; 24];
    deltas[0] = 800.0;
    deltas[1] = 300.0;
    let judgement = judge(&whole(&deltas, vec![]), &Plan::default());
    assert_eq!(judgement.verdict, Verdict::Pass, "{judgement:#?}");
    // The third says that only one input was sent.
    assert_eq!(judgement.notes.len(), 3, "{:?}", judgement.notes);
    assert!(judgement.notes[0].contains("severe") && !judgement.notes[1].contains("severe"));
}

#[test]
fn without_repeats_the_first_long_task_is_judged() {
    let judgement = judge(&run(leak_check(&[15.2, 245.8]), vec![Event::RunEnded]), &Plan::default());
    assert_eq!(verdict_of(&judgement, "leak.delta"), Verdict::Fail);
    assert_eq!(verdict_of(&judgement, "leak.growth"), Verdict::Inconclusive);
}

#[test]
fn memory_that_could_not_be_read_is_never_a_pass() {
    let mut data = whole(&[0.0; 24], vec![]);
    data.tasks[5].worker_rss_delta_mb = None;
    assert_eq!(verdict_of(&judge(&data, &Plan::default()), "leak.delta"), Verdict::Inconclusive);
}

#[test]
fn a_task_without_a_result_says_nothing_of_its_memory() {
    let mut data = whole(&[0.0; 24], vec![]);
    data.tasks[5].status = TaskStatus::Timeout;
    assert_eq!(verdict_of(&judge(&data, &Plan::default()), "leak.delta"), Verdict::Inconclusive);
}

#[test]
fn warm_up_alone_is_no_return_to_a_baseline() {
    let judgement = judge(&run(leak_check(&[0.0, 0.0]), vec![Event::RunEnded]), &Plan::default());
    assert_eq!(verdict_of(&judgement, "leak.baseline"), Verdict::Inconclusive);
}

#[test]
fn a_crash_is_the_limit_and_a_failed_criterion() {
    let judgement = judge(&whole(&[0.0; 24], vec![worker_killed(7)]), &Plan::default());
    let Limit::Found { max_stable: 3, broke_at: 4, broke, .. } = &judgement.limit else {
        panic!("{:?}", judgement.limit)
    };
    assert_eq!(broke.pids, [7]);
    assert_eq!(verdict_of(&judgement, "worker.alive"), Verdict::Fail);
    assert_eq!(verdict_of(&judgement, "ramp.required"), Verdict::Pass);
}

#[test]
fn a_worker_replaced_in_the_leak_check_makes_its_memory_incomparable() {
    let mut data = whole(&[0.0; 24], vec![]);
    let at = |event| crate::record::EventRecord { time: String::new(), elapsed: 0.0, event };
    data.events.insert(3, at(worker_killed(7)));
    data.events.insert(4, at(worker_found(8, true)));
    let judgement = judge(&data, &Plan::default());
    assert_eq!(verdict_of(&judgement, "leak.baseline"), Verdict::Inconclusive);
    assert_eq!(verdict_of(&judgement, "leak.growth"), Verdict::Inconclusive);
    assert_eq!(verdict_of(&judgement, "worker.alive"), Verdict::Fail);
}

#[test]
fn an_interrupted_run_is_no_pass_and_exits_130() {
    let mut data = whole(&[0.0; 24], vec![]);
    data.events.pop();
    let judgement = judge(&data, &Plan::default());
    assert_eq!((judgement.verdict, judgement.exit_code()), (Verdict::Inconclusive, 130));
    assert!(judgement.interrupted.unwrap().contains("no task was in flight"));
}

#[test]
fn a_level_cut_off_by_a_crash_of_the_machine_neither_held_nor_broke() {
    let mut data = whole(&[0.0; 24], vec![]);
    // The fourth level's end, the phase's end and the run's end never reached the disk.
    data.events.truncate(data.events.len() - 3);
    let judgement = judge(&data, &Plan::default());
    let Limit::Undetermined { at_least: Some(3), .. } = judgement.limit else {
        panic!("{:?}", judgement.limit)
    };
}

#[test]
fn a_refused_task_without_a_record_breaks_its_level() {
    // As the Python script left it: no log, and no line for what was refused.
    let mut tasks = leak_check(&[0.0; 2]);
    tasks.extend(level_tasks(2, 0.2));
    tasks.extend(level_tasks(3, 0.2).into_iter().take(2));
    for task in &mut tasks {
        task.phase = None;
    }
    let mut data = RunData::default();
    tasks.into_iter().for_each(|task| data.take(task));
    let judgement = judge(&data, &Plan::default());
    let Limit::Found { max_stable: 2, broke_at: 3, .. } = judgement.limit else {
        panic!("{:?}", judgement.limit)
    };
}

#[test]
fn the_required_level_failing_is_a_fail_and_not_reached_is_not() {
    let strict = |required| {
        let mut plan = Plan::default();
        plan.ramp.required = required;
        plan
    };
    let bound = judge(&whole(&[0.0; 24], vec![]), &strict(5));
    assert_eq!(verdict_of(&bound, "ramp.required"), Verdict::Inconclusive);
    let found = judge(&whole(&[0.0; 24], vec![worker_killed(7)]), &strict(4));
    assert_eq!(verdict_of(&found, "ramp.required"), Verdict::Fail);
}

#[test]
fn rtf_is_promised_up_to_the_required_level() {
    let mut plan = Plan::default();
    plan.ramp.max_rtf = 0.7;
    let judgement = judge(&whole(&[0.0; 24], vec![]), &plan);
    assert_eq!(verdict_of(&judgement, "ramp.rtf"), Verdict::Pass);
    assert!(judgement.criterion("ramp.rtf").unwrap().detail.contains("above the required level"));
    plan.ramp.max_rtf = 0.5;
    assert_eq!(verdict_of(&judge(&whole(&[0.0; 24], vec![]), &plan), "ramp.rtf"), Verdict::Fail);
}

#[test]
fn tasks_that_fail_in_the_leak_check_fail_it_and_their_deltas_count() {
    let mut data = whole(&[0.0, 0.0, 0.0, 250.0, 0.0, 250.0, 0.0, 250.0, 0.0, 250.0, 0.0, 250.0], vec![]);
    for task in data.tasks.iter_mut().filter(|task| task.phase == Some(Phase::Leak)) {
        task.status = TaskStatus::Failed;
        task.error = Some("out of capacity".to_string());
    }
    let judgement = judge(&data, &Plan::default());
    assert_eq!(verdict_of(&judgement, "leak.tasks"), Verdict::Fail);
    assert_eq!(verdict_of(&judgement, "leak.delta"), Verdict::Fail, "a leak on the error path is a leak");
}

#[test]
fn a_run_of_no_phase_is_no_pass() {
    let mut plan = Plan::default();
    plan.leak.enabled = false;
    plan.ramp.enabled = false;
    let judgement = judge(&run(vec![], vec![worker_found(7, false), Event::RunEnded]), &plan);
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{judgement:#?}");
}

#[test]
fn where_no_task_succeeded_flat_memory_is_no_pass() {
    let mut tasks = leak_check(&[0.0; 24]);
    let good = judge(&run(tasks.clone(), Vec::new()), &Plan::default());
    let verdicts = |judged: &Judgement| -> Vec<Verdict> {
        let of_memory = ["leak.delta", "leak.baseline", "leak.growth"];
        let found = judged.criteria.iter().filter(|found| of_memory.contains(&&*found.name.name()));
        found.map(|found| found.verdict).collect()
    };
    assert_eq!(verdicts(&good), [Verdict::Pass; 3]);
    tasks.iter_mut().for_each(|task| task.status = TaskStatus::Failed);
    let bad = judge(&run(tasks, Vec::new()), &Plan::default());
    assert_eq!(verdicts(&bad), [Verdict::Inconclusive; 3]);
}
