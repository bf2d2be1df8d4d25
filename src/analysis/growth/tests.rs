use super::*;

fn series(tasks: usize, at: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..tasks).map(|task| 600.0 + at(task)).collect()
}

fn answer(readings: &[f64]) -> Answer {
    growth(&Readings::new(readings)).answer
}

#[test]
fn a_large_leak_is_found_soon() {
    assert_eq!(answer(&series(12, |task| 40.0 * task as f64)), Answer::Leak);
    assert_eq!(answer(&series(10, |task| 300.0 * task as f64)), Answer::Leak);
}

#[test]
fn a_small_leak_is_found_once_it_has_gone_on() {
    let leak = series(100, |task| 1.2 * task as f64);
    assert_eq!(answer(&leak[..30]), Answer::Inconclusive);
    let found = growth(&Readings::new(&leak));
    assert_eq!(found.answer, Answer::Leak);
    assert_eq!(
        found.sentence(Some(200.0)),
        "LEAK: +1.2 MB per task (98 % interval 1.2 to 1.2) over 100 tasks; would pass a 200 MB gate for 166 tasks"
    );
}

#[test]
fn growing_is_told_with_what_it_may_be_and_what_would_decide() {
    let open = growth(&Readings::new(&series(30, |task| 2.0 * task as f64)));
    assert_eq!(open.answer, Answer::Inconclusive);
    assert!(matches!(open.reason, Reason::Growing { slowing: false, .. }), "{:?}", open.reason);
    assert!(open.tasks_needed > 0);
}

#[test]
fn what_a_large_runtime_lacks_is_told_in_tasks_that_would_do() {
    let leak = series(400, |task| 0.95 * task as f64);
    let of_runtime =
        |tasks: usize| growth(&Readings { file_mb: Some(40.0), ..Readings::new(&leak[..tasks]) });
    let open = of_runtime(80);
    assert_eq!(open.answer, Answer::Inconclusive);
    assert!(open.tasks_needed > 10, "{}", open.reason);
    assert_eq!(of_runtime(80 + 2 * open.tasks_needed).answer, Answer::Leak, "{}", open.reason);
}

#[test]
fn a_cache_that_fills_and_stops_is_no_leak() {
    let cache = |task: usize| 24.0 * task.min(8) as f64;
    for tasks in 8..120 {
        assert_ne!(answer(&series(tasks, cache)), Answer::Leak, "{tasks} tasks");
    }
    assert_eq!(answer(&series(40, cache)), Answer::Clean);
}

#[test]
fn flat_memory_is_clean() {
    assert_eq!(answer(&series(24, |task| (task % 3) as f64 / 10.0)), Answer::Clean);
    assert_eq!(answer(&series(40, |task| -2.0 * task as f64)), Answer::Clean, "memory that falls");
}

#[test]
fn few_readings_decide_nothing() {
    for tasks in 0..8 {
        assert_eq!(answer(&series(tasks, |_| 0.0)), Answer::Inconclusive, "{tasks} tasks");
    }
}

#[test]
fn what_is_flat_and_too_short_is_called_flat() {
    let flat = growth(&Readings::new(&series(14, |task| (task % 3) as f64 / 100.0)));
    assert_eq!((flat.answer, flat.tasks_needed), (Answer::Inconclusive, 6));
    let why = |growth: &Growth| match growth.reason {
        Reason::Undecided { why, .. } => Some(why),
        _ => None,
    };
    assert_eq!(why(&flat), Some(Undecided::Few), "{}", flat.reason);
    let risen = growth(&Readings::new(&series(40, |task| 6.0 * task.min(22) as f64)));
    assert_eq!(why(&risen), Some(Undecided::Lately), "{}", risen.reason);
    let wild = growth(&Readings::new(&series(20, |task| ((task * task * 7919) % 211) as f64)));
    assert_eq!(why(&wild), Some(Undecided::Noisy), "{}", wild.reason);
}

#[test]
fn growth_that_has_ended_or_paused_for_a_third_is_no_leak() {
    for tasks in 70..90 {
        assert_ne!(answer(&series(tasks, |task| 2.0 * task.min(66) as f64)), Answer::Leak, "{tasks} tasks");
    }
    let paused = |task: usize| (task.min(35) + task.saturating_sub(60)) as f64;
    assert_eq!(answer(&series(90, paused)), Answer::Inconclusive);
}

