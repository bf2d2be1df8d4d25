//! Planted faults: each must be caught and named, and nothing harmless may fail.
//!
//! One table, one verifier (`tests/expect`); the service and its faults are real.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod expect;
mod runs;

use rstest::rstest;
use serial_test::file_serial;

use expect::{Expect, check};
use runs::Place;

/// The service retains for ever what it leaks here: there is no late free to be patient for.
const LEAK: &str = "--only leak --set settle.late_free_s=0.5";

/// Slow enough that all tasks of a level are outstanding before the first of them is done.
const RAMP: &str = "--only concurrency --max-concurrency 6";
const SLOW: &str = "--slow 4";

const LONG_S: u32 = 60;

#[rstest]
#[case::large_leak(
    "--leak 300MB",
    &[("leak.tasks", "pass"), ("leak.delta", "fail"), ("worker.alive", "pass")],
    &["delta +286", "≥ 200 MB", "the leak is certain"]
)]
#[case::leak_below_the_gate(
    "--leak 40MB",
    &[("leak.tasks", "pass"), ("leak.delta", "pass"), ("leak.baseline", "fail"), ("leak.growth", "fail")],
    &["without slowing down", "and still growing"]
)]
#[case::leak_on_every_third_task(
    "--leak 60MB --leak-every 3",
    &[("leak.delta", "pass"), ("leak.baseline", "fail"), ("leak.growth", "fail")],
    &["without slowing down"]
)]
#[case::leak_of_failed_tasks(
    "--fail-at 1 --leak 250MB --leak-when failed",
    &[("leak.tasks", "fail"), ("leak.delta", "fail"), ("worker.alive", "pass")],
    &["out of capacity", "≥ 200 MB"]
)]
#[case::severe_leak(
    "--leak 600MB",
    &[("leak.delta", "fail")],
    &["SEVERE (> 500 MB)"]
)]
#[file_serial(highwater_suite)]
fn a_leak_is_caught(#[case] fault: &str, #[case] criteria: &[(&str, &str)], #[case] words: &[&str]) {
    let place = Place::new(4, 8);
    check(&place, LEAK, fault, &Expect { exit: 1, criteria, words, ..Expect::default() });
}

#[test]
#[file_serial(highwater_suite)]
fn a_leak_on_long_audio_alone_is_caught() {
    // The service calls audio of more than 300 s long.
    let place = Place::new(4, 301);
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.tasks", "pass"), ("leak.delta", "fail")],
        words: &["≥ 200 MB", "long"],
        ..Expect::default()
    };
    let told = check(&place, LEAK, "--leak 250MB --leak-when long", &expect);
    for task in told.tasks.iter().filter(|task| task["kind"] == "short") {
        let delta = task["worker_rss_delta_mb"].as_f64().unwrap();
        assert!(delta < 100.0, "a short task is charged with what it did not leak: {task}");
    }
}

#[test]
#[file_serial(highwater_suite)]
fn a_leak_of_parallel_tasks_shows_in_the_memory_of_the_levels() {
    let place = Place::new(LONG_S, LONG_S);
    let fault = format!("--leak 100MB --leak-when parallel {SLOW}");
    let arguments = "--only concurrency --max-concurrency 2 --required 2";
    let expect = Expect { exit: 0, ..Expect::default() };
    let told = check(&place, arguments, &fault, &expect);
    let growth: Vec<f64> = told
        .all("level_ended")
        .map(|level| {
            level["memory"]["after_mb"].as_f64().unwrap() - level["memory"]["before_mb"].as_f64().unwrap()
        })
        .collect();
    assert_eq!(growth.len(), 2, "{}", told.stderr);
    assert!(growth[0] < 45.0, "one task at a time leaks nothing: {growth:?}");
    assert!(growth[1] > 90.0, "two at a time leak 95 MB: {growth:?}");
}

#[rstest]
#[case::nothing_planted("", &[])]
#[case::a_cache_that_fills("--cache 8x24MB", &["something that fills, not a leak"])]
// Reported, though not judged.
#[case::a_model_that_loads_at_the_first_task("--warmup 200MB", &["warm-up: the first short task kept +19"])]
#[case::a_work_horse_for_each_task("--fork", &[])]
// Patience is 8 s by default. What is tried is that it exceeds the delay; a
// shorter delay tries the same and costs less at each of the tasks.
#[case::memory_freed_late("--late-free 1s", &[])]
#[file_serial(highwater_suite)]
fn a_harmless_look_alike_passes(#[case] fault: &str, #[case] words: &[&str]) {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 0,
        criteria: &[
            ("leak.tasks", "pass"),
            ("leak.delta", "pass"),
            ("leak.baseline", "pass"),
            ("leak.growth", "pass"),
            ("worker.alive", "pass"),
        ],
        words,
        ..Expect::default()
    };
    check(&place, "--only leak", fault, &expect);
}

#[test]
#[file_serial(highwater_suite)]
fn a_ramp_without_a_fault_reaches_its_bound_and_says_so() {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 0,
        criteria: &[("ramp.required", "pass"), ("ramp.rtf", "pass"), ("worker.alive", "pass")],
        words: &["o limit found up to the configured bound: c=3 held"],
        ..Expect::default()
    };
    let told = check(&place, "--only concurrency --max-concurrency 3", "", &expect);
    assert!(!told.report.contains("aximum stable concurrency"), "{}", told.report);
    assert_eq!(told.object["limit"]["ending"], "bound_reached");
}

