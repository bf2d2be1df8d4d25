//! A service whose memory is known from an endpoint of metrics only: in another container, or on another host.
//!
//! The service and its exporter are inside this test, and do what a test asks for: grow, restart, fail, hang, lie, vanish.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use highwater::plan::{Plan, ProcessPlan};
use highwater::record::Verdict;
use highwater::suite::{Measured, Suite};
use rstest::rstest;
use serde_json::Value;
use serial_test::parallel;

use crate::support::request::request_line;
use crate::support::runs::json_lines;

/// What the service does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    Keeps(f64),
    Restarts,
    Fails,
    Hangs,
    Lies,
    LosesTheProcess,
    Vanishes,
}

/// The task from which on it does that.
const FROM: u32 = 5;

struct Exporter {
    url: String,
    open: Arc<(Mutex<bool>, Condvar)>,
}

impl Exporter {
    fn start(does: Does) -> Exporter {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::new(Mutex::new((0, 0)));
        let open = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = Arc::clone(&open);
        // In threads: the test's own runtime waits for the sampler, which waits for an answer.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (counts, shared) = (Arc::clone(&counts), Arc::clone(&shared));
                std::thread::spawn(move || {
                    // Whoever asked may have gone.
                    let _ = answer(stream, does, &counts, &shared);
                });
            }
        });
        Exporter { url, open }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

