//! The leak check on real programs that leak, or only look as if they did.
//!
//! Ignored unless asked for: it needs workers built on published packages. `HIGHWATER_CORPUS` names the folder with
//! `corpus.json`, `worker.py` and `worker.mjs`, `HIGHWATER_CORPUS_ENVS` the one with the environments that its
//! `setup.sh` builds. It prints a line for each program:
//!
//! `cargo test --release --test it -- corpus --ignored --nocapture`

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

/// A worker, ended when this is dropped.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a worker; returns it with its port and pid.
fn start(corpus: &Path, environment: &Path, id: &str) -> (Worker, String, String) {
    let python = corpus.join(id).join("task.py");
    let mut command = if python.exists() {
        let mut command = Command::new(environment.join("bin/python"));
        command.arg(corpus.join("worker.py")).arg(python);
        command
    } else {
        let mut command = Command::new("node");
        command.arg(corpus.join("worker.mjs")).arg(corpus.join(id).join("task.js"));
        command.env("NODE_PATH", environment.join("node_modules"));
        command
    };
    let mut child =
        command.args(["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words.first(), words.len()), (Some(&"READY"), 3), "{id}: {line}");
    (Worker(child), words[1].to_string(), words[2].to_string())
}

/// The exit code of a default leak check, and its JSON.
fn check(port: &str, pid: &str, results: &Path) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_highwater"))
        .args(["run", "--only", "leak", "--preset", "http", "--json", "--url"])
        .arg(format!("http://127.0.0.1:{port}"))
        .args(["--set", "target.http.path=/task", "--worker-pid", pid])
        .args(["--set", "processes.api.patterns=[]", "--set", "processes.backend.patterns=[]", "--results"])
        .arg(results)
        .output()
        .unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

#[test]
#[ignore = "needs HIGHWATER_CORPUS and HIGHWATER_CORPUS_ENVS"]
fn leaks_are_found_and_clean_programs_pass() {
    let folder = |name: &str| PathBuf::from(env::var_os(name).unwrap_or_else(|| panic!("set {name}")));
    let (corpus, environments) = (folder("HIGHWATER_CORPUS"), folder("HIGHWATER_CORPUS_ENVS"));
    let facts: Value = serde_json::from_slice(&fs::read(corpus.join("corpus.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut seconds = Vec::new();
    // Leaks and those found, clean ones and those passed.
    let ((mut leaking, mut found), (mut clean, mut passed)) = ((0, 0), (0, 0));
    for program in facts.as_array().unwrap() {
        let id = program["id"].as_str().unwrap();
        for (variant, leaks) in [("leaky", true), ("fixed", false), ("nonleak", false)] {
            let environment = environments.join(format!("{id}-{variant}"));
            if !environment.exists() {
                continue;
            }
            let results = tempfile::tempdir().unwrap();
            let (worker, port, pid) = start(&corpus, &environment, id);
            let started = Instant::now();
            let (code, object) = check(&port, &pid, results.path());
            let took = started.elapsed().as_secs_f64();
            drop(worker);
            let criteria = object["criteria"].as_array().map(Vec::as_slice).unwrap_or_default();
            let failed = criteria.iter().filter(|criterion| criterion["verdict"] == "fail");
            let failed: Vec<&str> = failed.filter_map(|criterion| criterion["name"].as_str()).collect();
            println!("{id}-{variant:<8} exit {code:?} {took:>6.1} s {failed:?}");
            seconds.push(took);
            if leaks {
                leaking += 1;
                found += i32::from(failed.iter().any(|name| name.starts_with("leak.")));
            } else {
                clean += 1;
                passed += i32::from(code == Some(0));
            }
            if (leaks && code == Some(0)) || (!leaks && code == Some(1)) {
                wrong.push(format!("{id}-{variant}"));
            }
        }
    }
    seconds.sort_by(f64::total_cmp);
    println!("found {found} of {leaking} leaks, passed {passed} of {clean} clean programs");
    println!("median {:.1} s, longest {:.1} s", seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
    assert!(wrong.is_empty(), "leaks that passed, clean programs accused: {wrong:?}");
    // At least 17 of 19 leaks are found, and 25 of 27 clean programs passed.
    assert!(19 * found >= 17 * leaking && 27 * passed >= 25 * clean, "too much is left undecided");
}
