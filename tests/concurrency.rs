//! The concurrency limit of your service.
//!
//! A short ramp runs always; the long one with
//! `cargo test concurrency -- --ignored`. Without a `highwater.toml` the
//! embedded service is tested.

mod fixture;

use fixture::suite;
use highwater::record::Limit;
use highwater::suite::{Measured, Suite};
use rstest::rstest;
use serial_test::file_serial;

/// The level that the short ramp ends at, unless the plan requires more.
const SHORT: u32 = 5;

/// The level that the long ramp ends at, unless the plan goes further.
const LONG: u32 = 20;

async fn ramp(suite: &Suite, max: u32) -> Measured {
    suite.ramp(max).await.unwrap_or_else(|error| panic!("{}", error.render()))
}

async fn short_ramp(suite: &Suite) -> Measured {
    ramp(suite, SHORT.max(suite.plan().ramp.required)).await
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn the_required_concurrency_succeeds(suite: Suite) {
    short_ramp(&suite).await.assert_passes("ramp.required");
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn rtf_stays_below_its_bound_under_concurrency(suite: Suite) {
    short_ramp(&suite).await.assert_passes("ramp.rtf");
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn no_worker_crashes_under_concurrency(suite: Suite) {
    short_ramp(&suite).await.assert_passes("worker.alive");
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
#[ignore = "long: `cargo test concurrency -- --ignored`"]
async fn maximum_stable_concurrency_is_found(suite: Suite) {
    let max = LONG.max(suite.plan().ramp.max);
    let measured = ramp(&suite, max).await;
    let limit = &measured.assessment.judgement.limit;
    println!("{}\nreport: {}", limit.sentence(), measured.paths.report.display());
    // A limit that was found by a crash is still a limit that was found.
    assert!(
        matches!(limit, Limit::Found { .. } | Limit::BoundReached { .. }),
        "{}\ndata: {}",
        limit.sentence(),
        measured.paths.tasks.display()
    );
    measured.assert_passes("ramp.required");
}
