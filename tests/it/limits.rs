//! Limits at known places: both searches find them exactly, and what is no limit is not taken for one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use highwater::demo::{Embedded, Role};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;
use serial_test::{parallel, serial};

use crate::support::expect::told;
use crate::support::runs::{self, Place, Running, assert_gone, eventually};
use crate::support::stopping::{Files, report, signal};

/// Long enough for all tasks of a level to be outstanding before the first is done,
/// short enough for an RTF far below 1, and little work: a busy machine makes it hardly longer.
const SLOW: &str = "--wait 200ms --slow 3";

const RAMP: &str = "--only concurrency --max-concurrency 5";

/// The service holds two tasks at once, and not three: how that shows, and what is said of it.
#[rstest]
#[case::failure("--fail-at 3", "", "tasks_succeed", "out of capacity: 3 tasks outstanding")]
#[case::rejection("--reject-at 3", "", "tasks_succeed", "1 of 3 tasks failed: rejected: HTTP 503")]
#[case::rtf("--stall-at 3", "--stop-at-rtf", "rtf", "≥ 1.0")]
#[case::latency("--stall-at 3", "--set ramp.stable.max_latency_s=3", "latency", "s ≥ 3.00 s")]
#[case::memory("--batch-memory 100MB", "--set ramp.stable.max_peak_mb=250", "peak_memory", "MB ≥ 250 MB")]
#[parallel(machine)]
fn both_searches_find_the_limit(
    #[case] fault: &str,
    #[case] arguments: &str,
    #[case] clause: &str,
    #[case] words: &str,
) {
    let place = Place::new(3, 3);
    for search in ["linear", "bisect"] {
        let (exit, told) =
            told(&place, &format!("{RAMP} --search {search} {arguments}"), &format!("{fault} {SLOW}"));
        let context = format!("{search}\n{}", told.stderr);
        assert_eq!(exit, 1, "three are required: {context}");
        assert_eq!(told.object["max_stable_concurrency"], 2, "{context}");
        assert_eq!(told.object["limit"]["broke_at"], 3, "{context}");
        assert_eq!(told.object["broke"]["clause"], clause, "{context}");
        assert!(told.object["broke"]["detail"].as_str().unwrap().contains(words), "{context}");
        assert!(told.object["broke"]["at_s"].as_f64().is_some(), "when it broke is known: {context}");
        assert_eq!(told.object["limit"]["held"]["held"], 2, "{context}");
        assert_eq!(told.object["limit"]["broken"]["broke"], 2, "{context}");
        // The kernel counts CPU in steps of 10 ms, which a level of one task may not fill.
        let levels = told.object["levels"].as_array().unwrap();
        let cpu_s = |level: &Value| level["roles"]["worker"]["cpu_s"].as_f64().unwrap();
        assert!(levels.iter().map(cpu_s).sum::<f64>() > 0.0, "{context}");
        for level in levels {
            assert!(level["roles"]["worker"]["peak_mb"].as_f64() > Some(1.0), "{level}");
            assert!(level["roles"]["api"]["cpu_percent"].as_f64().is_some(), "{level}");
        }
    }
}

/// A worker that died has no successor here: nothing can be tried after that.
#[test]
#[parallel(machine)]
fn a_crash_is_found_at_its_level_and_not_guessed_where_a_level_was_left_out() {
    let place = Place::new(3, 3);
    for search in ["linear", "bisect"] {
        let arguments = format!("{RAMP} --search {search}");
        let (_, told) = told(&place, &arguments, &format!("--crash-at 2 {SLOW}"));
        let context = format!("{search}\n{}", told.stderr);
        assert_eq!(told.object["max_stable_concurrency"], 1, "{context}");
        assert_eq!(told.object["broke"]["clause"], "worker_alive", "{context}");
        assert_eq!(told.object["limit"]["broken"]["broke"], 1, "a death is not repeated: {context}");
    }
    let (_, told) = told(&place, &format!("{RAMP} --search bisect"), &format!("--crash-at 3 {SLOW}"));
    assert_eq!(told.object["limit"]["ending"], "undetermined", "c=3 was not tried: {}", told.stderr);
    let reason = told.object["limit"]["reason"].as_str().unwrap();
    assert!(reason.contains("no worker is alive") && reason.contains("below c=4"), "{reason}");
}

#[test]
#[parallel(machine)]
fn a_service_that_fails_one_task_in_ten_has_no_limit_of_concurrency() {
    let place = Place::new(3, 3);
    let (exit, told) =
        told(&place, "--only concurrency --max-concurrency 4 --max-rtf 100", &format!("--flaky 10 {SLOW}"));
    assert_eq!(exit, 0, "{}", told.stderr);
    assert_eq!(told.object["limit"]["ending"], "bound_reached", "{}", told.stderr);
    assert_eq!(told.object["highest_level_held"], 4);
    let fourth: Vec<&Value> = told.all("level_ended").filter(|level| level["concurrency"] == 4).collect();
    assert_eq!(fourth.len(), 3, "it broke once, and two more attempts decided: {fourth:?}");
    assert!(told.report.contains("flaky: task 10 of this worker fails"), "{}", told.report);
}

