//! A service whose tasks are single synchronous requests.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::client::{Client, Outgoing, Part};
use super::health::Health;
use super::streamed::{Piece, Script, Streamed, told};
use super::success::Success;
use super::template::{Template, Variation};
use super::{Completion, Input, Target, TaskError, Unwell, base, client, json, multipart};
use crate::error::{Error, ErrorKind};
use crate::plan::{HttpPlan, TargetPlan, shown_url};

/// A service whose answer to a request is the task's result.
#[derive(Clone)]
pub struct HttpTarget {
    client: Client,
    base: String,
    health: Health,
    success: Option<Success>,
    method: Method,
    headers: HeaderMap,
    /// Headers whose values differ from task to task.
    varying_headers: Vec<(HeaderName, Template)>,
    path: Template,
    /// What is sent where the input has no bytes of its own.
    body: Option<Template>,
    /// The type of the body, unless the headers name one.
    content_type: Option<&'static str>,
    /// This run's own number; see [`Variation::seed`].
    seed: u64,
    plan: HttpPlan,
}

impl HttpTarget {
    /// The service that `plan` describes, with its URL and its request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the method, the path or a header is invalid, a placeholder is unknown, no HTTP client
    /// can be set up, or the secret that the plan names is not set.
    pub fn of_plan(plan: &TargetPlan) -> Result<HttpTarget, Error> {
        let client = Client::of_plan(plan)?;
        // Variables of the environment have their values in it.
        let filled = plan.filled()?.target;
        let http = &filled.http;
        let method = Method::from_bytes(http.method.as_bytes()).map_err(|error| {
            config(format!("`target.http.method` is no HTTP method: `{}`", http.method)).source(error)
        })?;
        let (mut headers, mut varying_headers) = (HeaderMap::new(), Vec::new());
        for (name, value) in &http.headers {
            let wrong =
                || config(format!("`target.http.headers` has an entry that is no HTTP header: `{name}`"));
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong().source(error))?;
            let template = template(value, &format!("target.http.headers.{name}"))?;
            // One variation stands for all: placeholders make letters, digits and hyphens.
            let first =
                HeaderValue::from_str(&template.render(TRIAL)).map_err(|error| wrong().source(error))?;
            if template.varies() {
                varying_headers.push((key, template));
            } else {
                headers.insert(key, first);
            }
        }
        let path = template(&http.path, "target.http.path")?;
        // What came of it is not shown: it may hold a secret.
        client::path(&path.render(TRIAL)).map_err(|_| config("`target.http.path` is no path".to_string()))?;
        let (body, kind) = match (&http.json, &http.body) {
            (Some(json), _) => (Some(template(&json.to_string(), "target.http.json")?), "application/json"),
            (None, Some(text)) => (Some(template(text, "target.http.body")?), "text/plain; charset=utf-8"),
            (None, None) => (None, "application/octet-stream"),
        };
        let named = http.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        Ok(HttpTarget {
            headers: client.headers_with(&headers),
            varying_headers,
            path,
            client,
            base: base(&plan.url),
            health: Health::of_plan(&filled)?,
            success: Success::of_plan(&filled.success)?,
            method,
            body,
            content_type: (!named).then_some(kind),
            seed: RandomState::new().build_hasher().finish(),
            plan: plan.http.clone(),
        })
    }

    /// True if requests differ from task to task.
    pub(crate) fn varies(plan: &HttpPlan) -> bool {
        let texts = [Some(plan.path.clone()), plan.json.as_ref().map(ToString::to_string), plan.body.clone()];
        let texts = texts.into_iter().flatten().chain(plan.headers.values().cloned());
        texts.filter_map(|text| Template::parse(&text).ok()).any(|template| template.varies())
    }

    fn request<'a>(&'a self, input: &Input, headers: &'a mut HeaderMap) -> Result<Outgoing<'a>, TaskError> {
        let variation = Variation { seed: self.seed, number: input.variation };
        let headers = if self.varying_headers.is_empty() {
            &self.headers
        } else {
            headers.clone_from(&self.headers);
            for (name, template) in &self.varying_headers {
                let value = HeaderValue::from_str(&template.render(variation));
                headers.insert(name.clone(), value.map_err(|error| TaskError::malformed(error.to_string()))?);
            }
            headers
        };
        let mut request = Outgoing {
            method: self.method.clone(),
            path: client::path(&self.path.render(variation))?,
            headers: Some(headers),
            ..Outgoing::default()
        };
        if !self.plan.multipart_field.is_empty() {
            let form = multipart::form([], &self.plan.multipart_field, input);
            request.content_type = Some(form.content_type);
            request.body = form.parts;
            return Ok(request);
        }
        let body = match &self.body {
            Some(body) => Bytes::from(body.render(variation)),
            None => input.bytes.clone(),
        };
        if !body.is_empty() {
            request.content_type = self.content_type.map(str::to_string);
            request.body[0] = body;
        }
        Ok(request)
    }
}

