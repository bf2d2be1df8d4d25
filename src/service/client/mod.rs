//! The HTTP client: hyper over one connection a task, with the causes of failures kept.
//!
//! A general client would do; but what load costs the machine that makes it, and what a
//! failure is called, are what highwater is measured by. See `benches/driver.rs`.

mod body;
mod connect;
mod connection;
mod failure;
mod files;
mod limits;
mod origin;
mod watched;

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
use self::limits::{Limits, Window};
use self::origin::Origin;
use super::auth::Auth;
use super::{Cause, Completion, TaskError, Unwell};
use crate::error::Result;
use crate::plan::TargetPlan;

/// How much of a refusal's body is kept, in bytes.
const BODY_LIMIT: usize = 2048;

/// How much of a good answer is kept, in bytes: more text than any recording has.
const ANSWER_LIMIT: usize = 16 << 20;

/// Idle connections are given up well before servers do so (uvicorn: after 5 s):
/// a connection reused in the moment of its closing would look like a failed task.
const IDLE: Duration = Duration::from_secs(2);

/// The health endpoint gets this long.
const HEALTH_LIMIT_S: f64 = 10.0;

/// A client for one service. Clones share everything.
#[derive(Clone)]
pub(super) struct Client(Arc<Inner>);

struct Inner {
    connector: Connector,
    limits: Limits,
    /// What every request carries, the secret among it.
    headers: HeaderMap,
    auth: Auth,
    keep_alive: bool,
    /// Connections that wait for their next task, if they are kept alive; the last used is last.
    idle: Mutex<VecDeque<Connection>>,
}

/// What is sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    /// The path on the service, with its query; see [`path`].
    pub(super) path: Uri,
    pub(super) content_type: Option<String>,
    /// Of [`Client::headers_with`]; absent where nothing but the client's own are sent.
    pub(super) headers: Option<&'a HeaderMap>,
    /// Sent one after the other.
    pub(super) body: [Bytes; 3],
}

impl Client {
    /// # Errors
    /// [`crate::ErrorKind::Config`] if the URL is none, the secret is not there, or the
    /// system's certificates cannot be used.
    pub(super) fn of_plan(plan: &TargetPlan) -> Result<Client> {
        files::allow_many();
        let origin = Origin::of_url(&plan.url)?;
        let auth = Auth::of_plan(plan)?;
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

    /// The headers of requests that carry `further` ones. They are put together once, since they are the same for
    /// all requests; the secret has the last word.
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

    /// The way of one task that begins now.
    pub(super) fn lane(&self) -> Lane {
        Lane { client: self.clone(), started: Instant::now(), connection: None }
    }

    /// The refusal that `answer` is.
    pub(super) fn rejected(&self, answer: &Answer) -> TaskError {
        // Cut only afterwards: the beginning of a secret is one, too.
        let body =
            beginning(self.0.auth.scrub(String::from_utf8_lossy(&answer.body).into_owned()).as_bytes());
        TaskError::Rejected { status: answer.status, body, task_id: None }
    }

    /// How a task ended, without the secret in whatever the service said of it.
    pub(super) fn scrubbed(&self, ended: Result<Completion, TaskError>) -> Result<Completion, TaskError> {
        let scrub = |text: String| self.0.auth.scrub(text);
        match ended {
            Ok(done) => Ok(Completion { task_id: done.task_id.map(scrub), ..done }),
            Err(error) => Err(error.map_text(scrub)),
        }
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

    /// Asks the health endpoint; the error says what is wrong.
    pub(super) async fn health(&self, path: &str) -> std::result::Result<(), Unwell> {
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
            Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(()),
            Ok(Ok(Answer { status, .. })) => {
                Err(Unwell { problem: format!("GET {path} answered HTTP {status}"), status: Some(status) })
            }
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

/// One task's way to the service: a connection of its own while it lasts.
pub(super) struct Lane {
    client: Client,
    started: Instant,
    connection: Option<Connection>,
}

impl Lane {
    /// Since when the task runs.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Says that nothing will be sent for `wait`: a connection that would be too old then is closed now.
    pub(super) fn rest(&mut self, wait: Duration) {
        if wait >= IDLE {
            self.connection = None;
        }
    }

    /// Sends `outgoing` and reads the answer to its end.
    ///
    /// # Errors
    /// [`TaskError::Transport`], [`TaskError::TimedOut`], or [`TaskError::Malformed`] for what is not HTTP.
    pub(super) async fn send(&mut self, outgoing: &Outgoing<'_>, part: Part) -> Result<Answer, TaskError> {
        self.send_and_hear(outgoing, part, None).await
    }

    /// As [`Lane::send`]; the body of an answer that does not refuse goes to `hear` as it comes, until that says true.
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
            // The service may close an idle connection in the moment in which it is used. That is
            // no failure, as long as the service cannot have seen the request, or it changes nothing.
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
            // A form has its boundary in it; otherwise the plan may name a kind of its own.
            let form = kind.as_bytes().starts_with(b"multipart/");
            if form || !headers.contains_key(header::CONTENT_TYPE) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
        }
        let window = Window::new(self.client.0.limits, self.started, part);
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

/// A path on the service, with its query, ready to be asked for.
///
/// # Errors
/// [`TaskError::Malformed`] if no request can have it.
pub(super) fn path(path: &str) -> Result<Uri, TaskError> {
    path.parse().map_err(|error| TaskError::malformed(format!("`{path}` cannot be asked for: {error}")))
}

/// The first 2 KB of a body as text, cut where a character ends.
fn beginning(body: &[u8]) -> String {
    let cut = &body[..body.len().min(BODY_LIMIT)];
    let whole = match std::str::from_utf8(cut) {
        Ok(_) => cut,
        // Only a character that the cut itself broke is left out.
        Err(error) if error.error_len().is_none() && body.len() > BODY_LIMIT => &cut[..error.valid_up_to()],
        Err(_) => cut,
    };
    String::from_utf8_lossy(whole).trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_refusal_is_cut_where_a_character_ends() {
        assert_eq!(beginning(b" queue full\n"), "queue full");
        let long = format!("x{}", "é".repeat(2000));
        let kept = beginning(long.as_bytes());
        assert_eq!(kept.len(), 2047);
        assert!(kept.ends_with('é') && long.starts_with(&kept), "{kept}");
        assert_eq!(beginning(b"a\xff\xffb"), "a\u{fffd}\u{fffd}b");
    }
}
