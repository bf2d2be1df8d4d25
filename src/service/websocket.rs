//! Streaming speech recognition over a WebSocket: a connection is one task.

use std::io::Cursor;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hound::WavReader;
use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::client::{Client, Wire};
use super::health::Health;
use super::{Cause, Completion, Input, Stage, Target, TaskError, Unwell, base};
use crate::plan::{TargetPlan, WebSocketPlan};

/// A speech recogniser that takes audio while it is spoken.
#[derive(Debug, Clone)]
pub struct WebSocketTarget {
    client: Client,
    /// Where it is, as the plan has it: without the values of variables.
    endpoint: String,
    health: Health,
    path: String,
    plan: WebSocketPlan,
}

type Socket = WebSocketStream<Box<dyn Wire>>;

impl WebSocketTarget {
    /// The service that `plan` describes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] if the URL is none, or the secret that the plan names is not set.
    pub fn of_plan(plan: &TargetPlan) -> crate::Result<WebSocketTarget> {
        let filled = plan.filled()?.target;
        Ok(WebSocketTarget {
            client: Client::of_plan(plan)?,
            endpoint: format!("{}{}", base(&plan.url), plan.websocket.path),
            health: Health::of_plan(&filled)?,
            path: filled.websocket.path,
            plan: plan.websocket.clone(),
        })
    }

    async fn open(&self) -> Result<Socket, TaskError> {
        let wire = self.client.wire().await?;
        let mut request = Request::builder()
            .uri(self.client.websocket_url(&self.path))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        for (name, value) in self.client.own_headers() {
            request = request.header(name.as_str(), value.as_bytes());
        }
        let request = request.body(()).map_err(|error| TaskError::malformed(error.to_string()))?;
        match client_async(request, wire).await {
            Ok((socket, _)) => Ok(socket),
            Err(WsError::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(&body[..body.len().min(2048)]).into_owned();
                Err(TaskError::Rejected { status: answer.status().as_u16(), body, task_id: None })
            }
            Err(error) => Err(broken(Stage::Connect, &error)),
        }
    }

    async fn recognise(&self, input: &Input) -> Result<Completion, TaskError> {
        let audio = Audio::of(&input.bytes).ok_or_else(|| {
            TaskError::malformed(format!("`{}` is no WAV file, whose samples could be sent", input.name))
        })?;
        let socket = self.open().await?;
        let (mut out, mut back) = socket.split();
        // What the service sends meanwhile is read meanwhile: it may refuse early, and its window must not fill.
        let send = async {
            if !self.plan.start.is_empty() {
                out.send(Message::text(self.plan.start.replace("{sample_rate}", &audio.rate.to_string())))
                    .await?;
            }
            let began = Instant::now();
            let mut sent_s = 0.0;
            for chunk in audio.chunks(self.plan.chunk_s) {
                if self.plan.realtime {
                    let due = Duration::from_secs_f64(sent_s);
                    tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
                }
                sent_s += audio.seconds(chunk.len());
                out.send(Message::binary(chunk)).await?;
            }
            if !self.plan.end.is_empty() {
                out.send(Message::text(self.plan.end.clone())).await?;
            }
            Ok::<Instant, WsError>(Instant::now())
        };
        let hear = async {
            loop {
                let message = match back.next().await {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(frame))) => {
                        let why = frame
                            .map_or_else(String::new, |frame| format!(": {} {}", frame.code, frame.reason));
                        return Err(TaskError::malformed(format!(
                            "the service closed the connection before the final result{why}"
                        )));
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Err(broken(Stage::Processing, &error)),
                    None => {
                        let message = "the connection ended before the final result";
                        return Err(TaskError::transport(Stage::Processing, Cause::Closed, message));
                    }
                };
                if let Some(result) = self.plan_of(&message)? {
                    return Ok((result, Instant::now()));
                }
            }
        };
        tokio::pin!(send);
        tokio::pin!(hear);
        let mut sent_at = None;
        let (result, heard_at) = loop {
            tokio::select! {
                sent = &mut send, if sent_at.is_none() => match sent {
                    Ok(at) => sent_at = Some(at),
                    // The service says why, if anybody does.
                    Err(error) => match tokio::time::timeout(LAST_WORDS, &mut hear).await {
                        Ok(Err(said)) => return Err(said),
                        _ => return Err(broken(Stage::Upload, &error)),
                    },
                },
                heard = &mut hear => break heard?,
            }
        };
        let Some(sent_at) = sent_at else {
            return Err(TaskError::malformed("the final result came before the end of the audio"));
        };
        let audio_seconds = pointed(&result, &self.plan.duration_pointer)
            .and_then(Value::as_f64)
            .or(Some(audio.seconds(audio.samples.len())));
        let final_seconds = Some(heard_at.saturating_duration_since(sent_at).as_secs_f64());
        Ok(Completion { audio_seconds, final_seconds, ..Completion::default() })
    }

    /// The final result, if `message` is one.
    fn plan_of(&self, message: &str) -> Result<Option<Value>, TaskError> {
        let value: Value = serde_json::from_str(message)
            .map_err(|error| TaskError::malformed(format!("a message is not JSON: {error}")))?;
        final_result(value, &self.plan)
    }
}

