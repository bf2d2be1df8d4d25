//! `POST /v1/audio/transcriptions`, the interface of most speech servers.

use hyper::Method;
use serde_json::Value;

use super::client::{self, Client, Outgoing, Part};
use super::health::Health;
use super::success::Success;
use super::{Completion, Input, Target, TaskError, Unwell, base, json, multipart};
use crate::plan::{OpenAiPlan, TargetPlan, shown_url};

/// A speech-recognition service with OpenAI's interface.
#[derive(Debug, Clone)]
pub struct OpenAiTarget {
    client: Client,
    /// Where it is, as the plan has it: without the values of variables.
    endpoint: String,
    health: Health,
    success: Option<Success>,
    plan: OpenAiPlan,
}

impl OpenAiTarget {
    /// The service that `plan` describes, with its URL, model and further fields.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] if no HTTP client can be set up, or the secret that the plan
    /// names is not set.
    pub fn of_plan(plan: &TargetPlan) -> crate::Result<OpenAiTarget> {
        let filled = plan.filled()?.target;
        Ok(OpenAiTarget {
            client: Client::of_plan(plan)?,
            endpoint: format!("{}{}", base(&plan.url), shown_url(&plan.openai.path)),
            health: Health::of_plan(&filled)?,
            success: Success::of_plan(&filled.success)?,
            plan: filled.openai,
        })
    }

    fn request(&self, input: &Input) -> Result<Outgoing<'_>, TaskError> {
        let plan = &self.plan;
        let own = [
            ("model", &plan.model),
            ("response_format", &plan.response_format),
            ("language", &plan.language),
        ];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let fields = own
            .map(|(name, value)| (name, value.as_str()))
            .chain(plan.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let form = multipart::form(fields, "file", input);
        Ok(Outgoing {
            method: Method::POST,
            path: client::path(&plan.path)?,
            content_type: Some(form.content_type),
            body: form.parts,
            ..Outgoing::default()
        })
    }
}

/// A number, which may be given as text: some servers write `"duration": "8.47"`.
fn seconds(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.is_finite() && number > 0.0).then_some(number)
}

impl Target for OpenAiTarget {
    fn describe(&self) -> String {
        format!("the speech service at {}", self.endpoint)
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        self.client.scrubbed(self.transcribe(input).await)
    }

    async fn health(&self) -> Result<(), Unwell> {
        self.client.health(&self.health).await
    }

    fn keeps_time(&self) -> bool {
        true
    }
}

impl OpenAiTarget {
    async fn transcribe(&self, input: &Input) -> Result<Completion, TaskError> {
        let answer = self.client.lane().send(&self.request(input)?, Part::Whole).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        let transcription = json(&answer, "the transcription")?;
        if !transcription.get("text").is_some_and(Value::is_string) {
            // Some servers report a failure with status 200.
            return Err(match transcription.pointer("/error/message").or(transcription.get("error")) {
                Some(error) => {
                    let message = error.as_str().map_or_else(|| error.to_string(), str::to_string);
                    TaskError::Failed { task_id: None, message }
                }
                None => TaskError::malformed("the transcription has no `text`"),
            });
        }
        if let Some(success) = &self.success {
            success.check(&transcription)?;
        }
        let audio_seconds = transcription.get("duration").and_then(seconds);
        Ok(Completion {
            audio_seconds,
            answer_bytes: Some(answer.body.len() as u64),
            ..Completion::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_may_be_a_number_or_text() {
        assert_eq!(seconds(&Value::from(8.5)), Some(8.5));
        assert_eq!(seconds(&Value::from("8.470000267028809")), Some(8.470000267028809));
        assert_eq!(seconds(&Value::from(0)), None);
        assert_eq!(seconds(&Value::Null), None);
    }
}
