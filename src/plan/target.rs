//! How the service under test is addressed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use smart_default::SmartDefault;

use super::WEEK_S;

/// How a service is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// Submit a recording as a multipart upload, then poll for the result (`[target.asr]`).
    Asr,
    /// Post a recording to `/v1/audio/transcriptions`; the answer is the result (`[target.openai]`).
    Openai,
    /// One synchronous request is one task (`[target.http]`).
    Http,
    /// A program of yours carries out a task (`[target.command]`).
    Command,
    /// A connection streams the audio and hears the final result (`[target.websocket]`).
    Websocket,
}

/// The service under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct TargetPlan {
    /// How the service is addressed.
    #[default(TargetKind::Http)]
    pub kind: TargetKind,
    /// Base URL, without a path. Here, in every path of the service and in its headers, `${NAME}` stands for the
    /// value of an environment variable, which is written to no file.
    #[default = "http://localhost:8000"]
    pub url: String,
    /// The path that answers 2xx while the service is healthy; empty if there is none, and then it is enough
    /// that the service takes connections.
    pub health: String,
    /// A JSON pointer into the answer of `health`, such as `/redis_connected`: the value there must be as
    /// `health_equals` says. Empty to judge by the status alone.
    pub health_pointer: String,
    /// The value at `health_pointer` of a healthy service, or all of its answer where that is empty. Left out, the
    /// value at the pointer must be true.
    #[schemars(example = &"ok")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_equals: Option<serde_json::Value>,
    /// The most time that a task may take from submission to result.
    #[default = 600.0]
    #[schemars(range(max = WEEK_S), extend("exclusiveMinimum" = 0))]
    pub timeout_s: f64,
    /// The most time that a connection may take to open.
    #[default = 10.0]
    #[schemars(range(max = WEEK_S), extend("exclusiveMinimum" = 0))]
    pub connect_timeout_s: f64,
    /// The most time that an upload may take, including its confirmation where the result is asked for later.
    #[default = 300.0]
    #[schemars(range(max = WEEK_S), extend("exclusiveMinimum" = 0))]
    pub upload_timeout_s: f64,
    /// The most time that a task may take from the end of its upload to its result.
    #[default = 600.0]
    #[schemars(range(max = WEEK_S), extend("exclusiveMinimum" = 0))]
    pub processing_timeout_s: f64,
    /// False opens a connection for each task, as real clients do. True lets consecutive tasks share one.
    pub keep_alive: bool,
    /// How often a task is sent again that was refused with 429, 502, 503 or 504, or cut off before the
    /// service had received it. 0 counts every failure.
    #[schemars(range(max = 100))]
    pub retries: u32,
    /// The wait before the first retry; it doubles with each further one.
    #[default = 1.0]
    #[schemars(range(min = 0.0, max = 3600.0))]
    pub retry_wait_s: f64,
    /// The environment variable that holds the secret which the service asks for, such as `OPENAI_API_KEY` (not
    /// one that begins with `HIGHWATER_`); empty for none. The secret is written to no file.
    pub auth_env: String,
    /// The header that carries the secret.
    #[default = "Authorization"]
    pub auth_header: String,
    /// The word before the secret in that header; empty for none.
    #[default = "Bearer"]
    pub auth_scheme: String,
    /// What the answer of a task must hold to be a success, whatever its status.
    pub success: SuccessPlan,
    /// A PEM file with certificates of authorities that are trusted in addition to the system's; empty for none.
    pub ca_file: String,
    /// `kind = "asr"`: submit a multipart upload, then poll.
    pub asr: AsrPlan,
    /// `kind = "openai"`: one upload is one task.
    pub openai: OpenAiPlan,
    /// `kind = "http"`: one synchronous request is one task.
    pub http: HttpPlan,
    /// `kind = "command"`: the run of a program is one task.
    pub command: CommandPlan,
    /// `kind = "websocket"`: a connection that streams audio is one task.
    pub websocket: WebSocketPlan,
}

/// What the answer of a task must hold to be a success: conditions on one value of it, all of which must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct SuccessPlan {
    /// A JSON pointer to that value, such as `/result/text`; empty for the whole answer. The value must be there.
    pub pointer: String,
    /// True if it must not be null, an empty list or object, or a text of nothing but spaces.
    pub not_empty: bool,
    /// The value that it must have.
    #[schemars(example = &"done")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<serde_json::Value>,
    /// A regular expression that must match somewhere in its text; empty for none.
    pub matches: String,
    /// The least that it may be: a number itself, a text by its characters, a list by its entries.
    #[schemars(example = 10.0, range(min = 0.0, max = 1e12))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

