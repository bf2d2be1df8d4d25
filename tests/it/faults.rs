//! Planted faults: each must be caught and named, and nothing harmless may fail.
//!
//! One table, one verifier (`support/expect.rs`); the service and its faults are real.

mod attributed;
mod compared;
mod probed;

use rstest::rstest;
use serial_test::parallel;

use crate::support::expect::{self, Expect, check};
use crate::support::runs::Place;

/// The service retains for ever what it leaks here: there is no late free to be patient for.
const LEAK: &str = "--only leak --set settle.late_free_s=0.5";

/// Patience is 8 s by default. What is tried is that it exceeds a delay; less of
/// both tries the same and costs less at each of the tasks.
const PATIENT: &str = "--only leak --set settle.late_free_s=2";

/// Enough that all tasks of a level are outstanding before the first of them is done.
const RAMP: &str = "--only concurrency --max-concurrency 6";
const SLOW: &str = "--wait 300ms";

/// A service that is planted to stay broken need not be waited for.
const SOON: &str = "--set ramp.recover_s=1";

#[rstest]
#[case::large_leak(
    "--leak 300MB",
    &[("leak.tasks", "pass"), ("leak.delta", "fail"), ("worker.alive", "pass")],
    &["delta +286", "≥ 200 MB", "LEAK: +28"]
)]
#[case::leak_below_the_gate(
    "--leak 40MB",
    &[("leak.tasks", "pass"), ("leak.delta", "pass"), ("leak.baseline", "fail"), ("leak.growth", "fail")],
    &["LEAK: +38", "and still growing"]
)]
#[case::leak_on_every_third_task(
    "--leak 60MB --leak-every 3",
    &[("leak.delta", "pass"), ("leak.baseline", "fail"), ("leak.growth", "fail")],
    &["LEAK: +19"]
)]
#[case::leak_of_failed_tasks(
    "--fail-at 1 --leak 250MB --leak-when failed",
    &[("leak.tasks", "fail"), ("leak.delta", "fail"), ("worker.alive", "pass")],
    &["out of capacity", "≥ 200 MB"]
)]
#[case::leak_of_descriptors(
    "--leak-fds",
    &[("leak.growth", "pass"), ("leak.fds", "fail"), ("leak.threads", "pass"), ("leak.processes", "pass")],
    &["worker: ", "and still growing"]
)]
#[case::leak_of_threads(
    "--leak-threads",
    &[("leak.growth", "pass"), ("leak.fds", "pass"), ("leak.threads", "fail"), ("leak.processes", "pass")],
    &["worker: ", "and still growing"]
)]
#[case::leak_of_zombies(
    "--leak-zombies",
    &[("leak.growth", "pass"), ("leak.fds", "pass"), ("leak.threads", "pass"), ("leak.processes", "fail")],
    &["worker: ", "and still growing"]
)]
#[case::leak_of_the_api(
    "--api-leak 40MB",
    &[("leak.delta", "pass"), ("leak.growth", "pass"), ("leak.growth.api", "fail")],
    &["LEAK: +38", "## Where api grew"]
)]
#[case::leak_of_shared_memory(
    "--leak 40MB --leak-how shm",
    &[("leak.delta", "pass"), ("leak.baseline", "fail"), ("leak.growth", "fail")],
    &["LEAK: +38", "of shared memory", "and still growing"]
)]
#[case::severe_leak(
    "--leak 600MB",
    &[("leak.delta", "fail")],
    &["SEVERE (> 500 MB)"]
)]
#[parallel(machine)]
fn a_leak_is_caught(#[case] fault: &str, #[case] criteria: &[(&str, &str)], #[case] words: &[&str]) {
    let place = Place::new(4, 8);
    check(&place, LEAK, fault, &Expect { exit: 1, criteria, words, ..Expect::default() });
}

