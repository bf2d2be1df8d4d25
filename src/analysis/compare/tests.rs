//! The rule on constants.

mod blocks;
mod few;

use rstest::rstest;

use super::*;
use crate::analysis::LeakTasks;
use crate::analysis::change::Method;
use crate::analysis::fixtures::{run as fixture, task};
use crate::record::{Footprint, Phase, RunData, Verdict};

/// A run of `tasks` that alternates short and long, with memory `at(task)`.
fn run(tasks: usize, at: impl Fn(usize) -> f64) -> RunFigures {
    let task = |index: usize| TaskFigures {
        input: if index.is_multiple_of(2) { "short a.wav" } else { "long b.wav" }.to_string(),
        rss_mb: Some(100.0 + at(index)),
        ..TaskFigures::default()
    };
    RunFigures { file: "a.jsonl".to_string(), tasks: (0..tasks).map(task).collect(), ..RunFigures::default() }
}

/// A wobble that is not the same in any two runs and repeats in none.
fn noise(seed: usize, task: usize) -> f64 {
    ((task * 7919 + seed * 104_729) % 97) as f64 / 97.0
}

fn verdict(before: &RunFigures, after: &RunFigures) -> Change {
    compare(std::slice::from_ref(before), std::slice::from_ref(after)).verdict
}

#[rstest]
#[case::a_leak_is_fixed(5.0, 0.0, Change::Fixed)]
#[case::a_leak_is_made(0.0, 5.0, Change::Worse)]
#[case::a_leak_grows(5.0, 9.0, Change::Worse)]
#[case::a_leak_shrinks(9.0, 3.0, Change::Better)]
#[case::two_clean(0.0, 0.0, Change::NoChange)]
#[case::two_equal_leaks(5.0, 5.0, Change::NoChange)]
fn growth_is_compared(#[case] before: f64, #[case] after: f64, #[case] expected: Change) {
    for (tasks, spread) in [(12, 0.1), (30, 0.8), (60, 2.0)] {
        let side = |rate: f64, seed| run(tasks, move |task| rate * task as f64 + spread * noise(seed, task));
        let told = compare(&[side(before, 1)], &[side(after, 2)]);
        assert_eq!(told.verdict, expected, "{tasks} tasks: {}", told.reason);
    }
}

#[test]
fn two_equal_leaks_are_said_to_go_on() {
    let leak = run(20, |task| 5.0 * task as f64);
    let told = compare(std::slice::from_ref(&leak), std::slice::from_ref(&leak));
    assert_eq!(
        told.reason.to_string(),
        "still growing: memory grew by 5.00 MB per task before and grows by 5.00 MB per task after"
    );
    assert_eq!(told.verdict.exit_code(), 0);
}

#[test]
fn what_both_sides_share_cancels() {
    // Long tasks leave 40 MB that the next short one frees, and a cache fills in both.
    let shared = |task: usize| 40.0 * (task % 2) as f64 + 24.0 * task.min(10) as f64;
    let (clean, leak) = (run(24, shared), run(24, move |task| shared(task) + 2.0 * task as f64));
    let told = compare(&[clean], &[leak]);
    assert_eq!(told.verdict, Change::Worse, "{}", told.reason);
    let difference = told.signals[0].difference.unwrap();
    assert_eq!(difference.method, Method::Paired);
    assert!((difference.per_task - 2.0).abs() < 1e-9 && difference.high - difference.low < 1e-9);
}

#[test]
fn other_inputs_are_compared_by_their_means() {
    let mut other = run(24, |task| noise(2, task));
    other.tasks.iter_mut().for_each(|task| task.input = "c.wav".to_string());
    let told = compare(&[run(24, |task| 5.0 * task as f64 + noise(1, task))], &[other]);
    assert_eq!((told.verdict, told.signals[0].difference.unwrap().method), (Change::Fixed, Method::Welch));
}

#[test]
fn a_cache_that_the_new_version_fills_is_not_called_worse() {
    let (before, after) = (run(30, |_| 0.0), run(30, |task| 24.0 * task.min(15) as f64));
    assert_eq!(verdict(&before, &after), Change::NotEnoughData);
    assert_eq!(verdict(&run(60, |_| 0.0), &run(60, |task| 24.0 * task.min(8) as f64)), Change::NoChange);
}

#[test]
fn a_difference_that_dies_away_is_something_that_fills() {
    let filling = run(43, |task| 240.0 * (1.0 - (-(task as f64) / 20.0).exp()));
    let told = compare(&[run(43, |_| 0.0)], std::slice::from_ref(&filling));
    assert_eq!(told.verdict, Change::NotEnoughData, "{}", told.reason);
    assert!(told.signals[0].difference.unwrap().low > 0.05, "that it differs is certain");
    assert_eq!(verdict(&filling, &run(43, |_| 0.0)), Change::NotEnoughData);
}

#[test]
fn two_leaks_are_alike_within_a_quarter_of_their_growth() {
    let leak = |seed, wild| run(20, move |task| 20.0 * task as f64 + wild * noise(seed, task));
    let told = compare(&[leak(1, 60.0)], &[leak(2, 60.0)]);
    assert_eq!(told.verdict, Change::NotEnoughData, "{}", told.reason);
    let told = compare(&[leak(1, 3.0)], &[leak(2, 3.0)]);
    assert_eq!(told.verdict, Change::NoChange, "{}", told.reason);
}

#[test]
fn noise_that_could_hide_a_leak_is_not_enough() {
    let wild = |seed| run(12, move |task| 60.0 * noise(seed, task));
    let told = compare(&[wild(1)], &[wild(2)]);
    assert_eq!(told.verdict, Change::NotEnoughData);
    assert!(
        told.signals[0].tasks_needed.unwrap() >= 24 && told.reason.to_string().contains("would tell"),
        "{}",
        told.reason
    );
}

