//! The leak check of your service: `cargo nextest run --test leak`.
//!
//! The load runs once; each criterion is judged in a test of its own. Without a
//! `highwater.toml` the embedded service is tested.

mod fixture;

use fixture::suite;
use highwater::suite::{Measured, Suite};
use rstest::rstest;
use serial_test::file_serial;

async fn leak_check(suite: &Suite) -> Measured {
    suite.leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()))
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn every_task_succeeds(suite: Suite) {
    leak_check(&suite).await.assert_passes("leak.tasks");
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn the_delta_of_every_long_task_stays_below_its_limit(suite: Suite) {
    leak_check(&suite).await.assert_passes("leak.delta");
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn memory_returns_to_its_baseline(suite: Suite) {
    leak_check(&suite).await.assert_passes("leak.baseline");
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn nothing_accumulates_over_the_repeats(suite: Suite) {
    leak_check(&suite).await.assert_passes("leak.growth");
}

#[rstest]
#[tokio::test]
#[file_serial(highwater_suite)]
async fn no_worker_crashes(suite: Suite) {
    leak_check(&suite).await.assert_passes("worker.alive");
}
