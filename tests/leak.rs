//! The leak check of your service: `cargo test --test leak`, or `cargo nextest run --test leak`.
//!
//! The load runs once; each criterion is judged in a test of its own. Without a
//! `highwater.toml` the embedded service is tested.

mod fixture;

use fixture::{assert_complete, assert_passes_if_judged, service};
use highwater::suite::{Measured, Running};
use rstest::rstest;
use serial_test::file_serial;

async fn leak_check(service: Running) -> Measured {
    service.leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()))
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn the_service_is_up_and_the_sampler_sees_every_role(#[future(awt)] service: Running) {
    let snapshot = service.sampler().client().observe().await.unwrap_or_else(|error| panic!("{error}"));
    for (role, found) in &service.sampler().found().roles {
        let seen = &snapshot.roles[role];
        assert_eq!(seen.unread, 0, "{role} cannot be read");
        for root in &found.roots {
            let process = seen.processes.iter().find(|process| process.id == root.id);
            assert!(process.is_some_and(|process| process.rss_bytes > 0), "{role} pid {}", root.id.pid);
        }
    }
    assert!(!snapshot.roles["worker"].processes.is_empty(), "{} has no worker", service.service());
}

/// Judged in every leak check.
#[rstest]
#[case::every_task_succeeds("leak.tasks")]
#[case::the_delta_of_every_long_task_stays_below_its_limit("leak.delta")]
#[case::memory_returns_to_its_baseline("leak.baseline")]
#[case::nothing_accumulates_over_the_repeats("leak.growth")]
#[case::no_worker_crashes("worker.alive")]
#[case::the_sampler_saw_every_role_at_every_tick("sampler.complete")]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn holds(#[future(awt)] service: Running, #[case] criterion: &str) {
    leak_check(service).await.assert_passes(criterion);
}

/// Judged where the plan asks for it, where it can be counted, or where there is doubt.
#[rstest]
#[case::no_descriptors_accumulate("leak.fds")]
#[case::no_threads_accumulate("leak.threads")]
#[case::no_processes_accumulate("leak.processes")]
#[case::no_gpu_memory_accumulates("leak.gpu")]
#[case::no_other_role_grows("leak.growth.*")]
#[case::the_worker_that_is_watched_does_the_work("worker.works")]
#[case::nothing_leaks_under_a_condition_that_was_probed("probe.*")]
#[case::it_grows_no_more_than_its_baseline("compare.*")]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn holds_where_it_is_judged(#[future(awt)] service: Running, #[case] criterion: &str) {
    assert_passes_if_judged(&leak_check(service).await, criterion);
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn no_criterion_is_without_a_case(#[future(awt)] service: Running) {
    assert_complete(&leak_check(service).await, include_str!("leak.rs"));
}
