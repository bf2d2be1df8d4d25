//! Against an engine inside the test, which answers as Docker and Podman do.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::sampler::elsewhere::line::Line;

const ID: &str = "f8af1be3f5b2e2bcbb15ae7d19ef717611a485bb417ebb73b0909f67fee91584";

/// The engine's one container.
#[derive(Debug, Clone)]
struct Known {
    name: &'static str,
    pid: u32,
    started: &'static str,
    state: Value,
    memory: Value,
}

impl Default for Known {
    fn default() -> Known {
        let stats = json!({ "anon": 200 << 20, "inactive_file": 500 << 20, "file": 600 << 20 });
        Known {
            name: "asr-worker",
            pid: 4711,
            started: "2026-11-28T14:17:25.188644578Z",
            state: json!({ "Status": "running", "Running": true, "OOMKilled": false, "ExitCode": 0 }),
            memory: json!({ "usage": 900 << 20, "stats": stats }),
        }
    }
}

impl Known {
    fn stopped(code: i32, oom: bool) -> Known {
        let state = json!({ "Status": "exited", "Running": false, "OOMKilled": oom, "ExitCode": code });
        Known { pid: 0, state, memory: json!({}), ..Known::default() }
    }
}

struct Fake {
    home: tempfile::TempDir,
    known: Arc<Mutex<Option<Known>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(known: Known) -> Fake {
        let home = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(home.path().join("engine.sock")).unwrap();
        let known = Arc::new(Mutex::new(Some(known)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, questions) = (Arc::clone(&known), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever only tries the socket asks nothing.
                let _ = answer(stream, &shared, &questions);
            }
        });
        Fake { home, known, asked }
    }

    fn is(&self, known: Option<Known>) {
        *self.known.lock().unwrap() = known;
    }

    /// The process `pid` has this group in the tree of processes.
    fn has_process(&self, pid: u32, group: &str) {
        let directory = self.home.path().join("proc").join(pid.to_string());
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("cgroup"), format!("0::{group}\n")).unwrap();
    }

    /// The control group at `path` has these files.
    fn has_group(&self, path: &str, files: &[(&str, &str)]) {
        let directory = self.home.path().join("cgroup").join(path);
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in files {
            fs::write(directory.join(name), text).unwrap();
        }
    }

    fn containers(&self, text: &str) -> Containers {
        let at = |name: &str| self.home.path().join(name);
        let trees = Trees { proc: at("proc"), cgroup: at("cgroup") };
        Containers::new(text.to_string(), Ok(vec![at("engine.sock")]), trees).unwrap()
    }
}

