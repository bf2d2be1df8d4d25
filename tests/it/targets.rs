//! The targets against small services inside the test: what they send, and
//! what they make of every kind of answer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::service::{self, Idle, Service};
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use highwater::plan::{AudioKind, Plan, TargetPlan};
use highwater::record::{FailureKind, Limit};
use highwater::service::{
    AsrTarget, Completion, HttpTarget, Input, Inputs, Target, TaskError, Unwell, Variations, poll_delay,
};
use highwater::suite::Suite;
use serde_json::{Value, json};
use serial_test::parallel;

fn input(bytes: Vec<u8>) -> Input {
    Input {
        kind: AudioKind::Short,
        stem: "clip".to_string(),
        name: "clip.wav".to_string(),
        bytes: Bytes::from(bytes),
        seconds: Some(2.0),
        variation: 0,
    }
}

fn completion(task_id: &str, audio_seconds: f64) -> Completion {
    let (task_id, audio_seconds) = (Some(task_id.to_string()), Some(audio_seconds));
    Completion { task_id, audio_seconds, ..Completion::default() }
}

fn at(url: &str) -> TargetPlan {
    Plan::asr(url).target
}

/// The plan of an ASR service whose answers are these, and what became of a task there.
async fn asr(submit: (u16, &'static str), result: (u16, &'static str)) -> Result<Completion, TaskError> {
    let status = |code| StatusCode::from_u16(code).unwrap();
    let router = Router::new()
        .route("/api/v1/asr/submit", post(move || async move { (status(submit.0), submit.1) }))
        .route("/api/v1/asr/result/{id}", get(move || async move { (status(result.0), result.1) }));
    let service = Service::start(router).await;
    AsrTarget::of_plan(&at(&service.url)).unwrap().perform(&input(vec![0; 64])).await
}

