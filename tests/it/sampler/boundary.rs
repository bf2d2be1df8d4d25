//! The footprint of a tree at the boundary of a task.

use std::time::Duration;

use highwater::record::Footprint;
use highwater::sampler::{Boundary, Pss, Sampler};

use super::{NEVER, start};
use crate::support::helper::{Helper, until};

async fn boundary(sampler: &Sampler, pss_budget: Option<Duration>) -> Boundary {
    let mut all = sampler.client().boundaries(&["worker"], pss_budget).await.expect("the sampler runs");
    all.remove("worker").expect("the role is there")
}

#[tokio::test]
async fn a_tree_is_added_up_with_all_that_it_holds() {
    let mut helper = Helper::spawn();
    let sampler = start(helper.role(), NEVER);
    let before = boundary(&sampler, None).await;
    assert_eq!((before.pss, before.footprint.pss_mb), (Pss::Unread, None), "it was not asked for");
    helper.tell("allocate 128");
    helper.tell("spike 64");
    helper.tell("open 7");
    helper.tell("threads 3");
    helper.tell("zombies 2");
    helper.tell("spawn");
    // /bin/true closes its output a moment before it is a zombie.
    let mut after = before.clone();
    for _ in 0..1000 {
        after = boundary(&sampler, Some(Duration::from_secs(60))).await;
        if after.footprint.zombies == Some(2) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let more = |figure: fn(&Footprint) -> Option<f64>| {
        figure(&after.footprint).expect("known") - figure(&before.footprint).expect("known")
    };
    let count = |figure: fn(&Footprint) -> Option<u64>| {
        (figure(&before.footprint).expect("known"), figure(&after.footprint).expect("known"))
    };
    assert!((more(|held| held.private_mb) - 128.0).abs() < 4.0, "{before:?} {after:?}");
    assert_eq!(count(|held| held.zombies), (0, 2));
    assert_eq!(count(|held| held.processes), (1, 2), "a zombie is no process");
    // The child has threads and descriptors of its own: three of each pipe, and the pipes to it.
    let (fds, more_fds) = count(|held| held.fds);
    assert!((fds + 7 + 3..fds + 7 + 40).contains(&more_fds), "{fds} {more_fds}");
    let (threads, more_threads) = count(|held| held.threads);
    assert!((threads + 4..threads + 8).contains(&more_threads), "{threads} {more_threads}");
    // Parent and child share a program: PSS counts it once, RSS twice.
    let (rss, pss) = (after.footprint.rss_mb.expect("known"), after.footprint.pss_mb.expect("read"));
    assert_eq!(after.pss, Pss::Read);
    assert!(pss > 128.0 && pss < rss, "PSS {pss} RSS {rss}");
    let peak = highwater::units::to_mb(after.peak_bytes.expect("known"));
    assert!((peak - (before.footprint.rss_mb.expect("known") + 192.0)).abs() < 8.0, "{peak}");
}

#[tokio::test]
async fn pss_is_not_read_where_it_would_stall_for_too_long() {
    let mut helper = Helper::spawn();
    helper.tell("allocate 256");
    let sampler = start(helper.role(), NEVER);
    // At 8 ms per GB, 256 MB take 2 ms.
    let found = boundary(&sampler, Some(Duration::from_millis(1))).await;
    let Pss::TooExpensive { estimate_s } = found.pss else { panic!("{found:?}") };
    assert!(estimate_s > 0.002 && found.footprint.pss_mb.is_none(), "{found:?}");
    assert!(found.footprint.private_mb.is_some_and(|mb| mb > 256.0), "{found:?}");
}

#[tokio::test]
async fn a_role_that_nobody_plays_holds_nothing() {
    let helper = Helper::spawn();
    let sampler = start(helper.role(), NEVER);
    helper.kill();
    until("it is gone", || {
        let snapshot = sampler.client().observe_blocking().expect("the sampler runs");
        snapshot.roles["worker"].processes.is_empty()
    });
    let found = boundary(&sampler, Some(Duration::from_secs(1))).await;
    assert_eq!(found.footprint, Footprint::default(), "and not 0 of anything");
}