fn answer(
    mut stream: std::os::unix::net::UnixStream,
    known: &Mutex<Option<Known>>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    use std::io::BufRead;
    let mut lines = std::io::BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    asked.lock().unwrap().push(path.clone());
    let known = known.lock().unwrap().clone();
    let (status, body) = match &known {
        _ if path.ends_with("/version") => {
            (200, json!({ "Version": "4.3.1", "ApiVersion": "1.41", "MinAPIVersion": "1.24" }))
        }
        Some(known) if path.contains("/containers/json") => (
            200,
            json!([{
                "Id": ID, "Names": [format!("/{}", known.name)], "Image": "asr:latest", "Command": "/bin/sleep",
                "Created": 1_795_875_445, "Ports": [], "State": known.state["Status"], "Status": "Up 1 second",
                "Labels": { "com.docker.compose.service": "worker" }, "NetworkSettings": { "Networks": null }, "Mounts": [],
            }]),
        ),
        Some(known) if path.ends_with(&format!("{ID}/json")) => {
            let mut state = known.state.clone();
            state["Pid"] = known.pid.into();
            state["StartedAt"] = known.started.into();
            (200, json!({ "Id": ID, "State": state, "HostConfig": { "CgroupParent": "" } }))
        }
        Some(known) if path.contains("/stats") => (
            200,
            json!({
                "memory_stats": known.memory, "pids_stats": { "current": 3 },
                "cpu_stats": { "cpu_usage": { "total_usage": 2_500_000_000_u64 } },
            }),
        ),
        None if path.contains("/containers/json") => (200, json!([])),
        _ => (404, json!({ "message": "no such container" })),
    };
    let body = body.to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[test]
fn processes_that_can_be_seen_are_those_of_this_machine() {
    let fake = Fake::start(Known::default());
    fake.has_process(4711, &format!("/system.slice/docker-{ID}.scope"));
    let mut containers = fake.containers("asr-worker");
    assert_eq!(containers.read().unwrap(), Sighting { here: vec![4711], ..Sighting::default() });
    let asked = fake.asked.lock().unwrap().len();
    assert_eq!(containers.read().unwrap().here, [4711]);
    assert_eq!(fake.asked.lock().unwrap().len(), asked, "while it lives the engine is left alone");
    // Started again by the engine: the old process is gone, and its pid is a stranger's.
    fake.has_process(4711, "/user.slice");
    fake.has_process(4999, &format!("/system.slice/docker-{ID}.scope"));
    fake.is(Some(Known { pid: 4999, ..Known::default() }));
    assert_eq!(containers.read().unwrap().here, [4999]);
}

#[test]
fn a_stranger_with_the_same_pid_is_not_taken_and_the_control_group_has_the_figures() {
    let fake = Fake::start(Known::default());
    fake.has_process(4711, "/user.slice/user-0.slice");
    let files = [
        ("memory.current", "943718400"),
        ("memory.stat", "anon 209715200\nfile 629145600\ninactive_file 524288000\n"),
        ("memory.events", "oom_kill 0\n"),
        ("memory.peak", "1258291200"),
        ("cgroup.procs", "4711\n"),
    ];
    for group in [
        format!("system.slice/docker-{ID}.scope"),
        format!("docker/{ID}"),
        format!("machine.slice/libpod-{ID}.scope/container"),
    ] {
        fake.has_group(&group, &files);
        let found = fake.containers("worker").read().unwrap();
        let figures = &found.figures[0];
        assert_eq!(found.figures.len(), 1, "{group}");
        assert_eq!(figures.name, "asr-worker");
        assert_eq!(
            (figures.rss_bytes, figures.private_bytes),
            (400 << 20, Some(200 << 20)),
            "without page cache"
        );
        assert_eq!((figures.peak_bytes, figures.oom_kills), (Some(1200 << 20), Some(0)));
        fs::remove_dir_all(fake.home.path().join("cgroup")).unwrap();
    }
}

#[test]
fn where_neither_can_be_seen_the_engine_has_the_figures_without_page_cache() {
    let fake = Fake::start(Known::default());
    let mut containers = fake.containers("asr-worker");
    let figures = containers.read().unwrap().figures.pop().unwrap();
    assert_eq!((figures.rss_bytes, figures.private_bytes), (400 << 20, Some(200 << 20)));
    assert_eq!((figures.threads, figures.cpu_s), (Some(3), Some(2.5)));
    assert_eq!(figures.started_s, Some(1_795_875_445.188));
    // Version 1 of control groups has other names, and the highest use.
    let stats = json!({ "total_rss": 100 << 20, "total_inactive_file": 50 << 20 });
    let memory = json!({ "usage": 250 << 20, "max_usage": 300 << 20, "stats": stats });
    fake.is(Some(Known { memory, ..Known::default() }));
    let figures = containers.read().unwrap().figures.pop().unwrap();
    assert_eq!((figures.rss_bytes, figures.private_bytes), (200 << 20, Some(100 << 20)));
    assert_eq!(figures.peak_bytes, Some(300 << 20));
    // Podman does not tell page cache from memory.
    fake.is(Some(Known { memory: json!({ "usage": 250 << 20 }), ..Known::default() }));
    let lacking = containers.read().unwrap_err();
    assert!(lacking.contains("does not say how much of its memory is page cache"), "{lacking}");
}

#[test]
fn a_restart_a_kill_and_an_end_are_told_apart() {
    let fake = Fake::start(Known::default());
    let mut line = Line::start("worker", Box::new(fake.containers("asr-worker"))).unwrap();
    let first = line.take_new().pop().unwrap().id;
    assert_eq!(line.figures(first, true).unwrap().rss_bytes, 400 << 20);
    fake.is(Some(Known { started: "2026-11-28T15:00:00Z", ..Known::default() }));
    // A reading that another has just taken is served once.
    while line.figures(first, true).is_ok() {}
    let second = line.take_new().pop().unwrap().id;
    assert_ne!(first, second);
    assert_eq!(line.how_ended(first), None, "nobody says how the first one ended");

    fake.is(Some(Known::stopped(137, true)));
    while line.figures(second, true).is_ok() {}
    assert_eq!(line.how_ended(second), Some(ExitKind::OutOfMemory));
    let why = line.pids().unwrap_err();
    assert_eq!(why, "container `asr-worker` does not run (`asr-worker`: it was killed for want of memory)");

    let told = |known| {
        fake.is(known);
        fake.containers("asr-worker").read().unwrap().nothing.unwrap()
    };
    assert!(told(Some(Known::stopped(3, false))).ends_with("it exited with code 3)"));
    assert!(told(Some(Known::stopped(137, false))).ends_with("it was killed, signal 9)"));
    let created = Known { started: "0001-01-01T00:00:00Z", ..Known::stopped(0, false) };
    assert!(told(Some(created)).ends_with("it has not been started)"));
    assert_eq!(told(None), "is not there: the engine has no container");
}

#[test]
fn what_cannot_be_asked_says_where_and_why() {
    let fake = Fake::start(Known { name: "other", ..Known::default() });
    let mut containers = fake.containers("asr-worker");
    assert_eq!(containers.read().unwrap().nothing.unwrap(), "is not there: the engine has `other`");
    containers.sockets = Ok(vec![fake.home.path().join("nowhere.sock")]);
    let absent = containers.read().unwrap_err();
    assert!(
        absent.contains("there is no socket `") && absent.contains("nowhere.sock`: does the engine run?"),
        "{absent}"
    );
    // Bound and closed: nobody listens there.
    let closed = fake.home.path().join("closed.sock");
    drop(UnixListener::bind(&closed).unwrap());
    containers.sockets = Ok(vec![closed]);
    let refused = containers.read().unwrap_err();
    assert!(refused.contains("closed.sock`: start it"), "{refused}");
    // One engine may be out of reach while another has the container.
    containers.sockets.as_mut().unwrap().push(fake.home.path().join("engine.sock"));
    fake.is(Some(Known::default()));
    assert_eq!(containers.read().unwrap().figures.len(), 1);
}
