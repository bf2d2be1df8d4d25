//! Data files that are torn, damaged, or older than highwater: `highwater report` on each.

use std::path::PathBuf;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

/// A task as the Python script wrote it.
fn line(audio: &str, concurrency: u32, second: u32, before: f64, after: f64) -> String {
    let index = if concurrency > 1 { format!("_t{}", second % concurrency) } else { String::new() };
    let delta = after - before;
    format!(
        r#"{{"test_id": "{audio}_c{concurrency}{index}_{second}", "timestamp": "2025-12-09T23:15:45.123456", "audio_file": "{audio}.wav", "audio_size_mb": 4.7, "concurrency": {concurrency}, "task_id": "a{second}", "status": "success", "processing_time": 34.4, "rtf": 0.234, "worker_rss_before_mb": {before:.1}, "worker_rss_after_mb": {after:.1}, "worker_rss_delta_mb": {delta:.1}, "error": null}}"#
    )
}

/// A leak check of the Python script's, in which every task keeps `kept` MB, and levels up to 3.
fn old_run(kept: f64) -> Vec<String> {
    let mut memory = 600.0;
    let mut lines: Vec<String> = (0..24)
        .map(|task| {
            let before = memory;
            memory += kept;
            line(if task % 2 == 0 { "short" } else { "long" }, 1, task, before, memory)
        })
        .collect();
    for level in 1..=3 {
        lines.extend((0..level).map(|task| line("short", level, 100 * level + task, memory, memory)));
    }
    lines
}

fn stored(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("memory_leak_stress_test_20251209_232145.jsonl");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn run_report(path: &std::path::Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HIGHWATER_"))
    {
        command.env_remove(name);
    }
    command.arg("report").arg(path).arg("--json").output().unwrap()
}

/// Reports on a task file with this content: exit code, the report as data and as Markdown.
fn report(text: &str) -> (Option<i32>, Value, String) {
    let (_directory, path) = stored(text);
    let Output { status, stdout, stderr } = run_report(&path);
    let object = serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
    (status.code(), object, std::fs::read_to_string(path.with_extension("md")).unwrap())
}

fn verdict<'a>(report: &'a Value, name: &str) -> &'a Value {
    let criteria = report["criteria"].as_array().unwrap();
    &criteria.iter().find(|criterion| criterion["name"] == name).unwrap()["verdict"]
}

#[rstest]
#[case::healthy(0.0, 0, "pass")]
#[case::leaking(40.0, 1, "fail")]
fn a_file_of_the_python_script_is_judged(#[case] kept: f64, #[case] exit: i32, #[case] growth: &str) {
    let (code, report, markdown) = report(&(old_run(kept).join("\n") + "\n"));
    assert_eq!(code, Some(exit), "{report}");
    assert_eq!(verdict(&report, "leak.growth"), growth);
    assert_eq!(verdict(&report, "leak.delta"), "pass");
    assert_eq!(verdict(&report, "ramp.required"), "pass");
    assert_eq!(report["limit"]["ending"], "bound_reached");
    assert_eq!(report["leak_check"].as_array().unwrap().len(), 24);
    assert!(report["interrupted"].is_null(), "without a log nobody can say that it was");
    assert_eq!(report["missing_files"].as_array().unwrap().len(), 2);
    assert!(markdown.contains("short.wav"), "{markdown}");
}

#[test]
fn fields_that_an_old_file_lacks_are_missing_not_fatal() {
    let bare = r#"{"test_id": "short_c1_1", "concurrency": 1, "status": "success"}"#;
    let (code, report, _) = report(&format!("{bare}\n"));
    assert_eq!(code, Some(2), "nothing was measured, so nothing has passed: {report}");
    assert_eq!(verdict(&report, "leak.tasks"), "pass");
    assert_eq!(verdict(&report, "leak.delta"), "inconclusive");
}

#[test]
fn a_torn_last_line_is_reported_and_everything_before_it_counts() {
    let whole = old_run(0.0).join("\n");
    let (code, report, markdown) = report(&whole[..whole.len() - 40]);
    let skipped = report["skipped_lines"].as_array().unwrap();
    assert_eq!(skipped.len(), 1);
    let told = skipped[0].as_str().unwrap();
    assert!(told.contains("line 30: torn in mid-write, skipped"), "{told}");
    assert!(markdown.contains("line 30: torn in mid-write, skipped"), "{markdown}");
    assert_eq!(report["leak_check"].as_array().unwrap().len(), 24);
    // Two of the three tasks of the last level are left, which is not a level that held.
    assert_eq!(report["levels"][2]["tasks"], 2);
    assert_ne!(code, Some(0), "{report}");
}

#[test]
fn a_damaged_line_in_the_middle_is_reported_and_skipped() {
    let mut lines = old_run(0.0);
    lines[4] = lines[4].replace("\"concurrency\": 1", "\"concurr\u{0}");
    let (code, report, markdown) = report(&(lines.join("\n") + "\n"));
    let told = report["skipped_lines"][0].as_str().unwrap();
    assert!(told.contains("line 5: unreadable, skipped"), "{told}");
    assert!(markdown.contains("line 5: unreadable, skipped"), "{markdown}");
    assert_eq!(report["leak_check"].as_array().unwrap().len(), 23);
    assert_eq!(code, Some(2), "the lost line may have been the one that failed: {report}");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let (_directory, path) = stored("hello\nworld\n");
    let output = run_report(&path);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("contains no task") && stderr.contains("hint:"), "{stderr}");
}