impl SuccessPlan {
    /// True if anything is asked of an answer.
    pub fn asks(&self) -> bool {
        self != &SuccessPlan::default()
    }
}

/// The submit-and-poll contract of a speech-recognition service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct AsrPlan {
    /// The path that takes the upload.
    pub submit: String,
    /// The path of the result, with `{task_id}` where the task's id goes.
    pub result: String,
    /// The name of the multipart field that carries the recording.
    #[default = "audio"]
    pub field: String,
    /// The name of the answer's field that holds the task's id.
    #[default = "task_id"]
    pub id_field: String,
    /// The name of the result's field that holds the status.
    #[default = "status"]
    pub status_field: String,
    /// The name of the result's field that holds the recording's length in seconds.
    #[default = "duration"]
    pub duration_field: String,
    /// The name of the result's field that holds the message of a failed task.
    #[default = "error"]
    pub error_field: String,
    /// Status words that mean "not finished".
    #[default(vec!["queued".to_string(), "processing".to_string()])]
    pub pending: Vec<String>,
    /// Those of them that mean "not started": they show how long tasks wait in the queue.
    #[default(vec!["queued".to_string()])]
    pub queued: Vec<String>,
    /// Status words that mean "finished well".
    #[default(vec!["done".to_string()])]
    pub done: Vec<String>,
    /// Status words that mean "failed".
    #[default(vec!["failed".to_string()])]
    pub failed: Vec<String>,
    /// The name of the result's field that holds the seconds a task waited in the queue; empty if there is none,
    /// and then the wait is taken from the status.
    pub queue_field: String,
    /// What is added to the result's path to make the service hold its answer back until the status changes, such as
    /// `wait=30`; empty for a service that answers at once.
    pub wait_query: String,
    /// True for a service whose result is a stream of statuses: server-sent events, or one line of JSON each.
    pub stream: bool,
    /// The most requests for results per second, over all tasks, evenly spread. A lower rate spares the service; with
    /// more than some 15 tasks at once, it makes measured times coarser.
    #[default = 200.0]
    #[schemars(range(min = 0.1, max = 100_000.0))]
    pub max_polls_per_s: f64,
}

/// The interface of OpenAI's transcriptions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct OpenAiPlan {
    /// The path that takes the recording.
    #[default = "/v1/audio/transcriptions"]
    pub path: String,
    /// The model that is asked for.
    #[default = "whisper-1"]
    pub model: String,
    /// `verbose_json`, which tells the recording's length, or `json`, for servers that lack it.
    #[default = "verbose_json"]
    pub response_format: String,
    /// True asks for the text as it comes (`stream=true`): server-sent events, as OpenAI, vLLM and others send them. The
    /// time to the first text is measured, and an answer that breaks off is a failure.
    pub stream: bool,
    /// The language of the recording; empty lets the service find out.
    pub language: String,
    /// Further fields of the form, by name.
    #[schemars(example = BTreeMap::from([("temperature", "0")]))]
    #[serde(deserialize_with = "present")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub fields: BTreeMap<String, String>,
}

