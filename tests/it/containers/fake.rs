//! An engine, and a service in its one container, both inside the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use highwater::plan::Plan;
use highwater::record::Verdict;
use highwater::suite::{Measured, Suite};
use rstest::rstest;
use serde_json::json;
use serial_test::parallel;

use crate::support::demo_service::program;
use crate::support::runs::json_lines;

/// What the service, or its engine, does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    Keeps(u64),
    FillsThePageCache,
    Restarts,
    IsKilled,
    LosesItsEngine,
}

/// The task from which on it does that.
const FROM: u64 = 5;
const ID: &str = "f8af1be3f5b2e2bcbb15ae7d19ef717611a485bb417ebb73b0909f67fee91584";

struct Fake {
    home: tempfile::TempDir,
    url: String,
}

impl Fake {
    fn start(does: Does) -> Fake {
        let home = tempfile::tempdir().unwrap();
        let tasks = Arc::new(Mutex::new(0));
        let engine = UnixListener::bind(home.path().join("engine.sock")).unwrap();
        let service = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", service.local_addr().unwrap());
        let counted = Arc::clone(&tasks);
        // In threads: the test's own runtime waits for the sampler, which waits for an answer.
        std::thread::spawn(move || {
            for stream in service.incoming().map_while(Result::ok) {
                let counted = Arc::clone(&counted);
                // Whoever asked may have gone.
                let _ = serve(stream, |path| {
                    if path == "/metrics" {
                        return Some((200, "process_resident_memory_bytes 2e8\n".to_string()));
                    }
                    *counted.lock().unwrap() += 1;
                    Some((200, "done".to_string()))
                });
            }
        });
        std::thread::spawn(move || {
            for stream in engine.incoming().map_while(Result::ok) {
                let tasks = *tasks.lock().unwrap();
                let _ = serve(stream, |path| engine_says(does, tasks, path));
            }
        });
        Fake { home, url }
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("engine.sock")
    }

    /// What `doctor` says of these roles; it finds the engine by the environment.
    fn doctor(&self, roles: &[&str]) -> String {
        let mut command = std::process::Command::new(program());
        command.args(["doctor", "--preset", "http", "--url", &self.url, "--set", "target.http.path=/task"]);
        command.args(roles.iter().flat_map(|role| ["--set", role]));
        command
            .current_dir(self.home.path())
            .env("DOCKER_HOST", format!("unix://{}", self.socket().display()));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    async fn check(&self) -> Measured {
        let results = self.home.path().join("results");
        let plan = super::plan(Plan::http(&self.url, "/task"), "asr-worker", &self.socket(), &results);
        Suite::new(plan).leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()))
    }
}

