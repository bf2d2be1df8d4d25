//! `highwater judge` on recordings that other tools made.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a recording of `fixtures/recordings` holds.
struct Expected {
    file: &'static str,
    column: &'static str,
    unit: &'static str,
    readings: u64,
    /// What the rate is told per, and the rate, in MB.
    per: &'static str,
    rate: f64,
}

/// One process that keeps 2 MB a second, recorded once a second with these tools at once (mprof ten times).
const RISING: [Expected; 25] = [
    rising("array.json", "rss", "bytes", 40, "hour"),
    rising("cgroup-loop.txt", "1", "bytes", 40, "task"),
    rising("docker-stats.jsonl", "MemUsage", "megabytes", 40, "task"),
    rising("docker-stats.txt", "MEM USAGE / LIMIT", "megabytes", 40, "task"),
    rising("grafana-unit.csv", "svc", "megabytes", 40, "hour"),
    rising(
        "grafana.csv",
        "process_resident_memory_bytes{instance=\"localhost:9100\", job=\"svc\"}",
        "bytes",
        40,
        "hour",
    ),
    rising("hw-watch.csv", "memory_rss_mb", "megabytes", 37, "hour"),
    rising("hw-watch.txt", "private MB", "megabytes", 37, "hour"),
    rising("k6.json", "server_rss", "bytes", 40, "hour"),
    rising("kubectl-top-header.txt", "MEMORY(bytes)", "megabytes", 40, "task"),
    rising("kubectl-top.txt", "3", "megabytes", 40, "task"),
    Expected {
        rate: 0.5,
        ..rising("massif.out", "mem_heap_B + mem_heap_extra_B + mem_stacks_B", "bytes", 79, "task")
    },
    rising("mprofile.dat", "MEM", "megabytes", 388, "hour"),
    rising("node-jsonl.jsonl", "rss", "bytes", 40, "hour"),
    rising("nvidia-smi.csv", "used_gpu_memory [MiB]", "megabytes", 40, "hour"),
    rising("pidstat-iso.txt", "RSS", "kilobytes", 39, "hour"),
    rising("pidstat-r.txt", "RSS", "kilobytes", 39, "hour"),
    rising("pidstat-rh.txt", "RSS", "kilobytes", 39, "hour"),
    rising("prom-range.json", "process_resident_memory_bytes", "bytes", 40, "hour"),
    rising("ps-aux.txt", "RSS", "kilobytes", 39, "task"),
    rising("ps-header.txt", "RSS", "kilobytes", 39, "task"),
    rising("ps-rss.txt", "1", "kilobytes", 39, "task"),
    rising("psrecord.txt", "Real (MB)", "megabytes", 40, "hour"),
    rising("status.txt", "RssAnon", "kilobytes", 40, "task"),
    rising("timestamped.txt", "2", "kilobytes", 40, "hour"),
];

const fn rising(
    file: &'static str,
    column: &'static str,
    unit: &'static str,
    readings: u64,
    per: &'static str,
) -> Expected {
    // A reading is a second, and an hour has 3,600.
    let rate = if matches!(per.as_bytes(), b"hour") { 7200.0 } else { 2.0 };
    Expected { file, column, unit, readings, per, rate }
}

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings").join(file)
}