#[test]
#[parallel(machine)]
fn a_starved_highwater_ends_invalid_and_not_with_a_limit() {
    let place = Place::new(3, 3);
    // While it is stopped, no task is seen to end: each looks far slower than it is.
    let arguments = format!(
        "--json {RAMP} --set ramp.hold_s=3 --set ramp.max_lag_s=0.25 --set ramp.stable.max_latency_s=1"
    );
    let mut running = Running::start(&mut place.run(&arguments, ""));
    let pid = running.child.id();
    let begun = || {
        let files = Files::find(&place)?;
        files.events().iter().any(|event| event["event"] == "level_started").then_some(())
    };
    eventually("the first level", begun);
    // As on a machine that gives it a tenth of the time, but the same on every machine.
    while running.child.try_wait().unwrap().is_none() {
        signal_if_alive(pid, Signal::STOP);
        std::thread::sleep(Duration::from_millis(1300));
        signal_if_alive(pid, Signal::CONT);
        std::thread::sleep(Duration::from_millis(150));
    }
    let (exit, lines, stderr) = running.ended();
    assert_eq!(exit, Some(2), "inconclusive: {stderr}");
    let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(object["limit"]["ending"], "undetermined", "{stderr}");
    let reason = object["limit"]["reason"].as_str().unwrap();
    assert!(reason.contains("highwater or the machine was the bottleneck at c=1, 2 times"), "{reason}");
    let events = Files::of(&place).events();
    let ended: Vec<&Value> = events.iter().filter(|event| event["event"] == "level_ended").collect();
    assert_eq!(ended.len(), 2);
    for level in ended {
        assert!(level["invalid"].as_str().unwrap().contains("woke up"), "{level}");
        assert!(level["broke"].is_null(), "{level}");
    }
}