const QUEUED: (u16, &str) = (200, r#"{"task_id": "t1", "status": "queued"}"#);
const DONE: (u16, &str) = (200, r#"{"status": "done", "duration": 2.5, "error": null}"#);

fn malformed(result: Result<Completion, TaskError>) -> String {
    match result {
        Err(TaskError::Malformed { message, .. }) => message,
        other => panic!("expected a malformed answer, got {other:?}"),
    }
}

#[tokio::test]
async fn asr_success_carries_the_task_and_the_duration_of_the_service() {
    let done = asr(QUEUED, DONE).await.unwrap();
    assert_eq!(done.answer_bytes, Some(DONE.1.replace(' ', "").len() as u64));
    assert_eq!(Completion { answer_bytes: None, ..done }, completion("t1", 2.5));
    let number = asr((202, r#"{"task_id": 17}"#), DONE).await.unwrap();
    assert_eq!(number.task_id.as_deref(), Some("17"), "an id may be a number, and 202 is a success");
}

#[tokio::test]
async fn asr_paths_fields_and_words_are_configurable() {
    let router = Router::new()
        .route(
            "/upload",
            post(|mut form: Multipart| async move {
                let field = form.next_field().await.unwrap().unwrap();
                assert_eq!((field.name(), field.file_name()), (Some("sound"), Some("clip.wav")));
                assert_eq!(field.content_type(), Some("audio/wav"));
                Json(json!({"job": "j9"}))
            }),
        )
        .route(
            "/jobs/{id}/state",
            get(|Path(id): Path<String>| async move {
                assert_eq!(id, "j9");
                Json(json!({"state": "FINISHED", "length": 3.5}))
            }),
        );
    let service = Service::start(router).await;
    let mut plan = at(&format!("{}/", service.url));
    plan.asr.submit = "/upload".to_string();
    plan.asr.result = "/jobs/{task_id}/state".to_string();
    plan.asr.field = "sound".to_string();
    plan.asr.id_field = "job".to_string();
    plan.asr.status_field = "state".to_string();
    plan.asr.duration_field = "length".to_string();
    plan.asr.done = vec!["FINISHED".to_string()];
    let done = AsrTarget::of_plan(&plan).unwrap().perform(&input(vec![1; 10])).await.unwrap();
    assert_eq!(Completion { answer_bytes: None, ..done }, completion("j9", 3.5));
}

#[tokio::test]
async fn asr_a_refused_submission_keeps_the_beginning_of_its_body() {
    let refused = asr((503, r#"{"detail": "queue full"}"#), DONE).await.unwrap_err();
    assert_eq!(
        refused,
        TaskError::Rejected { status: 503, body: r#"{"detail": "queue full"}"#.to_string(), task_id: None }
    );
    assert_eq!(refused.kind(), FailureKind::Rejected);
    assert_eq!(refused.to_string(), r#"rejected: HTTP 503: {"detail": "queue full"}"#);

    let long: &'static str = "x".repeat(5000).leak();
    match asr((500, long), DONE).await.unwrap_err() {
        TaskError::Rejected { status: 500, body, .. } => assert_eq!(body.len(), 2048),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn asr_a_task_that_the_service_fails_carries_its_message() {
    let failed = asr(QUEUED, (200, r#"{"status": "failed", "error": "bad audio"}"#)).await.unwrap_err();
    let expected = TaskError::Failed { task_id: Some("t1".to_string()), message: "bad audio".to_string() };
    assert_eq!(failed, expected);
    let silent = asr(QUEUED, (200, r#"{"status": "failed", "error": null}"#)).await.unwrap_err();
    assert_eq!(silent.to_string(), "failed by the service: no message");
}

#[tokio::test]
async fn asr_answers_outside_the_contract_are_named() {
    let submit_text = malformed(asr((200, "<html>"), DONE).await);
    assert!(submit_text.starts_with("the submission's answer is not JSON"), "{submit_text}");
    let no_id = malformed(asr((200, r#"{"id": 1}"#), DONE).await);
    assert!(no_id.contains("no `task_id`") && no_id.contains(r#"{"id":1}"#), "{no_id}");
    let result_text = malformed(asr(QUEUED, (200, "done")).await);
    assert!(result_text.starts_with("the result is not JSON"), "{result_text}");
    let no_status = malformed(asr(QUEUED, (200, r#"{"state": "done"}"#)).await);
    assert!(no_status.contains("no `status`"), "{no_status}");
    let unknown = malformed(asr(QUEUED, (200, r#"{"status": "finished"}"#)).await);
    assert!(unknown.starts_with("unknown status `finished`"), "{unknown}");
}

#[tokio::test]
async fn asr_a_failed_look_is_forgiven_and_a_dead_result_endpoint_is_not() {
    let looks = Arc::new(AtomicU32::new(0));
    let failing = |times: u32| {
        let looks = Arc::clone(&looks);
        looks.store(0, Ordering::SeqCst);
        Router::new().route("/api/v1/asr/submit", post(|| async { Json(json!({"task_id": "t1"})) })).route(
            "/api/v1/asr/result/{id}",
            get(move || async move {
                if looks.fetch_add(1, Ordering::SeqCst) < times {
                    (StatusCode::BAD_GATEWAY, Json(json!("gateway")))
                } else {
                    (StatusCode::OK, Json(json!({"status": "done"})))
                }
            }),
        )
    };
    let service = Service::start(failing(2)).await;
    AsrTarget::of_plan(&at(&service.url)).unwrap().perform(&input(vec![0; 8])).await.unwrap();
    assert_eq!(looks.load(Ordering::SeqCst), 3);

    let service = Service::start(failing(u32::MAX)).await;
    let error = AsrTarget::of_plan(&at(&service.url)).unwrap().perform(&input(vec![0; 8])).await.unwrap_err();
    assert!(error.to_string().contains("HTTP 502"), "{error}");
    assert_eq!(looks.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_connection_that_is_refused_is_named_as_such() {
    let plan = at(&service::nobody());
    let asr = AsrTarget::of_plan(&plan).unwrap().perform(&input(vec![0; 8])).await.unwrap_err();
    let http = HttpTarget::of_plan(&plan).unwrap().perform(&input(vec![0; 8])).await.unwrap_err();
    for (error, stage) in [(asr, "connect"), (http, "connect")] {
        assert_eq!(error.kind(), FailureKind::Transport);
        let text = error.to_string();
        assert!(text.starts_with(&format!("{stage}: cannot connect: ")), "{text}");
        assert!(text.contains("refused"), "{text}");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_is_named_as_such() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = service::url(listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        // Closed without lingering: the kernel sends a reset.
        stream.set_zero_linger().unwrap();
    });
    let error = HttpTarget::of_plan(&at(&url)).unwrap().perform(&input(Vec::new())).await.unwrap_err();
    server.await.unwrap();
    assert_eq!(error.kind(), FailureKind::Transport);
    assert!(error.to_string().contains("reset"), "{error}");
}

#[tokio::test]
async fn an_upload_has_its_exact_length_and_arrives_as_it_was() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|index| (index * 31 % 251) as u8).collect();
    let seen: Arc<Mutex<Option<(HeaderMap, Bytes)>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let router = Router::new()
        .route(
            "/api/v1/asr/submit",
            post(move |request: Request<Body>| async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                *keep.lock().unwrap() = Some((parts.headers, body));
                Json(json!({"task_id": "t1"}))
            }),
        )
        .route("/api/v1/asr/result/{id}", get(|| async { Json(json!({"status": "done"})) }))
        .layer(DefaultBodyLimit::disable());
    let service = Service::start(router).await;
    AsrTarget::of_plan(&at(&service.url)).unwrap().perform(&input(content.clone())).await.unwrap();

    let (headers, body) = seen.lock().unwrap().take().unwrap();
    assert_eq!(headers["content-length"].to_str().unwrap(), body.len().to_string());
    assert!(!headers.contains_key("transfer-encoding"), "{headers:?}");
    let start = body.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(body[start..].starts_with(&content), "the file arrives byte for byte");
    assert!(body.len() < content.len() + 1000, "and once");
}

/// Answers with what it was sent.
async fn echo(request: Request<Body>) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_string());
    Json(json!({"ok": {
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "token": header("x-token"),
        "type": header("content-type"),
        "json": serde_json::from_slice::<Value>(&body).ok(),
    }}))
}

#[tokio::test]
async fn http_sends_method_path_headers_and_json() {
    let seen: Arc<Mutex<Value>> = Arc::default();
    let keep = Arc::clone(&seen);
    let router = Router::new().fallback(any(move |request: Request<Body>| async move {
        let Json(answer) = echo(request).await;
        *keep.lock().unwrap() = answer.clone();
        Json(answer)
    }));
    let service = Service::start(router).await;
    let mut plan = at(&service.url);
    plan.http.method = "PUT".to_string();
    plan.http.path = "/v1/summary".to_string();
    plan.http.headers.insert("X-Token".to_string(), "secret".to_string());
    plan.http.json = Some(json!({"text": "hello", "n": [1, 2]}));
    let target = HttpTarget::of_plan(&plan).unwrap();
    assert_eq!(target.describe(), format!("PUT {}/v1/summary", service.url));
    target.perform(&input(Vec::new())).await.unwrap();
    let expected = json!({"ok": {
        "method": "PUT",
        "path": "/v1/summary",
        "token": "secret",
        "type": "application/json",
        "json": {"text": "hello", "n": [1, 2]},
    }});
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn http_success_is_a_listed_status_and_something_at_the_pointer() {
    let router = Router::new()
        .route("/json", post(|| async { (StatusCode::ACCEPTED, Json(json!({"result": {"text": null}}))) }))
        .route("/text", post(|| async { (StatusCode::ACCEPTED, "fine") }));
    let service = Service::start(router).await;
    let ask = async |path: &str, status: &[u16], pointer: &str| {
        let mut plan = at(&service.url);
        plan.http.path = path.to_string();
        plan.http.success_status = status.to_vec();
        plan.http.success_pointer = pointer.to_string();
        HttpTarget::of_plan(&plan).unwrap().perform(&input(Vec::new())).await
    };
    ask("/json", &[200, 202], "").await.unwrap();
    ask("/json", &[202], "/result/text").await.unwrap();
    ask("/text", &[202], "").await.unwrap();
    let unlisted = ask("/text", &[200], "").await.unwrap_err();
    assert_eq!(unlisted, TaskError::Rejected { status: 202, body: "fine".to_string(), task_id: None });
    let absent = malformed(ask("/json", &[202], "/result/words").await);
    assert_eq!(absent, "the answer has nothing at `/result/words`");
    let text = malformed(ask("/text", &[202], "/result").await);
    assert!(text.starts_with("the answer is not JSON"), "{text}");
}

#[tokio::test]
async fn http_what_is_no_method_or_header_is_refused_before_anything_is_sent() {
    let mut plan = at("http://localhost");
    plan.http.method = "GE T".to_string();
    let error = HttpTarget::of_plan(&plan).unwrap_err();
    assert!(error.to_string().contains("`target.http.method`"), "{error}");
    plan.http.method = "GET".to_string();
    plan.http.headers.insert("no header".to_string(), String::new());
    let error = HttpTarget::of_plan(&plan).unwrap_err();
    assert!(error.to_string().contains("`no header`"), "{error}");
}

#[tokio::test]
async fn health_says_what_is_wrong() {
    let router = Router::new()
        .route("/well", get(|| async {}))
        .route("/ill", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    let service = Service::start(router).await;
    let ask = async |url: &str, path: &str| {
        let mut plan = at(url);
        plan.health = path.to_string();
        AsrTarget::of_plan(&plan).unwrap().health().await
    };
    assert_eq!(ask(&service.url, "/well").await, Ok(()));
    assert_eq!(ask(&service::nobody(), "").await, Ok(()), "a service without a health endpoint is not asked");
    let ill = ask(&service.url, "/ill").await.unwrap_err();
    assert_eq!((&*ill.problem, ill.status), ("GET /ill answered HTTP 503", Some(503)));
    let Unwell { problem: refused, status } = ask(&service::nobody(), "/well").await.unwrap_err();
    assert_eq!(status, None, "{refused}");
    assert!(refused.starts_with("GET /well: cannot connect: ") && refused.contains("refused"), "{refused}");
}

/// When a task was submitted and looked at, as its service saw it.
#[derive(Default)]
struct Looks {
    submitted: Option<Instant>,
    at: Vec<Instant>,
}

#[tokio::test]
#[parallel(machine)]
async fn polling_backs_off_and_no_time_is_too_short() {
    /// How long the service takes.
    const TRUTH: Duration = Duration::from_millis(900);
    let looks: Arc<Mutex<Looks>> = Arc::default();
    let router = Router::new()
        .route(
            "/api/v1/asr/submit",
            post(async |State(looks): State<Arc<Mutex<Looks>>>| {
                looks.lock().unwrap().submitted = Some(Instant::now());
                Json(json!({"task_id": "t1"}))
            }),
        )
        .route(
            "/api/v1/asr/result/{id}",
            get(async |State(looks): State<Arc<Mutex<Looks>>>| {
                let mut looks = looks.lock().unwrap();
                looks.at.push(Instant::now());
                let ready = looks.submitted.unwrap().elapsed() >= TRUTH;
                Json(json!({"status": if ready { "done" } else { "processing" }}))
            }),
        )
        .with_state(Arc::clone(&looks));
    let service = Service::start(router).await;
    let target = AsrTarget::of_plan(&at(&service.url)).unwrap();
    let started = Instant::now();
    target.perform(&input(vec![0; 64])).await.unwrap();
    assert!(started.elapsed() >= TRUTH, "{:?}", started.elapsed());

    let looks = looks.lock().unwrap();
    let submitted = looks.submitted.unwrap();
    // Lower bounds only: a busy machine may look later and more seldom, never sooner. The wait
    // after a look is that of the time since before the submission arrived, which is longer.
    assert!(looks.at[0] - submitted >= poll_delay(Duration::ZERO));
    for pair in looks.at.windows(2) {
        let least = poll_delay(pair[0] - submitted);
        assert!(pair[1] - pair[0] >= least, "{:?} after a wait of at least {least:?}", pair[1] - pair[0]);
    }
    let mut most = 0;
    let mut time = Duration::ZERO;
    while time < TRUTH {
        time += poll_delay(time);
        most += 1;
    }
    assert!(looks.at.len() <= most, "{} looks, {most} at the most", looks.at.len());
}

/// A service of one's own: no HTTP, no audio.
struct Counter {
    performed: Arc<AtomicU32>,
    /// From this many tasks on, each fails.
    good: u32,
}

impl Target for Counter {
    fn describe(&self) -> String {
        "a counter".to_string()
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        assert_eq!(&input.bytes[..], b"count");
        if self.performed.fetch_add(1, Ordering::SeqCst) < self.good {
            return Ok(Completion::default());
        }
        Err(TaskError::Failed { task_id: None, message: "out of numbers".to_string() })
    }
}

/// A suite with a process that does nothing as its worker.
fn counting(worker: &Idle, home: &std::path::Path, performed: &Arc<AtomicU32>, good: u32) -> Suite {
    let mut plan = Plan::default().worker_pid(worker.pid());
    plan.results = home.to_path_buf();
    plan.settle.quiet_s = 0.05;
    // As many tasks as the level says, each level once: what is counted here is calls.
    plan.ramp.short_s = 0.0;
    plan.ramp.repeat_broken = false;
    // Tasks of microseconds on a machine that compiles: a level would be INVALID, rightly.
    plan.ramp.max_lag_s = 0.0;
    plan.ramp.confirm = false;
    plan.leak.repeats = 20;
    plan.leak.for_s = 0.0;
    plan.sampler.interval_s = 0.5;
    let short = Input { seconds: None, ..input(b"count".to_vec()) };
    let target = Counter { performed: Arc::clone(performed), good };
    Suite::new(plan).target(target).inputs(Inputs { short, long: None, variations: Variations::None })
}

#[tokio::test]
#[parallel(machine)]
async fn a_target_of_ones_own_passes_through_the_whole_suite() {
    let (home, worker) = (tempfile::tempdir().unwrap(), Idle::start("counter-worker"));
    let performed = Arc::default();
    let suite = counting(&worker, home.path(), &performed, u32::MAX);

    let leak = suite.leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()));
    leak.assert_all_pass();
    assert_eq!(performed.load(Ordering::SeqCst), 21);
    assert_eq!(leak.assessment.title, "memory leak and stress test of a counter");
    assert_eq!(leak.assessment.judgement.limit, Limit::NotRun);

    let ramp = suite.ramp(3).await.unwrap_or_else(|error| panic!("{}", error.render()));
    ramp.assert_all_pass();
    // A level is tried again where the machine starved highwater.
    assert!(performed.load(Ordering::SeqCst) >= 21 + 1 + 2 + 3);
    assert_eq!(ramp.assessment.judgement.limit, Limit::BoundReached { at_least: 3, bound: None });
    assert_ne!(leak.paths.tasks, ramp.paths.tasks);
    for path in [&ramp.paths.tasks, &ramp.paths.events, &ramp.paths.resources, &ramp.paths.report] {
        assert!(path.starts_with(home.path()) && path.is_file(), "{}", path.display());
    }
}

#[tokio::test]
#[parallel(machine)]
async fn a_criterion_that_fails_says_its_figures_and_where_the_data_is() {
    let (home, worker) = (tempfile::tempdir().unwrap(), Idle::start("counter-worker"));
    let performed = Arc::default();
    // The first two levels hold: one task, then two.
    let suite = counting(&worker, home.path(), &performed, 3);
    let ramp = suite.ramp(5).await.unwrap_or_else(|error| panic!("{}", error.render()));
    assert_eq!(ramp.assessment.max_stable_concurrency, Some(2));
    let sent = performed.load(Ordering::SeqCst);
    assert_eq!(
        sent,
        1 + 2 + 3,
        "nothing follows the third level, so nobody asks whether the service recovers"
    );
    let panic = std::panic::catch_unwind(|| ramp.assert_passes("ramp.required")).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    let data = ramp.paths.tasks.display().to_string();
    for part in ["FAIL", "maximum 2, at least 3 required", &data] {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}
