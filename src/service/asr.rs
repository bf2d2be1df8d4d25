//! Submits a multipart file, then polls for the result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderValue};
use serde_json::Value;

use super::client::{self, Client, Lane, Outgoing, Part};
use super::health::Health;
use super::looks::Looks;
use super::multipart;
use super::poll::poll_delay;
use super::queue::QueueWatch;
use super::stream::Messages;
use super::success::Success;
use super::{Completion, Input, Target, TaskError, Unwell, base, json};
use crate::plan::{AsrPlan, TargetPlan};

/// The number of failed polls in a row that are tolerated: a failed poll is not a failed task.
const POLL_FAILURES: u32 = 3;

/// A speech-recognition service with a submit endpoint and a result endpoint.
///
/// Clones share one poll rate for all their tasks.
#[derive(Debug, Clone)]
pub struct AsrTarget {
    client: Client,
    looks: Arc<Looks>,
    base: String,
    health: Health,
    success: Option<Success>,
    /// The headers of a request for a stream of statuses.
    stream_headers: Option<HeaderMap>,
    plan: AsrPlan,
}

impl AsrTarget {
    /// The service that `plan` describes, with its URL, its paths, fields and words.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] if no HTTP client can be set up, or the secret that the plan
    /// names is not set.
    pub fn of_plan(plan: &TargetPlan) -> crate::Result<AsrTarget> {
        let client = Client::of_plan(plan)?;
        let filled = plan.filled()?.target;
        let stream_headers = plan.asr.stream.then(|| {
            let accept =
                HeaderValue::from_static("text/event-stream, application/x-ndjson, application/json");
            client.headers_with(&HeaderMap::from_iter([(header::ACCEPT, accept)]))
        });
        Ok(AsrTarget {
            client,
            stream_headers,
            looks: Arc::new(Looks::new(plan.asr.max_polls_per_s)),
            base: base(&plan.url),
            health: Health::of_plan(&filled)?,
            success: Success::of_plan(&filled.success)?,
            plan: filled.asr,
        })
    }

    async fn submit(&self, lane: &mut Lane, input: &Input) -> Result<String, TaskError> {
        let form = multipart::form([], &self.plan.field, input);
        let request = Outgoing {
            method: Method::POST,
            path: client::path(&self.plan.submit)?,
            content_type: Some(form.content_type),
            body: form.parts,
            ..Outgoing::default()
        };
        let answer = lane.send(&request, Part::Submit).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        let body = json(&answer, "the submission's answer")?;
        match body.get(&self.plan.id_field) {
            Some(Value::String(id)) => Ok(id.clone()),
            Some(Value::Number(id)) => Ok(id.to_string()),
            _ => Err(TaskError::malformed(format!(
                "the submission's answer has no `{}`: {}",
                self.plan.id_field, body
            ))),
        }
    }

    /// Polls until the result is there.
    async fn result(
        &self,
        lane: &mut Lane,
        task_id: &str,
        submitted: Instant,
    ) -> Result<Completion, TaskError> {
        let started = lane.started();
        let headers = self.stream_headers.as_ref();
        let path = client::path(&self.result_path(task_id))?;
        let request = Outgoing { path, headers, ..Outgoing::default() };
        let mut queue = QueueWatch::default();
        let mut failures = 0;
        let mut due = Instant::now() + poll_delay(started.elapsed());
        loop {
            self.wait_for_turn(lane, due).await;
            let asked = Instant::now();
            let told = if self.plan.stream {
                self.listen(lane, &request, submitted, task_id, &mut queue).await
            } else {
                let looked = self.look(lane, &request, submitted).await;
                looked.map(|result| self.end(task_id, &result, &mut queue, submitted.elapsed()))
            };
            match told {
                Ok(Some(end)) => return end,
                Ok(None) => failures = 0,
                Err(TaskError::TimedOut { limit_s, limit, task_id, .. }) => {
                    return Err(TaskError::TimedOut { limit_s, limit, seen: queue.seen(), task_id });
                }
                Err(error @ TaskError::Malformed { .. }) => return Err(error),
                Err(error) => {
                    failures += 1;
                    if failures >= POLL_FAILURES {
                        return Err(error);
                    }
                }
            }
            // A long poll has already used up the wait. A service that answered at once, even if
            // a long poll was requested, has not.
            let next = poll_delay(asked - started);
            let holds = self.plan.stream || !self.plan.wait_query.is_empty();
            due = if holds { asked + next } else { Instant::now() + next };
        }
    }