#[test]
#[parallel(machine)]
fn children_that_share_their_parents_memory_leak_processes_and_not_that_memory() {
    // Each task leaves a forked child behind, which shares 40 MB with the worker.
    let place = Place::new(4, 8);
    let expect = Expect { exit: 1, criteria: &[("leak.processes", "fail")], ..Expect::default() };
    // On a busy machine the PSS of a dozen processes takes its time.
    let run = format!("{LEAK} --set sampler.pss_budget_s=10 --set leak.max_repeats=5");
    let told = check(&place, &run, "--leak-children --warmup 40MB", &expect);
    let held = |task: &serde_json::Value, figure: &str| task["worker_after"][figure].as_f64().unwrap();
    let (first, last) = (&told.tasks[0], &told.tasks[told.tasks.len() - 1]);
    let grew = |figure| held(last, figure) - held(first, figure);
    let children = grew("processes");
    assert!(children >= 5.0, "{last}");
    // Sums that count a shared page once per process make a child as expensive as its parent.
    assert!(grew("private_mb") > 35.0 * children && grew("rss_mb") > 35.0 * children, "{first} {last}");
    assert!(grew("pss_anon_mb") < 5.0 * children, "{first} {last}");
    // Growth is judged by what the tree holds.
    let growth = told.criterion("leak.growth")["detail"].as_str().unwrap();
    let grows = growth.split_once(" MB per task").and_then(|(before, _)| before.rsplit_once('+'));
    let mb_a_task = grows.and_then(|(_, mb)| mb.parse::<f64>().ok());
    assert!(mb_a_task.is_none_or(|mb| mb < 5.0), "{growth}");
}

#[test]
#[parallel(machine)]
fn what_a_task_frees_during_the_next_one_is_told_of_the_former() {
    let place = Place::new(4, 8);
    // Memory is quiet before it is freed, and by then the next task has begun; that one waits
    // until after it, and takes its own 120 MB at its end, so that it hides nothing of the fall.
    let service = "--late-free 1s --late-free-size 120MB --wait 1500ms";
    let run = "--only leak --repeats 3 --set settle.late_free_s=0.1 --set settle.quiet_s=0.1 --set leak.max_repeats=3";
    let (_, told) = expect::told(&place, run, service);
    let order = |id: &serde_json::Value| told.tasks.iter().position(|task| task["test_id"] == *id).unwrap();
    let late: Vec<_> = told.all("late_free").filter(|event| !event["during"].is_null()).collect();
    assert!(!late.is_empty(), "{}", told.stderr);
    for event in &late {
        assert!(order(&event["of"]) < order(&event["during"]), "{event}");
    }
    assert!(late.iter().any(|event| event["mb"].as_f64().unwrap() > 100.0), "{late:?}");
    assert_eq!(told.criterion("leak.delta")["verdict"], "pass", "{}", told.stderr);
    assert!(told.stderr.contains("that an earlier task held was released"), "{}", told.stderr);
}

#[rstest]
#[case::of_one_megabyte("--leak 1MB")]
#[case::on_one_task_in_five("--leak 10MB --leak-every 5")]
#[parallel(machine)]
fn a_leak_that_no_gate_sees_is_found_within_the_bound(#[case] fault: &str) {
    let place = Place::new(1, 2);
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.delta", "pass"), ("leak.growth", "fail")],
        words: &["LEAK: +", "would pass a 200 MB gate"],
        ..Expect::default()
    };
    // It takes some sixty tasks, of which most is waiting for quiet memory.
    check(&place, LEAK, fault, &expect);
}

#[test]
#[parallel(machine)]
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
#[parallel(machine)]
fn a_leak_of_parallel_tasks_shows_in_the_memory_of_the_levels() {
    let place = Place::new(4, 4);
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
#[case::a_model_that_loads_at_the_first_task("--warmup 200MB", &["warm-up: the first short task retained +19"])]
#[case::a_work_horse_for_each_task("--fork", &[])]
#[case::memory_freed_late("--late-free 500ms", &[])]
#[parallel(machine)]
fn a_harmless_look_alike_passes(#[case] fault: &str, #[case] words: &[&str]) {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 0,
        criteria: &[
            ("leak.tasks", "pass"),
            ("leak.delta", "pass"),
            ("leak.baseline", "pass"),
            ("leak.growth", "pass"),
            ("leak.fds", "pass"),
            ("leak.threads", "pass"),
            ("leak.processes", "pass"),
            ("worker.alive", "pass"),
        ],
        words,
        ..Expect::default()
    };
    check(&place, PATIENT, fault, &expect);
}

#[test]
#[parallel(machine)]
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
#[parallel(machine)]
fn a_crash_names_the_killed_worker_and_the_level_below_it() {
    let place = Place::new(4, 4);
    let expect = Expect {
        exit: 1,
        criteria: &[("worker.alive", "fail"), ("ramp.required", "pass")],
        max_stable: Some(3),
        broke: Some(("worker_alive", "worker pid {worker} was killed, signal 9")),
        words: &[
            "aximum stable concurrency: 3 (held 1 of 1); c=4 broke 1 of 1",
            "worker pid {worker} was killed, signal 9 (after ",
            "not repeated: no worker is alive",
        ],
    };
    let told = check(&place, &format!("{RAMP} {SOON}"), &format!("--crash-at 4 {SLOW}"), &expect);
    assert_eq!(told.object["broke"]["pids"], serde_json::json!([told.worker()]));
    let exit = told.all("process_exited").next().unwrap();
    assert_eq!((&exit["pid"], &exit["how"]["signal"]), (&told.worker().into(), &9.into()));
    assert_eq!(told.level(4).len(), 4, "every task of the level has its line");
}

