//! `POST /v1/audio/transcriptions`, the interface of most speech servers.

use hyper::Method;
use serde_json::Value;

use super::client::{self, Client, Outgoing, Part};
use super::health::Health;
use super::streamed::{Piece, Script, Streamed, told};
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
        let stream = plan.stream.then_some(("stream", "true"));
        let fields = own
            .map(|(name, value)| (name, value.as_str()))
            .chain(stream)
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
        if self.plan.stream {
            return self.hear(input).await;
        }
        let answer = self.client.lane().send(&self.request(input)?, Part::Whole).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        let transcription = json(&answer, "the transcription")?;
        if !transcription.get("text").is_some_and(Value::is_string) {
            // Some servers report a failure with status 200.
            return Err(match transcription.pointer("/error/message").or(transcription.get("error")) {
                Some(error) => TaskError::Failed { task_id: None, message: told(error) },
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

    /// Reads a transcription as it comes.
    async fn hear(&self, input: &Input) -> Result<Completion, TaskError> {
        let mut lane = self.client.lane();
        let started = lane.started();
        let mut streamed = Streamed::default();
        let mut hear = |bytes: &[u8]| streamed.hear(bytes, started.elapsed().as_secs_f64(), &Transcription);
        let answer = lane.send_and_hear(&self.request(input)?, Part::Whole, Some(&mut hear)).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        let (text, last, completion) = streamed.finish(started.elapsed().as_secs_f64(), &Transcription)?;
        if let Some(success) = &self.success {
            success.check(&text)?;
        }
        Ok(Completion { audio_seconds: last.get("duration").and_then(seconds), ..completion })
    }
}

/// The messages that speech servers send: OpenAI's events, the chunks of vLLM, or a segment each.
struct Transcription;

impl Script for Transcription {
    fn piece(&self, message: &Value) -> Piece {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map(str::to_string);
        if message.get("type").is_some_and(|kind| kind == "transcript.text.done") {
            return text("/text").map_or(Piece::Nothing, Piece::Whole);
        }
        let places = ["/delta", "/choices/0/delta/content", "/text"];
        places.into_iter().find_map(text).map_or(Piece::Nothing, Piece::More)
    }

    fn end(&self) -> &str {
        "[DONE]"
    }

    fn must_end(&self, message: &Value) -> bool {
        let is_event =
            message.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("transcript."));
        // Servers that send a segment a message just end.
        is_event || message.get("choices").is_some()
    }

    fn failure(&self, message: &Value) -> Option<String> {
        message.get("error").filter(|error| !error.is_null()).map(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a stream of these messages.
    fn text(messages: &[&str]) -> Result<String, String> {
        let mut streamed = Streamed::default();
        for message in messages {
            streamed.hear(format!("data: {message}\n\n").as_bytes(), 1.0, &Transcription);
        }
        let (text, ..) = streamed.finish(1.0, &Transcription).map_err(|error| error.to_string())?;
        Ok(text["text"].as_str().unwrap().to_string())
    }

    #[test]
    fn the_streams_of_several_servers_are_read_and_one_that_breaks_off_is_none() {
        let delta = r#"{"type": "transcript.text.delta", "delta": "the"}"#;
        let done = r#"{"type": "transcript.text.done", "text": "the tide"}"#;
        assert_eq!(text(&[delta, done]).unwrap(), "the tide");
        assert!(text(&[delta]).unwrap_err().contains("ended before its last message"));
        let chunk = r#"{"object": "transcription.chunk", "choices": [{"delta": {"content": "the"}}]}"#;
        assert_eq!(text(&[chunk, chunk, "[DONE]"]).unwrap(), "thethe");
        assert!(text(&[chunk]).is_err());
        let segments = [r#"{"text": "the "}"#, r#"{"text": "tide"}"#];
        assert_eq!(text(&segments).unwrap(), "the tide", "a segment each, and no end");
        assert!(text(&[r#"{"error": {"message": "no model"}}"#]).unwrap_err().contains("no model"));
    }

    #[test]
    fn a_duration_may_be_a_number_or_text() {
        assert_eq!(seconds(&Value::from(8.5)), Some(8.5));
        assert_eq!(seconds(&Value::from("8.470000267028809")), Some(8.470000267028809));
        assert_eq!(seconds(&Value::from(0)), None);
        assert_eq!(seconds(&Value::Null), None);
    }
}
