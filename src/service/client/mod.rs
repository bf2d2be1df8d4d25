//! The HTTP client: hyper over one connection per task, keeping the causes of failures.
//!
//! A general client would work, but highwater depends on two things that one would hide: the cost
//! of the load on the machine that generates it, and the exact cause of a failure. See `benches/driver.rs`.

mod body;
mod connect;
mod connection;
mod failure;
mod limits;
mod origin;
#[cfg(not(feature = "https"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "https")]
mod tls;
mod watched;
mod wire;

#[cfg(feature = "websocket")]
pub(super) use wire::Wire;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri};

pub(super) use self::connection::Answer;
pub(super) use self::limits::Part;

use self::body::Slices;
use self::connect::Connector;
use self::connection::{Connection, Hear};
use self::limits::{Limits, RequestLimits};
use self::origin::Origin;
use super::auth::Auth;
use super::health::Health;
use super::{Cause, Completion, TaskError, Unwell};
use crate::error::Result;
use crate::plan::{Filled, TargetPlan};

/// The part of a refusal's body that is kept, in bytes.
const BODY_LIMIT: usize = 2048;

/// The part of a successful answer that is kept, in bytes: more text than any recording contains.
const ANSWER_LIMIT: usize = 4 << 20;

/// The age at which idle connections are closed, well before servers close them (uvicorn: after
/// 5 s). Reusing a connection just as the server closes it would look like a failed task.
const IDLE: Duration = Duration::from_secs(2);

/// The time limit of the health endpoint.
const HEALTH_LIMIT_S: f64 = 10.0;

/// A client for one service. Clones share everything.
#[derive(Clone)]
pub(super) struct Client(Arc<Inner>);

struct Inner {
    connector: Connector,
    limits: Limits,
    /// The headers of every request, including the secret.
    headers: HeaderMap,
    auth: Auth,
    keep_alive: bool,
    /// Idle connections, if they are kept alive; the most recently used is last.
    idle: Mutex<VecDeque<Connection>>,
}

/// A request to be sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    /// The path on the service, with its query; see [`path`].
    pub(super) path: Uri,
    pub(super) content_type: Option<String>,
    /// The headers from [`Client::headers_with`]; `None` to send the client's own only.
    pub(super) headers: Option<&'a HeaderMap>,
    /// The body, sent one part after the other.
    pub(super) body: [Bytes; 3],
}

impl Client {
    /// # Errors
    /// [`crate::ErrorKind::Config`] if the URL is invalid, the secret is not set, or the
    /// system's certificates cannot be used.
    pub(super) fn of_plan(plan: &TargetPlan) -> Result<Client> {
        crate::descriptors::allow_many();
        let Filled { target: plan, secrets } = &plan.filled()?;
        let origin = Origin::of_url(&plan.url)?;
        let auth = Auth::of_plan(plan)?.hiding(secrets);
        let mut headers = HeaderMap::new();
        if let Ok(host) = HeaderValue::from_str(&origin.authority) {
            headers.insert(header::HOST, host);
        }
        let agent = HeaderValue::from_static(concat!("highwater/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        if let Some((name, value)) = auth.header() {
            headers.insert(name, value);
        }
        Ok(Client(Arc::new(Inner {
            connector: Connector::new(origin, &plan.ca_file)?,
            limits: Limits::of_plan(plan),
            headers,
            auth,
            keep_alive: plan.keep_alive,
            idle: Mutex::default(),
        })))
    }

    /// The client's headers combined with `further` ones, built once for all requests. The secret's header
    /// overrides a further one of the same name.
    pub(super) fn headers_with(&self, further: &HeaderMap) -> HeaderMap {
        let mut headers = self.0.headers.clone();
        for (name, value) in further {
            headers.insert(name.clone(), value.clone());
        }
        if let Some((name, value)) = self.0.auth.header() {
            headers.insert(name, value);
        }
        headers
    }

    /// The lane of a task that begins now.
    pub(super) fn lane(&self) -> Lane {
        Lane { client: self.clone(), started: Instant::now(), connection: None }
    }

    /// The error for the refusal `answer`.
    pub(super) fn rejected(&self, answer: &Answer) -> TaskError {
        // Shortened only after scrubbing, since the cut could leave the beginning of a secret.
        let body =
            beginning(self.0.auth.scrub(String::from_utf8_lossy(&answer.body).into_owned()).as_bytes());
        TaskError::Rejected { status: answer.status, body, task_id: None }
    }

    /// The end of a task, with the secret removed from the service's messages.
    pub(super) fn scrubbed(&self, ended: Result<Completion, TaskError>) -> Result<Completion, TaskError> {
        let scrub = |text: String| self.0.auth.scrub(text);
        match ended {
            Ok(done) => Ok(Completion { task_id: done.task_id.map(scrub), ..done }),
            Err(error) => Err(error.map_text(scrub)),
        }
    }

    /// A new connection, for a protocol of its own.
    #[cfg(feature = "websocket")]
    pub(super) async fn wire(&self) -> Result<Box<dyn Wire>, TaskError> {
        let deadline = self.0.limits.connect(Instant::now());
        let opened = tokio::time::timeout_at(deadline.at.into(), self.0.connector.open()).await;
        opened.unwrap_or_else(|_| Err(deadline.error()))
    }

    /// The address of `path` for a WebSocket.
    #[cfg(feature = "websocket")]
    pub(super) fn websocket_url(&self, path: &str) -> String {
        let origin = &self.0.connector.origin;
        format!("{}://{}{path}", if origin.secure { "wss" } else { "ws" }, origin.authority)
    }

    /// The headers of every request, including the secret.
    #[cfg(feature = "websocket")]
    pub(super) fn own_headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Opens a connection and closes it again; the error says what is wrong.
    pub(super) async fn connects(&self) -> std::result::Result<(), Unwell> {
        let limit = Duration::from_secs_f64(HEALTH_LIMIT_S);
        match tokio::time::timeout(limit, self.0.connector.open()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(TaskError::Transport { message, .. })) => Err(message.into()),
            Ok(Err(error)) => Err(error.to_string().into()),
            Err(_) => Err(format!("no connection within {HEALTH_LIMIT_S} s").into()),
        }
    }

