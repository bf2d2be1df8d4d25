//! The concurrency limit of your service.
//!
//! A short ramp runs always; the long one with
//! `cargo test concurrency -- --ignored`. Without a `highwater.toml` the
//! embedded service is tested.

mod fixture;

use fixture::{assert_complete, assert_passes_if_judged, service};
use highwater::record::Limit;
use highwater::suite::{Measured, Running};
use rstest::rstest;
use serial_test::file_serial;

/// The level that the short ramp ends at, unless the plan requires more.
const SHORT: u32 = 5;

/// The level that the long ramp ends at, unless the plan goes further.
const LONG: u32 = 20;

async fn ramp(service: Running, max: u32) -> Measured {
    service.ramp(max).await.unwrap_or_else(|error| panic!("{}", error.render()))
}

async fn short_ramp(service: Running) -> Measured {
    let max = SHORT.max(service.plan().ramp.required);
    ramp(service, max).await
}

/// Judged in every ramp.
#[rstest]
#[case::the_required_concurrency_succeeds("ramp.required")]
#[case::no_worker_crashes_under_concurrency("worker.alive")]
#[case::the_sampler_saw_every_role_at_every_tick("sampler.complete")]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn holds(#[future(awt)] service: Running, #[case] criterion: &str) {
    short_ramp(service).await.assert_passes(criterion);
}

/// Judged where the tasks have a length.
#[rstest]
#[case::throughput_rises_up_to_the_level_that_is_asked_for("ramp.useful")]
#[case::rtf_stays_below_its_bound_under_concurrency("ramp.rtf")]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn holds_where_it_is_judged(#[future(awt)] service: Running, #[case] criterion: &str) {
    assert_passes_if_judged(&short_ramp(service).await, criterion);
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn no_criterion_is_without_a_case(#[future(awt)] service: Running) {
    assert_complete(&short_ramp(service).await, include_str!("concurrency.rs"));
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
#[ignore = "long: `cargo test concurrency -- --ignored`"]
async fn maximum_stable_concurrency_is_found(#[future(awt)] service: Running) {
    let max = LONG.max(service.plan().ramp.max);
    let measured = ramp(service, max).await;
    let judgement = &measured.assessment.judgement;
    println!("{}\nreport: {}", judgement.limit, measured.paths.report.display());
    // A limit that was found by a crash is still a limit that was found.
    assert!(
        matches!(judgement.limit, Limit::Found { .. } | Limit::BoundReached { .. }),
        "{}\ndata: {}",
        judgement.limit,
        measured.paths.tasks.display()
    );
    measured.assert_passes("ramp.required");
}
