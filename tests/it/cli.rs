//! The command line: exit codes, messages and hints, by real invocations.

mod doctor;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::schema;
use crate::support::service::{self, Idle, Service};
use axum::routing::get;
use axum::{Json, Router};
use highwater::demo::{Embedded, Role};
use serde_json::{Value, json};
use serial_test::parallel;
use tempfile::TempDir;

/// The outcome of an invocation.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    /// Checks the exit code, and that each part stands in what was said on stderr.
    #[track_caller]
    fn says(&self, code: i32, parts: &[&str]) -> &Ended {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing in: {}", self.stderr);
        }
        self
    }
}

/// A directory of one's own, in which highwater runs with nothing configured.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Small recordings, so that no test sends megabytes.
    fn recordings(&self) -> [String; 4] {
        let file = |name: &str, seconds| {
            self.write(name, highwater::audio::make(seconds)).to_str().unwrap().to_string()
        };
        ["--short".to_string(), file("s.wav", 2), "--long".to_string(), file("l.wav", 4)]
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HIGHWATER_") {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.0.path()).env("COLUMNS", "100").stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args))
    }

    /// `run` against `url` with small recordings and `more` arguments.
    fn run_against(&self, url: &str, more: &[&str]) -> Ended {
        let recordings = self.recordings();
        let mut args = vec!["run", "--url", url];
        args.extend(recordings.iter().map(String::as_str));
        args.extend(more);
        self.run(&args)
    }

    /// A run of the past: its events and tasks as files, with these deltas of its long tasks.
    fn results(&self, directory: &str, stamp: &str, delta_mb: f64) -> PathBuf {
        let record = |index: usize| {
            let kind = if index.is_multiple_of(2) { "short" } else { "long" };
            let delta = if kind == "long" { delta_mb } else { 0.0 };
            json!({
                "test_id": format!("{kind}_c1_{index}"), "audio_file": format!("{kind}.wav"),
                "concurrency": 1, "status": "success", "processing_time": 1.0, "rtf": 0.1,
                "worker_rss_before_mb": 600.0, "worker_rss_after_mb": 600.0,
                "worker_rss_delta_mb": delta, "phase": "leak", "kind": kind,
            })
        };
        let tasks: String = (0..24).map(|index| format!("{}\n", record(index))).collect();
        let event = |event: Value| {
            let mut line = json!({"time": "2025-12-09T23:21:45+01:00", "elapsed": 1.0});
            line.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
            format!("{line}\n")
        };
        let events = [
            json!({
                "event": "run_started", "title": "test of a service", "version": "0.1.0",
                "machine": {"os": "Linux", "kernel": "6", "cpus": 2, "memory_mb": 1000.0},
                "plan": {"leak": {"repeats": 11}, "ramp": {"enabled": false}},
                "files": {"tasks": "", "events": "", "resources": ""},
            }),
            json!({
                "event": "process_found", "role": "worker", "pid": 7, "name": "python",
                "command": "python", "root": true,
            }),
            json!({"event": "run_ended"}),
        ];
        let events: String = events.into_iter().map(event).collect();
        self.write(&format!("{directory}/events_{stamp}.jsonl"), events);
        self.write(&format!("{directory}/memory_leak_stress_test_{stamp}.jsonl"), tasks)
    }
}

fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn help_is_what_was_asked_for() {
    let home = Home::new();
    for (name, args) in [("help", vec!["--help"]), ("help_run", vec!["run", "--help"])] {
        let ended = home.run(&args);
        ended.says(0, &[]);
        assert_eq!(ended.stderr, "");
        insta::assert_snapshot!(name, ended.stdout);
    }
    let version = home.run(&["--version"]);
    assert_eq!(version.stdout, format!("highwater {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_usage_is_3_with_what_was_meant() {
    let home = Home::new();
    home.run(&["run", "--max-concurency", "3"]).says(3, &["--max-concurency", "--max-concurrency"]);
    home.run(&["reports"]).says(3, &["reports", "'report'"]);
    home.run(&[]).says(3, &["Usage: highwater"]);
    home.run(&["run", "--timeout", "soon"]).says(3, &["soon", "--timeout"]);
    home.run(&["run", "--set", "leak.repeats"]).says(3, &["expected KEY=VALUE"]);
    let after_dashes = home.run(&["run", "--", "--leak", "300MB"]);
    after_dashes.says(3, &["error: arguments after `--` are for the embedded service", "hint: add `--demo`"]);
    let both = home.run(&["run", "--demo", "--url", "http://localhost:1"]);
    both.says(
        3,
        &["error: `--demo` tests the embedded service, and `--url` is for another", "hint: leave out"],
    );
    let pid = home.run(&["run", "--demo", "--worker-pid", "1"]);
    pid.says(3, &["error: `--demo` tests the embedded service, and `--worker-pid` is for another", "hint: "]);
    home.run(&["run", "--bad-input", "x"]).says(3, &["only the probe `error` sends", "hint: add `--probe`"]);
    home.run(&["report", "x", "--max-delta-mb", "-5"]).says(3, &["cannot read the results file `x`"]);
    let device = home.run(&["run", "--short", "/dev/zero"]);
    device.says(3, &["error: `/dev/zero` is not a regular file", "hint: save the recording into a file"]);
    let secret = home.run(&["run", "--set", "target.auth_env=NO_SUCH_VARIABLE"]);
    secret.says(3, &["names the variable `NO_SUCH_VARIABLE`, which is not set", "hint: set it"]);
}

#[test]
fn where_nothing_can_be_done_json_is_still_an_object() {
    let home = Home::new();
    let url = service::nobody();
    for (args, what) in [
        (vec!["run", "--url", &url, "--json"], "is not ready"),
        (vec!["soak", "--demo", "--worker-port", "1", "--json"], "`--worker-port` is for another"),
        (vec!["report", "none.jsonl", "--json"], "`none.jsonl`"),
        (vec!["compare", "none", "nothing", "--json"], "`none`"),
        (vec!["judge", "--json"], "required arguments"),
    ] {
        let ended = home.run(&args);
        ended.says(3, &[what]);
        let object: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((&object["verdict"], &object["exit_code"]), (&json!("error"), &json!(3)), "{args:?}");
        assert!(object["error"].as_str().unwrap().contains(what) && object["hint"].is_string(), "{object}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_stdout_that_takes_nothing_is_an_error_with_its_cause() {
    let home = Home::new();
    let file = home.results("results", "20251209_232145", 10.0);
    for args in [["report", text(&file), "--json"], ["judge", text(&file), "--json"]] {
        let mut command = home.command(&args);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("cannot write to stdout") && stderr.contains("cause: No space"), "{stderr}");
    }
}

#[test]
fn what_cannot_be_judged_keeps_nothing_else_from_being_judged() {
    let home = Home::new();
    let leak: String = (0..60).map(|task| format!("{}\n", 500 + 10 * task)).collect();
    home.write("leak.csv", format!("rss_mb\n{leak}"));
    home.write("zero.csv", "rss_mb\n0\n0\n");
    home.write("labels/labels.csv", "file,worker\nd1,c\n");
    home.write("escape.csv", "\u{7}\u{1b}[31mred,size\n1,2\n");
    fs::create_dir(home.path("bare")).unwrap();
    let ended = home.run(&["judge", "bare", "zero.csv", "labels", "leak.csv", "none.csv", "--json"]);
    ended.says(1, &["`bare`", "0 is no process's memory", "none of the files in `labels`", "`none.csv`"]);
    let entries: Value = serde_json::from_str(&ended.stdout).unwrap();
    let verdicts: Vec<&Value> = entries.as_array().unwrap().iter().map(|entry| &entry["verdict"]).collect();
    assert_eq!(verdicts, ["inconclusive", "inconclusive", "inconclusive", "leak", "inconclusive"]);
    let errors = entries.as_array().unwrap().iter().filter(|entry| entry["error"].is_string()).count();
    assert_eq!(errors, 4, "{entries}");
    home.run(&["judge", "bare"]).says(3, &["no results file", "hint: "]);
    home.run(&["judge", "leak.csv", "--max-delta-mb", "nan"]).says(3, &["must be a number above 0"]);
    home.run(&["judge", "leak.csv", "--max-delta-mb", "-5"]).says(3, &["must be a number above 0"]);
    let escaped = home.run(&["judge", "escape.csv"]);
    escaped.says(3, &["`\\u{7}red`"]);
    assert!(!escaped.stderr.contains(['\u{1b}', '\u{7}']), "{:?}", escaped.stderr);
}

#[test]
fn an_unknown_key_is_3_with_its_line_and_the_nearest() {
    let home = Home::new();
    home.write("highwater.toml", "results = \"r\"\n\n[leak]\nmax_delta = 100\n");
    let expected =
        ["unknown key `leak.max_delta`", "highwater.toml` line 4", "did you mean `leak.max_delta_mb`?"];
    home.run(&["run"]).says(3, &expected);
    home.run(&["doctor"]).says(3, &expected);
    fs::remove_file(home.path("highwater.toml")).unwrap();
    home.run(&["run", "--set", "leak.repeat=3"]).says(3, &["did you mean `leak.repeats`?"]);
    home.run(&["run", "--config", "none.toml"]).says(3, &["`none.toml`", "highwater init"]);
    assert!(!home.path("r").exists() && !home.path("results").exists(), "nothing was begun");
}

#[test]
fn an_unknown_variable_is_3_with_the_nearest() {
    let home = Home::new();
    let mut command = home.command(&["run"]);
    command.env("HIGHWATER_LEAK_REPEAT", "3");
    ended(command).says(3, &["`HIGHWATER_LEAK_REPEAT`", "did you mean `HIGHWATER_LEAK_REPEATS`?"]);
}

#[test]
fn a_service_that_is_not_there_is_3_with_a_hint() {
    let home = Home::new();
    let url = service::nobody();
    let ended = home.run_against(&url, &[]);
    ended.says(3, &[&url, "is not ready", "refused", "hint: start the service", "--url URL", "--demo"]);
    // A service that cannot be asked for its health has to be there all the same.
    let unasked = home.run_against(&url, &["--preset", "http", "--worker-pid", "1"]);
    unasked.says(3, &["is not ready: cannot connect", "hint: start the service"]);
    assert_eq!(fs::read_dir(home.path("results")).unwrap().count(), 0, "no files of a run that was none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_is_not_there_is_3_with_near_misses() {
    let healthy = Router::new().route("/api/v1/health", get(|| async { Json(json!({"status": "ok"})) }));
    let service = Service::start(healthy).await;
    let (home, unique) = (Home::new(), format!("queue-{}", std::process::id()));
    let near = Idle::start(&format!("{unique}-neighbour"));
    let patterns = format!("processes.worker.patterns=rq worker,{unique},absent-word");
    let url = service.url.clone();
    let ended = tokio::task::spawn_blocking(move || {
        let ended = home.run_against(&url, &["--set", &patterns]);
        let gone = home.run_against(&url, &["--worker-pid", "4194304"]);
        assert_eq!(fs::read_dir(home.path("results")).unwrap().count(), 0, "no files of a run that was none");
        gone.says(3, &["there is no live process 4194304", "processes.worker.pid"]);
        ended
    });
    ended.await.unwrap().says(
        3,
        &[
            "no process for the role `worker`",
            "`absent-word`",
            "hint: start it, for example with `rq worker asr-queue",
            "nearly matched:",
            &format!("pid {}  {unique}-neighbour", near.pid()),
        ],
    );
}

#[test]
fn a_report_of_nothing_is_3_with_a_hint() {
    let home = Home::new();
    home.run(&["report", "none.jsonl"]).says(3, &["cannot read the results file `none.jsonl`", "hint: "]);
    fs::create_dir(home.path("results")).unwrap();
    home.run(&["run", "--resume", "results"]).says(3, &["hint: name a file in it"]);
    home.write("empty.jsonl", "");
    home.run(&["report", "empty.jsonl"]).says(3, &["`empty.jsonl` contains no task", "hint: "]);
    home.write("garbage.jsonl", "hello\nworld\n");
    home.run(&["report", "garbage.jsonl"]).says(3, &["`garbage.jsonl` contains no task", "line 1", "hint: "]);
    home.write("torn.jsonl", "{\"test_id\": \"sho");
    home.run(&["report", "torn.jsonl"]).says(3, &["`torn.jsonl` contains no task", "hint: "]);
    fs::create_dir(home.path("bare")).unwrap();
    home.run(&["report", "bare"]).says(3, &["no results file", "`bare`", "hint: run `highwater run`"]);
    assert!(!home.path("empty.md").exists(), "no report of nothing");
}

#[test]
fn a_report_judges_again_and_says_with_which_thresholds() {
    let home = Home::new();
    let file = home.results("results", "20251209_232145", 150.0);
    let ended = home.run(&["report", text(&file)]);
    ended.says(0, &[]);
    assert!(ended.stdout.contains("**PASS**"), "{}", ended.stdout);
    let written = fs::read_to_string(file.with_extension("md")).unwrap();
    assert!(ended.stdout.starts_with(&written), "what is printed is what is written");

    let strict = home.run(&["report", text(&file), "--max-delta-mb", "100"]);
    strict.says(1, &[]);
    assert!(strict.stdout.contains("**FAIL**") && strict.stdout.contains("delta +150.0 MB ≥ 100 MB"));
    assert!(fs::read_to_string(file.with_extension("md")).unwrap().contains("**FAIL**"));
    let unfit = home.run(&["report", text(&file), "--set", "target.url=http://h"]);
    unfit.says(3, &["`target.url` decides nothing about a run that is over", "hint: "]);
}

#[test]
fn a_report_as_json_is_one_object() {
    let home = Home::new();
    let file = home.results("results", "20251209_232145", 250.0);
    let ended = home.run(&["report", text(&file), "--json"]);
    ended.says(1, &[]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["max_stable_concurrency"]), (&json!("fail"), &Value::Null));
    assert_eq!(report["leak_check"].as_array().unwrap().len(), 24);
}

#[test]
fn a_report_of_a_directory_has_every_run_and_the_worst_exit_code() {
    let home = Home::new();
    let good = home.results("results", "20251209_232145", 10.0);
    home.results("results", "20251209_235959", 300.0);
    let ended = home.run(&["report", "results"]);
    ended.says(1, &[]);
    assert_eq!(ended.stdout.matches("# highwater: test of a service").count(), 2, "{}", ended.stdout);
    assert!(ended.stdout.find("**PASS**").unwrap() < ended.stdout.find("**FAIL**").unwrap(), "oldest first");
    let reports: Value = serde_json::from_str(&home.run(&["report", "results", "--json"]).stdout).unwrap();
    reports.as_array().unwrap().iter().for_each(schema::holds);
    let verdicts: Vec<&Value> = reports.as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
    assert_eq!(verdicts, ["pass", "fail"]);
    home.run(&["report", text(&good)]).says(0, &[]);
}

#[test]
fn init_writes_a_file_that_loads_and_overwrites_none() {
    let home = Home::new();
    let ended = home.run(&["init"]);
    ended.says(0, &[]);
    assert!(ended.stdout.contains("highwater.toml"), "{}", ended.stdout);
    let template = fs::read_to_string(home.path("highwater.toml")).unwrap();
    assert_eq!(template, highwater::plan::template());
    let doctor = home.run(&["doctor", "--url", &service::nobody()]);
    assert!(doctor.stdout.starts_with("configuration: highwater.toml\n"), "it loads: {}", doctor.stdout);

    home.write("highwater.toml", "results = \"mine\"\n");
    home.run(&["init"]).says(3, &["highwater.toml", "--force"]);
    assert_eq!(fs::read_to_string(home.path("highwater.toml")).unwrap(), "results = \"mine\"\n");
    home.run(&["init", "--force"]).says(0, &[]);
    assert_eq!(fs::read_to_string(home.path("highwater.toml")).unwrap(), template);
    home.run(&["init", "other.toml"]).says(0, &[]);
    assert!(home.path("other.toml").is_file());
}

#[test]
fn init_with_a_preset_writes_the_lines_that_matter() {
    let home = Home::new();
    home.run(&["init", "--preset", "http"]).says(0, &[]);
    let written = fs::read_to_string(home.path("highwater.toml")).unwrap();
    assert!(written.contains("preset = \"http\"") && written.lines().count() < 30, "{written}");
    assert!(written.contains("Bearer ${API_TOKEN}"), "a secret comes from the environment");
    // No role of another kind of service has to be there, or to be switched off.
    let doctor = home.run(&["doctor", "--url", &service::nobody()]);
    assert!(doctor.stdout.contains("worker") && !doctor.stdout.contains("backend"), "{}", doctor.stdout);
}

#[test]
fn a_variable_in_a_header_is_taken_from_the_environment_or_refused() {
    let home = Home::new();
    let text =
        "preset = 'http'\n[target.http.headers]\nX-Key = '${HW_TEST_KEY}'\n[processes.worker]\npid = 1\n";
    home.write("highwater.toml", text);
    home.run(&["run"]).says(
        3,
        &[
            "`target.http.headers.X-Key` needs the environment variable `HW_TEST_KEY`",
            "`highwater.toml` line 3",
        ],
    );
    let mut command = home.command(&["run", "--url", &service::nobody()]);
    command.env("HW_TEST_KEY", "0pen-sesame");
    let set = ended(command);
    set.says(3, &["is not ready"]);
    assert!(!set.stderr.contains("sesame") && !set.stdout.contains("sesame"), "{}", set.stderr);
}

#[test]
fn a_path_that_makes_no_url_and_two_variables_for_one_key_are_3() {
    let home = Home::new();
    home.write(
        "highwater.toml",
        "preset = 'http'\n\n[target]\nhttp.path = '/a b'\n[processes.worker]\npid = 1\n",
    );
    home.run(&["run"])
        .says(3, &["`target.http.path` must be the path of a URL, got `/a b`", "line 4", "%20"]);
    home.write("highwater.toml", "[target]\nhealth = '/up now'\n");
    home.run(&["run"]).says(3, &["`target.health` must be the path of a URL", "`highwater.toml` line 2"]);
    fs::remove_file(home.path("highwater.toml")).unwrap();
    let mut command = home.command(&["run"]);
    command.env("HIGHWATER_URL", "http://a:1").env("HIGHWATER_TARGET_URL", "http://a:1");
    ended(command).says(3, &["`target.url` is set twice", "`HIGHWATER_URL`", "unset one of the two"]);
}

#[test]
#[parallel(machine)]
fn run_json_ends_with_one_object_and_nothing_else_on_stdout() {
    let home = Home::new();
    let recordings = home.recordings();
    let mut args = vec!["run", "--demo", "--json", "--results", "out", "--only", "concurrency"];
    args.extend([
        "--max-concurrency",
        "2",
        "--required",
        "2",
        "--max-rtf",
        "1000",
        "--set",
        "settle.quiet_s=0.2",
        // One task for each that is outstanding, also where they take no time.
        "--set",
        "ramp.short_s=0",
    ]);
    args.extend(recordings.iter().map(String::as_str));
    let ended = home.run(&args);
    ended.says(0, &["highwater: memory leak and stress test of the embedded demo service", "PHASE 2"]);
    let object: Value = serde_json::from_str(&ended.stdout).unwrap();
    schema::holds(&object);
    assert_eq!((&object["verdict"], &object["exit_code"]), (&json!("pass"), &json!(0)));
    // The bound was reached without finding the limit.
    assert_eq!(object["max_stable_concurrency"], Value::Null);
    assert_eq!(
        (&object["highest_level_held"], &object["limit"]["ending"]),
        (&json!(2), &json!("bound_reached"))
    );
    for (name, path) in object["files"].as_object().unwrap() {
        let path = home.path(path.as_str().unwrap());
        assert!(path.starts_with(home.path("out")) && path.is_file(), "{name}: {}", path.display());
    }
    let tasks = fs::read_to_string(home.path(object["files"]["tasks"].as_str().unwrap())).unwrap();
    assert_eq!(tasks.lines().count(), 3);
}
