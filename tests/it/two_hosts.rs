//! Two hosts, which are network namespaces: the API and Redis are on one, the worker with process-exporter on the other,
//! and highwater is on the first. And a Python service that exposes its own metrics, to highwater and to a Prometheus.
//!
//! The parts are Debian's `redis-server`, `prometheus-process-exporter`, `prometheus` and `python3-prometheus-client`. Only
//! root may make namespaces: `cargo test --test it two_hosts -- --ignored`.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use serial_test::parallel;

use crate::support::runs::{Place, eventually, json_lines};

/// The addresses of the two hosts, which no other network sees.
const API: &str = "10.77.0.1";
const WORKER: &str = "10.77.0.2";

const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/two-hosts/service.py");

/// Debian's Python, which has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";

/// A process of the service or beside it; killed when dropped.
struct Part {
    child: Child,
    /// The service's parts end with it.
    _lifeline: Option<ChildStdin>,
}

impl Part {
    fn start(mut command: Command) -> Part {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let lifeline = child.stdin.take();
        Part { child, _lifeline: lifeline }
    }

    /// The first line that it prints.
    fn says(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().to_string()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Hosts {
    /// The names of the namespaces.
    names: [String; 2],
    place: Place,
    parts: Vec<Part>,
    url: String,
}

impl Hosts {
    /// With `keeps` MB kept per task by the worker, which is started again after `tasks` tasks, and an API that refuses
    /// more than `most` tasks at once.
    fn start(keeps: u32, tasks: u32, most: u32) -> Hosts {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let names = ["a", "b"].map(|host| format!("hw{}-{number}{host}", std::process::id()));
        let mut hosts = Hosts { names, place: Place::new(1, 1), parts: Vec::new(), url: String::new() };
        let [a, b] = hosts.names.clone();
        for name in [&a, &b] {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        ip(&["-n", &a, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &b]);
        for (name, address) in [(&a, API), (&b, WORKER)] {
            ip(&["-n", name, "address", "add", &format!("{address}/30"), "dev", "wire"]);
            ip(&["-n", name, "link", "set", "wire", "up"]);
        }
        let redis = ["redis-server", "--bind", API, "--protected-mode", "no", "--save", "", "--dir"];
        let mut redis = hosts.on(0, &redis);
        redis.arg(hosts.place.path(""));
        hosts.parts.push(Part::start(redis));
        eventually("Redis takes connections", || {
            hosts
                .on(0, &["redis-cli", "-h", API, "ping"])
                .output()
                .ok()
                .filter(|asked| asked.stdout == b"PONG\n")
        });
        let most = most.to_string();
        let mut api = Part::start(hosts.on(0, &[PYTHON, SERVICE, "api", API, API, &most]));
        hosts.url = format!("http://{API}:{}", api.says());
        hosts.parts.push(api);
        // A shell that starts the worker again, as a supervisor does.
        let run = format!(
            "while :; do {PYTHON} {SERVICE} worker {b} {API} --keeps {keeps} --tasks {tasks} <&3; done 3<&0"
        );
        hosts.parts.push(Part::start(hosts.on(1, &["setsid", "sh", "-c", &run])));
        hosts.starts_exporter();
        hosts
    }

    /// This command on a host.
    fn on(&self, host: usize, command: &[&str]) -> Command {
        let mut run = Command::new("ip");
        run.args(["netns", "exec", &self.names[host]]).args(command);
        run
    }

    /// The last part is the exporter.
    fn starts_exporter(&mut self) {
        let worker = &self.names[1];
        let names = format!(
            "process_names: [{{name: asr-worker, comm: [python3], cmdline: ['service.py worker {worker} ']}}]\n"
        );
        let path = self.place.path("exporter.yml");
        fs::write(&path, names).unwrap();
        let config = format!("-config.path={}", path.display());
        let listen = format!("-web.listen-address={WORKER}:9256");
        let exporter = self.on(1, &["prometheus-process-exporter", &config, &listen]);
        self.parts.push(Part::start(exporter));
        eventually("the exporter knows the worker", || {
            let asked =
                self.on(0, &[PYTHON, "-c", ASK, &format!("http://{WORKER}:9256/metrics")]).output().ok()?;
            String::from_utf8_lossy(&asked.stdout)
                .contains("num_procs{groupname=\"asr-worker\"} 1")
                .then_some(())
        });
    }

    /// highwater on the first host.
    fn highwater(&self, arguments: &str) -> Command {
        let worker = format!(
            "preset = 'http'\nresults = 'results'\n\
             [target]\nurl = '{}'\nhealth = '/health'\nhttp = {{ path = '/task', json = {{ n = '{{{{n}}}}' }} }}\n\
             [processes.worker.metrics]\nurl = 'http://{WORKER}:9256/metrics'\nlabels = ['groupname=asr-worker']\n\
             timeout_s = 3.0\n\
             [leak]\nrepeats = 20\nfor_s = 0\n[settle]\nquiet_s = 0.05\nmax_s = 0.3\nlate_free_s = 0.3\n\
             [sampler]\ninterval_s = 0.2\n[ramp]\nshort_s = 0\nmax_lag_s = 0\n",
            self.url
        );
        fs::write(self.place.path("highwater.toml"), worker).unwrap();
        let mut run = self.on(0, &[env!("CARGO_BIN_EXE_highwater"), "run", "--json"]);
        run.args(arguments.split_whitespace()).current_dir(self.place.path("")).stderr(Stdio::null());
        run
    }

    /// The assessment of a whole run.
    fn assessment(&self, arguments: &str) -> Value {
        assessment(&self.highwater(arguments).output().unwrap().stdout)
    }

    fn file(&self, what: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(self.place.path("results")).ok()?;
        let mut paths = entries.map_while(Result::ok).map(|entry| entry.path());
        paths.find(|path| path.to_string_lossy().contains(what))
    }
}

/// Prints the answer of an address.
const ASK: &str =
    "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())";

impl Drop for Hosts {
    fn drop(&mut self) {
        for part in &self.parts {
            // The supervisor's group, with its worker; the others lead none.
            let _ = rustix::process::kill_process_group(Pid::from_child(&part.child), Signal::KILL);
        }
        self.parts.clear();
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn assessment(stdout: &[u8]) -> Value {
    serde_json::from_slice(stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(stdout)))
}

fn verdict<'a>(assessment: &'a Value, criterion: &str) -> &'a str {
    let criteria = assessment["criteria"].as_array().unwrap_or_else(|| panic!("{assessment}"));
    let found = criteria.iter().find(|one| one["name"] == criterion);
    found.unwrap_or_else(|| panic!("no {criterion} in {assessment}"))["verdict"].as_str().unwrap()
}

#[test]
#[ignore = "needs root, and Debian packages"]
#[parallel(machine)]
fn a_leak_on_another_host_is_found_and_a_clean_worker_passes() {
    let leaking = Hosts::start(8, 0, 9).assessment("--only leak");
    assert_eq!(verdict(&leaking, "leak.growth"), "fail", "{leaking}");
    let clean = Hosts::start(0, 0, 9).assessment("--only leak");
    assert_eq!((verdict(&clean, "leak.growth"), &clean["exit_code"]), ("pass", &0.into()), "{clean}");
}

#[test]
#[ignore = "needs root, and Debian packages"]
#[parallel(machine)]
fn a_restart_on_another_host_is_told() {
    let hosts = Hosts::start(0, 8, 9);
    let assessed = hosts.assessment("--only leak");
    assert_ne!(verdict(&assessed, "worker.alive"), "pass", "{assessed}");
    let events = json_lines(&hosts.file("events").unwrap());
    assert!(events.iter().any(|event| event["event"] == "process_exited"), "{events:?}");
}

#[test]
#[ignore = "needs root, and Debian packages"]
#[parallel(machine)]
fn the_limit_of_a_service_on_two_hosts_is_found() {
    let hosts = Hosts::start(0, 0, 2);
    let assessed = hosts.assessment("--only concurrency --set ramp.max=4 --set ramp.required=2");
    assert_eq!(
        (&assessed["max_stable_concurrency"], &assessed["exit_code"]),
        (&2.into(), &0.into()),
        "{assessed}"
    );
}

#[derive(Debug, Clone, Copy)]
enum Exporter {
    Hangs,
    Disappears,
    Restarts,
}

#[rstest]
#[case::hangs(Exporter::Hangs)]
#[case::disappears(Exporter::Disappears)]
#[case::restarts(Exporter::Restarts)]
#[ignore = "needs root, and Debian packages"]
#[parallel(machine)]
fn a_real_exporter_that_gives_no_figures_in_mid_run_never_makes_a_pass(#[case] exporter: Exporter) {
    let mut hosts = Hosts::start(0, 0, 9);
    let mut run = Part::start(hosts.highwater("--only leak"));
    eventually("some tasks are done", || {
        let tasks = fs::read_to_string(hosts.file("stress_test_")?).ok()?;
        (tasks.lines().count() >= 5).then_some(())
    });
    match exporter {
        Exporter::Hangs => hosts.parts.last().unwrap().signal(Signal::STOP),
        Exporter::Disappears => drop(hosts.parts.pop()),
        Exporter::Restarts => {
            drop(hosts.parts.pop());
            hosts.starts_exporter();
        }
    }
    let mut stdout = Vec::new();
    std::io::Read::read_to_end(run.child.stdout.as_mut().unwrap(), &mut stdout).unwrap();
    let assessed = assessment(&stdout);
    assert_ne!(assessed["verdict"], "pass", "{exporter:?}: {assessed}");
    let reasons = ["sampler.complete", "worker.alive"].map(|criterion| verdict(&assessed, criterion));
    assert!(reasons.iter().any(|verdict| *verdict != "pass"), "{exporter:?}: {assessed}");
}

/// A Python service with Prometheus's client library, which keeps this many MB per task; its URL.
fn exposed(keeps: u32) -> (Part, String) {
    let mut command = Command::new(PYTHON);
    command.args([SERVICE, "alone", "--keeps", &keeps.to_string()]);
    let mut service = Part::start(command);
    let url = format!("http://127.0.0.1:{}", service.says());
    (service, url)
}

/// The assessment of a leak check of the service at `url`, whose worker has its figures from there.
fn check(place: &Place, url: &str, worker: &str, more: &str) -> Value {
    let mut run = place.highwater();
    run.args(["run", "--json", "--only", "leak", "--preset", "http", "--url", url, "--path", "/task"]);
    run.args(
        "--results results --set leak.for_s=0 --set settle.quiet_s=0.05 --set settle.max_s=0.3".split(' '),
    );
    run.args(["--set", "settle.late_free_s=0.3"]).args(more.split_whitespace());
    fs::write(place.path("highwater.toml"), worker).unwrap();
    assessment(&run.stderr(Stdio::null()).output().unwrap().stdout)
}

#[test]
#[ignore = "needs Debian packages"]
#[parallel(machine)]
fn a_python_service_is_judged_by_its_own_metrics_and_by_those_in_a_prometheus() {
    let place = Place::new(1, 1);
    let (_leaking, url) = exposed(8);
    let own = format!("[processes.worker.metrics]\nurl = '{url}/metrics'\n");
    let leaking = check(&place, &url, &own, "--set leak.repeats=20");
    assert_eq!(verdict(&leaking, "leak.growth"), "fail", "{leaking}");
    let (_clean, url) = exposed(0);
    let own = format!("[processes.worker.metrics]\nurl = '{url}/metrics'\n");
    let clean = check(&place, &url, &own, "--set leak.repeats=20");
    assert_eq!(clean["exit_code"], 0, "{clean}");

    let (_larger, url) = exposed(30);
    let target = url.trim_start_matches("http://");
    let scrapes = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: asr, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    fs::write(place.path("prometheus.yml"), scrapes).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut server = Command::new("prometheus");
    server.current_dir(place.path("")).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    server.arg(format!("--web.listen-address={free}"));
    let _server = Part::start(server);
    let worker = format!(
        "[processes.worker.prometheus]\nurl = 'http://{free}'\nquery = 'process_resident_memory_bytes{{job=\"asr\"}}'\n"
    );
    eventually("Prometheus has scraped the service", || {
        let url = format!("http://{free}/api/v1/query?query=process_resident_memory_bytes");
        let asked = Command::new(PYTHON).args(["-c", ASK, &url]).output().ok()?;
        String::from_utf8_lossy(&asked.stdout).contains("\"job\":\"asr\"").then_some(())
    });
    let more = "--set leak.repeats=3 --set leak.max_repeats=3 --set leak.max_delta_mb=20";
    let scraped = check(&place, &url, &worker, more);
    assert_eq!(verdict(&scraped, "leak.delta"), "fail", "{scraped}");
}
