//! Runs whose tasks were sent in blocks, and checks that ended early as certain.

use rstest::rstest;

use super::*;
use crate::record::BlockReading;

/// A worker that holds `mb`.
fn holding(mb: f64) -> Footprint {
    Footprint {
        rss_mb: Some(mb + 8.0),
        private_mb: Some(mb),
        fds: Some(12),
        processes: Some(1),
        ..Footprint::default()
    }
}

/// A check of six single tasks, then of blocks that grow until `tasks` tasks were sent; memory is `mb(tasks)`.
fn in_blocks(tasks: u32, mb: impl Fn(f64) -> f64) -> RunFigures {
    let held = |done: u32| holding(50.0 + mb(f64::from(done)));
    let single = |index: u32| {
        let held = held(index + 1);
        TaskFigures {
            input: if index.is_multiple_of(2) { "short a.wav" } else { "long b.wav" }.to_string(),
            rss_mb: held.rss_mb,
            private_mb: held.private_mb,
            fds: held.fds.map(|count| count as f64),
            ..TaskFigures::default()
        }
    };
    let (mut blocks, mut done) = (Vec::new(), 6);
    while done < tasks {
        let count = (done / 5).max(40).min(tasks - done);
        done += count;
        blocks.push(BlockReading {
            block: blocks.len() as u32 + 1,
            tasks: done,
            seconds: f64::from(done) / 50.0,
            busy_seconds: f64::from(count) / 100.0,
            settled: true,
            worker: Some(held(done)),
            floor_rss_mb: None,
            floor_tasks: None,
        });
    }
    RunFigures { tasks: (0..6).map(single).collect(), blocks, ..RunFigures::default() }
}

/// `wander` MB that differ from reading to reading and from run to run.
fn growing(tasks: u32, rate: f64, seed: usize) -> RunFigures {
    in_blocks(tasks, move |done| rate * done + 0.4 * noise(seed, done as usize))
}

#[rstest]
#[case::a_leak_is_fixed((1.0, 700), (0.0, 2000), Change::Fixed)]
#[case::a_small_leak_is_fixed((0.02, 3000), (0.0, 2000), Change::Fixed)]
#[case::a_leak_is_made((0.0, 2000), (1.0, 700), Change::Worse)]
#[case::a_small_leak_is_made((0.0, 2000), (0.02, 3000), Change::Worse)]
#[case::two_clean((0.0, 2000), (0.0, 1200), Change::NoChange)]
#[case::two_equal_leaks((1.0, 700), (1.0, 900), Change::NoChange)]
#[case::a_leak_that_is_left_in_part((1.0, 700), (0.2, 1500), Change::Better)]
fn growth_in_blocks_is_compared(
    #[case] before: (f64, u32),
    #[case] after: (f64, u32),
    #[case] expected: Change,
) {
    for seed in 0..6 {
        let side = |(rate, tasks), seed| growing(tasks, rate, seed);
        let found = compare(&[side(before, seed)], &[side(after, seed + 20)]);
        assert_eq!(found.verdict, expected, "{}", found.reason);
        let memory = &found.signals[0];
        assert_eq!(memory.difference.unwrap().method, Method::Rates);
    }
}

#[test]
fn two_equal_leaks_in_blocks_go_on() {
    let found = compare(&[growing(3000, 0.02, 1)], &[growing(3000, 0.02, 2)]);
    assert_eq!(found.verdict, Change::NoChange);
    assert!(found.reason.to_string().starts_with("still growing: "), "{}", found.reason);
}

#[test]
fn what_an_allocator_adds_in_a_doubling_is_not_worse() {
    let pools = in_blocks(1200, |done| if done > 800.0 { 2.0 } else { 0.0 });
    assert_eq!(verdict(&growing(1200, 0.0, 1), &pools), Change::NoChange);
}

#[test]
fn a_cache_that_fills_during_the_blocks_is_not_called_worse() {
    let cache = in_blocks(1200, |done| 300.0 * (1.0 - (-done / 500.0).exp()));
    let found = compare(&[growing(1200, 0.0, 1)], &[cache]);
    assert_eq!(found.verdict, Change::NotEnoughData, "{}", found.reason);
}

