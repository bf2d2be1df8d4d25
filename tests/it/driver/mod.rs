//! The driver against services that misbehave, count and measure: what a failure is called, what
//! tasks cost the service, and what they cost us.

mod causes;
mod cost;
mod hostile;
mod mini;
mod polling;
mod presets;
mod pushed;
mod secrets;
mod tls;

use bytes::Bytes;
use highwater::plan::{AudioKind, Plan, TargetPlan};
use highwater::service::{AsrTarget, Completion, HttpTarget, Input, Target, TaskError};

fn input(bytes: Vec<u8>) -> Input {
    let (stem, name) = ("clip".to_string(), "clip.wav".to_string());
    Input { kind: AudioKind::Short, stem, name, bytes: Bytes::from(bytes), seconds: Some(2.0), variation: 0 }
}

/// The plan of an ASR service at `url`.
fn asr(url: &str) -> TargetPlan {
    Plan::asr(url).target
}

/// The plan of a service at `url` that takes the file in one request.
fn http(url: &str) -> TargetPlan {
    let mut plan = Plan::http(url, "/").target;
    plan.http.multipart_field = "file".to_string();
    plan
}

async fn perform_asr(plan: &TargetPlan, bytes: usize) -> Result<Completion, TaskError> {
    AsrTarget::of_plan(plan).unwrap().perform(&input(vec![7; bytes])).await
}

async fn perform_http(plan: &TargetPlan, bytes: usize) -> Result<Completion, TaskError> {
    HttpTarget::of_plan(plan).unwrap().perform(&input(vec![7; bytes])).await
}
