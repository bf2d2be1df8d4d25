//! The interface of OpenAI's transcriptions, secrets, and retries, through whole runs.

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Multipart;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use highwater::plan::Plan;
use highwater::service::{OpenAiTarget, Target, TaskError};
use serde_json::{Value, json};
use serial_test::parallel;

use super::input;
use super::mini::{Mini, Reply, ok};
use crate::support::service::{Idle, Service};

async fn transcribed(answer: Value) -> Result<highwater::service::Completion, TaskError> {
    let router = Router::new().route("/v1/audio/transcriptions", post(move || async move { Json(answer) }));
    let service = Service::start(router).await;
    let plan = Plan::openai(&service.url).target;
    OpenAiTarget::of_plan(&plan).unwrap().perform(&input(vec![1; 100])).await
}

#[tokio::test]
async fn openai_sends_model_format_and_file_and_reads_the_duration() {
    let router = Router::new().route(
        "/v1/audio/transcriptions",
        post(|mut form: Multipart| async move {
            let mut fields = Vec::new();
            while let Some(field) = form.next_field().await.unwrap() {
                let name = field.name().unwrap().to_string();
                let file = field.file_name().map(str::to_string);
                let length = field.bytes().await.unwrap().len();
                fields.push((name, file, length));
            }
            let text = |name: &str, length: usize| (name.to_string(), None, length);
            let expected = vec![
                text("model", "whisper-1".len()),
                text("response_format", "verbose_json".len()),
                text("temperature", 1),
                ("file".to_string(), Some("clip.wav".to_string()), 500),
            ];
            assert_eq!(fields, expected);
            Json(json!({"task": "transcribe", "duration": 2.5, "text": "The tide came in."}))
        }),
    );
    let service = Service::start(router).await;
    let mut plan = Plan::openai(&service.url).target;
    plan.openai.fields.insert("temperature".to_string(), "0".to_string());
    let target = OpenAiTarget::of_plan(&plan).unwrap();
    let done = target.perform(&input(vec![1; 500])).await.unwrap();
    assert_eq!((done.audio_seconds, done.task_id), (Some(2.5), None));
}

#[tokio::test]
async fn openai_failures_are_told_apart() {
    let short = transcribed(json!({"text": "the tide"})).await.unwrap();
    assert_eq!(short.audio_seconds, None, "`json` has no duration");
    let silent = transcribed(json!({"text": " "})).await.unwrap_err();
    assert_eq!(silent.to_string(), "malformed answer: `/text` is empty (`target.success`)");
    let failed = transcribed(json!({"error": {"message": "cannot decode"}})).await.unwrap_err();
    assert_eq!(failed.to_string(), "failed by the service: cannot decode");
    let malformed = transcribed(json!({"segments": []})).await.unwrap_err();
    assert_eq!(malformed.to_string(), "malformed answer: the transcription has no `text`");
}

const SECRET: &str = "sk-not-for-any-file-4711";

/// `highwater run` of the ramp's first two levels against `url`, into `home`.
fn run(url: &str, home: &std::path::Path, worker: &Idle, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_highwater"))
        .current_dir(home)
        .env("SPEECH_KEY", SECRET)
        .args(["run", "--url", url, "--worker-pid", &worker.pid().to_string(), "--only", "concurrency"])
        .args(["--max-concurrency", "2", "--set", "settle.quiet_s=0.05", "--set", "sampler.interval_s=0.1"])
        // A service that refuses everything does not recover.
        .args(["--set", "ramp.recover_s=0"])
        .args(more)
        .output()
        .unwrap()
}

/// All files below `directory`, as one text.
fn files(directory: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        text += &if path.is_dir() { files(&path) } else { std::fs::read_to_string(path).unwrap() };
    }
    text
}

/// The service quotes what it was sent in its refusal, as some do.
#[tokio::test(flavor = "multi_thread")]
#[parallel(machine)]
async fn a_secret_is_sent_and_written_nowhere() {
    let router = Router::new().route("/v1/models", get(|| async { "{}" })).route(
        "/v1/audio/transcriptions",
        post(|headers: HeaderMap| async move {
            let sent = headers["authorization"].to_str().unwrap().to_string();
            (StatusCode::UNAUTHORIZED, format!("incorrect API key: {sent}"))
        }),
    );
    let service = Service::start(router).await;
    let (home, worker) = (tempfile::tempdir().unwrap(), Idle::start("speech-worker"));
    let more = ["--preset", "openai", "--set", "target.auth_env=SPEECH_KEY"];
    let ran = tokio::task::block_in_place(|| run(&service.url, home.path(), &worker, &more));
    let written = files(home.path());
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(written.contains("incorrect API key: Bearer (hidden)"), "{said}\n{written}");
    assert!(written.contains(r#""auth_env":"SPEECH_KEY""#), "the plan is there, with the variable's name");
    assert!(!written.contains(SECRET) && !said.contains(SECRET), "{said}\n{written}");
}

#[tokio::test(flavor = "multi_thread")]
#[parallel(machine)]
async fn a_task_that_is_sent_again_is_counted_and_shown() {
    let tries = Arc::new(AtomicUsize::new(0));
    let service = Mini::start(move |asked| {
        let number = if asked.path == "/" { tries.fetch_add(1, Ordering::SeqCst) } else { 1 };
        async move {
            match number {
                0 => Reply { status: 503, body: "full".to_string(), close: false },
                _ => ok("{}"),
            }
        }
    })
    .await;
    let (home, worker) = (tempfile::tempdir().unwrap(), Idle::start("retry-worker"));
    let more = [
        "--preset",
        "http",
        "--set",
        "target.retries=2",
        "--set",
        "target.retry_wait_s=0.01",
        "--set",
        "ramp.short_s=0",
    ];
    let ran = tokio::task::block_in_place(|| run(&service.url, home.path(), &worker, &more));
    let written = files(home.path());
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(written.contains(r#""retries":1"#) && written.contains(r#""event":"task_retried""#), "{written}");
    assert!(written.contains("rejected: HTTP 503: full"), "the failure before it is kept: {written}");
    assert!(said.contains("sent again"), "{said}");
    assert!(written.contains("1 of 3 tasks was sent again after a failure"), "the report says so: {written}");
}
