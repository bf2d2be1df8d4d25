//! Few tasks a side, whose recordings retain different amounts.

use rstest::rstest;

use super::*;

/// Tasks in which short ones keep `short` MB and long ones `long`, with an allocator that takes and gives back 22 MB
/// from task to task, and a wobble of `spread` MB.
fn kept(tasks: usize, short: f64, long: f64, spread: f64, seed: usize) -> RunFigures {
    run(tasks, move |task| {
        let (shorts, longs) = ((task / 2 + 1) as f64, task.div_ceil(2) as f64);
        short * shorts + long * longs + 22.0 * (task % 2) as f64 + spread * noise(seed, task)
    })
}

#[rstest]
#[case::a_gigabyte_within_six_tasks(6, 1000.0, 1000.0, 1.0)]
#[case::a_gigabyte_of_the_long_ones(6, 0.0, 1000.0, 1.0)]
#[case::a_large_leak_of_the_long_ones(12, 0.0, 370.0, 1.0)]
#[case::a_leak_of_10_mb(16, 10.0, 10.0, 0.2)]
#[case::a_leak_of_1_mb(60, 1.0, 1.0, 0.5)]
fn a_fix_is_proved_with_few_tasks(
    #[case] tasks: usize,
    #[case] short: f64,
    #[case] long: f64,
    #[case] spread: f64,
) {
    for seed in 0..6 {
        let (before, after) =
            (kept(tasks, short, long, spread, seed), kept(tasks, 0.0, 0.0, spread, seed + 20));
        let found = compare(std::slice::from_ref(&before), std::slice::from_ref(&after));
        assert_eq!(found.verdict, Change::Fixed, "{}", found.reason);
        assert_eq!(verdict(&after, &before), Change::Worse);
        assert_eq!(verdict(&before, &kept(tasks, short, long, spread, seed + 40)), Change::NoChange);
    }
}

#[test]
fn the_sides_need_not_have_sent_as_many() {
    let before = run(12, |task| 370.0 * task.div_ceil(2) as f64 + noise(1, task));
    let after = kept(22, 0.0, 0.0, 1.0, 2);
    let found = compare(&[before], &[after]);
    assert_eq!(found.verdict, Change::Fixed, "{}", found.reason);
    let said = found.reason.to_string();
    assert!(said.starts_with("memory grew by 370.") && said.contains(" MB per long task and "), "{said}");
}

#[test]
fn what_is_left_of_a_large_leak_is_not_fixed() {
    let (before, after) = (kept(16, 300.0, 300.0, 1.0, 1), kept(16, 30.0, 30.0, 1.0, 2));
    let found = compare(&[before], &[after]);
    assert_eq!(found.verdict, Change::Better, "{}", found.reason);
    assert!(!could_decide(&found), "that a rest is left is known");
}

#[test]
fn what_would_tell_is_named_with_its_key() {
    let wild = |seed| kept(12, 0.0, 0.0, 60.0, seed);
    let found = compare(&[wild(1)], &[wild(2)]);
    assert!(could_decide(&found));
    let needed = found.signals[0].tasks_needed.unwrap();
    let said = found.reason.to_string();
    assert!(said.contains(&format!("`leak.repeats = {}`", needed.div_ceil(2) - 1)), "{said}");
    assert!(said.contains("--baseline"), "{said}");
}

#[test]
fn nothing_is_never_negative() {
    let almost = |seed| kept(24, 0.0, 0.0, 0.0005, seed);
    let said = compare(&[almost(1)], &[almost(2)]).reason.to_string();
    assert!(said.contains(" 0 KB per task") && !said.contains("-0"), "{said}");
}

#[test]
fn a_figure_that_is_not_read_to_the_end_is_not_compared() {
    let mut before = kept(8, 1000.0, 1000.0, 1.0, 1);
    for (index, task) in before.tasks.iter_mut().enumerate() {
        task.private_mb = task.rss_mb;
        (task.pss_mb, task.pss_anon_mb) = if index < 2 { (task.rss_mb, task.rss_mb) } else { (None, None) };
    }
    let mut after = kept(22, 0.0, 0.0, 1.0, 2);
    for task in &mut after.tasks {
        (task.private_mb, task.pss_mb, task.pss_anon_mb) = (task.rss_mb, task.rss_mb, task.rss_mb);
    }
    assert_eq!(verdict(&before, &after), Change::Fixed);
}
