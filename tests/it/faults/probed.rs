//! A leak under one condition is found under that condition; look-alikes are not reported.

use serial_test::parallel;

use crate::support::expect::{Expect, check};
use crate::support::runs::Place;

/// As few tasks as possible before the probes: the length of the check is not under test.
const SHORT: &str = "--only leak --set settle.late_free_s=0.5 --repeats 5 --set leak.probe_steps=10 \
                     --set leak.probe_pause_s=2";

#[test]
#[parallel(machine)]
fn a_leak_of_parallel_tasks_is_found_and_only_there() {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.growth", "pass"), ("probe.repeat", "pass"), ("probe.parallel", "fail")],
        words: &["nothing leaks while tasks run at once", "LEAK: +", "## Where the worker grew"],
        ..Expect::default()
    };
    let arguments = format!("{SHORT} --probe repeat,parallel");
    let told = check(&place, &arguments, "--leak 10MB --leak-when parallel", &expect);
    let rate = told.criterion("probe.parallel")["value"].as_f64().unwrap();
    // Of four at once the last may run alone: seven to ten of 9.5 MB are kept a task.
    assert!((5.0..10.0).contains(&rate), "{rate} MB per task");
    assert_eq!(told.tasks.iter().filter(|task| task["condition"] == "parallel").count(), 40);
}

#[test]
#[parallel(machine)]
fn a_leak_on_the_error_path_is_found_and_named() {
    let place = Place::new(4, 8);
    std::fs::write(place.path("broken.wav"), "this is no audio").unwrap();
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.tasks", "pass"), ("leak.growth", "pass"), ("probe.error", "fail")],
        words: &["nothing leaks on the error path", "LEAK: +9.5"],
        ..Expect::default()
    };
    let arguments = format!("{SHORT} --probe error --bad-input broken.wav");
    let told = check(&place, &arguments, "--leak 10MB --leak-when failed", &expect);
    assert!(!told.report.contains("## Tasks that did not succeed"), "they were to fail:\n{}", told.report);
}

#[test]
#[parallel(machine)]
fn a_leak_of_changing_lengths_is_found_where_they_alternate() {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("probe.repeat", "pass"), ("probe.alternate", "fail")],
        words: &["nothing leaks while short and long alternate", "LEAK: +9.5"],
        ..Expect::default()
    };
    let arguments = format!("{SHORT} --probe repeat,alternate");
    let told = check(&place, &arguments, "--leak 10MB --leak-when changed", &expect);
    assert!(told.report.contains("## Growth by condition"), "{}", told.report);
    let memory = |condition: &str| {
        let row = told.report.lines().find(|line| line.starts_with(condition)).unwrap();
        row.split('|').nth(3).unwrap().trim().parse::<f64>().unwrap()
    };
    assert_eq!((memory("| `repeat`"), memory("| `alternate`")), (0.0, 9.54), "{}", told.report);
}

#[test]
#[parallel(machine)]
fn a_leak_by_the_clock_is_found_in_the_pause_alone() {
    let place = Place::new(4, 8);
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.growth", "pass"), ("probe.repeat", "pass"), ("probe.pause", "fail")],
        words: &["nothing leaks while nothing is sent", "LEAK: +", "MB per second"],
        ..Expect::default()
    };
    // The first two seconds of the pause show nothing.
    let arguments = format!("{SHORT} --probe repeat,pause --set leak.probe_pause_s=8");
    check(&place, &arguments, "--leak 1MB --leak-when idle", &expect);
}

#[test]
#[parallel(machine)]
fn caches_warm_up_and_late_frees_leak_under_no_condition() {
    let place = Place::new(4, 8);
    std::fs::write(place.path("broken.wav"), "this is no audio").unwrap();
    let expect = Expect {
        exit: 0,
        criteria: &[
            ("probe.repeat", "pass"),
            ("probe.pause", "pass"),
            ("probe.parallel", "pass"),
            ("probe.error", "pass"),
        ],
        ..Expect::default()
    };
    let fault = "--cache 4x8MB --warmup 60MB --late-free 100ms";
    check(&place, &format!("{SHORT} --probe --bad-input broken.wav"), fault, &expect);
}