    /// Asks the health endpoint; the error says what is wrong, without the secrets in the path.
    pub(super) async fn health(&self, health: &Health) -> std::result::Result<(), Unwell> {
        let asked = self.ask_health(health).await;
        asked.map_err(|unwell| Unwell { problem: self.0.auth.scrub(unwell.problem), ..unwell })
    }

    async fn ask_health(&self, health: &Health) -> std::result::Result<(), Unwell> {
        let path = health.path.as_str();
        if path.is_empty() {
            return Ok(());
        }
        let mut lane = self.lane();
        let request = Outgoing {
            path: self::path(path).map_err(|error| format!("GET {path}: {error}"))?,
            ..Outgoing::default()
        };
        let asked = lane.send(&request, Part::Whole);
        match tokio::time::timeout(Duration::from_secs_f64(HEALTH_LIMIT_S), asked).await {
            Ok(Ok(answer)) => health.check(answer.status, &answer.body, |text| self.0.auth.scrub(text)),
            Ok(Err(TaskError::Transport { message, .. })) => Err(format!("GET {path}: {message}").into()),
            Ok(Err(error)) => Err(format!("GET {path}: {error}").into()),
            Err(_) => Err(format!("GET {path}: no answer within {HEALTH_LIMIT_S} s").into()),
        }
    }

    fn idle(&self) -> Option<Connection> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while idle.front().is_some_and(|connection| connection.last_used.elapsed() >= IDLE) {
            idle.pop_front();
        }
        idle.pop_back()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("origin", &self.0.connector.origin)
            .field("limits", &self.0.limits)
            .field("auth", &self.0.auth)
            .finish_non_exhaustive()
    }
}

/// One task's lane to the service: a connection of its own for as long as the task lasts.
pub(super) struct Lane {
    client: Client,
    started: Instant,
    connection: Option<Connection>,
}

impl Lane {
    /// When the task began.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Announces a pause of `wait`: closes the connection now if it would be too old afterwards.
    pub(super) fn rest(&mut self, wait: Duration) {
        if wait >= IDLE {
            self.connection = None;
        }
    }

    /// Sends `outgoing` and reads the answer to its end.
    ///
    /// # Errors
    /// [`TaskError::Transport`], [`TaskError::TimedOut`], or [`TaskError::Malformed`] if the answer is not HTTP.
    pub(super) async fn send(&mut self, outgoing: &Outgoing<'_>, part: Part) -> Result<Answer, TaskError> {
        self.send_and_hear(outgoing, part, None).await
    }