/// `nice` and pinned to a core on which others work, it gets next to nothing of it, while the service has
/// what it needs.
#[test]
#[serial(machine)]
fn a_highwater_of_low_priority_on_a_busy_core_ends_invalid() {
    let place = Place::new(1, 1);
    let service = Embedded::start(Path::new(env!("CARGO_BIN_EXE_highwater")), &[]).unwrap();
    let worker = service.ready().pids(Role::Worker)[0];
    let mut command = place.highwater();
    command.args(["run", "--json", "--results", "results", "--short", "short.wav", "--long", "long.wav"]);
    command.args(["--url", &service.ready().url, "--worker-pid", &worker.to_string()]);
    // Others that the machine has are none of this test's.
    command.args(["--set", "processes.api.patterns=", "--set", "processes.backend.patterns="]);
    command.args(RAMP.split(' ')).args("--required 5 --max-rtf 100 --set ramp.hold_s=1".split(' '));
    let running = Running::start(&mut command);
    let begun = || {
        let files = Files::find(&place)?;
        files.events().iter().any(|event| event["event"] == "level_started").then_some(())
    };
    eventually("the first level", begun);
    let pid = running.child.id().to_string();
    let set = |program: &str, arguments: &[&str]| {
        assert!(
            Command::new(program).args(arguments).arg(&pid).output().unwrap().status.success(),
            "{program}"
        );
    };
    set("taskset", &["--all-tasks", "--pid", "--cpu-list", "0"]);
    set("renice", &["-n", "19", "-p"]);
    let busy: Vec<Running> = (0..3)
        .map(|_| Running::start(Command::new("taskset").args(["-c", "0", "sh", "-c", "while :; do :; done"])))
        .collect();
    // Its report must be as quick.
    let judged =
        || Files::of(&place).events().iter().any(|event| event["event"] == "phase_ended").then_some(());
    while judged().is_none() && runs::lives(running.child.id()) {
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(busy);
    let (exit, lines, stderr) = running.ended();
    assert_eq!(exit, Some(2), "inconclusive: {stderr}");
    let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(object["limit"]["ending"], "undetermined", "{stderr}");
    let reason = object["limit"]["reason"].as_str().unwrap();
    assert!(reason.contains("highwater or the machine was the bottleneck"), "{reason}");
    let events = Files::of(&place).events();
    let invalid =
        events.iter().filter(|event| event["event"] == "level_ended" && event["invalid"].is_string());
    assert!(invalid.count() >= 2, "{stderr}");
}

fn signal_if_alive(pid: u32, which: Signal) {
    if runs::lives(pid) {
        signal(pid, which);
    }
}

#[test]
#[parallel(machine)]
fn a_killed_ramp_goes_on_and_the_report_joins_both_parts() {
    let place = Place::new(3, 3);
    let running =
        Running::start(&mut place.run("--only concurrency --max-concurrency 4 --max-rtf 100", SLOW));
    let in_third = || {
        let files = Files::find(&place)?;
        let events = files.events();
        let from =
            events.iter().position(|event| event["event"] == "level_started" && event["concurrency"] == 3)?;
        events[from..].iter().any(|event| event["event"] == "task_started").then_some(files)
    };
    let files = eventually("the third level", in_third);
    drop(running);
    let before = [&files.tasks, &files.events, &files.resources].map(|path| std::fs::read(path).unwrap());

    let resume = |more: &str| {
        let mut command = place.highwater();
        command
            .args("run --demo --json --resume".split(' '))
            .arg(&files.events)
            .args(more.split_whitespace());
        let (exit, lines, stderr) = Running::start(command.arg("--").args(SLOW.split(' '))).ended();
        let object: Value = serde_json::from_str(lines.last().unwrap_or_else(|| panic!("{stderr}"))).unwrap();
        (exit, object, stderr)
    };
    let (exit, broken, stderr) = resume("");
    assert_eq!(exit, Some(1), "three are required: {stderr}");
    assert_eq!(broken["max_stable_concurrency"], 2, "{stderr}");
    assert_eq!((&broken["broke"]["clause"], &broken["limit"]["broke_at"]), (&"completed".into(), &3.into()));
    assert_eq!(broken["limit"]["held"]["held"], 2, "once before and once after: {stderr}");

    let (exit, retried, stderr) = resume("--in-flight retry");
    assert_eq!(exit, Some(0), "{stderr}");
    assert_eq!(retried["limit"]["ending"], "bound_reached", "{stderr}");
    assert_eq!(retried["highest_level_held"], 4);

    // The two levels of the first part took longer than this: nothing is left of the budget.
    let (_, spent, stderr) = resume("--in-flight retry --set ramp.max_s=0.2");
    let events = runs::json_lines(&place.path(spent["files"]["events"].as_str().unwrap()));
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("bound_met"), count("level_started")), (1, 0), "{stderr}");

    let tasks = place.path(retried["files"]["tasks"].as_str().unwrap());
    assert_ne!(tasks, files.tasks, "nothing is overwritten");
    let (exit, joined) = report(&place, &tasks);
    assert_eq!(exit, Some(0));
    let levels: Vec<(u64, bool)> = joined["levels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|level| (level["concurrency"].as_u64().unwrap(), level["complete"].as_bool().unwrap()))
        .collect();
    assert_eq!(levels, [(1, true), (2, true), (3, false), (3, true), (4, true)]);
    let after = [&files.tasks, &files.events, &files.resources].map(|path| std::fs::read(path).unwrap());
    assert!(before == after, "the earlier files are as they were");

    let again = place.highwater().args(["run", "--demo", "--resume"]).arg(tasks).output().unwrap();
    assert_eq!(again.status.code(), Some(3));
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(told.contains("nothing to resume: the ramp was completed"), "{told}");
    let found = files.events().into_iter().filter(|event| event["event"] == "process_found");
    assert_gone(&found.map(|event| event["pid"].as_u64().unwrap() as u32).collect::<Vec<u32>>());
}

#[test]
#[parallel(machine)]
fn an_interrupted_ramp_tries_its_level_again_and_a_running_one_is_left_alone() {
    let place = Place::new(3, 3);
    // The third level is never reached by less: what is stopped is in its middle.
    let mut running =
        Running::start(&mut place.run("--only concurrency --max-concurrency 3 --max-rtf 100", "--hang 3"));
    let in_third = || {
        let files = Files::find(&place)?;
        let events = files.events();
        events
            .iter()
            .any(|event| event["event"] == "level_started" && event["concurrency"] == 3)
            .then_some(files)
    };
    let files = eventually("the third level", in_third);
    let resume = || {
        let mut command = place.highwater();
        command.args("run --demo --json --resume".split(' ')).arg(&files.events);
        Running::start(command.arg("--").args(SLOW.split(' '))).ended()
    };
    let (exit, _, stderr) = resume();
    assert_eq!(exit, Some(3), "{stderr}");
    assert!(stderr.contains("is still running"), "{stderr}");
    assert!(running.child.try_wait().unwrap().is_none(), "it goes on");

    signal(running.child.id(), Signal::INT);
    let (exit, _, stderr) = running.ended();
    assert_eq!(exit, Some(130), "{stderr}");
    assert!(files.tasks.with_extension("md").exists() && stderr.contains("SIGINT"), "{stderr}");

    let (exit, lines, stderr) = resume();
    assert_eq!(exit, Some(0), "{stderr}");
    let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(object["highest_level_held"], 3, "nobody knows that the third does not hold: {stderr}");
}

