//! A real service that replaces its processes after some requests (`fixtures/recycled`).
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use highwater::plan::Plan;
use highwater::record::{Event, Verdict};
use highwater::suite::{Measured, Suite};

/// The master; its workers end with it.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A default leak check of two workers that are replaced after ten requests and keep `kept_mb` of each.
async fn judged(kept_mb: &str, results: &Path) -> Measured {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/recycled/prefork.py"));
    // Its workers end a moment after it: they must not hold the test's output.
    command
        .args(["2", "10", kept_mb, "20"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut service = Service(command.spawn().expect("python3 is installed"));
    let mut line = String::new();
    BufReader::new(service.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.split_whitespace().nth(1).unwrap();
    let mut plan = Plan::http(format!("http://127.0.0.1:{port}"), "/task").worker_pid(service.0.id());
    plan.results = results.to_path_buf();
    Suite::new(plan).leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()))
}

#[tokio::test]
#[ignore = "drives a Python service for up to two minutes"]
async fn a_leak_within_the_lives_of_workers_is_found() {
    let results = tempfile::tempdir().unwrap();
    let measured = judged("5", results.path()).await;
    let growth = measured.assessment.judgement.criterion("leak.growth").unwrap();
    println!("{}", growth.detail);
    assert_eq!(growth.verdict, Verdict::Fail, "{}", growth.detail);
    assert!(growth.detail.contains("each process grows until it is replaced"), "{}", growth.detail);
}

#[tokio::test]
#[ignore = "drives a Python service for up to two minutes"]
async fn workers_that_only_start_up_anew_are_not_accused() {
    let results = tempfile::tempdir().unwrap();
    let measured = judged("0", results.path()).await;
    let growth = measured.assessment.judgement.criterion("leak.growth").unwrap();
    println!("{}", growth.detail);
    assert_ne!(growth.verdict, Verdict::Fail, "{}", growth.detail);
    let run = highwater::journal::read(&measured.paths.tasks).unwrap();
    let lives = run.events.iter().filter(|record| matches!(record.event, Event::Lives(_))).count();
    assert!(lives > 20, "the lives were looked at: {lives} readings");
}