    async fn wait_for_turn(&self, lane: &mut Lane, due: Instant) {
        let wait = due.saturating_duration_since(Instant::now());
        lane.rest(wait);
        tokio::time::sleep(wait).await;
        let wait = self.looks.turn();
        if wait > Duration::ZERO {
            lane.rest(wait);
            tokio::time::sleep(wait).await;
        }
    }

    fn result_path(&self, task_id: &str) -> String {
        let path = self.plan.result.replace("{task_id}", &as_path(task_id));
        match (self.plan.wait_query.as_str(), path.contains('?')) {
            ("", _) => path,
            (query, false) => format!("{path}?{query}"),
            (query, true) => format!("{path}&{query}"),
        }
    }

    async fn look(
        &self,
        lane: &mut Lane,
        request: &Outgoing<'_>,
        submitted: Instant,
    ) -> Result<Value, TaskError> {
        let answer = lane.send(request, Part::Look { submitted }).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        json(&answer, "the result")
    }

    /// Reads a stream of statuses until one reports the task's end; `None` if the stream ends before.
    async fn listen(
        &self,
        lane: &mut Lane,
        request: &Outgoing<'_>,
        submitted: Instant,
        task_id: &str,
        queue: &mut QueueWatch,
    ) -> Result<Option<Result<Completion, TaskError>>, TaskError> {
        let mut messages = Messages::default();
        let mut end = None;
        let mut read = |message: &[u8]| {
            let since = submitted.elapsed();
            match json::bounded(message) {
                Ok(status) => self.end(task_id, &status, queue, since),
                Err(error) => {
                    Some(Err(TaskError::malformed(format!("a status in the stream is not JSON: {error}"))))
                }
            }
        };
        let mut hear = |bytes: &[u8]| {
            end = messages.take(bytes).iter().find_map(|message| read(message));
            end.is_some()
        };
        let answer = lane.send_and_hear(request, Part::Look { submitted }, Some(&mut hear)).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        Ok(end.or_else(|| messages.end().and_then(|message| read(&message))))
    }

    /// The end of the task, if this answer reports one; `since` is the time since its submission.
    fn end(
        &self,
        task_id: &str,
        result: &Value,
        queue: &mut QueueWatch,
        since: Duration,
    ) -> Option<Result<Completion, TaskError>> {
        let plan = &self.plan;
        let Some(status) = result.get(&plan.status_field).and_then(Value::as_str) else {
            let message = format!("the result has no `{}`: {}", plan.status_field, result);
            return Some(Err(TaskError::malformed(message)));
        };
        let is = |words: &[String]| words.iter().any(|word| word == status);
        if is(&plan.pending) {
            if is(&plan.queued) {
                queue.waiting(since);
            } else {
                queue.processing(since);
            }
            return None;
        }
        Some(if is(&plan.done) {
            let told =
                (!plan.queue_field.is_empty()).then(|| result.get(&plan.queue_field)?.as_f64()).flatten();
            if let Some(Err(error)) = self.success.as_ref().map(|success| success.check(result)) {
                return Some(Err(error));
            }
            Ok(Completion {
                answer_bytes: Some(result.to_string().len() as u64),
                task_id: Some(task_id.to_string()),
                audio_seconds: result.get(&plan.duration_field).and_then(Value::as_f64),
                queue_seconds: told.or_else(|| queue.seconds()),
                ..Completion::default()
            })
        } else if is(&plan.failed) {
            let message = match result.get(&plan.error_field) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => "no message".to_string(),
                Some(other) => other.to_string(),
            };
            Err(TaskError::Failed { task_id: Some(task_id.to_string()), message })
        } else {
            Err(TaskError::malformed(format!(
                "unknown status `{status}` (known: `target.asr.pending`, `done`, `failed`)"
            )))
        })
    }
}

/// An id as a segment of a path, with the characters escaped that could end the segment.
fn as_path(id: &str) -> String {
    use std::fmt::Write as _;
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a String never fails.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

impl Target for AsrTarget {
    fn describe(&self) -> String {
        format!("the ASR service at {}", self.base)
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        let mut lane = self.client.lane();
        let task_id = match self.submit(&mut lane, input).await {
            Ok(task_id) => task_id,
            Err(error) => return self.client.scrubbed(Err(error)),
        };
        let submitted = Instant::now();
        let ended = self.result(&mut lane, &task_id, submitted).await;
        self.client.scrubbed(ended.map_err(|error| error.of_task(&task_id)))
    }

    async fn health(&self) -> Result<(), Unwell> {
        self.client.health(&self.health).await
    }

    fn keeps_time(&self) -> bool {
        true
    }
}
