//! Streaming speech recognition through whole runs against the embedded service.

use serde_json::Value;
use serial_test::parallel;

use crate::support::runs::{Place, Running, json_lines};

/// The tasks of a run with `arguments`, the exit code, and what was said.
fn run(arguments: &str, configuration: &str, fault: &str) -> (Vec<Value>, Option<i32>, String) {
    let place = Place::new(2, 4);
    let text = format!("preset = \"asr-rq\"\n[target]\nkind = \"websocket\"\n{configuration}");
    std::fs::write(place.path("highwater.toml"), text).unwrap();
    let (code, lines, stderr) = Running::start(&mut place.run(arguments, fault)).ended();
    let said = lines.join("\n") + &stderr;
    let files = std::fs::read_dir(place.path("results")).unwrap_or_else(|_| panic!("{said}"));
    let tasks = files.map(|entry| entry.unwrap().path()).find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("memory_leak_stress_test_") && name.ends_with(".jsonl")
    });
    (tasks.map(|path| json_lines(&path)).unwrap_or_default(), code, said)
}

const LEAK: &str = "--only leak --repeats 3 --max-delta-mb 20";

#[test]
#[parallel(machine)]
fn a_connection_streams_a_recording_and_hears_the_final_result() {
    let (tasks, code, said) = run(LEAK, "", "");
    assert!(matches!(code, Some(0 | 2)) && !tasks.is_empty(), "{code:?}: {said}");
    for task in &tasks {
        assert_eq!((&task["status"], task["rtf"].is_number()), (&"success".into(), true), "{task}");
        let (whole, last) =
            (task["processing_time"].as_f64().unwrap(), task["final_seconds"].as_f64().unwrap());
        assert!(0.0 < last && last <= whole, "{task}");
        let audio_s = task["audio_seconds"].as_f64().unwrap();
        assert!((1.9..4.1).contains(&audio_s), "{task}");
    }
}

#[test]
#[parallel(machine)]
fn in_real_time_only_what_comes_after_the_last_word_is_waiting() {
    let realtime = "[target.websocket]\nrealtime = true\n";
    let (tasks, _, said) = run("--only concurrency --max-concurrency 1 --required 1", realtime, "");
    assert!(!tasks.is_empty(), "{said}");
    for task in &tasks {
        let (whole, last) =
            (task["processing_time"].as_f64().unwrap(), task["final_seconds"].as_f64().unwrap());
        // All but the last piece of the audio is sent before.
        assert!(whole - last > 0.9 * (task["audio_seconds"].as_f64().unwrap() - 0.1), "{task}");
    }
}

#[test]
#[parallel(machine)]
fn leaks_and_failures_are_those_of_any_other_service() {
    let (_, code, said) = run(LEAK, "", "--leak 30MB");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAIL  memory delta of every"), "{said}");

    let (tasks, code, said) = run(LEAK, "", "--flaky 2");
    assert_eq!(code, Some(1), "{said}");
    assert!(tasks.iter().any(|task| task["error_kind"] == "failed"), "{tasks:?}");

    let (tasks, code, said) = run(LEAK, "[target.websocket]\ntext_pointer = \"/text\"\n", "");
    assert_eq!(code, Some(1), "{said}");
    let error = tasks[0]["error"].as_str().unwrap();
    assert_eq!(error, "malformed answer: the final result has nothing at `/text`");
}