fn judge(arguments: &[&str], stdin: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_highwater"))
        .arg("judge")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The entries of `files`, by the files' names.
fn entries(files: &[&str]) -> HashMap<String, Value> {
    let paths: Vec<String> = files.iter().map(|file| fixture(file).display().to_string()).collect();
    let arguments: Vec<&str> = ["--json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let (_, stdout, stderr) = judge(&arguments, "");
    let told: Vec<Value> = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    assert_eq!(told.len(), files.len(), "{stderr}");
    files.iter().map(|file| (*file).to_string()).zip(told).collect()
}

fn rate(entry: &Value) -> f64 {
    let per_task = entry["rate_mb_per_task"].as_f64();
    per_task.or(entry["rate_mb_per_hour"].as_f64()).unwrap_or_else(|| panic!("{entry:#}"))
}

#[test]
fn every_tool_that_people_use_is_read() {
    let files: Vec<&str> =
        RISING.iter().map(|expected| expected.file).chain(["top-b.txt", "sar-r.txt"]).collect();
    let entries = entries(&files);
    for expected in &RISING {
        let entry = &entries[expected.file];
        let told = (&entry["column"], &entry["unit"], &entry["tasks"], &entry["per"]);
        let wanted = (
            &Value::from(expected.column),
            &Value::from(expected.unit),
            &Value::from(expected.readings),
            &Value::from(expected.per),
        );
        assert_eq!(told, wanted, "{}: {entry:#}", expected.file);
        assert!((rate(entry) / expected.rate - 1.0).abs() < 0.03, "{}: {entry:#}", expected.file);
        assert_ne!(entry["verdict"], "clean", "{}: {entry:#}", expected.file);
    }
    let top = &entries["top-b.txt"];
    assert_eq!(
        (&top["column"], &top["unit"], &top["per"]),
        (&"RES".into(), &"kilobytes".into(), &"hour".into())
    );
    // The memory of a machine does not rise with one process of it.
    let sar = &entries["sar-r.txt"];
    assert_eq!(
        (&sar["column"], &sar["unit"], &sar["tasks"]),
        (&"kbmemused".into(), &"kilobytes".into(), &36.into())
    );
    let all = std::fs::read_dir(fixture(""))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().is_file())
        .count();
    assert_eq!(files.len(), all, "a recording has no expectation");
}

#[test]
fn swap_belongs_to_what_a_process_keeps() {
    for (file, entry) in entries(&["swap/evicted.csv", "swap/rows.csv", "swap/sum.csv"]) {
        assert_eq!(entry["verdict"], "leak", "{file}: {entry:#}");
        assert!((rate(&entry) - 8.0).abs() < 0.2, "{file}: {entry:#}");
    }
}

#[test]
fn a_straight_line_is_never_something_that_fills() {
    // 17 KB a row, in recordings of different lengths.
    let line = std::fs::read_to_string(fixture("time/17kb-500.csv")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for rows in [100, 200, 350, 500] {
        let path = directory.path().join(format!("{rows}.csv"));
        std::fs::write(&path, line.lines().take(rows + 1).collect::<Vec<_>>().join("\n")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_highwater")).arg("judge").arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("per task") && !said.contains("fills"), "{rows} rows: {said}");
    }
}

#[test]
fn the_results_of_a_soak_are_judged_by_the_floors_of_its_rounds() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let task = r#"{"test_id": "short_c2_1", "concurrency": 2, "status": "success", "phase": "soak"}"#;
    std::fs::write(path("memory_leak_stress_test_20261123_120000.jsonl"), format!("{task}\n")).unwrap();
    let mut events = String::new();
    for round in 1..=80 {
        // A thousand tasks a round, 1 KB kept of each.
        let (tasks, floor) = (1000 * round, 50.0 + f64::from(round));
        let event = serde_json::json!({
            "time": "2026-11-23T12:00:00+01:00", "elapsed": round, "event": "soak_round", "round": round,
            "tasks": tasks, "seconds": round, "floor_mb": floor, "peak_mb": floor + 20.0,
        });
        writeln!(events, "{event}").unwrap();
    }
    std::fs::write(path("events_20261123_120000.jsonl"), events).unwrap();
    let file = path("memory_leak_stress_test_20261123_120000.jsonl");
    let output =
        Command::new(env!("CARGO_BIN_EXE_highwater")).arg("judge").arg(&file).arg("--json").output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let entry = told.get(0).unwrap_or(&told);
    assert_eq!((&entry["column"], &entry["verdict"]), (&"floor_mb".into(), &"leak".into()), "{told:#}");
    assert!((entry["rate_mb_per_task"].as_f64().unwrap() - 0.001).abs() < 0.0002, "{told:#}");
}

#[test]
fn what_ps_and_proc_print_is_kilobytes_at_any_size() {
    let files =
        ["flat-small.csv", "flat.csv", "large.csv", "min.csv", "pidstat.csv", "ps-rss.csv", "vmrss.csv"]
            .map(|file| format!("kilobytes/{file}"));
    for (file, entry) in entries(&files.iter().map(String::as_str).collect::<Vec<_>>()) {
        assert_eq!(entry["unit"], "kilobytes", "{file}");
        // 19 kB are no 19 MB.
        let per_reading = rate(&entry) / if entry["per"] == "hour" { 3600.0 } else { 1.0 };
        assert!(per_reading.abs() < 0.03, "{file}: {entry:#}");
        assert!(!file.contains("flat") || entry["verdict"] == "clean", "{file}: {entry:#}");
    }
}

#[test]
fn a_share_is_refused_with_its_reason() {
    for file in ["percent/MemPerc.csv", "percent/mem-percent.csv", "percent/pmem.csv"] {
        let (code, _, stderr) = judge(&[fixture(file).to_str().unwrap()], "");
        assert_eq!(code, Some(3), "{file}");
        assert!(
            stderr.contains("is a share of the memory of a machine") && stderr.contains("hint: "),
            "{stderr}"
        );
    }
}

/// A line of `mb_per_hour` over two hours, read every `every` seconds, with noise of ±0.2 MB that has no trend.
fn line(mb_per_hour: f64, every: u32) -> String {
    let mut noise = 1_u32;
    let mut csv = "elapsed_seconds,rss_mb\n".to_string();
    for second in (0..7200).step_by(every as usize) {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mb = 400.0
            + mb_per_hour * f64::from(second) / 3600.0
            + f64::from(noise >> 8) / f64::from(1 << 24) * 0.4;
        writeln!(csv, "{second},{mb:.2}").unwrap();
    }
    csv
}

#[test]
fn the_same_line_has_the_same_answer_at_every_interval() {
    for mb_per_hour in [60.0, 240.0] {
        for every in [1, 5, 15, 60] {
            let (code, stdout, _) = judge(&["--json", "-"], &line(mb_per_hour, every));
            let entry: Value = serde_json::from_str::<Vec<Value>>(&stdout).unwrap().remove(0);
            assert_eq!(
                (code, &entry["per"]),
                (Some(1), &"hour".into()),
                "{mb_per_hour} each {every} s: {entry:#}"
            );
            assert!(
                (rate(&entry) / mb_per_hour - 1.0).abs() < 0.03,
                "{mb_per_hour} each {every} s: {entry:#}"
            );
        }
        let (code, stdout, _) = judge(&["-"], &line(0.0, 5));
        assert_eq!(code, Some(0), "{stdout}");
    }
    let files = ["time/60mbh-15s.csv", "time/60mbh-60s.csv", "time/240mbh-5s.csv", "time/240mbh-60s.csv"];
    for (file, entry) in entries(&files) {
        let expected = if file.contains("/60") { 60.0 } else { 240.0 };
        assert_eq!(entry["verdict"], "leak", "{file}: {entry:#}");
        assert!((rate(&entry) / expected - 1.0).abs() < 0.03, "{file}: {entry:#}");
    }
}

#[test]
fn a_rate_is_told_per_hour_or_per_task_as_it_is_wanted() {
    let (code, stdout, _) = judge(&["-"], &line(240.0, 60));
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("-: LEAK: +2") && stdout.contains(" MB per hour ("), "{stdout}");
    let (_, stdout, _) = judge(&["-", "--per", "task"], &line(240.0, 60));
    assert!(stdout.contains("LEAK: +4 MB per task") && !stdout.contains("per hour"), "{stdout}");
    let (code, _, stderr) = judge(&["-", "--per", "hour"], "rss_mb\n5\n6\n7\n");
    assert_eq!(code, Some(3));
    assert!(stderr.contains("no column of times") && stderr.contains("it has `rss_mb`"), "{stderr}");
}

#[test]
fn the_worst_series_of_a_file_decides() {
    let rows: String = (0..80)
        .map(|n| {
            format!(
                "  PID   RSS COMMAND\n 4711 {} python3\n 4712 51200 python3\n   99 10240 redis-server\n",
                51_200 + 10_240 * n
            )
        })
        .collect();
    let (code, stdout, stderr) = judge(&["-"], &rows);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    for line in [
        "-: python3: all 2 processes: LEAK: +10 MB per task",
        "-: python3 (pid 4711): LEAK: +10 MB per task",
        "-: python3 (pid 4712): CLEAN: ",
        "-: redis-server (pid 99): CLEAN: ",
    ] {
        assert!(stdout.contains(line), "{stdout}");
    }
    let (_, stdout, _) = judge(&["-", "--json"], &rows);
    let entry: Value = serde_json::from_str::<Vec<Value>>(&stdout).unwrap().remove(0);
    assert_eq!((&entry["verdict"], entry["series"].as_array().map(Vec::len)), (&"leak".into(), Some(4)));
    assert_eq!(entry["series"][3]["verdict"], "clean");
    // One series has no list of them.
    let (_, stdout, _) = judge(&["-", "--json"], "rss_mb\n5\n6\n7\n");
    assert!(!stdout.contains("series") && stdout.contains("rate_mb_per_task"), "{stdout}");
}

#[test]
fn a_unit_and_a_column_can_be_said() {
    let table = "5 9 3\n6 8 4\n7 9 5\n";
    let (code, _, stderr) = judge(&["-"], table);
    assert_eq!(code, Some(3));
    assert!(stderr.contains("`5 9 3`") && stderr.contains("`--column 2 --unit kB`"), "{stderr}");
    let (code, stdout, _) = judge(&["-", "--column", "2", "--unit", "kB", "--json"], table);
    assert_eq!(code, Some(2));
    assert!(stdout.contains("\"unit\":\"kilobytes\""), "{stdout}");
    let (_, _, stderr) = judge(&["-", "--unit", "parsec"], table);
    assert!(stderr.contains("must be bytes, kB, MB or GB"), "{stderr}");
}