/// How long to wait for the reason of a connection that broke while audio was sent.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What stands at `pointer`; nothing at an empty one, and null is nothing.
fn pointed<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() { None } else { value.pointer(pointer).filter(|found| !found.is_null()) }
}

/// `message` where it is the final result. What is false is not final.
fn final_result(message: Value, plan: &WebSocketPlan) -> Result<Option<Value>, TaskError> {
    if let Some(error) = pointed(&message, &plan.error_pointer) {
        let message = error.as_str().map_or_else(|| error.to_string(), str::to_string);
        return Err(TaskError::Failed { task_id: None, message });
    }
    let found = pointed(&message, &plan.final_pointer);
    let is_final = match (found, plan.final_value.as_str()) {
        (None, _) | (Some(Value::Bool(false)), _) => false,
        (Some(_), "") => true,
        (Some(Value::String(text)), wanted) => text == wanted,
        (Some(found), wanted) => {
            // A number or `true` is compared as it is written.
            let written = found.to_string();
            written == wanted
        }
    };
    if !is_final {
        return Ok(None);
    }
    let text = &plan.text_pointer;
    if !text.is_empty() && pointed(&message, text).is_none() {
        return Err(TaskError::malformed(format!("the final result has nothing at `{text}`")));
    }
    Ok(Some(message))
}

fn broken(stage: Stage, error: &WsError) -> TaskError {
    match error {
        WsError::Io(error) => TaskError::io(stage, error),
        WsError::ConnectionClosed | WsError::AlreadyClosed | WsError::Protocol(_) => {
            TaskError::transport(stage, Cause::Closed, error.to_string())
        }
        error => TaskError::transport(stage, Cause::Other, error.to_string()),
    }
}

/// The samples of a recording.
struct Audio {
    samples: Bytes,
    rate: u32,
    /// Bytes of a moment: a sample of each channel.
    frame: usize,
}

impl Audio {
    fn of(wav: &Bytes) -> Option<Audio> {
        let reader = WavReader::new(Cursor::new(wav.as_ref())).ok()?;
        let spec = reader.spec();
        let frame = usize::from(spec.channels) * usize::from(spec.bits_per_sample / 8);
        let length = usize::try_from(reader.duration()).ok()? * frame;
        let start = usize::try_from(reader.into_inner().position()).ok()?;
        let end = start.checked_add(length).filter(|end| length > 0 && *end <= wav.len())?;
        Some(Audio { samples: wav.slice(start..end), rate: spec.sample_rate, frame })
    }

    fn seconds(&self, bytes: usize) -> f64 {
        (bytes / self.frame.max(1)) as f64 / f64::from(self.rate.max(1))
    }

    /// Pieces of `seconds` each, whole moments.
    fn chunks(&self, seconds: f64) -> impl Iterator<Item = Bytes> + use<'_> {
        let frames = (seconds * f64::from(self.rate)).round().max(1.0) as usize;
        let size = frames * self.frame.max(1);
        (0..self.samples.len())
            .step_by(size)
            .map(move |from| self.samples.slice(from..self.samples.len().min(from + size)))
    }
}

impl Target for WebSocketTarget {
    fn describe(&self) -> String {
        format!("the streaming recogniser at {}", self.endpoint)
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        self.client.scrubbed(self.recognise(input).await)
    }

    async fn health(&self) -> Result<(), Unwell> {
        self.client.health(&self.health).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn audio_is_cut_into_whole_moments() {
        let wav = Bytes::from(crate::audio::make(2));
        let audio = Audio::of(&wav).unwrap();
        assert_eq!((audio.rate, audio.frame, audio.seconds(audio.samples.len())), (16_000, 2, 2.0));
        let chunks: Vec<Bytes> = audio.chunks(0.3).collect();
        assert_eq!(chunks.len(), 7);
        assert!(chunks[..6].iter().all(|chunk| chunk.len() == 9600));
        assert_eq!(chunks.concat(), audio.samples);
        assert!(Audio::of(&Bytes::from_static(b"no sound")).is_none());
    }

    #[test]
    fn a_message_is_final_by_its_pointer() {
        let plan = WebSocketPlan { text_pointer: "/text".into(), ..WebSocketPlan::default() };
        let read = |message: Value| final_result(message, &plan);
        assert_eq!(read(json!({"partial": "the ti"})), Ok(None));
        assert_eq!(read(json!({"final": false, "text": "the"})), Ok(None));
        assert!(read(json!({"final": true, "text": "the tide"})).unwrap().is_some());
        let empty = read(json!({"final": true})).unwrap_err().to_string();
        assert_eq!(empty, "malformed answer: the final result has nothing at `/text`");
        let failed = read(json!({"error": "no capacity"})).unwrap_err().to_string();
        assert_eq!(failed, "failed by the service: no capacity");
        let typed = WebSocketPlan {
            final_pointer: "/type".into(),
            final_value: "final".into(),
            ..WebSocketPlan::default()
        };
        assert_eq!(final_result(json!({"type": "partial"}), &typed), Ok(None));
        assert!(final_result(json!({"type": "final"}), &typed).unwrap().is_some());
    }
}
