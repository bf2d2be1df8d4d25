//! Submit a multipart file, poll for the result.

use std::time::Instant;

use reqwest::Client;
use serde_json::Value;

use super::poll::poll_delay;
use super::{Completion, Input, Target, TaskError, wire};
use crate::plan::{AsrPlan, TargetPlan};

/// A few failed looks in a row are forgiven: a poll is not the task.
const POLL_FAILURES: u32 = 3;

/// A speech-recognition service with a submit endpoint and a result endpoint.
#[derive(Debug, Clone)]
pub struct AsrTarget {
    client: Client,
    base: String,
    health: String,
    plan: AsrPlan,
}

impl AsrTarget {
    /// The service that `plan` describes, with its URL, its paths, fields and words.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] if no HTTP client can be set up.
    pub fn of_plan(plan: &TargetPlan) -> crate::Result<AsrTarget> {
        Ok(AsrTarget {
            client: wire::client(plan)?,
            base: wire::base(&plan.url),
            health: plan.health.clone(),
            plan: plan.asr.clone(),
        })
    }

    async fn submit(&self, input: &Input) -> Result<String, TaskError> {
        let answer = self
            .client
            .post(format!("{}{}", self.base, self.plan.submit))
            .multipart(wire::form(&self.plan.field, input))
            .send()
            .await
            .map_err(|error| wire::transport("submit", &error))?;
        if !answer.status().is_success() {
            return Err(wire::rejected(answer).await);
        }
        let body: Value = answer.json().await.map_err(|error| {
            malformed(format!("the submission's answer is not JSON: {}", wire::cause(&error)))
        })?;
        match body.get(&self.plan.id_field) {
            Some(Value::String(id)) => Ok(id.clone()),
            Some(Value::Number(id)) => Ok(id.to_string()),
            _ => Err(malformed(format!("the submission's answer has no `{}`: {body}", self.plan.id_field))),
        }
    }

    async fn look(&self, task_id: &str) -> Result<Value, TaskError> {
        let path = self.plan.result.replace("{task_id}", task_id);
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .map_err(|error| wire::transport("poll", &error))?;
        if !answer.status().is_success() {
            return Err(wire::rejected(answer).await);
        }
        answer
            .json()
            .await
            .map_err(|error| malformed(format!("the result is not JSON: {}", wire::cause(&error))))
    }

    /// The end of the task, if this answer tells of one.
    fn end(&self, task_id: &str, result: &Value) -> Option<Result<Completion, TaskError>> {
        let plan = &self.plan;
        let Some(status) = result.get(&plan.status_field).and_then(Value::as_str) else {
            return Some(Err(malformed(format!("the result has no `{}`: {result}", plan.status_field))));
        };
        let is = |words: &[String]| words.iter().any(|word| word == status);
        if is(&plan.pending) {
            return None;
        }
        Some(if is(&plan.done) {
            Ok(Completion {
                task_id: Some(task_id.to_string()),
                audio_seconds: result.get(&plan.duration_field).and_then(Value::as_f64),
            })
        } else if is(&plan.failed) {
            let message = match result.get(&plan.error_field) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => "no message".to_string(),
                Some(other) => other.to_string(),
            };
            Err(TaskError::Failed { task_id: Some(task_id.to_string()), message })
        } else {
            Err(malformed(format!(
                "unknown status `{status}` (known: `target.asr.pending`, `done`, `failed`)"
            )))
        })
    }
}

fn malformed(message: String) -> TaskError {
    TaskError::Malformed { message }
}

impl Target for AsrTarget {
    fn describe(&self) -> String {
        format!("the ASR service at {}", self.base)
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        let started = Instant::now();
        let task_id = self.submit(input).await?;
        let mut failures = 0;
        loop {
            tokio::time::sleep(poll_delay(started.elapsed())).await;
            match self.look(&task_id).await {
                Ok(result) => {
                    failures = 0;
                    if let Some(end) = self.end(&task_id, &result) {
                        return end;
                    }
                }
                Err(error @ TaskError::Malformed { .. }) => return Err(error),
                Err(error) => {
                    failures += 1;
                    if failures >= POLL_FAILURES {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn health(&self) -> Result<(), String> {
        wire::health(&self.client, &self.base, &self.health).await
    }
}
