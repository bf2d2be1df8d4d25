//! Answers that come as a stream of messages, from services inside the test.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Multipart, Request};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use highwater::plan::{AudioKind, Plan, Preset, TargetPlan};
use highwater::record::TaskStatus;
use highwater::report::markdown_full;
use highwater::service::{Completion, HttpTarget, Input, OpenAiTarget, Target, TaskError};
use highwater::suite::Suite;
use serial_test::parallel;

use crate::support::runs::json_lines;
use crate::support::service::{Idle, Service};

/// How long a service waits between two messages; a lower bound of what is measured.
const PAUSE: Duration = Duration::from_millis(200);

fn input() -> Input {
    Input {
        kind: AudioKind::Short,
        stem: "clip".to_string(),
        name: "clip.wav".to_string(),
        bytes: Bytes::from_static(b"RIFF"),
        seconds: Some(2.0),
        variation: 0,
    }
}

/// Server-sent events with these data, a pause before each but the first. `again` begins anew after the last.
fn events(data: &'static [&'static str], again: bool) -> Response {
    let stream = futures_util::stream::unfold(0, move |sent: usize| async move {
        let next = if again { data[sent % data.len()] } else { data.get(sent).copied()? };
        if sent > 0 && !again {
            tokio::time::sleep(PAUSE).await;
        }
        Some((Ok::<_, Infallible>(format!("data: {next}\n\n")), sent + 1))
    });
    Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(stream)).unwrap()
}

async fn openai(data: &'static [&'static str]) -> Result<Completion, TaskError> {
    let router = Router::new().route(
        "/v1/audio/transcriptions",
        post(move |mut form: Multipart| async move {
            let mut asked = false;
            while let Some(field) = form.next_field().await.unwrap() {
                asked |= field.name() == Some("stream") && field.text().await.unwrap() == "true";
            }
            assert!(asked, "the service streams only when it is asked to");
            events(data, false)
        }),
    );
    let service = Service::start(router).await;
    let mut plan = Preset::Openai.plan().target;
    plan.url = service.url.clone();
    plan.openai.stream = true;
    OpenAiTarget::of_plan(&plan).unwrap().perform(&input()).await
}

/// The plan of a service that answers every request with these events.
async fn http(data: &'static [&'static str], again: bool) -> (Service, TargetPlan) {
    let answer = move |_: Request| async move { events(data, again) };
    let service = Service::start(Router::new().route("/chat", post(answer))).await;
    let mut plan = Plan::http(&service.url, "/chat").target;
    plan.http.stream = true;
    plan.http.text_pointer = "/choices/0/delta/content".to_string();
    plan.http.end_message = "[DONE]".to_string();
    (service, plan)
}

async fn ask(plan: &TargetPlan) -> Result<Completion, TaskError> {
    HttpTarget::of_plan(plan).unwrap().perform(&input()).await
}

const ROLE: &str = r#"{"choices": [{"delta": {"role": "assistant"}}]}"#;
const THE: &str = r#"{"choices": [{"delta": {"content": "the"}}]}"#;
const TIDE: &str = r#"{"choices": [{"delta": {"content": " tide"}}]}"#;