    /// As [`Lane::send`]; passes the body of a successful answer to `hear` piece by piece, until that returns true.
    ///
    /// # Errors
    /// As [`Lane::send`].
    pub(super) async fn send_and_hear(
        &mut self,
        outgoing: &Outgoing<'_>,
        part: Part,
        mut hear: Option<Hear<'_>>,
    ) -> Result<Answer, TaskError> {
        let again = outgoing.method == Method::GET;
        if let Some(mut used) = self.reusable().await {
            let heard = hear.as_mut().map(|hear| &mut **hear as Hear<'_>);
            let result = self.exchange(&mut used, outgoing, part, heard).await;
            let lost =
                matches!(&result, Err(TaskError::Transport { cause: Cause::Closed | Cause::Reset, .. }));
            // The service may close an idle connection just as it is reused. The request is sent
            // again if the service cannot have seen it, or if it changes nothing.
            if !(lost && (again || used.sent() == 0)) {
                self.keep(used);
                return result;
            }
        }
        let mut fresh = self.open().await?;
        let result = self.exchange(&mut fresh, outgoing, part, hear).await;
        self.keep(fresh);
        result
    }

    async fn reusable(&mut self) -> Option<Connection> {
        let own = self.connection.take().filter(|own| own.last_used.elapsed() < IDLE);
        let mut connection = match own {
            Some(own) => own,
            None => self.client.idle()?,
        };
        connection.ready().await.then_some(connection)
    }

    async fn open(&mut self) -> Result<Connection, TaskError> {
        let inner = &self.client.0;
        let deadline = inner.limits.connect(self.started);
        let opening = async {
            let wire = inner.connector.open().await?;
            let mut connection = Connection::new(wire).await?;
            connection.ready().await;
            Ok(connection)
        };
        match tokio::time::timeout_at(deadline.at.into(), opening).await {
            Ok(opened) => opened,
            Err(_) => Err(deadline.error()),
        }
    }

    async fn exchange(
        &mut self,
        connection: &mut Connection,
        outgoing: &Outgoing<'_>,
        part: Part,
        hear: Option<Hear<'_>>,
    ) -> Result<Answer, TaskError> {
        let watch = connection.watch();
        watch.begin();
        let mut request = Request::new(Slices::new(outgoing.body.clone(), watch));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = outgoing.path.clone();
        let headers = request.headers_mut();
        headers.clone_from(outgoing.headers.unwrap_or(&self.client.0.headers));
        if let Some(kind) = &outgoing.content_type
            && let Ok(kind) = HeaderValue::try_from(kind)
        {
            // The content type of a form contains its boundary; otherwise the plan may set another one.
            let form = kind.as_bytes().starts_with(b"multipart/");
            if form || !headers.contains_key(header::CONTENT_TYPE) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
        }
        let window = RequestLimits::new(self.client.0.limits, self.started, part);
        connection.exchange(request, &window, ANSWER_LIMIT, hear).await
    }

    fn keep(&mut self, connection: Connection) {
        self.connection = connection.reusable().then_some(connection);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if !self.client.0.keep_alive {
            return;
        }
        if let Some(connection) = self.connection.take() {
            self.client.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push_back(connection);
        }
    }
}

/// A path on the service, with its query, for a request.
///
/// # Errors
/// [`TaskError::Malformed`] if it is not valid in a request.
pub(super) fn path(path: &str) -> Result<Uri, TaskError> {
    path.parse().map_err(|error| TaskError::malformed(format!("`{path}` cannot be asked for: {error}")))
}

/// The first 2 KB of a body as text, cut at the end of a character.
fn beginning(body: &[u8]) -> String {
    let cut = &body[..body.len().min(BODY_LIMIT)];
    let whole = match std::str::from_utf8(cut) {
        Ok(_) => cut,
        // Drops only a character that the cut itself has broken.
        Err(error) if error.error_len().is_none() && body.len() > BODY_LIMIT => &cut[..error.valid_up_to()],
        Err(_) => cut,
    };
    String::from_utf8_lossy(whole).trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_refusal_is_cut_at_the_end_of_a_character() {
        assert_eq!(beginning(b" queue full\n"), "queue full");
        let long = format!("x{}", "é".repeat(2000));
        let kept = beginning(long.as_bytes());
        assert_eq!(kept.len(), 2047);
        assert!(kept.ends_with('é') && long.starts_with(&kept), "{kept}");
        assert_eq!(beginning(b"a\xff\xffb"), "a\u{fffd}\u{fffd}b");
    }
}