/// What a placeholder is tried with while the plan is read.
const TRIAL: Variation = Variation { seed: 0, number: 0 };

fn config(what: String) -> Error {
    Error::new(ErrorKind::Config, what)
}

fn template(text: &str, key: &str) -> Result<Template, Error> {
    Template::parse(text).map_err(|problem| config(format!("`{key}`: {problem}")))
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
        format!("{} {}{}", self.method, self.base, shown_url(&self.plan.path))
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
        let mut headers = HeaderMap::new();
        let request = self.request(input, &mut headers)?;
        if self.plan.stream {
            return self.hear(&request).await;
        }
        let answer = self.client.lane().send(&request, Part::Whole).await?;
        if !self.plan.success_status.contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        if !self.plan.success_pointer.is_empty() {
            let pointer = &self.plan.success_pointer;
            if json(&answer, "the answer")?.pointer(pointer).is_none() {
                return Err(TaskError::malformed(format!("the answer has nothing at `{pointer}`")));
            }
        }
        if let Some(success) = &self.success {
            success.check_bytes(&answer.body)?;
        }
        Ok(Completion { answer_bytes: Some(answer.body.len() as u64), ..Completion::default() })
    }

    /// Reads an answer that is a stream of messages.
    async fn hear(&self, request: &Outgoing<'_>) -> Result<Completion, TaskError> {
        let mut lane = self.client.lane();
        let started = lane.started();
        let mut streamed = Streamed::default();
        let mut hear = |bytes: &[u8]| streamed.hear(bytes, started.elapsed().as_secs_f64(), &self.plan);
        let answer = lane.send_and_hear(request, Part::Whole, Some(&mut hear)).await?;
        if !self.plan.success_status.contains(&answer.status) {
            return Err(self.client.rejected(&answer));
        }
        let since_s = started.elapsed().as_secs_f64();
        // That of a status which is an error elsewhere has been kept.
        streamed.hear(&answer.body, since_s, &self.plan);
        let (text, last, completion) = streamed.finish(since_s, &self.plan)?;
        let judged = if self.plan.text_pointer.is_empty() { &last } else { &text };
        let pointer = &self.plan.success_pointer;
        if !pointer.is_empty() && judged.pointer(pointer).is_none() {
            return Err(TaskError::malformed(format!("the answer has nothing at `{pointer}`")));
        }
        if let Some(success) = &self.success {
            success.check(judged)?;
        }
        Ok(completion)
    }
}

impl Script for HttpPlan {
    fn piece(&self, message: &Value) -> Piece {
        match message.pointer(&self.text_pointer) {
            None | Some(Value::Null) => Piece::Nothing,
            Some(Value::String(text)) => Piece::More(text.clone()),
            Some(_) if self.text_pointer.is_empty() => Piece::More("…".to_string()),
            Some(other) => Piece::More(other.to_string()),
        }
    }

    fn end(&self) -> &str {
        &self.end_message
    }

    fn must_end(&self, _: &Value) -> bool {
        !self.end_message.is_empty()
    }

    fn failure(&self, message: &Value) -> Option<String> {
        let pointer = Some(self.error_pointer.as_str()).filter(|pointer| !pointer.is_empty())?;
        message.pointer(pointer).filter(|error| !error.is_null()).map(told)
    }

    fn takes_any(&self) -> bool {
        self.text_pointer.is_empty()
    }
}
