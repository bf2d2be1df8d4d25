//! A service in a container, known through the socket of its engine.
//!
//! The engine of most tests is inside the test, and its container cannot be seen from here. Those with a real Podman are
//! ignored unless asked for, since they need root, `podman` and `runc`: `cargo test --test it containers -- --ignored`.
#![cfg(target_os = "linux")]

mod fake;
mod real;

use highwater::plan::{Plan, ProcessPlan};

/// A short leak check of the worker in this container.
fn plan(mut plan: Plan, container: &str, socket: &std::path::Path, home: &std::path::Path) -> Plan {
    let worker = ProcessPlan {
        container: Some(container.to_string()),
        container_socket: Some(socket.display().to_string()),
        ..ProcessPlan::default()
    };
    plan.processes = [("worker".to_string(), worker)].into();
    plan.results = home.to_path_buf();
    plan.sampler.interval_s = 0.1;
    plan.settle.quiet_s = 0.05;
    plan.settle.max_s = 0.3;
    plan.settle.late_free_s = 0.3;
    plan.leak.repeats = 20;
    plan.leak.for_s = 0.0;
    plan
}
