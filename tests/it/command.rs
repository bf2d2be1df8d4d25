//! Tasks that a program of the user's carries out, through whole runs against the embedded service.

use serde_json::Value;
use serial_test::parallel;

use crate::support::runs::{Place, Running, json_lines};

/// A client as somebody would write it: it uploads the recording and asks until the task is done. The memory that it
/// takes itself must not be charged to the service.
const CLIENT: &str = r#"
import json, sys, time, urllib.request
recording, url = sys.argv[1:]
ballast = bytearray(64 << 20)
audio = open(recording, "rb").read()
head = b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
request = urllib.request.Request(url + "/api/v1/asr/submit", head + audio + b"\r\n--b--\r\n",
                                 {"Content-Type": "multipart/form-data; boundary=b"})
task = json.load(urllib.request.urlopen(request))["task_id"]
while True:
    result = json.load(urllib.request.urlopen(url + "/api/v1/asr/result/" + task))
    if result["status"] in ("done", "failed"):
        break
    time.sleep(0.01)
print("the service has answered")
print(json.dumps(result))
sys.exit(result["status"] != "done")
"#;

const CONFIGURATION: &str = r#"
preset = "asr-rq"
[target]
kind = "command"
[target.command]
argv = ["python3", "client.py", "{input}", "{url}"]
success_pointer = "/status"
duration_pointer = "/duration"
"#;

/// The tasks of a leak check with that client, the exit code, and what was said.
fn run(fault: &str) -> (Vec<Value>, Option<i32>, String) {
    let place = Place::new(2, 4);
    std::fs::write(place.path("client.py"), CLIENT).unwrap();
    std::fs::write(place.path("highwater.toml"), CONFIGURATION).unwrap();
    let arguments = "--only leak --repeats 3 --max-delta-mb 20";
    let (code, lines, stderr) = Running::start(&mut place.run(arguments, fault)).ended();
    let files = std::fs::read_dir(place.path("results")).unwrap().map(|entry| entry.unwrap().path());
    let tasks = files.into_iter().find(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("memory_leak_stress_test_") && name.ends_with(".jsonl")
    });
    (tasks.map(|path| json_lines(&path)).unwrap_or_default(), code, lines.join("\n") + &stderr)
}

#[test]
#[parallel(machine)]
fn a_program_carries_out_the_tasks_and_only_the_service_is_measured() {
    let (tasks, code, said) = run("");
    assert!(!tasks.is_empty(), "{said}");
    for task in &tasks {
        assert_eq!((&task["status"], task["rtf"].is_number()), (&"success".into(), true), "{task}");
        let audio_s = task["audio_seconds"].as_f64().unwrap();
        assert!((1.9..4.1).contains(&audio_s), "{task}");
        assert!(task["worker_rss_peak_mb"].as_f64().unwrap() < 64.0, "the client was counted: {task}");
    }
    assert!(matches!(code, Some(0 | 2)), "{code:?}: {said}");
    assert!(said.contains("PASS  memory delta of every"), "{said}");
}

#[test]
#[parallel(machine)]
fn a_leak_behind_a_program_is_found_and_a_failed_task_has_the_programs_words() {
    let (tasks, code, said) = run("--leak 30MB");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAIL  memory delta of every"), "{said}");
    assert!(tasks.iter().skip(2).all(|task| task["worker_rss_delta_mb"].as_f64().unwrap() > 20.0), "{said}");

    let (tasks, code, said) = run("--flaky 2");
    assert_eq!(code, Some(1), "{said}");
    let failed: Vec<&Value> = tasks.iter().filter(|task| task["status"] == "failed").collect();
    assert!(!failed.is_empty(), "{said}");
    for task in failed {
        assert_eq!(task["error_kind"], "failed", "{task}");
        assert!(task["error"].as_str().unwrap().contains("`python3` ended with exit status 1"), "{task}");
    }
}