/// Reads one request and sends the answer for its path, if there is one.
fn serve(
    mut stream: impl Read + Write,
    answer: impl FnOnce(&str) -> Option<(u16, String)>,
) -> std::io::Result<()> {
    let (mut first, mut length) = (String::new(), 0);
    let mut lines = BufReader::new(&mut stream);
    lines.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    lines.take(length).read_to_end(&mut Vec::new())?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    let Some((status, body)) = answer(path) else { return Ok(()) };
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn engine_says(does: Does, tasks: u64, path: &str) -> Option<(u16, String)> {
    let later = tasks >= FROM;
    if does == Does::LosesItsEngine && later {
        return None;
    }
    let runs = !(does == Does::IsKilled && later);
    let status = if runs { "running" } else { "exited" };
    let body = if path.ends_with("/version") {
        json!({ "Version": "27.0.1", "ApiVersion": "1.46", "MinAPIVersion": "1.24" })
    } else if path.contains("/containers/json") {
        json!([{ "Id": ID, "Names": ["/asr-worker"], "Labels": {}, "State": status }])
    } else if path.contains("/stats") {
        let cache = if does == Does::FillsThePageCache { 50 * tasks } else { 0 };
        let kept = if let Does::Keeps(each) = does { each * tasks } else { 0 };
        let stats = json!({ "anon": (200 + kept) << 20, "inactive_file": cache << 20 });
        let memory = json!({ "usage": (220 + kept + cache) << 20, "stats": stats });
        json!({ "memory_stats": if runs { memory } else { json!({}) }, "pids_stats": { "current": 3 } })
    } else {
        let started =
            if does == Does::Restarts && later { "2026-11-28T15:00:00Z" } else { "2026-11-28T14:00:00Z" };
        // Linux gives this pid to no process: this container is in another PID namespace.
        let state = json!({
            "Status": status, "Running": runs, "OOMKilled": !runs, "ExitCode": if runs { 0 } else { 137 },
            "Pid": if runs { 1 << 23 } else { 0 }, "StartedAt": started,
        });
        json!({ "Id": ID, "State": state, "HostConfig": { "CgroupParent": "" } })
    };
    Some((200, body.to_string()))
}

#[rstest]
#[case::clean(Does::Keeps(0), Verdict::Pass)]
#[case::a_page_cache_that_fills(Does::FillsThePageCache, Verdict::Pass)]
#[case::a_leak(Does::Keeps(12), Verdict::Fail)]
#[tokio::test]
#[parallel(machine)]
async fn a_container_out_of_sight_is_judged_by_what_its_engine_counts(
    #[case] does: Does,
    #[case] verdict: Verdict,
) {
    let fake = Fake::start(does);
    let measured = fake.check().await;
    let growth = measured.assessment.judgement.criterion("leak.growth").unwrap();
    assert_eq!(growth.verdict, verdict, "{does:?}: {}", growth.detail);
    if verdict == Verdict::Pass {
        measured.assert_all_pass();
    }
}

#[rstest]
#[case::restarts(Does::Restarts, "worker.alive", "unknown")]
#[case::is_killed(Does::IsKilled, "worker.alive", "out_of_memory")]
#[case::loses_its_engine(Does::LosesItsEngine, "sampler.complete", "")]
#[tokio::test]
#[parallel(machine)]
async fn the_end_of_a_container_is_told_and_no_answer_is_never_a_pass(
    #[case] does: Does,
    #[case] why: &str,
    #[case] how: &str,
) {
    let fake = Fake::start(does);
    let measured = fake.check().await;
    let judgement = &measured.assessment.judgement;
    assert_ne!(judgement.verdict, Verdict::Pass, "{does:?}: {judgement:?}");
    let criterion = judgement.criterion(why).unwrap();
    assert_ne!(criterion.verdict, Verdict::Pass, "{does:?}: {}", criterion.detail);
    let events = json_lines(&measured.paths.events);
    let exits: Vec<_> = events.iter().filter(|event| event["event"] == "process_exited").collect();
    assert_eq!(exits.len(), usize::from(!how.is_empty()), "{events:?}");
    assert!(exits.iter().all(|exit| exit.to_string().contains(how)), "{exits:?}");
}

#[tokio::test]
#[parallel(machine)]
async fn a_run_without_its_container_does_not_begin_and_names_those_that_are_there() {
    let fake = Fake::start(Does::Keeps(0));
    let plan = super::plan(Plan::http(&fake.url, "/task"), "asr-wroker", &fake.socket(), fake.home.path());
    let error = Suite::new(plan).leak_check().await.err().unwrap().render();
    assert!(error.contains("container `asr-wroker` is not there: the engine has `asr-worker`"), "{error}");
    assert!(error.contains("`docker ps -a` or `podman ps -a` shows the containers"), "{error}");
}

#[test]
fn doctor_says_where_figures_come_from_and_what_they_lack() {
    let fake = Fake::start(Does::Keeps(0));
    let said = fake.doctor(&["processes.worker.container=asr-worker"]);
    for part in [
        "worker (the container `asr-worker`):",
        "220 MB  asr-worker container `asr-worker` what its engine counts",
        "figures of the container `asr-worker`, whose processes cannot be seen from here, of the moment they are asked for; \
         without peaks, CPU time, descriptors, PSS: what needs them is not judged",
    ] {
        assert!(said.contains(part), "`{part}` is missing in: {said}");
    }
    let url = format!("{}/metrics", fake.url);
    let said = fake.doctor(&[&format!("processes.worker.metrics.url={url}")]);
    let expected =
        format!("figures of {url}, now 0 s old, and at most 30 s; without private memory, peaks, CPU time");
    assert!(said.contains(&expected), "{said}");
    let own = format!("processes.worker.pid={}", std::process::id());
    assert!(
        fake.doctor(&[&own])
            .contains("figures of /proc, of the moment they are asked for; nothing is missing")
    );
}

#[test]
fn doctor_finds_containers_and_metrics_and_says_what_to_write() {
    let fake = Fake::start(Does::Keeps(0));
    let said = fake.doctor(&["processes.worker.program=no-such-program.py"]);
    for part in [
        "the container `asr-worker` has a fitting name; in highwater.toml:",
        "container = \"asr-worker\"",
        &format!("`{}/metrics` has the memory of a process; in highwater.toml:", fake.url),
        "[processes.worker.metrics]",
    ] {
        assert!(said.contains(part), "`{part}` is missing in: {said}");
    }
}
