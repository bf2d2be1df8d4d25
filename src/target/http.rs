//! One synchronous request is one task.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;

use super::{Completion, Input, Target, TaskError, wire};
use crate::error::{Error, ErrorKind};
use crate::plan::{HttpPlan, TargetPlan};

/// A service whose answer to a request is the task's result.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    client: Client,
    base: String,
    health: String,
    method: Method,
    headers: HeaderMap,
    plan: HttpPlan,
}

impl HttpTarget {
    /// The service that `plan` describes, with its URL and its request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no method or no header, or if no HTTP client can be set up.
    pub fn of_plan(plan: &TargetPlan) -> Result<HttpTarget, Error> {
        let client = wire::client(plan)?;
        let config = |what: String| Error::new(ErrorKind::Config, what);
        let method = Method::from_bytes(plan.http.method.as_bytes()).map_err(|error| {
            config(format!("`target.http.method` is no HTTP method: `{}`", plan.http.method)).source(error)
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &plan.http.headers {
            let wrong =
                || config(format!("`target.http.headers` has an entry that is no HTTP header: `{name}`"));
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong().source(error))?,
                HeaderValue::from_str(value).map_err(|error| wrong().source(error))?,
            );
        }
        Ok(HttpTarget {
            client,
            base: wire::base(&plan.url),
            health: plan.health.clone(),
            method,
            headers,
            plan: plan.http.clone(),
        })
    }
}

impl Target for HttpTarget {
    fn describe(&self) -> String {
        format!("{} {}{}", self.method, self.base, self.plan.path)
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        let mut request = self
            .client
            .request(self.method.clone(), format!("{}{}", self.base, self.plan.path))
            .headers(self.headers.clone());
        if !self.plan.multipart_field.is_empty() {
            request = request.multipart(wire::form(&self.plan.multipart_field, input));
        } else if let Some(json) = &self.plan.json {
            request = request.json(json);
        }
        let answer = request.send().await.map_err(|error| wire::transport("request", &error))?;
        if !self.plan.success_status.contains(&answer.status().as_u16()) {
            return Err(wire::rejected(answer).await);
        }
        // The answer is read to its end in any case: only then is the task done.
        let body = answer.bytes().await.map_err(|error| wire::transport("answer", &error))?;
        if !self.plan.success_pointer.is_empty() {
            let pointer = &self.plan.success_pointer;
            let json: Value = serde_json::from_slice(&body).map_err(|error| TaskError::Malformed {
                message: format!("the answer is not JSON: {error}"),
            })?;
            if json.pointer(pointer).is_none() {
                return Err(TaskError::Malformed {
                    message: format!("the answer has nothing at `{pointer}`"),
                });
            }
        }
        Ok(Completion::default())
    }

    async fn health(&self) -> Result<(), String> {
        wire::health(&self.client, &self.base, &self.health).await
    }
}
