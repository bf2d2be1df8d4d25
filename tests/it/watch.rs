//! `highwater watch` by real invocations, against a helper process.
#![cfg(target_os = "linux")]

use std::io::BufRead;
use std::process::{Command, Stdio};

use crate::support::helper::{self, Helper};
use serde_json::Value;
use serial_test::parallel;

fn watch(directory: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.current_dir(directory).env_remove("HIGHWATER_CONFIG").arg("watch").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
#[parallel(machine)]
fn a_process_is_watched_to_its_end_and_summed_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut helper = Helper::spawn();
    helper.tell("allocate 100");
    helper.tell("threads 2");
    let mut command = watch(directory.path());
    command.args(["--pid", &helper.pid.to_string(), "--interval", "20ms", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&stdout.next()?.unwrap()).ok();
    let mut lines: Vec<Value> = Vec::new();
    let mut until_seen = |fds: u64| {
        while lines.last().is_none_or(|line| line["event"] != "sample" || line["fds"] != fds) {
            lines.push(next().unwrap_or_else(|| panic!("never seen: {fds} descriptors; {lines:?}")));
        }
    };
    let fds = std::fs::read_dir(format!("/proc/{}/fd", helper.pid)).unwrap().count() as u64;
    until_seen(fds);
    helper.tell("allocate 100");
    helper.tell("open 9");
    until_seen(fds + 9);
    helper.order("exit 3");
    lines.extend(std::iter::from_fn(next));

    assert_eq!(child.wait().unwrap().code(), Some(0), "{lines:?}");
    let summary = lines.last().unwrap();
    assert_eq!(
        (&summary["event"], &summary["ended"]),
        (&"summary".into(), &"every process has ended".into())
    );
    let seen = &summary["processes"][0];
    let figure = |path: &str| seen.pointer(path).and_then(Value::as_f64).unwrap();
    assert_eq!(seen["pid"], helper.pid);
    assert_eq!(seen["end"], "exited, code 3");
    assert!((figure("/private_mb/last") - figure("/private_mb/first") - 100.0).abs() < 4.0, "{seen}");
    assert!((figure("/rss_mb/max") - figure("/rss_mb/min") - 100.0).abs() < 4.0, "{seen}");
    assert_eq!(figure("/fds/last") - figure("/fds/first"), 9.0);
    assert!(figure("/peak_mb") >= 200.0 && figure("/threads/last") >= 3.0, "{seen}");
    let of_kind = |kind: &str| lines.iter().filter(|line| line["event"] == kind).count();
    assert!(of_kind("sample") >= 2 && of_kind("exited") == 1, "{lines:?}");
}

#[test]
#[parallel(machine)]
fn words_of_a_command_line_find_a_tree_and_people_get_a_table() {
    let directory = tempfile::tempdir().unwrap();
    let mut helper = Helper::spawn_stranger("a-word-that-only-it-has");
    let child = helper.tell("spawn");
    let mut command = watch(directory.path());
    command.args(["a-word-that-only-it-has", "--for", "300ms", "--interval", "100ms", "--no-csv"]);
    let output = command.output().unwrap();
    let said = text(&output.stdout);
    // With `--for` there is a verdict, and a few looks decide nothing.
    assert_eq!(output.status.code(), Some(2), "{said}{}", text(&output.stderr));
    assert!(said.contains("too few; watch for longer"), "{said}");
    let summary = said.split("watched for").nth(1).unwrap();
    for (pid, name) in [(helper.pid.to_string(), "it-"), (child, "└ ")] {
        let line = summary.lines().find(|line| line.split_whitespace().any(|word| word == pid));
        assert!(line.is_some_and(|line| line.contains(name) && line.ends_with("alive")), "{pid}: {said}");
    }
    assert!(!directory.path().join("results").exists(), "no CSV was asked for");
}

#[test]
#[parallel(machine)]
fn ctrl_c_ends_a_watch_with_its_summary() {
    let directory = tempfile::tempdir().unwrap();
    let helper = Helper::spawn();
    let mut command = watch(directory.path());
    command.args(["--pid", &helper.pid.to_string(), "--interval", "50ms", "--csv", "seen.csv"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let csv = directory.path().join("seen.csv");
    let rows = || std::fs::read_to_string(&csv).unwrap_or_default().lines().count();
    helper::until("it watches", || rows() > 3);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("interrupted (SIGINT)") && said.contains("\nCSV: seen.csv"), "{said}");
}

#[test]
#[parallel(machine)]
fn a_watch_ends_when_its_reader_does() {
    let directory = tempfile::tempdir().unwrap();
    let helper = Helper::spawn();
    for how in [vec!["--no-csv"], vec!["--json", "--csv", "seen.csv"]] {
        let mut command = watch(directory.path());
        command.args(["--pid", &helper.pid.to_string(), "--interval", "20ms"]).args(how);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        // The reader is gone with what it read from, as with `| head -1`.
        helper::until("it has ended", || child.try_wait().unwrap().is_some());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let rows = std::fs::read_to_string(directory.path().join("seen.csv")).unwrap();
    assert!(rows.lines().count() > 1, "what was seen is on the disk: {rows}");
}

#[test]
fn nobody_to_watch_is_an_error_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let output = watch(directory.path()).arg("words-that-nobody-carries").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("words-that-nobody-carries"), "{}", text(&output.stderr));
    let output = watch(directory.path()).args(["--pid", "4194304"]).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("error: there is no live process 4194304\n") && said.contains("pgrep"), "{said}");
    assert!(!directory.path().join("results").exists(), "nothing is left behind");
}
