//! A collection before each reading, on the runtimes themselves (`fixtures/collected`).
//!
//! Ignored unless asked for, since Node.js, Java and Go have to be there:
//! `cargo test --test it collected -- --ignored --nocapture` prints what a collection does to the time until the verdict.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use highwater::plan::{CollectKind, Plan};
use highwater::record::Verdict;
use highwater::suite::Suite;
use rstest::rstest;
use serial_test::file_serial;

/// A worker of `fixtures/collected`, ended with the test.
struct Worker {
    child: Child,
    url: String,
    pid: u32,
}

impl Worker {
    fn start(mut command: Command) -> Worker {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["READY", port, pid] = words[..] else { panic!("{shown}: {line:?}") };
        Worker { url: format!("http://127.0.0.1:{port}"), pid: pid.parse().unwrap(), child }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/collected").join(name)
}

/// How a worker is started that keeps `keep_kb` of each task.
fn worker(runtime: &str, keep_kb: u32, folder: &Path) -> Worker {
    let mut command = match runtime {
        "node" => {
            let mut command = Command::new("node");
            command.arg(fixture("worker.mjs"));
            command
        }
        "java" => {
            let mut command = Command::new("java");
            command.arg(fixture("Worker.java"));
            command
        }
        "go" => {
            let program = folder.join("worker");
            let built = Command::new("go")
                .arg("build")
                .arg("-o")
                .arg(&program)
                .arg(fixture("worker.go"))
                .env("GOCACHE", folder.join("cache"))
                .status()
                .unwrap();
            assert!(built.success());
            Command::new(program)
        }
        other => panic!("{other}"),
    };
    command.arg(keep_kb.to_string());
    Worker::start(command)
}

/// Judges the worker, with or without a collection; returns the verdict on growth and how long it took.
async fn judged(worker: &Worker, collect: Option<CollectKind>, results: &Path) -> (Verdict, String) {
    let mut plan = Plan::http(&worker.url, "/task").health("/health").worker_pid(worker.pid);
    plan.settle.collect = collect;
    plan.results = results.to_path_buf();
    let started = Instant::now();
    let measured = Suite::new(plan).leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()));
    let growth = measured.assessment.judgement.criterion("leak.growth").unwrap();
    let tasks = measured.assessment.judgement.notes.join("; ");
    (
        growth.verdict,
        format!(
            "{:?} after {:.0} s: {} [{tasks}]",
            growth.verdict,
            started.elapsed().as_secs_f64(),
            growth.detail
        ),
    )
}

#[rstest]
#[case::node("node", CollectKind::NodeInspector)]
#[case::java("java", CollectKind::Jcmd)]
#[case::go("go", CollectKind::GoPprof)]
#[tokio::test]
#[file_serial(highwater_suite)]
#[ignore = "needs node, java and go: `cargo test --test it collected -- --ignored`"]
async fn a_collection_lets_a_leak_be_seen_under_garbage(#[case] runtime: &str, #[case] collect: CollectKind) {
    let folder = tempfile::tempdir().unwrap();
    for (keep_kb, expected) in [(0, Verdict::Pass), (300, Verdict::Fail)] {
        // A Java machine is made to collect unless that is off.
        let asked = if runtime == "java" { None } else { Some(collect) };
        for collect in [Some(CollectKind::Off), asked] {
            let worker = worker(runtime, keep_kb, folder.path());
            let hook = collect != Some(CollectKind::Off);
            let (verdict, shown) = judged(&worker, collect, &folder.path().join("results")).await;
            println!("{runtime}, keeps {keep_kb} KB a task, collection {hook}: {shown}");
            assert!(!hook || verdict == expected, "{runtime}, keeps {keep_kb} KB a task: {shown}");
        }
    }
}

#[tokio::test]
#[ignore = "needs node: `cargo test --test it collected -- --ignored`"]
#[file_serial(highwater_suite)]
async fn a_hook_that_fails_is_reported_and_fails_no_task() {
    let folder = tempfile::tempdir().unwrap();
    let worker = worker("node", 0, folder.path());
    let mut plan = Plan::http(&worker.url, "/task").health("/health").worker_pid(worker.pid);
    plan.settle.collect = Some(CollectKind::Command);
    plan.settle.collect_command = vec!["false".to_string(), "{pid}".to_string()];
    plan.leak.max_repeats = plan.leak.repeats;
    plan.results = folder.path().join("results");
    let measured = Suite::new(plan).leak_check().await.unwrap();
    measured.assert_passes("leak.tasks");
    let notes = measured.assessment.judgement.notes.join("\n");
    assert!(notes.contains("`settle.collect`") && notes.contains("`false"), "{notes}");
}