/// One synchronous request that is one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct HttpPlan {
    /// The request's method.
    #[default = "POST"]
    pub method: String,
    /// The request's path.
    #[default = "/"]
    pub path: String,
    /// Headers of every request, by name. A secret is best taken from the environment: `Bearer ${API_TOKEN}`.
    #[schemars(example = BTreeMap::from([("Authorization", "Bearer ${API_TOKEN}")]))]
    #[serde(deserialize_with = "present")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body. `{{n}}` (a number), `{{uuid}}` and `{{random 2000}}` (so many letters and digits) in body, path and
    /// headers make requests that were never sent before. Leave out every body for a request without one.
    #[schemars(example = serde_json::json!({"text": "hello"}))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// A text body, with the same placeholders.
    #[schemars(example = &"item {{n}}")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// A folder with a body in each file, or a file with a body in each line. The first is sent again and again, the
    /// others are new inputs.
    #[schemars(example = &"requests.jsonl")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bodies: Option<std::path::PathBuf>,
    /// The name of the multipart field that carries the recording; empty for none.
    pub multipart_field: String,
    /// Status codes that count as success.
    #[default(vec![200])]
    #[schemars(inner(range(min = 100, max = 599)))]
    pub success_status: Vec<u16>,
    /// A JSON pointer to what the answer must have, such as `/result/text`; empty for none.
    pub success_pointer: String,
    /// True for an answer that is a stream of messages: server-sent events, or a line of JSON each. The time to the first
    /// text is measured.
    pub stream: bool,
    /// A JSON pointer to the piece of text in a message of a stream, such as `/choices/0/delta/content`. What is asked of
    /// the answer is then asked of `{"text": …}`, the pieces put together. Empty where each message counts, and the last
    /// one is the answer.
    pub text_pointer: String,
    /// The message that ends a stream, such as `[DONE]`; one without it is a failure. Empty where the answer just ends.
    pub end_message: String,
    /// A JSON pointer: a message of a stream that has something there says why the task failed.
    #[default = "/error"]
    pub error_pointer: String,
}

/// A program whose run is one task: it speaks to the service in highwater's place.
///
/// It ends with success when the task is done. Its own processes never count to the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct CommandPlan {
    /// The program and its arguments, without a shell. `{input}` becomes the path of a file with the input, `{n}` the
    /// number of the task, which no other task of the run has, and `{url}` the URL of `target.url`.
    #[schemars(example = &["python3", "enqueue.py", "{input}", "--id", "{n}"])]
    pub argv: Vec<String>,
    /// A folder with an input in each file, or a file with an input in each line. The first is used again and again,
    /// the others are new inputs. Where there is none, and the program takes `{input}`, the input is a recording.
    #[schemars(example = &"requests.jsonl")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<std::path::PathBuf>,
    /// True gives the program the input on its standard input as well.
    pub stdin: bool,
    /// The exit statuses that count as success.
    #[default(vec![0])]
    #[schemars(inner(range(max = 255)))]
    pub success_exit: Vec<u16>,
    /// A JSON pointer to what the output must have, such as `/text`; empty for none. The output is one JSON value, or
    /// its last line is.
    pub success_pointer: String,
    /// A regular expression that must be found in the output; empty for none.
    pub success_pattern: String,
    /// A JSON pointer to the length of the audio in seconds, such as `/duration`; empty for none.
    pub duration_pointer: String,
    /// A regular expression that finds the length of the audio in seconds in the output, as its first group; empty
    /// for none.
    #[schemars(example = &r"duration=([0-9.]+)")]
    pub duration_pattern: String,
}

/// Streaming speech recognition: the samples of a recording in binary messages, and JSON messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketPlan {
    /// The path that takes the connection.
    #[default = "/api/v1/asr/stream"]
    pub path: String,
    /// The message that begins a task, with `{sample_rate}` where that goes; empty for none.
    #[default = r#"{"type": "start", "sample_rate": {sample_rate}}"#]
    pub start: String,
    /// The length of the audio in one message.
    #[default = 0.1]
    #[schemars(range(min = 0.001, max = 3600.0))]
    pub chunk_s: f64,
    /// True sends audio as fast as it is spoken, as a microphone does; false as fast as the service takes it.
    pub realtime: bool,
    /// The message that ends the audio; empty for none.
    #[default = r#"{"type": "end"}"#]
    pub end: String,
    /// A JSON pointer: a message that has something else than `false` and `null` there is the final result.
    #[default = "/final"]
    pub final_pointer: String,
    /// What must stand there, where every message has something; empty for anything.
    #[schemars(example = &"final")]
    pub final_value: String,
    /// A JSON pointer to what the final result must have, such as `/text`; empty for none.
    pub text_pointer: String,
    /// A JSON pointer to the length of the audio in seconds; empty for that of the recording.
    #[default = "/duration"]
    pub duration_pointer: String,
    /// A JSON pointer: a message that has something there says why the task failed.
    #[default = "/error"]
    pub error_pointer: String,
}

/// The entries that are there: a layer of the configuration can take one of a layer below away.
fn present<'de, D: Deserializer<'de>>(source: D) -> Result<BTreeMap<String, String>, D::Error> {
    let entries = BTreeMap::<String, Option<String>>::deserialize(source)?;
    Ok(entries.into_iter().filter_map(|(name, text)| Some((name, text?))).collect())
}