#[test]
fn too_few_blocks_and_an_unread_one_are_not_enough() {
    let mut unread = growing(1200, 0.0, 1);
    unread.blocks[3].worker = None;
    assert_eq!(verdict(&growing(1200, 1.0, 1), &unread), Change::NotEnoughData);
    let few = growing(90, 0.0, 1);
    assert_eq!(verdict(&growing(1200, 1.0, 1), &few), Change::NotEnoughData);
}

#[test]
fn the_floor_within_a_block_is_a_reading() {
    // What the last task of every block still holds is in the quiet reading, and not in the floor.
    let mut held = growing(1200, 0.0, 1);
    for (index, block) in held.blocks.iter_mut().enumerate() {
        let rss_mb = block.worker.and_then(|worker| worker.rss_mb).unwrap();
        let late_mb = 40.0 * ((index + 1) % 3) as f64;
        block.worker = Some(holding(rss_mb - 8.0 + late_mb));
        (block.floor_rss_mb, block.floor_tasks) = (Some(rss_mb), Some(block.tasks - 1));
    }
    let width = |run: &RunFigures| {
        let found = compare(&[growing(1200, 1.0, 1)], std::slice::from_ref(run));
        (found.verdict, found.signals[0].after.unwrap().high)
    };
    let (with_floors, high) = width(&held);
    assert_eq!(with_floors, Change::Fixed);
    held.blocks.iter_mut().for_each(|block| block.floor_rss_mb = None);
    assert!(width(&held).1 > 2.0 * high, "{:?} is not much wider than {high}", width(&held));
}

/// A check that ended early: `kept` MB for each task, whose recordings alternate.
fn certain(kept: &[f64]) -> RunFigures {
    let whole: Vec<f64> = kept
        .iter()
        .scan(0.0, |whole, kept| {
            Some({
                *whole += kept;
                *whole
            })
        })
        .collect();
    RunFigures { ended_as_certain: true, ..run(kept.len(), |task| whole[task]) }
}

#[test]
fn a_check_that_ended_as_certain_is_compared_by_recording() {
    let large = certain(&[12.0, 382.0, 0.3, 370.2, -0.2, 369.9, 0.1, 370.1]);
    let clean = run(24, |task| 0.2 * noise(3, task));
    for (before, after, expected) in [
        (&large, &clean, Change::Fixed),
        (&large, &growing(1200, 0.0, 1), Change::Fixed),
        (&clean, &large, Change::Worse),
        (&large, &large, Change::NoChange),
    ] {
        let found = compare(std::slice::from_ref(before), std::slice::from_ref(after));
        assert_eq!(found.verdict, expected, "{}", found.reason);
    }
    let found = compare(&[large], &[clean]);
    let rate = found.signals[0].before.unwrap();
    assert!((rate.per_task - 185.07).abs() < 0.1 && rate.high - rate.low < 1.0, "{rate:?}");
}

#[test]
fn a_certain_end_with_hardly_a_repeat_or_wild_ones_is_not_enough() {
    assert_eq!(verdict(&certain(&[300.0, 300.0, 300.0]), &run(24, |_| 0.0)), Change::NotEnoughData);
    let wild = certain(&[300.0, 300.0, 210.0, 900.0, 800.0]);
    assert_eq!(verdict(&wild, &run(24, |_| 0.0)), Change::NotEnoughData);
}

#[test]
fn figures_of_older_versions_are_read() {
    let old =
        r#"{"file":"a.jsonl","tasks":[{"input":"a.wav","rss_mb":100.0}],"failed":0,"worker_changed":false}"#;
    let read: RunFigures = serde_json::from_str(old).unwrap();
    assert!(read.blocks.is_empty() && !read.ended_as_certain);
    let written = serde_json::to_string(&read).unwrap();
    assert!(!written.contains("blocks") && !written.contains("ended"), "{written}");
    let blocks = in_blocks(1200, |done| 0.5 * done);
    let again: RunFigures = serde_json::from_str(&serde_json::to_string(&blocks).unwrap()).unwrap();
    assert_eq!(again, blocks);
}
