//! Limits of a real service (`fixtures/asr-stack`): where it dies, and how it scales with its workers.

use serial_test::serial;

use crate::support::expect::{Told, finished};
use crate::support::runs::{Place, Running};
use crate::support::stack::Stack;

/// The ramp alone, one batch a level, on a machine that may be slower than the audio.
fn ramp(stack: &Stack, arguments: &str) -> Told {
    let place = Place::new(1, 1);
    let mut command = place.highwater();
    command.args(["run", "--json", "--results", "results", "--config", stack.text("config")]);
    command.arg("--short").arg(stack.recording("clip.wav")).arg("--long").arg(stack.recording("clip.wav"));
    let batch = "--only concurrency --set ramp.short_s=0 --set ramp.max_rtf=100 --set settle.quiet_s=0.2";
    command.args(batch.split(' ')).args(arguments.split_whitespace());
    finished(&place, Running::start(&mut command)).1
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[serial(machine)]
fn a_worker_that_dies_at_four_holds_three_and_is_named_with_its_signal() {
    // Levels of one, two and three tasks are six: the seventh is the first of the fourth level.
    let stack = Stack::start("--worker simple --behaviour crash@7");
    let told = ramp(&stack, "--max-concurrency 6 --set ramp.recover_s=1 --set ramp.exit_grace_s=1");
    let worker = stack.pid("worker", "rq worker");
    assert_eq!(told.object["max_stable_concurrency"], 3, "{}", told.stderr);
    assert_eq!(told.object["limit"]["broke_at"], 4, "{}", told.stderr);
    let broke = &told.object["broke"];
    assert_eq!(broke["clause"], "worker_alive", "{broke}");
    assert_eq!(broke["detail"], format!("worker pid {worker} was killed, signal 9"), "{broke}");
    assert_eq!(broke["pids"][0], worker, "{broke}");
    assert!(
        told.report.contains(&format!("c=4 broke: worker pid {worker} was killed, signal 9")),
        "{}",
        told.report
    );
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[serial(machine)]
fn two_workers_do_twice_what_one_does_and_the_table_shows_it() {
    // Tasks only wait, so that the number of cores does not matter.
    let scaling = |count: u32| {
        let stack = Stack::start(&format!("--worker simple --count {count} --behaviour slow=1"));
        let told = ramp(&stack, "--max-concurrency 2 --required 1");
        let levels = told.object["levels"].as_array().unwrap();
        let best = |concurrency: u64| {
            let own = levels.iter().filter(|level| level["concurrency"] == concurrency);
            own.map(|level| level["throughput"].as_f64().unwrap()).fold(0.0, f64::max)
        };
        assert!(told.report.contains("| tasks/s |"), "{}", told.report);
        for concurrency in [1, 2] {
            // To three digits.
            let rate = best(concurrency);
            let mut cells = told.report.split('|').filter_map(|cell| cell.trim().parse::<f64>().ok());
            assert!(cells.any(|cell| (cell / rate - 1.0).abs() < 0.005), "no {rate}:\n{}", told.report);
        }
        best(2) / best(1)
    };
    let (one, two) = (scaling(1), scaling(2));
    assert!(one < 1.3, "one worker does one task at a time, whatever the load: {one:.2} times");
    assert!(two > 1.5, "two workers: {two:.2} times what one task at a time gives");
}
