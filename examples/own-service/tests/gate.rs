//! The gate: this service does not leak memory, and serves four requests at once.

mod service;

use highwater::Result;
use highwater::plan::Plan;
use highwater::suite::Suite;
use serde_json::json;
use service::Service;

/// The request to send, the process to watch, and the memory that a request may keep.
fn gate(service: &Service) -> Suite {
    let text = "The tide came in slowly. Nobody on the pier counted the boats. ".repeat(1200);
    let mut plan = Plan::http(&service.url, "/summarise")
        .json(json!({ "text": text }))
        .health("/health")
        .worker_pid(service.pid());
    plan.leak.max_delta_mb = 20.0;
    Suite::new(plan)
}

#[tokio::test]
async fn summaries_do_not_leak() -> Result<()> {
    let service = Service::start();
    gate(&service).leak_check().await?.assert_all_pass();
    Ok(())
}

#[tokio::test]
async fn four_summaries_at_once_succeed() -> Result<()> {
    let service = Service::start();
    gate(&service).ramp(4).await?.assert_holds(4);
    Ok(())
}

/// The proof that the gate can fail.
#[tokio::test]
#[should_panic(expected = "FAIL  memory delta of every task")]
async fn a_leak_does_not_get_past_the_gate() {
    let service = Service::start_with_leak();
    gate(&service).leak_check().await.unwrap().assert_all_pass();
}
