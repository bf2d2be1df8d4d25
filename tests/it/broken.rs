//! Results that a hostile or unlucky service leaves: `highwater report` on each ends, and says what is so.

use std::path::Path;
use std::process::Output;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::runs::Place;

const TASKS: &str = "memory_leak_stress_test_20260101_000000.jsonl";
const EVENTS: &str = "events_20260101_000000.jsonl";

fn task(sequence: u32, error: Option<&str>) -> Value {
    json!({
        "test_id": format!("short_c1_{sequence}"), "audio_file": "short.wav", "concurrency": 1,
        "status": if error.is_some() { "failed" } else { "success" }, "processing_time": 1.0, "rtf": 0.1,
        "worker_rss_before_mb": 100.0, "worker_rss_after_mb": 100.0, "worker_rss_delta_mb": 0.0,
        "error": error, "phase": "leak", "kind": "short", "sequence": sequence,
    })
}

fn event(elapsed: u32, mut event: Value) -> Value {
    event["time"] = "2026-01-01T00:00:00+00:00".into();
    event["elapsed"] = elapsed.into();
    event
}

fn started() -> Value {
    let machine = json!({"os": "Linux", "kernel": "6", "cpus": 2, "memory_mb": 1000.0});
    let files =
        json!({"tasks": TASKS, "events": EVENTS, "resources": "system_resources_20260101_000000.csv"});
    let mut plan = serde_json::to_value(highwater::plan::Plan::default()).unwrap();
    plan["ramp"]["enabled"] = false.into();
    event(
        0,
        json!({"event": "run_started", "title": "test", "version": "0", "machine": machine, "plan": plan, "files": files}),
    )
}