#[test]
fn few_readings_or_another_worker_are_not_enough() {
    let told = compare(&[run(3, |_| 0.0)], &[run(30, |_| 0.0)]);
    assert_eq!((told.verdict, told.signals[0].tasks_needed), (Change::NotEnoughData, Some(8)));
    let replaced = RunFigures { worker_changed: true, ..run(30, |_| 0.0) };
    let told = compare(&[run(30, |_| 0.0)], &[replaced]);
    assert!(
        told.verdict == Change::NotEnoughData && told.reason.to_string().contains("replaced"),
        "{}",
        told.reason
    );
    let mut gap = run(30, |_| 0.0);
    gap.tasks[9].rss_mb = None;
    assert_eq!(verdict(&run(30, |_| 0.0), &gap), Change::NotEnoughData);
}

#[test]
fn what_accumulates_beside_private_memory_is_worse() {
    let private = |mut run: RunFigures| {
        for task in &mut run.tasks {
            (task.private_mb, task.shmem_mb) = (Some(50.0), task.rss_mb);
        }
        run
    };
    let (clean, shared) = (private(run(30, |_| 0.0)), private(run(30, |task| 5.0 * task as f64)));
    let told = compare(std::slice::from_ref(&clean), std::slice::from_ref(&shared));
    assert_eq!(told.verdict, Change::Worse, "{}", told.reason);
    assert!(told.reason.to_string().starts_with("shared memory"), "{}", told.reason);
    assert_eq!(verdict(&shared, &clean), Change::Fixed);
}

#[test]
fn private_memory_is_compared_only_where_both_sides_have_it() {
    let mut private = run(30, |task| 5.0 * task as f64);
    private.tasks.iter_mut().for_each(|task| task.private_mb = Some(50.0));
    let told = compare(std::slice::from_ref(&private), std::slice::from_ref(&private));
    assert_eq!((told.verdict, told.signals[0].before.unwrap().per_task), (Change::NoChange, 0.0));
    assert_eq!(verdict(&run(30, |_| 0.0), &private), Change::Worse, "RSS is what both have");
}

#[test]
fn descriptors_alone_can_make_a_version_worse() {
    let with_fds = |rate: f64| {
        let mut run = run(20, |_| 0.0);
        for (index, task) in run.tasks.iter_mut().enumerate() {
            task.fds = Some(10.0 + (rate * index as f64).floor());
        }
        run
    };
    let told = compare(&[with_fds(0.0)], &[with_fds(1.0)]);
    assert_eq!(told.verdict, Change::Worse);
    assert_eq!(
        told.reason.to_string(),
        "the number of open descriptors grows by 1.00 per task after, and did not before (difference 1.00 per task to 1.00 per task)"
    );
    assert_eq!(compare(&[with_fds(1.0)], &[with_fds(0.0)]).verdict, Change::Fixed);
    assert_eq!(compare(&[with_fds(1.0)], &[with_fds(1.0)]).verdict, Change::NoChange);
}

#[test]
fn several_runs_a_side_tell_more_than_one() {
    let side = |rate: f64, seeds: std::ops::Range<usize>| -> Vec<RunFigures> {
        seeds.map(|seed| run(12, move |task| rate * task as f64 + 2.0 * noise(seed, task))).collect()
    };
    let of = |runs: usize| compare(&side(6.0, 0..runs), &side(0.0, 20..20 + runs));
    let width = |told: &Comparison| {
        let difference = told.signals[0].difference.unwrap();
        difference.high - difference.low
    };
    let (one, six) = (of(1), of(6));
    assert!(width(&six) < 0.6 * width(&one), "{} against {}", width(&six), width(&one));
    assert_eq!((one.verdict, six.verdict), (Change::Better, Change::Fixed));
}

/// A worker that forks: its children stay alive for a while and share its memory. Every process counts `sum_mb`
/// of it, the tree retains `tree_mb`.
fn forking(sum_mb: impl Fn(u32) -> f64, tree_mb: impl Fn(u32) -> f64) -> RunData {
    let task = |index: u32| {
        let retained = Footprint {
            rss_mb: Some(sum_mb(index) + 20.0),
            private_mb: Some(sum_mb(index)),
            pss_mb: Some(tree_mb(index) + 10.0),
            pss_anon_mb: Some(tree_mb(index)),
            ..Footprint::default()
        };
        let mut record = task(if index.is_multiple_of(2) { "short" } else { "long" }, 1, 0.2);
        record.phase = Some(Phase::Leak);
        record.worker_rss_after_mb = retained.rss_mb;
        record.worker_after = Some(retained);
        record
    };
    fixture((0..30).map(task).collect(), Vec::new())
}

#[test]
fn a_forking_worker_that_the_leak_check_passes_is_not_called_worse() {
    let (before, after) =
        (forking(|_| 100.0, |_| 100.0), forking(|task| 100.0 + 5.0 * f64::from(task), |_| 100.0));
    assert_eq!(LeakTasks::of(&after).growth(1).verdict(), Verdict::Pass);
    let found = compare(&[run_figures(&before)], &[run_figures(&after)]);
    assert_eq!(found.verdict, Change::NoChange, "{}", found.reason);
    // The tree itself growing is worse by either figure.
    let leak = forking(|task| 100.0 + 5.0 * f64::from(task), |task| 100.0 + 5.0 * f64::from(task));
    assert_eq!(compare(&[run_figures(&before)], &[run_figures(&leak)]).verdict, Change::Worse);
}