#[test]
#[file_serial(highwater_suite)]
fn a_crash_names_the_killed_worker_and_the_level_below_it() {
    let place = Place::new(LONG_S, LONG_S);
    let expect = Expect {
        exit: 1,
        criteria: &[("worker.alive", "fail"), ("ramp.required", "pass")],
        max_stable: Some(3),
        broke: Some(("worker_alive", "worker pid {worker} was killed, signal 9")),
        words: &["aximum stable concurrency: 3", "worker pid {worker} was killed, signal 9"],
    };
    let told = check(&place, RAMP, &format!("--crash-at 4 {SLOW}"), &expect);
    assert_eq!(told.object["broke"]["pids"], serde_json::json!([told.worker()]));
    let exit = told.all("process_exited").next().unwrap();
    assert_eq!((&exit["pid"], &exit["how"]["signal"]), (&told.worker().into(), &9.into()));
    assert_eq!(told.level(4).len(), 4, "every task of the level has its line");
}

#[test]
#[file_serial(highwater_suite)]
fn a_worker_that_a_supervisor_restarts_has_crashed_all_the_same() {
    let place = Place::new(LONG_S, LONG_S);
    let expect = Expect {
        exit: 1,
        criteria: &[("worker.alive", "fail"), ("ramp.required", "fail")],
        max_stable: Some(2),
        broke: Some(("worker_alive", "worker pid {worker} was killed, signal 9")),
        words: &["aximum stable concurrency: 2"],
    };
    check(&place, RAMP, &format!("--respawn --crash-at 3 {SLOW}"), &expect);
}

#[test]
#[file_serial(highwater_suite)]
fn a_service_that_fails_under_load_is_told_from_one_that_crashes() {
    let place = Place::new(LONG_S, LONG_S);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("worker.alive", "pass")],
        max_stable: Some(2),
        broke: Some(("tasks_succeed", "")),
        words: &["aximum stable concurrency: 2", "out of capacity: 3 tasks outstanding"],
    };
    let told = check(&place, RAMP, &format!("--fail-at 3 {SLOW}"), &expect);
    let failed = told.level(3).into_iter().find(|task| task["status"] == "failed").unwrap();
    assert_eq!(failed["error_kind"], "failed");
    assert!(failed["task_id"].is_string(), "the service's name of a failed task is kept: {failed}");
}

#[test]
#[file_serial(highwater_suite)]
fn a_refused_submission_has_a_line_of_its_own() {
    let place = Place::new(LONG_S, LONG_S);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("worker.alive", "pass")],
        max_stable: Some(2),
        broke: Some(("tasks_succeed", "1 of 3 tasks failed: rejected: HTTP 503")),
        words: &["aximum stable concurrency: 2", "rejected: HTTP 503"],
    };
    let told = check(&place, RAMP, &format!("--reject-at 3 {SLOW}"), &expect);
    let level = told.level(3);
    assert_eq!(level.len(), 3, "{}", told.stderr);
    let refused: Vec<_> = level.iter().filter(|task| task["http_status"] == 503).collect();
    assert_eq!(refused.len(), 1, "{level:?}");
    assert_eq!((&refused[0]["status"], &refused[0]["error_kind"]), (&"failed".into(), &"rejected".into()));
}

#[test]
#[file_serial(highwater_suite)]
fn a_service_that_hangs_under_load_is_a_timeout_not_a_crash() {
    let place = Place::new(LONG_S, LONG_S);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("worker.alive", "pass")],
        max_stable: Some(2),
        broke: Some(("tasks_succeed", "3 of 3 tasks failed: no result within 12 s")),
        words: &["aximum stable concurrency: 2"],
    };
    let told = check(&place, &format!("{RAMP} --timeout 12"), &format!("--hang 3 {SLOW}"), &expect);
    let level = told.level(3);
    assert_eq!(level.len(), 3);
    assert!(level.iter().all(|task| task["status"] == "timeout"), "{level:?}");
}

#[test]
#[file_serial(highwater_suite)]
fn a_service_that_answers_nothing_ends_the_leak_check_soon() {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.tasks", "fail"), ("worker.alive", "pass")],
        words: &["cut short", "no result within 1 s"],
        ..Expect::default()
    };
    let told = check(&place, "--only leak --timeout 1", "--hang", &expect);
    assert_eq!(told.tasks.len(), 2, "a third timeout would teach nothing");
}

#[test]
#[file_serial(highwater_suite)]
fn rtf_ends_the_ramp_where_it_is_asked_to() {
    // With 100 times the work RTF is about 0.3 on two cores at rest; the bound
    // lies so far below that no machine is fast enough to keep it.
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("ramp.rtf", "fail"), ("worker.alive", "pass")],
        max_stable: Some(0),
        broke: Some(("rtf", "RTF ")),
        words: &["o stable concurrency: already c=1 failed"],
    };
    check(&place, &format!("{RAMP} --max-rtf 0.02 --stop-at-rtf"), "--slow 100", &expect);
}

#[test]
#[file_serial(highwater_suite)]
fn rtf_fails_its_criterion_but_ends_no_ramp_unasked() {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "pass"), ("ramp.rtf", "fail"), ("worker.alive", "pass")],
        words: &["c=3 held"],
        ..Expect::default()
    };
    let arguments = "--only concurrency --max-concurrency 3 --max-rtf 0.02";
    check(&place, arguments, "--slow 100", &expect);
}