#[test]
#[parallel(machine)]
fn a_worker_that_a_supervisor_restarts_has_crashed_all_the_same() {
    let place = Place::new(4, 4);
    let expect = Expect {
        exit: 1,
        criteria: &[("worker.alive", "fail"), ("ramp.required", "fail")],
        max_stable: Some(2),
        broke: Some(("worker_alive", "worker pid {worker} was killed, signal 9")),
        words: &["aximum stable concurrency: 2 (held 1 of 1); c=3 broke 1 of 1"],
    };
    check(&place, RAMP, &format!("--respawn --crash-at 3 {SLOW}"), &expect);
}

#[test]
#[parallel(machine)]
fn a_service_that_fails_under_load_is_told_from_one_that_crashes() {
    let place = Place::new(4, 4);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("worker.alive", "pass")],
        max_stable: Some(2),
        broke: Some(("tasks_succeed", "")),
        words: &[
            "aximum stable concurrency: 2 (held 2 of 2); c=3 broke 2 of 2",
            "out of capacity: 3 tasks outstanding",
        ],
    };
    let told = check(&place, RAMP, &format!("--fail-at 3 {SLOW}"), &expect);
    let failed = told.level(3).into_iter().find(|task| task["status"] == "failed").unwrap();
    assert_eq!(failed["error_kind"], "failed");
    assert!(failed["task_id"].is_string(), "the service's name of a failed task is kept: {failed}");
}

#[test]
#[parallel(machine)]
fn a_refused_submission_has_a_line_of_its_own() {
    let place = Place::new(4, 4);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("worker.alive", "pass")],
        max_stable: Some(2),
        broke: Some(("tasks_succeed", "1 of 3 tasks failed: rejected: HTTP 503")),
        words: &["aximum stable concurrency: 2", "rejected: HTTP 503"],
    };
    let told = check(&place, RAMP, &format!("--reject-at 3 {SLOW}"), &expect);
    let level: Vec<_> = told.level(3).into_iter().filter(|task| task["attempt"].is_null()).collect();
    assert_eq!(level.len(), 3, "{}", told.stderr);
    let refused: Vec<_> = level.iter().filter(|task| task["http_status"] == 503).collect();
    assert_eq!(refused.len(), 1, "{level:?}");
    assert_eq!((&refused[0]["status"], &refused[0]["error_kind"]), (&"failed".into(), &"rejected".into()));
}

#[test]
#[parallel(machine)]
fn a_service_that_hangs_under_load_is_a_timeout_not_a_crash() {
    let place = Place::new(4, 4);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("worker.alive", "pass")],
        max_stable: Some(2),
        broke: Some(("tasks_succeed", "3 of 3 tasks failed: no result within 6 s")),
        words: &["aximum stable concurrency: 2"],
    };
    let told = check(&place, &format!("{RAMP} --timeout 6 {SOON}"), &format!("--hang 3 {SLOW}"), &expect);
    let level = told.level(3);
    assert_eq!(level.len(), 3);
    assert!(level.iter().all(|task| task["status"] == "timeout"), "{level:?}");
}

#[test]
#[parallel(machine)]
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
#[parallel(machine)]
fn rtf_ends_the_ramp_where_it_is_asked_to() {
    // A wait of 200 ms is an RTF of 0.05 on any machine.
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("ramp.rtf", "fail"), ("worker.alive", "pass")],
        max_stable: Some(0),
        broke: Some(("rtf", "RTF ")),
        words: &["o stable concurrency: already c=1 broke 2 of 2"],
    };
    check(&place, &format!("{RAMP} --max-rtf 0.02 --stop-at-rtf"), "--wait 200ms", &expect);
}

#[test]
#[parallel(machine)]
fn rtf_fails_its_criterion_but_ends_no_ramp_unasked() {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "pass"), ("ramp.rtf", "fail"), ("worker.alive", "pass")],
        words: &["c=3 held"],
        ..Expect::default()
    };
    let arguments = "--only concurrency --max-concurrency 3 --max-rtf 0.02";
    check(&place, arguments, "--wait 200ms", &expect);
}
