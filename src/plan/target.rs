//! How the service that is driven is spoken to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What answers wherever the interface of OpenAI's is, where no other health endpoint is configured.
pub(super) const OPENAI_HEALTH: &str = "/v1/models";

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// Submit a multipart file, then poll for the result.
    Asr,
    /// `POST /v1/audio/transcriptions`: one upload is one task.
    Openai,
    /// One synchronous request is one task.
    Http,
}

/// The service that is driven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetPlan {
    /// How the service is spoken to.
    pub kind: TargetKind,
    /// Base URL, without a path.
    pub url: String,
    /// Path of the health endpoint; empty if the service has none.
    pub health: String,
    /// The most a task may take from submission to result, in seconds.
    pub timeout_s: f64,
    /// The most a connection may take to open, in seconds.
    pub connect_timeout_s: f64,
    /// The most an upload may take, in seconds; for a service that is asked for the result
    /// later, until it has confirmed the submission.
    pub upload_timeout_s: f64,
    /// The most a task may take from the end of its upload to its result, in seconds.
    pub processing_timeout_s: f64,
    /// True lets tasks that follow one another share a connection.
    pub keep_alive: bool,
    /// How often a task that was refused for being too many, or cut off, is sent again.
    pub retries: u32,
    /// The wait before a task is sent again, in seconds; it doubles each time.
    pub retry_wait_s: f64,
    /// Name of the environment variable with the secret that the service asks for; empty for none.
    pub auth_env: String,
    /// The header that carries the secret.
    pub auth_header: String,
    /// The word before the secret in that header; empty for none.
    pub auth_scheme: String,
    /// A PEM file with the certificates of authorities that are trusted beside the system's; empty for none.
    pub ca_file: String,
    /// Details of `kind = "asr"`.
    pub asr: AsrPlan,
    /// Details of `kind = "openai"`.
    pub openai: OpenAiPlan,
    /// Details of `kind = "http"`.
    pub http: HttpPlan,
}

/// The submit-and-poll contract of a speech-recognition service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AsrPlan {
    /// Path that takes the multipart upload.
    pub submit: String,
    /// Path of the result, with `{task_id}` where the task's id goes.
    pub result: String,
    /// Name of the multipart field that carries the audio.
    pub field: String,
    /// Name of the answer's field that holds the task's id.
    pub id_field: String,
    /// Name of the result's field that holds the status.
    pub status_field: String,
    /// Name of the result's field that holds the audio's length in seconds.
    pub duration_field: String,
    /// Name of the result's field that holds the service's error message.
    pub error_field: String,
    /// Status words that mean "not finished yet".
    pub pending: Vec<String>,
    /// Those of them that mean "not begun yet".
    pub queued: Vec<String>,
    /// Status words that mean "finished well".
    pub done: Vec<String>,
    /// Status words that mean "finished badly".
    pub failed: Vec<String>,
    /// Name of the result's field that holds the seconds a task waited in the queue; empty if there is
    /// none, and the wait is seen from the status.
    pub queue_field: String,
    /// What is added to the result's path to make the service hold its answer back until there is
    /// news, such as `wait=30`; empty for a service that answers at once.
    pub wait_query: String,
    /// True for a service whose result is a stream of statuses: server-sent events, or a line of JSON each.
    pub stream: bool,
    /// The most questions for results a second, over all tasks.
    pub max_polls_per_s: f64,
}

/// The interface of OpenAI's transcriptions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenAiPlan {
    /// The path that takes the audio.
    pub path: String,
    /// The model that is asked for.
    pub model: String,
    /// `verbose_json` (which tells the audio's length) or `json`.
    pub response_format: String,
    /// The language of the audio; empty lets the service find out.
    pub language: String,
    /// Further fields of the form.
    pub fields: BTreeMap<String, String>,
}

/// One synchronous request that is one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpPlan {
    /// The request's method.
    pub method: String,
    /// The request's path, appended to the base URL.
    pub path: String,
    /// Request headers.
    pub headers: BTreeMap<String, String>,
    /// A JSON body. Leave both bodies out for a request without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// Name of the multipart field that carries the audio file; empty for none.
    pub multipart_field: String,
    /// Status codes that count as success.
    pub success_status: Vec<u16>,
    /// A JSON pointer that the answer's body must have (`/result/text`); empty for none.
    pub success_pointer: String,
}

impl Default for TargetPlan {
    fn default() -> TargetPlan {
        TargetPlan {
            kind: TargetKind::Asr,
            url: "http://localhost:8000".to_string(),
            health: "/api/v1/health".to_string(),
            timeout_s: 600.0,
            connect_timeout_s: 10.0,
            upload_timeout_s: 300.0,
            processing_timeout_s: 600.0,
            keep_alive: false,
            retries: 0,
            retry_wait_s: 1.0,
            auth_env: String::new(),
            auth_header: "Authorization".to_string(),
            auth_scheme: "Bearer".to_string(),
            ca_file: String::new(),
            asr: AsrPlan::default(),
            openai: OpenAiPlan::default(),
            http: HttpPlan::default(),
        }
    }
}

impl Default for AsrPlan {
    fn default() -> AsrPlan {
        AsrPlan {
            submit: "/api/v1/asr/submit".to_string(),
            result: "/api/v1/asr/result/{task_id}".to_string(),
            field: "audio".to_string(),
            id_field: "task_id".to_string(),
            status_field: "status".to_string(),
            duration_field: "duration".to_string(),
            error_field: "error".to_string(),
            pending: vec!["queued".to_string(), "processing".to_string()],
            queued: vec!["queued".to_string()],
            done: vec!["done".to_string()],
            failed: vec!["failed".to_string()],
            queue_field: String::new(),
            wait_query: String::new(),
            stream: false,
            max_polls_per_s: 200.0,
        }
    }
}

impl Default for OpenAiPlan {
    fn default() -> OpenAiPlan {
        OpenAiPlan {
            path: "/v1/audio/transcriptions".to_string(),
            model: "whisper-1".to_string(),
            response_format: "verbose_json".to_string(),
            language: String::new(),
            fields: BTreeMap::new(),
        }
    }
}

impl Default for HttpPlan {
    fn default() -> HttpPlan {
        HttpPlan {
            method: "POST".to_string(),
            path: "/".to_string(),
            headers: BTreeMap::new(),
            json: None,
            multipart_field: String::new(),
            success_status: vec![200],
            success_pointer: String::new(),
        }
    }
}