fn answer(
    mut stream: TcpStream,
    does: Does,
    counts: &Mutex<(u32, u32)>,
    open: &(Mutex<bool>, Condvar),
) -> std::io::Result<()> {
    let first = request_line(&stream)?;
    let mut reply = |status: &str, body: &str| {
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    if first.contains("/api/v1/query") {
        let (tasks, _) = *counts.lock().unwrap();
        // Scraped five times a second.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let taken = (now * 5.0).floor() / 5.0;
        let kept = if let Does::Keeps(each) = does { each * f64::from(tasks) } else { 0.0 };
        let value = if first.contains("timestamp") { taken } else { (200.0 + kept) * 1_048_576.0 };
        let series = format!(r#"{{"metric":{{"pod":"asr-1"}},"value":[{now},"{value}"]}}"#);
        let series = if does == Does::Vanishes && tasks >= 2 { "" } else { &series };
        let data = format!(r#"{{"resultType":"vector","result":[{series}]}}"#);
        return reply("200 OK", &format!(r#"{{"status":"success","data":{data}}}"#));
    }
    if first.starts_with("POST") {
        counts.lock().unwrap().0 += 1;
        return reply("200 OK", "done");
    }
    let (tasks, scrapes) = {
        let mut counts = counts.lock().unwrap();
        counts.1 += 1;
        *counts
    };
    let (mut mb, mut started) = (200.0, 1.7e9);
    if let Does::Keeps(each) = does {
        mb += each * f64::from(tasks);
    } else if tasks >= FROM {
        match does {
            Does::Restarts => started += 3600.0,
            Does::Fails => return reply("500 Internal Server Error", "no"),
            Does::Lies => mb = f64::NAN,
            Does::LosesTheProcess => return reply("200 OK", "other_metric 1\n"),
            Does::Vanishes => return Ok(()),
            Does::Hangs => {
                let guard = open.0.lock().unwrap();
                drop(open.1.wait_while(guard, |open| !*open).unwrap());
                return Ok(());
            }
            Does::Keeps(_) => {}
        }
    }
    let bytes = mb * 1_048_576.0;
    let cpu = f64::from(scrapes) * 0.001;
    reply(
        "200 OK",
        &format!(
            "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {bytes}\n\
             process_start_time_seconds {started}\nprocess_cpu_seconds_total {cpu}\nprocess_open_fds 9\n\
             blocks_in_use {tasks}\n"
        ),
    )
}

fn plan(exporter: &Exporter, home: &std::path::Path) -> Plan {
    let mut plan = Plan::http(&exporter.url, "/task");
    let mut worker = ProcessPlan::default();
    worker.metrics.url = Some(format!("{}/metrics", exporter.url));
    // A machine that compiles beside the tests answers late.
    worker.metrics.timeout_s = 30.0;
    plan.processes.insert("worker".to_string(), worker);
    plan.results = home.to_path_buf();
    plan.sampler.interval_s = 0.1;
    plan.settle.quiet_s = 0.05;
    plan.settle.max_s = 0.3;
    plan.settle.late_free_s = 0.3;
    plan.leak.repeats = 20;
    plan.leak.for_s = 0.0;
    plan
}

async fn check(plan: Plan) -> Measured {
    Suite::new(plan).leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()))
}

#[tokio::test]
#[parallel(machine)]
async fn a_service_elsewhere_that_keeps_nothing_passes_and_what_is_not_known_is_absent() {
    let (home, exporter) = (tempfile::tempdir().unwrap(), Exporter::start(Does::Keeps(0.0)));
    let measured = check(plan(&exporter, home.path())).await;
    measured.assert_all_pass();
    for task in json_lines(&measured.paths.tasks) {
        let after = &task["worker_after"];
        assert_eq!((&after["rss_mb"], &after["fds"]), (&200.0.into(), &9.into()), "{task}");
        for unknown in ["threads", "private_mb", "pss_mb", "zombies"] {
            assert_eq!(after.get(unknown), None, "{unknown}: {task}");
        }
    }
}

#[tokio::test]
#[parallel(machine)]
async fn a_leak_elsewhere_is_found_and_so_is_one_of_the_services_own_figures() {
    let (home, exporter) = (tempfile::tempdir().unwrap(), Exporter::start(Does::Keeps(12.0)));
    let measured = check(plan(&exporter, home.path())).await;
    let growth = measured.assessment.judgement.criterion("leak.growth").unwrap();
    assert_eq!(growth.verdict, Verdict::Fail, "{}", growth.detail);

    let (home, exporter) = (tempfile::tempdir().unwrap(), Exporter::start(Does::Keeps(0.0)));
    let mut plan = plan(&exporter, home.path());
    let worker = plan.processes.get_mut("worker").unwrap();
    worker.metrics.series = Some("blocks_in_use".to_string());
    worker.metrics.unit_bytes = Some(8.0 * 1_048_576.0);
    let measured = check(plan).await;
    let growth = measured.assessment.judgement.criterion("leak.growth").unwrap();
    assert_eq!(growth.verdict, Verdict::Fail, "{}", growth.detail);
    let tasks: Vec<Value> = json_lines(&measured.paths.tasks);
    assert!(tasks.iter().all(|task| task["worker_rss_delta_mb"] == 8.0), "{tasks:?}");
}

#[rstest]
#[case::restarts(Does::Restarts, "worker.alive")]
#[case::loses_the_process(Does::LosesTheProcess, "sampler.complete")]
#[case::fails(Does::Fails, "sampler.complete")]
#[case::hangs(Does::Hangs, "sampler.complete")]
#[case::lies(Does::Lies, "sampler.complete")]
#[case::vanishes(Does::Vanishes, "sampler.complete")]
#[tokio::test]
#[parallel(machine)]
async fn an_exporter_that_gives_no_figures_is_never_a_pass(#[case] does: Does, #[case] why: &str) {
    let (home, exporter) = (tempfile::tempdir().unwrap(), Exporter::start(does));
    let mut plan = plan(&exporter, home.path());
    if does == Does::Hangs {
        plan.processes.get_mut("worker").unwrap().metrics.timeout_s = 2.0;
    }
    let measured = check(plan).await;
    let judgement = &measured.assessment.judgement;
    assert_ne!(judgement.verdict, Verdict::Pass, "{does:?}: {judgement:?}");
    let criterion = judgement.criterion(why).unwrap_or_else(|| panic!("{does:?}: no {why} in {judgement:?}"));
    assert_ne!(criterion.verdict, Verdict::Pass, "{does:?}: {}", criterion.detail);
    if does == Does::Restarts {
        let events = json_lines(&measured.paths.events);
        let exits = events.iter().filter(|event| event["event"] == "process_exited").count();
        assert_eq!(exits, 1, "{events:?}");
    }
}

#[tokio::test]
#[parallel(machine)]
async fn a_run_does_not_begin_without_figures_and_says_why() {
    let (home, exporter) = (tempfile::tempdir().unwrap(), Exporter::start(Does::Keeps(0.0)));
    let mut plan = plan(&exporter, home.path());
    let worker = plan.processes.get_mut("worker").unwrap();
    worker.metrics.labels = vec!["pod=asr".to_string()];
    let error = Suite::new(plan).leak_check().await.err().unwrap().render();
    assert!(error.contains("with these labels: pod=asr") && error.contains("/metrics"), "{error}");
}

/// The plan of a service whose memory a Prometheus server has.
fn prometheus(exporter: &Exporter, home: &std::path::Path) -> Plan {
    let mut plan = plan(exporter, home);
    let worker = plan.processes.get_mut("worker").unwrap();
    worker.metrics = Default::default();
    worker.prometheus.url = Some(exporter.url.clone());
    worker.prometheus.query = "container_memory_working_set_bytes{pod=~\"asr-.*\"}".to_string();
    worker.prometheus.timeout_s = 30.0;
    plan.leak.repeats = 3;
    plan.leak.max_repeats = 3;
    plan.leak.max_delta_mb = 20.0;
    plan
}

#[tokio::test]
#[parallel(machine)]
async fn after_a_task_a_sample_is_waited_for_that_the_server_took_later() {
    let (home, exporter) = (tempfile::tempdir().unwrap(), Exporter::start(Does::Keeps(30.0)));
    let measured = check(prometheus(&exporter, home.path())).await;
    let delta = measured.assessment.judgement.criterion("leak.delta").unwrap();
    assert_eq!(delta.verdict, Verdict::Fail, "{}", delta.detail);
    for task in json_lines(&measured.paths.tasks) {
        assert_eq!(task["worker_rss_delta_mb"], 30.0, "{task}");
    }
}

#[tokio::test]
#[parallel(machine)]
async fn a_gap_in_a_servers_samples_is_no_pass_and_no_end_of_the_worker() {
    let (home, exporter) = (tempfile::tempdir().unwrap(), Exporter::start(Does::Vanishes));
    let mut plan = prometheus(&exporter, home.path());
    plan.processes.get_mut("worker").unwrap().prometheus.max_age_s = 1.0;
    let measured = check(plan).await;
    let judgement = &measured.assessment.judgement;
    assert_ne!(judgement.verdict, Verdict::Pass, "{judgement:?}");
    let events = json_lines(&measured.paths.events);
    assert!(events.iter().all(|event| event["event"] != "process_exited"), "{events:?}");
}
