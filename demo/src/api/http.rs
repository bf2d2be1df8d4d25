//! The api's interface to clients: health, submit, result.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Value, json};

use super::guard;
use super::hub::{Accepted, Hub};
use super::ledger::Status;
use crate::options::DemoOptions;
use crate::units::ByteSize;
use crate::wire::Outcome;

/// The largest upload, in bytes.
const UPLOAD_LIMIT: usize = 256 * 1000 * 1000;

#[derive(Clone)]
struct Service {
    hub: Arc<Hub>,
    reject_at: Option<u32>,
    /// What `--api-leak` retains for each task.
    leak: Option<ByteSize>,
    retained: Arc<Mutex<Vec<Box<[u8]>>>>,
}

impl Service {
    /// Retains memory that has been written, so that it is resident.
    fn leak(&self) {
        let Some(size) = self.leak else { return };
        let bytes = vec![0xA5; usize::try_from(size.bytes()).unwrap_or(usize::MAX)].into_boxed_slice();
        self.retained.lock().unwrap_or_else(PoisonError::into_inner).push(std::hint::black_box(bytes));
    }
}

/// The routes of the service.
pub(super) fn router(hub: Arc<Hub>, options: &DemoOptions) -> Router {
    let (reject_at, leak) = (options.reject_at, options.api_leak);
    Router::new()
        .route("/api/v1/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/api/v1/asr/submit", post(submit))
        .route("/api/v1/asr/result/{task_id}", get(result))
        .route("/debug/collect", post(collect))
        .route("/api/v1/asr/stream", get(stream))
        .fallback(async || Refusal(StatusCode::NOT_FOUND, "Not Found".to_string()))
        .layer(DefaultBodyLimit::max(UPLOAD_LIMIT))
        .layer(middleware::from_fn(guarded))
        .with_state(Service { hub, reject_at, leak, retained: Arc::default() })
}

/// A refusal, in FastAPI's form.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "detail": self.1 }))).into_response()
    }
}

fn refused(headers: &HeaderMap) -> Option<&'static str> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    guard::refusal(header(header::HOST), header(header::ORIGIN))
}

/// Answers a request unless a page elsewhere had it sent.
async fn guarded(request: Request, next: Next) -> Response {
    match refused(request.headers()) {
        Some(why) => Refusal(StatusCode::FORBIDDEN, why.to_string()).into_response(),
        None => next.run(request).await,
    }
}

/// Called when the headers have arrived and the body is still to come. From then on
/// the task counts.
async fn submit(State(service): State<Service>, request: Request) -> Result<Json<Value>, Refusal> {
    let Some(arrival) = service.hub.arrive(service.reject_at) else {
        // Most clients would see an answer before the end of the upload as a reset connection.
        drain(request.into_body()).await;
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "too many tasks, try again later".to_string()));
    };
    let audio = audio_field(request).await?;
    service.leak();
    let Accepted { task_id, position, estimated_wait_s } = arrival.submit(audio);
    Ok(Json(json!({
        "task_id": task_id,
        "status": "queued",
        "position": position,
        "estimated_wait": estimated_wait_s,
    })))
}

/// Frees the garbage of all workers.
async fn collect(State(service): State<Service>) -> StatusCode {
    service.hub.collect();
    StatusCode::NO_CONTENT
}

/// A connection that streams its audio; refused as an upload is.
async fn stream(State(service): State<Service>, upgrade: WebSocketUpgrade) -> Result<Response, Refusal> {
    let Some(arrival) = service.hub.arrive(service.reject_at) else {
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "too many tasks, try again later".to_string()));
    };
    Ok(upgrade.on_upgrade(async move |socket| super::stream::serve(socket, arrival, &service.hub).await))
}

/// The bytes of the form's field `audio`.
async fn audio_field(request: Request) -> Result<Bytes, Refusal> {
    let mut form =
        Multipart::from_request(request, &()).await.map_err(|no| Refusal(no.status(), no.body_text()))?;
    let mut audio = None;
    // Reads the form to its end even after the field, so that the client can finish sending.
    while let Some(field) = form.next_field().await.map_err(|no| Refusal(no.status(), no.body_text()))? {
        let wanted = field.name() == Some("audio");
        let bytes = field.bytes().await.map_err(|no| Refusal(no.status(), no.body_text()))?;
        if wanted {
            audio = Some(bytes);
        }
    }
    audio.ok_or_else(|| Refusal(StatusCode::UNPROCESSABLE_ENTITY, "field `audio` is missing".to_string()))
}

/// Reads a body to its end and discards it.
async fn drain(mut body: Body) {
    while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {}
}

async fn result(State(service): State<Service>, Path(task_id): Path<String>) -> Result<Json<Value>, Refusal> {
    let status = service.hub.with(|ledger| ledger.status(&task_id).cloned());
    let (status, duration, error, segments) = match status {
        None => return Err(Refusal(StatusCode::NOT_FOUND, format!("task `{task_id}` not found"))),
        Some(Status::Queued) => ("queued", None, None, None),
        Some(Status::Processing) => ("processing", None, None, None),
        Some(Status::Ended(Outcome::Done { duration, segments })) => {
            ("done", Some(duration), None, Some(segments))
        }
        Some(Status::Ended(Outcome::Failed { duration, error })) => ("failed", duration, Some(error), None),
    };
    Ok(Json(json!({
        "status": status, "duration": duration, "error": error, "segments": segments,
    })))
}