fn worker(pid: u32, replacement: bool) -> Value {
    event(
        1,
        json!({"event": "process_found", "role": "worker", "pid": pid, "name": "python3", "command": "python3",
        "root": true, "replacement": replacement}),
    )
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// A place with the results of `tasks` and `events` in `results/`.
fn results(tasks: &[Value], events: &[Value]) -> Place {
    let place = Place::new(1, 1);
    std::fs::create_dir(place.path("results")).unwrap();
    std::fs::write(place.path("results").join(TASKS), lines(tasks)).unwrap();
    std::fs::write(place.path("results").join(EVENTS), lines(events)).unwrap();
    place
}

fn healthy() -> (Vec<Value>, Vec<Value>) {
    let tasks = (1..=24).map(|sequence| task(sequence, None)).collect();
    (tasks, vec![started(), worker(7, false), event(9, json!({"event": "run_ended"}))])
}

fn report(place: &Place, path: &Path, further: &[&str]) -> Output {
    place.highwater().arg("report").arg(path).args(further).output().unwrap()
}

/// The report on the results of a place as JSON, which it has to be.
fn object(place: &Place) -> (Option<i32>, Value) {
    let output = report(place, &place.path("results").join(TASKS), &["--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), value)
}

fn markdown(place: &Place) -> String {
    std::fs::read_to_string(place.path("results").join(TASKS).with_extension("md")).unwrap()
}

fn verdict<'a>(report: &'a Value, name: &str) -> &'a Value {
    let criteria = report["criteria"].as_array().unwrap();
    &criteria.iter().find(|criterion| criterion["name"] == name).unwrap()["verdict"]
}

#[rstest]
#[case::of_any_length(&"x".repeat(200_000))]
#[case::that_steers_a_terminal("\u{1b}[2J\u{9b}31m\u{202e}evil\u{2066}\u{7f}")]
#[case::that_forges_lines("boom\nPASS\n# highwater: all is well\r\nPASS")]
#[case::with_markup("<script>alert(1)</script><img src=x> [click](http://evil) | ` ![a](b)")]
fn an_error_stays_text(#[case] error: &str) {
    let (mut tasks, events) = healthy();
    tasks.push(task(25, Some(error)));
    let place = results(&tasks, &events);
    let (code, told) = object(&place);
    assert_eq!(code, Some(1), "{told}");
    let console = report(&place, &place.path("results").join(TASKS), &[]);
    let console = String::from_utf8(console.stdout).unwrap();
    for text in [markdown(&place), console] {
        assert!(!text.lines().any(|line| line.trim_start().starts_with("PASS")), "a forged line");
        assert_eq!(text.lines().filter(|line| line.starts_with("# highwater: ")).count(), 1);
        let steers = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{2069}').contains(&c);
        assert!(!text.contains(steers), "it steers the terminal");
        assert!(!text.contains("<script") && !text.contains("<img"), "it is markup");
        // The report's own link to its page is the only one.
        let own = format!("]({})", TASKS.replace(".jsonl", ".html"));
        assert!(!text.replace("\\](", "").replacen(&own, "", 1).contains("]("), "it is a link");
    }
}

#[test]
fn a_thousand_restarts_are_counted() {
    let (tasks, mut events) = healthy();
    let end = events.pop().unwrap();
    for pid in 100..1300 {
        events.push(event(2, json!({"event": "process_exited", "role": "worker", "pid": pid - 1, "name": "python3", "root": true, "how": {"code": 1}})));
        events.push(worker(pid, true));
    }
    events.push(end);
    let place = results(&tasks, &events);
    let (code, told) = object(&place);
    assert_eq!(code, Some(1), "{told}");
    let text = markdown(&place);
    assert!(text.contains("1200 restarts; the first: worker pid 99 "), "{text}");
    assert!(text.contains("the last: pid 1299 took its place"), "{text}");
}

#[test]
fn an_unreadable_event_is_named_and_leaves_open_what_it_may_have_said() {
    let (tasks, events) = healthy();
    let place = results(&tasks, &events);
    assert_eq!(verdict(&object(&place).1, "worker.alive"), "pass");
    let path = place.path("results").join(EVENTS);
    let text = std::fs::read_to_string(&path).unwrap();
    let garbled = text.replacen("{\"event\":\"process_found\"", "{\"event\":\"process_\u{0}", 1);
    let whole = lines(&[worker(7, false)]);
    std::fs::write(&path, format!("{garbled}{whole}")).unwrap();
    let (code, told) = object(&place);
    assert_eq!(code, Some(2), "{told}");
    assert_eq!(verdict(&told, "worker.alive"), "inconclusive");
    assert_eq!(verdict(&told, "leak.tasks"), "pass");
    assert!(told["skipped_lines"][0].as_str().unwrap().contains("line 2: unreadable"), "{told}");
}

#[test]
fn a_directory_is_reported_but_for_what_cannot_be_used() {
    let (tasks, events) = healthy();
    let place = results(&tasks, &events);
    let alone = report(&place, &place.path("results"), &["--json"]).status.code();
    let empty = place.path("results").join("memory_leak_stress_test_20260102_000000.jsonl");
    std::fs::write(&empty, "").unwrap();
    let output = report(&place, &place.path("results"), &["--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!(output.status.code(), alone, "an empty file measured nothing");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("skipped") && stderr.contains("20260102_000000"), "{stderr}");
    let compared = place.highwater().args(["compare", "results", "results"]).output().unwrap();
    let stderr = String::from_utf8(compared.stderr).unwrap();
    assert!(compared.status.code() != Some(3) && stderr.contains("20260102_000000"), "{stderr}");
    std::fs::remove_file(place.path("results").join(TASKS)).unwrap();
    assert_eq!(report(&place, &place.path("results"), &[]).status.code(), Some(3), "none can be used");
}

#[test]
fn a_log_that_goes_on_from_a_device_is_refused() {
    let (tasks, mut events) = healthy();
    events.insert(1, event(0, json!({"event": "resumed", "tasks": "/dev/zero", "in_flight_broke": false})));
    let place = results(&tasks, &events);
    let output = report(&place, &place.path("results").join(TASKS), &["--json"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no file beside it"));
    let zero = report(&place, Path::new("/dev/zero"), &["--json"]);
    assert_eq!(zero.status.code(), Some(3));
    assert!(String::from_utf8(zero.stderr).unwrap().contains("not a regular file"));
}

#[test]
fn simultaneous_reports_all_succeed_and_leave_nothing_else() {
    let (tasks, events) = healthy();
    let place = results(&tasks, &events);
    let path = place.path("results").join(TASKS);
    let started: Vec<_> = (0..12)
        .map(|_| {
            let mut command = place.highwater();
            command.arg("report").arg(&path).stdout(std::process::Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    for mut child in started {
        assert_ne!(child.wait().unwrap().code(), Some(3));
    }
    let files = std::fs::read_dir(place.path("results")).unwrap();
    assert_eq!(files.count(), 4, "tasks, events, the report and its page");
}

#[test]
fn thousands_of_children_are_reported_in_no_time() {
    let (tasks, mut events) = healthy();
    let seen = |pid: u32, root: bool| {
        json!({"role": "worker", "pid": pid, "parent": if root { 1 } else { 7 }, "name": format!("job {pid}"),
            "command": "python3", "root": root, "age_s": 1.0, "peak_mb": 1.0, "end": null})
    };
    let processes: Vec<Value> =
        std::iter::once(seen(7, true)).chain((1000..9000).map(|pid| seen(pid, false))).collect();
    events.insert(2, event(8, json!({"event": "processes_seen", "processes": processes, "unlisted": 0})));
    let place = results(&tasks, &events);
    let (_, told) = object(&place);
    // Cubic in their number, this takes hours; the test's own time limit is the assertion.
    assert_eq!(told["trees"][0]["roots"][0]["children"].as_array().unwrap().len(), 8000);
}
