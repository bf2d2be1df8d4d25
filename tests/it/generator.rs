//! Load that another program makes: levels, soaks and watches, against the embedded service and a helper.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use serial_test::parallel;

use crate::support::helper::Helper;
use crate::support::runs::{Place, Running, json_lines};

/// A load generator as somebody would write it: so many threads, each with one task outstanding.
const GENERATOR: &str = r#"
import json, sys, threading, time, urllib.request
url, concurrency, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
audio = open("short.wav", "rb").read()
head = b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
counts = {"requests": 0, "failed": 0}
times, lock, until = [], threading.Lock(), time.time() + seconds
def task():
    request = urllib.request.Request(url + "/api/v1/asr/submit", head + audio + b"\r\n--b--\r\n",
                                     {"Content-Type": "multipart/form-data; boundary=b"})
    name = json.load(urllib.request.urlopen(request))["task_id"]
    while True:
        status = json.load(urllib.request.urlopen(url + "/api/v1/asr/result/" + name))["status"]
        if status in ("done", "failed"):
            return status == "done"
        time.sleep(0.01)
def user():
    while time.time() < until:
        began = time.time()
        try:
            good = task()
        except Exception:
            good = False
        with lock:
            counts["requests"] += 1
            counts["failed"] += not good
            times.append(time.time() - began)
users = [threading.Thread(target=user) for _ in range(concurrency)]
[one.start() for one in users]
[one.join() for one in users]
times.sort()
counts["per_s"] = counts["requests"] / seconds
counts["p95_s"] = times[int(0.95 * (len(times) - 1))]
print(json.dumps(counts))
"#;

const CONFIGURATION: &str = r#"
preset = "asr-rq"
[load]
command = "python3 load.py {url} {concurrency} {seconds}"
for_s = 1
"#;

/// A place with the generator and its configuration.
fn place() -> Place {
    let place = Place::new(1, 2);
    std::fs::write(place.path("load.py"), GENERATOR).unwrap();
    std::fs::write(place.path("highwater.toml"), CONFIGURATION).unwrap();
    place
}

/// The log of events of the run in `place`.
fn events(place: &Place) -> Vec<Value> {
    let files = std::fs::read_dir(place.path("results")).unwrap().map(|entry| entry.unwrap().path());
    let is_log = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("events_");
    json_lines(&files.into_iter().find(|path| is_log(path)).unwrap())
}

#[test]
#[parallel(machine)]
fn a_level_is_a_run_of_the_generator_and_the_limit_is_found_as_before() {
    let place = place();
    let arguments = "--only concurrency --max-concurrency 4 --required 1 --set ramp.confirm=false --json";
    let (code, lines, stderr) = Running::start(&mut place.run(arguments, "--fail-at 3")).ended();
    let told: Value =
        serde_json::from_str(lines.last().unwrap()).unwrap_or_else(|_| panic!("{lines:?} {stderr}"));
    assert_eq!((code, &told["max_stable_concurrency"]), (Some(0), &2.into()), "{told}");
    let broke = told["levels"].as_array().unwrap().iter().find(|level| level["concurrency"] == 3).unwrap();
    let detail = broke["broke"]["detail"].as_str().unwrap();
    assert!(detail.contains("requests of the load generator failed"), "{detail}");
    for event in events(&place).iter().filter(|event| event["event"] == "generator_ended") {
        let (requests, level) = (event["requests"].as_u64().unwrap(), event["concurrency"].as_u64().unwrap());
        assert!(requests >= level && event["tool"] == "script", "{event}");
        assert!(event["per_s"].as_f64().unwrap() > 0.0 && event["p95_s"].as_f64().unwrap() > 0.0, "{event}");
    }
}

#[test]
#[parallel(machine)]
fn a_soak_is_one_run_of_the_generator_and_its_leak_is_seen() {
    let place = place();
    let run = |fault: &str| {
        let mut command = place.highwater();
        command.args("soak --demo --results results --short short.wav --long long.wav".split(' '));
        command.args("--for 12s -c 2 --json --set settle.quiet_s=0.05 --set settle.late_free_s=0".split(' '));
        command.arg("--").args(fault.split_whitespace());
        let (code, lines, stderr) = Running::start(&mut command).ended();
        let told: Value =
            serde_json::from_str(lines.last().unwrap()).unwrap_or_else(|_| panic!("{lines:?} {stderr}"));
        (code, told)
    };
    let (code, told) = run("--leak 2MB");
    let rate = told["soak"]["mb_per_hour"].as_f64().unwrap_or_else(|| panic!("{told}"));
    assert!(rate > 100.0 && told["soak"]["tasks"].as_u64().unwrap() > 10, "{told}");
    assert_ne!(code, Some(0), "{told}");
}

