//! After a level that broke: probe tasks are announced and few, and a worker that came back gets a second attempt.

use highwater::demo::Embedded;
use serde_json::Value;
use serial_test::parallel;

use crate::support::expect::{Told, finished};
use crate::support::runs::{Place, Running, copy_program};

/// A ramp against a service whose workers are started again, found by what they are and not by a pid.
fn ramp(fault: &str, more: &str) -> Told {
    let place = Place::new(1, 1);
    // A program of its own: other tests have services with the same command line.
    let program = place.path("asr-service");
    copy_program(&program);
    let fault: Vec<String> = fault.split_whitespace().map(String::from).collect();
    let service = Embedded::start(&program, &fault).unwrap();
    let mut command = place.highwater();
    command.args("run --json --results results --short short.wav --long long.wav".split(' '));
    command.args("--only concurrency --max-concurrency 4 --max-rtf 100 --set ramp.max_lag_s=0".split(' '));
    command
        .args("--set settle.quiet_s=0.05 --set ramp.short_s=0 --set processes.worker.argv=worker".split(' '));
    command.args(more.split_whitespace());
    command.args(["--url", &service.ready().url]);
    command.args(["--set", &format!("processes.worker.exe={}", program.display())]);
    finished(&place, Running::start(&mut command)).1
}

#[test]
#[parallel(machine)]
fn a_worker_that_dies_of_every_task_ends_the_probes() {
    let told = ramp("--respawn --crash-at 1", "--set ramp.exit_grace_s=0 --set ramp.drain_s=0.1");
    let probes: Vec<&Value> = told.all("recovery_probe").collect();
    let sent: Vec<&Value> = told.tasks.iter().filter(|task| task["condition"] == "recovery").collect();
    assert!((1..=3).contains(&probes.len()), "{probes:?}\n{}", told.stderr);
    assert_eq!(probes.len(), sent.len(), "each is announced: {}", told.stderr);
    assert!(told.stderr.contains("probe 1: one task"), "{}", told.stderr);
    let alive = told.criterion("worker.alive")["detail"].as_str().unwrap();
    assert!(alive.matches("pid ").count() <= 3, "three events, or the first and the last: {alive}");
    for line in told.report.lines().filter(|line| line.starts_with('|')) {
        let longest = line.split('|').map(|cell| cell.trim().chars().count()).max().unwrap();
        assert!(longest < 200, "{line}");
    }
}

#[test]
#[parallel(machine)]
fn a_worker_that_came_back_is_given_a_second_attempt() {
    let told = ramp("--respawn --crash-at 3 --wait 200ms", "");
    assert_eq!(told.object["max_stable_concurrency"], 2, "{}", told.stderr);
    let broken = &told.object["limit"]["broken"];
    assert_eq!((&broken["broke"], &broken["held"]), (&2.into(), &0.into()), "{}", told.stderr);
}
