//! A plain HTTP service without a configuration file: flags, the trial of the first task, conditions on answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use rstest::rstest;
use serde_json::Value;
use serial_test::parallel;

use crate::support::runs::{Place, Running};
use crate::support::service::{Idle, Service};

/// A service that summarises: what it answers, and how many tasks it was sent.
struct Summariser {
    service: Service,
    asked: Arc<AtomicUsize>,
}

/// The health endpoint says that `redis` is connected, or not.
async fn summariser(status: u16, body: &'static str, redis: bool) -> Summariser {
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move |State(asked): State<Arc<AtomicUsize>>, sent: String| async move {
        asked.fetch_add(1, Ordering::SeqCst);
        let sent: Value = serde_json::from_str(&sent).unwrap_or_default();
        match sent["text"].as_str() {
            Some("hello") => (StatusCode::from_u16(status).unwrap(), body),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "no text"),
        }
    };
    let health = move || async move { format!("{{\"redis_connected\": {redis}}}") };
    let router = Router::new()
        .route("/summarise", post(answer))
        .route("/healthz", get(health))
        .with_state(Arc::clone(&asked));
    Summariser { service: Service::start(router).await, asked }
}

impl Summariser {
    /// Runs `highwater` with `arguments` and, in words of the shell, what names this service.
    async fn highwater(&self, arguments: &str) -> (Option<i32>, String, String) {
        let (url, arguments) = (self.service.url.clone(), arguments.to_string());
        let run = move || {
            let place = Place::new(1, 1);
            // The service is in this process, which started highwater and is never taken for a service.
            let worker = Idle::start("worker");
            let mut command = place.highwater();
            let (first, rest) = arguments.split_once(' ').unwrap_or((&arguments, ""));
            command.arg(first).args(["--preset", "http", "--url", &url, "--path", "/summarise"]);
            command.args(["--json-body", r#"{"text": "hello"}"#, "--health", "/healthz"]);
            command.args(["--worker-pid", &worker.pid().to_string()]).args(rest.split_whitespace());
            let (exit, lines, stderr) = Running::start(&mut command).ended();
            (exit, lines.join("\n"), stderr)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

const RAMP: &str = "run --json --only concurrency --max-concurrency 2 --required 2 --set ramp.max_lag_s=0 \
                    --set settle.quiet_s=0.05 --set ramp.recover_s=1 --set ramp.short_s=0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn a_service_is_tested_with_flags_alone() {
    let good = summariser(200, r#"{"summary": "hello"}"#, true).await;
    let absent = "--set processes.api.program=no-such-program --set processes.api.optional=true";
    let (exit, stdout, stderr) = good.highwater(&format!("{RAMP} {absent}")).await;
    assert_eq!(exit, Some(0), "{stderr}");
    let object: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(object["highest_level_held"], 2);
    assert!(good.asked.load(Ordering::SeqCst) >= 3, "each task reached it");
    let roles = object["levels"][0]["roles"].as_object().unwrap();
    assert_eq!(roles.keys().collect::<Vec<_>>(), ["worker"], "a role that is not there has no figures");
}

#[rstest]
#[case::empty("not_empty=true", r#"{"summary": ""}"#, "`/summary` is empty")]
#[case::equal(r#"equals="done""#, r#"{"summary": "WAIT"}"#, "`/summary` is `WAIT` and not `done`")]
#[case::matching("matches=^[a-z]+$", r#"{"summary": "WAIT"}"#, "does not match `^[a-z]+$`")]
#[case::at_least("at_least=10", r#"{"summary": "WAIT"}"#, "is 4 characters, and at least 10 is asked for")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn an_answer_of_status_200_need_not_be_a_success(
    #[case] condition: &str,
    #[case] body: &'static str,
    #[case] words: &str,
) {
    let waiting = summariser(200, body, true).await;
    let (exit, stdout, stderr) = waiting.highwater(RAMP).await;
    assert_eq!(exit, Some(0), "without a condition it is one: {stdout}{stderr}");
    let conditions = format!("--set target.success.pointer=/summary --set target.success.{condition}");
    let (exit, _, stderr) = waiting.highwater(&format!("{RAMP} {conditions}")).await;
    assert_ne!(exit, Some(0), "{stderr}");
    assert!(stderr.contains(words), "`{words}` is missing: {stderr}");
}

#[rstest]
#[case::no_such_path(404, "--path PATH")]
#[case::other_method(405, "target.http.method")]
#[case::other_body(422, "--json-body")]
#[case::no_secret(401, "target.auth_env")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn an_outright_refusal_of_the_first_task_ends_the_run(#[case] status: u16, #[case] hint: &str) {
    let refusing = summariser(status, "the reason is here", true).await;
    let (exit, _, stderr) = refusing.highwater("run").await;
    assert_eq!(exit, Some(3), "{stderr}");
    let message = format!("POST /summarise answered HTTP {status} with: the reason is here");
    assert!(stderr.contains(&message) && stderr.contains(hint), "{stderr}");
    assert_eq!(refusing.asked.load(Ordering::SeqCst), 1, "nothing is sent after that: {stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn doctor_repeats_its_flags_and_sends_a_task_where_it_is_asked_to() {
    let good = summariser(200, r#"{"summary": "hello"}"#, true).await;
    let (exit, stdout, _) = good.highwater("doctor").await;
    assert_eq!((exit, good.asked.load(Ordering::SeqCst)), (Some(0), 0), "{stdout}");
    let flags = format!(
        r#"--preset http --url {} --path /summarise --json-body '{{"text": "hello"}}'"#,
        good.service.url
    );
    assert!(stdout.contains("no task was sent yet") && !stdout.contains("ready:"), "{stdout}");
    assert!(stdout.contains(&format!("`highwater doctor {flags}")), "{stdout}");
    assert!(!stdout.contains("rq"), "nothing of RQ: {stdout}");

    let (exit, stdout, _) = good.highwater("doctor --trial").await;
    assert_eq!((exit, good.asked.load(Ordering::SeqCst)), (Some(0), 1), "{stdout}");
    assert!(stdout.contains("one task succeeded in"), "{stdout}");
    assert!(stdout.contains(&format!("ready: `highwater run {flags}")), "{stdout}");

    let refusing = summariser(422, "field required", true).await;
    let (exit, stdout, _) = refusing.highwater("doctor --trial").await;
    assert_eq!(exit, Some(3), "{stdout}");
    assert!(stdout.contains("HTTP 422 with: field required") && stdout.ends_with("not ready"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn health_is_judged_by_a_value_and_the_answer_is_shown() {
    let ill = summariser(200, "{}", false).await;
    let (exit, _, stderr) = ill.highwater("run --set target.health_pointer=/redis_connected").await;
    assert_eq!(exit, Some(3), "{stderr}");
    assert!(stderr.contains("`/redis_connected` is `false` and not `true`"), "{stderr}");
    assert!(stderr.contains(r#"{"redis_connected": false}"#), "the body is shown: {stderr}");
    assert_eq!(ill.asked.load(Ordering::SeqCst), 0);
}

/// A dependency that dies under the second level and stays away is no limit of the service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn a_dependency_that_is_gone_is_no_limit() {
    let redis = Arc::new(std::sync::Mutex::new(Some(Idle::start("redis"))));
    let worker = Idle::start("worker");
    let pid = redis.lock().unwrap().as_ref().unwrap().pid();
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let (redis, asked) = (Arc::clone(&redis), Arc::clone(&asked));
        async move {
            if asked.fetch_add(1, Ordering::SeqCst) == 1 {
                drop(redis.lock().unwrap().take());
            }
            let well = redis.lock().unwrap().is_some();
            if well { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
        }
    };
    let service = Service::start(Router::new().route("/", post(answer))).await;
    let url = service.url.clone();
    let run = tokio::task::spawn_blocking(move || {
        let place = Place::new(1, 1);
        let mut command = place.highwater();
        command.args(["run", "--preset", "http", "--url", &url, "--worker-pid", &worker.pid().to_string()]);
        command.args(["--set", &format!("processes.redis.pid={pid}")]);
        command.args(RAMP.split_whitespace().skip(1));
        Running::start(&mut command).ended()
    });
    let (exit, lines, stderr) = run.await.unwrap();
    assert_eq!(exit, Some(2), "inconclusive: {stderr}");
    let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(object["limit"]["ending"], "undetermined", "{stderr}");
    assert!(object["limit"]["reason"].as_str().unwrap().contains("redis is gone"), "{stderr}");
    assert_eq!(object["highest_level_held"], 1, "{stderr}");
}

/// The service fails both tasks of the second level once, as while its supervisor starts it again, and is well then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn an_outage_that_passes_is_no_limit() {
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move { if (1..=2).contains(&number) { StatusCode::BAD_GATEWAY } else { StatusCode::OK } }
    };
    let service = Service::start(Router::new().route("/", post(answer))).await;
    let url = service.url.clone();
    let run = tokio::task::spawn_blocking(move || {
        let (place, worker) = (Place::new(1, 1), Idle::start("worker"));
        let mut command = place.highwater();
        command.args(["run", "--preset", "http", "--url", &url, "--worker-pid", &worker.pid().to_string()]);
        command.args(RAMP.split_whitespace().skip(1)).args(["--set", "ramp.recover_s=60"]);
        Running::start(&mut command).ended()
    });
    let (exit, lines, stderr) = run.await.unwrap();
    assert_eq!(exit, Some(0), "{stderr}");
    let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(object["limit"]["ending"], "bound_reached", "{stderr}");
    assert_eq!(object["highest_level_held"], 2, "the second level held twice of three: {stderr}");
    assert!(stderr.contains("probe 1: one task"), "{stderr}");
}