#[test]
#[parallel(machine)]
fn a_generator_that_is_not_there_is_an_error_and_no_limit() {
    let place = place();
    let arguments =
        "--only concurrency --max-concurrency 2 --set load.command=highwater-has-no-such-generator";
    let (code, _, stderr) = Running::start(&mut place.run(arguments, "")).ended();
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("the load generator cannot be started"), "{stderr}");
}

/// The verdict of `highwater watch --pid … -- COMMAND` on a helper that allocates meanwhile; and the exit code.
fn watched(keeps: bool, command: &[&str]) -> (Option<i32>, Value) {
    let home = tempfile::tempdir().unwrap();
    let mut helper = Helper::spawn();
    helper.tell("allocate 50");
    let mut child = Command::new(env!("CARGO_BIN_EXE_highwater"))
        .current_dir(home.path())
        .env_remove("HIGHWATER_CONFIG")
        .args(["watch", "--pid", &helper.pid.to_string(), "--interval", "20ms", "--no-csv", "--json", "--"])
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while keeps && child.try_wait().unwrap().is_none() {
        helper.tell("allocate 1");
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = said.lines().last().unwrap_or_else(|| panic!("{output:?}"));
    (output.status.code(), serde_json::from_str(summary).unwrap())
}

#[test]
#[parallel(machine)]
fn a_watch_over_a_command_ends_with_it_and_judges() {
    // Four seconds show growth, and not yet that it goes on.
    let (code, summary) = watched(true, &["sleep", "4"]);
    assert!(matches!(code, Some(1 | 2)), "{code:?} {summary}");
    assert_eq!(summary["ended"], "the command ended", "{summary}");
    assert_ne!(summary["verdicts"][0]["verdict"], "clean", "{summary}");

    let (code, summary) = watched(false, &["sleep", "4"]);
    assert!(matches!(code, Some(0 | 2)), "{code:?} {summary}");
    assert_ne!(summary["verdicts"][0]["verdict"], "leak", "{summary}");

    let (code, summary) = watched(false, &["sh", "-c", "sleep 0.5; exit 7"]);
    assert_eq!(code, Some(1), "a command that fails is no pass: {summary}");
}

/// What Locust sends: it submits, and asks until the task is done.
const LOCUST: &str = r#"
import time
from locust import HttpUser, task
class Caller(HttpUser):
    @task
    def recognise(self):
        audio = open("short.wav", "rb").read()
        name = self.client.post("/api/v1/asr/submit", files={"audio": ("a.wav", audio)}).json()["task_id"]
        while self.client.get("/api/v1/asr/result/" + name, name="/result").json()["status"] not in ("done", "failed"):
            time.sleep(0.01)
"#;

#[test]
#[ignore = "needs Locust (`pip install locust`): `cargo test --test it generator -- --ignored`"]
fn locust_makes_the_load_of_a_level() {
    let place = place();
    std::fs::write(place.path("locustfile.py"), LOCUST).unwrap();
    let line =
        "locust --headless -H {url} -u {concurrency} -r {concurrency} -t {seconds}s -s 10 --csv {summary}";
    let configuration =
        format!("preset = \"asr-rq\"\n[load]\ncommand = \"{line}\"\nfor_s = 3\n[ramp]\nrequired = 1\n");
    std::fs::write(place.path("highwater.toml"), configuration).unwrap();
    let arguments = "--only concurrency --max-concurrency 2 --json";
    let (code, lines, stderr) = Running::start(&mut place.run(arguments, "")).ended();
    assert_eq!(code, Some(0), "{lines:?} {stderr}");
    let made: Vec<Value> =
        events(&place).into_iter().filter(|event| event["event"] == "generator_ended").collect();
    assert!(made.len() >= 2, "{made:?}");
    for load in &made {
        let told = ["requests", "per_s", "p50_s", "p95_s"].map(|name| load[name].as_f64().unwrap());
        assert!(load["tool"] == "Locust" && told.iter().all(|figure| *figure > 0.0), "{load}");
    }
}
