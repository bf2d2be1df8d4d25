//! What both HTTP targets share: the client, the multipart body, failures with their cause.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, Response};

use super::{Input, TaskError};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::TargetPlan;

/// How much of a refusal's body is kept.
const BODY_LIMIT: usize = 2048;

/// Idle connections are given up well before servers do so (uvicorn: after 5 s):
/// a connection reused in the moment of its closing would look like a failed task.
const IDLE: Duration = Duration::from_secs(2);

/// The health endpoint gets this long.
const HEALTH_LIMIT: Duration = Duration::from_secs(10);

pub(super) fn client(plan: &TargetPlan) -> Result<Client> {
    // The provider is process-wide; whoever came first has set one just as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .connect_timeout(Duration::from_secs_f64(plan.connect_timeout_s))
        .pool_idle_timeout(IDLE)
        // A service under test is local or named: what the environment says of proxies is not meant for it.
        .no_proxy()
        .user_agent(concat!("highwater/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::new(ErrorKind::Config, "cannot set up the HTTP client").source(error))
}

/// The input as a multipart form of one file. The bytes are shared, not copied,
/// and the length is known, so that the request has a Content-Length.
pub(super) fn form(field: &str, input: &Input) -> Form {
    let length = input.bytes.len() as u64;
    let part =
        Part::stream_with_length(Body::from(input.bytes.clone()), length).file_name(input.name.clone());
    let typed = part.mime_str(mime(&input.name)).unwrap_or_else(|_| {
        Part::stream_with_length(Body::from(input.bytes.clone()), length).file_name(input.name.clone())
    });
    Form::new().part(field.to_string(), typed)
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("flac") => "audio/flac",
        Some("ogg" | "opus") => "audio/ogg",
        Some("m4a" | "mp4") => "audio/mp4",
        _ => "application/octet-stream",
    }
}

pub(super) fn transport(stage: &'static str, error: &reqwest::Error) -> TaskError {
    TaskError::Transport { stage, message: cause(error) }
}

/// The innermost cause: "connection refused" says more than "error sending request".
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if error.is_connect() { format!("cannot connect: {innermost}") } else { innermost.to_string() }
}

pub(super) async fn rejected(response: Response) -> TaskError {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body[..body.len().min(BODY_LIMIT)]).trim().to_string();
    TaskError::Rejected { status, body: text }
}

pub(super) async fn health(client: &Client, base: &str, path: &str) -> std::result::Result<(), String> {
    if path.is_empty() {
        return Ok(());
    }
    let answer = client.get(format!("{base}{path}")).timeout(HEALTH_LIMIT).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("GET {path} answered HTTP {}", answer.status().as_u16())),
        Err(error) => Err(format!("GET {path}: {}", cause(&error))),
    }
}

pub(super) fn base(url: &str) -> String {
    url.trim_end_matches('/').to_string()
}
