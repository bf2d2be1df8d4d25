//! A single address that is asked now and then: no task, but what helps to measure one.

use std::fmt;

use hyper::{Method, Uri};

use super::TaskError;
use super::client::{Client, Outgoing, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::TargetPlan;

/// An HTTP address.
pub(crate) struct Endpoint {
    client: Client,
    url: String,
    path: Uri,
}

impl Endpoint {
    /// # Errors
    /// [`ErrorKind::Config`] if `url` is no address that can be asked.
    pub(crate) fn of_url(url: &str) -> Result<Endpoint> {
        let wrong = || {
            Error::new(ErrorKind::Config, format!("`{url}` is no URL"))
                .hint("a URL has a scheme, a host and a path: `http://127.0.0.1:8000/debug/gc`")
        };
        let uri: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| wrong().source(error))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let plan = TargetPlan { url: format!("{scheme}://{authority}"), ..TargetPlan::default() };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Endpoint {
            client: Client::of_plan(&plan)?,
            url: url.to_string(),
            path: path.parse().map_err(|error: hyper::http::uri::InvalidUri| wrong().source(error))?,
        })
    }

    /// Sends a `POST` without a body.
    ///
    /// # Errors
    /// A sentence with the request and what was wrong: no answer, or none with a status of success.
    #[cfg(feature = "collect")]
    pub(crate) async fn post(&self) -> std::result::Result<(), String> {
        self.ask(Method::POST).await.map(drop)
    }

    /// Sends a `GET`; the body is read and dropped.
    ///
    /// # Errors
    /// As `post`.
    #[cfg(feature = "collect")]
    pub(crate) async fn get(&self) -> std::result::Result<(), String> {
        self.ask(Method::GET).await.map(drop)
    }

    /// Sends a `GET` and returns the body.
    ///
    /// # Errors
    /// As `post`.
    pub(crate) async fn get_text(&self) -> std::result::Result<String, String> {
        self.ask(Method::GET).await
    }

    async fn ask(&self, method: Method) -> std::result::Result<String, String> {
        let request = Outgoing { method: method.clone(), path: self.path.clone(), ..Outgoing::default() };
        let failed = |what: String| format!("{method} {}: {what}", self.url);
        match self.client.lane().send(&request, Part::Whole).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                Ok(String::from_utf8_lossy(&answer.body).into_owned())
            }
            Ok(answer) => Err(failed(format!("HTTP {}", answer.status))),
            Err(TaskError::Transport { message, .. }) => Err(failed(message)),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.url).finish()
    }
}