#[test]
fn growth_by_entries_of_a_cache_has_to_outlast_it() {
    let entries = series(64, |task| 2.5 * task as f64);
    assert_eq!(answer(&entries[..63]), Answer::Inconclusive, "a cache of sixty entries");
    assert_eq!(answer(&entries), Answer::Leak);
    assert_eq!(answer(&series(20, |task| 5.0 * task as f64)), Answer::Inconclusive, "twenty entries of 5 MB");
}

#[test]
fn where_nothing_is_left_that_could_fill_growth_is_a_leak_sooner() {
    let leak = series(26, |task| 1.2 * task as f64);
    assert_eq!(answer(&leak), Answer::Inconclusive);
    let seen = growth(&Readings { inputs_seen: true, ..Readings::new(&leak) });
    assert_eq!(seen.answer, Answer::Leak, "{}", seen.reason);
}

#[test]
fn an_interval_is_never_narrower_than_an_allocators_wandering() {
    let leak = growth(&Readings::new(&series(100, |task| 1.2 * task as f64)));
    let width = leak.high.unwrap() - leak.low.unwrap();
    assert!((0.04..0.06).contains(&width), "{width}");
}

#[test]
fn who_looks_often_has_to_be_surer_at_each_look() {
    // Growth of 1.2 MB per task below noise of 25 MB.
    let mut seed = 7_u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f64 / (1_u64 << 24) as f64
    };
    let (mut once, mut often) = (0, 0);
    for _ in 0..60 {
        let readings: Vec<f64> = (0..72).map(|task| 600.0 + 1.2 * f64::from(task) + 25.0 * noise()).collect();
        once += usize::from(answer(&readings) == Answer::Leak);
        let look = growth(&Readings { looks: LOOKS, ..Readings::new(&readings) });
        often += usize::from(look.answer == Answer::Leak);
    }
    assert!(4 * often < 3 * once && once >= 10, "{often} of 60 at one look of ten, {once} at the only one");
}

/// Readings as the leak check takes them: six single tasks, then blocks by which the number of tasks grows by a fifth.
fn in_blocks(tasks: f64, mb: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
    let mut at: Vec<f64> = (1..=6).map(f64::from).collect();
    while at[at.len() - 1] < tasks {
        at.push((at[at.len() - 1] * 1.19).ceil().min(tasks));
    }
    let after = at.iter().map(|at| mb(*at)).collect();
    (at, after)
}

fn over_doublings(tasks: f64, mb: impl Fn(f64) -> f64) -> Growth {
    let (at, after) = in_blocks(tasks, mb);
    growth(&Readings { at: &at, ..Readings::new(&after) })
}

#[test]
fn over_thousands_of_tasks_a_small_leak_is_found_and_nobody_is_accused_before() {
    let leak = |task: f64| 60.0 + 0.018 * task;
    for tasks in [20.0, 80.0, 200.0, 500.0, 900.0] {
        assert_eq!(over_doublings(tasks, leak).answer, Answer::Inconclusive, "{tasks}");
    }
    let found = over_doublings(1000.0, leak);
    assert_eq!((found.answer, found.firm), (Answer::Leak, false), "{}", found.reason);
    let sure = over_doublings(4000.0, leak);
    assert_eq!((sure.answer, sure.firm), (Answer::Leak, true), "{}", sure.reason);
    assert!((sure.rate_mb_per_task.unwrap() - 0.018).abs() < 1e-6);
}

#[test]
fn a_cache_of_hundreds_of_entries_is_never_a_leak_and_clean_once_it_is_full() {
    for entries in [120.0, 200.0, 290.0, 500.0, 700.0] {
        let cache = |task: f64| 60.0 + 0.45 * task.min(entries);
        for tasks in [100.0, 300.0, 600.0, 1000.0, 1400.0, 2000.0, 3000.0] {
            let found = over_doublings(tasks, cache);
            assert_ne!(found.answer, Answer::Leak, "{entries} entries, {tasks} tasks: {}", found.reason);
        }
        let full = over_doublings(3000.0, cache);
        assert_eq!(full.answer, Answer::Clean, "{entries}: {}", full.reason);
        assert!(matches!(full.reason, Reason::Flat { filled: true, .. }), "{}", full.reason);
    }
}