#[test]
#[parallel(machine)]
fn a_soak_gives_the_leak_verdict_under_load_with_its_rates() {
    let place = Place::new(2, 2);
    let soak = |arguments: &str, fault: &str| {
        let mut command = place.highwater();
        command.args("soak --demo --json --short short.wav --long long.wav".split(' '));
        command.args(arguments.split_whitespace()).arg("--").args(fault.split_whitespace());
        let (exit, lines, stderr) = Running::start(&mut command).ended();
        let object: Value = serde_json::from_str(lines.last().unwrap_or_else(|| panic!("{stderr}"))).unwrap();
        (exit, object, stderr)
    };
    let (exit, leak, stderr) = soak("--concurrency 2 --tasks 120 --cap-mb 100000", "--leak 20MB");
    assert_eq!(exit, Some(1), "{stderr}");
    let soak_of = |object: &Value| object["soak"].clone();
    let found = soak_of(&leak);
    assert_eq!(
        (&found["verdict"], &found["tasks"], &found["failed"]),
        (&"fail".into(), &120.into(), &0.into())
    );
    let rate = found["mb_per_task"].as_f64().unwrap();
    assert!((18.0..20.0).contains(&rate), "20 MB are 19.07 MB of 1,048,576 bytes: {rate}\n{stderr}");
    assert!(found["mb_per_hour"].as_f64().unwrap() > rate, "{found}");
    assert!(found["hours_to_cap"].as_f64().unwrap() > 0.0, "{found}");

    let (exit, capped, stderr) = soak("--concurrency 2 --for 600s --cap-mb 300", "--leak 20MB --wait 100ms");
    assert_eq!(exit, Some(1), "{stderr}");
    assert!(stderr.contains("is above the cap of 300 MB (`soak.cap_mb`)"), "{stderr}");
    let found = soak_of(&capped);
    assert!(found["peak_mb"].as_f64() > Some(300.0) && found["seconds"].as_f64() < Some(300.0), "{found}");
    let cap = capped["criteria"].as_array().unwrap().iter().find(|one| one["name"] == "soak.cap").unwrap();
    assert_eq!(cap["verdict"], "fail", "{cap}");

    let (_, clean, stderr) = soak("--concurrency 2 --tasks 120", "");
    let found = soak_of(&clean);
    assert_ne!(found["verdict"], "fail", "{stderr}");
    assert!(found["mb_per_task"].as_f64().unwrap().abs() < 1.0, "{found}");
    assert!(found["hours_to_cap"].is_null(), "{found}");
}

#[test]
#[parallel(machine)]
fn a_soak_of_a_forking_worker_is_judged_by_the_figure_of_the_leak_check() {
    let place = Place::new(2, 2);
    let rounds_of = |fault: &str| {
        let mut command = place.highwater();
        command.args(
            "soak --demo --json --concurrency 2 --tasks 120 --short short.wav --long long.wav".split(' '),
        );
        command.arg("--").args(fault.split_whitespace());
        let (_, lines, stderr) = Running::start(&mut command).ended();
        let object: Value = serde_json::from_str(lines.last().unwrap_or_else(|| panic!("{stderr}"))).unwrap();
        (object["soak"]["rounds"].as_array().unwrap().clone(), stderr)
    };
    let (rounds, stderr) = rounds_of("--fork --wait 50ms");
    for round in &rounds[1..] {
        assert!(round["floor_pss_anon_mb"].is_number(), "not read in {round}\n{stderr}");
        assert_eq!(round["floor_mb"], round["floor_pss_anon_mb"], "judged by the tree, not by the sum");
        assert_eq!(round["peak_mb"], round["peak_pss_anon_mb"]);
    }
    let (rounds, _) = rounds_of("--wait 50ms");
    let read = rounds.iter().filter(|round| round["floor_pss_anon_mb"].is_number()).count();
    assert_eq!(read, 0, "one process is not stalled for a figure that says the same");
}

#[test]
#[parallel(machine)]
fn a_soak_ends_cleanly_when_it_is_interrupted() {
    let place = Place::new(2, 2);
    let mut command = place.highwater();
    command.args("soak --demo --for 64s --short short.wav --long long.wav".split(' '));
    let running = Running::start(&mut command);
    let two_rounds = || {
        let files = Files::find(&place)?;
        let rounds = files.events().iter().filter(|event| event["event"] == "soak_round").count();
        (rounds >= 2).then_some(files)
    };
    let files = eventually("two rounds", two_rounds);
    signal(running.child.id(), Signal::INT);
    let (exit, _, stderr) = running.ended();
    assert_eq!(exit, Some(130), "{stderr}");
    let text = std::fs::read_to_string(files.tasks.with_extension("md")).unwrap();
    assert!(text.contains("## Soak") && text.contains("**not come to its end**"), "{text}");
}
