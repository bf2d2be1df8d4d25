//! A service whose tasks are single synchronous requests.

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};

use super::client::{Client, Outgoing, Part};
use super::{Completion, Input, Target, TaskError, Unwell, base, json, multipart};
use crate::error::{Error, ErrorKind};
use crate::plan::{HttpPlan, TargetPlan};

/// A service whose answer to a request is the task's result.
#[derive(Clone)]
pub struct HttpTarget {
    client: Client,
    base: String,
    health: String,
    method: Method,
    headers: HeaderMap,
    path: Uri,
    /// The JSON body, built once.
    json: Option<Bytes>,
    plan: HttpPlan,
}

impl HttpTarget {
    /// The service that `plan` describes, with its URL and its request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the method, the path or a header is invalid, if no HTTP client can be set up, or
    /// if the secret that the plan names is not set.
    pub fn of_plan(plan: &TargetPlan) -> Result<HttpTarget, Error> {
        let client = Client::of_plan(plan)?;
        let filled = plan.filled()?.target;
        let config = |what: String| Error::new(ErrorKind::Config, what);
        let method = Method::from_bytes(plan.http.method.as_bytes()).map_err(|error| {
            config(format!("`target.http.method` is no HTTP method: `{}`", plan.http.method)).source(error)
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &filled.http.headers {
            let wrong =
                || config(format!("`target.http.headers` has an entry that is no HTTP header: `{name}`"));
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong().source(error))?,
                HeaderValue::from_str(value).map_err(|error| wrong().source(error))?,
            );
        }
        Ok(HttpTarget {
            headers: client.headers_with(&headers),
            path: filled.http.path.parse().map_err(|error: hyper::http::uri::InvalidUri| {
                config(format!("`target.http.path` is no path: `{}`", plan.http.path)).source(error)
            })?,
            client,
            base: base(&plan.url),
            health: filled.health,
            method,
            json: plan.http.json.as_ref().map(|json| Bytes::from(json.to_string())),
            plan: plan.http.clone(),
        })
    }

    fn request(&self, input: &Input) -> Outgoing<'_> {
        let mut request = Outgoing {
            method: self.method.clone(),
            path: self.path.clone(),
            headers: Some(&self.headers),
            ..Outgoing::default()
        };
        if !self.plan.multipart_field.is_empty() {
            let form = multipart::form([], &self.plan.multipart_field, input);
            request.content_type = Some(form.content_type);
            request.body = form.parts;
        } else if let Some(json) = &self.json {
            request.content_type = Some("application/json".to_string());
            request.body[0] = json.clone();
        }
        request
    }
}

// Written by hand, since the values of headers may be secrets.
impl std::fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTarget")
            .field("client", &self.client)
            .field("method", &self.method)
            .field("path", &self.plan.path)
            .finish_non_exhaustive()
    }
}

impl Target for HttpTarget {
    fn describe(&self) -> String {
        format!("{} {}{}", self.method, self.base, self.plan.path)
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        self.client.scrubbed(self.exchange(input).await)
    }

    async fn health(&self) -> Result<(), Unwell> {
        self.client.health(&self.health).await
    }

    fn keeps_time(&self) -> bool {
        true
    }
}

impl HttpTarget {
    async fn exchange(&self, input: &Input) -> Result<Completion, TaskError> {
        // Reads the answer to its end in any case: only then is the task done.
        let answer = self.client.lane().send(&self.request(input), Part::Whole).await?;
        if !self.plan.success_status.contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        if !self.plan.success_pointer.is_empty() {
            let pointer = &self.plan.success_pointer;
            if json(&answer, "the answer")?.pointer(pointer).is_none() {
                return Err(TaskError::malformed(format!("the answer has nothing at `{pointer}`")));
            }
        }
        Ok(Completion::default())
    }
}