#[test]
fn a_cache_of_two_thousand_entries_is_no_leak_where_time_allows_to_wait_for_it() {
    let cache = |task: f64| 60.0 + 0.1 * task.min(2000.0);
    for tasks in [1000.0, 1500.0, 2000.0, 2600.0, 3500.0, 4000.0, 6000.0] {
        let found = over_doublings(tasks, cache);
        assert!(found.answer != Answer::Leak || !found.firm, "{tasks}: {}", found.reason);
    }
    assert_eq!(over_doublings(5700.0, cache).answer, Answer::Clean);
}

#[test]
fn leaks_in_bursts_on_one_task_in_five_and_from_the_middle_on_are_found() {
    let bursts = over_doublings(2000.0, |task| 60.0 + 20.0 * (task / 40.0).floor());
    assert_eq!(bursts.answer, Answer::Leak, "{}", bursts.reason);
    let stairs = over_doublings(2000.0, |task| 60.0 + 0.7 * (task / 5.0).floor());
    assert_eq!(stairs.answer, Answer::Leak, "{}", stairs.reason);
    let late = |task: f64| 60.0 + 0.05 * (task - 500.0).max(0.0);
    assert_ne!(over_doublings(1000.0, late).answer, Answer::Clean);
    assert_eq!(over_doublings(3000.0, late).answer, Answer::Leak);
}

#[test]
fn a_clean_claim_covers_what_free_memory_can_hide() {
    // 40 MB are free after the first tasks and take up 30 KB of each task unseen.
    let (at, after) = in_blocks(1200.0, |_| 80.0);
    let slack = growth(&Readings { at: &at, slack_mb: Some(40.0), ..Readings::new(&after) });
    assert_eq!(slack.answer, Answer::Clean);
    assert!(slack.detectable_mb_per_task.unwrap() >= 0.03, "{}", slack.reason);
    assert!(!slack.firm, "more tasks exclude smaller leaks");
}

#[test]
fn hundreds_of_megabytes_are_never_nothing_however_many_tasks_they_took() {
    // A Java map that takes 10 KB with every task, in steps of its heap: 470 MB over 60,000 tasks.
    let steps = over_doublings(60_000.0, |task| 50.0 + 80.0 * (0.0078 * task / 80.0).floor());
    assert_ne!(steps.answer, Answer::Clean, "{}", steps.reason);
    // A small one is clean by its bound, and still worth more tasks.
    let small = over_doublings(10_000.0, |task| 11.0 + 0.002 * task + 0.2 * (task / 640.0).sin());
    assert!(small.answer == Answer::Leak || !small.firm, "{}", small.reason);
}

#[test]
fn a_fall_that_could_hide_a_leak_is_not_clean() {
    let falls = over_doublings(1200.0, |task| 900.0 - 0.4 * task);
    assert_eq!(falls.answer, Answer::Inconclusive, "{}", falls.reason);
    assert!(matches!(falls.reason, Reason::Unsettled { why: Unsettled::Falls, .. }), "{:?}", falls.reason);
}

#[test]
fn the_heap_of_a_large_runtime_has_to_come_further() {
    let (at, after) = in_blocks(2500.0, |task| 60.0 + 0.1 * task);
    let runtime = growth(&Readings { at: &at, file_mb: Some(40.0), ..Readings::new(&after) });
    assert_eq!(runtime.answer, Answer::Inconclusive, "{}", runtime.reason);
    let (at, after) = in_blocks(2500.0, |task| 60.0 + 0.3 * task);
    let leak = growth(&Readings { at: &at, file_mb: Some(40.0), ..Readings::new(&after) });
    assert_eq!(leak.answer, Answer::Leak, "{}", leak.reason);
}

#[test]
fn a_bound_names_what_it_comes_to_in_a_day() {
    let (at, after) = in_blocks(4000.0, |_| 80.0);
    let flat =
        growth(&Readings { at: &at, slack_mb: Some(2.0), per_second: Some(80.0), ..Readings::new(&after) });
    assert_eq!(
        flat.sentence(None),
        "CLEAN: nothing accumulates over 4,000 tasks; a leak of 0.51 KB per task would have been seen: at 80 tasks a \
         second under 3.4 GB a day"
    );
}
