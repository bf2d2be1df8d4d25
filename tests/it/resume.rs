//! A soak, a leak check and its probes that were stopped go on: with the same service in the same series, with
//! another in a new one.

use std::path::Path;

use highwater::demo::{Embedded, Role};
use serde_json::Value;
use serial_test::parallel;

use crate::support::runs::{Place, Running, eventually, json_lines};
use crate::support::stopping::Files;

const RECORDINGS: &str = "--short short.wav --long long.wav --set settle.quiet_s=0.05 --set leak.for_s=0";

/// A service that outlives the highwater that drives it, and the flags that lead to it.
fn service() -> (Embedded, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_highwater"));
    let service = Embedded::start(program, &[]).map_err(highwater::Error::from).unwrap();
    let worker = service.ready().pids(Role::Worker)[0];
    // Others that the machine has are none of this test's.
    let alone = "--set processes.api.patterns= --set processes.backend.patterns=";
    let flags = format!("--url {} --worker-pid {worker} {alone}", service.ready().url);
    (service, flags)
}

/// Runs `arguments` until `count` events of this kind are there, and kills it.
fn killed(place: &Place, arguments: &str, event: &str, count: usize) -> Files {
    let mut command = place.highwater();
    let running = Running::start(command.args(arguments.split_whitespace()));
    let files = eventually(event, || {
        let files = Files::find(place)?;
        (files.events().iter().filter(|found| found["event"] == event).count() >= count).then_some(files)
    });
    drop(running);
    files
}

/// Resumes from `files`; returns the JSON output and the events.
fn resumed(place: &Place, command: &str, files: &Files, more: &str) -> (Value, Vec<Value>) {
    let mut highwater = place.highwater();
    highwater.args(command.split(' ')).args(["--json", "--resume"]).arg(&files.events);
    let (_, lines, stderr) = Running::start(highwater.args(more.split_whitespace())).ended();
    let object: Value = serde_json::from_str(lines.last().unwrap_or_else(|| panic!("{stderr}"))).unwrap();
    let events = json_lines(&place.path(object["files"]["events"].as_str().unwrap()));
    (object, events)
}

fn notes(object: &Value) -> String {
    object["notes"].to_string()
}

fn rounds(object: &Value) -> Vec<u64> {
    object["soak"]["rounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|round| round["round"].as_u64().unwrap())
        .collect()
}

#[test]
#[parallel(machine)]
fn a_soak_goes_on_in_its_series_with_the_same_service_and_begins_anew_with_another() {
    let place = Place::new(1, 1);
    let (service, flags) = service();
    let soak = format!("soak {RECORDINGS} {flags} --concurrency 2 --tasks 64");
    let files = killed(&place, &soak, "soak_round", 5);
    let before = files.tasks().len() as u64;
    let (object, events) = resumed(&place, "soak", &files, "");
    let all = rounds(&object);
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>(), "one series: {object}");
    let own = events.iter().filter(|event| event["event"] == "soak_round").count();
    assert!(own > 0 && own < all.len() && all.len() - own >= 5, "{own} of {all:?}");
    // Those in flight when it was killed have no line; they are sent again.
    assert_eq!(object["soak"]["tasks"], 64, "{before} were done before: {object}");
    let last = object["soak"]["rounds"].as_array().unwrap().last().unwrap();
    assert!(last["tasks"].as_u64().unwrap() <= 64, "{last}");
    assert!(notes(&object).contains("the run was stopped and went on after"), "{}", notes(&object));
    assert!(!notes(&object).contains("anew"), "{}", notes(&object));
    let report = std::fs::read_to_string(place.path(object["files"]["report"].as_str().unwrap())).unwrap();
    assert!(report.contains("the run was stopped and went on after"), "{report}");

    service.stop();
    let (_other, flags) = self::service();
    let (object, events) = resumed(&place, "soak", &files, &flags);
    let own = events.iter().filter(|event| event["event"] == "soak_round").count();
    assert_eq!((rounds(&object).len(), object["soak"]["tasks"].as_u64()), (own, Some(64)), "{object}");
    assert!(
        notes(&object).contains("the soak phase began anew, and its earlier readings are not judged"),
        "{object}"
    );
    let resumed = events.iter().find(|event| event["event"] == "resumed").unwrap();
    assert_eq!(resumed["new_series"], "soak");
    assert!(resumed["gap_s"].as_f64() >= Some(0.0), "{resumed}");
}

#[test]
#[parallel(machine)]
fn a_leak_check_goes_on_where_it_was_and_begins_anew_with_another_service() {
    let place = Place::new(1, 2);
    let (service, flags) = service();
    let run = format!("run {RECORDINGS} {flags} --only leak --repeats 3 --set leak.max_repeats=3");
    let files = killed(&place, &run, "task_answered", 4);
    let before = files.tasks().len();
    let (object, _) = resumed(&place, "run", &files, "");
    let tasks = place.path(object["files"]["tasks"].as_str().unwrap());
    assert_eq!(before + json_lines(&tasks).len(), 8, "two inputs, once and three times: {object}");
    assert!(!notes(&object).contains("anew"), "{}", notes(&object));

    service.stop();
    let (_other, flags) = self::service();
    let (object, events) = resumed(&place, "run", &files, &flags);
    let tasks = place.path(object["files"]["tasks"].as_str().unwrap());
    assert_eq!(json_lines(&tasks).len(), 8, "the whole check, from its warm-up: {object}");
    let criteria = object["criteria"].as_array().unwrap();
    let succeeded = criteria.iter().find(|found| found["name"] == "leak.tasks").unwrap();
    assert_eq!(
        (&succeeded["verdict"], &succeeded["detail"]),
        (&"pass".into(), &"8/8 tasks succeeded".into())
    );
    let starts = events.iter().filter(|event| event["event"] == "memory" && event["moment"] == "start");
    assert_eq!(starts.count(), 1);
    assert!(
        notes(&object).contains("the leak phase began anew, and its earlier readings are not judged"),
        "{object}"
    );
}

#[test]
#[parallel(machine)]
fn probes_go_on_with_the_condition_that_was_under_way() {
    let place = Place::new(1, 1);
    let (_service, flags) = service();
    let run = format!(
        "run {RECORDINGS} {flags} --only leak --repeats 3 --set leak.max_repeats=3 --probe repeat,pause \
         --set leak.probe_steps=8 --set leak.probe_pause_s=4"
    );
    let files = killed(&place, &run, "probe_step", 10);
    let (object, events) = resumed(&place, "run", &files, "");
    let steps: Vec<&Value> = events.iter().filter(|event| event["event"] == "probe_step").collect();
    assert_eq!(steps.len(), 8, "{object}");
    assert!(steps.iter().all(|step| step["condition"] == "pause"), "{steps:?}");
    let tasks = json_lines(&place.path(object["files"]["tasks"].as_str().unwrap()));
    assert!(tasks.is_empty(), "the leak check and the first condition were over: {tasks:?}");
    for name in ["leak.tasks", "probe.repeat", "probe.pause"] {
        let criteria = object["criteria"].as_array().unwrap();
        let found = criteria.iter().find(|found| found["name"] == name);
        assert_eq!(found.unwrap_or_else(|| panic!("{name}: {object}"))["verdict"], "pass", "{object}");
    }

    let tasks = place.path(object["files"]["tasks"].as_str().unwrap());
    let again = place.highwater().args(["run", "--resume"]).arg(tasks).output().unwrap();
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(told.contains("nothing to resume: the leak check was completed"), "{told}");
}