#[tokio::test]
async fn a_transcription_comes_in_pieces_and_its_first_text_has_its_time() {
    let began = Instant::now();
    let done = openai(&[
        r#"{"type": "transcript.text.delta", "delta": "the"}"#,
        r#"{"type": "transcript.text.delta", "delta": " tide"}"#,
        r#"{"type": "transcript.text.done", "text": "the tide", "duration": 2.5}"#,
    ])
    .await
    .unwrap();
    let whole_s = began.elapsed().as_secs_f64();
    let first_s = done.first_text_seconds.unwrap();
    assert!(first_s > 0.0 && first_s + 2.0 * PAUSE.as_secs_f64() <= whole_s, "{first_s} of {whole_s}");
    assert_eq!(done.audio_seconds, Some(2.5));
    let cut = openai(&[r#"{"type": "transcript.text.delta", "delta": "the"}"#]).await.unwrap_err();
    assert!(cut.to_string().contains("ended before its last message"), "{cut}");
    let empty = openai(&[r#"{"type": "transcript.text.done", "text": " "}"#]).await.unwrap_err();
    assert!(empty.to_string().contains("`/text` is empty"), "{empty}");
}

#[tokio::test]
async fn the_time_to_the_first_text_leaves_out_messages_without_any() {
    let (_service, plan) = http(&[ROLE, THE, TIDE, "[DONE]"], false).await;
    let done = ask(&plan).await.unwrap();
    assert!(done.first_text_seconds.unwrap() >= PAUSE.as_secs_f64(), "{done:?}");
    let sent = [ROLE, THE, TIDE, "[DONE]"].iter().map(|data| format!("data: {data}\n\n").len() as u64);
    assert_eq!(done.answer_bytes, Some(sent.sum()));
}

#[tokio::test]
async fn what_is_asked_of_an_answer_is_asked_of_the_whole_text() {
    let (_service, mut plan) = http(&[THE, TIDE, "[DONE]"], false).await;
    plan.success.pointer = "/text".to_string();
    plan.success.matches = "^the tide$".to_string();
    ask(&plan).await.unwrap();
    plan.success.matches = "^the$".to_string();
    let wrong = ask(&plan).await.unwrap_err().to_string();
    assert!(wrong.contains("`/text` is `the tide`, which does not match"), "{wrong}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_fails_or_never_ends_is_no_success() {
    let (_service, plan) = http(&[THE], false).await;
    let cut = ask(&plan).await.unwrap_err();
    assert!(cut.to_string().contains("ended before its last message"), "{cut}");
    let (_service, plan) = http(&[THE, r#"{"error": {"message": "out of blocks"}}"#, "[DONE]"], false).await;
    let failed = ask(&plan).await.unwrap_err();
    assert!(matches!(&failed, TaskError::Failed { message, .. } if message == "out of blocks"), "{failed:?}");
    let (_service, mut plan) = http(&[THE], true).await;
    plan.timeout_s = 0.5;
    let endless = ask(&plan).await.unwrap_err();
    assert!(matches!(endless, TaskError::TimedOut { .. }), "{endless:?}");
}

#[tokio::test]
#[parallel(machine)]
async fn each_level_of_a_ramp_has_the_times_to_the_first_text() {
    let (service, target) = http(&[ROLE, THE, "[DONE]"], false).await;
    let (home, worker) = (tempfile::tempdir().unwrap(), Idle::start("streaming-worker"));
    let mut plan = Plan::http(&service.url, "/chat").worker_pid(worker.pid());
    plan.target = target;
    plan.results = home.path().to_path_buf();
    plan.ramp.short_s = 0.0;
    plan.ramp.max_lag_s = 0.0;
    let assessed = Suite::new(plan).ramp(2).await.unwrap().assessment;
    assert_eq!(assessed.levels.len(), 2);
    for level in &assessed.levels {
        let first = level.first_text_seconds.unwrap();
        // The times are kept within a thousandth.
        assert!(first.p50 >= 0.199 && level.seconds.unwrap().p50 > first.p50, "{level:?}");
    }
    let full = markdown_full(&assessed);
    let table = full.split_once("to the first text of its answer.").expect(&full).1;
    assert!(table.contains("| c=2"), "{table}");
}

#[tokio::test]
#[parallel(machine)]
async fn the_file_of_tasks_has_the_time_to_the_first_text() {
    let (service, target) = http(&[ROLE, THE, "[DONE]"], false).await;
    let (home, worker) = (tempfile::tempdir().unwrap(), Idle::start("streaming-worker"));
    let mut plan = Plan::http(&service.url, "/chat").worker_pid(worker.pid());
    plan.target = target;
    plan.results = home.path().to_path_buf();
    plan.leak.repeats = 2;
    plan.leak.max_repeats = 2;
    plan.leak.for_s = 0.0;
    let measured = Suite::new(plan).leak_check().await.unwrap();
    for task in json_lines(&measured.paths.tasks) {
        assert_eq!(task["status"], serde_json::to_value(TaskStatus::Success).unwrap(), "{task}");
        let (first_s, whole_s) = (task["first_text_seconds"].as_f64(), task["processing_time"].as_f64());
        assert!(first_s.unwrap() >= 0.2 && whole_s > first_s, "{task}");
    }
}
