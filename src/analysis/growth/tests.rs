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
    assert!(open.reason.contains("unless something larger than"), "{}", open.reason);
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
    assert!(
        flat.reason.starts_with("flat so far") && flat.reason.contains("about 6 tasks more"),
        "{}",
        flat.reason
    );
    let last = growth(&Readings::new(&series(19, |_| 0.0)));
    assert!(last.reason.contains("; one task more would tell"), "{}", last.reason);
    let risen = growth(&Readings::new(&series(40, |task| 6.0 * task.min(22) as f64)));
    assert!(risen.reason.starts_with("flat lately"), "{}", risen.reason);
    let wild = growth(&Readings::new(&series(20, |task| ((task * task * 7919) % 211) as f64)));
    assert!(wild.reason.starts_with("neither flat nor"), "{}", wild.reason);
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
